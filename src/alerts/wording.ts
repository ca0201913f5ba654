import type { Kind } from './kinds.js'

interface Told { kind: Kind, subject_id: string, step: number, data: Readonly<Record<string, unknown>> }

/** What to do about it, for who reads the mail. */
export const WHAT_TO_DO: Readonly<Record<Kind, string>> = {
  'pool.empty': 'load licenses with POST /v1/pools/{id}/licenses; what the next order gets until then is decided by the on_shortage of the pool',
  'pool.backordered': 'load licenses: the lines that wait are served at once, in the order they came',
  'pool.low': 'load licenses, or change low_stock_threshold with PUT /v1/pools/{id}',
  'pool.low_percent': 'load licenses, or change low_stock_percents with PUT /v1/pools/{id}',
  'pool.low_days': 'load licenses, or change low_stock_days with PUT /v1/pools/{id}',
  'order.unfulfilled': 'load licenses and replay the payment event of the order, or refund it',
  'delivery.failed': 'ask the customer for another address, then send it again with POST /v1/orders/{id}/resend',
  'batch.expiring': 'sell or withdraw the licenses in time, and load others',
}

const NAME_MAX = 80

const plural = (count: unknown, word: string): string => `${String(count)} ${word}${count === 1 ? '' : 's'}`

/** The pool, by the name that its vendor gave it. */
function poolOf ({ data: { name, mode } }: Told): string {
  return `Pool "${String(name).slice(0, NAME_MAX)}"${mode === 'test' ? ' (for tests)' : ''}`
}

const moment = (text: unknown): string => `${String(text).slice(0, 16).replace('T', ' ')} UTC`

const SENTENCES: Readonly<Record<Kind, (alert: Told) => string>> = {
  'pool.empty': (alert) => `${poolOf(alert)} has no license left.`,
  'pool.backordered': (alert) => `${poolOf(alert)}: ${plural(alert.data['lines'], 'paid order line')} ${alert.data['lines'] === 1 ? 'waits' : 'wait'} for ` +
    `${plural(alert.data['licenses'], 'license')}, since ${moment(alert.data['since'])}.`,
  'pool.low': (alert) => `${poolOf(alert)} has ${plural(alert.data['available'], 'license')} left, fewer than ${String(alert.data['threshold'])}.`,
  'pool.low_percent': (alert) => `${poolOf(alert)} has ${plural(alert.data['available'], 'license')} left, ${alert.step} % or less of the ` +
    `${String(alert.data['stocked'])} that there were after the last load.`,
  'pool.low_days': (alert) => `${poolOf(alert)} has ${plural(alert.data['available'], 'license')} left: enough for ${String(alert.data['cover_days'])} days at ` +
    `${String(alert.data['per_day'])} a day, fewer than ${plural(alert.data['days'], 'day')}.`,
  'order.unfulfilled': (alert) => `Order ${String(alert.data['order_external_id'])} is paid and ${plural(alert.data['lines'], 'line')} of it got nothing, as the pool was short.`,
  'delivery.failed': (alert) => `The mail with the licenses of order ${String(alert.data['order_external_id'])} did not arrive: it ` +
    `${alert.data['status'] === 'bounced' ? 'came back' : 'could not be sent'} (${alert.subject_id}).`,
  'batch.expiring': (alert) => `${poolOf(alert)}: ${plural(alert.data['licenses'], 'unsold license')} of batch ${alert.subject_id} expire within ` +
    `${plural(alert.data['days'], 'day')}, the first at ${moment(alert.data['first_expires_at'])}.`,
}

/** What happened, with its numbers, in one sentence. */
export function sentenceOf (alert: Told): string {
  return SENTENCES[alert.kind](alert)
}
