import type { IncomingHttpHeaders } from 'node:http'
import type { Customer } from '../orders/paid-order.js'
import type { FactKind } from '../orders/standing.js'

/** A webhook as it came: the bytes that were signed, and the headers. */
export interface RawWebhook { headers: IncomingHttpHeaders, body: Buffer }

/**
 * What a checkout's signature vouches for: the event's own id, and when it was sent (where nothing says so: now). `context`: what only the
 * headers say and a translation needs, such as Shopify's topic; it is stored with the bytes, so that a replay reads the same.
 */
export interface Verified { event_key: string, sent_at: Date, context?: Record<string, string> }

/** What a check may need beside the bytes. */
export interface Checking {
  now: Date
  /** how old, and how far in the future, an event may say to be; of checkouts that sign a time */
  tolerance_ms: number
  /**
   * A GET for what the signature is checked with (PayPal's certificates), kept for hours.
   *
   * @throws Problem signature-invalid
   * @throws Problem unavailable  nothing was answered
   */
  fetchText: (url: string) => Promise<string>
  /** of the source's options, where the checkout's API is not at its usual place: what a signature is checked with may come from there too */
  api_url?: string | undefined
}

/** What a vendor set for one payment source. */
export interface SourceOptions {
  /** the checkout's own name of an article → the id or an external id of a product here; before all other ways to find it. Null: no license goes with it */
  product_map?: Record<string, string | null>
  /** of the checkout's API, where it is not the checkout's usual one */
  api_url?: string
  /** whether there is a key to the checkout's API */
  has_api_key?: boolean
  /** how old, and how far in the future, an event may say to be; of checkouts that sign a time, whose own measure it replaces */
  tolerance_s?: number
  /** whether an order is held while a dispute of it is open. Default hold */
  on_dispute?: 'hold' | 'none'
  /** CIDR networks that its webhooks come from; none: from anywhere */
  allowed_networks?: string[]
}

/** A verified event as it is translated; a replay has the same. `answers`: what the look-ups were answered, by name; undefined: nothing was asked yet. */
export interface StoredWebhook { body: Buffer, sent_at: Date, context: Record<string, string>, answers?: Record<string, unknown> }

/** A call to the checkout's API for what an event does not carry. GET, JSON. The name is the answer's in `StoredWebhook.answers`. */
export interface Lookup { name: string, path: string }

interface Said {
  /** the checkout's own name of the event */
  type: string
  /** ISO 8601 */
  occurred_at: string
  /** where the event says so; it has to be the mode of the source */
  mode?: 'live' | 'test' | undefined
}

/** What an event says in the engine's words. The functions throw a Problem when the event says too little: it is kept under its type, with that reason. */
export type Fact =
  | Said & { kind: 'paid', order: () => TranslatedOrder }
  | Said & { kind: Exclude<FactKind, 'paid'>, change: () => OrderChange }
  /** not before these calls were answered: the event is kept, the worker makes them, and it is translated again with their answers */
  | Said & { kind: 'unanswered', lookups: Lookup[] }
  /** nothing to do for it here: kept, with the reason */
  | Said & { kind: 'ignored', reason: string }

/** The order of an event before its source and defaults are filled in. */
export interface TranslatedOrder {
  external_id: string
  currency: string
  locale?: string | undefined
  paid_at?: string | undefined
  /** minor units, all lines with tax and discount: what a refund of this much is a whole refund of */
  total_amount?: number | undefined
  /** other names that later events call this order by, such as the id of its payment */
  refs?: string[] | undefined
  /** the order of another source that this payment is for, where the event names one: both sources meet in it */
  same_as?: { source_id: string, external_id: string } | undefined
  /** the hold that was made when the checkout session opened */
  hold_id?: string | undefined
  /** the order that this one renews: its id here, or its external_id at the same source */
  parent?: string | undefined
  /** this event is of some of the order's lines; others come with other events */
  is_partial?: boolean | undefined
  /** a checkout sells to somebody who is mailed */
  customer: Customer & { email: string }
  /** `product`: every name that the checkout has for the article, the most exact first: the first that is known here counts */
  line_items: Array<{ external_id?: string | undefined, product: string | string[], quantity: number, unit_amount?: number | undefined }>
}

/** What an event says of an order that it names. */
export interface OrderChange {
  /** the order's external_id or one of its `refs` */
  ref: string
  /** the checkout's own id of the refund or dispute: what is said last of one counts. '' where it has none */
  subject: string
  /** of a payment that failed: the hold that was made for it */
  hold_id?: string | undefined
  /** minor units */
  amount?: number | undefined
  /** of a refund: the amount is all that was refunded of the order so far */
  is_cumulative?: boolean | undefined
  /** of a refund: nothing is left of the order */
  is_full?: boolean | undefined
  /** of a refund: these lines, by their external_id; without a quantity the whole line */
  lines?: Array<{ external_id: string, quantity?: number | undefined }> | undefined
}

/** One kind of checkout: a file of its own, which knows its signature and its words. None of them passes beyond it. */
export interface Checkout {
  /** `make`: a new signing secret in the form the checkout expects, where it takes one of ours; `form`: what one that it made looks like */
  secret: { make?: () => string, pattern: RegExp, form: string }
  /** of a checkout that signs a time. Milliseconds, either way */
  tolerance_ms?: number
  /**
   * Its API, for look-ups: where it is, and the headers that show the vendor's key. `token`: a key that has to be exchanged first, by a POST
   * whose answer's `access_token` is what `headers` is given in its stead.
   */
  api?: {
    url: string
    headers: (key: string) => Record<string, string>
    token?: { path: string, headers: (key: string) => Record<string, string>, body: string }
  }
  /** what it is answered when the event is kept and not processed yet. Default 202 */
  kept_status?: 200
  /** Whether this is not an event but the call by which the checkout tries the URL: answered 200, whoever sends it. */
  isPing?: (webhook: RawWebhook) => boolean
  /**
   * Checks the signature over the raw bytes with every secret given, in constant time, and its age, both ways.
   *
   * @throws Problem signature-invalid
   */
  verify (webhook: RawWebhook, secrets: readonly string[], checking: Checking): Verified | Promise<Verified>
  /**
   * Translates a verified event. Several facts: one body says them of one order or payment (WooCommerce's whole order, paid and partly refunded).
   * They are taken in the order given, changes before what was paid, so that a new order is placed as it stands after them; the event is processed
   * when all of them are. A fact is known by its event, kind and subject.
   *
   * @throws Problem  what is missing or wrong in it: the event is kept with that reason
   */
  translate (webhook: StoredWebhook, options: SourceOptions): Fact | Fact[]
}
