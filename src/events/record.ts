import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/** One fact, past tense. `data` holds ids, counts and reasons; never a key, never a customer's address. */
export interface NewEvent {
  account_id: string
  /** `license.allocated`: the subject, a dot, what happened to it */
  type: string
  subject_id: string
  /** the API key that caused it; absent: the service itself */
  actor?: string | null
  data?: Record<string, unknown>
}

/** Adds to the audit trail, in the transaction of what it records. */
export async function recordEvent (trx: Transaction<Database>, ...events: NewEvent[]): Promise<void> {
  if (events.length === 0) return
  await trx.insertInto('events').values(events.map(({ account_id, type, subject_id, actor = null, data = {} }) =>
    ({ account_id, type, subject_id, actor, data: JSON.stringify(data) }))).execute()
}
