import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { lockNoting } from './note-failures.js'
import { clearAlerts, raiseAlerts } from './raise.js'
import { EXPIRING_DAYS_DEFAULT } from './schema.js'

/** Licenses of a pool that are looked at, those that expire first: where more expire, batches behind them come later. */
const LICENSES_MAX = 50_000

interface Expiring {
  account_id: string
  pool_id: string
  batch_id: string
  /** of the pool */
  name: string
  licenses: number
  first_expires_at: string
  days: number
  /** false: of this pool there are more than were looked at */
  is_all: boolean
}

/** Raises alerts of batches with unsold licenses that expire within the days that the account set, and clears those that have none any more. */
export async function noteExpiring (trx: Transaction<Database>): Promise<void> {
  if (!await lockNoting(trx, 'expiring')) return
  const expiring = await findExpiring(trx)
  await raiseAlerts(trx, expiring.map(({ account_id, pool_id, batch_id, name, licenses, first_expires_at, days }) => ({
    account_id, kind: 'batch.expiring', subject_id: batch_id, topic: pool_id, data: { pool_id, name, licenses, first_expires_at, days },
  })))
  const found = new Set(expiring.map(({ account_id, batch_id }) => `${account_id} ${batch_id}`))
  const cut = new Set(expiring.filter((batch) => !batch.is_all).map(({ account_id, pool_id }) => `${account_id} ${pool_id}`))
  const open = await trx.selectFrom('alerts').select(['account_id', 'id', 'subject_id', 'topic']).where('kind', '=', 'batch.expiring').where('cleared_at', 'is', null).execute()
  const over = open.filter(({ account_id, subject_id, topic }) => !found.has(`${account_id} ${subject_id}`) && !cut.has(`${account_id} ${topic}`))
  await clearAlerts(trx, over.map((alert) => alert.account_id), over.map((alert) => alert.id))
}

/** By the index of stock that expires, pool by pool. */
async function findExpiring (trx: Transaction<Database>): Promise<Expiring[]> {
  const { rows } = await sql<Expiring>`
    select p.account_id, p.id as pool_id, e.batch_id, p.name, e.licenses, to_char(e.first_expires_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as first_expires_at,
      d.days, sum(e.licenses) over (partition by p.account_id, p.id) < ${sql.lit(LICENSES_MAX)} as is_all
    from pools p
    left join alert_settings t on t.account_id = p.account_id
    cross join lateral (select coalesce(t.expiring_days, ${sql.lit(EXPIRING_DAYS_DEFAULT)}) as days) d
    cross join lateral (
      select l.batch_id, count(*)::int as licenses, min(s.expires_at) as first_expires_at
      from (
        select license_id, expires_at from stock
        where account_id = p.account_id and pool_id = p.id and expires_at > now() and expires_at <= now() + d.days * interval '1 day'
        order by expires_at, position limit ${sql.lit(LICENSES_MAX)}) s
      join licenses l on l.account_id = p.account_id and l.id = s.license_id
      group by l.batch_id) e
    where p.dated_from is not null`.execute(trx)
  return rows
}
