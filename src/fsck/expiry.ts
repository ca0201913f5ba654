import { sql } from 'kysely'
import type { Check } from './check.js'

const fitAfter = sql`statement_timestamp() + p.min_remaining_days * interval '24 hours'`

/** What is not good for ever: keyed by its expiry, found from its pool's mark on, never sold too late. */
export const expiryChecks: readonly Check[] = [
  {
    name: 'no license was given after it had expired',
    over: 'allocations',
    broken: sql`
      select a.license_id as id from allocations a join licenses l on l.account_id = a.account_id and l.id = a.license_id where l.expires_at <= a.allocated_at`,
  }, {
    // the worker looks every five seconds, and takes out some tens of thousands each time
    name: 'what expired an hour ago is not in stock any more',
    over: 'stock',
    broken: sql`select license_id as id from stock where expires_at <= statement_timestamp() - interval '1 hour'`,
  }, {
    name: 'only what expires is recorded as expired',
    over: 'expirations',
    broken: sql`
      select x.license_id as id from expirations x left join licenses l on l.account_id = x.account_id and l.id = x.license_id
      where l.expires_at is null or l.expires_at > x.created_at + interval '1 minute'`, // which is when its transaction began
  }, {
    name: 'stock says when its license expires, from where its pool has expiries',
    over: 'stock',
    broken: sql`
      select s.license_id as id from stock s
      left join licenses l on l.account_id = s.account_id and l.id = s.license_id
      left join pools p on p.account_id = s.account_id and p.id = s.pool_id
      where s.expires_at is distinct from case when s.position >= p.dated_from then coalesce(l.expires_at, 'infinity') end
        or (l.expires_at is not null and s.expires_at is null)`,
  }, {
    name: 'nothing that could be given lies before the mark of its pool',
    over: 'stock',
    broken: sql`
      select s.license_id as id from pools p join stock s on s.account_id = p.account_id and s.pool_id = p.id
      where p.dated_from is not null and (s.expires_at is null or s.expires_at > ${fitAfter}) and case p.pick
        when 'first' then s.position < p.mark_position
        else s.expires_at is not null and (s.expires_at, s.position) < (p.mark_expires_at, p.mark_position) end`,
  },
]
