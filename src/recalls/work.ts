import { sql, type Kysely, type Selectable, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { writeItems } from './items.js'
import { lockHolders } from './lock-holders.js'
import { replaceHeld } from './replace-held.js'
import { skipEnded } from './skip-ended.js'
import { poolsToLock, withdrawUnsold } from './withdraw-unsold.js'

/** Licenses that one transaction looks at: bounds how long it holds the pool's lock. One that takes some from orders takes several statements for each. */
const LOOKED_AT = { withdrawing: 2000, replacing: 100 }

export type Recall = Selectable<Database['recalls']>
export interface RecallId { account_id: string, id: string }

/** The recalls that are under way. */
export async function runningRecalls (db: Kysely<Database>): Promise<RecallId[]> {
  return db.selectFrom('recalls').select(['account_id', 'id']).where('status', '=', 'running').orderBy('created_at').limit(20).execute()
}

/**
 * Does one chunk of a recall. What it did and how far it came commit together, so another worker goes on exactly there after a crash; a recall that
 * one works on is passed by. False: there was nothing to do. The caller calls wakeWorker() after the commit.
 */
export async function workOnRecall (trx: Transaction<Database>, { account_id, id }: RecallId): Promise<boolean> {
  const recall = await trx.selectFrom('recalls').selectAll().where('account_id', '=', account_id).where('id', '=', id).where('status', '=', 'running')
    .forUpdate().skipLocked().executeTakeFirst()
  if (recall === undefined) return false
  const phase = recall.phase === 'withdrawing' ? 'withdrawing' : 'replacing'
  const license_ids = await nextOf(trx, recall, LOOKED_AT[phase])
  if (license_ids.length === 0) {
    await (phase === 'withdrawing' ? beginReplacing(trx, recall) : finish(trx, recall))
    return true
  }
  if (phase === 'withdrawing') await withdrawUnsold(trx, recall, license_ids)
  if (phase === 'withdrawing' || await replaceChunk(trx, recall, license_ids)) {
    await trx.updateTable('recalls').set({ cursor: license_ids.at(-1) ?? '' }).where('account_id', '=', account_id).where('id', '=', id).execute()
  }
  return true
}

/** The next licenses of the batch after the cursor that nothing was done about, in the order of their ids. */
async function nextOf (trx: Transaction<Database>, { account_id, id, pool_id, batch_id, cursor }: Recall, limit: number): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select l.id from licenses l
    where l.account_id = ${account_id} and l.pool_id = ${pool_id} and l.id > ${cursor} and l.batch_id = ${batch_id}
      and not exists (select from recall_items i where i.account_id = l.account_id and i.recall_id = ${id} and i.license_id = l.id)
    order by l.id limit ${limit}`.execute(trx)
  return rows.map((row) => row.id)
}

/** From now on no license of the batch can come in the place of another, but for one that a refund gives back meanwhile: then it is replaced in its turn. */
async function beginReplacing (trx: Transaction<Database>, { account_id, id }: Recall): Promise<void> {
  await trx.updateTable('recalls').set({ phase: 'replacing', cursor: '' }).where('account_id', '=', account_id).where('id', '=', id).execute()
}

/**
 * Replaces what orders hold of these licenses, with all else that these orders hold of the batch, so that they get one mail. What came to stock since it was
 * looked at first is withdrawn, what has ended is noted. False: one of them was just being sold, and has to be looked at again.
 */
async function replaceChunk (trx: Transaction<Database>, recall: Recall, license_ids: readonly string[]): Promise<boolean> {
  const { account_id, id, batch_id, reason, created_by: actor } = recall
  const holders = await lockHolders(trx, account_id, await holdersOf(trx, account_id, license_ids), await poolsToLock(trx, recall, license_ids))
  await withdrawUnsold(trx, recall, license_ids)
  const { rows: held } = await sql<{ license_id: string }>`
    select a.license_id from orders o
    join line_items i on i.account_id = o.account_id and i.order_id = o.id
    join allocations a on a.account_id = i.account_id and a.line_item_id = i.id and a.ended_as is null
    join licenses l on l.account_id = a.account_id and l.id = a.license_id and l.batch_id = ${batch_id}
    where o.account_id = ${account_id} and o.id = any(${holders.map((holder) => holder.id)}::text[])`.execute(trx)
  const { emptied, replaced } = await replaceHeld(trx, holders, {
    account_id, license_ids: held.map((row) => row.license_id), cause: 'recalled', reason, recall_id: id, actor,
  })
  const given = new Set(replaced.map((replacement) => replacement.old_license_id))
  await writeItems(trx, recall, emptied.map(({ license_id, order_id }) => ({ license_id, order_id, outcome: given.has(license_id) ? 'replaced' : 'short' })))
  await skipEnded(trx, recall, license_ids)
  return (await holdersOf(trx, account_id, license_ids)).length === 0
}

async function holdersOf (trx: Transaction<Database>, account_id: string, license_ids: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ order_id: string }>`
    select distinct order_id from allocations where account_id = ${account_id} and license_id = any(${license_ids}::text[]) and ended_as is null`.execute(trx)
  return rows.map((row) => row.order_id)
}

async function finish (trx: Transaction<Database>, { account_id, id, batch_id }: Recall): Promise<void> {
  const { withdrawn, replaced, short, skipped } = await trx.updateTable('recalls')
    .set({ status: 'done', finished_at: sql<Date>`now()`, total: sql<number>`withdrawn + replaced + short + failed + skipped` })
    .where('account_id', '=', account_id).where('id', '=', id).returning(['withdrawn', 'replaced', 'short', 'skipped']).executeTakeFirstOrThrow()
  await recordEvent(trx, { account_id, type: 'batch.recalled', subject_id: batch_id, data: { recall_id: id, withdrawn, replaced, short, skipped } })
}
