import type { Kysely } from 'kysely'
import type { BaseLogger } from 'pino'
import type { Database } from '../database/connect.js'
import { insist } from '../database/insist.js'
import type { Keyring } from '../sealing.js'
import { call, isSuccess, type Line } from './call.js'
import type { ClaimedMessage } from './claim.js'
import { changeCall, noventiqCall, signalCall } from './compose.js'
import { findTarget, type Target } from './find-target.js'
import { finishMessage, type Result } from './finish.js'
import { keptAnswer } from './kept-answer.js'
import { noventiqBody } from './noventiq.js'
import { signingSecretsOf } from './secrets.js'

export type Log = Pick<BaseLogger, 'info' | 'warn' | 'error'>

/** What calling webhooks needs. */
export interface Outbox { db: Kysely<Database>, keyring: Keyring, log: Log, line: Line, public_url: string }

const RELEASED: Result = { outcome: 'released', called: null, response: null, error: null }

async function composed ({ db, keyring, public_url }: Outbox, target: Target, claimed: ClaimedMessage) {
  if (target.type === 'noventiq') return noventiqCall(target, await noventiqBody(db, public_url, claimed))
  return claimed.kind === 'signal' ? signalCall(target, public_url) : changeCall(target, claimed, await signingSecretsOf(db, keyring, target))
}

/** Calls the URL. Says how that went; never throws. */
async function tryToSend (outbox: Outbox, claimed: ClaimedMessage, signal: AbortSignal): Promise<Result> {
  try {
    const target = await findTarget(outbox.db, outbox.keyring, { account_id: claimed.account_id, id: claimed.webhook_id })
    if (target === undefined) return { ...RELEASED, error: 'the webhook was made inactive' }
    const asked = await composed(outbox, target, claimed)
    const called = await call(outbox.line, asked, { signal })
    if (signal.aborted && called.status_code === null) return { ...RELEASED, error: 'the worker stopped' }
    // an endpoint may repeat what it was told, and this type is told of customers
    const answer = target.type === 'noventiq' ? '' : keptAnswer(called.body, asked, target)
    const response = called.status_code === null ? null : answer
    if (isSuccess(called)) return { outcome: 'sent', called, response, error: null }
    return { outcome: 'failed', called, response, error: called.error ?? `the endpoint answered ${called.status_code}` }
  } catch (error) {
    const { name, code } = error as { name?: string, code?: string } // its message might quote what it failed on
    return { outcome: 'failed', called: null, response: null, error: `the call could not be made: ${code ?? name ?? 'unknown'}` }
  }
}

/**
 * Sends one claimed message and writes down how that ended. When `signal` aborts the connection is cut and the message given back. At least once:
 * a lost answer, or a process that dies before the note, leads to a second message under the same id.
 */
export async function sendMessage (outbox: Outbox, claimed: ClaimedMessage, signal: AbortSignal): Promise<void> {
  const { account_id, webhook_id, id: message_id, attempt } = claimed
  const result = await tryToSend(outbox, claimed, signal)
  const state = await insist(outbox.db, (trx) => finishMessage(trx, claimed, result), signal)
  const fields = { account_id, webhook_id, message_id, attempt, outcome: result.outcome, status: state?.status ?? 'claim lapsed' }
  outbox.log.info({ ...fields, status_code: result.called?.status_code, ms: result.called?.duration_ms }, 'webhook attempt')
  if (state?.disabled === true) outbox.log.warn({ account_id, webhook_id, reason: result.error }, 'webhook disabled')
}
