import type { Static } from 'typebox'
import { isPlainAddress } from '../mailer/address.js'
import { Problem } from '../problems.js'
import type { Licensee, PaidOrder } from './paid-order.js'
import type { SignedOrder } from './schema.js'

/**
 * The engine's shape of an order that has the API's shape: defaults filled in, and what a schema cannot say checked.
 *
 * @throws Problem validation-failed  naming the field
 */
export function toPaidOrder (body: Static<typeof SignedOrder>, { source_id, mode, paid_at }: Pick<PaidOrder, 'source_id' | 'mode' | 'paid_at'>): PaidOrder {
  if (!isPlainAddress(body.customer.email)) throw fault('customer.email', 'is not exactly one mail address, written as local@domain')
  const line_items = body.line_items.map(({ external_id, product, quantity, unit_amount, period }, index) =>
    ({ external_id: external_id ?? String(index + 1), product, quantity, unit_amount: unit_amount ?? null, ...(period === undefined ? {} : { period }) }))
  const ids = new Set<string>()
  for (const [index, { external_id }] of line_items.entries()) {
    if (ids.has(external_id)) throw fault(`line_items.${index}.external_id`, `"${external_id}" is on another line of the order too`)
    ids.add(external_id)
  }
  const { email, first_name, last_name, company, phone, country, city, zip, address } = body.customer
  return {
    source_id,
    external_id: body.external_id,
    mode,
    currency: body.currency,
    locale: body.locale ?? null,
    customer: {
      email, first_name, last_name, company, phone, country, city, zip, address, licensee: licenseeOf(body.licensee), additional_info: body.additional_info,
    },
    paid_at: body.paid_at === undefined ? paid_at : readMoment('paid_at', body.paid_at),
    line_items,
    total_amount: body.total_amount,
    hold_id: body.hold_id,
    parent: body.parent,
  }
}

/** Only what is known, so that nothing else is stored. */
function licenseeOf (given: Licensee | undefined): Licensee | undefined {
  if (given === undefined) return undefined
  const { name, email, phone, company } = given
  return { name, email, phone, company }
}

const YEAR_10000_MS = Date.UTC(10_000) // ISO 8601 writes it with a sign, which PostgreSQL does not read

/**
 * A moment that a client wrote, in UTC. RFC 3339 has more of them than PostgreSQL takes: the year 0, offsets past 16 hours.
 *
 * @throws Problem validation-failed  naming the field
 */
export function readMoment (field: string, text: string): string {
  const moment = new Date(text)
  if (!(moment.getTime() >= 0 && moment.getTime() < YEAR_10000_MS)) throw fault(field, 'must be a moment since 1970, written as 2026-01-31T10:15:00Z')
  return moment.toISOString()
}

function fault (field: string, what: string): Problem {
  return new Problem('validation-failed', { detail: `${field}: ${what}`, errors: [`${field}: ${what}`] })
}
