import type { Checkout } from './checkout.js'
import { lemonSqueezy } from './lemon-squeezy.js'
import { paddle } from './paddle.js'
import { standardWebhooks } from './standard-webhooks.js'
import { stripe } from './stripe.js'

/** Every checkout there is, by the `kind` of a payment source. */
export const checkouts = {
  'standard-webhooks': standardWebhooks,
  stripe,
  paddle,
  'lemon-squeezy': lemonSqueezy,
} as const satisfies Record<string, Checkout>

export type CheckoutKind = keyof typeof checkouts
export const CHECKOUT_KINDS = Object.keys(checkouts) as CheckoutKind[]
