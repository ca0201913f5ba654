import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { Problem } from '../problems.js'
import { findOrderId } from './find-order-id.js'
import type { PaidOrder } from './paid-order.js'

/**
 * The order that an event is about, by its own name or by that of the other source's order that it says it is the payment of.
 *
 * @throws Problem order-exists  these are two orders already
 * @throws Problem validation-failed  the account has no such other source
 */
export async function findNamed (trx: Transaction<Database>, account_id: string, order: PaidOrder): Promise<string | undefined> {
  const { source_id, external_id, same_as } = order
  const own = await findOrderId(trx, account_id, source_id, external_id)
  if (same_as === undefined) return own
  const other = await findOrderId(trx, account_id, same_as.source_id, same_as.external_id)
  if (own !== undefined && other !== undefined && own !== other) {
    throw new Problem('order-exists', { detail: `same_as: ${own} and ${other} are two orders already`, params: { order_id: own } })
  }
  if (other === undefined) await assertSource(trx, account_id, order, same_as.source_id)
  return own ?? other
}

async function assertSource (trx: Transaction<Database>, account_id: string, { mode }: PaidOrder, source_id: string): Promise<void> {
  if (source_id === `api-${mode}`) return
  const source = await trx.selectFrom('payment_sources').select('id').where('account_id', '=', account_id).where('id', '=', source_id).where('mode', '=', mode).executeTakeFirst()
  if (source !== undefined) return
  const fault = `same_as.source_id: the account has no ${mode} payment source ${source_id}`
  throw new Problem('validation-failed', { detail: fault, errors: [fault] })
}

/** Writes down every name of an order but its first, so that later events find it by any. A name that another order has stays that one's. */
export async function writeNames (trx: Transaction<Database>, account_id: string, order_id: string, order: PaidOrder): Promise<void> {
  const { source_id, external_id, refs = [], same_as } = order
  const others = same_as === undefined ? [] : [{ source_id: same_as.source_id, ref: same_as.external_id }]
  const names = [...[external_id, ...refs].map((ref) => ({ source_id, ref })), ...others]
  await sql`
    insert into order_refs (account_id, source_id, ref, order_id)
    select distinct ${account_id}, n.source_id, n.ref, ${order_id}
    from unnest(${names.map((name) => name.source_id)}::text[], ${names.map((name) => name.ref)}::text[]) as n (source_id, ref)
    where not exists (select from orders o where o.account_id = ${account_id} and o.source_id = n.source_id and o.external_id = n.ref)
    on conflict do nothing`.execute(trx)
}
