import { sql, type Kysely } from 'kysely'
import type { Database } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { HOLD_STATUSES } from './schema.js'

/** One whose time is over is expired, also while nobody has written that down. */
const statusNow = sql<typeof HOLD_STATUSES[number]>`case when holds.status = 'open' and holds.expires_at <= now() then 'expired' else holds.status end`

/** The holds of an account, in no order: for a list to narrow. */
export function holdsOf (db: Kysely<Database>, account_id: string) {
  return db.selectFrom((from) => from.selectFrom('holds')
    .select(['id', 'external_id', 'currency', 'order_id', 'expires_at', 'created_at', 'ended_at', sql<'live' | 'test'>`mode`.as('mode'), statusNow.as('status')])
    .where('account_id', '=', account_id).as('holds')).selectAll('holds')
}

/**
 * One hold with its lines, and how many licenses each has now: none once it is over.
 *
 * @throws Problem hold-not-found
 */
export async function findHold (db: Kysely<Database>, account_id: string, id: string) {
  const hold = await holdsOf(db, account_id).where('holds.id', '=', id).executeTakeFirst()
  if (hold === undefined) throw new Problem('hold-not-found')
  const line_items = await db.selectFrom('hold_lines as l').select(['l.external_id', 'l.product_id', 'l.pool_id', 'l.quantity'])
    .select(sql<number>`(
      select count(*)::int from held_licenses h
      where h.account_id = l.account_id and h.hold_id = l.hold_id and h.line_number = l.number and h.expires_at > now())`.as('held'))
    .where('l.account_id', '=', account_id).where('l.hold_id', '=', id).orderBy('l.number').execute()
  return { ...hold, line_items }
}
