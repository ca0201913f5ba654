import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'

/**
 * Has a demand called again at once: one that is planned where it is, one that was given up anew, from the first supply that is called. The caller
 * calls wakeWorker() after the commit.
 *
 * @throws Problem supply-order-not-found
 * @throws Problem supply-order-closed  it is being called, it is done, or its line waits for nothing
 */
export async function retrySupplyOrder (
  trx: Transaction<Database>, { account_id, id, actor }: { account_id: string, id: string, actor: string }
): Promise<void> {
  const { rows: [found] } = await sql<{ status: string, waits: boolean, step: number | null, type: string | null, line_item_id: string }>`
    select d.status, d.line_item_id, f.step, f.type, exists (
      select from backorders b where b.account_id = d.account_id and b.line_item_id = d.line_item_id) as waits
    from supply_orders d left join lateral (
      select s.step, s.type from product_supplies s
      where s.account_id = d.account_id and s.product_id = d.product_id and s.type in ('web_service', 'emulator') and d.mode = any(s.modes)
      order by s.step limit 1) f on true
    where d.account_id = ${account_id} and d.id = ${id} for no key update of d`.execute(trx)
  if (found === undefined) throw new Problem('supply-order-not-found')
  const { status, waits, step, type } = found
  if (!['planned', 'given_up'].includes(status)) throw new Problem('supply-order-closed', `it is ${status}`)
  if (!waits) throw new Problem('supply-order-closed', 'its line waits for nothing')
  if (step === null || type === null) throw new Problem('supply-order-closed', 'the product has no supply that is called')
  const anew = status === 'given_up' ? { status: 'planned', step, type, round: sql<number>`round + 1`, attempts: 0, finished_at: null } : {}
  await trx.updateTable('supply_orders').set({ next_attempt_at: sql<Date>`now()`, ...anew }).where('account_id', '=', account_id).where('id', '=', id).execute()
  await recordEvent(trx, { account_id, type: 'supply_order.retried', subject_id: id, actor, data: { line_item_id: found.line_item_id } })
}
