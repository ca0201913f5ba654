/** What can be alerted, in the order in which a mail tells it. */
export const KINDS = [
  'pool.empty', 'pool.backordered', 'pool.low', 'pool.low_percent', 'pool.low_days', 'order.unfulfilled', 'delivery.failed', 'batch.expiring',
] as const
export type Kind = typeof KINDS[number]

/**
 * What the audit trail, and who is told by webhook, hears when one is raised: however a pool is low, it is `pool.low`. A failed delivery has been
 * recorded as such when it failed.
 */
export const EVENT_OF: Readonly<Record<Kind, string | null>> = {
  'pool.empty': 'pool.empty',
  'pool.backordered': 'pool.backordered',
  'pool.low': 'pool.low',
  'pool.low_percent': 'pool.low',
  'pool.low_days': 'pool.low',
  'order.unfulfilled': 'order.unfulfilled',
  'delivery.failed': null,
  'batch.expiring': 'batch.expiring',
}
