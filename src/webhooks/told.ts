/** What a webhook of type change may hear of the vendor's own objects, by their class. The database plans these messages (migrations/0023). */
export const TOLD = {
  order: [
    'order.created', 'order.paid', 'order.fulfilled', 'order.backordered', 'order.unfulfilled', 'order.partially_refunded', 'order.refunded', 'order.cancelled',
    'order.disputed', 'order.charged_back', 'order.restored',
  ],
  license: ['license.delivered', 'license.returned', 'license.revoked', 'license.replaced', 'license.reinstated'],
  pool: ['pool.low', 'pool.empty', 'pool.backordered', 'pool.expiring'],
  delivery: ['delivery.sent', 'delivery.failed', 'delivery.bounced'],
} as const satisfies Record<string, readonly string[]>

/**
 * What a webhook of type noventiq may hear. Noventiq's own `order.payment.failed` and `subscription.…` are not among them: an order is here once it is
 * paid, and nothing is known of subscriptions that end.
 */
export const NOVENTIQ_EVENTS = ['order.created', 'order.payment.succeeded', 'product.delivered', 'product.returned'] as const
export type NoventiqEvent = typeof NOVENTIQ_EVENTS[number]

/** The events that a webhook of this type and class can choose from; none: it hears of everything. */
export function choiceOf (type: string, object_class: string): readonly string[] {
  if (type === 'noventiq') return NOVENTIQ_EVENTS
  return type === 'change' && object_class in TOLD ? TOLD[object_class as keyof typeof TOLD] : []
}
