import type { Kysely } from 'kysely'
import type { BaseLogger } from 'pino'
import type { Database } from '../database/connect.js'
import { insist } from '../database/insist.js'
import { render } from '../mailer/render.js'
import { keptResponse } from '../mailer/response.js'
import { TextTooLong } from '../mailer/tags.js'
import { MailRefused, type MailTransport } from '../mailer/transport.js'
import type { Keyring } from '../sealing.js'
import type { ClaimedDelivery } from './claim.js'
import { finishDelivery, type Result } from './finish.js'
import { keepClaim } from './keep-claim.js'
import { readLetter } from './read-letter.js'

export type Log = Pick<BaseLogger, 'info' | 'warn' | 'error'>

/** What sending needs. `public_url`: where customers reach the service, for links. */
export interface Post { db: Kysely<Database>, keyring: Keyring, public_url: string, transport: MailTransport, log: Log, lease_ms: number }

/** Writes the mail and hands it over. Says how that went; never throws. */
async function tryToSend (post: Post, claimed: ClaimedDelivery, signal: AbortSignal): Promise<Result> {
  let secrets: readonly string[] = []
  try {
    const letter = await readLetter(post.db, post, claimed)
    secrets = [...letter.licenses.map((license) => license.key), ...letter.parent_keys ?? [], ...letter.order_page_url?.split('#').slice(1) ?? []]
    const { subject, text, html, recipient_name } = render(letter)
    const to = { name: recipient_name, address: claimed.to }
    const response = await post.transport.send({ id: claimed.id, message_id: claimed.message_id, to, subject, text, html }, signal)
    return { outcome: 'sent', response: keptResponse(response, secrets) }
  } catch (error) {
    if (error instanceof MailRefused) {
      if (signal.aborted && error.outcome === 'deferred') return { outcome: 'released', response: 'the worker stopped' }
      return { outcome: error.outcome, response: keptResponse(error.answer, secrets) }
    }
    if (error instanceof TextTooLong) return { outcome: 'failed', response: 'the mail would be too long to be sent' }
    const { name, code } = error as { name?: string, code?: string } // its message might quote what it failed on
    return { outcome: 'deferred', response: `the mail could not be written: ${code ?? name ?? 'unknown'}` }
  }
}

/**
 * Sends one claimed delivery and writes down how that ended, keeping the claim alive meanwhile. When `signal` aborts the
 * connection is cut and the delivery is given back. At least once: only a lost answer of the mail server, or a process that dies
 * between it and the note, leads to a second mail, which then has the same Message-ID.
 */
export async function sendDelivery (post: Post, claimed: ClaimedDelivery, signal: AbortSignal): Promise<void> {
  const started = performance.now()
  const lost = new AbortController()
  const heartbeat = setInterval(() => {
    // a database that is away says nothing about the claim; only one that answers no does
    keepClaim(post.db, claimed, post.lease_ms).then((kept) => { if (!kept) lost.abort() }, () => {})
  }, post.lease_ms / 3)
  const fields = { account_id: claimed.account_id, delivery_id: claimed.id, order_id: claimed.order_id, attempt: claimed.attempt }
  try {
    const result = await tryToSend(post, claimed, AbortSignal.any([signal, lost.signal]))
    const status = await insist(post.db, (trx) => finishDelivery(trx, claimed, result), signal)
    const ms = Math.round(performance.now() - started)
    post.log.info({ ...fields, outcome: result.outcome, status: status ?? 'claim lapsed', ms }, 'delivery attempt')
  } finally {
    clearInterval(heartbeat)
  }
}
