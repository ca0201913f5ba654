import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../../database/transaction.js'
import { wakeWorker } from '../../deliveries/wake.js'
import { idempotencyKeyOf, once } from '../../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../../plugins/schema.js'
import { assertSide } from '../assert-side.js'
import { changeAccount } from './change-account.js'
import { createAccount } from './create-account.js'
import { deleteAccount } from './delete-account.js'
import { accountBody, accountsSeenBy, findAccount } from './find-account.js'
import { findVersion, versionBody, versionsOf } from './find-versions.js'
import { NewTierAccount, TierAccount, TierAccountChange, tierAccountFields, versionFields } from './schema.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, examples: ['TA-1234-5678-9012'] }) })
const tags = ['tiers']

export const tierAccountRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(TierAccount)

  app.get('/tier/accounts', {
    config: { permission: 'tiers:read' },
    schema: {
      operationId: 'listTierAccounts',
      tags,
      summary: 'List tier accounts',
      description: 'A provider sees its own, a vendor those of its assets, tier configurations and account requests.',
      querystring: listQuerySchema(tierAccountFields),
      response: { 200: listSchema(ref(TierAccount), 'The tier accounts'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => {
    const rows = await list(request, reply, { query: accountsSeenBy(app.db, request.account), fields: tierAccountFields, defaultOrdering: 'events.created.at' })
    return rows.map(accountBody)
  })

  app.get('/tier/accounts/:id', {
    config: { permission: 'tiers:read' },
    schema: {
      operationId: 'getTierAccount',
      tags,
      summary: 'Read a tier account',
      params: IdParams,
      response: { 200: ref(TierAccount), 404: problem('tier-account-not-found') },
    },
  }, async ({ account, params }) => findAccount(app.db, account, params.id))

  app.post('/tier/accounts', {
    config: { permission: 'tiers:write' },
    schema: {
      operationId: 'createTierAccount',
      tags,
      summary: 'Make a tier account',
      description: 'For providers. A purchase makes the accounts that it gives in full by itself.',
      headers: IdempotencyHeaders,
      body: NewTierAccount,
      response: { 201: ref(TierAccount), 409: problem('tier-account-exists') },
    },
  }, async (request, reply) => {
    const { account, body } = request
    assertSide(account, 'provider')
    const { id } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createAccount(trx, account.id, body, account.key_id), status: 201 }))
    return reply.code(201).header('location', `/v1/tier/accounts/${id}`).send(await findAccount(app.db, account, id))
  })

  app.put('/tier/accounts/:id', {
    config: { permission: 'tiers:write' },
    schema: {
      operationId: 'updateTierAccount',
      tags,
      summary: 'Change a tier account',
      description: 'For its provider. A change makes a new version at once, and opens an account request for each product that was sold to or through the account.',
      params: IdParams,
      body: TierAccountChange,
      response: { 200: ref(TierAccount), 404: problem('tier-account-not-found'), 409: problem('tier-account-exists') },
    },
  }, async ({ account, params, body }) => {
    const { id } = await findAccount(app.db, account, params.id)
    assertSide(account, 'provider')
    await inTransaction(app.db, (trx) => changeAccount(trx, { provider_id: account.id, id, change: body, path: '' }, account.key_id))
    wakeWorker()
    return findAccount(app.db, account, id)
  })

  app.delete('/tier/accounts/:id', {
    config: { permission: 'tiers:write' },
    schema: {
      operationId: 'deleteTierAccount',
      tags,
      summary: 'Delete a tier account that nothing names',
      params: IdParams,
      response: { 204: Type.Null({ description: 'It is gone' }), 404: problem('tier-account-not-found'), 409: problem('tier-account-in-use') },
    },
  }, async ({ account, params }, reply) => {
    const { id } = await findAccount(app.db, account, params.id)
    assertSide(account, 'provider')
    await inTransaction(app.db, (trx) => deleteAccount(trx, account.id, id, account.key_id))
    return reply.code(204).send(null)
  })

  app.get('/tier/accounts/:id/versions', {
    config: { permission: 'tiers:read' },
    schema: {
      operationId: 'listTierAccountVersions',
      tags,
      summary: 'List the versions of a tier account',
      params: IdParams,
      querystring: listQuerySchema(versionFields),
      response: { 200: listSchema(ref(TierAccount), 'The account as it was, version by version'), 400: problem('query-invalid'), 404: problem('tier-account-not-found') },
    },
  }, async (request, reply) => {
    const query = await versionsOf(app.db, request.account, request.params.id)
    return (await list(request, reply, { query, fields: versionFields, defaultOrdering: 'version' })).map(versionBody)
  })

  app.get('/tier/accounts/:id/versions/:version', {
    config: { permission: 'tiers:read' },
    schema: {
      operationId: 'getTierAccountVersion',
      tags,
      summary: 'Read a tier account as it was under a version',
      params: Type.Object({ ...IdParams.properties, version: Type.Integer({ minimum: 1, maximum: 2147483647, examples: [1] }) }),
      response: { 200: ref(TierAccount), 404: problem('tier-account-not-found') },
    },
  }, async ({ account, params }) => findVersion(app.db, account, params))
}
