// The process that does what is not done while a caller waits. Any number may run against one database.
import { setMaxListeners } from 'node:events'
import path from 'node:path'
import type { Kysely } from 'kysely'
import type { Config } from './config.js'
import type { Database } from './database/connect.js'
import { analyzeGrown } from './database/analyze-grown.js'
import { purgeIdempotencyKeys } from './database/purge-idempotency-keys.js'
import { inTransaction } from './database/transaction.js'
import { openPost, type Post } from './deliveries/send.js'
import { wakeWorker } from './deliveries/wake.js'
import { removeKeptMails } from './erasures/remove-kept-mails.js'
import { dueForRetention, startRetention } from './erasures/retention.js'
import { runningErasures, workOnErasure } from './erasures/work.js'
import { poolsOfExpired, reclaimExpired } from './holds/reclaim.js'
import { fillPool } from './licenses/fill.js'
import { tendDated, untendedPools } from './licenses/expire.js'
import { reshelve, strandedPools, waitingPools } from './licenses/reshelve.js'
import { sweepStaging } from './licenses/sweep-staging.js'
import { mailTransport, type MailTransport } from './mailer/transport.js'
import type { Intake } from './orders/intake.js'
import { placeOrder } from './orders/place.js'
import { advanceReplays } from './payments/advance-replays.js'
import { approveFilledRequest } from './requests/approve-filled.js'
import { becomeDue } from './requests/become-due.js'
import { findDue, findFilled, findOldDrafts } from './requests/find-waiting.js'
import { purgeDraft } from './requests/purge-draft.js'
import { findUnsettled, settleFacts } from './orders/adopt-facts.js'
import { completeRecall, settledShortages } from './recalls/complete.js'
import { runningRecalls, workOnRecall } from './recalls/work.js'
import type { Keyring } from './sealing.js'
import { cancelSurplus, findSurplus } from './supplies/cancel-surplus.js'
import { findSuppliable } from './supplies/find-suppliable.js'
import { supplyLine } from './supplies/supply.js'
import { purgeMessages } from './webhooks/purge.js'
import { alertJobs, alertMails } from './worker/alerts.js'
import { lookUps, supplies, webhooks } from './worker/calls.js'
import { deliveries } from './worker/deliveries.js'
import { inEach } from './worker/in-each.js'
import { repeat, type Ground, type Job } from './worker/repeat.js'
import { sendAll } from './worker/send-all.js'

/** What the worker runs on. `transport`: where mails go, else what the configuration names. */
export interface WorkerOptions extends Ground, Pick<Post, 'retry_delay_ms'> { config: Config, transport?: MailTransport }

/** A running worker. `stop` takes nothing new, lets mails and calls under way finish for `grace_ms`, gives back the rest, and resolves. */
export interface Worker { stop (grace_ms?: number): Promise<void> }

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
  ['take expired stock out', 5 * SECOND, tendPools],
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
  ['erase customers', SECOND, workOnErasures],
  ['begin rounds of retention', 10 * MINUTE, (db, keyring) => inEach(db, dueForRetention, (trx, account_id) => startRetention(trx, keyring, account_id))],
  ['purge old drafts', HOUR, (db) => inEach(db, findOldDrafts, purgeDraft)],
  ...alertJobs,
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

/** Steps of each erasure that one round does, likewise. */
const ERASURE_STEPS = 100

async function workOnErasures (db: Kysely<Database>, keyring: Keyring): Promise<void> {
  for (let step = 0, worked = true; worked && step < ERASURE_STEPS; step++) {
    worked = false
    await inEach(db, runningErasures, async (trx, erasure) => { worked = await workOnErasure(trx, keyring, erasure) || worked })
  }
}

/** Of a pool in which very much expires at once, so many chunks in one round. */
const EXPIRY_CHUNKS = 20

async function tendPools (db: Kysely<Database>): Promise<void> {
  for (let chunk = 0, more = true; more && chunk < EXPIRY_CHUNKS; chunk++) {
    more = false
    await inEach(db, untendedPools, async (trx, pool) => { more = await tendDated(trx, pool) || more })
  }
}

/** A stop must be over before a supervisor's patience is (10 s): this and the time to write down what was given back. */
const GRACE_MS = 6 * SECOND

/** Places orders without the connections of an intake of its own, as what is known already: the plain statement would decline it. */
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
export function startWorker ({ db, config, keyring, log, transport = mailTransport(config), ...times }: WorkerOptions): Worker {
  const stopping = new AbortController()
  setMaxListeners(0, stopping.signal) // every job waits for it, and there are more than the ten that node warns of
  const cut = new AbortController()
  setMaxListeners(0, cut.signal) // so does every mail under way
  const post: Post = { db, keyring, public_url: config.public_url, transport, log, lease_ms: config.delivery_lease_ms, ...times }
  const line = { timeout_ms: config.webhook_timeout_ms, allowed_networks: config.webhook_allowed_networks }
  const [ground, signals] = [{ db, keyring, log, poll_ms: config.worker_poll_ms }, { stopping: stopping.signal, cut: cut.signal }]
  const running = Promise.all([
    sendAll(deliveries(openPost(post, config.worker_concurrency, cut.signal), config), ground, signals),
    sendAll(alertMails({ db, transport, log, public_url: config.public_url }, config), ground, signals),
    sendAll(webhooks({ db, keyring, log, line, public_url: config.public_url }, config.webhook_concurrency), ground, signals),
    sendAll(supplies({ db, keyring, log, allowed_networks: line.allowed_networks }, config.supply_concurrency), ground, signals),
    sendAll(lookUps({ db, keyring, log, line, intake: carefulIntake(db) }), ground, signals),
    repeat(['remove kept mails', 10 * SECOND, () => removeKeptMails(db, path.join(config.data_dir, 'mail'))], ground, stopping.signal),
    ...jobs.map((job) => repeat(job, ground, stopping.signal)),
  ])
  return {
    async stop (grace_ms = GRACE_MS) {
      stopping.abort()
      const grace = setTimeout(() => { cut.abort() }, grace_ms)
      await running
      clearTimeout(grace)
      transport.close?.()
    },
  }
}
