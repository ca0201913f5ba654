import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import type { ProductKey } from '../products/find.js'

const text = (field: string) => sql<string | null>`words ->> ${sql.lit(field)}`.as(field)

/** What the mails of a product said, version by version, in no order: for a list to narrow. */
export function mailVersionsOf (db: Reader, { account_id, product_id }: ProductKey) {
  return db.selectFrom('mail_words')
    .select(['version', 'created_at', 'created_by', text('family_name'), text('url_to_instructions'), text('url_to_download')])
    .select([sql<string>`words ->> 'name'`.as('name'), sql<unknown>`words -> 'mail_template'`.as('mail_template'), sql<unknown>`words -> 'locales'`.as('locales')])
    .where('account_id', '=', account_id).where('product_id', '=', product_id)
}
