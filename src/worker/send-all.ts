import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { inTransaction } from '../database/transaction.js'
import { waitForWake } from '../deliveries/wake.js'
import { loggedError } from '../log.js'
import { repeat, type Ground } from './repeat.js'

/** One kind of thing that is sent: claimed under a lease, then sent with no transaction open. */
export interface Outgoing<T extends { id: string }> {
  name: string
  /** how many at a time; may change */
  readonly concurrency: number
  /** claims for less room than this are not made; absent: 1 */
  readonly room_min?: number
  claim: (trx: Transaction<Database>, busy: readonly T[]) => Promise<T[]>
  send: (claimed: T, cut: AbortSignal) => Promise<void>
}

/** `stopping`: nothing new is taken. `cut`: what is under way is given back. */
export type Signals = Record<'stopping' | 'cut', AbortSignal>

/** Resolves when the next of what is under way has ended. A race of them all would leave a reaction on each, each time. */
function endings (): { ring: () => void, next: () => Promise<void> } {
  let ring = (): void => {}
  return { ring: () => { ring() }, next: () => new Promise((resolve) => { ring = resolve }) }
}

/** Waits for the bell, for the time of a poll, or for room. */
async function waitForWork (ended: Promise<void>, poll_ms: number, stopping: AbortSignal): Promise<void> {
  const enough = new AbortController()
  await Promise.race([waitForWake(poll_ms, AbortSignal.any([stopping, enough.signal])), ended])
  enough.abort('one has ended')
}

/** Claims what is due whenever there is room, and sends each on its own: a slow server holds up only what goes to it. */
export async function sendAll<T extends { id: string }> (
  outgoing: Outgoing<T>, { db, keyring, log, poll_ms }: Ground & { poll_ms: number }, { stopping, cut }: Signals
): Promise<void> {
  const { name, send } = outgoing
  const busy = new Map<Promise<void>, T>()
  const ends = endings()
  const hasRoom = (): boolean => outgoing.concurrency - busy.size >= (outgoing.room_min ?? 1)
  const round = async (): Promise<void> => {
    while (!hasRoom() && !stopping.aborted) await ends.next()
    if (stopping.aborted) return
    const room = outgoing.concurrency - busy.size
    const claimed = await inTransaction(db, (trx) => outgoing.claim(trx, [...busy.values()]))
    for (const each of claimed) {
      const sending = send(each, cut)
        .catch((error: unknown) => { log.error({ job: name, id: each.id, err: loggedError(error) }, 'left to its lease') })
        .finally(() => {
          busy.delete(sending)
          ends.ring()
        })
      busy.set(sending, each)
    }
    if (claimed.length < room) await waitForWork(ends.next(), poll_ms, stopping)
  }
  await repeat([name, 0, round], { db, keyring, log }, stopping)
  await Promise.all(busy.keys())
}
