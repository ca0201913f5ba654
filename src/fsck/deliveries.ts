import { sql } from 'kysely'
import type { Check } from './check.js'

const told = sql`select account_id, id, order_id, status, unnest(license_ids) as license_id from deliveries`

/** What customers are told: their own keys, all of them, and what may have been seen is marked so. */
export const deliveryChecks: readonly Check[] = [
  {
    // or that this, as a renewal, keeps
    name: 'a delivery holds licenses of its own order only',
    over: 'deliveries',
    broken: sql`
      select distinct d.id from (${told}) d
      where not exists (
        select from allocations a where a.account_id = d.account_id and a.license_id = d.license_id and (a.order_id = d.order_id or a.line_item_id in (
          select unnest(r.kept_line_item_ids) from renewals r where r.account_id = d.account_id and r.order_id = d.order_id)))`,
  }, {
    name: 'the licenses of a delivery that was sent, or may have been, are marked as seen',
    over: 'deliveries',
    broken: sql`
      select distinct d.id from (${told}) d
      where d.status in ('sending', 'sent', 'bounced') and not exists (
        select from license_sightings s where s.account_id = d.account_id and s.license_id = d.license_id and s.how = 'mailed')`,
  }, {
    name: 'every allocated license is in a delivery of its order, if that has an address and no more are being asked for',
    over: 'allocations',
    broken: sql`
      select a.license_id as id from allocations a join orders o on o.account_id = a.account_id and o.id = a.order_id
      where a.ended_as is null and o.customer ->> 'email' is not null and not o.is_held and not exists (
        select from (${told}) d
        where d.account_id = a.account_id and d.order_id = a.order_id and d.license_id = a.license_id and d.status <> 'cancelled')
        and not exists (
          select from supply_orders s where s.account_id = a.account_id and s.line_item_id = a.line_item_id and s.status in ('planned', 'calling'))`,
  },
]
