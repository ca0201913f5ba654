import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { wakeWorker } from '../../deliveries/wake.js'
import { ParamWriteSchema } from '../../parameters/schema.js'
import { idempotencyKeyOf, once } from '../../plugins/idempotency.js'
import { list, listQuerySchema, listSchema, selection } from '../../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../../plugins/schema.js'
import { tierConfigSchemas } from '../configs/schema.js'
import { Markdown, RenderHeaders } from '../schema.js'
import { createRequest } from './create.js'
import { requestDocuments } from './documents.js'
import { findRequest, requestsSeenBy } from './find.js'
import type { Caller } from './request-row.js'
import { ConfigRequestChange, configRequestFields, IdParams, NewConfigRequest, TierConfigRequest } from './schema.js'
import { submitRequest } from './submit.js'
import { updateRequest } from './update.js'
import { validateRequest } from './validate.js'

const PARTS = { configuration: true }
const tags = ['tiers']
const moved = { 400: problem('illegal-transition'), 404: problem('tier-config-request-not-found') }

export const tierConfigRequestRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [...tierConfigSchemas, ParamWriteSchema, TierConfigRequest]) app.addSchema(schema)
  const shown = async (caller: Caller, id: string) =>
    (await requestDocuments(app.db, app.keyring, caller, [await findRequest(app.db, caller, id)]))[0]!

  app.get('/tier/config-requests', {
    config: { permission: 'tiers:read' },
    schema: {
      operationId: 'listTierConfigRequests',
      tags,
      summary: 'List tier configuration requests',
      querystring: listQuerySchema(configRequestFields, PARTS),
      response: { 200: listSchema(ref(TierConfigRequest), 'The tier configuration requests'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => {
    const rows = await list(request, reply, { query: requestsSeenBy(app.db, request.account), fields: configRequestFields, defaultOrdering: 'created_at' })
    const withConfiguration = selection(request, PARTS).shows('configuration')
    return requestDocuments(app.db, app.keyring, request.account, rows, { withConfiguration })
  })

  app.get('/tier/config-requests/:id', {
    config: { permission: 'tiers:read' },
    schema: {
      operationId: 'getTierConfigRequest',
      tags,
      summary: 'Read a tier configuration request',
      params: IdParams,
      response: { 200: ref(TierConfigRequest), 404: problem('tier-config-request-not-found') },
    },
  }, async ({ account, params }) => shown(account, params.id))

  app.post('/tier/config-requests', {
    config: { permission: 'tiers:write' },
    schema: {
      operationId: 'createTierConfigRequest',
      tags,
      summary: 'Ask for a reseller to be set up, or for a change of how it is',
      description: 'With `configuration.id` it is a change, else a set-up. Purchases ask for the set-ups that they need by themselves.',
      headers: IdempotencyHeaders,
      body: NewConfigRequest,
      response: { 201: ref(TierConfigRequest), 409: problem('tier-config-request-open') },
    },
  }, async (request, reply) => {
    const { account, body } = request
    const { id } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createRequest(trx, app.keyring, account, body), status: 201 }))
    wakeWorker()
    return reply.code(201).header('location', `/v1/tier/config-requests/${id}`).send(await shown(account, id))
  })

  for (const { verb, method, url, run, summary, description } of [
    { verb: 'update', method: 'PUT', url: '', run: updateRequest, summary: 'Write parameters and notes of a tier configuration request', description: 'The vendor: draft, pending or inquiring; the provider: draft or inquiring. An empty body changes nothing.' },
    { verb: 'submit', method: 'POST', url: '/submit', run: submitRequest, summary: 'Make a draft a request', description: 'Parameters that are given are written first.' },
    { verb: 'validate', method: 'POST', url: '/validate', run: validateRequest, summary: 'Check parameters of a draft or while inquiring', description: 'They are kept, and what is wrong with them is in value_error.' },
  ] as const) {
    app.route({
      method,
      url: `/tier/config-requests/:id${url}`,
      config: { permission: 'tiers:write' },
      schema: {
        operationId: `${verb}TierConfigRequest`,
        tags,
        summary,
        description,
        params: IdParams,
        ...(method === 'POST' ? { headers: IdempotencyHeaders } : {}),
        body: ConfigRequestChange,
        response: { 200: ref(TierConfigRequest), ...moved },
      },
      handler: async (request) => {
        const { account, params, body } = request
        await once(app.db, app.keyring, method === 'POST' ? idempotencyKeyOf(request) : undefined, async (trx) => {
          await run(trx, app.keyring, account, params.id, body ?? {})
          return { id: params.id, status: 200 }
        })
        wakeWorker()
        return shown(account, params.id)
      },
    })
  }

  app.get('/tier/config-requests/:id/render', {
    config: { permission: 'tiers:read' },
    schema: {
      operationId: 'renderTierConfigRequest',
      tags,
      summary: 'Read the text of a tier configuration request',
      params: IdParams,
      headers: RenderHeaders,
      response: { 200: Markdown, 404: problem('tier-config-request-not-found') },
    },
  }, async ({ account, params, headers }, reply) => {
    const { template } = await shown(account, params.id)
    const locale = headers['connect-localization']
    if (locale !== undefined) reply.header('connect-localization', locale)
    return reply.type('text/markdown; charset=utf-8').send(template?.representation ?? '')
  })
}
