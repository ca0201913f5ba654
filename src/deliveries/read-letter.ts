import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import type { Letter, MailedLicense, MailedProduct, WrapperTexts } from '../mailer/render.js'
import { linkWith, type LinkMaker } from '../order-page/link.js'
import { open, type Keyring } from '../sealing.js'
import { together } from '../words/read-sale.js'
import { inWords } from '../words/read-words.js'
import type { ClaimedDelivery } from './claim.js'
import { senderOf, type AccountSender, type StoredSender } from './sender.js'

interface Stored { account_id: string, id: string, pool_id: string, sealed: Buffer, expires_at: Date | null }

/** Licenses as they are stored, by account and id. */
async function storedLicenses (db: Reader, wanted: ReadonlyArray<{ account_id: string, license_ids: readonly string[] }>): Promise<Map<string, Stored>> {
  const ids = wanted.flatMap(({ account_id, license_ids }) => license_ids.map((id) => ({ account_id, id })))
  if (ids.length === 0) return new Map()
  const { rows } = await sql<Stored>`
    select l.account_id, l.id, l.pool_id, l.sealed, l.expires_at
    from unnest(${ids.map(({ account_id }) => account_id)}::text[], ${ids.map(({ id }) => id)}::text[]) as w (account_id, id)
    join licenses l on l.account_id = w.account_id and l.id = w.id`.execute(db)
  return new Map(rows.map((license) => [`${license.account_id} ${license.id}`, license]))
}

/** In clear, in the order that they are named. */
function opened (keyring: Keyring, stored: ReadonlyMap<string, Stored>, account_id: string, license_ids: readonly string[]): MailedLicense[] {
  return license_ids.map((id) => {
    const license = stored.get(`${account_id} ${id}`)
    if (license === undefined) throw new Error(`license ${id} is missing`)
    return { key: open(keyring, [account_id, license.pool_id, id], license.sealed).toString('utf8'), expires_at: license.expires_at }
  })
}

/** The licenses of a delivery in clear, in its order. Their keys go into the mail and nowhere else. */
export async function openLicenses (db: Reader, keyring: Keyring, account_id: string, license_ids: readonly string[]): Promise<MailedLicense[]> {
  return opened(keyring, await storedLicenses(db, [{ account_id, license_ids }]), account_id, license_ids)
}

/** What a mail is written from beside its licenses, as one statement reads it for many. */
interface Ground extends StoredSender {
  id: string
  vendor: string
  external_id: string
  currency: string
  locale: string | null
  customer: Record<string, unknown>
  lines: Array<{ quantity: number, unit_amount: string | null }>
  product: Omit<MailedProduct, 'id'>
  wrapper: WrapperTexts | null
  generation: number
  days: number | null
}

async function readGrounds (db: Reader, claimed: readonly ClaimedDelivery[]): Promise<Map<string, Ground>> {
  const wanted = claimed.map(({ account_id, id, order_id, product_id, words_version, wrapper_version }) =>
    ({ account_id, id, order_id, product_id, words_version, wrapper_version }))
  const { rows } = await sql<Ground>`
    select d.id, a.name as vendor, o.external_id, o.currency, o.locale, o.customer, o.page_generation as generation, p.days,
      w.words as product, x.texts as wrapper,
      array(select jsonb_build_object('quantity', l.quantity, 'unit_amount', l.unit_amount::text) from line_items l
        where l.account_id = d.account_id and l.order_id = d.order_id and l.product_id = d.product_id) as lines,
      s.from_name, s.from_address, s.reply_to, s.bcc, s.dkim_domain, s.dkim_selector, s.dkim_sealed_key
    from json_to_recordset(${JSON.stringify(wanted)}::json)
      as d (account_id text, id text, order_id text, product_id text, words_version integer, wrapper_version integer)
    join orders o on o.account_id = d.account_id and o.id = d.order_id
    join accounts a on a.id = d.account_id
    join mail_words w on w.account_id = d.account_id and w.product_id = d.product_id and w.version = d.words_version
    left join mail_wrappers x on x.account_id = d.account_id and x.version = d.wrapper_version
    left join order_page_settings p on p.account_id = d.account_id
    left join mail_settings s on s.account_id = d.account_id`.execute(db)
  return new Map(rows.map((ground) => [ground.id, ground]))
}

/** A letter, and who it comes from. */
export interface ReadLetter { letter: Letter, from: AccountSender }

/**
 * All that mails are written from: the words as they were when each was first tried. Two statements for any number. What cannot be read of one is its
 * own error, and concerns no other.
 */
export async function readLetters (db: Reader, maker: LinkMaker, claimed: readonly ClaimedDelivery[]): Promise<Array<ReadLetter | Error>> {
  const grounds = await readGrounds(db, claimed)
  const stored = await storedLicenses(db, claimed.map(({ account_id, license_ids, parent_license_ids }) =>
    ({ account_id, license_ids: [...license_ids, ...parent_license_ids] })))
  return claimed.map((delivery) => {
    try {
      const ground = grounds.get(delivery.id)
      if (ground === undefined) throw new Error(`the order or the words of ${delivery.id} are missing`)
      return { letter: letterOf(maker, delivery, ground, stored), from: senderOf(maker.keyring, delivery.account_id, ground) }
    } catch (error) {
      return error as Error
    }
  })
}

function letterOf (maker: LinkMaker, claimed: ClaimedDelivery, ground: Ground, stored: ReadonlyMap<string, Stored>): Letter {
  const { account_id, order_id, product_id, words } = claimed
  const product = { id: product_id, ...ground.product }
  const { external_id, currency, locale, customer, generation, days } = ground
  return {
    sender: ground.vendor,
    order: { external_id, currency, locale, customer },
    ...together(ground.lines.map(({ quantity, unit_amount }) => ({ quantity, unit_amount: unit_amount === null ? null : BigInt(unit_amount) }))),
    product: words === null ? product : inWords(product, words),
    wrapper: ground.wrapper ?? {},
    licenses: opened(maker.keyring, stored, account_id, claimed.license_ids),
    parent_keys: opened(maker.keyring, stored, account_id, claimed.parent_license_ids).map((license) => license.key),
    // of this mail, also where it says again what an earlier one said: that one's link may be over
    order_page_url: linkWith(maker, { account_id, order_id, since: claimed.created_at, generation, days }).url,
    now: claimed.worded_at,
  }
}
