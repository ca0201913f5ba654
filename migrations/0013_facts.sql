-- A row is one thing that was said of an order beside that it was paid: by a checkout, or by a person ('api'). What an order is follows from the
-- set of these rows, whatever the order of their arrival (src/orders/standing.ts). One may come before its order: then it waits for it.
create table payment_facts (
  account_id text not null,
  id text not null default new_id('PF'),
  source_id text not null,                      -- the payment source, or 'api'
  event_id text,                                -- the payment event that says so; null: a person
  ref text not null,                            -- what it calls the order: its external_id at the source, or another name of order_refs
  kind text not null constraint payment_facts_kind check (kind in
    ('paid', 'payment_failed', 'cancelled', 'refunded', 'refund_failed', 'disputed', 'dispute_won', 'dispute_lost')),
  subject text not null default '',             -- the source's own id of the refund or dispute: what is said last of one counts
  occurred_at timestamptz not null,
  amount bigint constraint payment_facts_amount check (amount >= 0),  -- minor units
  is_cumulative boolean not null default false, -- the amount is all that was refunded so far
  is_full boolean not null default false,       -- nothing is left of the order
  lines jsonb not null default '[]',            -- of a refund: [{external_id, quantity?}]
  holds boolean not null default true,          -- of a dispute: the order is held while it is open, as the source was set at that time
  order_id text,                                -- null: not known yet
  created_at timestamptz not null default now(),
  primary key (account_id, id),
  constraint payment_facts_once unique (account_id, source_id, event_id, kind, subject),
  foreign key (account_id, order_id) references orders (account_id, id)
);
create index payment_facts_waiting on payment_facts (account_id, source_id, ref) where order_id is null;
create index payment_facts_recent on payment_facts (created_at) where order_id is null;
create index payment_facts_order on payment_facts (account_id, order_id);

-- A row is another name of an order: what a source's later events call it by, or the external_id that it has at another source.
create table order_refs (
  account_id text not null,
  source_id text not null,
  ref text not null,
  order_id text not null,
  created_at timestamptz not null default now(),
  primary key (account_id, source_id, ref),
  foreign key (account_id, order_id) references orders (account_id, id)
);
create index order_refs_order on order_refs (order_id, account_id);

alter table orders
  add column total_amount bigint constraint orders_total_amount check (total_amount >= 0),  -- minor units, with tax and discount; null: not said
  add column refunded_amount bigint not null default 0 constraint orders_refunded_amount check (refunded_amount >= 0),
  add column is_held boolean not null default false,   -- a dispute is open: nothing is mailed, and no line waits for stock
  add column said_paid_at timestamptz;                  -- when the event that placed it says it happened; null: paid_at

-- Units that were refunded, or ended with the order. Its slots are closed accordingly.
alter table line_items add column ended_units integer not null default 0,
  add constraint line_items_ended_units check (ended_units between 0 and quantity);
-- Closed because its license was taken away for good, not because its unit ended: nothing opens it again.
alter table slots add column is_revoked boolean not null default false,
  add constraint slots_revoked check (not is_revoked or cancelled_at is not null);

-- `waiting`: for its order, or for what the checkout has to be asked.
alter table payment_events drop constraint payment_events_status,
  add constraint payment_events_status check (status in ('processed', 'failed', 'ignored', 'waiting')),
  add column context jsonb not null default '{}',       -- what only the headers say
  add column answers jsonb;                             -- what the checkout was asked and answered; null: nothing yet

-- Orders that were cancelled before there were facts.
insert into payment_facts (account_id, source_id, ref, kind, occurred_at, order_id)
select account_id, 'api', id, 'cancelled', greatest(now(), paid_at), id from orders where status = 'cancelled';
update line_items l set ended_units = quantity from orders o
where o.account_id = l.account_id and o.id = l.order_id and o.status = 'cancelled';
