import { sql } from 'kysely'
import type { Check } from './check.js'

/** What was erased: nobody finds the customer any more. */
export const erasureChecks: readonly Check[] = [
  {
    name: 'an erased order says nothing of its customer, nor do its mails and what mail servers said of them',
    over: 'orders',
    broken: sql`
      select o.id from orders o where o.erased_at is not null and (o.customer <> '{}' or o.mail_to is not null)
      union
      select d.id from orders o join deliveries d on d.account_id = o.account_id and d.order_id = o.id
      where o.erased_at is not null and (d."to" <> '' or d.status in ('planned', 'sending')
        or exists (select from delivery_attempts a where a.account_id = d.account_id and a.delivery_id = d.id and a.response <> 'erased')
        or exists (select from delivery_reports r where r.account_id = d.account_id and r.delivery_id = d.id and r.diagnostic <> 'erased'))`,
  }, {
    // one that says more is emptied when the worker is done with it
    name: 'what checkouts sent of an erased order is empty, and so is every payment event that was erased',
    over: 'payment_events',
    broken: sql`
      select e.id from payment_events e left join orders o on o.account_id = e.account_id and o.id = e.order_id
      where (e.erased_at is not null or (o.erased_at is not null and e.next_attempt_at is null)) and (length(e.body) > 0 or e.context <> '{}' or e.answers is not null)`,
  }, {
    name: 'an erasure that is over does not know whom it was about',
    over: 'erasures',
    broken: sql`select id from erasures where status = 'done' and (sealed_subject is not null or fingerprint is not null)`,
  },
]
