import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { problem, ref } from '../../plugins/schema.js'
import { NewOrder } from '../schema.js'
import { simulateLines } from './lines.js'
import { simulateMails } from './mails.js'
import { Simulation } from './schema.js'
import { toPaidOrder } from '../to-paid-order.js'

export const simulateRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [NewOrder, Simulation]) app.addSchema(schema)

  app.post('/orders/simulate', {
    config: { permission: 'orders:write' },
    schema: {
      operationId: 'simulateOrder',
      tags: ['orders'],
      summary: 'See what would become of an order',
      description: 'The body of an order: from which pool each line would be served and why, what its policy would do, and the mails with made-up keys. Takes, writes and sends nothing. ' +
        'What others take before the order is placed, and what supplies would bring, it does not know.',
      body: ref(NewOrder),
      response: { 200: ref(Simulation), 400: problem('parent-not-found'), 404: problem('product-not-found') },
    },
  }, async ({ account, body }) => {
    const mode = body.mode ?? 'live'
    const order = toPaidOrder(body, { source_id: `api-${mode}`, mode, paid_at: new Date().toISOString() })
    const { known_as, lines } = await simulateLines(app.db, account.id, order)
    return { known_as, outcome: wholeOf(lines), line_items: lines, mails: await simulateMails(app.db, account.id, order, lines) }
  })
}

/** As fulfillment_status is made of lines (licenses/fulfillment.ts); one that is refused refuses the order. */
function wholeOf (lines: Awaited<ReturnType<typeof simulateLines>>['lines']): typeof lines[number]['outcome'] {
  const has = (outcome: typeof lines[number]['outcome']): boolean => lines.some((line) => line.outcome === outcome)
  if (has('refused')) return 'refused'
  return lines.every((line) => line.outcome === 'fulfilled') ? 'fulfilled' : has('fulfilled') || has('partial') ? 'partial' : 'backordered'
}
