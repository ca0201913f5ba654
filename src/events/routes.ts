import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { problem, ref } from '../plugins/schema.js'
import { eventsOf, findEvent } from './find.js'
import { Event, eventFields } from './schema.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

export const eventRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(Event)

  app.get('/events', {
    config: { permission: 'events:read' },
    schema: {
      operationId: 'listEvents',
      tags: ['events'],
      summary: 'List events',
      description: 'The audit trail of your account, the newest first.',
      querystring: listQuerySchema(eventFields),
      response: { 200: listSchema(ref(Event), 'The events'), 400: problem('query-invalid') },
    },
  }, async (request, reply) =>
    list(request, reply, { query: eventsOf(app.db, request.account.id), fields: eventFields, defaultOrdering: '-id' }))

  app.get('/events/:id', {
    config: { permission: 'events:read' },
    schema: {
      operationId: 'getEvent',
      tags: ['events'],
      summary: 'Read an event',
      params: IdParams,
      response: { 200: ref(Event), 404: problem('event-not-found') },
    },
  }, async ({ account, params }) => findEvent(app.db, account.id, params.id))
}
