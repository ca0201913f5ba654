import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'

/** The audit trail of an account, in no order: for a list to narrow. */
export function eventsOf (db: Reader, account_id: string) {
  return db.selectFrom('events').select(['id', 'type', 'subject_id', 'actor', 'data', 'created_at']).where('account_id', '=', account_id)
}

/**
 * One event.
 *
 * @throws Problem event-not-found
 */
export async function findEvent (db: Reader, account_id: string, id: string) {
  const event = await eventsOf(db, account_id).where('id', '=', id).executeTakeFirst()
  if (event === undefined) throw new Problem('event-not-found')
  return event
}
