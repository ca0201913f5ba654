/** What a checkout or a person may say of an order. */
export type FactKind = 'paid' | 'payment_failed' | 'cancelled' | 'refunded' | 'refund_failed' | 'disputed' | 'dispute_won' | 'dispute_lost'
