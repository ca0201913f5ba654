import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { readMoment } from '../orders/to-paid-order.js'
import { parseJson } from '../plugins/json-body.js'
import { checked } from './checked.js'
import type { Checkout, Fact } from './checkout.js'
import { Currency, factsOf, fault, Id, MaybeText } from './foreign.js'
import { minorUnits } from './minor-units.js'
import { Capture, captureMeans } from './paypal-orders.js'
import { assertSignedByPayPal } from './paypal-signature.js'
import { eventKeyOf } from './signatures.js'

// The body is signed with a certificate of PayPal's, for a webhook by its id: that id is the source's secret. It is sent up to 25 times in three days
// (developer.paypal.com, notification messages), and nothing public says whether its time is that of the first sending; so four days are in time.
// What is sent twice is known by the event's id, which is signed.
const TOLERANCE_MS = 4 * 24 * 3_600_000

const Money = Type.Object({ currency_code: Currency, value: Type.String() })
const Links = Type.Optional(Type.Array(Type.Object({ rel: Type.String(), href: Type.String() })))
const Envelope = Compile(Type.Object({
  event_type: Type.String({ minLength: 1, maxLength: 255 }),
  create_time: Type.String(),
  resource_type: MaybeText,
  links: Links,
}))
const CaptureBody = Compile(Type.Object({ resource: Capture }))
const Refund = Type.Object({ id: Id, amount: Type.Optional(Money), links: Links })
const RefundBody = Compile(Type.Object({ resource: Refund }))
const ApprovalBody = Compile(Type.Object({ resource: Type.Object({ order_id: Id }) }))
const Dispute = Type.Object({
  status: MaybeText,
  disputed_transactions: Type.Array(Type.Object({ seller_transaction_id: Id }), { minItems: 1, maxItems: 100 }),
  dispute_outcome: Type.Optional(Type.Object({ outcome_code: Type.String() })),
})
const DisputeBody = Compile(Type.Object({ resource: Dispute }))

/** Who a resolved dispute left the money with. `RESOLVED_WITH_PAYOUT`: PayPal paid the buyer, and the seller keeps it. */
const OUTCOMES: Readonly<Record<string, 'dispute_won' | 'dispute_lost'>> = {
  RESOLVED_SELLER_FAVOUR: 'dispute_won',
  RESOLVED_WITH_PAYOUT: 'dispute_won',
  CANCELED_BY_BUYER: 'dispute_won',
  DENIED: 'dispute_won',
  RESOLVED_BUYER_FAVOUR: 'dispute_lost',
  ACCEPTED: 'dispute_lost',
}

export const paypal: Checkout = {
  secret: { pattern: /^[A-Za-z0-9]{10,50}$/, form: 'the id of the webhook, as PayPal\'s developer dashboard shows it' },
  tolerance_ms: TOLERANCE_MS,
  api: {
    url: 'https://api-m.paypal.com',
    headers: (token) => ({ authorization: `Bearer ${token}` }),
    token: {
      path: '/v1/oauth2/token',
      headers: (key) => ({ authorization: `Basic ${Buffer.from(key).toString('base64')}`, 'content-type': 'application/x-www-form-urlencoded' }),
      body: 'grant_type=client_credentials',
    },
  },

  async verify (webhook, secrets, checking) {
    const sent_at = await assertSignedByPayPal(webhook, secrets, checking)
    return { event_key: eventKeyOf(webhook.body, 'id'), sent_at }
  },

  translate ({ body, answers }, options) {
    const notice = parseJson(body)
    const { event_type: type, create_time, resource_type, links = [] } = checked(Envelope, notice)
    const said = { type, occurred_at: readMoment('create_time', create_time), mode: modeOf(links.map(({ href }) => href)) }
    return factsOf(said, () => {
      switch (type) {
        case 'PAYMENT.CAPTURE.COMPLETED': return { ...said, ...captureMeans(checked(CaptureBody, notice).resource, { answers, options }) }
        case 'PAYMENT.CAPTURE.DENIED':
        case 'PAYMENT.CAPTURE.DECLINED': {
          const { id, supplementary_data } = checked(CaptureBody, notice).resource
          return failed(said, supplementary_data?.related_ids?.order_id ?? id)
        }
        case 'CHECKOUT.PAYMENT-APPROVAL.REVERSED': return failed(said, checked(ApprovalBody, notice).resource.order_id)
        case 'PAYMENT.CAPTURE.REFUNDED': return refunded(said, checked(RefundBody, notice).resource)
        case 'PAYMENT.REFUND.FAILED': {
          const refund = checked(RefundBody, notice).resource
          return { ...said, kind: 'refund_failed', change: () => ({ ref: captureOf(refund), subject: String(refund.id) }) }
        }
        case 'PAYMENT.CAPTURE.REVERSED': return reversed(said, checked(RefundBody, notice).resource, resource_type === 'capture')
        case 'CUSTOMER.DISPUTE.CREATED':
        case 'CUSTOMER.DISPUTE.UPDATED':
        case 'CUSTOMER.DISPUTE.RESOLVED': return disputed(said, checked(DisputeBody, notice).resource)
        default: return { ...said, kind: 'ignored', reason: `event_type: "${type.slice(0, 100)}" changes nothing here` }
      }
    })
  },
}

type Said = Pick<Fact, 'type' | 'occurred_at' | 'mode'>

/** No field says it; an event's links are to the API that it is of. */
function modeOf (hrefs: readonly string[]): 'live' | 'test' | undefined {
  const hosts = hrefs.filter((href) => URL.canParse(href)).map((href) => new URL(href).hostname)
  if (hosts.some((host) => host.endsWith('.sandbox.paypal.com'))) return 'test'
  return hosts.some((host) => host.endsWith('.paypal.com')) ? 'live' : undefined
}

function failed (said: Said, ref: number | string): Fact {
  return { ...said, kind: 'payment_failed', change: () => ({ ref: String(ref), subject: '' }) }
}

/** The capture that a refund is of: the last step of its link `up`. */
function captureOf ({ links = [] }: Pick<Static<typeof Refund>, 'links'>): string {
  const href = links.find(({ rel, href }) => rel === 'up' && href.includes('/captures/'))?.href
  const id = /\/captures\/([A-Za-z0-9-]+)/.exec(href ?? '')?.[1]
  if (id === undefined) throw fault('resource.links', 'has no link "up" to a capture')
  return id
}

function refunded (said: Said, refund: Static<typeof Refund>): Fact {
  const change = () => {
    const { amount } = refund
    if (amount === undefined) throw fault('resource.amount', 'is required')
    return { ref: captureOf(refund), subject: String(refund.id), amount: minorUnits('resource.amount.value', amount.value, amount.currency_code.toUpperCase()) }
  }
  return { ...said, kind: 'refunded', change }
}

/** Taken back by PayPal or a bank, as if a dispute were lost. A dispute's subject is its capture too: won later, it undoes this. */
function reversed (said: Said, resource: Static<typeof Refund>, is_capture: boolean): Fact {
  const capture_id = is_capture ? String(resource.id) : captureOf(resource)
  return { ...said, kind: 'dispute_lost', change: () => ({ ref: capture_id, subject: capture_id }) }
}

function disputed (said: Said, { status, disputed_transactions, dispute_outcome }: Static<typeof Dispute>): Fact[] {
  const code = dispute_outcome?.outcome_code ?? ''
  const kind = status === 'RESOLVED' ? OUTCOMES[code] : 'disputed'
  if (kind === undefined) throw fault('resource.dispute_outcome.outcome_code', `"${code.slice(0, 100)}" is not an outcome that is known here`)
  return disputed_transactions.map(({ seller_transaction_id: id }) => ({ ...said, kind, change: () => ({ ref: String(id), subject: String(id) }) }))
}
