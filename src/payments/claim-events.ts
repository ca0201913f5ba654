import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/** An event whose look-ups this claim may make, until its lease lapses. */
export interface ClaimedEvent {
  account_id: string
  id: string
  source_id: string
  /** from 1; a later claim has another */
  attempt: number
}

interface ClaimOptions {
  /** how many this process may have under way, and those that are */
  concurrency: number
  busy: readonly ClaimedEvent[]
  lease_ms: number
}

/** Calls to one checkout at a time: one whose API hangs leaves room for the others, and none is hit by a crowd. */
const LANES = 2

const IS_OPEN = sql`status = 'waiting' and next_attempt_at is not null`

/** How many of each source are under way here. */
function lanesInUse (busy: readonly ClaimedEvent[]): string {
  const lanes = new Map<string, { account_id: string, source_id: string, taken: number }>()
  for (const { account_id, source_id } of busy) {
    const key = `${account_id} ${source_id}`
    lanes.set(key, { account_id, source_id, taken: (lanes.get(key)?.taken ?? 0) + 1 })
  }
  return JSON.stringify([...lanes.values()])
}

/**
 * Claims waiting events that are due and whose source has a free lane, source by source (the recursion steps from one with open events to the
 * next). What another worker is claiming is passed over; what a worker that is gone has left is due when its lease lapses.
 */
export async function claimEvents (trx: Transaction<Database>, { concurrency, busy, lease_ms }: ClaimOptions): Promise<ClaimedEvent[]> {
  const { rows } = await sql<ClaimedEvent>`
    with recursive sources as (
      (select account_id, source_id from payment_events where ${IS_OPEN} order by account_id, source_id limit 1)
      union all
      select n.account_id, n.source_id from sources s cross join lateral (
        select account_id, source_id from payment_events
        where ${IS_OPEN} and (account_id, source_id) > (s.account_id, s.source_id) order by account_id, source_id limit 1) n
    ), due as materialized (
      select s.account_id, e.id, e.nth, e.next_attempt_at
      from sources s left join json_to_recordset(${lanesInUse(busy)}::json) as b (account_id text, source_id text, taken int)
        on b.account_id = s.account_id and b.source_id = s.source_id
      cross join lateral (
        select id, next_attempt_at, row_number() over (order by next_attempt_at) as nth from (
          select id, next_attempt_at from payment_events e
          where e.account_id = s.account_id and e.source_id = s.source_id and ${IS_OPEN} and next_attempt_at <= now()
          order by next_attempt_at limit greatest(${LANES}::int - coalesce(b.taken, 0), 0)) first
      ) e
      order by e.nth, e.next_attempt_at limit ${concurrency - busy.length}::int
    ), locked as materialized (
      select e.account_id, e.id from payment_events e join due d on d.account_id = e.account_id and d.id = e.id
      where e.status = 'waiting' and e.next_attempt_at <= now() for update of e skip locked
    )
    update payment_events e set attempts = e.attempts + 1, next_attempt_at = now() + ${lease_ms} * interval '1 ms'
    from locked l where e.account_id = l.account_id and e.id = l.id
    returning e.account_id, e.id, e.source_id, e.attempts as attempt`.execute(trx)
  return rows
}
