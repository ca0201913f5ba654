import type { FactKind } from './standing.js'

/** What was said of an order that is named by `ref`: its external_id at the source, or another of its names there. */
export interface NewFact {
  kind: FactKind
  ref: string
  /** the source's own id of the refund or dispute: what is said last of one counts. '' where it has none */
  subject: string
  /** ISO 8601 */
  occurred_at: string
  /** minor units */
  amount?: number | undefined
  /** of a refund: the amount is all that was refunded of the order so far */
  is_cumulative?: boolean | undefined
  /** of a refund: nothing is left of the order */
  is_full?: boolean | undefined
  /** of a refund: these lines, by their external_id; without a quantity the whole line */
  lines?: Array<{ external_id: string, quantity?: number | undefined }> | undefined
}

/** A fact, and who says it. */
export interface SaidFact {
  account_id: string
  /** the payment source, or `api` for a person */
  source_id: string
  /** the payment event, whose row commits with the fact; null: a person's word, whose `ref` is the id of the order */
  event_id: string | null
  fact: NewFact
  /** of a dispute, as the source is set: false where the order goes on while one is open. Default true */
  holds?: boolean | undefined
  /** the API key, or the payment source */
  actor: string | null
  /** for the audit trail */
  reason?: string | undefined
}
