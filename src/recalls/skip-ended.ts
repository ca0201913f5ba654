import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { writeItems } from './items.js'
import type { Recall } from './work.js'

/**
 * Notes those of the licenses that were withdrawn or revoked, or expired, before the recall: nobody has them. A revoked one is marked as bad, so that it is not
 * put back in force should its order be paid again.
 */
export async function skipEnded (trx: Transaction<Database>, recall: Recall, license_ids: readonly string[]): Promise<void> {
  const { account_id, id, reason, created_by: actor } = recall
  const { rows } = await sql<{ license_id: string, order_id: string | null, detail: string }>`
    with open_items as materialized (
      select l.license_id from unnest(${license_ids}::text[]) as l (license_id)
      where not exists (select from recall_items i where i.account_id = ${account_id} and i.recall_id = ${id} and i.license_id = l.license_id)
    ), revoked as materialized (
      select a.license_id, a.order_id, a.line_item_id, a.unit from open_items o
      join allocations a on a.account_id = ${account_id} and a.license_id = o.license_id and a.ended_as = 'revoked'
    ), found_bad as (
      insert into license_revocations (account_id, license_id, order_id, line_item_id, unit, cause, reason, created_by)
      select ${account_id}, license_id, order_id, line_item_id, unit, 'revoked', ${reason}, ${actor} from revoked
      on conflict (account_id, license_id) do nothing
    )
    select license_id, order_id, 'it was revoked before' as detail from revoked
    union all
    select w.license_id, null, 'it was withdrawn before' from open_items o join withdrawals w on w.account_id = ${account_id} and w.license_id = o.license_id
    union all
    select x.license_id, null, 'it expired before' from open_items o join expirations x on x.account_id = ${account_id} and x.license_id = o.license_id`.execute(trx)
  await writeItems(trx, recall, rows.map((row) => ({ ...row, outcome: 'skipped' })))
}
