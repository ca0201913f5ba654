import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { Kind } from './kinds.js'
import { clearAlerts, raiseAlerts, type NewAlert } from './raise.js'

/** What failed is found for so long: a mail is tried for four days, and may come back days later. */
const FOUND_DAYS = 14
/** Alerts that one round raises; more come in the next. */
const RAISED_MAX = 500

/** Whoever reads what failed holds this until commit, so that nothing is raised from a look that is older than another's. False: another does it. */
export async function lockNoting (trx: Transaction<Database>, what: string): Promise<boolean> {
  const { rows: [lock] } = await sql<{ is_mine: boolean }>`select pg_try_advisory_xact_lock(hashtextextended(${`alerts\n${what}`}, 0)) as is_mine`.execute(trx)
  return lock?.is_mine === true
}

/** Raises alerts of mails that will not arrive and of orders that were left without what they paid for, and clears those that are mended. */
export async function noteFailures (trx: Transaction<Database>): Promise<void> {
  if (!await lockNoting(trx, 'failures')) return
  await raiseAlerts(trx, await failedDeliveries(trx))
  await raiseAlerts(trx, await unfulfilledOrders(trx))
  await clearMended(trx, 'delivery.failed', deliveryMended)
  await clearMended(trx, 'order.unfulfilled', orderMended)
}

type Failed = Omit<NewAlert, 'kind' | 'topic'>

const named = (kind: Kind) => (failed: Failed): NewAlert => ({ ...failed, kind, topic: '' })

/**
 * What its order still holds of the licenses may have been mailed since, in one mail or several, or its customer is to have no more mail. What was seen never
 * comes to another order, so a license that is held is held for this one. Sub-selects with a limit, as these look up row by row: an `exists` under an `or` may
 * be planned as a walk through all deliveries.
 */
const deliveryMended = sql`
  (select true from deliveries n where n.account_id = d.account_id and n.order_id = d.order_id and n.status = 'sent' and n.created_at > d.created_at
    and n.license_ids @> d.license_ids and n.product_id = d.product_id limit 1) is not null
  or cardinality(d.license_ids) > 0 and (
    select true from allocations a where a.account_id = d.account_id and a.license_id = any(d.license_ids) and a.ended_as is null and (
      select true from deliveries n where n.account_id = d.account_id and n.order_id = d.order_id and n.status = 'sent' and n.created_at > d.created_at
        and a.license_id = any(n.license_ids) limit 1) is null limit 1) is null
  or (select o.status in ('refunded', 'charged_back', 'cancelled') or o.erased_at is not null from orders o where o.account_id = d.account_id and o.id = d.order_id limit 1)`

async function failedDeliveries (trx: Transaction<Database>): Promise<NewAlert[]> {
  const { rows } = await sql<Failed>`
    select d.account_id, d.id as subject_id, jsonb_build_object('order_id', d.order_id, 'order_external_id', o.external_id, 'status', d.status, 'attempts', d.attempts) as data
    from deliveries d join orders o on o.account_id = d.account_id and o.id = d.order_id
    where d.status in ('failed', 'bounced') and d.created_at > now() - ${sql.lit(FOUND_DAYS)} * interval '1 day'
      and (select true from alerts a where a.account_id = d.account_id and a.subject_id = d.id and a.kind = 'delivery.failed' limit 1) is null
      and not (${deliveryMended})
    order by d.created_at limit ${sql.lit(RAISED_MAX)}`.execute(trx)
  return rows.map(named('delivery.failed'))
}

/** A slot of the line `l` wants a license: not refunded, and not left empty on purpose by a revocation. */
const hasOpenSlot = sql`(select true from slots s where s.account_id = l.account_id and s.line_item_id = l.id and s.cancelled_at is null limit 1) is not null`

/** Lines by the ids of their orders, which begin with the time. */
async function unfulfilledOrders (trx: Transaction<Database>): Promise<NewAlert[]> {
  const { rows } = await sql<Failed>`
    select l.account_id, l.order_id as subject_id,
      jsonb_build_object('order_external_id', o.external_id, 'lines', count(*), 'pool_ids', jsonb_agg(distinct l.pool_id)) as data
    from line_items l join orders o on o.account_id = l.account_id and o.id = l.order_id
    where l.fulfillment_status = 'unfulfilled' and l.ended_units < l.quantity and ${hasOpenSlot} and o.status in ('paid', 'partially_refunded') and not o.is_held
      and l.order_id > 'OR-' || lpad(to_hex((extract(epoch from now() - ${sql.lit(FOUND_DAYS)} * interval '1 day') * 1000)::bigint), 11, '0')
      and (select true from alerts a
        where a.account_id = l.account_id and a.subject_id = l.order_id and a.kind = 'order.unfulfilled' and a.cleared_at is null limit 1) is null
    group by l.account_id, l.order_id, o.external_id order by l.order_id limit ${sql.lit(RAISED_MAX)}`.execute(trx)
  return rows.map(named('order.unfulfilled'))
}

const orderMended = sql`
  d.status not in ('paid', 'partially_refunded') or d.is_held or (
    select true from line_items l
    where l.account_id = d.account_id and l.order_id = d.id and l.fulfillment_status = 'unfulfilled' and l.ended_units < l.quantity and ${hasOpenSlot}
    limit 1) is null`

/** `mended`: a condition on the subject `d`. */
async function clearMended (trx: Transaction<Database>, kind: 'delivery.failed' | 'order.unfulfilled', mended: typeof deliveryMended): Promise<void> {
  const subjects = sql.table(kind === 'delivery.failed' ? 'deliveries' : 'orders')
  const { rows } = await sql<{ account_id: string, id: string }>`
    select a.account_id, a.id from alerts a
    cross join lateral (select * from ${subjects} d where d.account_id = a.account_id and d.id = a.subject_id limit 1) d
    where a.kind = ${kind} and a.cleared_at is null and (${mended})`.execute(trx)
  await clearAlerts(trx, rows.map((row) => row.account_id), rows.map((row) => row.id))
}
