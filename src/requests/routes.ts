import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { sql } from 'kysely'
import { Type } from 'typebox'
import { assetSchemas } from '../assets/schema.js'
import { inTransaction } from '../database/transaction.js'
import { wakeWorker } from '../deliveries/wake.js'
import { ParamWriteSchema } from '../parameters/schema.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { listWith, listQuerySchema, listSchema, selection, selectQuerySchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { NewRequestSchema, RequestChangeSchema } from './bodies/schema.js'
import { askValidators } from './ask-validators.js'
import { createRequest } from './create.js'
import { deleteDraft } from './delete-draft.js'
import { REQUEST_PARTS, requestDocuments } from './documents.js'
import { requestsListedFor } from './listed.js'
import { renderRequest } from './render.js'
import { actorOf, findRequest, lockRequest, type RequestRow } from './request-row.js'
import { IdParams, Request, requestFields } from './schema.js'
import { updateRequest } from './update.js'
import { applyVerdict, validateRequest } from './validate.js'

export const requestRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [ParamWriteSchema, ...assetSchemas, NewRequestSchema, RequestChangeSchema, Request]) app.addSchema(schema)
  const service = { keyring: app.keyring, public_url: app.config.public_url }
  const line = { timeout_ms: app.config.webhook_timeout_ms, allowed_networks: app.config.webhook_allowed_networks }
  const judge = async (row: RequestRow): Promise<void> => {
    const verdict = await askValidators({ ...service, db: app.db, line }, row)
    if (verdict.length > 0) await inTransaction(app.db, (trx) => applyVerdict(trx, app.keyring, row, verdict))
  }

  app.post('/requests', {
    config: { permission: 'requests:write' },
    schema: {
      operationId: 'createRequest',
      tags: ['requests'],
      summary: 'Ask for something',
      description: 'A provider purchases, changes, suspends, resumes and cancels; a vendor adjusts. With `status: "draft"` nothing is asked for yet. ' +
        'A purchase with a new asset is pending at once, or tiers_setup while its resellers are not set up, or inquiring while a required ordering parameter is empty; ' +
        'of a product with a pool it is approved at once while there is stock.',
      headers: IdempotencyHeaders,
      body: ref(NewRequestSchema),
      response: { 201: ref(Request), 403: problem('wrong-side'), 409: problem('asset-exists', 'request-open') },
    },
  }, async (request, reply) => {
    const { account, body } = request
    const { id, repeated } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: (await createRequest(trx, service, account, actorOf(account), body)).id, status: 201 }))
    wakeWorker()
    const row = await findRequest(app.db, account, id)
    if (row.status === 'draft' && !repeated) await judge(row)
    const [document] = await requestDocuments(app.db, service, account, [await findRequest(app.db, account, id)])
    return reply.code(201).header('location', `/v1/requests/${id}`).send(document!)
  })

  app.get('/requests', {
    config: { permission: 'requests:read' },
    schema: {
      operationId: 'listRequests',
      tags: ['requests'],
      summary: 'List requests',
      description: 'The oldest first. A vendor that filters by nothing is answered the pending ones (the setting REQUESTS_DEFAULT_PENDING), and is not shown drafts of providers. ' +
        'Secret parameters are in clear, and can be neither filtered nor searched by.',
      querystring: listQuerySchema(requestFields, REQUEST_PARTS),
      response: { 200: listSchema(ref(Request), 'The requests'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => {
    const unfiltered = app.config.requests_default_pending && request.account.type === 'vendor' ? sql<boolean>`requests.status = 'pending'` : undefined
    const { shows } = selection(request, REQUEST_PARTS)
    return listWith(request, reply, { query: requestsListedFor(app.db, request.account), fields: requestFields, defaultOrdering: 'created', unfiltered }, (rows) =>
      requestDocuments(app.db, service, request.account, rows, shows))
  })

  app.get('/requests/:id', {
    config: { permission: 'requests:read' },
    schema: {
      operationId: 'getRequest',
      tags: ['requests'],
      summary: 'Read a request',
      description: 'With its asset as the request would leave it. Secret parameters are in clear.',
      params: IdParams,
      querystring: selectQuerySchema(REQUEST_PARTS),
      response: { 200: ref(Request), 400: problem('query-invalid'), 404: problem('request-not-found') },
    },
  }, async (request) => {
    const row = await findRequest(app.db, request.account, request.params.id)
    const [document] = await requestDocuments(app.db, service, request.account, [row], selection(request, REQUEST_PARTS).shows)
    return document!
  })

  app.put('/requests/:id', {
    config: { permission: 'requests:write' },
    schema: {
      operationId: 'updateRequest',
      tags: ['requests'],
      summary: 'Write parameters and the note of a request',
      description: 'A vendor while it is pending or inquiring, a provider while it is a draft or inquiring. What is not given stays. ' +
        'Of a draft its maker may write all that it was made of; a wrong value is kept then, with its `value_error`.',
      params: IdParams,
      body: ref(RequestChangeSchema),
      response: { 200: ref(Request), 400: problem('illegal-transition'), 404: problem('request-not-found') },
    },
  }, async ({ account, params, body }) => {
    await inTransaction(app.db, async (trx) => updateRequest(trx, service, await lockRequest(trx, account, params.id), actorOf(account), body))
    const [document] = await requestDocuments(app.db, service, account, [await findRequest(app.db, account, params.id)])
    return document!
  })

  app.post('/requests/:id/validate', {
    config: { permission: 'requests:write' },
    preValidation: async (request) => { request.body ??= {} }, // a body that was left out is an empty one
    schema: {
      operationId: 'validateRequest',
      tags: ['requests'],
      summary: 'Check the parameters of a draft or an inquiring request',
      description: 'Keeps what is given, right or wrong, and answers 200 either way: `value_error` says what is wrong, by the rules of the parameters and by the vendor\'s validating webhooks.',
      params: IdParams,
      headers: IdempotencyHeaders,
      body: ref(RequestChangeSchema),
      response: { 200: ref(Request), 400: problem('illegal-transition'), 404: problem('request-not-found') },
    },
  }, async (request) => {
    const { account, params: { id }, body } = request
    await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      await validateRequest(trx, app.keyring, await lockRequest(trx, account, id), actorOf(account), body.asset?.params ?? [])
      return { id, status: 200 }
    })
    await judge(await findRequest(app.db, account, id))
    const [document] = await requestDocuments(app.db, service, account, [await findRequest(app.db, account, id)])
    return document!
  })

  app.delete('/requests/:id', {
    config: { permission: 'requests:write' },
    schema: {
      operationId: 'deleteRequest',
      tags: ['requests'],
      summary: 'Delete a draft',
      description: 'What was asked for is never deleted.',
      params: IdParams,
      response: { 204: { description: 'It is gone', type: 'null' }, 400: problem('illegal-transition'), 403: problem('wrong-side'), 404: problem('request-not-found') },
    },
  }, async ({ account, params }, reply) => {
    await inTransaction(app.db, async (trx) => deleteDraft(trx, await lockRequest(trx, account, params.id), actorOf(account)))
    return reply.code(204).send(null)
  })

  app.get('/requests/:id/render', {
    config: { permission: 'requests:read' },
    schema: {
      operationId: 'renderRequest',
      tags: ['requests'],
      summary: 'Read what the customer of a request is told',
      description: 'The text of its state with the values of the parameters, which may hold license keys. `Connect-Localization` is sent back as it came: there is one language.',
      params: IdParams,
      headers: Type.Object({ 'connect-localization': Type.Optional(Type.String({ maxLength: 35, pattern: '^[A-Za-z0-9_-]*$', examples: ['en-US'] })) }),
      response: {
        200: { description: 'Markdown', content: { 'text/markdown': { schema: Type.String({ examples: ['Your license key: ABCD-EFGH-IJKL'] }) } } },
        404: problem('request-not-found'),
      },
    },
  }, async ({ account, params, headers }, reply) => {
    const text = await renderRequest(app.db, service, account, params.id)
    const locale = headers['connect-localization']
    if (locale !== undefined) reply.header('connect-localization', locale)
    return reply.type('text/markdown; charset=utf-8').send(text)
  })
}
