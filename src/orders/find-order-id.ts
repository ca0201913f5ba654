import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'

/** The order that a source calls by this name: its external_id there, or another (order_refs). A person, `api`, calls it by its id. */
export async function findOrderId (db: Reader, account_id: string, source_id: string, ref: string): Promise<string | undefined> {
  const { rows: [found] } = await sql<{ id: string }>`
    select id from orders where account_id = ${account_id} and (source_id = ${source_id} and external_id = ${ref} or ${source_id} = 'api' and id = ${ref})
    union all
    select order_id from order_refs where account_id = ${account_id} and source_id = ${source_id} and ref = ${ref}
    limit 1`.execute(db)
  return found?.id
}
