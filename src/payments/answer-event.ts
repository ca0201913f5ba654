import type { BaseLogger } from 'pino'
import { inTransaction } from '../database/transaction.js'
import { wakeWorker } from '../deliveries/wake.js'
import type { Keyring } from '../sealing.js'
import type { Line } from '../webhooks/call.js'
import type { ClaimedEvent } from './claim-events.js'
import { findStoredEvent } from './find-event.js'
import { sourceOfStored } from './find-source.js'
import { keepAnswers, putOff, releaseEvent } from './finish-look-up.js'
import { lookUp } from './look-up.js'
import { receiveEvent, type Doors } from './receive.js'

/** What asking checkouts needs. */
export interface Desk extends Doors {
  keyring: Keyring
  line: Line
  /** for all calls of an event: less than the lease of its claim */
  calls_ms: number
  log: Pick<BaseLogger, 'info' | 'warn' | 'error'>
}

/** What one answer names may have to be asked for next; no checkout needs more steps. */
const ROUNDS_MAX = 3

/**
 * Goes on with a claimed event: asks the checkout for what it does not carry, stores the answers and processes it with them. Between the claim
 * and the note no transaction is open; a process that dies there leaves the event to its lease, and it is all done again.
 * When `signal` aborts the event is given back.
 */
export async function answerEvent (desk: Desk, claimed: ClaimedEvent, signal: AbortSignal): Promise<void> {
  const { account_id, id, source_id, attempt } = claimed
  const status = await goOn(desk, claimed, signal)
  desk.log.info({ account_id, source_id, payment_event_id: id, attempt, status: status ?? 'claim lapsed' }, 'payment event asked for')
  wakeWorker()
}

async function goOn (desk: Desk, claimed: ClaimedEvent, signal: AbortSignal): Promise<string | undefined> {
  const { db, keyring, line } = desk
  const until = AbortSignal.any([signal, AbortSignal.timeout(desk.calls_ms)])
  const source = await sourceOfStored(db, keyring, claimed.account_id, claimed.source_id)
  const { event } = await findStoredEvent(db, claimed.account_id, claimed.id)
  let answers = event.answers
  for (let round = 1; ; round++) {
    const outcome = await receiveEvent(desk, source, { ...event, answers })
    if (outcome.status !== 'unanswered') return outcome.status
    const result = round > ROUNDS_MAX
      ? { outcome: 'refused' as const, reason: 'the answers of the checkout lead to no end' }
      : await lookUp(line, source, outcome.lookups, until)
    if (signal.aborted) {
      await inTransaction(db, (trx) => releaseEvent(trx, claimed))
      return 'released'
    }
    if (result.outcome !== 'answered') return inTransaction(db, (trx) => putOff(trx, claimed, result))
    const all = answers = { ...answers, ...result.answers }
    if (!await inTransaction(db, (trx) => keepAnswers(trx, claimed, all))) return undefined
  }
}
