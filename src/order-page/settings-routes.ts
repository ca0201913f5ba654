import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction } from '../database/transaction.js'
import { ref } from '../plugins/schema.js'
import { DEFAULTS, findSettings } from './find-settings.js'
import { NewOrderPageSettings, OrderPageSettings } from './schema.js'
import { writeSettings } from './write-settings.js'

/** What a vendor sets for the pages of its orders. */
export const orderPageSettingsRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [NewOrderPageSettings, OrderPageSettings]) app.addSchema(schema)

  app.get('/order-page-settings', {
    config: { permission: 'order-page-settings:read' },
    schema: {
      operationId: 'getOrderPageSettings',
      tags: ['order-page'],
      summary: 'Read the settings of order pages',
      description: 'Yours, or the defaults if you never set any.',
      response: { 200: ref(OrderPageSettings) },
    },
  }, async ({ account }) => findSettings(app.db, account.id))

  app.put('/order-page-settings', {
    config: { permission: 'order-page-settings:write' },
    schema: {
      operationId: 'replaceOrderPageSettings',
      tags: ['order-page'],
      summary: 'Replace the settings of order pages',
      description: 'As a whole: what is left out gets its default. Links that were given out keep their end.',
      body: ref(NewOrderPageSettings),
      response: { 200: ref(OrderPageSettings) },
    },
  }, async ({ account, body }) => {
    await inTransaction(app.db, (trx) => writeSettings(trx, account.id, { ...DEFAULTS, ...body }, account.key_id))
    return findSettings(app.db, account.id)
  })
}
