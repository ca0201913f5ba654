import type { Reader } from '../database/connect.js'
import type { Letter } from '../mailer/render.js'

/** What a mail says of an order beside its licenses: who sells, who bought, how much of the product and for what. */
export type Sale = Pick<Letter, 'sender' | 'order' | 'quantity' | 'unit_amount' | 'total_amount'>

/** The sale of one product within an order, which is known to be the account's; its lines taken together. */
export async function readSale (
  db: Reader, { account_id, order_id, product_id }: { account_id: string, order_id: string, product_id: string }
): Promise<Sale> {
  const { sender, ...order } = await db.selectFrom('orders').innerJoin('accounts', 'accounts.id', 'orders.account_id')
    .select(['accounts.name as sender', 'orders.external_id', 'orders.currency', 'orders.locale', 'orders.customer'])
    .where('orders.account_id', '=', account_id).where('orders.id', '=', order_id).executeTakeFirstOrThrow()
  const lines = await db.selectFrom('line_items').select(['quantity', 'unit_amount'])
    .where('account_id', '=', account_id).where('order_id', '=', order_id).where('product_id', '=', product_id).execute()
  const prices = lines.map(({ quantity, unit_amount }) => ({ quantity, unit_amount: unit_amount === null ? null : BigInt(unit_amount) }))
  return { sender, order: { ...order, customer: order.customer as Record<string, unknown> }, ...together(prices) }
}

/** Lines of one product taken together: the price of a unit where all have the same, and of all where each is known. */
export function together (lines: ReadonlyArray<{ quantity: number, unit_amount: bigint | null }>): Pick<Sale, 'quantity' | 'unit_amount' | 'total_amount'> {
  const [first = null] = lines.map((line) => line.unit_amount)
  return {
    quantity: lines.reduce((sum, line) => sum + line.quantity, 0),
    unit_amount: lines.every((line) => line.unit_amount === first) ? first : null,
    total_amount: lines.reduce<bigint | null>((sum, line) =>
      sum === null || line.unit_amount === null ? null : sum + line.unit_amount * BigInt(line.quantity), 0n),
  }
}
