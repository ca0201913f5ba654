import type { Reader } from '../database/connect.js'
import type { MailedProduct, MailTemplate } from '../mailer/render.js'

/** What a product said in its mails as of one of its versions. */
export async function readWords (
  db: Reader, { account_id, product_id, version }: { account_id: string, product_id: string, version: number }
): Promise<MailedProduct> {
  const { words } = await db.selectFrom('mail_words').select('words')
    .where('account_id', '=', account_id).where('product_id', '=', product_id).where('version', '=', version).executeTakeFirstOrThrow()
  return { id: product_id, ...words as unknown as Omit<MailedProduct, 'id'> }
}

/** The product with other words in place of its own, in every language; what it is called in each stays. */
export function inWords (product: MailedProduct, words: MailTemplate): MailedProduct {
  const names = Object.entries(product.locales).map(([locale, { mail_template: _, ...own }]) => [locale, own])
  return { ...product, mail_template: words, locales: Object.fromEntries(names) }
}
