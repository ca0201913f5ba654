import { sql, type Transaction, type UpdateObject } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { fillPool } from '../licenses/fill.js'
import { refreshFulfillment } from '../licenses/fulfillment.js'
import type { Keyring } from '../sealing.js'
import type { ClaimedSupplyOrder } from './claim.js'
import { giveToLine, type Free } from './give.js'
import { mailLine } from './mail.js'
import { isCalled, passSteps } from './pass.js'
import type { Answer } from './read-answer.js'
import { retryDelayMs } from './schedule.js'
import { lockShortLine, type ShortLine } from './short-line.js'
import { storeKeys } from './store.js'

/** How a claim ended. `released`: not called to the end, because the worker stops. */
export type Result = Answer | { outcome: 'released', error: string }
type Fatal = Extract<Answer, { outcome: 'fatal' }>
/** Where a demand is then, and why. */
export interface Finished { status: 'planned' | 'done' | 'given_up' | 'cancelled', error: string | null }

/**
 * Writes down how a call ended, with all that follows: licenses are loaded into the line's pool and given to the line, or to whoever waits there where it
 * misses nothing any more; after a fatal error the next supply of the product has its turn, and after the last the demand is given up, while the line
 * goes on waiting. Returns where it is then, or undefined when the claim had lapsed: then nothing is written, and
 * the call that follows has the same Idempotency-Key. The caller calls wakeWorker() after the commit.
 */
export async function finishSupplyOrder (
  trx: Transaction<Database>, keyring: Keyring, claimed: ClaimedSupplyOrder, result: Result
): Promise<Finished | undefined> {
  const { account_id, id, attempt } = claimed
  const line = await lockShortLine(trx, claimed)
  const mine = await trx.selectFrom('supply_orders').select('id').where('account_id', '=', account_id).where('id', '=', id)
    .where('status', '=', 'calling').where('claim_id', '=', claimed.claim_id).forUpdate().executeTakeFirst()
  if (mine === undefined) return undefined
  const finished = await apply(trx, keyring, { claimed, line, result })
  await mailLine(trx, line)
  if (finished.status !== 'planned') {
    await recordEvent(trx, { account_id, type: `supply_order.${finished.status}`, subject_id: id, data: { line_item_id: line.line_item_id, attempt } })
  }
  return finished
}

interface Work<T = Result> { claimed: ClaimedSupplyOrder, line: ShortLine, result: T }

async function apply (trx: Transaction<Database>, keyring: Keyring, { claimed, line, result }: Work): Promise<Finished> {
  const { outcome } = result
  if (outcome === 'licenses') return deliver(trx, keyring, { claimed, line, result })
  if (outcome === 'fatal') return askNext(trx, { claimed, line, result })
  const wait_ms = outcome === 'released' ? 0 : retryDelayMs(claimed.attempt, result.retry_after)
  if (wait_ms === undefined) return askNext(trx, { claimed, line, result: { outcome: 'fatal', error: result.error } })
  return end(trx, claimed, { status: 'planned', next_attempt_at: sql<Date>`now() + ${wait_ms} * interval '1 ms'`, last_error: result.error })
}

/** Loads what came. Into the line goes what it misses, the rest into stock: it is paid for. */
async function deliver (trx: Transaction<Database>, keyring: Keyring, { claimed, line, result }: Work<Extract<Answer, { outcome: 'licenses' }>>): Promise<Finished> {
  const { account_id, id, pool_id, mode } = claimed
  const source = claimed.settings?.behaviour === undefined ? 'web service' : 'emulator'
  const stored = await storeKeys(trx, keyring, { account_id, pool_id, mode, source, supply_order_id: id, keys: result.keys })
  if (stored === undefined) return askNext(trx, { claimed, line, result: { outcome: 'fatal', error: 'the service returned a license that exists already' } })
  const mine = stored.licenses.slice(0, line.missing)
  const rest = stored.licenses.slice(line.missing)
  await giveToLine(trx, line, mine)
  if (rest.length > 0) await shelve(trx, account_id, rest, line.pools.get(pool_id)?.is_dated === true)
  const finished = await end(trx, claimed, { status: 'done', batch_id: stored.batch_id, last_error: null })
  await fillPool(trx, account_id, pool_id)
  await refreshFulfillment(trx, account_id, [line.order_id])
  return finished
}

/** Into stock, under the positions that they have. A service says no expiry: what it issued never expires, as the stock of a pool with expiries has to say. */
async function shelve (trx: Transaction<Database>, account_id: string, licenses: readonly Free[], is_dated: boolean): Promise<void> {
  const expires_at = is_dated ? sql<Date>`'infinity'` : null
  await trx.insertInto('stock').values(licenses.map((license) => ({ account_id, ...license, expires_at }))).execute()
}

/** The supplies after this one have their turn, or none is left. */
async function askNext (trx: Transaction<Database>, { claimed, line, result: { error } }: Work<Fatal>): Promise<Finished> {
  const { account_id, quantity, step, round } = claimed
  const wanted = Math.min(quantity, line.missing - line.in_stock)
  if (wanted <= 0) return end(trx, claimed, { status: 'cancelled', last_error: error })
  const later = line.steps.filter((other) => other.step > step)
  const next = later.find(isCalled)
  const left = await passSteps(trx, line, next === undefined ? later : later.slice(0, later.indexOf(next)), wanted)
  if (left < wanted) {
    await fillPool(trx, account_id, line.pool_id)
    await refreshFulfillment(trx, account_id, [line.order_id])
  }
  if (left === 0) return end(trx, claimed, { status: 'cancelled', last_error: error })
  if (next !== undefined) {
    return end(trx, claimed, { status: 'planned', step: next.step, type: next.type, round: round + 1, attempts: 0, quantity: left, next_attempt_at: sql<Date>`now()`, last_error: error })
  }
  const { order_id, line_item_id } = line
  await recordEvent(trx, { account_id, type: 'line_item.supply_failed', subject_id: line_item_id, data: { order_id, supply_order_id: claimed.id, reason: error } })
  return end(trx, claimed, { status: 'given_up', last_error: error })
}

async function end (
  trx: Transaction<Database>, { account_id, id }: ClaimedSupplyOrder, columns: UpdateObject<Database, 'supply_orders'> & { status: Finished['status'], last_error: string | null }
): Promise<Finished> {
  const finished_at = columns.status === 'planned' ? null : sql<Date>`now()`
  await trx.updateTable('supply_orders').set({ next_attempt_at: null, claim_id: null, finished_at, ...columns })
    .where('account_id', '=', account_id).where('id', '=', id).execute()
  return { status: columns.status, error: columns.last_error }
}
