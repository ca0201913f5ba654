import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { spokenLines } from '../deliveries/spoken-lines.js'
import { markSeen } from '../licenses/mark-seen.js'
import { showsLicenses, type OpenedPage } from './open-page.js'

/**
 * Writes down that the customer sees these licenses on the page: a refund revokes them from now on. Once, however often they are shown. Returns
 * those that may be shown: that the order still has, while it is paid; one that was given back meanwhile may be another customer's. Locks the order,
 * then the allocations, as whatever takes licenses away does; that comes wholly before or after.
 */
export async function showLicenses (
  trx: Transaction<Database>, { account_id, order_id }: Pick<OpenedPage, 'account_id' | 'order_id'>, license_ids: readonly string[]
): Promise<Set<string>> {
  if (license_ids.length === 0) return new Set()
  const { rows: [order] } = await sql<Pick<OpenedPage, 'status' | 'is_held'>>`
    select status, is_held from orders where account_id = ${account_id} and id = ${order_id} for share`.execute(trx)
  if (order === undefined || !showsLicenses(order)) return new Set()
  const { rows: held } = await sql<{ license_id: string }>`
    select a.license_id from ${spokenLines(account_id, order_id)} s
    join allocations a on a.account_id = ${account_id} and a.line_item_id = s.holder_id and a.ended_as is null
    where a.license_id = any(${license_ids}::text[]) order by a.license_id for no key update of a`.execute(trx)
  const shown = held.map((allocation) => allocation.license_id)
  // a statement of its own, which sees what another reader wrote while this one waited
  const { rows: fresh } = await sql<{ license_id: string }>`
    select license_id from allocations a
    where account_id = ${account_id} and license_id = any(${shown}::text[]) and ended_as is null and not exists (
      select from license_sightings s where s.account_id = a.account_id and s.license_id = a.license_id and s.how = 'order_page' and s.seen_at >= a.allocated_at)`.execute(trx)
  await markSeen(trx, { account_id, license_ids: fresh.map((license) => license.license_id), how: 'order_page', seen_by: null })
  return new Set(shown)
}
