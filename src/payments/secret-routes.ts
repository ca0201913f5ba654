import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../database/transaction.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { findSource } from './find-source.js'
import { NewSourceSecret, secretFieldsOfLists, SourceSecret, sourceSecretSchemas, SourceSecretWithSecret } from './schema.js'
import { addSecret, removeSecret, secretsOf } from './secrets.js'

const id = Type.String({ minLength: 1, maxLength: 100 })
const URL = '/payment-sources/:id/secrets'

export const sourceSecretRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of sourceSecretSchemas) app.addSchema(schema)

  app.get(URL, {
    config: { permission: 'payment-sources:read' },
    schema: {
      operationId: 'listPaymentSourceSecrets',
      tags: ['payment-sources'],
      summary: 'List the signing secrets of a payment source',
      description: 'Those that are valid now, without themselves: a webhook signed with any of them is taken.',
      params: Type.Object({ id }),
      querystring: listQuerySchema(secretFieldsOfLists),
      response: { 200: listSchema(ref(SourceSecret), 'The secrets'), 400: problem('query-invalid'), 404: problem('payment-source-not-found') },
    },
  }, async (request, reply) => {
    const source = { account_id: request.account.id, id: request.params.id }
    await findSource(app.db, source.account_id, source.id)
    return list(request, reply, { query: secretsOf(app.db, source), fields: secretFieldsOfLists, defaultOrdering: 'created_at' })
  })

  app.post(URL, {
    config: { permission: 'payment-sources:write' },
    schema: {
      operationId: 'addPaymentSourceSecret',
      tags: ['payment-sources'],
      summary: 'Give a payment source another signing secret',
      description: 'Valid within a second, beside the others: they go on until `expires_others_in_s` is over, or until they are deleted. So a secret is changed without a webhook lost.',
      params: Type.Object({ id }),
      headers: IdempotencyHeaders,
      body: ref(NewSourceSecret),
      response: { 201: ref(SourceSecretWithSecret), 404: problem('payment-source-not-found'), 409: problem('too-many-secrets') },
    },
  }, async (request, reply) => {
    const { account, params, body } = request
    const source = { account_id: account.id, id: params.id }
    const { id: secret_id, secret = '' } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ ...await addSecret(trx, app.keyring, { ...source, actor: account.key_id }, body), status: 201 }))
    const added = await secretsOf(app.db, source).where('id', '=', secret_id).executeTakeFirst()
    return reply.code(201).header('cache-control', 'no-store').send({ id: secret_id, created_at: added?.created_at ?? new Date(), expires_at: added?.expires_at ?? null, secret })
  })

  app.delete(`${URL}/:secret_id`, {
    config: { permission: 'payment-sources:write' },
    schema: {
      operationId: 'deletePaymentSourceSecret',
      tags: ['payment-sources'],
      summary: 'Forget a signing secret',
      description: 'What is signed with it is refused within a second.',
      params: Type.Object({ id, secret_id: id }),
      response: {
        204: Type.Null({ description: 'It is gone' }), 404: problem('payment-source-not-found', 'payment-source-secret-not-found'), 409: problem('last-secret'),
      },
    },
  }, async ({ account, params }, reply) => {
    await inTransaction(app.db, (trx) => removeSecret(trx, { account_id: account.id, id: params.id, actor: account.key_id }, params.secret_id))
    return reply.code(204).send(null)
  })
}
