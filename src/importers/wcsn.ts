import { csvEntries, type CsvFormat } from './csv-entries.js'
import { hasPassed, namesOrder, readMoment, type Fate, type Importer } from './importer.js'

/** `pending` is promised to an order that is not paid yet: it may be, a moment after the export. */
const FATES: Record<string, Fate> = {
  available: 'unsold', pending: 'sold', sold: 'sold', active: 'sold', expired: 'ended', cancelled: 'ended', refunded: 'ended', failed: 'ended', revoked: 'ended', inactive: 'ended', rejected: 'ended',
}

const csvFormat = (now: Date): CsvFormat => ({
  system: 'WooCommerce Serial Numbers',
  key: ['serial_key', 'serial_number'],
  others: { license_key: 'lmfwc' },
  needs: ['status', 'order_id'],
  classify (row) {
    const status = (row.get('status') ?? '').trim().toLowerCase()
    const fate = FATES[status] ?? 'unknown'
    const expires_at = readMoment(row.get('expire_date'))
    if (fate !== 'unsold') return { status, fate, expires_at }
    if (namesOrder(row.get('order_id'))) return { status: `${status} with an order`, fate: 'sold', expires_at }
    return hasPassed(expires_at, now) ? { status: `${status}, expired`, fate: 'ended' } : { status, fate, expires_at }
  },
})

/** WooCommerce Serial Numbers: the CSV of its export. */
export const readWcsn: Importer = (bytes, now) => csvEntries(bytes, csvFormat(now))
