// What the worker's jobs look for; each of what is found is then worked at in a transaction of its own.
import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'

export interface Found { account_id: string, id: string }

const FOUND_MAX = 500 // a job comes again soon, and what waits longest comes first
/** How long a draft that nobody touched is kept. */
const DRAFT_DAYS_MAX = 30

/** Pending requests whose order has all its licenses now. */
export async function findFilled (db: Reader): Promise<Found[]> {
  const { rows } = await sql<Found>`
    select r.account_id, r.id from requests r join orders o on o.account_id = r.account_id and o.id = r.order_id
    where r.waits_for_stock and o.fulfillment_status = 'fulfilled' and o.status = 'paid'
    order by r.created_at limit ${FOUND_MAX}`.execute(db)
  return rows
}

/** Scheduled requests whose date has come. */
export async function findDue (db: Reader): Promise<Found[]> {
  return db.selectFrom('requests').select(['account_id', 'id']).where('status', '=', 'scheduled').where('planned_date', '<=', sql<Date>`now()`)
    .orderBy('planned_date').limit(FOUND_MAX).execute()
}

/** Drafts that were left lying. */
export async function findOldDrafts (db: Reader): Promise<Found[]> {
  return db.selectFrom('requests').select(['account_id', 'id']).where('status', '=', 'draft')
    .where('updated_at', '<', sql<Date>`now() - make_interval(days => ${DRAFT_DAYS_MAX})`).orderBy('updated_at').limit(FOUND_MAX).execute()
}
