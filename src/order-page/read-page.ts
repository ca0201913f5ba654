import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { spokenLines } from '../deliveries/spoken-lines.js'
import { maskKey } from '../licenses/mask.js'
import { localized } from '../mailer/render.js'
import type { ORDER_PAGES } from '../products/schema.js'
import { open, type Keyring } from '../sealing.js'
import { showsLicenses, type OpenedPage } from './open-page.js'
import type { LINE_STATES } from './schema.js'

/** Of a whole page, so that no order makes reading it slow; a reveal of a line gives all of the line. */
const LICENSES_MAX = 1000

const NO_WORDS = { subject: '', text: '' } // of a product only its name is told here

interface PageLicense { id: string, masked: string, key: string | null, shown_at: Date | null }

interface Line {
  id: string
  name: string
  locales: Parameters<typeof localized>[0]['locales']
  display: typeof ORDER_PAGES[number]
  quantity: number
  is_mail: boolean
  waiting: number
  license_count: number
}

/** Units that are over do not count; `is_mail`: what its product hands over is only a mail. */
async function linesOf (db: Reader, { account_id, order_id }: OpenedPage): Promise<Line[]> {
  const { rows } = await sql<Line>`
    select l.id, p.name, p.locales, p.order_page as display, l.quantity - l.ended_units as quantity, l.pool_id = '' as is_mail, coalesce(b.missing, 0) as waiting, (
      select count(*)::int from ${spokenLines(account_id, order_id)} s join allocations a on a.account_id = ${account_id} and a.line_item_id = s.holder_id and a.ended_as is null
      where s.id = l.id) as license_count
    from line_items l join products p on p.account_id = l.account_id and p.id = l.product_id
    left join backorders b on b.account_id = l.account_id and b.line_item_id = l.id
    where l.account_id = ${account_id} and l.order_id = ${order_id} order by length(l.id), l.id`.execute(db)
  return rows
}

/** The licenses that the page lists, by line. A key is in clear only where it is shown at once and that was written down before. */
async function licensesOf (db: Reader, keyring: Keyring, { account_id, order_id }: OpenedPage): Promise<Map<string, PageLicense[]>> {
  const { rows } = await sql<{ line_item_id: string, id: string, pool_id: string, sealed: Buffer, is_shown: boolean, shown_at: Date | null }>`
    select s.id as line_item_id, l.id, l.pool_id, l.sealed, p.order_page = 'show' as is_shown, (
      select min(g.seen_at) from license_sightings g
      where g.account_id = a.account_id and g.license_id = a.license_id and g.how = 'order_page' and g.seen_at >= a.allocated_at) as shown_at
    from ${spokenLines(account_id, order_id)} s join products p on p.account_id = ${account_id} and p.id = s.product_id and p.order_page <> 'none'
    join allocations a on a.account_id = ${account_id} and a.line_item_id = s.holder_id and a.ended_as is null
    join licenses l on l.account_id = a.account_id and l.id = a.license_id
    order by length(s.id), s.id, s.holder_id = s.id, length(s.holder_id), s.holder_id, a.unit limit ${LICENSES_MAX}`.execute(db)
  const licensesOf = new Map<string, PageLicense[]>()
  for (const { line_item_id, id, pool_id, sealed, is_shown, shown_at } of rows) {
    const key = open(keyring, [account_id, pool_id, id], sealed)
    const licenses = licensesOf.get(line_item_id) ?? []
    licenses.push({ id, masked: maskKey(key), key: is_shown && shown_at !== null ? key.toString() : null, shown_at })
    licensesOf.set(line_item_id, licenses)
  }
  return licensesOf
}

function stateOf ({ display, quantity, is_mail, waiting, license_count }: Line): typeof LINE_STATES[number] {
  if (quantity === 0) return 'ended'
  if (waiting > 0) return license_count > 0 ? 'partial' : 'waiting'
  if (is_mail) return 'mailed'
  if (license_count === 0) return 'unavailable'
  return display === 'none' ? 'mailed' : 'ready'
}

/** The page of an order as its customer sees it. An order that was refunded, cancelled or disputed has no lines. */
export async function readPage (db: Reader, keyring: Keyring, page: OpenedPage) {
  const { external_id, status, locale, paid_at, seller, expires_at } = page
  const is_open = showsLicenses(page)
  const lines = is_open ? await linesOf(db, page) : []
  const licenses = is_open ? await licensesOf(db, keyring, page) : new Map<string, PageLicense[]>()
  return {
    external_id,
    status,
    is_withheld: !is_open,
    locale,
    paid_at,
    seller,
    expires_at,
    line_items: lines.map((line) => {
      const { id, display, quantity, waiting, license_count } = line
      const { name } = localized({ ...line, mail_template: NO_WORDS }, locale)
      return { id, product: name, display, state: stateOf(line), quantity, waiting, license_count, licenses: licenses.get(id) ?? [] }
    }),
  }
}

/** The licenses that a page shows at once though that is not written down yet. */
export function unshown ({ line_items }: Awaited<ReturnType<typeof readPage>>): string[] {
  return line_items.filter((line) => line.display === 'show').flatMap((line) => line.licenses).filter((license) => license.shown_at === null).map((license) => license.id)
}
