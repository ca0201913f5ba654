// Accounts that send so many mails a second, all workers together. What is due of such an account is set apart, so that it holds up no other, and
// taken as its turns come: the moment of the next one is in the account's row, which one claim at a time has.
import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { dueColumns, type Due } from './lock-due.js'

/** Turns of so much time are taken in one: about what passes between two looks of a worker. */
const AHEAD_MS = 250
/** Set apart at a time: an account's backlog is out of the way in a few claims, and none takes long. */
const HELD_BACK_MAX = 1000

/** Sets apart what is due of the accounts of these. */
export async function holdBack (trx: Transaction<Database>, limited: readonly Due[]): Promise<void> {
  if (limited.length === 0) return
  const accounts = [...new Set(limited.map((delivery) => delivery.account_id))].sort()
  await sql`
    with held as (
      select account_id, id from deliveries
      where account_id = any(${accounts}::text[]) and status = 'planned' and not is_paced and next_attempt_at <= now()
      order by next_attempt_at limit ${HELD_BACK_MAX} for update skip locked)
    update deliveries d set is_paced = true from held h where d.account_id = h.account_id and d.id = h.id`.execute(trx)
  // also where it is so already: who is about to write the opposite, having seen none of these, is waited for
  await sql`
    update mail_settings s set is_pacing = true
    from (select account_id from mail_settings where account_id = any(${accounts}::text[]) order by account_id for update) l where s.account_id = l.account_id`.execute(trx)
}

/** An account whose turn has come: no other claim is serving it. `mails_max`: how many it may send now; null: its limit was lifted. */
interface Turn { account_id: string, mails_max: number | null }

/** Locks the accounts whose turn has come, those first that wait longest. */
async function lockTurns (trx: Transaction<Database>, limit: number): Promise<Turn[]> {
  const { rows } = await sql<Turn>`
    select account_id, floor((extract(epoch from now() - greatest(paced_until, now()))::float8 + ${AHEAD_MS / 1000}::float8) * rate_per_second) + 1 as mails_max
    from mail_settings where is_pacing and paced_until <= now() + ${AHEAD_MS} * interval '1 ms'
    order by paced_until limit ${limit} for update skip locked`.execute(trx)
  return rows
}

/** Takes what was set apart as the turns of its accounts have come, the oldest first. `moveOn` must follow, in the same transaction. */
export async function takeTurns (trx: Transaction<Database>, limit: number): Promise<{ due: Due[], served: string[] }> {
  const turns = limit <= 0 ? [] : await lockTurns(trx, limit)
  if (turns.length === 0) return { due: [], served: [] }
  const served = turns.map((turn) => turn.account_id)
  const { rows } = await sql<Due>`
    select due.* from unnest(${served}::text[], ${turns.map((turn) => turn.mails_max ?? limit)}::integer[]) as t (account_id, mails_max) cross join lateral (
      select ${dueColumns} from deliveries d where d.account_id = t.account_id and d.status = 'planned' and d.is_paced
      order by d.next_attempt_at limit t.mails_max for update of d skip locked) due
    limit ${limit}`.execute(trx)
  return { due: rows, served }
}

/** Moves the next turn of the accounts that were served behind what was claimed of theirs. */
export async function moveOn (trx: Transaction<Database>, served: readonly string[], claimed: ReadonlyArray<{ account_id: string }>): Promise<void> {
  if (served.length === 0) return
  const taken = served.map((account_id) => claimed.filter((delivery) => delivery.account_id === account_id).length)
  await sql`
    update mail_settings s set
      paced_until = greatest(s.paced_until, now()) + coalesce(t.taken / s.rate_per_second, 0) * interval '1 s',
      is_pacing = exists (select from deliveries d where d.account_id = s.account_id and d.status = 'planned' and d.is_paced)
    from unnest(${served}::text[], ${taken}::integer[]) as t (account_id, taken) where s.account_id = t.account_id`.execute(trx)
}
