import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../database/transaction.js'
import { problem, ref } from '../plugins/schema.js'
import { makeLink } from './make-link.js'
import { revokeLinks } from './revoke-links.js'
import { IdParams, OrderPageLink } from './schema.js'

/** Links to the page of an order, for storefronts: made and revoked. */
export const orderPageLinkRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(OrderPageLink)

  app.post('/orders/:id/page-link', {
    config: { permission: 'orders:page' },
    schema: {
      operationId: 'makeOrderPageLink',
      tags: ['orders'],
      summary: 'Make a link to the page of an order',
      description: 'For the customer, whom the caller knows to be that: the link shows the licenses to whoever has it. It is kept nowhere; asked again there is another, and both are good.',
      params: IdParams,
      response: { 200: ref(OrderPageLink), 404: problem('order-not-found'), 409: problem('customer-erased') },
    },
  }, async ({ account, params }, reply) => {
    const maker = { keyring: app.keyring, public_url: app.config.public_url }
    const link = await inTransaction(app.db, (trx) => makeLink(trx, maker, { account_id: account.id, order_id: params.id, actor: account.key_id }))
    return reply.header('cache-control', 'no-store').send(link)
  })

  app.delete('/orders/:id/page-link', {
    config: { permission: 'orders:page' },
    schema: {
      operationId: 'revokeOrderPageLinks',
      tags: ['orders'],
      summary: 'Revoke the links to the page of an order',
      description: 'All that were mailed or made: they open nothing any more. A link made afterwards, or mailed again, opens it.',
      params: IdParams,
      response: { 204: Type.Null({ description: 'They are revoked' }), 404: problem('order-not-found') },
    },
  }, async ({ account, params }, reply) => {
    await inTransaction(app.db, (trx) => revokeLinks(trx, account.id, params.id, account.key_id))
    return reply.code(204).send(null)
  })
}
