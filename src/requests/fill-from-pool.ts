import { sql, type Transaction } from 'kysely'
import { noteMessage } from '../conversations/note.js'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { newId } from '../ids.js'
import { placeWithin } from '../orders/place-within.js'
import type { Customer, PaidOrder } from '../orders/paid-order.js'
import type { Keyring } from '../sealing.js'
import { approveRequest } from './approve.js'
import { bindingsOf, type Bindings } from './bindings.js'
import { UNLIMITED } from './items.js'
import { missingOf } from './missing-of.js'
import { SERVICE, updateRequestRow, type RequestRow } from './request-row.js'

/** ISO 4217's code for what has no currency: a request says nothing of money, and its pools are named. */
const NO_CURRENCY = 'XXX'
const LINE_QUANTITY_MAX = 10_000 // as of line_items

/**
 * Fills a pending purchase whose product takes a parameter from a pool: as an order of the one engine, with a line per such parameter. Filled at
 * once, the request is approved; short, it stays pending and approve-filled.ts goes on when there is stock. Why it is not filled is
 * written in `pool_note`, for the vendor. A request of another product stays as it is.
 */
export async function fillFromPool (trx: Transaction<Database>, keyring: Keyring, request: RequestRow): Promise<RequestRow> {
  if (request.type !== 'purchase' && request.type !== 'change') return request
  if (request.order_id !== null) return approveFilled(trx, keyring, request)
  const all = await bindingsOf(trx, request)
  const bindings = { ...all, parameters: all.parameters.filter(({ is_written }) => request.type === 'change' || !is_written) } // a purchase's: by hand
  if (bindings.parameters.length === 0) return request
  const why = whyNot(request, bindings)
  if (why !== undefined) return updateRequestRow(trx, request, { pool_note: why })
  const { account_id, id } = request
  const order = await orderOf(trx, request, bindings)
  const placed = await placeWithin(trx, { account_id, order_id: newId('OR'), order, actor: request.created_by ?? id, keep: true })
  const ordered = await updateRequestRow(trx, request, { order_id: placed.id })
  return placed.status === 'fulfilled' ? approveFilled(trx, keyring, ordered) : waitForStock(trx, ordered)
}

/**
 * Approves a request whose order has all its licenses, unless more is wanted of the vendor than comes from the pool. One whose order
 * is still short goes on waiting.
 */
export async function approveFilled (trx: Transaction<Database>, keyring: Keyring, request: RequestRow): Promise<RequestRow> {
  const { account_id, order_id } = request
  const { parameters } = await bindingsOf(trx, request)
  const order = await trx.selectFrom('orders').select(['status', 'fulfillment_status']).where('account_id', '=', account_id).where('id', '=', order_id).executeTakeFirst()
  if (order?.status !== 'paid') return updateRequestRow(trx, request, { waits_for_stock: false, pool_note: 'its order was ended: write the parameter by hand, or fail the request' })
  if (order.fulfillment_status !== 'fulfilled') return waitForStock(trx, request)
  const filled = new Set(parameters.filter(({ is_ordered }) => is_ordered).map(({ name }) => name))
  const missing = (await missingOf(trx, keyring, request, 'fulfillment')).filter((name) => !filled.has(name))
  if (missing.length === 0) return approveRequest(trx, keyring, request, SERVICE)
  return updateRequestRow(trx, request, { waits_for_stock: false, pool_note: `filled from the pool; approve it when there are values of ${missing.join(', ')}` })
}

/** Says so to both sides, once. A pool whose policy is to fail is not waited for, nor is any other beside it: the vendor has to act. */
async function waitForStock (trx: Transaction<Database>, request: RequestRow): Promise<RequestRow> {
  const { account_id, id, order_id } = request
  if (request.waits_for_stock) return request
  await recordEvent(trx, { account_id, type: 'request.short_of_stock', subject_id: id, data: { order_id } })
  await noteMessage(trx, { account_id, instance_id: id, text: 'There is not enough stock to fill this request. It stays pending.' })
  const short = await trx.selectFrom('line_items').select(['pool_id', 'fulfillment_status'])
    .where('account_id', '=', account_id).where('order_id', '=', order_id).where('fulfillment_status', '<>', 'fulfilled').orderBy('id').execute()
  const given_up = short.filter(({ fulfillment_status }) => fulfillment_status === 'unfulfilled')
  return updateRequestRow(trx, request, given_up.length > 0
    ? { pool_note: `${poolsOf(given_up)} is short of stock, and its policy is not to wait: write the parameter by hand, or fail the request` }
    : { waits_for_stock: true, pool_note: `waiting for stock of ${poolsOf(short)}` })
}

const poolsOf = (lines: ReadonlyArray<{ pool_id: string }>): string => `pool ${[...new Set(lines.map(({ pool_id }) => pool_id))].join(', ')}`

/** In words for the vendor; undefined: an order can be placed. */
function whyNot ({ type }: RequestRow, { mode, parameters, quantity }: Bindings): string | undefined {
  if (type === 'change') return 'quantities are not changed from the pool: write the parameter by hand if it needs another value'
  const without = parameters.filter(({ pool_id }) => pool_id === null).map(({ name }) => name)
  if (without.length > 0) return `parameter ${without.join(', ')} has no pool for ${mode} purchases: write it by hand`
  if (!parameters.some(({ quantity_rule }) => quantity_rule === 'unit')) return undefined
  if (quantity === UNLIMITED) return 'the quantity is unlimited and the pool gives one license per unit: write the parameter by hand'
  if (quantity === 0) return 'no item is reserved by quantity and the pool gives one license per unit: write the parameter by hand'
  if (quantity > LINE_QUANTITY_MAX) return `the quantity is above ${LINE_QUANTITY_MAX}: write the parameter by hand`
}

async function orderOf (trx: Transaction<Database>, request: RequestRow, { mode, parameters, quantity }: Bindings): Promise<PaidOrder> {
  return {
    source_id: 'requests',
    external_id: request.id,
    mode,
    currency: NO_CURRENCY,
    locale: null,
    customer: await customerOf(trx, request),
    paid_at: new Date().toISOString(),
    line_items: parameters.map(({ id, pool_id }) => ({
      // where one license is for the whole line, how much it is of does not matter
      external_id: id, product: request.product_id, quantity: Math.min(Math.max(quantity, 1), LINE_QUANTITY_MAX), unit_amount: null, pool_id,
    })),
  }
}

/** Whom the keys are mailed to, if the product says that requests are mailed. */
async function customerOf (trx: Transaction<Database>, { account_id, asset_id }: RequestRow): Promise<Customer> {
  const { rows: [row] } = await sql<{ name: string | null, contact: Record<string, string | undefined> | null, mailed: boolean }>`
    select t.name, t.contact_info -> 'contact' as contact, p.mail_on_request as mailed
    from assets a join products p on p.account_id = a.account_id and p.id = a.product_id
    left join tier_accounts t on t.provider_id = a.provider_id and t.id = a.customer_id
    where a.account_id = ${account_id} and a.id = ${asset_id}`.execute(trx)
  const { email, first_name, last_name } = row?.contact ?? {}
  const given = { email: row?.mailed === true ? email : undefined, first_name, last_name, company: row?.name ?? undefined }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== '')) as Customer
}
