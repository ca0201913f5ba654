import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { wakeWorker } from '../../deliveries/wake.js'
import { idempotencyKeyOf, once } from '../../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../../plugins/schema.js'
import { TierAccount } from '../accounts/schema.js'
import { assertSide } from '../assert-side.js'
import { answerAccountRequest } from './answer.js'
import { askForChange } from './ask.js'
import { accountRequestDocuments, accountRequestsSeenBy, findAccountRequest } from './find.js'
import { accountRequestFields, Ignoring, NewAccountRequest, TierAccountRequest } from './schema.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, examples: ['TAR-1234-5678-9012-001'] }) })
const tags = ['tiers']

export const accountRequestRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [TierAccount, TierAccountRequest]) app.addSchema(schema)

  app.get('/tier/account-requests', {
    config: { permission: 'tiers:read' },
    schema: {
      operationId: 'listTierAccountRequests',
      tags,
      summary: 'List tier account requests',
      querystring: listQuerySchema(accountRequestFields),
      response: { 200: listSchema(ref(TierAccountRequest), 'The tier account requests'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => accountRequestDocuments(app.db, await list(request, reply, {
    query: accountRequestsSeenBy(app.db, request.account), fields: accountRequestFields, defaultOrdering: 'events.created.at',
  })))

  app.get('/tier/account-requests/:id', {
    config: { permission: 'tiers:read' },
    schema: {
      operationId: 'getTierAccountRequest',
      tags,
      summary: 'Read a tier account request',
      params: IdParams,
      response: { 200: ref(TierAccountRequest), 404: problem('tier-account-request-not-found') },
    },
  }, async ({ account, params }) => findAccountRequest(app.db, account, params.id))

  app.post('/tier/account-requests', {
    config: { permission: 'tiers:write' },
    schema: {
      operationId: 'createTierAccountRequest',
      tags,
      summary: 'Change a tier account and ask its vendors to take note',
      description: 'For providers. The account has its new version at once. One request is opened for each product that was sold to or through the account; the answer is the first of them.',
      headers: IdempotencyHeaders,
      body: NewAccountRequest,
      response: { 201: ref(TierAccountRequest), 400: problem('tier-account-unchanged'), 409: problem('tier-account-exists') },
    },
  }, async (request, reply) => {
    const { account, body } = request
    assertSide(account, 'provider')
    const { id } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await askForChange(trx, account.id, body, account.key_id), status: 201 }))
    wakeWorker()
    return reply.code(201).header('location', `/v1/tier/account-requests/${id}`).send(await findAccountRequest(app.db, account, id))
  })

  for (const { verb, status, body } of [{ verb: 'accept', status: 'accepted', body: Type.Unknown() }, { verb: 'ignore', status: 'ignored', body: Ignoring }] as const) {
    app.post(`/tier/account-requests/:id/${verb}`, {
      config: { permission: 'tiers:write' },
      schema: {
        operationId: `${verb}TierAccountRequest`,
        tags,
        summary: verb === 'accept' ? 'Take note of a changed tier account' : 'Ignore the change of a tier account',
        description: 'For the vendor of the product.',
        params: IdParams,
        headers: IdempotencyHeaders,
        body,
        response: { 200: ref(TierAccountRequest), 400: problem('tier-account-request-closed'), 404: problem('tier-account-request-not-found') },
      },
    }, async (request) => {
      const { account, params } = request
      const { id } = await findAccountRequest(app.db, account, params.id)
      assertSide(account, 'vendor')
      const { reason } = (request.body ?? {}) as { reason?: string | null }
      await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
        await answerAccountRequest(trx, { account_id: account.id, id, status, reason: verb === 'ignore' ? reason ?? '' : '' }, account.key_id)
        return { id, status: 200 }
      })
      wakeWorker()
      return findAccountRequest(app.db, account, id)
    })
  }
}
