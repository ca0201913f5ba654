import type { Kysely } from 'kysely'
import type { BaseLogger } from 'pino'
import type { Database } from '../database/connect.js'
import { insist } from '../database/insist.js'
import { wakeWorker } from '../deliveries/wake.js'
import type { Keyring } from '../sealing.js'
import { call, type Called, type Line } from '../webhooks/call.js'
import type { ClaimedSupplyOrder } from './claim.js'
import { composeCall } from './compose.js'
import { emulate } from './emulate.js'
import { finishSupplyOrder, type Result } from './finish.js'
import { ANSWER_BYTES_MAX, readAnswer } from './read-answer.js'
import { TIMEOUT_S_DEFAULT } from './schema.js'

/** What calling supplies needs. */
export interface Purchasing { db: Kysely<Database>, keyring: Keyring, log: Pick<BaseLogger, 'info'>, allowed_networks: Line['allowed_networks'] }

async function ask ({ db, keyring, allowed_networks }: Purchasing, claimed: ClaimedSupplyOrder, signal: AbortSignal): Promise<Called> {
  if (claimed.settings?.behaviour !== undefined) return emulate(claimed, signal)
  const asked = await composeCall(db, keyring, claimed)
  const timeout_ms = (claimed.settings?.timeout_s ?? TIMEOUT_S_DEFAULT) * 1000
  return call({ timeout_ms, allowed_networks }, asked, { signal, bytes_max: ANSWER_BYTES_MAX })
}

/** Calls. Says how that went; never throws. */
async function tryToCall (purchasing: Purchasing, claimed: ClaimedSupplyOrder, signal: AbortSignal): Promise<Result> {
  if (claimed.settings === null) return { outcome: 'fatal', error: 'the product has no such supply any more' }
  if (claimed.is_spent) return { outcome: 'fatal', error: 'every try was used up' }
  try {
    const called = await ask(purchasing, claimed, signal)
    if (signal.aborted && (called.status_code === null || !called.is_complete)) return { outcome: 'released', error: 'the worker stopped' }
    const { quantity, settings: { temporary_pattern } } = claimed
    return readAnswer(called, { quantity, temporary_pattern })
  } catch (error) {
    const { name, code } = error as { name?: string, code?: string } // its message might quote what it failed on
    return { outcome: 'temporary', error: `the call could not be made: ${code ?? name ?? 'unknown'}` }
  }
}

/**
 * Calls for one claimed demand and writes down how that ended. When `signal` aborts the connection is cut and the demand given back. A process that dies
 * between the answer and the commit leads to a second call with the same Idempotency-Key, to which the service answers with the same licenses.
 */
export async function callSupply (purchasing: Purchasing, claimed: ClaimedSupplyOrder, signal: AbortSignal): Promise<void> {
  const started = performance.now()
  const result = await tryToCall(purchasing, claimed, signal)
  const ms = Math.round(performance.now() - started)
  const finished = await insist(purchasing.db, (trx) => finishSupplyOrder(trx, purchasing.keyring, claimed, result), signal)
  wakeWorker()
  const { account_id, id: supply_order_id, order_id, step, attempt } = claimed
  const { status, error: reason } = finished ?? { status: 'claim lapsed', error: null }
  purchasing.log.info({ account_id, supply_order_id, order_id, step, attempt, outcome: result.outcome, reason, status, ms }, 'supply call')
}
