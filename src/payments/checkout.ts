import type { IncomingHttpHeaders } from 'node:http'
import type { Customer } from '../orders/paid-order.js'

/** A webhook as it came: the bytes that were signed, and the headers. */
export interface RawWebhook { headers: IncomingHttpHeaders, body: Buffer }

/** What a checkout's signature vouches for: the event's own id, and when it was sent. */
export interface Verified { event_key: string, sent_at: Date }

/** What an event says in the engine's words. */
export type Fact =
  /** order: what it says of it; @throws Problem when that is not enough, so that the event is kept under its type */
  | { kind: 'paid', type: string, occurred_at: string, order: () => TranslatedOrder }
  /** nothing to do for it here: kept, with the reason */
  | { kind: 'ignored', type: string, occurred_at: string, reason: string }

/** The order of an event before its source and defaults are filled in. */
export interface TranslatedOrder {
  external_id: string
  currency: string
  locale?: string | undefined
  mode?: 'live' | 'test' | undefined
  paid_at?: string | undefined
  /** a checkout sells to somebody who is mailed */
  customer: Customer & { email: string }
  line_items: Array<{ external_id?: string | undefined, product: string, quantity: number, unit_amount?: number | undefined }>
}

/** One kind of checkout: a file of its own, which knows its signature and its words. None of them passes beyond it. */
export interface Checkout {
  /** A new signing secret in the form that the checkout expects. */
  newSecret (): string
  /**
   * Checks the signature over the raw bytes with every secret given, in constant time, and its age, both ways.
   *
   * @throws Problem signature-invalid
   */
  verify (webhook: RawWebhook, secrets: readonly string[], now: Date): Verified
  /**
   * Translates a verified event.
   *
   * @throws Problem  what is missing or wrong in it: the event is kept with that reason
   */
  translate (body: Buffer, verified: Pick<Verified, 'sent_at'>): Fact
}
