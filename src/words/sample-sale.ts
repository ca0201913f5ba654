import type { Letter, MailedLicense } from '../mailer/render.js'
import type { Sale } from './read-sale.js'
import { together } from './read-sale.js'

const YEAR_MS = 365 * 86_400_000

/** A customer who never was, with all that an order can say of one. */
const CUSTOMER = {
  email: 'ada@example.com',
  first_name: 'Ada',
  last_name: 'Lovelace',
  company: 'Analytical Engines Ltd',
  phone: '+44 20 7946 0000',
  country: 'GB',
  city: 'London',
  zip: 'EC1A 1BB',
  address: '12 Example Street',
  additional_info: 'The answer to the checkout\'s own question',
}

/** A purchase that never was. */
export function sampleSale (sender: string, locale: string | null, quantity: number): Sale {
  return { sender, order: { external_id: 'A-1001', currency: 'EUR', locale, customer: CUSTOMER }, ...together([{ quantity, unit_amount: 4900n }]) }
}

/** Keys that open nothing. */
export function sampleLicenses (count: number, now: Date): MailedLicense[] {
  return Array.from({ length: count }, (_, i) => ({ key: `SAMPLE-${String(i + 1).padStart(5, '0')}-XXXX-XXXX`, expires_at: new Date(now.getTime() + YEAR_MS) }))
}

/** What a mail has beside a sale and its licenses, where nobody gets it: a link that opens no page, and the keys that a renewal had before. */
export function sampleRest (now: Date): Pick<Letter, 'order_page_url' | 'parent_keys' | 'now'> {
  return { order_page_url: 'https://example.com/order#sample', parent_keys: ['SAMPLE-BEFORE-XXXX-XXXX'], now }
}
