import { sql } from 'kysely'
import type { Check } from './check.js'

/** What vendors are alerted of, and how often they are mailed. */
export const alertChecks: readonly Check[] = [
  {
    name: 'an alert is of something that its account has',
    over: 'alerts',
    broken: sql`
      select a.id from alerts a
      where case
        when a.kind like 'pool.%' then a.topic <> a.subject_id or not exists (select from pools p where p.account_id = a.account_id and p.id = a.subject_id)
        when a.kind = 'delivery.failed' then not exists (select from deliveries d where d.account_id = a.account_id and d.id = a.subject_id)
        when a.kind = 'order.unfulfilled' then not exists (select from orders o where o.account_id = a.account_id and o.id = a.subject_id)
        else not exists (select from batches b where b.account_id = a.account_id and b.id = a.subject_id and b.pool_id = a.topic) end`,
  }, {
    name: 'a mailed alert is in a mail of its account, and a mail tells alerts',
    over: 'alert_mails',
    broken: sql`
      select a.id from alerts a
      where a.mail_state = 'mailed' and not exists (select from alert_mails m where m.account_id = a.account_id and m.mailing_id = a.mailing_id)
      union all
      select m.id from alert_mails m
      where not exists (select from alerts a where a.account_id = m.account_id and a.mailing_id = m.mailing_id)`,
  }, {
    name: 'about a kind and pool there is at most one mail an hour',
    over: 'alerts',
    broken: sql`
      select id from (
        select id, mailing_id, mailed_at, lag(mailing_id) over of_topic as last_mailing_id, lag(mailed_at) over of_topic as last_mailed_at
        from alerts where mail_state = 'mailed' window of_topic as (partition by account_id, kind, topic order by mailed_at, mailing_id)) a
      where (mailing_id = last_mailing_id and mailed_at <> last_mailed_at) or (mailing_id <> last_mailing_id and mailed_at < last_mailed_at + interval '1 h')`,
  }, {
    name: 'the sales of a pool that are counted are of its orders',
    over: 'pool_sales',
    broken: sql`
      select d.pool_id as id from pool_sales d
      where d.licenses > (
        select count(*) from orders o
        join line_items l on l.account_id = o.account_id and l.order_id = o.id and l.pool_id = d.pool_id
        join slots s on s.account_id = l.account_id and s.line_item_id = l.id
        where o.account_id = d.account_id and o.created_at >= d.day::timestamp at time zone 'utc' and o.created_at < (d.day + 1)::timestamp at time zone 'utc')`,
  },
]
