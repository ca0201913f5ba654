/** `deferred` may go better later; `bounced` is the server's last word on this mail; `failed` was never fit to be sent. */
export type Refusal = 'deferred' | 'bounced' | 'failed'

/** Why a mail was not handed over. `answer`: what the server or the network said; not yet fit to be kept, see response.ts. */
export class MailRefused extends Error {
  readonly outcome: Refusal
  readonly answer: string
  constructor (outcome: Refusal, answer: string) {
    super(`mail ${outcome}`)
    this.outcome = outcome
    this.answer = answer
  }
}

/** What nodemailer says of a failure. `command`: what was being answered; `CONN` and `API` where nothing was. */
interface Failure { code?: string, originalCode?: string, command?: string, response?: string, responseCode?: number, name?: string, message?: string }

/** Log in first, or not with this login (RFC 4954 §6); use TLS first (RFC 3207 §4); not now (RFC 5321 §4.2.1). They are about us. */
const ABOUT_US = new Set([421, 503, 530, 534, 535, 538])
/** A mailbox that is full (RFC 5321 §4.2.3, RFC 3463 §3.3) may be emptied. */
const FULL = /^552(?:[ -]5\.2\.2|(?![ -]5\.))/
/** Servers that greylist ought to say 4xx; some say 5xx and the reason. */
const PASSING = /\bgr[ae]y-?list|\btry (?:again|later)|\btemporar(?:y|ily)\b|^5\d\d[ -]4\.\d/i

/** Whether the answer is the last word on this mail: a 5xx to the sender, the recipient or the data. One to the connection or the login is about us. */
function isFinal ({ command = '', response = '', responseCode = 0 }: Failure): boolean {
  if (responseCode < 500 || ABOUT_US.has(responseCode) || !/^(MAIL|RCPT|DATA|API)/.test(command)) return false
  return !FULL.test(response) && !PASSING.test(response)
}

/** What failed before there was an answer, in a few words. */
function said ({ code, originalCode, response, message = '', name }: Failure): string {
  const cause = originalCode ?? response ?? code ?? name ?? 'the connection failed'
  if (code === 'ETLS' && response !== undefined) return `TLS is required and the server does not offer it: ${response}`
  if (code === 'ETLS' || /certificate/i.test(message)) return `TLS failed: ${cause}`
  return response ?? cause
}

/** What was thrown while a mail was handed over, as a refusal. */
export function refusalOf (error: unknown): MailRefused {
  if (error instanceof MailRefused) return error
  const failure = error as Failure
  const { code, response } = failure
  // the server said on greeting how large a mail may be, and nodemailer keeps to it
  if (code === 'EMESSAGE' && response === undefined) return new MailRefused('bounced', 'the mail is larger than the server takes')
  return new MailRefused(isFinal(failure) ? 'bounced' : 'deferred', said(failure))
}
