import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type, type Static } from 'typebox'
import type { Caller } from '../plugins/authentication.js'
import { inTransaction } from '../database/transaction.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { Problem } from '../problems.js'
import { createAccount } from './create-account.js'
import { createApiKey } from './create-api-key.js'
import { accountBody, accountsSeenBy, apiKeysSeenBy, findAccount, findApiKey } from './find.js'
import { findUser, userBody, usersOf } from './find-user.js'
import { PRESETS, type Permission } from './permissions.js'
import { revokeApiKey } from './revoke-api-key.js'
import {
  Account, AccountChange, accountFields, ApiKey, apiKeyFields, ApiKeyWithSecret, NewAccount, NewApiKey, User, userFields, UserParams,
} from './schema.js'
import { updateAccount } from './update-account.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

/** What the new key may do: never more than its maker, except that the operator makes keys for the accounts it made. */
function grantedPermissions (caller: Caller, body: Static<typeof NewApiKey>): readonly Permission[] {
  if ((body.preset === undefined) === (body.permissions === undefined)) {
    const fault = 'permissions: give either a preset or permissions'
    throw new Problem('validation-failed', { detail: fault, errors: [fault] })
  }
  const permissions = body.preset === undefined ? body.permissions ?? [] : PRESETS[body.preset]
  if (caller.type === 'operator' && body.account_id !== undefined && body.account_id !== caller.id) return permissions
  const exceeded = permissions.filter((permission) => !caller.permissions.includes(permission))
  if (exceeded.length > 0) throw new Problem('permission-exceeded', { detail: `your API key lacks ${exceeded.join(', ')}`, params: { permissions: exceeded } })
  return permissions
}

export const accountRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [Account, User, ApiKey, ApiKeyWithSecret]) app.addSchema(schema)

  app.post('/accounts', {
    config: { permission: 'accounts:write' },
    schema: {
      operationId: 'createAccount',
      tags: ['accounts'],
      summary: 'Make an account',
      description: 'For the operator of the service. The account has no API key yet: make one with `POST /v1/api-keys`.',
      headers: IdempotencyHeaders,
      body: NewAccount,
      response: { 201: ref(Account) },
    },
  }, async (request, reply) => {
    const { name, type, brand, external_id, countries } = request.body
    if (request.account.type !== 'operator') throw new Problem('forbidden', 'only the operator makes accounts')
    const { id, status } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createAccount(trx, { name, type, brand, external_id, countries }, request.account.key_id), status: 201 }))
    return reply.code(status as 201).header('location', `/v1/accounts/${id}`).send(accountBody(await findAccount(app.db, request.account, id)))
  })

  app.get('/accounts', {
    config: { permission: 'accounts:read' },
    schema: {
      operationId: 'listAccounts',
      tags: ['accounts'],
      summary: 'List accounts',
      description: 'The operator sees every account, anybody else its own.',
      querystring: listQuerySchema(accountFields),
      response: { 200: listSchema(ref(Account), 'The accounts'), 400: problem('query-invalid') },
    },
  }, async (request, reply) =>
    (await list(request, reply, { query: accountsSeenBy(app.db, request.account), fields: accountFields, defaultOrdering: 'created_at' })).map(accountBody))

  app.get('/accounts/:id', {
    config: { permission: 'accounts:read' },
    schema: {
      operationId: 'getAccount',
      tags: ['accounts'],
      summary: 'Read an account',
      params: IdParams,
      response: { 200: ref(Account), 404: problem('account-not-found') },
    },
  }, async ({ account, params }) => accountBody(await findAccount(app.db, account, params.id)))

  app.put('/accounts/:id', {
    config: { permission: 'accounts:rename' },
    schema: {
      operationId: 'renameAccount',
      tags: ['accounts'],
      summary: 'Rename or describe an account',
      description: 'Your own; the operator any. A vendor\'s name stands under the mails to its customers.',
      params: IdParams,
      body: AccountChange,
      response: { 200: ref(Account), 404: problem('account-not-found') },
    },
  }, async ({ account, params, body: { name, brand, external_id, countries } }) => {
    const { id } = await findAccount(app.db, account, params.id)
    await inTransaction(app.db, (trx) => updateAccount(trx, id, { name, brand, external_id, countries }, account.key_id))
    return accountBody(await findAccount(app.db, account, id))
  })

  app.get('/accounts/:id/users', {
    config: { permission: 'accounts:read' },
    schema: {
      operationId: 'listUsers',
      tags: ['accounts'],
      summary: 'List the users of an account',
      description: 'Its API keys that are neither revoked nor expired; requests are assigned to them.',
      params: IdParams,
      querystring: listQuerySchema(userFields),
      response: { 200: listSchema(ref(User), 'The users'), 400: problem('query-invalid'), 404: problem('account-not-found') },
    },
  }, async (request, reply) => {
    const { id } = await findAccount(app.db, request.account, request.params.id)
    return (await list(request, reply, { query: usersOf(app.db, id), fields: userFields, defaultOrdering: 'created_at' })).map(userBody)
  })

  app.get('/accounts/:id/users/:user_id', {
    config: { permission: 'accounts:read' },
    schema: {
      operationId: 'getUser',
      tags: ['accounts'],
      summary: 'Read a user of an account',
      params: UserParams,
      response: { 200: ref(User), 404: problem('account-not-found', 'api-key-not-found') },
    },
  }, async ({ account, params }) => {
    const { id } = await findAccount(app.db, account, params.id)
    return userBody(await findUser(app.db, id, params.user_id))
  })

  app.post('/api-keys', {
    config: { permission: 'api-keys:write' },
    schema: {
      operationId: 'createApiKey',
      tags: ['api-keys'],
      summary: 'Make an API key',
      description: 'The answer holds the secret, once. A key cannot grant what it does not have; only the operator makes keys for other accounts.',
      headers: IdempotencyHeaders,
      body: NewApiKey,
      response: { 201: ref(ApiKeyWithSecret), 403: problem('permission-exceeded'), 404: problem('account-not-found') },
    },
  }, async (request, reply) => {
    const { account, body } = request
    const account_id = body.account_id ?? account.id
    if (account_id !== account.id && account.type !== 'operator') throw new Problem('account-not-found')
    const permissions = grantedPermissions(account, body)
    const wanted = { account_id, name: body.name, email: body.email, permissions, expires_at: body.expires_at }
    const { id, status, secret } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ ...await createApiKey(trx, wanted, account.key_id), status: 201 }))
    const key = await findApiKey(app.db, account, id)
    return reply.code(status as 201).send({ ...key, api_key: `${id}:${secret ?? ''}` })
  })

  app.get('/api-keys', {
    config: { permission: 'api-keys:read' },
    schema: {
      operationId: 'listApiKeys',
      tags: ['api-keys'],
      summary: 'List API keys',
      description: 'Those of your account, revoked ones too; the operator sees every account\'s. Never a secret.',
      querystring: listQuerySchema(apiKeyFields),
      response: { 200: listSchema(ref(ApiKey), 'The API keys'), 400: problem('query-invalid') },
    },
  }, async (request, reply) =>
    list(request, reply, { query: apiKeysSeenBy(app.db, request.account), fields: apiKeyFields, defaultOrdering: 'created_at' }))

  app.delete('/api-keys/:id', {
    config: { permission: 'api-keys:write' },
    schema: {
      operationId: 'revokeApiKey',
      tags: ['api-keys'],
      summary: 'Revoke an API key',
      description: 'The next request with it is refused. Revoking again is no error.',
      params: IdParams,
      response: { 204: Type.Null({ description: 'It is revoked' }), 404: problem('api-key-not-found') },
    },
  }, async (request, reply) => {
    const { account, params } = request
    const { account_id } = await findApiKey(app.db, account, params.id)
    await inTransaction(app.db, (trx) => revokeApiKey(trx, account_id, params.id, account.key_id))
    return reply.code(204).send(null)
  })
}
