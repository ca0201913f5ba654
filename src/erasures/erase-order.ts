import { sql, type RawBuilder, type SqlBool, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { replanDeliveries } from '../deliveries/replan.js'
import { recordEvent } from '../events/record.js'
import { lockOrder } from '../orders/lock-order.js'
import { emptyEvents } from './empty-events.js'

interface OrderToErase {
  account_id: string
  order_id: string
  /** of the row `o` of orders: it is to be left as it is */
  is_kept: RawBuilder<SqlBool>
  erasure_id: string
  actor: string | null
}

/** `busy`: a mail of it is being sent; come again. `gone`: it was erased before. */
export type ErasedOrder = { outcome: 'erased', payment_events: number } | { outcome: 'kept' } | { outcome: 'busy' } | { outcome: 'gone' }

/** In place of what mail servers said, who quote addresses. */
const ERASED = 'erased'

/**
 * Erases the customer of an order wherever it is written: the order, its mails and what mail servers said of them, the webhooks of checkouts that it came by.
 * What was bought, paid and given stays. Mails that are planned are cancelled. Locks its pools, then the order, so that nobody plans a mail for it meanwhile;
 * one that is being sent is waited for by coming again, since its worker has the address and writes down what the server says.
 */
export async function eraseOrder (trx: Transaction<Database>, { account_id, order_id, is_kept, erasure_id, actor }: OrderToErase): Promise<ErasedOrder> {
  if (await lockOrder(trx, account_id, order_id) === undefined) return { outcome: 'gone' }
  const { rows: [order] } = await sql<{ is_erased: boolean, is_kept: boolean }>`
    select o.erased_at is not null as is_erased, ${is_kept} as is_kept from orders o where o.account_id = ${account_id} and o.id = ${order_id}`.execute(trx)
  if (order === undefined || order.is_erased) return { outcome: 'gone' }
  if (order.is_kept) return { outcome: 'kept' }
  await replanDeliveries(trx, { account_id, order_id, stopped: 'the customer is being erased' })
  const sending = await trx.selectFrom('deliveries').select('id').where('account_id', '=', account_id).where('order_id', '=', order_id)
    .where('status', '=', 'sending').executeTakeFirst()
  if (sending !== undefined) return { outcome: 'busy' }
  await trx.updateTable('orders').set({ customer: '{}', mail_to: null, erased_at: sql<Date>`now()` }).where('account_id', '=', account_id).where('id', '=', order_id).execute()
  await eraseMails(trx, account_id, order_id)
  await eraseAnswers(trx, account_id, order_id)
  const payment_events = await emptyEvents(trx, account_id, await eventsOf(trx, account_id, order_id))
  await recordEvent(trx, { account_id, type: 'order.erased', subject_id: order_id, actor, data: { erasure_id } })
  return { outcome: 'erased', payment_events }
}

/** In statements of their own: once the mails are locked, no report about one is on its way. */
async function eraseMails (trx: Transaction<Database>, account_id: string, order_id: string): Promise<void> {
  const { rows } = await sql<{ id: string }>`
    update deliveries set "to" = '', last_error = case when last_error is not null then ${ERASED} end
    where account_id = ${account_id} and order_id = ${order_id} returning id`.execute(trx)
  const ids = rows.map((row) => row.id)
  await sql`update delivery_reports set diagnostic = ${ERASED} where account_id = ${account_id} and delivery_id = any(${ids}::text[])`.execute(trx)
  await sql`
    update delivery_attempts set response = ${ERASED}
    where account_id = ${account_id} and delivery_id = any(${ids}::text[]) and response is not null`.execute(trx)
}

/** Messages in the words of Noventiq are sent with the customer, so who receives them may have repeated that. */
async function eraseAnswers (trx: Transaction<Database>, account_id: string, order_id: string): Promise<void> {
  await sql`
    update webhook_attempts a set response = ${ERASED} from webhooks w join webhook_messages m on m.account_id = w.account_id and m.webhook_id = w.id
    where w.account_id = ${account_id} and w.type = 'noventiq' and m.data ->> 'order_id' = ${order_id}
      and a.account_id = m.account_id and a.message_id = m.id and a.response is not null`.execute(trx)
  await sql`
    update webhooks set last_success = last_success || '{"response": "erased"}', last_failure = last_failure || '{"response": "erased"}'
    where account_id = ${account_id} and type = 'noventiq'`.execute(trx)
}

/** What checkouts sent of the order: what it was placed by, what was said of it later, and what was kept under one of its names without being processed. */
async function eventsOf (trx: Transaction<Database>, account_id: string, order_id: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    with names as materialized (
      select source_id, external_id as ref from orders where account_id = ${account_id} and id = ${order_id}
      union select source_id, ref from order_refs where account_id = ${account_id} and order_id = ${order_id}
    )
    select id from payment_events where account_id = ${account_id} and order_id = ${order_id} and erased_at is null
    union
    select event_id from payment_facts where account_id = ${account_id} and order_id = ${order_id} and event_id is not null
    union
    select e.id from names n join payment_events e on e.account_id = ${account_id} and e.source_id = n.source_id and e.ref = n.ref
    where e.status = 'failed' or (e.status = 'waiting' and e.next_attempt_at is null)`.execute(trx)
  return rows.map((row) => row.id)
}
