import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { ProductKey } from './find.js'

/**
 * Keeps what the mails of a product say as its next version; the same words again are none. To be called by whatever has written a product, whose row it
 * has locked.
 */
export async function writeWords (trx: Transaction<Database>, { account_id, product_id }: ProductKey, actor: string | null): Promise<void> {
  await sql`
    with now_said as (
      select words_version, jsonb_strip_nulls(jsonb_build_object('family_name', family_name, 'url_to_instructions', url_to_instructions, 'url_to_download', url_to_download))
        || jsonb_build_object('name', name, 'mail_template', mail_template, 'locales', locales) as words
      from products where account_id = ${account_id} and id = ${product_id}
    ), written as (
      insert into mail_words (account_id, product_id, version, words, created_by)
      select ${account_id}, ${product_id}, n.words_version + 1, n.words, ${actor} from now_said n
      where not exists (
        select from mail_words m where m.account_id = ${account_id} and m.product_id = ${product_id} and m.version = n.words_version and m.words = n.words)
      returning version
    )
    update products set words_version = w.version from written w where account_id = ${account_id} and id = ${product_id}`.execute(trx)
}
