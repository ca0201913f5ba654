import type { Reader } from '../database/connect.js'
import type { MailedProduct } from '../mailer/render.js'

/** What a product said in its mails as of one of its versions. */
export async function readWords (
  db: Reader, { account_id, product_id, version }: { account_id: string, product_id: string, version: number }
): Promise<MailedProduct> {
  const { words } = await db.selectFrom('mail_words').select('words')
    .where('account_id', '=', account_id).where('product_id', '=', product_id).where('version', '=', version).executeTakeFirstOrThrow()
  return { id: product_id, ...words as unknown as Omit<MailedProduct, 'id'> }
}
