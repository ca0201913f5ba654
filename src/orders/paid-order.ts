/** One purchase as every door hands it to the engine: no word of a checkout's own vocabulary passes this point. */
export interface PaidOrder {
  /** the payment source, or `api-live`, `api-test`, `requests`: with external_id it makes the order unique */
  source_id: string
  external_id: string
  mode: 'live' | 'test'
  /** ISO 4217 */
  currency: string
  /** for example `de_DE` */
  locale: string | null
  customer: Customer
  /** when the money arrived, ISO 8601 */
  paid_at: string
  line_items: PaidLine[]
  /** the hold whose licenses it gets first. One that is unknown or over changes nothing: what is paid is paid */
  hold_id?: string | undefined
  /** the order that this one renews: its id, or its external_id at the same source */
  parent?: string | undefined
  /** minor units, all lines with tax and discount: a refund of this much is a whole one */
  total_amount?: number | undefined
  /** other names that later events of the source call it by */
  refs?: string[] | undefined
  /** the order of another source that this payment is for: both meet in it */
  same_as?: { source_id: string, external_id: string } | undefined
  /** other lines come with other events: these are added to the order where it is known */
  is_partial?: boolean | undefined
}

/** All that is known of who bought: one document, so that what is personal is in one place. The API shows `licensee` and `additional_info` beside it. */
export interface Customer {
  /** absent: nothing is mailed. Orders of requests only */
  email?: string | undefined
  first_name?: string | undefined
  last_name?: string | undefined
  company?: string | undefined
  phone?: string | undefined
  country?: string | undefined
  city?: string | undefined
  zip?: string | undefined
  address?: string | undefined
  /** who will own the product, where that is not who buys it */
  licensee?: Licensee | undefined
  /** what was answered to the checkout's own question */
  additional_info?: string | undefined
}

export interface Licensee {
  name?: string | undefined
  email?: string | undefined
  phone?: string | undefined
  company?: string | undefined
}

export interface PaidLine {
  external_id: string
  /** the id or an external id of a product */
  product: string
  quantity: number
  /** minor units of the order's currency */
  unit_amount: number | null
  /** taken from this pool, if it is the account's and of the order's mode. Null or absent: the pool that serves the product */
  pool_id?: string | null
  /** what a renewal pays for, ISO 8601: `P1Y` */
  period?: string | undefined
}

/** A verified webhook: kept with the order it became. */
export interface ReceivedEvent {
  id: string
  source_id: string
  /** the checkout's own id of the event: a repeat has the same */
  event_key: string
  type: string
  occurred_at: string
  body: Buffer
  /** what only the headers said; default none */
  context?: Record<string, string> | undefined
  /** what the checkout was asked and answered, of an event that needed it */
  answers?: Record<string, unknown> | undefined
}
