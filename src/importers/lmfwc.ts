import { csvEntries, type CsvFormat } from './csv-entries.js'
import { hasPassed, namesOrder, readMoment, type Fate, type Importer, type Standing } from './importer.js'
import { jsonEntries } from './json-entries.js'
import { peek } from './peek.js'

const SYSTEM = 'License Manager for WooCommerce'

/** Its numbers (in the REST API) and labels (in the CSV) of a status. `active` is for sale, unless it names an order. */
const STATUSES: Record<string, string> = { 1: 'sold', 2: 'delivered', 3: 'active', 4: 'inactive', 5: 'disabled' }
const FATES: Record<string, Fate> = { sold: 'sold', delivered: 'sold', active: 'unsold', inactive: 'ended', disabled: 'ended' }

function classify (status: unknown, order: unknown, expiry: unknown, now: Date): Standing {
  const expires_at = readMoment(expiry)
  const text = String(status ?? '').trim().toLowerCase()
  const word = STATUSES[text] ?? text
  const fate = FATES[word] ?? 'unknown'
  if (fate !== 'unsold') return { status: word, fate, expires_at }
  if (namesOrder(order)) return { status: `${word} with an order`, fate: 'sold', expires_at }
  return hasPassed(expires_at, now) ? { status: `${word}, expired`, fate: 'ended' } : { status: word, fate, expires_at }
}

const csvFormat = (now: Date): CsvFormat => ({
  system: SYSTEM,
  key: ['license_key'],
  others: { serial_key: 'wcsn' },
  needs: ['status', 'order_id'],
  classify: (row) => classify(row.get('status'), row.get('order_id'), row.get('expires_at'), now),
})

/** License Manager for WooCommerce: the CSV of its export, or the JSON of `GET /wp-json/lmfwc/v2/licenses`. */
export const readLmfwc: Importer = async function * (bytes, now) {
  const { isJson, whole } = await peek(bytes)
  if (!isJson) return yield * csvEntries(whole, csvFormat(now))
  yield * jsonEntries(whole, SYSTEM, (item) => 'licenseKey' in item
    ? { key: item['licenseKey'], ...classify(item['status'], item['orderId'], item['expiresAt'], now) }
    : undefined)
}
