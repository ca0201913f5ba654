import type { Checkout } from './checkout.js'
import { standardWebhooks } from './standard-webhooks.js'

/** Every checkout there is, by the `kind` of a payment source. */
export const checkouts = {
  'standard-webhooks': standardWebhooks,
} as const satisfies Record<string, Checkout>

export type CheckoutKind = keyof typeof checkouts
export const CHECKOUT_KINDS = Object.keys(checkouts) as CheckoutKind[]
