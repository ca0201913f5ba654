import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/** A license that was found bad, and the one that its slot has in its place. */
export interface Replacement { old_license_id: string, new_license_id: string, order_id: string, recall_id: string | null }

/** Writes down which licenses came in the place of bad ones, in those of the slots that have one by now. The caller holds the orders. */
export async function linkReplacements (
  trx: Transaction<Database>, account_id: string, slots: ReadonlyArray<{ line_item_id: string, unit: number }>
): Promise<Replacement[]> {
  const { rows } = await sql<Replacement>`
    with linked as (
      update license_revocations r set replaced_by = a.license_id, replaced_at = now()
      from unnest(${slots.map((slot) => slot.line_item_id)}::text[], ${slots.map((slot) => slot.unit)}::int[]) as s (line_item_id, unit)
      join allocations a on a.account_id = ${account_id} and a.line_item_id = s.line_item_id and a.unit = s.unit and a.ended_as is null
      where r.account_id = ${account_id} and r.line_item_id = s.line_item_id and r.unit = s.unit and r.cause <> 'revoked' and r.replaced_by is null
      returning r.license_id as old_license_id, r.replaced_by as new_license_id, r.order_id, r.recall_id, r.created_by, r.cause
    ), told as (
      insert into events (account_id, type, subject_id, actor, data)
      select ${account_id}, 'license.replaced', old_license_id, created_by, jsonb_build_object('order_id', order_id, 'replaced_by', new_license_id) from linked
    )
    select old_license_id, new_license_id, order_id, recall_id from linked`.execute(trx)
  return rows
}
