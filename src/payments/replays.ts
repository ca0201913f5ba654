import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database, Reader } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { newId } from '../ids.js'
import { Problem } from '../problems.js'

/** Which events are to be replayed. Moments are ISO 8601 and included. */
export interface ReplayRange {
  source_id?: string | undefined
  status?: string | undefined
  type?: string | undefined
  received_from: string
  /** default: now */
  received_to?: string | undefined
}

/** The replays of an account, in no order: for a list to narrow. */
export function replaysOf (db: Kysely<Database>, account_id: string) {
  return db.selectFrom('payment_replays')
    .select(['id', 'status', 'source_id', 'event_status', 'event_type', 'received_from', 'received_to', 'total', 'done', 'processed', 'failed', 'created_at', 'finished_at'])
    .where('account_id', '=', account_id).$narrowType<{ status: 'running' | 'finished' }>()
}

/** @throws Problem payment-replay-not-found */
export async function findReplay (db: Kysely<Database>, account_id: string, id: string) {
  const replay = await replaysOf(db, account_id).where('id', '=', id).executeTakeFirst()
  if (replay === undefined) throw new Problem('payment-replay-not-found')
  return replay
}

/**
 * Has the events of a range replayed by the worker, in the order they were received. Returns the id of the replay. The caller calls wakeWorker().
 *
 * @throws Problem payment-source-not-found  also of one that is not the account's; a deleted one is fine
 * @throws Problem validation-failed  the range ends before it begins
 */
export async function createReplay (trx: Transaction<Database>, account_id: string, range: ReplayRange, actor: string): Promise<string> {
  const { source_id = null, status = null, type = null, received_from, received_to = new Date().toISOString() } = range
  if (Date.parse(received_from) > Date.parse(received_to)) {
    throw new Problem('validation-failed', { detail: 'received_to: is before received_from', errors: ['received_to: is before received_from'] })
  }
  if (source_id !== null) await assertSource(trx, account_id, source_id)
  const id = newId('RP')
  await sql`
    insert into payment_replays (account_id, id, source_id, event_status, event_type, received_from, received_to, created_by, total)
    select ${account_id}, ${id}, ${source_id}, ${status}, ${type}, ${received_from}, ${received_to}, ${actor}, (
      select count(*)::int from payment_events e where e.account_id = ${account_id} and e.erased_at is null and e.received_at between ${received_from} and ${received_to}
        and (${source_id}::text is null or e.source_id = ${source_id}) and (${status}::text is null or e.status = ${status})
        and (${type}::text is null or e.type = ${type}))`.execute(trx)
  await recordEvent(trx, { account_id, type: 'payment_replay.started', subject_id: id, actor, data: { source_id, status, type, received_from, received_to } })
  return id
}

async function assertSource (db: Reader, account_id: string, id: string): Promise<void> {
  const source = await db.selectFrom('payment_sources').select('id').where('account_id', '=', account_id).where('id', '=', id).executeTakeFirst()
  if (source === undefined) throw new Problem('payment-source-not-found')
}
