import { sql } from 'kysely'
import { states, type Check } from './check.js'

/** What was found bad: nobody has it any more, and what came in its place is where it was. */
export const recallChecks: readonly Check[] = [
  {
    name: 'a license that was found bad is revoked, and of the slot that lost it',
    over: 'license_revocations',
    broken: sql`
      select r.license_id as id from license_revocations r
      where not exists (
        select from allocations a
        where a.account_id = r.account_id and a.license_id = r.license_id and a.order_id = r.order_id
          and a.line_item_id = r.line_item_id and a.unit = r.unit and a.ended_as = 'revoked')`,
  }, {
    name: 'what came in the place of a bad license was given to its slot',
    over: 'license_revocations',
    broken: sql`
      select r.license_id as id from license_revocations r
      where r.replaced_by is not null and not exists (
        select from allocations a
        where a.account_id = r.account_id and a.license_id = r.replaced_by and a.line_item_id = r.line_item_id and a.unit = r.unit)`,
  }, {
    name: 'a slot that is closed for good lost its license by a revocation',
    over: 'slots',
    broken: sql`
      select s.line_item_id || ' unit ' || s.unit as id from slots s
      where s.is_revoked and not exists (
        select from license_revocations r
        where r.account_id = s.account_id and r.line_item_id = s.line_item_id and r.unit = s.unit and r.cause = 'revoked')`,
  }, {
    name: 'the counts of a recall are those of its items, of its batch',
    over: 'recalls',
    broken: sql`
      select r.id from recalls r
      left join recall_items i on i.account_id = r.account_id and i.recall_id = r.id
      left join licenses l on l.account_id = i.account_id and l.id = i.license_id
      group by r.account_id, r.id
      having (r.withdrawn, r.replaced, r.short, r.failed, r.skipped) is distinct from (
          count(i.license_id) filter (where i.outcome = 'withdrawn'), count(i.license_id) filter (where i.outcome = 'replaced'),
          count(i.license_id) filter (where i.outcome = 'short'), count(i.license_id) filter (where i.outcome = 'failed'),
          count(i.license_id) filter (where i.outcome = 'skipped'))
        or count(i.license_id) <> count(l.id) filter (where l.batch_id = r.batch_id)`,
  }, {
    name: 'a license that a recall replaced has another, and one that it is short of has none yet',
    over: 'recall_items',
    broken: sql`
      select i.license_id as id from recall_items i
      left join license_revocations r on r.account_id = i.account_id and r.license_id = i.license_id
      where i.outcome in ('replaced', 'short', 'failed') and r.recall_id is distinct from i.recall_id
        or i.outcome = 'replaced' and r.replaced_by is null or i.outcome = 'failed' and r.replaced_by is not null`,
  }, {
    name: 'a recall that is done left nothing of its batch in stock, held or with an order',
    over: 'recalls',
    broken: sql`
      select s.license_id || ' is ' || s.state as id from recalls r
      join licenses l on l.account_id = r.account_id and l.batch_id = r.batch_id and l.created_at <= r.created_at
      join (${states}) s on s.account_id = l.account_id and s.license_id = l.id
      where r.status = 'done' and s.state in ('available', 'held', 'allocated')`,
  },
]
