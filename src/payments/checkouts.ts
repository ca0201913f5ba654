import type { Checkout } from './checkout.js'
import { lemonSqueezy } from './lemon-squeezy.js'
import { noventiq } from './noventiq.js'
import { paddle } from './paddle.js'
import { paypal } from './paypal.js'
import { shopify } from './shopify.js'
import { standardWebhooks } from './standard-webhooks.js'
import { stripe } from './stripe.js'
import { woocommerce } from './woocommerce.js'

/** Every checkout there is, by the `kind` of a payment source. */
export const checkouts = {
  'standard-webhooks': standardWebhooks,
  stripe,
  paddle,
  'lemon-squeezy': lemonSqueezy,
  shopify,
  woocommerce,
  paypal,
  noventiq,
} as const satisfies Record<string, Checkout>

export type CheckoutKind = keyof typeof checkouts
export const CHECKOUT_KINDS = Object.keys(checkouts) as CheckoutKind[]
