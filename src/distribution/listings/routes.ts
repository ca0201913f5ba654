import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../../database/transaction.js'
import { idempotencyKeyOf, once } from '../../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../../plugins/schema.js'
import { IdParams } from '../schema.js'
import { vendorOnly } from '../shape.js'
import { createListing } from './create.js'
import { deleteListing } from './delete.js'
import { findListing, listingBody, listingsSeenBy } from './find.js'
import { Listing, ListingChange, listingFields, NewListing } from './schema.js'
import { updateListing } from './update.js'

export const listingRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(Listing)

  app.post('/listings', {
    config: { permission: 'marketplaces:write' },
    schema: {
      operationId: 'createListing',
      tags: ['distribution'],
      summary: 'List a product',
      description: 'A vendor puts a product on the marketplace of a contract. Purchases need a listing.',
      headers: IdempotencyHeaders,
      body: NewListing,
      response: { 201: ref(Listing), 403: problem('forbidden'), 409: problem('listing-exists') },
    },
  }, async (request, reply) => {
    const { account, body: { product, contract, status: listed } } = request
    vendorOnly(account)
    const wanted = { account_id: account.id, product_id: product.id, contract_id: contract.id, status: listed }
    const { id, status } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createListing(trx, wanted, account.key_id), status: 201 }))
    return reply.code(status as 201).header('location', `/v1/listings/${id}`).send(listingBody(await findListing(app.db, account, id)))
  })

  app.get('/listings', {
    config: { permission: 'marketplaces:read' },
    schema: {
      operationId: 'listListings',
      tags: ['distribution'],
      summary: 'List listings',
      description: 'A vendor and a provider see their own, the operator all.',
      querystring: listQuerySchema(listingFields),
      response: { 200: listSchema(ref(Listing), 'The listings'), 400: problem('query-invalid') },
    },
  }, async (request, reply) =>
    (await list(request, reply, { query: listingsSeenBy(app.db, request.account), fields: listingFields, defaultOrdering: 'created' })).map(listingBody))

  app.get('/listings/:id', {
    config: { permission: 'marketplaces:read' },
    schema: {
      operationId: 'getListing',
      tags: ['distribution'],
      summary: 'Read a listing',
      params: IdParams,
      response: { 200: ref(Listing), 404: problem('listing-not-found') },
    },
  }, async ({ account, params }) => listingBody(await findListing(app.db, account, params.id)))

  app.put('/listings/:id', {
    config: { permission: 'marketplaces:write' },
    schema: {
      operationId: 'updateListing',
      tags: ['distribution'],
      summary: 'List again, or no longer',
      description: 'By its vendor. What is unlisted is not sold anew; what was sold goes on.',
      params: IdParams,
      body: ListingChange,
      response: { 200: ref(Listing), 404: problem('listing-not-found') },
    },
  }, async ({ account, params: { id }, body: { status } }) => {
    vendorOnly(account)
    await inTransaction(app.db, (trx) => updateListing(trx, { account_id: account.id, id, status }, account.key_id))
    return listingBody(await findListing(app.db, account, id))
  })

  app.delete('/listings/:id', {
    config: { permission: 'marketplaces:write' },
    schema: {
      operationId: 'deleteListing',
      tags: ['distribution'],
      summary: 'Delete a listing',
      description: 'By its vendor, and only one under which nothing was sold.',
      params: IdParams,
      response: { 204: Type.Null({ description: 'It is deleted' }), 404: problem('listing-not-found'), 409: problem('in-use') },
    },
  }, async ({ account, params: { id } }, reply) => {
    vendorOnly(account)
    await inTransaction(app.db, (trx) => deleteListing(trx, { account_id: account.id, id }, account.key_id))
    return reply.code(204).send(null)
  })
}
