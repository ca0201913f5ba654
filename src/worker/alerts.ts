import type { Kysely } from 'kysely'
import { claimAlertMails, type ClaimedAlertMail } from '../alerts/claim.js'
import { countSales, findSellers } from '../alerts/count-sales.js'
import { findChangedPools, watchNewPools } from '../alerts/find-changed.js'
import { lookAtPools } from '../alerts/look.js'
import { noteExpiring } from '../alerts/note-expiring.js'
import { noteFailures } from '../alerts/note-failures.js'
import { findWaiting, planAlertMails } from '../alerts/plan-mails.js'
import { sendAlertMail, type AlertPost } from '../alerts/send.js'
import type { Config } from '../config.js'
import type { Database } from '../database/connect.js'
import { inTransaction } from '../database/transaction.js'
import { domainOf } from './deliveries.js'
import { inEach } from './in-each.js'
import type { Job } from './repeat.js'
import type { Outgoing } from './send-all.js'

const SECOND = 1000
const MINUTE = 60 * SECOND

/** What is looked for, and who is to be told. */
export const alertJobs: readonly Job[] = [
  ['look at pools', 5 * SECOND, lookAtChanged],
  ['look at what failed', 5 * SECOND, (db) => inTransaction(db, noteFailures)],
  ['look at what expires', MINUTE, (db) => inTransaction(db, noteExpiring)],
  ['count sales', 10 * SECOND, (db) => inEach(db, findSellers, countSales)],
  ['plan alert mails', 2 * SECOND, (db) => inEach(db, findWaiting, planAlertMails)],
]

async function lookAtChanged (db: Kysely<Database>): Promise<void> {
  await inTransaction(db, watchNewPools)
  await inEach(db, findChangedPools, lookAtPools)
}

/** An alert is not urgent to the second: few at a time, so that they hold up no mail to a customer. */
const CONCURRENCY = 2
/** A mail is over by then, or cut. */
const LEASE_MS = MINUTE

/**
 * The mails about alerts.
 *
 * @throws Error when MAIL_FROM is not one mail address
 */
export function alertMails (post: Omit<AlertPost, 'lease_ms'>, config: Pick<Config, 'mail_from'>): Outgoing<ClaimedAlertMail> {
  const domain = domainOf(config)
  return {
    name: 'send alert mails',
    concurrency: CONCURRENCY,
    claim: (trx, busy) => claimAlertMails(trx, { limit: CONCURRENCY - busy.length, lease_ms: LEASE_MS, domain }),
    send: (mail, cut) => sendAlertMail({ ...post, lease_ms: LEASE_MS }, mail, cut),
  }
}
