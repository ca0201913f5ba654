import type { Reader } from '../database/connect.js'
import type { Letter, MailedLicense, MailedProduct } from '../mailer/render.js'
import { orderPageLink, type LinkMaker } from '../order-page/link.js'
import { open, type Keyring } from '../sealing.js'
import { readSale } from '../words/read-sale.js'
import { readWords } from '../words/read-words.js'
import type { ClaimedDelivery } from './claim.js'

/** The licenses of a delivery in clear, in its order. Their keys go into the mail and nowhere else. */
async function openLicenses (db: Reader, keyring: Keyring, account_id: string, license_ids: readonly string[]): Promise<MailedLicense[]> {
  if (license_ids.length === 0) return []
  const licenses = await db.selectFrom('licenses').select(['id', 'pool_id', 'sealed', 'expires_at'])
    .where('account_id', '=', account_id).where('id', 'in', license_ids).execute()
  const opened = new Map(licenses.map(({ id, pool_id, sealed, expires_at }) =>
    [id, { key: open(keyring, [account_id, pool_id, id], sealed).toString('utf8'), expires_at }]))
  return license_ids.map((id) => {
    const license = opened.get(id)
    if (license === undefined) throw new Error(`license ${id} is missing`)
    return license
  })
}

/** The product with the words of this mail in place of its own, in every language; the names that it has in each stay. */
function inWordsOf ({ words }: ClaimedDelivery, product: MailedProduct): MailedProduct {
  if (words === null) return product
  const names = Object.entries(product.locales).flatMap(([locale, { name }]) => name === undefined ? [] : [[locale, { name }]])
  return { ...product, mail_template: words, locales: Object.fromEntries(names) }
}

/** All that a mail is written from: the words as they were when it was first tried. */
export async function readLetter (db: Reader, maker: LinkMaker, claimed: ClaimedDelivery): Promise<Letter> {
  const { keyring } = maker
  const { account_id, order_id, product_id, words_version: version, worded_at } = claimed
  return {
    ...await readSale(db, claimed),
    product: inWordsOf(claimed, await readWords(db, { account_id, product_id, version })),
    licenses: await openLicenses(db, keyring, account_id, claimed.license_ids),
    parent_keys: (await openLicenses(db, keyring, account_id, claimed.parent_license_ids)).map((license) => license.key),
    order_page_url: (await orderPageLink(db, maker, { account_id, order_id, since: worded_at })).url,
    now: worded_at,
  }
}
