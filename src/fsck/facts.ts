import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { readStandings } from '../orders/read-standing.js'
import { isSettled } from '../orders/settle.js'
import { closings } from '../orders/units.js'
import type { Check } from './check.js'

const ORDERS_PER_PAGE = 500

/** The orders of which something was said and that do not stand as it says: by the very function that settles them. */
async function unsettled (db: Reader): Promise<string[]> {
  const found: string[] = []
  for (let after = { account_id: '', order_id: '' }; ;) {
    const { rows: page } = await sql<typeof after>`
      select account_id, order_id from payment_facts where order_id is not null and (account_id, order_id) > (${after.account_id}, ${after.order_id})
      group by 1, 2 order by 1, 2 limit ${sql.lit(ORDERS_PER_PAGE)}`.execute(db)
    for (const account_id of new Set(page.map((row) => row.account_id))) {
      const standings = await readStandings(db, account_id, page.filter((row) => row.account_id === account_id).map((row) => row.order_id))
      for (const [id, { stored, standing }] of standings) if (!isSettled(stored, standing)) found.push(`${id} is ${stored.status}, not ${standing.status}`)
    }
    const last = page.at(-1)
    if (last === undefined) return found
    after = last
  }
}

/** What was said of orders, and that they stand as it says. */
export const factChecks: readonly Check[] = [
  {
    name: 'an order stands as all that was said of it says',
    over: 'payment_facts',
    find: unsettled,
  }, {
    name: 'an order of which nothing was said is paid, and nothing of it is over',
    over: 'orders',
    broken: sql`
      select o.id || ' is ' || o.status as id from orders o
      where not exists (select from payment_facts f where f.account_id = o.account_id and f.order_id = o.id)
        and (o.status <> 'paid' or o.refunded_amount > 0 or o.is_held
          or exists (select from line_items l where l.account_id = o.account_id and l.order_id = o.id and l.ended_units > 0))`,
  }, {
    name: 'of a line as many slots are closed as of its units are over, or have lost their license for good',
    over: 'line_items',
    broken: sql`
      select l.id from line_items l cross join ${closings} c
      where c.closed <> c.due and (l.ended_units > 0 or (l.account_id, l.id) in (select account_id, line_item_id from slots where cancelled_at is not null))`,
  }, {
    // what was being sent when the order lost it may be planned again: then the claim leaves it out
    name: 'no mail is planned for a license that its order lost',
    over: 'deliveries',
    broken: sql`
      select distinct d.id from (select *, unnest(license_ids) as license_id from deliveries where status = 'planned' and attempts = 0) d
      where exists (select from allocations a where a.account_id = d.account_id and a.order_id = d.order_id and a.license_id = d.license_id and a.ended_as is not null)
        and not exists (select from allocations a where a.account_id = d.account_id and a.order_id = d.order_id and a.license_id = d.license_id and a.ended_as is null)`,
  }, {
    name: 'a held order waits for nothing, and no mail of it is planned',
    over: 'orders',
    broken: sql`
      select o.id from orders o where o.is_held and (
        exists (select from backorders b join line_items l on l.account_id = b.account_id and l.id = b.line_item_id where l.account_id = o.account_id and l.order_id = o.id)
        or exists (select from deliveries d where d.account_id = o.account_id and d.order_id = o.id and d.status = 'planned' and d.attempts = 0))`,
  }, {
    // the worker joins those that came at the same moment
    name: 'a fact does not wait for an order that is there',
    over: 'payment_facts',
    broken: sql`
      select f.id from payment_facts f
      where f.order_id is null and f.created_at < now() - interval '10 minutes' and (
        exists (select from orders o where o.account_id = f.account_id and o.source_id = f.source_id and o.external_id = f.ref)
        or exists (select from order_refs n where n.account_id = f.account_id and n.source_id = f.source_id and n.ref = f.ref))`,
  }, {
    // one that says more is gone on with by the worker
    name: 'the event of a fact whose order is known is processed',
    over: 'payment_facts',
    broken: sql`
      select f.id from payment_facts f left join payment_events e on e.account_id = f.account_id and e.id = f.event_id
      where f.event_id is not null and f.order_id is not null and e.status is distinct from 'processed' and e.next_attempt_at is null`,
  },
]
