import { sql } from 'kysely'
import type { Check } from './check.js'

/** What was promised to checkout sessions: all of it while a hold is open, nothing afterwards. */
export const holdChecks: readonly Check[] = [
  {
    name: 'an open hold has all that its lines want, from their pools, until its own time',
    over: 'holds',
    broken: sql`
      select h.id || ' line ' || l.number as id
      from holds h
      join hold_lines l on l.account_id = h.account_id and l.hold_id = h.id
      left join held_licenses s on s.account_id = l.account_id and s.hold_id = l.hold_id and s.line_number = l.number
      where h.status = 'open'
      group by h.account_id, h.id, l.number, l.slots
      having count(s.license_id) filter (where s.pool_id = l.pool_id and s.expires_at = h.expires_at) <> l.slots or count(s.license_id) <> l.slots`,
  }, {
    name: 'a hold that is over has nothing, but for what an expired one has in pools that nobody looked at since',
    over: 'held_licenses',
    broken: sql`
      select s.license_id as id from held_licenses s join holds h on h.account_id = s.account_id and h.id = s.hold_id
      where h.status in ('committed', 'released') or (h.status = 'expired' and s.expires_at > now())`,
  }, {
    name: 'a hold has lines, as many licenses as the rule of their pools says, and the mode of these',
    over: 'holds',
    broken: sql`
      select h.id from holds h left join hold_lines l on l.account_id = h.account_id and l.hold_id = h.id
      left join pools p on p.account_id = l.account_id and p.id = l.pool_id
      where case l.pool_id when '' then l.slots <> 0 else p.mode is distinct from h.mode or l.slots not in (1, l.quantity) end`,
  }, {
    name: 'a committed hold has its order',
    over: 'holds',
    broken: sql`
      select h.id from holds h left join orders o on o.account_id = h.account_id and o.id = h.order_id
      where h.status = 'committed' and o.mode is distinct from h.mode`,
  },
]
