import { sql, type Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database, Reader } from '../database/connect.js'
import { spokenLines } from '../deliveries/spoken-lines.js'
import { maskKey } from '../licenses/mask.js'
import { openKeys } from '../licenses/open-keys.js'
import { revealLicenses } from '../licenses/reveal.js'
import type { Letter, MailedLicense, MailedProduct } from '../mailer/render.js'
import { invalid, Problem } from '../problems.js'
import type { ProductKey } from '../products/find.js'
import type { Keyring } from '../sealing.js'
import { findWrapper } from './find-wrapper.js'
import { readSale } from './read-sale.js'
import { inWords, readWords } from './read-words.js'
import { sampleLicenses, sampleRest, sampleSale } from './sample-sale.js'
import type { NewPreview } from './schema.js'

type Asked = Static<typeof NewPreview>

/** A product as its mails say it now. `needs_key`: they hand over licenses; else all that is handed over is what its information says. */
export async function readSpoken (db: Reader, { account_id, product_id }: ProductKey): Promise<{ sender: string, product: MailedProduct, needs_key: boolean }> {
  const { version, sender, is_informational, information } = await db.selectFrom('products').innerJoin('accounts', 'accounts.id', 'products.account_id')
    .innerJoin('product_refs', (join) => join.onRef('product_refs.account_id', '=', 'products.account_id').onRef('product_refs.ref', '=', 'products.id'))
    .select(['products.words_version as version', 'accounts.name as sender', 'product_refs.is_informational'])
    .select(sql<{ subject: string, text: string } | null>`(
      select settings from product_supplies s where s.account_id = products.account_id and s.product_id = products.id and s.type = 'information' order by s.step limit 1)`.as('information'))
    .where('products.account_id', '=', account_id).where('products.id', '=', product_id).executeTakeFirstOrThrow()
  const product = await readWords(db, { account_id, product_id, version })
  if (!is_informational || information === null) return { sender, product, needs_key: true }
  return { sender, product: inWords(product, { subject: information.subject, text: information.text }), needs_key: false }
}

/**
 * What a preview is written from: an order's data, its keys masked, or made-up data. With `reveal` `db` is a transaction of the caller's, and the keys are in
 * clear: who asked is recorded, and they count as seen. What customers of a renewal had before stays masked.
 *
 * @throws Problem order-not-found
 * @throws Problem validation-failed  the order has no line of the product
 */
export async function readPreview (
  db: Reader, keyring: Keyring, key: ProductKey, asked: Asked, reveal?: { trx: Transaction<Database>, actor: string }
): Promise<{ letter: Letter, needs_key: boolean }> {
  const { sender, product: own, needs_key } = await readSpoken(db, key)
  const now = new Date()
  const rest = {
    ...sampleRest(now),
    product: asked.mail_template === undefined ? own : inWords(own, asked.mail_template),
    wrapper: (await findWrapper(db, key.account_id)).texts,
  }
  if (asked.order_id === undefined) {
    const { locale = null, quantity = 1 } = asked
    return { letter: { ...rest, ...sampleSale(sender, locale, quantity), licenses: needs_key ? sampleLicenses(quantity, now) : [] }, needs_key }
  }
  const about = { ...key, order_id: asked.order_id }
  await assertSold(db, about)
  const { order, ...sale } = await readSale(db, about)
  const licenses = reveal === undefined
    ? await maskedLicenses(db, keyring, about)
    : await revealedLicenses(reveal.trx, keyring, { ...about, actor: reveal.actor })
  const letter = { ...rest, ...sale, order: { ...order, locale: asked.locale ?? order.locale }, licenses, parent_keys: await maskedParents(db, keyring, about) }
  return { letter, needs_key }
}

type About = ProductKey & { order_id: string }

async function assertSold (db: Reader, { account_id, product_id, order_id }: About): Promise<void> {
  const order = await db.selectFrom('orders').select(['id', sql<boolean>`exists (
    select from line_items l where l.account_id = orders.account_id and l.order_id = orders.id and l.product_id = ${product_id})`.as('is_sold')])
    .where('account_id', '=', account_id).where('id', '=', order_id).executeTakeFirst()
  if (order === undefined) throw new Problem('order-not-found')
  if (!order.is_sold) throw invalid('order_id: the order has no line of this product')
}

interface Held { license_id: string, line_item_id: string, unit: number, expires_at: Date | null }

/** What the mails of the order say for the product: what it holds now, in their order. */
const heldBy = ({ account_id, product_id, order_id }: About) => sql`
  ${spokenLines(account_id, order_id)} l join allocations a on a.account_id = ${account_id} and a.line_item_id = l.holder_id and a.ended_as is null
  where l.product_id = ${product_id}`

async function heldLicenses (db: Reader, about: About): Promise<Held[]> {
  const { rows } = await sql<Held>`
    select h.*, (select expires_at from licenses x where x.account_id = ${about.account_id} and x.id = h.license_id) as expires_at
    from (select a.license_id, a.unit, l.id as line_item_id, l.holder_id from ${heldBy(about)}) h
    order by length(h.line_item_id), h.line_item_id, h.line_item_id = h.holder_id, length(h.holder_id), h.holder_id, h.unit`.execute(db)
  return rows
}

async function maskedLicenses (db: Reader, keyring: Keyring, about: About): Promise<MailedLicense[]> {
  const held = await heldLicenses(db, about)
  const keys = await openKeys(db, keyring, about.account_id, held.map((license) => license.license_id))
  return held.map(({ license_id, expires_at }) => ({ key: masked(keys.get(license_id)), expires_at }))
}

/** Locks the allocations before it looks, as whatever ends one does: a license that went back to stock meanwhile is not shown. */
async function revealedLicenses (trx: Transaction<Database>, keyring: Keyring, { actor, ...about }: About & { actor: string }): Promise<MailedLicense[]> {
  await sql`select a.license_id from ${heldBy(about)} order by a.license_id for no key update of a`.execute(trx)
  const held = await heldLicenses(trx, about)
  const keys = await revealLicenses(trx, keyring, {
    account_id: about.account_id, order_id: about.order_id, license_ids: held.map((license) => license.license_id), actor,
  })
  return held.map(({ license_id, expires_at }) => ({ key: keys.get(license_id) ?? '', expires_at }))
}

async function maskedParents (db: Reader, keyring: Keyring, { account_id, product_id, order_id }: About): Promise<string[]> {
  const { rows } = await sql<{ license_id: string }>`
    select a.license_id from renewals r
    join allocations a on a.account_id = r.account_id and a.line_item_id = any(r.parent_license_line_ids) and a.ended_as is null
    where r.account_id = ${account_id} and r.order_id = ${order_id} and r.product_id = ${product_id}
    order by length(a.line_item_id), a.line_item_id, a.unit`.execute(db)
  const keys = await openKeys(db, keyring, account_id, rows.map((license) => license.license_id))
  return rows.map(({ license_id }) => masked(keys.get(license_id)))
}

const masked = (key = ''): string => maskKey(Buffer.from(key))
