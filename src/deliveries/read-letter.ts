import type { Reader } from '../database/connect.js'
import type { Letter, MailedLicense } from '../mailer/render.js'
import { orderPageLink, type LinkMaker } from '../order-page/link.js'
import { open, type Keyring } from '../sealing.js'
import { findWrapper } from '../words/find-wrapper.js'
import { readSale } from '../words/read-sale.js'
import { inWords, readWords } from '../words/read-words.js'
import type { ClaimedDelivery } from './claim.js'

/** The licenses of a delivery in clear, in its order. Their keys go into the mail and nowhere else. */
export async function openLicenses (db: Reader, keyring: Keyring, account_id: string, license_ids: readonly string[]): Promise<MailedLicense[]> {
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

/** All that a mail is written from: the words as they were when it was first tried. */
export async function readLetter (db: Reader, maker: LinkMaker, claimed: ClaimedDelivery): Promise<Letter> {
  const { keyring } = maker
  const { account_id, order_id, product_id, words, words_version: version } = claimed
  const product = await readWords(db, { account_id, product_id, version })
  return {
    ...await readSale(db, claimed),
    product: words === null ? product : inWords(product, words),
    wrapper: (await findWrapper(db, account_id, claimed.wrapper_version)).texts,
    licenses: await openLicenses(db, keyring, account_id, claimed.license_ids),
    parent_keys: (await openLicenses(db, keyring, account_id, claimed.parent_license_ids)).map((license) => license.key),
    // of this mail, also where it says again what an earlier one said: that one's link may be over
    order_page_url: (await orderPageLink(db, maker, { account_id, order_id, since: claimed.created_at })).url,
    now: claimed.worded_at,
  }
}
