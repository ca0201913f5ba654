import type { Keyring } from '../sealing.js'
import { findStoredEvent } from './find-event.js'
import { sourceOfStored } from './find-source.js'
import { receiveEvent, type Doors, type Outcome } from './receive.js'

/**
 * Processes a stored event again, as it was received and with what its look-ups were answered; where that lacks something, they are made
 * anew. Of one that is processed, only lines that a pool's policy left unfulfilled are tried again. The caller calls wakeWorker().
 *
 * @throws Problem payment-event-not-found
 */
export async function replayEvent (doors: Doors, keyring: Keyring, account_id: string, id: string): Promise<Outcome> {
  const { source_id, event } = await findStoredEvent(doors.db, account_id, id)
  const source = await sourceOfStored(doors.db, keyring, account_id, source_id)
  const outcome = await receiveEvent(doors, source, event, true)
  const lacks = outcome.status === 'failed' && outcome.problem === 'validation-failed' && event.answers !== undefined
  return lacks ? receiveEvent(doors, source, { ...event, answers: undefined }, true) : outcome
}
