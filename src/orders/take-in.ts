import type pg from 'pg'
import { breaksConnection } from '../database/named-statements.js'
import { idempotencyLock, type IdempotencyKey } from '../database/once.js'
import { MARK_WINDOW } from '../licenses/reshelve.js'
import type { PaidOrder, ReceivedEvent } from './paid-order.js'

/** An order at the door, with what must commit together with it. */
export interface Arrival {
  account_id: string
  /** the id the order gets when it is new */
  order_id: string
  order: PaidOrder
  event?: ReceivedEvent
  idempotency?: IdempotencyKey
  /** the API key, or the payment source */
  actor: string
  /** a replay: lines that the pool's policy left unfulfilled are tried again */
  retry?: boolean
  /** where the pool's policy is to fail, the order is kept unfulfilled, as a webhook's is, and not refused */
  keep?: true
}

/**
 * Licenses an order may have on this way: bounds a join of the picked rows with the slots, which is a nested loop.
 * More go the careful way.
 */
const PLAIN_LICENSES_MAX = 256

/**
 * What the plain statement reports when a parallel order won: unique violation, its own division by zero, deadlock,
 * serialization failure, or a pool locked for too long. The careful way then finds out what there is.
 */
const DECLINED = new Set(['23505', '22012', '40P01', '40001', '55P03'])

/**
 * What the statement needs: index look-ups by nested loops, planned once. The planner takes a JSON text for a hundred
 * rows and a limit by column for a tenth of the stock, and with hash joins walks all of it (docs/decisions/0004).
 */
const SETTINGS = {
  enable_seqscan: 'off', enable_bitmapscan: 'off', enable_hashjoin: 'off', enable_mergejoin: 'off', jit: 'off', plan_cache_mode: 'force_generic_plan',
}
/** The same for the start of a connection of its own. */
export const TAKE_IN_OPTIONS = Object.entries(SETTINGS).map(([name, value]) => `-c ${name}=${value}`).join(' ')
/** And for a pooler, which passes on no such options and keeps no plan, or inside another's work: set for one transaction. */
export const SET_LOCAL = Object.entries(SETTINGS).map(([name, value]) => `set local ${name} = ${value}`).join('; ')
/** Back to what the connection began with. */
export const UNSET_LOCAL = Object.keys(SETTINGS).map((name) => `set local ${name} to default`).join('; ')

/**
 * Orders that are new and whose pools have enough, placed whole: one statement, one round trip, one commit. For each
 * it writes order, lines, slots, allocations, deliveries, event rows, the payment event and the idempotency key.
 * What is not plain (known, under any name, unroutable, short, behind a backorder, of a pool whose licenses expire, or with facts that wait for it) it leaves
 * alone and does not return.
 *
 * Why it is written this way (figures in docs/decisions/0004): picked rows sit in a CTE, as a sub-select under LIMIT may be
 * planned and so locked more than once; the mark keeps the scan off the dead rows of `stock`; what is known already is found by
 * the unique constraints when it is inserted, not by a look-up before (an order is then left alone, an event or a key fails
 * the statement); the delete is only for orders that were inserted, as a parallel duplicate must not delete stock for an
 * order that is not its own. It finds the rows it locked by their place, which no belief about table sizes can turn into a walk;
 * rows of stock are never updated, so they are still there. The product, route and pool of a line each sit in a lateral with a limit, so that
 * it is looked up by its whole key. Should it have deleted others than were picked, the division by
 * zero at the end undoes all of it.
 */
export const TAKE_IN = `
with asked as materialized (
  select distinct on (a.source_id, a.external_id) a.*
  from json_to_recordset($2::json) as a (
    order_id text, source_id text, external_id text, mode text, currency text, locale text, customer jsonb, paid_at timestamptz,
    actor text, line_items json, total_amount bigint, names text[], event_id text, event_key text, event_type text, occurred_at timestamptz,
    event_body text, event_context jsonb,
    operation text, key text, lock text, fingerprint text)
  where a.key is null or pg_try_advisory_xact_lock(hashtextextended(a.lock, 0))
  order by a.source_id, a.external_id
), lines as materialized (
  select a.order_id, a.order_id || '-' || l.number as line_item_id, l.number, l.external_id, l.quantity, l.unit_amount, f.product_id,
    p.id as pool_id, case p.quantity_rule when 'line' then 1 else l.quantity end as slots,
    p.id is null or p.is_dated or (f.is_informational and l.pool_id is null)
      or (select true from backorders b where b.account_id = $1 and b.pool_id = p.id order by b.queue limit 1) is not null as declined
  from asked a
  cross join lateral json_to_recordset(a.line_items) as l (number int, external_id text, product text, quantity int, unit_amount bigint, pool_id text)
  left join lateral (select f.product_id, f.is_informational from product_refs f where f.account_id = $1 and f.ref = l.product limit 1) f on true
  left join lateral (
    select coalesce(l.pool_id, (
      select t.pool_id from pool_routes t
      where t.account_id = $1 and t.mode = a.mode and t.product_id in (f.product_id, '') and t.currency in (a.currency, '')
      order by t.rank limit 1)) as pool_id
    where f.product_id is not null limit 1) r on true
  left join lateral (select p.id, p.quantity_rule, p.dated_from is not null as is_dated from pools p where p.account_id = $1 and p.id = r.pool_id and p.mode = a.mode limit 1) p on true
), wanted as materialized (
  select pool_id, sum(slots) as slots from lines where not declined group by pool_id
), picked as materialized (
  select w.pool_id, s.tid, s.position, s.license_id, row_number() over (partition by w.pool_id order by s.position) as nth
  from wanted w
  cross join lateral (
    select s.ctid as tid, s.position, s.license_id from stock s
    where s.account_id = $1 and s.pool_id = w.pool_id and s.position > coalesce((
      select a.position from allocations a where a.account_id = $1 and a.pool_id = w.pool_id order by a.position desc limit 1), 0) - ${MARK_WINDOW}
    order by s.position limit w.slots for update skip locked) s
), filled as materialized (
  select w.*, p.tid, p.position, p.license_id
  from (
    select l.order_id, l.line_item_id, l.product_id, l.pool_id, unit, row_number() over (partition by l.pool_id order by l.order_id, l.number, unit) as nth
    from lines l cross join lateral generate_series(1, l.slots) as unit where not l.declined) w
  left join picked p on p.pool_id = w.pool_id and p.nth = w.nth
), placed as (
  insert into orders (account_id, id, source_id, external_id, mode, currency, locale, customer, fulfillment_status, paid_at, total_amount, said_paid_at)
  select $1, a.order_id, a.source_id, a.external_id, a.mode, a.currency, a.locale, a.customer, 'fulfilled', a.paid_at, a.total_amount, a.occurred_at
  from asked a
  where not exists (select from lines l where l.order_id = a.order_id and l.declined)
    and not exists (select from filled f where f.order_id = a.order_id and f.license_id is null)
    and (select true from payment_facts f where f.account_id = $1 and f.source_id = a.source_id and f.ref = any(a.names) and f.order_id is null limit 1) is null
    and (select true from order_refs n where n.account_id = $1 and n.source_id = a.source_id and n.ref = any(a.names) limit 1) is null
  order by a.source_id, a.external_id
  on conflict (account_id, source_id, external_id) do nothing
  returning id as order_id
), kept as materialized (
  select f.* from filled f join placed using (order_id)
), taken as (
  delete from stock s using kept k where s.ctid = k.tid returning s.position
), new_lines as (
  insert into line_items (account_id, id, order_id, external_id, product_id, pool_id, quantity, unit_amount, fulfillment_status)
  select $1, l.line_item_id, l.order_id, l.external_id, l.product_id, l.pool_id, l.quantity, l.unit_amount, 'fulfilled' from lines l join placed using (order_id)
), new_names as (
  insert into order_refs (account_id, source_id, ref, order_id)
  select distinct $1, a.source_id, name, a.order_id from asked a join placed using (order_id) cross join lateral unnest(a.names) as name where name <> a.external_id
), new_slots as (
  insert into slots (account_id, line_item_id, unit) select $1, line_item_id, unit from kept
), new_allocations as (
  insert into allocations (account_id, pool_id, position, license_id, order_id, line_item_id, unit)
  select $1, pool_id, position, license_id, order_id, line_item_id, unit from kept
), new_deliveries as (
  insert into deliveries (account_id, order_id, product_id, license_ids, "to")
  select $1, k.order_id, k.product_id, array_agg(k.license_id order by k.nth), min(a.customer ->> 'email')
  from kept k join asked a using (order_id) where a.customer ->> 'email' is not null group by k.order_id, k.product_id
), new_payment_events as (
  insert into payment_events (account_id, id, source_id, event_key, type, status, order_id, body, context, occurred_at, processed_at)
  select $1, a.event_id, a.source_id, a.event_key, a.event_type, 'processed', a.order_id, convert_to(a.event_body, 'UTF8'), a.event_context, a.occurred_at, now()
  from asked a join placed using (order_id) where a.event_id is not null
), new_idempotency_keys as (
  insert into idempotency_keys (account_id, operation, key, fingerprint, status_code, resource_id)
  select $1, a.operation, a.key, decode(a.fingerprint, 'hex'), 201, a.order_id from asked a join placed using (order_id) where a.key is not null
), new_events as (
  insert into events (account_id, type, subject_id, actor, data)
  select $1, 'order.paid', a.order_id, a.actor, '{}'::jsonb from asked a join placed using (order_id)
  union all
  select $1, 'license.allocated', k.license_id, null, jsonb_build_object('order_id', k.order_id, 'line_item_id', k.line_item_id, 'unit', k.unit) from kept k
  union all
  select $1, 'order.fulfilled', p.order_id, null, '{}'::jsonb from placed p
)
select order_id from placed
where 1 / (case when (select row(count(*), sum(position)) from taken) = (select row(count(*), sum(position)) from kept) then 1 else 0 end) = 1`

/** Whether the statement may be tried on an order: it knows nothing of holds, renewals, and orders of other sources. */
export function isSmall (order: PaidOrder): boolean {
  return order.hold_id === undefined && order.parent === undefined && order.same_as === undefined &&
    order.line_items.reduce((sum, line) => sum + line.quantity, 0) <= PLAIN_LICENSES_MAX
}

/** Whether an error of the statement means that the careful way is to be gone. */
export function isDeclined (error: unknown): boolean {
  return DECLINED.has((error as { code?: string }).code ?? '')
}

/** The statement's parameters. */
export function takeInValues (account_id: string, arrivals: readonly Arrival[]): [account_id: string, arrivals: string] {
  return [account_id, JSON.stringify(arrivals.map(asked))]
}

/** Takes in the arrivals of one account, as above; any error undoes them all. Returns the ids of the orders placed; a missing one goes the careful way. */
export async function takeIn (pool: pg.Pool, prepared: boolean, account_id: string, arrivals: readonly Arrival[]): Promise<Set<string>> {
  const values = takeInValues(account_id, arrivals)
  const client = await pool.connect()
  let broken = false
  try {
    if (prepared) return placedOf(await client.query({ name: 'take-in', text: TAKE_IN, values }))
    await client.query(`begin; ${SET_LOCAL}`)
    const placed = placedOf(await client.query({ text: TAKE_IN, values }))
    await client.query('commit')
    return placed
  } catch (error) {
    broken = breaksConnection(error)
    // PostgreSQL tells of an error before it lets go of the locks: by its next answer it has, and the careful way can take them
    if (!broken) await client.query(prepared ? '' : 'rollback').catch(() => { broken = true })
    throw error
  } finally {
    client.release(broken) // pool.query would drop the connection, and its prepared plan, after a mere duplicate
  }
}

const placedOf = ({ rows }: pg.QueryResult<{ order_id: string }>): Set<string> => new Set(rows.map((row) => row.order_id))

/** An arrival as the statement reads it. */
function asked ({ order_id, order, event, idempotency, actor }: Arrival): Record<string, unknown> {
  return {
    order_id,
    actor,
    ...order,
    line_items: order.line_items.map((line, index) => ({ number: index + 1, ...line })),
    names: [order.external_id, ...order.refs ?? []],
    ...(event === undefined
      ? {}
      : {
          event_id: event.id,
          event_key: event.event_key,
          event_type: event.type,
          occurred_at: event.occurred_at,
          event_body: event.body.toString(),
          event_context: event.context ?? {},
        }),
    ...(idempotency === undefined
      ? {}
      : { operation: idempotency.operation, key: idempotency.key, lock: idempotencyLock(idempotency), fingerprint: idempotency.fingerprint.toString('hex') }),
  }
}
