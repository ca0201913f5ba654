// The process that does what is not done while a caller waits. Any number may run against one database.
import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Kysely, Transaction } from 'kysely'
import type { Config } from './config.js'
import type { Database } from './database/connect.js'
import { analyzeGrown } from './database/analyze-grown.js'
import { purgeIdempotencyKeys } from './database/purge-idempotency-keys.js'
import { inTransaction } from './database/transaction.js'
import { claimDeliveries, type ClaimedDelivery } from './deliveries/claim.js'
import { sendDelivery, type Log, type Post } from './deliveries/send.js'
import { waitForWake, wakeWorker } from './deliveries/wake.js'
import { poolsOfExpired, reclaimExpired } from './holds/reclaim.js'
import { fillPool } from './licenses/fill.js'
import { reshelve, strandedPools, waitingPools } from './licenses/reshelve.js'
import { sweepStaging } from './licenses/sweep-staging.js'
import { loggedError } from './log.js'
import { readMailbox } from './mailer/address.js'
import { mailTransport, type MailTransport } from './mailer/transport.js'
import type { Intake } from './orders/intake.js'
import { placeOrder } from './orders/place.js'
import { advanceReplays } from './payments/advance-replays.js'
import { answerEvent } from './payments/answer-event.js'
import { claimEvents, type ClaimedEvent } from './payments/claim-events.js'
import { approveFilledRequest } from './requests/approve-filled.js'
import { becomeDue } from './requests/become-due.js'
import { findDue, findFilled, findOldDrafts } from './requests/find-waiting.js'
import { purgeDraft } from './requests/purge-draft.js'
import { findUnsettled, settleFacts } from './orders/adopt-facts.js'
import { completeRecall, settledShortages } from './recalls/complete.js'
import { runningRecalls, workOnRecall } from './recalls/work.js'
import type { Keyring } from './sealing.js'
import { callSupply, type Purchasing } from './supplies/call.js'
import { cancelSurplus, findSurplus } from './supplies/cancel-surplus.js'
import { claimSupplyOrders, type ClaimedSupplyOrder } from './supplies/claim.js'
import { findSuppliable } from './supplies/find-suppliable.js'
import { supplyLine } from './supplies/supply.js'
import { claimMessages, type ClaimedMessage } from './webhooks/claim.js'
import { purgeMessages } from './webhooks/purge.js'
import { sendMessage, type Outbox } from './webhooks/send.js'

/** What the worker runs on. `transport`: where mails go, else what the configuration names. */
export interface WorkerOptions { db: Kysely<Database>, config: Config, keyring: Keyring, log: Log, transport?: MailTransport }

/** A running worker. `stop` takes nothing new, lets mails and calls under way finish for `grace_ms`, gives back the rest, and resolves. */
export interface Worker { stop (grace_ms?: number): Promise<void> }

type Job = readonly [name: string, every_ms: number, run: (db: Kysely<Database>, keyring: Keyring) => Promise<unknown>]

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** A load shows a sign of life at least every ten minutes. */
const STAGING_STILL_MS = 15 * MINUTE

/** Beside sending: what is done again and again, one line each. */
const jobs: readonly Job[] = [
  ['analyze grown tables', 5 * SECOND, analyzeGrown],
  ['purge idempotency keys', HOUR, purgeIdempotencyKeys],
  ['purge webhook messages', HOUR, purgeMessages],
  ['reshelve stranded stock', 30 * SECOND, (db) => inEach(db, strandedPools, reshelve)],
  ['fill backorders', 30 * SECOND, (db) => inEach(db, waitingPools, (trx, { account_id, pool_id }) => fillPool(trx, account_id, pool_id))],
  ['end expired holds', 5 * SECOND, (db) => inEach(db, poolsOfExpired, (trx, { account_id, pool_id }) => reclaimExpired(trx, account_id, [pool_id]))],
  ['supply short lines', 2 * SECOND, (db) => inEach(db, findSuppliable, supplyLine)],
  ['cancel surplus supply orders', 2 * SECOND, (db) => inEach(db, findSurplus, cancelSurplus)],
  ['settle facts', SECOND, (db) => inEach(db, findUnsettled, settleFacts)],
  ['work on recalls', SECOND, workOnRecalls],
  ['complete recalls', 2 * SECOND, (db) => inEach(db, settledShortages, completeRecall)],
  ['sweep staging', MINUTE, sweepAll],
  ['approve filled requests', SECOND, (db, keyring) => inEach(db, findFilled, (trx, found) => approveFilledRequest(trx, keyring, found))],
  ['make scheduled requests pending', 5 * SECOND, (db, keyring) => inEach(db, findDue, (trx, found) => becomeDue(trx, keyring, found))],
  ['replay payment events', SECOND, (db, keyring) => advanceReplays({ db, intake: carefulIntake(db) }, keyring)],
  ['purge old drafts', HOUR, (db) => inEach(db, findOldDrafts, purgeDraft)],
]

/** Until nothing is left: what a crash left of a large load is gone at once, not a slice a minute. */
async function sweepAll (db: Kysely<Database>): Promise<void> {
  while ((await inTransaction(db, (trx) => sweepStaging(trx, STAGING_STILL_MS))).dropped > 0);
}

/** Chunks of each recall that one round does: then others get their turn, and a stop is heard. */
const RECALL_CHUNKS = 10

async function workOnRecalls (db: Kysely<Database>): Promise<void> {
  for (let chunk = 0, worked = true; worked && chunk < RECALL_CHUNKS; chunk++) {
    worked = false
    await inEach(db, runningRecalls, async (trx, recall) => { worked = await workOnRecall(trx, recall) || worked })
    if (worked) wakeWorker()
  }
}

/** Works on each of what is found, in a transaction of its own. One that fails stops none of the others, and is reported at the end. */
async function inEach<T> (
  db: Kysely<Database>, find: (db: Kysely<Database>) => Promise<T[]>, work: (trx: Transaction<Database>, found: T) => Promise<unknown>
): Promise<void> {
  const failures: unknown[] = []
  for (const found of await find(db)) await inTransaction(db, (trx) => work(trx, found)).catch((error: unknown) => failures.push(error))
  if (failures.length > 0) throw failures[0]
}

/** How long a job that failed waits: a database that comes back is noticed well within five seconds. */
const RETRY_MS = SECOND
/** A stop must be over before a supervisor's patience is (10 s): this and the time to write down what was given back. */
const GRACE_MS = 6 * SECOND

/** Waits; aborted, it returns early. */
const pause = (ms: number, signal: AbortSignal): Promise<unknown> => delay(ms, undefined, { signal, ref: true }).catch(() => {})

/** What every job stands on. */
type Ground = Pick<WorkerOptions, 'db' | 'keyring' | 'log'>

/** Runs one job until the signal. A failure is logged, once for a row of the same, and ends nothing. */
async function repeat ([name, every_ms, run]: Job, { db, keyring, log }: Ground, signal: AbortSignal): Promise<void> {
  let failing = false
  while (!signal.aborted) {
    try {
      await run(db, keyring)
      if (failing) log.info({ job: name }, 'job works again')
      failing = false
    } catch (error) {
      if (!failing) log.error({ job: name, err: loggedError(error) }, 'job failed')
      failing = true
    }
    await pause(failing ? RETRY_MS : every_ms, signal)
  }
}

/** The right-hand side of our Message-IDs. */
function domainOf ({ mail_from }: Config): string {
  const { address } = readMailbox(mail_from)
  return address.slice(address.indexOf('@') + 1)
}

/** One kind of thing that is sent: claimed under a lease, then sent with no transaction open. */
interface Outgoing<T extends { id: string }> {
  name: string
  /** how many at a time */
  concurrency: number
  claim: (trx: Transaction<Database>, busy: readonly T[]) => Promise<T[]>
  send: (claimed: T, cut: AbortSignal) => Promise<void>
}

/** Waits for the bell, for the time of a poll, or for room. */
async function waitForWork (busy: Iterable<Promise<void>>, poll_ms: number, stopping: AbortSignal): Promise<void> {
  const enough = new AbortController()
  await Promise.race([waitForWake(poll_ms, AbortSignal.any([stopping, enough.signal])), ...busy])
  enough.abort()
}

/** Claims what is due whenever there is room, and sends each on its own: a slow server holds up only what goes to it. */
async function sendAll<T extends { id: string }> (
  { name, concurrency, claim, send }: Outgoing<T>, { db, keyring, log, poll_ms }: Ground & { poll_ms: number },
  { stopping, cut }: Record<'stopping' | 'cut', AbortSignal>
): Promise<void> {
  const busy = new Map<Promise<void>, T>()
  const round = async (): Promise<void> => {
    const room = concurrency - busy.size
    const claimed = room === 0 ? [] : await inTransaction(db, (trx) => claim(trx, [...busy.values()]))
    for (const each of claimed) {
      const sending = send(each, cut)
        .catch((error: unknown) => { log.error({ job: name, id: each.id, err: loggedError(error) }, 'left to its lease') })
        .finally(() => { busy.delete(sending) })
      busy.set(sending, each)
    }
    if (claimed.length < room) await waitForWork(busy.keys(), poll_ms, stopping)
    else await Promise.race(busy.keys())
  }
  await repeat([name, 0, round], { db, keyring, log }, stopping)
  await Promise.all(busy.keys())
}

/** The mails that hand over keys. */
function deliveries (post: Post, config: Config): Outgoing<ClaimedDelivery> {
  const [concurrency, domain] = [config.worker_concurrency, domainOf(config)]
  return {
    name: 'send deliveries',
    concurrency,
    claim: (trx, busy) => claimDeliveries(trx, { limit: concurrency - busy.length, lease_ms: post.lease_ms, domain }),
    send: (delivery, cut) => sendDelivery(post, delivery, cut),
  }
}

/** A call to a webhook is over after its timeout; what is left is for the note, while a database comes back. */
const NOTE_MS = 5 * SECOND

/** What webhooks are told. */
function webhooks (outbox: Outbox, concurrency: number): Outgoing<ClaimedMessage> {
  return {
    name: 'call webhooks',
    concurrency,
    claim: (trx, busy) => claimMessages(trx, { concurrency, busy, lease_ms: outbox.line.timeout_ms + NOTE_MS }),
    send: (message, cut) => sendMessage(outbox, message, cut),
  }
}

/** Where licenses come from that no pool has. */
function supplies (purchasing: Purchasing, concurrency: number): Outgoing<ClaimedSupplyOrder> {
  return {
    name: 'call supplies',
    concurrency,
    claim: (trx, busy) => claimSupplyOrders(trx, { concurrency, busy }),
    send: (demand, cut) => callSupply(purchasing, demand, cut),
  }
}

/** How many checkouts are asked at a time: two calls to each, and most events need none. */
const LOOK_UPS_MAX = 8
/** An event is asked for in a token, a few look-ups and as many rounds: seldom more than four calls. */
const LOOK_UP_CALLS = 4

/** What payment events do not carry. They are placed the careful way, as all that is known already: the plain statement would decline them. */
function lookUps ({ db, keyring, log, line }: Omit<Outbox, 'public_url'>): Outgoing<ClaimedEvent> {
  const calls_ms = LOOK_UP_CALLS * line.timeout_ms
  const [desk, lease_ms] = [{ db, keyring, log, line, calls_ms, intake: carefulIntake(db) }, calls_ms + NOTE_MS]
  return {
    name: 'ask checkouts',
    concurrency: LOOK_UPS_MAX,
    claim: (trx, busy) => claimEvents(trx, { concurrency: LOOK_UPS_MAX, busy, lease_ms }),
    send: (event, cut) => answerEvent(desk, event, cut),
  }
}

/** Places orders without the connections of an intake of its own. */
function carefulIntake (db: Kysely<Database>): Intake {
  return {
    async place (arrival) {
      return { ...await inTransaction(db, (trx) => placeOrder(trx, arrival)), plain: false }
    },
  }
}

/**
 * Starts all jobs; each goes on whatever happens to the others, to the mail server or to the database.
 *
 * @throws Error when MAIL_FROM is not one mail address
 */
export function startWorker ({ db, config, keyring, log, transport = mailTransport(config) }: WorkerOptions): Worker {
  const stopping = new AbortController()
  setMaxListeners(0, stopping.signal) // every job waits for it, and there are more than the ten that node warns of
  const cut = new AbortController()
  const post: Post = { db, keyring, transport, log, lease_ms: config.delivery_lease_ms }
  const line = { timeout_ms: config.webhook_timeout_ms, allowed_networks: config.webhook_allowed_networks }
  const [ground, signals] = [{ db, keyring, log, poll_ms: config.worker_poll_ms }, { stopping: stopping.signal, cut: cut.signal }]
  const running = Promise.all([
    sendAll(deliveries(post, config), ground, signals),
    sendAll(webhooks({ db, keyring, log, line, public_url: config.public_url }, config.webhook_concurrency), ground, signals),
    sendAll(supplies({ db, keyring, log, allowed_networks: line.allowed_networks }, config.supply_concurrency), ground, signals),
    sendAll(lookUps({ db, keyring, log, line }), ground, signals),
    ...jobs.map((job) => repeat(job, ground, stopping.signal)),
  ])
  return {
    async stop (grace_ms = GRACE_MS) {
      stopping.abort()
      const grace = setTimeout(() => { cut.abort() }, grace_ms)
      await running
      clearTimeout(grace)
    },
  }
}
