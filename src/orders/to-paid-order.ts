import type { Static } from 'typebox'
import { isPlainAddress } from '../mailer/address.js'
import { Problem } from '../problems.js'
import type { PaidOrder } from './paid-order.js'
import type { SignedOrder } from './schema.js'

/**
 * The engine's shape of an order that has the API's shape: defaults filled in, and what a schema cannot say checked.
 *
 * @throws Problem validation-failed  naming the field
 */
export function toPaidOrder (body: Static<typeof SignedOrder>, { source_id, mode, paid_at }: Pick<PaidOrder, 'source_id' | 'mode' | 'paid_at'>): PaidOrder {
  if (!isPlainAddress(body.customer.email)) throw fault('customer.email', 'is not exactly one mail address, written as local@domain')
  const line_items = body.line_items.map(({ external_id, product, quantity, unit_amount }, index) =>
    ({ external_id: external_id ?? String(index + 1), product, quantity, unit_amount: unit_amount ?? null }))
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
    customer: { email, first_name, last_name, company, phone, country, city, zip, address },
    paid_at: body.paid_at ?? paid_at,
    line_items,
  }
}

function fault (field: string, what: string): Problem {
  return new Problem('validation-failed', { detail: `${field}: ${what}`, errors: [`${field}: ${what}`] })
}
