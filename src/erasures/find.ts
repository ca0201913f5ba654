import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { ERASURE_STATUSES, KINDS } from './schema.js'

type Words = { kind: typeof KINDS[number], status: typeof ERASURE_STATUSES[number] }

/** The erasures of an account, in no order: for a list to narrow. */
export function erasuresOf (db: Reader, account_id: string) {
  return db.selectFrom('erasures').select([
    'id', 'kind', 'status', 'forced', 'reason', 'orders', 'payment_events', 'purchases', 'tier_accounts', 'kept', 'kept_ids', 'created_by', 'created_at', 'finished_at',
  ]).where('account_id', '=', account_id).$narrowType<Words>()
}

/** @throws Problem erasure-not-found */
export async function findErasure (db: Reader, account_id: string, id: string) {
  const erasure = await erasuresOf(db, account_id).where('id', '=', id).executeTakeFirst()
  if (erasure === undefined) throw new Problem('erasure-not-found')
  return erasure
}
