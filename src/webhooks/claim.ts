import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { newId } from '../ids.js'
import { ATTEMPTS_MAX } from './schedule.js'
import { TRIGGERED } from './trigger.js'

/** A message that this claim may send, until its lease lapses. */
export interface ClaimedMessage {
  account_id: string
  id: string
  claim_id: string
  webhook_id: string
  kind: 'signal' | 'change'
  event: string
  data: Record<string, unknown>
  created_at: Date
  /** of all tries, from 1 */
  attempt: number
  /** since it was planned or replayed, from 1 */
  try: number
  /** its webhook fails, or answers slowly */
  troubled: boolean
}

export interface ClaimOptions {
  /** how many calls this process may have under way, and those that are */
  concurrency: number
  busy: ReadonlyArray<Pick<ClaimedMessage, 'account_id' | 'webhook_id' | 'troubled'>>
  lease_ms: number
}

/** Calls to one webhook at a time: enough for a hundred messages a second, and one webhook is not all. */
const LANES = 8
const SLOW_MS = 3000 // an answer that takes longer leaves a webhook one lane, as if it failed

/**
 * Of several planned signals of a webhook one is left, the one tried most: it says as much as all. Each was committed before this
 * statement saw it, and the call comes after, so its receiver finds all that any of them was planned for.
 */
async function mergeSignals (trx: Transaction<Database>): Promise<void> {
  await sql`
    with ranked as (
      select account_id, id, row_number() over (partition by account_id, webhook_id order by attempts desc, id) as nth
      from webhook_messages where kind = 'signal' and status = 'planned'
    ), merged as (
      delete from webhook_messages m using ranked r where m.account_id = r.account_id and m.id = r.id and r.nth > 1 and m.status = 'planned'
      returning m.account_id, m.webhook_id, m.event, m.created_at
    )
    update webhooks w set events = w.events + t.events, last_event_at = greatest(w.last_event_at, t.last_at)
    from (select account_id, webhook_id, count(*) as events, max(created_at) as last_at from merged where event <> ${TRIGGERED} group by 1, 2) t
    where w.account_id = t.account_id and w.id = t.webhook_id`.execute(trx)
}

/** Whether a message that lies in `sending` has had every try. */
const spent = sql<boolean>`(m.status = 'sending' and m.attempts - m.attempts_before >= case m.kind when 'signal' then ${ATTEMPTS_MAX.signal}::int else ${ATTEMPTS_MAX.change}::int end)`

/** Ends what every worker that tried it died of. */
async function giveUp (trx: Transaction<Database>): Promise<void> {
  const { rows } = await sql<{ account_id: string, id: string, webhook_id: string }>`
    update webhook_messages m set status = 'failed', next_attempt_at = null, claim_id = null, last_error = 'every try was used up'
    where ${spent} and next_attempt_at <= now()
    returning account_id, id, webhook_id`.execute(trx)
  await recordEvent(trx, ...rows.map(({ account_id, id, webhook_id }) =>
    ({ account_id, type: 'webhook.message_failed', subject_id: webhook_id, data: { message_id: id, reason: 'every try was used up' } })))
}

/** How many calls to each webhook are under way here. */
function lanesInUse (busy: ClaimOptions['busy']): string {
  const lanes = new Map<string, { account_id: string, webhook_id: string, sending: number }>()
  for (const { account_id, webhook_id } of busy) {
    const key = `${account_id} ${webhook_id}`
    lanes.set(key, { account_id, webhook_id, sending: (lanes.get(key)?.sending ?? 0) + 1 })
  }
  return JSON.stringify([...lanes.values()])
}

/**
 * What is due and has a free lane, webhook by webhook (the recursion steps from one with open messages to the next), those with the fewest calls
 * under way first: neither a backlog nor an endpoint that hangs keeps others waiting. Webhooks that fail or are slow share half of the room.
 */
const dueMessages = ({ concurrency, busy }: ClaimOptions) => sql`
  with recursive lanes as (
    (select account_id, webhook_id from webhook_messages where status in ('planned', 'sending') order by account_id, webhook_id limit 1)
    union all
    select n.account_id, n.webhook_id from lanes l cross join lateral (
      select account_id, webhook_id from webhook_messages
      where status in ('planned', 'sending') and (account_id, webhook_id) > (l.account_id, l.webhook_id) order by account_id, webhook_id limit 1) n
  ), free as (
    select l.account_id, l.webhook_id, coalesce(b.sending, 0) as sending, t.troubled, case when t.troubled then 1 else ${LANES}::int end - coalesce(b.sending, 0) as free
    from lanes l join webhooks w on w.account_id = l.account_id and w.id = l.webhook_id and w.active and w.deleted_at is null
    cross join lateral (select w.failing_since is not null or coalesce((w.last_success ->> 'duration')::int, 0) > ${SLOW_MS}::int as troubled) t
    left join json_to_recordset(${lanesInUse(busy)}::json) as b (account_id text, webhook_id text, sending int)
      on b.account_id = l.account_id and b.webhook_id = l.webhook_id
  ), due as (
    select f.account_id, m.id, f.troubled, m.nth, m.next_attempt_at,
      row_number() over (partition by f.troubled order by m.nth, m.next_attempt_at) as nth_of_kind
    from free f cross join lateral (
      select id, next_attempt_at, f.sending + row_number() over (order by next_attempt_at) as nth from (
        select id, next_attempt_at from webhook_messages s
        where s.account_id = f.account_id and s.webhook_id = f.webhook_id and s.status in ('planned', 'sending') and s.next_attempt_at <= now()
        order by s.next_attempt_at limit greatest(f.free, 0)) first
    ) m
  )
  select account_id, id, troubled from due
  where not troubled or nth_of_kind <= ${Math.floor(concurrency / 2) - busy.filter((call) => call.troubled).length}::int
  order by nth, next_attempt_at limit ${concurrency - busy.length}::int`

/**
 * Claims messages that are due. Once the caller's transaction has committed they are `sending`, and only then may a socket be opened. What another
 * worker is claiming is passed over. A message left in `sending` by a worker that is gone is due when its lease lapses.
 */
export async function claimMessages (trx: Transaction<Database>, options: ClaimOptions): Promise<ClaimedMessage[]> {
  await mergeSignals(trx)
  await giveUp(trx)
  const { rows } = await sql<ClaimedMessage>`
    with due as materialized (${dueMessages(options)}
    ), locked as materialized (
      select m.account_id, m.id, d.troubled from webhook_messages m join due d on d.account_id = m.account_id and d.id = m.id
      where m.status in ('planned', 'sending') and m.next_attempt_at <= now() and not ${spent} for update of m skip locked
    ), claimed as (
      update webhook_messages m set status = 'sending', attempts = m.attempts + 1, claim_id = ${newId('CL')},
        next_attempt_at = now() + ${options.lease_ms} * interval '1 ms'
      from locked l where m.account_id = l.account_id and m.id = l.id
      returning m.account_id, m.id, m.claim_id, m.webhook_id, m.kind, m.event, m.data, m.created_at, m.attempts, m.attempts_before, l.troubled
    ), tried as (
      insert into webhook_attempts (account_id, message_id, attempt) select account_id, id, attempts from claimed
    ), counted as (
      update webhooks w set events = w.events + t.events, last_event_at = greatest(w.last_event_at, t.last_at)
      from (select account_id, webhook_id, count(*) as events, max(created_at) as last_at from claimed
        where attempts = 1 and event <> ${TRIGGERED} group by 1, 2) t
      where w.account_id = t.account_id and w.id = t.webhook_id
    )
    select account_id, id, claim_id, webhook_id, kind, event, data, created_at, attempts as attempt, attempts - attempts_before as try, troubled
    from claimed`.execute(trx)
  return rows
}
