import { Compile } from 'typebox/compile'
import type { PaidOrder } from '../orders/paid-order.js'
import { SignedOrder } from '../orders/schema.js'
import { toPaidOrder } from '../orders/to-paid-order.js'
import { checked } from './checked.js'
import type { TranslatedOrder } from './checkout.js'
import type { NamedLine } from './find-products.js'

const Shape = Compile(SignedOrder)

/**
 * The engine's shape of a checkout's order, with the bounds that every order has.
 *
 * @throws Problem validation-failed  naming the field
 */
export function readOrder (
  { total_amount, refs, same_as, is_partial, ...said }: Omit<TranslatedOrder, 'line_items'> & { line_items: NamedLine[] },
  place: Pick<PaidOrder, 'source_id' | 'mode' | 'paid_at'>
): PaidOrder {
  const order = toPaidOrder(checked(Shape, said, 'order'), place)
  return { ...order, total_amount, refs: refs === undefined ? undefined : [...new Set(refs)], same_as, is_partial }
}
