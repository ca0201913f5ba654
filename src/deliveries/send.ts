import type { Kysely } from 'kysely'
import type { BaseLogger } from 'pino'
import type { Database } from '../database/connect.js'
import { gather } from '../database/gather.js'
import { insistOn } from '../database/insist.js'
import { render } from '../mailer/render.js'
import { keptResponse } from '../mailer/response.js'
import { room, type Room } from '../mailer/room.js'
import { TextTooLong } from '../mailer/tags.js'
import { MailRefused, type Mail, type MailTransport } from '../mailer/transport.js'
import type { Keyring } from '../sealing.js'
import type { ClaimedDelivery } from './claim.js'
import { finishDeliveries, type Finished, type Result } from './finish.js'
import { keepClaim } from './keep-claim.js'
import { readLetters, type ReadLetter } from './read-letter.js'
import type { RetryDelay } from './schedule.js'

export type Log = Pick<BaseLogger, 'info' | 'warn' | 'error'>

/** What sending needs. `public_url`: where customers reach the service, for links. */
export interface Post {
  db: Kysely<Database>
  keyring: Keyring
  public_url: string
  transport: MailTransport
  log: Log
  lease_ms: number
  /** the next wait of a try that was put off; a test has shorter ones */
  retry_delay_ms?: RetryDelay
}

/** A post that does together what is asked of it at the same time: reading what mails are written from, writing down how tries ended. */
export interface OpenPost extends Post {
  read: (claimed: ClaimedDelivery) => Promise<ReadLetter | Error>
  finish: (finished: Finished) => Promise<string | undefined>
  /** a mail is written when it can be sent: hundreds that wait for a connection would be moved about in memory */
  places: Room
}

/** Mails of one statement: each holds its keys. */
const TOGETHER_MAX = 100

/** Mails that end within so much time are written down together: what a commit takes, so that the while in which a crash sends one again is hardly longer. */
const NOTE_MS = 5

/** Opens a post that sends so many mails at a time; `cut`: how long it insists on writing down. */
export function openPost (post: Post, concurrency: number, cut: AbortSignal): OpenPost {
  return {
    ...post,
    places: room(concurrency),
    read: gather(TOGETHER_MAX, (claimed) => readLetters(post.db, post, claimed)),
    finish: gather(TOGETHER_MAX, (finished) => insistOn(() => finishDeliveries(post.db, finished, post.retry_delay_ms), cut), NOTE_MS),
  }
}

/** How a try went, and where it was accepted whom to send the same once more. */
type Tried = Result & { copy?: Mail }

/** Writes the mail and hands it over. Says how that went; never throws. */
async function tryToSend (post: OpenPost, claimed: ClaimedDelivery, signal: AbortSignal): Promise<Tried> {
  let secrets: readonly string[] = []
  try {
    const read = await post.read(claimed)
    if (read instanceof Error) throw read
    const { letter, from: { sender, bcc } } = read
    secrets = [...letter.licenses.map((license) => license.key), ...letter.parent_keys ?? [], ...letter.order_page_url?.split('#').slice(1) ?? []]
    const { mail, response } = await post.places.within(signal, async () => {
      const { subject, text, html, recipient_name } = render(letter)
      const to = { name: recipient_name, address: claimed.to }
      const mail: Mail = { id: claimed.id, message_id: claimed.message_id, to, subject, text, html, ...sender }
      return { mail, response: await post.transport.send(mail, signal) }
    })
    return { outcome: 'sent', response: keptResponse(response, secrets), ...(bcc === null ? {} : { copy: { ...mail, id: `${mail.id}.copy`, copy_to: bcc } }) }
  } catch (error) {
    const is_final = error instanceof MailRefused && error.outcome !== 'deferred'
    if (signal.aborted && !is_final) return { outcome: 'released', response: 'the worker stopped' }
    if (error instanceof MailRefused) {
      return { outcome: error.outcome, response: keptResponse(error.answer, secrets) }
    }
    if (error instanceof TextTooLong) return { outcome: 'failed', response: 'the mail would be too long to be sent' }
    const { name, code } = error as { name?: string, code?: string } // its message might quote what it failed on
    return { outcome: 'deferred', response: `the mail could not be written: ${code ?? name ?? 'unknown'}` }
  }
}

/** The account's own copy, once: the customer has the mail whatever becomes of it. */
async function sendCopy ({ transport, log }: Post, copy: Mail, signal: AbortSignal, fields: object): Promise<void> {
  try {
    await transport.send(copy, signal)
  } catch (error) {
    log.warn({ ...fields, outcome: error instanceof MailRefused ? error.outcome : 'failed' }, 'the copy of a mail was not sent')
  }
}

/**
 * Sends one claimed delivery and writes down how that ended, keeping the claim alive meanwhile. When `signal` aborts the
 * connection is cut and the delivery is given back. At least once: only a lost answer of the mail server, or a process that dies
 * between it and the note, leads to a second mail, which then has the same Message-ID.
 */
export async function sendDelivery (post: OpenPost, claimed: ClaimedDelivery, signal: AbortSignal): Promise<void> {
  const started = performance.now()
  const trying = new AbortController()
  const cut = (): void => { trying.abort(signal.reason) }
  if (signal.aborted) cut()
  else signal.addEventListener('abort', cut)
  const heartbeat = setInterval(() => {
    // a database that is away says nothing about the claim; only one that answers no does
    keepClaim(post.db, claimed, post.lease_ms).then((kept) => { if (!kept) trying.abort() }, () => {})
  }, post.lease_ms / 3)
  const fields = { account_id: claimed.account_id, delivery_id: claimed.id, order_id: claimed.order_id, attempt: claimed.attempt }
  try {
    const result = await tryToSend(post, claimed, trying.signal)
    const status = await post.finish({ claimed, result })
    const ms = Math.round(performance.now() - started)
    post.log.info({ ...fields, outcome: result.outcome, status: status ?? 'claim lapsed', ms }, 'delivery attempt')
    if (status === 'sent' && result.copy !== undefined) await sendCopy(post, result.copy, signal, fields)
  } finally {
    clearInterval(heartbeat)
    signal.removeEventListener('abort', cut)
  }
}
