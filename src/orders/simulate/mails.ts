import type { Reader } from '../../database/connect.js'
import { findWrapper } from '../../words/find-wrapper.js'
import { previewOf, type Preview } from '../../words/preview.js'
import { readSpoken } from '../../words/read-preview.js'
import { together } from '../../words/read-sale.js'
import { sampleLicenses, sampleRest } from '../../words/sample-sale.js'
import type { PaidOrder } from '../paid-order.js'
import type { SimulatedLine } from './lines.js'

/** Enough to see what a mail looks like; bounds what writing up to a hundred of them costs. */
const LICENSES_SHOWN_MAX = 100

/** A mail of an order that was not placed. `licenses`: how many keys it would have. */
export type SimulatedMail = Preview & { product_id: string, is_sent_at_once: boolean, licenses: number }

/** The mails of a simulated order, one per product, with made-up keys; none where the order would be refused. */
export async function simulateMails (db: Reader, account_id: string, order: PaidOrder, lines: readonly SimulatedLine[]): Promise<SimulatedMail[]> {
  if (lines.some((line) => line.outcome === 'refused')) return []
  const { texts } = await findWrapper(db, account_id)
  const now = new Date()
  const mails: SimulatedMail[] = []
  for (const product_id of new Set(lines.map((line) => line.product_id))) {
    const own = lines.filter((line) => line.product_id === product_id)
    const { sender, product, needs_key } = await readSpoken(db, { account_id, product_id })
    const given = own.reduce((sum, line) => sum + line.kept + (line.outcome === 'backordered' ? 0 : line.available), 0)
    const owed = own.reduce((sum, line) => sum + line.kept + line.slots, 0)
    const licenses = given > 0 ? given : owed
    const prices = order.line_items.filter((_, i) => lines[i]?.product_id === product_id)
      .map(({ quantity, unit_amount }) => ({ quantity, unit_amount: unit_amount === null ? null : BigInt(unit_amount) }))
    const letter = {
      ...sampleRest(now),
      ...together(prices),
      sender,
      product,
      wrapper: texts,
      order: { external_id: order.external_id, currency: order.currency, locale: order.locale, customer: { ...order.customer } },
      licenses: sampleLicenses(Math.min(licenses, LICENSES_SHOWN_MAX), now),
    }
    mails.push({ product_id, is_sent_at_once: given > 0 || !needs_key, licenses, ...previewOf(letter, needs_key) })
  }
  return mails
}
