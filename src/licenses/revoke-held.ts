import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { linkReplacements } from './link-replacements.js'

export interface Revocation {
  account_id: string
  license_ids: readonly string[]
  /** `revoked`: nothing comes in its place. The others are to be replaced */
  cause: 'revoked' | 'replaced' | 'recalled'
  reason: string
  recall_id?: string | undefined
  /** the API key, or `cli` */
  actor: string
}

/** A slot that lost its license. */
export interface Emptied { license_id: string, order_id: string, line_item_id: string, unit: number }

/**
 * Takes licenses that are bad from the orders that hold them, whether or not somebody saw them: they are never in stock nor in force again. What nobody
 * holds is left alone. Locks the open allocations, in the order of their licenses. The caller holds the pools and the orders.
 */
export async function revokeHeld (trx: Transaction<Database>, { account_id, license_ids, cause, reason, recall_id, actor }: Revocation): Promise<Emptied[]> {
  const { rows: held } = await sql<Emptied>`
    select license_id, order_id, line_item_id, unit from allocations
    where account_id = ${account_id} and license_id = any(${license_ids}::text[]) and ended_as is null
    order by license_id for no key update`.execute(trx)
  if (held.length === 0) return []
  await linkReplacements(trx, account_id, held) // one of them may itself be what an earlier one waited for
  await sql`
    with ended as (
      update allocations set ended_at = now(), ended_as = 'revoked'
      where account_id = ${account_id} and license_id = any(${held.map((slot) => slot.license_id)}::text[]) and ended_as is null
      returning license_id, order_id, line_item_id, unit
    ), found_bad as (
      insert into license_revocations (account_id, license_id, order_id, line_item_id, unit, cause, reason, recall_id, created_by)
      select ${account_id}, license_id, order_id, line_item_id, unit, ${cause}, ${reason}, ${recall_id ?? null}, ${actor} from ended
    )
    insert into events (account_id, type, subject_id, actor, data)
    select ${account_id}, 'license.revoked', license_id, ${actor}, jsonb_strip_nulls(jsonb_build_object(
      'order_id', order_id, 'line_item_id', line_item_id, 'unit', unit, 'cause', ${cause}::text, 'reason', ${reason}::text, 'recall_id', ${recall_id ?? null}::text))
    from ended`.execute(trx)
  return held
}
