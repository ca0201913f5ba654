import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { wakeWorker } from '../deliveries/wake.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { findAvailability } from './availability.js'
import { createHold } from './create.js'
import { findHold, holdsOf } from './find.js'
import { releaseHold } from './release.js'
import { Availability, AvailabilityParams, AvailabilityQuery, Hold, holdFieldsOfLists, HoldParams, holdSchemas, HoldSummary, NewHold } from './schema.js'

export const holdRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of holdSchemas) app.addSchema(schema)

  app.post('/holds', {
    config: { permission: 'holds:write' },
    schema: {
      operationId: 'createHold',
      tags: ['holds'],
      summary: 'Hold licenses for a checkout session',
      description: 'Before it is paid: all lines or none. The paid order names the hold and gets its licenses. The same session again (external_id, currency, mode, lines and ' +
        'quantities) answers 200 and the hold as it is; its time is not prolonged.',
      headers: IdempotencyHeaders,
      body: ref(NewHold),
      response: {
        200: { description: 'The session has this hold', ...ref(Hold) },
        201: { description: 'The licenses are held', ...ref(Hold) },
        404: problem('product-not-found'),
        409: problem('out-of-stock', 'hold-exists', 'pool-missing'),
      },
    },
  }, async (request, reply) => {
    const { account, body } = request
    const { id, status } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      const hold = await createHold(trx, account.id, body, account.key_id)
      return { id: hold.id, status: hold.created ? 201 : 200 }
    })
    wakeWorker() // an expired hold that it claimed may have filled an order
    return reply.code(status as 201).header('location', `/v1/holds/${id}`).send(await findHold(app.db, account.id, id))
  })

  app.get('/holds', {
    config: { permission: 'holds:read' },
    schema: {
      operationId: 'listHolds',
      tags: ['holds'],
      summary: 'List holds',
      description: 'The newest first. Without lines: read one for those.',
      querystring: listQuerySchema(holdFieldsOfLists),
      response: { 200: listSchema(ref(HoldSummary), 'The holds'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => list(request, reply, { query: holdsOf(app.db, request.account.id), fields: holdFieldsOfLists, defaultOrdering: '-created_at' }))

  app.get('/holds/:id', {
    config: { permission: 'holds:read' },
    schema: {
      operationId: 'getHold',
      tags: ['holds'],
      summary: 'Read a hold',
      description: 'With its lines and how many licenses each holds now.',
      params: HoldParams,
      response: { 200: ref(Hold), 404: problem('hold-not-found') },
    },
  }, async ({ account, params }) => findHold(app.db, account.id, params.id))

  app.post('/holds/:id/release', {
    config: { permission: 'holds:write' },
    schema: {
      operationId: 'releaseHold',
      tags: ['holds'],
      summary: 'Release a hold',
      description: 'Its licenses are back in stock at once. One that is released or expired stays so.',
      params: HoldParams,
      headers: IdempotencyHeaders,
      response: { 200: ref(Hold), 404: problem('hold-not-found'), 409: problem('hold-committed') },
    },
  }, async (request) => {
    const { account, params: { id } } = request
    await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      await releaseHold(trx, { account_id: account.id, hold_id: id, actor: account.key_id, reason: 'by request' })
      return { id, status: 200 }
    })
    wakeWorker()
    return findHold(app.db, account.id, id)
  })

  app.get('/products/:id/availability', {
    config: { permission: 'pools:read' },
    schema: {
      operationId: 'getAvailability',
      tags: ['holds'],
      summary: 'Ask whether a product is in stock',
      description: 'For storefronts, as often as they like. Counts what is in stock and what expired holds still have, less what paid orders wait for. A product whose `availability` is ' +
        '`coarse` tells no numbers.',
      params: AvailabilityParams,
      querystring: AvailabilityQuery,
      response: { 200: ref(Availability), 404: problem('product-not-found') },
    },
  }, async ({ account, params: { id }, query: { currency, mode = 'live' } }) => findAvailability(app.db, { account_id: account.id, product: id, currency, mode }))
}
