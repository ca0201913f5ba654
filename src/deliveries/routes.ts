import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { problem, ref } from '../plugins/schema.js'
import { deliveriesOf, findDelivery } from './find.js'
import { Delivery, deliveryFields, DeliveryWithAttempts } from './schema.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

export const deliveryRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(Delivery)
  app.addSchema(DeliveryWithAttempts)

  app.get('/deliveries', {
    config: { permission: 'deliveries:read' },
    schema: {
      operationId: 'listDeliveries',
      tags: ['deliveries'],
      summary: 'List deliveries',
      description: 'The mails of your account, the newest first.',
      querystring: listQuerySchema(deliveryFields),
      response: { 200: listSchema(ref(Delivery), 'The deliveries'), 400: problem('query-invalid') },
    },
  }, async (request, reply) =>
    list(request, reply, { query: deliveriesOf(app.db, request.account.id), fields: deliveryFields, defaultOrdering: '-id' }))

  app.get('/deliveries/:id', {
    config: { permission: 'deliveries:read' },
    schema: {
      operationId: 'getDelivery',
      tags: ['deliveries'],
      summary: 'Read a delivery and every try',
      params: IdParams,
      response: { 200: ref(DeliveryWithAttempts), 404: problem('delivery-not-found') },
    },
  }, async ({ account, params }) => findDelivery(app.db, account.id, params.id))
}
