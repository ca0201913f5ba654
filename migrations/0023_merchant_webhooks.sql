-- What happens to orders, licenses, pools and deliveries is told by webhooks. Every change of them is a row of `events`, so the messages are planned where
-- such rows are written, by a trigger: no statement that writes one can forget it, and both commit together (docs/decisions/0023).

alter table webhooks
  add column event_types text[] not null default '{}',   -- of type change and noventiq: what it wants to hear of; none: everything of its class
  drop constraint webhooks_every_product,
  add constraint webhooks_every_product check (product_id is not null or type in ('change', 'noventiq')),
  add constraint webhooks_event_types check (event_types = '{}' or type in ('change', 'noventiq')),
  add constraint webhooks_noventiq check (type <> 'noventiq' or object_class = 'order');

-- Orders that many clients pay at once now write messages of one webhook: a foreign key would lock its row for each of them (docs/decisions/0005).
alter table webhook_messages drop constraint webhook_messages_account_id_webhook_id_fkey;

-- Numbers what is told. The changes of one order are made under its lock, one after the other, and so are their numbers. There are gaps.
create sequence webhook_sequence;

-- The webhooks of an account that hear of an event. `offset 0` here, and the limits below: they are looked up by their whole key, one by one, whatever the
-- planner believes of tables that were small when it planned.
create function webhooks_hearing (account_id text, object_class text, type text, event text) returns setof webhooks language sql stable as $$
  select w.* from webhooks w
  where w.account_id = $1 and w.object_class = $2 and w.type = $3 and w.active and w.deleted_at is null and (w.event_types = '{}' or $4 = any(w.event_types))
  offset 0
$$;

-- Of orders: what the order is after the change. An order is here once it is paid, so it is created and paid at the same moment; these two come before its lines
-- are served, and say nothing of that: order.fulfilled, order.backordered or order.unfulfilled do.
create function tell_of_orders (told events[]) returns void language plpgsql as $$
begin
  insert into webhook_messages (account_id, webhook_id, kind, event, data)
  select w.account_id, w.id, 'change', c.event, jsonb_strip_nulls(jsonb_build_object(
      'id', o.id, 'external_id', o.external_id, 'source_id', o.source_id, 'mode', o.mode, 'status', o.status, 'units', n.units, 'ended_units', n.ended_units)
    || case when c.is_served then jsonb_build_object('is_held', o.is_held, 'fulfillment_status', o.fulfillment_status, 'licenses', n.licenses, 'missing', n.missing,
      'line_item_ids', c.line_item_ids) else '{}' end
    || jsonb_build_object('sequence', nextval('webhook_sequence')))
  from (
    select distinct t.account_id, m.nth, m.event, m.nth > 2 as is_served, coalesce(t.data ->> 'order_id', t.subject_id) as order_id, t.data -> 'line_item_ids' as line_item_ids
    from unnest(told) t
    join (values (1, 'order.paid', 'order.created'), (2, 'order.paid', 'order.paid'), (3, 'order.fulfilled', 'order.fulfilled'),
      (4, 'line_item.backordered', 'order.backordered'), (5, 'line_item.unfulfilled', 'order.unfulfilled'), (6, 'order.partially_refunded', 'order.partially_refunded'),
      (7, 'order.refunded', 'order.refunded'), (8, 'order.cancelled', 'order.cancelled'), (9, 'order.disputed', 'order.disputed'),
      (10, 'order.charged_back', 'order.charged_back'), (11, 'order.restored', 'order.restored')) as m (nth, type, event) on m.type = t.type) c
  cross join lateral webhooks_hearing(c.account_id, 'order', 'change', c.event) w
  cross join lateral (select * from orders o where o.account_id = c.account_id and o.id = c.order_id limit 1) o
  cross join lateral (
    select sum(l.quantity) as units, sum(l.ended_units) as ended_units, array_agg(l.product_id) as product_ids,
      coalesce(sum((select b.missing from backorders b where b.account_id = l.account_id and b.line_item_id = l.id)), 0) as missing,
      sum((select count(*) from allocations a where a.account_id = l.account_id and a.line_item_id = l.id and a.ended_as is null)) as licenses
    from line_items l where l.account_id = o.account_id and l.order_id = o.id) n
  where w.product_id is null or w.product_id = any(n.product_ids)
  order by c.nth;
end $$;

-- Licenses that somebody may have now, and that nobody had before: their mail was accepted, or they were shown or approved with a request. Mails
-- that say them again and later looks are none.
create function licenses_handed_over (told events[])
returns table (account_id text, license_id text, order_id text, line_item_id text, how text, delivery_id text) language plpgsql stable as $$
begin
  -- What an order's mails said is gathered once, not looked for license by license: an order may have ten thousand.
  return query
  with looked as materialized (
    select t.account_id, t.subject_id as license_id, t.data ->> 'order_id' as order_id, t.data ->> 'line_item_id' as line_item_id, t.data ->> 'how' as how
    from unnest(told) t
    where t.type = 'license.seen'
      and (select count(*) from license_sightings s where s.account_id = t.account_id and s.license_id = t.subject_id and s.how in ('approved', 'order_page')) = 1
  ), mailed as materialized (
    select o.account_id, o.order_id, unnest(p.license_ids) as license_id
    from (select distinct l.account_id, l.order_id from looked l) o
    cross join lateral (select * from deliveries p where p.account_id = o.account_id and p.order_id = o.order_id and p.status = 'sent' offset 0) p
  )
  select a.account_id, a.license_id, a.order_id, a.line_item_id, 'mailed', d.id
  from unnest(told) t
  cross join lateral (select * from deliveries d where d.account_id = t.account_id and d.id = t.subject_id limit 1) d
  cross join lateral (
    select unnest(d.license_ids) as license_id
    except
    select unnest(p.license_ids) from deliveries p
    where p.account_id = d.account_id and p.order_id = d.order_id and p.status = 'sent' and (p.sent_at, p.id) < (d.sent_at, d.id)) l
  cross join lateral (
    select * from allocations a where a.account_id = d.account_id and a.license_id = l.license_id and (a.ended_as is null or a.ended_as = 'revoked') limit 1) a
  where t.type = 'delivery.sent'
    and not exists (select from license_sightings s where s.account_id = a.account_id and s.license_id = a.license_id and s.how in ('approved', 'order_page'))
  union all
  select l.account_id, l.license_id, l.order_id, l.line_item_id, l.how, null
  from looked l
  where (l.account_id, l.order_id, l.license_id) not in (select m.account_id, m.order_id, m.license_id from mailed m where m.license_id is not null);
end $$;

-- Of licenses: whose it was or is, and what it is after the change.
create function tell_of_licenses (told events[]) returns void language plpgsql as $$
begin
  insert into webhook_messages (account_id, webhook_id, kind, event, data)
  select w.account_id, w.id, 'change', c.event, jsonb_strip_nulls(jsonb_build_object(
    'id', c.license_id, 'state', c.state, 'order_id', o.id, 'order_external_id', o.external_id, 'mode', o.mode, 'line_item_id', i.id, 'product_id', i.product_id,
    'how', c.how, 'delivery_id', c.delivery_id, 'cause', c.cause, 'replaced_by', c.replaced_by, 'sequence', nextval('webhook_sequence')))
  from (
    select h.account_id, 'license.delivered' as event, 'allocated' as state, h.license_id, h.order_id, h.line_item_id, h.how, h.delivery_id, null as cause, null as replaced_by
    from licenses_handed_over(told) h
    union all
    select t.account_id, m.event, m.state, t.subject_id, t.data ->> 'order_id', coalesce(t.data ->> 'line_item_id', r.line_item_id), null, null,
      coalesce(t.data ->> 'cause', r.cause), t.data ->> 'replaced_by'
    from unnest(told) t
    join (values ('license.released', 'license.returned', 'available'), ('license.revoked', 'license.revoked', 'revoked'),
      ('license.replaced', 'license.replaced', 'revoked'), ('license.reinstated', 'license.reinstated', 'allocated')) as m (type, event, state) on m.type = t.type
    left join lateral (select * from license_revocations r where r.account_id = t.account_id and r.license_id = t.subject_id limit 1) r on true) c
  cross join lateral webhooks_hearing(c.account_id, 'license', 'change', c.event) w
  cross join lateral (select * from orders o where o.account_id = c.account_id and o.id = c.order_id limit 1) o
  cross join lateral (select * from line_items i where i.account_id = c.account_id and i.id = c.line_item_id limit 1) i
  where w.product_id is null or w.product_id = i.product_id;
end $$;

-- Of pools: what is left, and by which measure that is low. What an alert says is counts, and the pool's name, which is not told.
create function tell_of_pools (told events[]) returns void language plpgsql as $$
begin
  insert into webhook_messages (account_id, webhook_id, kind, event, data)
  select w.account_id, w.id, 'change', c.event, jsonb_strip_nulls(jsonb_build_object('id', p.id, 'mode', p.mode)
    || (select coalesce(jsonb_object_agg(said.key, said.value), '{}') from jsonb_each(c.data) said
      where said.key in ('batch_id', 'kind', 'step', 'available', 'threshold', 'stocked', 'days', 'per_day', 'cover_days', 'lines', 'licenses', 'since', 'first_expires_at'))
    || jsonb_build_object('sequence', nextval('webhook_sequence')))
  from (
    select t.account_id, m.event, coalesce(t.data ->> 'pool_id', t.subject_id) as pool_id,
      case m.event when 'pool.expiring' then t.data || jsonb_build_object('batch_id', t.subject_id) else t.data end as data
    from unnest(told) t
    join (values ('pool.low', 'pool.low'), ('pool.empty', 'pool.empty'), ('pool.backordered', 'pool.backordered'), ('batch.expiring', 'pool.expiring')) as m (type, event)
      on m.type = t.type) c
  cross join lateral webhooks_hearing(c.account_id, 'pool', 'change', c.event) w
  cross join lateral (select * from pools p where p.account_id = c.account_id and p.id = c.pool_id limit 1) p
  where w.product_id is null or p.product_ids = '{}' or w.product_id = any(p.product_ids);
end $$;

-- Of deliveries: how the mail went.
create function tell_of_deliveries (told events[]) returns void language plpgsql as $$
begin
  insert into webhook_messages (account_id, webhook_id, kind, event, data)
  select w.account_id, w.id, 'change', t.type, jsonb_build_object(
    'id', d.id, 'status', d.status, 'reason', d.reason, 'attempts', d.attempts, 'licenses', cardinality(d.license_ids), 'order_id', o.id,
    'order_external_id', o.external_id, 'mode', o.mode, 'product_id', d.product_id, 'sequence', nextval('webhook_sequence'))
  from unnest(told) t
  cross join lateral webhooks_hearing(t.account_id, 'delivery', 'change', t.type) w
  cross join lateral (select * from deliveries d where d.account_id = t.account_id and d.id = t.subject_id limit 1) d
  cross join lateral (select * from orders o where o.account_id = d.account_id and o.id = d.order_id limit 1) o
  where t.type in ('delivery.sent', 'delivery.failed', 'delivery.bounced') and (w.product_id is null or w.product_id = d.product_id);
end $$;

-- In the words of Noventiq, a message for each line. What it says of the customer is read from the order when it is sent, and not kept.
create function tell_as_noventiq (told events[]) returns void language plpgsql as $$
begin
  insert into webhook_messages (account_id, webhook_id, kind, event, data)
  select w.account_id, w.id, 'change', c.event, jsonb_build_object('order_id', c.order_id, 'line_item_id', l.id, 'document_part', l.nth || '-of-' || l.lines)
  from (
    select t.account_id, t.subject_id as order_id, m.event, null as product_id, null as line_item_id, null::jsonb as ended
    from unnest(told) t join (values ('order.created'), ('order.payment.succeeded')) as m (event) on t.type = 'order.paid'
    union
    select t.account_id, t.subject_id, 'product.returned', null, null, t.data -> 'line_item_ids'
    from unnest(told) t where t.type in ('order.refunded', 'order.partially_refunded', 'order.cancelled', 'order.charged_back') and t.data ? 'line_item_ids'
    union
    select d.account_id, d.order_id, 'product.delivered', d.product_id, null, null
    from unnest(told) t cross join lateral (select * from deliveries d where d.account_id = t.account_id and d.id = t.subject_id limit 1) d
    where t.type = 'delivery.sent' and d.requested_by is null
    union
    select h.account_id, h.order_id, 'product.delivered', null, h.line_item_id, null from licenses_handed_over(told) h where h.how <> 'mailed') c
  cross join lateral (
    select id, product_id, quantity, ended_units, row_number() over (order by length(id), id) as nth, count(*) over () as lines
    from line_items where account_id = c.account_id and order_id = c.order_id) l
  cross join lateral webhooks_hearing(c.account_id, 'order', 'noventiq', c.event) w
  where (c.product_id is null or c.product_id = l.product_id) and (c.line_item_id is null or c.line_item_id = l.id)
    and (c.ended is null or (c.ended ? l.id and l.ended_units = l.quantity)) and (w.product_id is null or w.product_id = l.product_id);
end $$;

-- Runs once for each statement that adds events, after all that the statement did. Most accounts have no webhook: the first look finds none.
create function tell_of_events () returns trigger language plpgsql as $$
declare
  heard text[];
  told events[];
begin
  if not exists (
    select from new_events t cross join lateral (
      select from webhooks w where w.account_id = t.account_id and w.object_class = any('{order,license,pool,delivery}') and w.active and w.deleted_at is null limit 1) w
  ) then
    return null;
  end if;
  told := array(select t from new_events t order by t.id);
  heard := array(
    select distinct w.heard from (select distinct t.account_id from new_events t) t cross join lateral (
      select case w.type when 'noventiq' then w.type else w.object_class end as heard from webhooks w
      where w.account_id = t.account_id and w.object_class = any('{order,license,pool,delivery}') and w.active and w.deleted_at is null offset 0) w);
  if 'order' = any(heard) then perform tell_of_orders(told); end if;
  if 'license' = any(heard) then perform tell_of_licenses(told); end if;
  if 'pool' = any(heard) then perform tell_of_pools(told); end if;
  if 'delivery' = any(heard) then perform tell_of_deliveries(told); end if;
  if 'noventiq' = any(heard) then perform tell_as_noventiq(told); end if;
  return null;
end $$;

create trigger events_told after insert on events referencing new table as new_events for each statement execute function tell_of_events();
