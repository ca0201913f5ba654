import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../../database/transaction.js'
import { idempotencyKeyOf, once } from '../../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../../plugins/schema.js'
import { IdParams } from '../schema.js'
import { vendorOnly } from '../shape.js'
import { createContract } from './create.js'
import { deleteContract } from './delete.js'
import { contractBody, contractsSeenBy, findContract } from './find.js'
import { Contract, ContractChange, contractFields, NewContract } from './schema.js'
import { updateContract } from './update.js'

export const contractRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(Contract)

  app.post('/contracts', {
    config: { permission: 'marketplaces:write' },
    schema: {
      operationId: 'createContract',
      tags: ['distribution'],
      summary: 'Make a contract',
      description: 'A vendor lets a provider sell on one marketplace what the vendor lists there.',
      headers: IdempotencyHeaders,
      body: NewContract,
      response: { 201: ref(Contract), 403: problem('forbidden'), 409: problem('contract-exists') },
    },
  }, async (request, reply) => {
    const { account, body: { name, marketplace, provider } } = request
    vendorOnly(account)
    const wanted = { account_id: account.id, marketplace_id: marketplace.id, provider_id: provider.id, name }
    const { id, status } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createContract(trx, wanted, account.key_id), status: 201 }))
    return reply.code(status as 201).header('location', `/v1/contracts/${id}`).send(contractBody(await findContract(app.db, account, id)))
  })

  app.get('/contracts', {
    config: { permission: 'marketplaces:read' },
    schema: {
      operationId: 'listContracts',
      tags: ['distribution'],
      summary: 'List contracts',
      description: 'A vendor and a provider see their own, the operator all.',
      querystring: listQuerySchema(contractFields),
      response: { 200: listSchema(ref(Contract), 'The contracts'), 400: problem('query-invalid') },
    },
  }, async (request, reply) =>
    (await list(request, reply, { query: contractsSeenBy(app.db, request.account), fields: contractFields, defaultOrdering: 'created' })).map(contractBody))

  app.get('/contracts/:id', {
    config: { permission: 'marketplaces:read' },
    schema: {
      operationId: 'getContract',
      tags: ['distribution'],
      summary: 'Read a contract',
      params: IdParams,
      response: { 200: ref(Contract), 404: problem('contract-not-found') },
    },
  }, async ({ account, params }) => contractBody(await findContract(app.db, account, params.id)))

  app.put('/contracts/:id', {
    config: { permission: 'marketplaces:write' },
    schema: {
      operationId: 'updateContract',
      tags: ['distribution'],
      summary: 'Rename or end a contract',
      description: 'By its vendor. Under a terminated contract nothing new is sold; what was sold goes on.',
      params: IdParams,
      body: ContractChange,
      response: { 200: ref(Contract), 404: problem('contract-not-found'), 409: problem('contract-exists') },
    },
  }, async ({ account, params: { id }, body: { name, status } }) => {
    vendorOnly(account)
    await inTransaction(app.db, (trx) => updateContract(trx, { account_id: account.id, id, change: { name, status } }, account.key_id))
    return contractBody(await findContract(app.db, account, id))
  })

  app.delete('/contracts/:id', {
    config: { permission: 'marketplaces:write' },
    schema: {
      operationId: 'deleteContract',
      tags: ['distribution'],
      summary: 'Delete a contract',
      description: 'By its vendor, and only one under which nothing is listed and nothing was sold.',
      params: IdParams,
      response: { 204: Type.Null({ description: 'It is deleted' }), 404: problem('contract-not-found'), 409: problem('in-use') },
    },
  }, async ({ account, params: { id } }, reply) => {
    vendorOnly(account)
    await inTransaction(app.db, (trx) => deleteContract(trx, { account_id: account.id, id }, account.key_id))
    return reply.code(204).send(null)
  })
}
