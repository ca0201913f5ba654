import { sql, type Kysely } from 'kysely'
import type { Database } from '../database/connect.js'
import { newId } from '../ids.js'
import type { Keyring } from '../sealing.js'
import { replayEvent } from './replay-event.js'
import type { Doors } from './receive.js'

interface ClaimedReplay { account_id: string, id: string, claim_id: string }

const SLICE = 20 // events between two notes of the progress: what a crash repeats at most
const SLICES_MAX = 50 // of one round of the job, so that a stop is heard
const LEASE_MS = 60_000 // a slice takes a second or two

/** One statement: no lock is held while events are replayed. */
async function claimReplay (db: Kysely<Database>): Promise<ClaimedReplay | undefined> {
  const { rows } = await sql<ClaimedReplay>`
    with due as materialized (
      select account_id, id from payment_replays where next_attempt_at <= now() order by next_attempt_at limit 1 for update skip locked
    )
    update payment_replays r set next_attempt_at = now() + ${LEASE_MS} * interval '1 ms', claim_id = ${newId('CL')}
    from due d where r.account_id = d.account_id and r.id = d.id
    returning r.account_id, r.id, r.claim_id`.execute(db)
  return rows[0]
}

/** With those that a slice which was cut short has processed already: they are counted once, now. */
async function nextEvents (db: Kysely<Database>, { account_id, id }: ClaimedReplay): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select e.id from payment_replays r join payment_events e on e.account_id = r.account_id and e.received_at between r.received_from and r.received_to
    where r.account_id = ${account_id} and r.id = ${id} and e.erased_at is null
      and (r.cursor_id is null or (e.received_at, e.id) > (r.cursor_received_at, r.cursor_id))
      and (r.source_id is null or e.source_id = r.source_id) and (r.event_type is null or e.type = r.event_type)
      and (r.event_status is null or e.status = r.event_status or (e.status = 'processed' and e.processed_at >= r.created_at))
    order by e.received_at, e.id limit ${SLICE}`.execute(db)
  return rows.map((row) => row.id)
}

/** Counts and cursor in one statement. Nothing is written when the claim has lapsed: whoever has it counts these again. */
async function note (
  db: Kysely<Database>, { account_id, id, claim_id }: ClaimedReplay, events: readonly string[], counts: Record<'processed' | 'failed', number>
): Promise<void> {
  const last = events.at(-1) ?? null
  const is_finished = events.length < SLICE
  await sql`
    update payment_replays r set
      done = done + ${events.length}::int, processed = processed + ${counts.processed}::int, failed = failed + ${counts.failed}::int, claim_id = null,
      cursor_id = coalesce(${last}::text, cursor_id),
      cursor_received_at = coalesce((select e.received_at from payment_events e where e.account_id = r.account_id and e.id = ${last}), cursor_received_at),
      status = ${is_finished ? 'finished' : 'running'}, next_attempt_at = case when ${is_finished}::boolean then null else now() end,
      finished_at = case when ${is_finished}::boolean then now() end
    where account_id = ${account_id} and id = ${id} and claim_id = ${claim_id}`.execute(db)
}

/** Replays a slice of a claimed replay. An event that cannot be replayed at all stops none of the others: it counts as failed. */
async function advance (doors: Doors, keyring: Keyring, replay: ClaimedReplay): Promise<void> {
  const events = await nextEvents(doors.db, replay)
  const counts = { processed: 0, failed: 0 }
  for (const id of events) {
    const status = await replayEvent(doors, keyring, replay.account_id, id).then((outcome) => outcome.status, () => 'failed' as const)
    if (status === 'processed' || status === 'failed') counts[status]++
  }
  await note(doors.db, replay, events, counts)
}

/** Goes on with the replays of ranges that are due, slice by slice, fairly. Returns how many slices were done. */
export async function advanceReplays (doors: Doors, keyring: Keyring, slices_max = SLICES_MAX): Promise<number> {
  for (let slices = 0; slices < slices_max; slices++) {
    const replay = await claimReplay(doors.db)
    if (replay === undefined) return slices
    await advance(doors, keyring, replay)
  }
  return slices_max
}
