import type { Reader } from '../database/connect.js'
import type { Letter, MailedLicense, MailedProduct } from '../mailer/render.js'
import { open, type Keyring } from '../sealing.js'
import type { ClaimedDelivery } from './claim.js'

/** The licenses of a delivery in clear, in its order. Their keys go into the mail and nowhere else. */
async function openLicenses (db: Reader, keyring: Keyring, account_id: string, license_ids: readonly string[]): Promise<MailedLicense[]> {
  if (license_ids.length === 0) return []
  const licenses = await db.selectFrom('licenses').select(['id', 'pool_id', 'sealed'])
    .where('account_id', '=', account_id).where('id', 'in', license_ids).execute()
  const keys = new Map(licenses.map(({ id, pool_id, sealed }) => [id, open(keyring, [account_id, pool_id, id], sealed).toString('utf8')]))
  return license_ids.map((id) => {
    const key = keys.get(id)
    if (key === undefined) throw new Error(`license ${id} is missing`)
    return { key, expires_at: null }
  })
}

/** The product with the words of this mail in place of its own, in every language; the names that it has in each stay. */
function inWordsOf ({ words }: ClaimedDelivery, product: MailedProduct): MailedProduct {
  if (words === null) return product
  const names = Object.entries(product.locales).flatMap(([locale, { name }]) => name === undefined ? [] : [[locale, { name }]])
  return { ...product, mail_template: words, locales: Object.fromEntries(names) }
}

/** All that a mail is written from. */
export async function readLetter (db: Reader, keyring: Keyring, claimed: ClaimedDelivery): Promise<Letter> {
  const { account_id, order_id, product_id } = claimed
  const order = await db.selectFrom('orders').innerJoin('accounts', 'accounts.id', 'orders.account_id')
    .select(['accounts.name as sender', 'orders.external_id', 'orders.currency', 'orders.locale', 'orders.customer'])
    .where('orders.account_id', '=', account_id).where('orders.id', '=', order_id).executeTakeFirstOrThrow()
  const product = await db.selectFrom('products').select(['id', 'name', 'mail_template', 'locales'])
    .where('account_id', '=', account_id).where('id', '=', product_id).executeTakeFirstOrThrow()
  const lines = await db.selectFrom('line_items').select(['quantity', 'unit_amount'])
    .where('account_id', '=', account_id).where('order_id', '=', order_id).where('product_id', '=', product_id).execute()
  const amounts = lines.map(({ unit_amount }) => unit_amount === null ? null : BigInt(unit_amount))
  const [first = null] = amounts
  return {
    sender: order.sender,
    product: inWordsOf(claimed, product as unknown as MailedProduct),
    order: { ...order, customer: order.customer as Record<string, unknown> },
    quantity: lines.reduce((sum, line) => sum + line.quantity, 0),
    unit_amount: amounts.every((amount) => amount === first) ? first : null,
    total_amount: amounts.reduce<bigint | null>((sum, amount, i) =>
      sum === null || amount === null ? null : sum + amount * BigInt(lines[i]?.quantity ?? 0), 0n),
    licenses: await openLicenses(db, keyring, account_id, claimed.license_ids),
    parent_keys: (await openLicenses(db, keyring, account_id, claimed.parent_license_ids)).map((license) => license.key),
    order_page_url: null,
    now: new Date(),
  }
}
