import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { newId } from '../ids.js'
import { lockDue, type Due } from './lock-due.js'
import { holdBack, moveOn, takeTurns } from './pace.js'
import { ATTEMPTS_MAX } from './schedule.js'

/** A delivery that this claim may send, until its lease lapses. */
export interface ClaimedDelivery {
  account_id: string
  id: string
  claim_id: string
  /** from 1 */
  attempt: number
  order_id: string
  product_id: string
  license_ids: string[]
  /** of a renewal: those that the customer had before, which the mail may say too */
  parent_license_ids: string[]
  /** of a mail that hands over no license: what it says in place of the product's own words */
  words: { subject: string, text: string } | null
  to: string
  message_id: string
  /** what its product and its account said when it was first tried: mail_words, mail_wrappers (0: nothing of its own) */
  words_version: number
  wrapper_version: number
  /** when that was */
  worded_at: Date
  created_at: Date
}

export interface ClaimOptions {
  /** how many at most */
  limit: number
  lease_ms: number
  /** right-hand side of the Message-IDs */
  domain: string
}

/**
 * The licenses that deliveries still have to say: those whose allocation to the order is open, or to one that it renews, locked so that a refund
 * sees them as seen. A delivery with a license that is locked by somebody else (a refund under way) is left out: it is due again at
 * once. Nobody is waited for, since a refund locks licenses first and deliveries second.
 */
async function lockLicenses (trx: Transaction<Database>, due: readonly Due[]): Promise<Map<string, string[]>> {
  const asked = sql`json_to_recordset(${JSON.stringify(due)}::json) as d (account_id text, id text, order_id text, license_ids text[], parent_line_ids text[])
    cross join lateral unnest(d.license_ids) with ordinality as l (license_id, nth)
    join allocations a on a.account_id = d.account_id and a.license_id = l.license_id and a.ended_as is null
      and (a.order_id = d.order_id or a.line_item_id = any(d.parent_line_ids))`
  const open = await sql<{ id: string, license_ids: string[] }>`
    select d.id, array_agg(l.license_id order by l.nth) as license_ids from ${asked} group by d.id`.execute(trx)
  // a statement that locks carries whole rows of all that it joins, so the lists stay apart: else ten thousand licenses cost as many copies of their list
  const locked = await sql<{ id: string, license_id: string }>`
    with asked as materialized (select d.id, a.account_id, a.pool_id, a.position from ${asked})
    select d.id, a.license_id from asked d join allocations a on a.account_id = d.account_id and a.pool_id = d.pool_id and a.position = d.position and a.ended_as is null
    order by a.account_id, a.license_id for no key update of a skip locked`.execute(trx)
  const mine = new Set(locked.rows.map((row) => `${row.id} ${row.license_id}`))
  const licensesOf = new Map(due.map((delivery) => [delivery.id, [] as string[]]))
  for (const { id, license_ids } of open.rows) {
    if (license_ids.every((license_id) => mine.has(`${id} ${license_id}`))) licensesOf.set(id, license_ids)
    else licensesOf.delete(id)
  }
  return licensesOf
}

/** The licenses that the customers of renewals had before, locked likewise. A delivery of which one is locked by somebody else is left out. */
async function lockParents (trx: Transaction<Database>, due: readonly Due[]): Promise<Map<string, string[]>> {
  const parentsOf = new Map(due.map((delivery) => [delivery.id, [] as string[]]))
  const renewing = due.filter((delivery) => delivery.parent_line_ids.length > 0)
  if (renewing.length === 0) return parentsOf
  const asked = sql`json_to_recordset(${JSON.stringify(renewing)}::json) as d (account_id text, id text, parent_line_ids text[])
    join allocations a on a.account_id = d.account_id and a.line_item_id = any(d.parent_line_ids) and a.ended_as is null`
  const open = await sql<{ id: string, license_ids: string[] }>`
    select d.id, array_agg(a.license_id order by length(a.line_item_id), a.line_item_id, a.unit) as license_ids from ${asked} group by d.id`.execute(trx)
  const locked = await sql<{ id: string, license_id: string }>`
    select d.id, a.license_id from ${asked} order by a.account_id, a.license_id for no key update of a skip locked`.execute(trx)
  const mine = new Set(locked.rows.map((row) => `${row.id} ${row.license_id}`))
  for (const { id, license_ids } of open.rows) {
    if (license_ids.every((license_id) => mine.has(`${id} ${license_id}`))) parentsOf.set(id, license_ids)
    else parentsOf.delete(id)
  }
  return parentsOf
}

/** Ends what cannot be sent: no license is left to say, or every try was used up by workers that died. */
async function giveUp (trx: Transaction<Database>, due: readonly Due[], status: 'cancelled' | 'failed', reason: string): Promise<void> {
  for (const { account_id, id } of due) {
    await trx.updateTable('deliveries').set({ status, next_attempt_at: null, claim_id: null, last_error: reason })
      .where('account_id', '=', account_id).where('id', '=', id).execute()
    await recordEvent(trx, { account_id, type: `delivery.${status}`, subject_id: id, data: { reason } })
  }
}

/** Writes down that these are being sent, and that their licenses count as seen from now on. What they say is fixed with the first try. */
async function markSending (
  trx: Transaction<Database>, sendable: ReadonlyArray<Pick<ClaimedDelivery, 'account_id' | 'id' | 'license_ids' | 'parent_license_ids'>>, options: ClaimOptions
): Promise<ClaimedDelivery[]> {
  const input = sql`json_to_recordset(${JSON.stringify(sendable)}::json) as d (account_id text, id text, license_ids text[], parent_license_ids text[])`
  const { rows } = await sql<ClaimedDelivery>`
    with claimed as (
      update deliveries t set status = 'sending', is_paced = false, attempts = t.attempts + 1,
        "to" = coalesce((select o.mail_to from orders o where o.account_id = t.account_id and o.id = t.order_id), t."to"), claim_id = ${newId('CL')}, license_ids = d.license_ids,
        next_attempt_at = now() + ${options.lease_ms} * interval '1 ms',
        message_id = coalesce(t.message_id, '<' || t.id || '@' || ${options.domain} || '>'),
        words_version = coalesce(t.words_version, (select p.words_version from products p where p.account_id = t.account_id and p.id = t.product_id)),
        wrapper_version = coalesce(t.wrapper_version, (
          select w.version from mail_wrappers w where w.account_id = t.account_id order by w.version desc limit 1), 0),
        worded_at = coalesce(t.worded_at, now())
      from ${input} where t.account_id = d.account_id and t.id = d.id
      returning t.account_id, t.id, t.claim_id, t.attempts, t.order_id, t.product_id, t.license_ids, d.parent_license_ids, t.words, t."to", t.message_id,
        t.words_version, t.wrapper_version, t.worded_at, t.created_at
    ), tried as (
      insert into delivery_attempts (account_id, delivery_id, attempt) select account_id, id, attempts from claimed
    ), seen as (
      insert into license_sightings (account_id, license_id, how, seen_by)
      select c.account_id, l.license_id, 'mailed', c.id
      from claimed c cross join lateral (select distinct unnest(c.license_ids || c.parent_license_ids) as license_id) l
      where not exists (select from license_sightings s where s.account_id = c.account_id and s.license_id = l.license_id and s.seen_by = c.id)
    )
    select account_id, id, claim_id, attempts as attempt, order_id, product_id, license_ids, parent_license_ids, words, "to", message_id,
      words_version, wrapper_version, worded_at, created_at
    from claimed`.execute(trx)
  return rows
}

/** What is due and may go now. What its account's pace holds back makes room for others, in this claim. */
async function takeDue (trx: Transaction<Database>, limit: number): Promise<{ due: Due[], served: string[] }> {
  const found = await lockDue(trx, limit)
  await holdBack(trx, found.filter((delivery) => delivery.is_limited))
  const free = found.filter((delivery) => !delivery.is_limited)
  const turns = await takeTurns(trx, limit - free.length)
  return { due: [...free, ...turns.due], served: turns.served }
}

/** Claims those of the due ones that there is something to send of. */
async function claimSome (trx: Transaction<Database>, locked: readonly Due[], options: ClaimOptions): Promise<ClaimedDelivery[]> {
  // put off or left behind while it was being sent, so that the dispute could not cancel it
  await giveUp(trx, locked.filter((delivery) => delivery.is_held), 'cancelled', 'the order is held: a dispute is open')
  const due = locked.filter((delivery) => !delivery.is_held)
  if (due.length === 0) return []
  const licensesOf = await lockLicenses(trx, due)
  const parentsOf = await lockParents(trx, due)
  const free = due.filter((delivery) => licensesOf.has(delivery.id) && parentsOf.has(delivery.id))
  const spent = free.filter((delivery) => delivery.attempts >= ATTEMPTS_MAX)
  const empty = free.filter((delivery) => !spent.includes(delivery) && delivery.reason !== 'information' && licensesOf.get(delivery.id)?.length === 0)
  await giveUp(trx, spent, 'failed', 'every try was used up')
  await giveUp(trx, empty, 'cancelled', 'the order holds none of its licenses any more')
  const sendable = free.filter((delivery) => !spent.includes(delivery) && !empty.includes(delivery))
    .map(({ account_id, id }) => ({ account_id, id, license_ids: licensesOf.get(id) ?? [], parent_license_ids: parentsOf.get(id) ?? [] }))
  return sendable.length === 0 ? [] : markSending(trx, sendable, options)
}

/**
 * Claims deliveries that are due. Once the caller's transaction has committed they are `sending`, their licenses count as seen,
 * and only then may a socket be opened. Licenses that the order no longer holds drop out; a delivery with none left, or of an order
 * that is held, is cancelled. An account that has a pace is kept to it, whoever claims.
 */
export async function claimDeliveries (trx: Transaction<Database>, options: ClaimOptions): Promise<ClaimedDelivery[]> {
  const { due, served } = await takeDue(trx, options.limit)
  const claimed = await claimSome(trx, due, options)
  await moveOn(trx, served, claimed)
  return claimed
}
