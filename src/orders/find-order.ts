import { sql, type Kysely } from 'kysely'
import type { Database, Reader } from '../database/connect.js'
import { chainOf, type Chain } from '../licenses/chain.js'
import { maskKey } from '../licenses/mask.js'
import { Problem } from '../problems.js'
import type { ON_RENEWALS } from '../products/schema.js'
import { open, type Keyring } from '../sealing.js'
import type { Customer, Licensee } from './paid-order.js'
import type { DELIVERY_REASONS, DELIVERY_STATUSES, FULFILLMENT_STATUSES, MODES, ORDER_STATUSES } from './schema.js'

// The CHECK of the column says so; the generated types only know that it is text.
type Fulfillment = { fulfillment_status: typeof FULFILLMENT_STATUSES[number] }
type Words = Fulfillment & { status: typeof ORDER_STATUSES[number], mode: typeof MODES[number] }
type DeliveryWords = { status: typeof DELIVERY_STATUSES[number], reason: typeof DELIVERY_REASONS[number] }

const SUMMARY = ['id', 'external_id', 'source_id', 'status', 'fulfillment_status', 'mode', 'currency', 'is_held', 'parent_id', 'locale', 'mail_to', 'paid_at', 'created_at', 'erased_at'] as const
// bigint, which pg hands out as text; below 2^53, as every amount that is let in
const AMOUNTS = [sql<number | null>`total_amount::float8`.as('total_amount'), sql<number>`refunded_amount::float8`.as('refunded_amount')]

// kept with the customer, see orders/paid-order.ts
const BESIDE = [sql<Licensee | null>`customer -> 'licensee'`.as('licensee'), sql<string | null>`customer ->> 'additional_info'`.as('additional_info')]

/** The orders of an account, in no order: for a list to narrow. */
export function ordersOf (db: Kysely<Database>, account_id: string) {
  return db.selectFrom('orders').select([...SUMMARY, ...AMOUNTS, sql<Customer>`customer - 'licensee' - 'additional_info'`.as('customer'), ...BESIDE]).where('account_id', '=', account_id).$narrowType<Words>()
}

/**
 * One order with its lines, what each slot holds or held (masked), and its deliveries. Several statements: at READ COMMITTED the
 * parts may be of moments apart.
 *
 * @throws Problem order-not-found
 */
export async function findOrder (db: Kysely<Database>, keyring: Keyring, account_id: string, id: string) {
  const order = await ordersOf(db, account_id).where('id', '=', id).executeTakeFirst()
  if (order === undefined) throw new Problem('order-not-found')
  const lines = await linesOf(db, account_id, id)
  const licenses = await licensesOf(db, keyring, account_id, lines.map((line) => line.id))
  const renewals = order.parent_id === null ? [] : await renewalsOf(db, account_id, id)
  const deliveries = await db.selectFrom('deliveries').select(['id', 'product_id', 'license_ids', 'reason', 'status'])
    .where('account_id', '=', account_id).where('order_id', '=', id).orderBy('created_at').orderBy('id').$narrowType<DeliveryWords>().execute()
  return {
    ...order,
    line_items: lines.map((line) => ({
      ...line,
      licenses: licenses.filter((license) => license.line_item_id === line.id),
      renewal: renewals.find((renewal) => renewal.line_item_id === line.id) ?? null,
    })),
    deliveries,
  }
}

async function linesOf (db: Reader, account_id: string, order_id: string) {
  const lines = await db.selectFrom('line_items')
    .select(['id', 'external_id', 'product_id', 'pool_id', 'quantity', 'unit_amount', 'ended_units', 'fulfillment_status'])
    .select(sql<number>`(select count(*)::int from slots s where s.account_id = line_items.account_id and s.line_item_id = line_items.id and s.cancelled_at is null)`.as('slots'))
    .where('account_id', '=', account_id).where('order_id', '=', order_id).$narrowType<Fulfillment>().execute()
  return lines.map((line) => ({ ...line, unit_amount: line.unit_amount === null ? null : Number(line.unit_amount) }))
    .sort((a, b) => Number(a.id.slice(order_id.length + 1)) - Number(b.id.slice(order_id.length + 1))) // as numbers: -10 comes after -9
}

async function licensesOf (db: Reader, keyring: Keyring, account_id: string, line_item_ids: readonly string[]) {
  const { rows } = await sql<{ id: string, pool_id: string, line_item_id: string, unit: number, state: 'allocated' | 'revoked', sealed: Buffer, allocated_at: Date, expires_at: Date | null, seen_at: Date | null } & Chain>`
    select l.id, l.pool_id, a.line_item_id, a.unit, coalesce(a.ended_as, 'allocated') as state, l.sealed, a.allocated_at, l.expires_at,
      (select min(s.seen_at) from license_sightings s where s.account_id = a.account_id and s.license_id = a.license_id and s.seen_at >= a.allocated_at) as seen_at, ${chainOf('a')}
    from allocations a join licenses l on l.account_id = a.account_id and l.id = a.license_id
    where a.account_id = ${account_id} and a.line_item_id = any(${line_item_ids}::text[]) and (a.ended_as is null or a.ended_as = 'revoked')
    order by a.unit, a.allocated_at`.execute(db)
  return rows.map(({ sealed, pool_id, ...license }) => ({ ...license, masked: maskKey(open(keyring, [account_id, pool_id, license.id], sealed)) }))
}

async function renewalsOf (db: Reader, account_id: string, order_id: string) {
  const renewals = await db.selectFrom('renewals')
    .select(['line_item_id', 'parent_line_item_id', 'first_line_item_id', 'number', 'period'])
    .select([
      sql<typeof ON_RENEWALS[number]>`on_renewal`.as('on_renewal'),
      sql<string[]>`array(
        select a.license_id from allocations a where a.account_id = renewals.account_id and a.line_item_id = any(renewals.kept_line_item_ids) and a.ended_as is null
        order by length(a.line_item_id), a.line_item_id, a.unit)`.as('kept_license_ids'),
    ])
    .where('account_id', '=', account_id).where('order_id', '=', order_id).execute()
  return renewals
}
