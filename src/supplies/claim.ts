import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { newId } from '../ids.js'
import { ATTEMPTS_MAX } from './schedule.js'
import { TIMEOUT_S_DEFAULT, type BEHAVIOURS, type ParameterName } from './schema.js'

/** How a supply is called. */
export interface CallSettings {
  per?: 'unit' | 'line'
  url?: string
  method?: 'POST' | 'GET'
  names?: Partial<Record<ParameterName, string>>
  temporary_pattern?: string
  timeout_s?: number
  behaviour?: typeof BEHAVIOURS[number]
}

/** A demand that this claim may call for, until its lease lapses. */
export interface ClaimedSupplyOrder {
  account_id: string
  id: string
  claim_id: string
  order_id: string
  line_item_id: string
  product_id: string
  pool_id: string
  mode: 'live' | 'test'
  number: number
  quantity: number
  step: number
  round: number
  /** of the round, from 1 */
  attempt: number
  /** every try was used up, by workers that died: it is not to be called */
  is_spent: boolean
  /** null: the product has no such supply any more */
  settings: CallSettings | null
  sealed_secret: Buffer | null
}

export interface ClaimOptions {
  /** how many calls this process may have under way, and those that are */
  concurrency: number
  busy: ReadonlyArray<Pick<ClaimedSupplyOrder, 'account_id' | 'product_id'>>
}

/** Calls for one product at a time: one service that hangs is not all. */
const LANES = 4
/** A call is over after its timeout; what is left is for the note, while a database comes back. */
const NOTE_MS = 5000

/** How many calls for each product are under way here. */
function lanesInUse (busy: ClaimOptions['busy']): string {
  const lanes = new Map<string, { account_id: string, product_id: string, calling: number }>()
  for (const { account_id, product_id } of busy) {
    const key = `${account_id} ${product_id}`
    lanes.set(key, { account_id, product_id, calling: (lanes.get(key)?.calling ?? 0) + 1 })
  }
  return JSON.stringify([...lanes.values()])
}

/**
 * Claims demands that are due, of lines that still wait. Once the caller's transaction has committed they are `calling`, and only then may a socket be
 * opened. What another worker is claiming is passed over; what a worker that is gone left in `calling` is due when its lease lapses.
 */
export async function claimSupplyOrders (trx: Transaction<Database>, { concurrency, busy }: ClaimOptions): Promise<ClaimedSupplyOrder[]> {
  const { rows } = await sql<ClaimedSupplyOrder>`
    with due as materialized (
      select d.account_id, d.id, d.next_attempt_at, coalesce(u.calling, 0) + row_number() over (partition by d.account_id, d.product_id order by d.next_attempt_at) as nth
      from supply_orders d
      join backorders b on b.account_id = d.account_id and b.line_item_id = d.line_item_id
      left join json_to_recordset(${lanesInUse(busy)}::json) as u (account_id text, product_id text, calling int)
        on u.account_id = d.account_id and u.product_id = d.product_id
      where d.status in ('planned', 'calling') and d.next_attempt_at <= now()
    ), chosen as materialized (
      select account_id, id from due where nth <= ${LANES}::int order by nth, next_attempt_at limit ${concurrency - busy.length}::int
    ), locked as materialized (
      select d.account_id, d.id, d.product_id, d.step, s.settings, s.sealed_secret, s.type
      from supply_orders d join chosen c on c.account_id = d.account_id and c.id = d.id
      left join product_supplies s on s.account_id = d.account_id and s.product_id = d.product_id and s.step = d.step and s.type = d.type and d.mode = any(s.modes)
      where d.status in ('planned', 'calling') and d.next_attempt_at <= now() for update of d skip locked
    )
    update supply_orders d set status = 'calling', attempts = d.attempts + 1, claim_id = ${newId('CL')},
      next_attempt_at = now() + (coalesce((l.settings ->> 'timeout_s')::int, ${TIMEOUT_S_DEFAULT}::int) * 1000 + ${NOTE_MS}::int) * interval '1 ms'
    from locked l where d.account_id = l.account_id and d.id = l.id
    returning d.account_id, d.id, d.claim_id, d.order_id, d.line_item_id, d.product_id, d.pool_id, d.mode, d.number, d.quantity, d.step, d.round,
      d.attempts as attempt, d.attempts > ${ATTEMPTS_MAX}::int as is_spent, l.settings, l.sealed_secret`.execute(trx)
  return rows
}
