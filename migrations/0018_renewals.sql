-- What an order that renews another gets of a product: the next license, none (the one it has stays), or none and more time for it.
alter table products add column on_renewal text not null default 'issue' constraint products_on_renewal check (on_renewal in ('issue', 'keep', 'extend'));

alter table orders add column parent_id text;   -- the order that it renews

-- A row is one line that renews the line of an earlier order of the same product; with that one's own renewals they are a chain. Written with the line,
-- never changed.
create table renewals (
  account_id text not null,
  line_item_id text not null,
  order_id text not null,
  product_id text not null,
  parent_line_item_id text not null,            -- the one before it in the chain
  first_line_item_id text not null,             -- where the chain began
  number integer not null constraint renewals_number check (number >= 1),   -- of the chain, from 1
  on_renewal text not null constraint renewals_on_renewal check (on_renewal in ('issue', 'keep', 'extend')),
  period text,                                  -- what was paid for, ISO 8601; null: not said
  parent_license_line_ids text[] not null,      -- the lines whose licenses the customer had until then
  kept_line_item_ids text[] not null default '{}',  -- those that go on with this line; it has slots for the rest of its quantity only
  created_at timestamptz not null default now(),
  primary key (account_id, line_item_id),
  constraint renewals_once unique (account_id, first_line_item_id, number),
  foreign key (account_id, line_item_id) references line_items (account_id, id),
  foreign key (account_id, parent_line_item_id) references line_items (account_id, id),
  foreign key (account_id, first_line_item_id) references line_items (account_id, id),
  constraint renewals_kept check ((on_renewal = 'issue') = (kept_line_item_ids = '{}') and kept_line_item_ids <@ parent_license_line_ids)
);
create index renewals_order on renewals (account_id, order_id);
