import { sql, type RawBuilder, type SqlBool } from 'kysely'

/**
 * Of the row `o` of orders: it is paid, and a license is still to be allocated or to be mailed, or a dispute is open. A mail that failed or bounced counts as
 * long as none with the same licenses was sent.
 */
export const isUndelivered: RawBuilder<SqlBool> = sql<SqlBool>`(o.status in ('paid', 'partially_refunded', 'disputed') and (o.is_held or o.fulfillment_status <> 'fulfilled' or exists (
  select from deliveries d where d.account_id = o.account_id and d.order_id = o.id and d.status not in ('sent', 'cancelled') and not exists (
    select from deliveries s where s.account_id = d.account_id and s.order_id = d.order_id and s.product_id = d.product_id
      and s.status = 'sent' and s.license_ids @> d.license_ids))))`

const isRenewedSince = (before: Date): RawBuilder<SqlBool> => sql`exists (
  select from line_items l
  left join renewals own on own.account_id = l.account_id and own.line_item_id = l.id
  join renewals r on r.account_id = l.account_id and r.first_line_item_id = coalesce(own.first_line_item_id, l.id)
  join orders p on p.account_id = r.account_id and p.id = r.order_id
  where l.account_id = o.account_id and l.order_id = o.id and p.paid_at >= ${before})`

const isPartOfAsset: RawBuilder<SqlBool> = sql<SqlBool>`(o.source_id = 'requests' and exists (
  select from requests q join assets a on a.account_id = q.account_id and a.id = q.asset_id
  where q.account_id = o.account_id and q.id = o.external_id and a.status not in ('draft', 'terminated')))`

/**
 * Of the row `o` of orders: it is undelivered, or something has happened to it since: a payment, a refund, a mail, a look at a license, a renewal of its
 * chain; or the subscription that it is part of goes on.
 */
export function isInUse (before: Date): RawBuilder<SqlBool> {
  return sql<SqlBool>`(${isUndelivered} or o.paid_at >= ${before}
    or exists (select from payment_facts f where f.account_id = o.account_id and f.order_id = o.id and f.created_at >= ${before})
    or exists (select from deliveries d where d.account_id = o.account_id and d.order_id = o.id and greatest(d.created_at, d.sent_at) >= ${before})
    or exists (
      select from line_items l join allocations a on a.account_id = l.account_id and a.line_item_id = l.id
      join license_sightings s on s.account_id = a.account_id and s.license_id = a.license_id and s.seen_at >= greatest(a.allocated_at, ${before})
      where l.account_id = o.account_id and l.order_id = o.id and a.ended_as is null)
    or ${isRenewedSince(before)} or ${isPartOfAsset})`
}
