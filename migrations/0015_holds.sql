-- What a storefront is told of a product's stock: how many licenses there are, or only whether there are any.
alter table products add column availability text not null default 'exact' constraint products_availability check (availability in ('exact', 'coarse'));

-- A row is stock that was promised to a checkout session before it is paid, until a moment. What it still holds is in held_licenses.
create table holds (
  account_id text not null references accounts (id),
  id text not null,
  external_id text,                             -- the checkout's own id of its session
  mode text not null constraint holds_mode check (mode in ('live', 'test')),
  currency text not null constraint holds_currency check (currency ~ '^[A-Z]{3}$'),
  -- 'open' past its time is over too: whoever comes by writes it down
  status text not null default 'open' constraint holds_status check (status in ('open', 'committed', 'released', 'expired')),
  order_id text,                                -- whose its licenses became
  created_by text not null,                     -- the API key
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (account_id, id),
  constraint holds_time check (expires_at > created_at),
  constraint holds_ended check ((status = 'open') = (ended_at is null)),
  constraint holds_order check ((status = 'committed') = (order_id is not null))
);
-- A session has one hold; after one that came to nothing it may have another.
create unique index holds_once on holds (account_id, mode, external_id) where status in ('open', 'committed');
create index holds_created on holds (account_id, created_at);
create index holds_order_id on holds (order_id, account_id) where order_id is not null;

-- A row is one product and its quantity within a hold.
create table hold_lines (
  account_id text not null,
  hold_id text not null,
  number integer not null,                      -- from 1, in the order of the request
  external_id text not null,
  product_id text not null,
  pool_id text not null,                        -- '' where nothing is to be held
  quantity integer not null constraint hold_lines_quantity check (quantity between 1 and 10000),
  slots integer not null constraint hold_lines_slots check (slots between 0 and quantity),
                                                -- how many licenses it holds while it is open; none of a product that is only a mail
  primary key (account_id, hold_id, number),
  constraint hold_lines_once unique (account_id, hold_id, external_id),
  foreign key (account_id, hold_id) references holds (account_id, id)
);

-- A row is one license out of stock for a hold. Rows are inserted and deleted: committed, the license is in allocations under the
-- same position; otherwise it is back in stock under a new one. Past expires_at it is as good as in stock: a take that comes up short claims it.
create table held_licenses (
  account_id text not null,
  license_id text not null,
  pool_id text not null,
  position bigint not null,                     -- the one it had in stock
  hold_id text not null,
  line_number integer not null,
  expires_at timestamptz not null,              -- of its hold
  primary key (account_id, license_id),
  foreign key (account_id, hold_id, line_number) references hold_lines (account_id, hold_id, number)
);
create index held_licenses_hold on held_licenses (account_id, hold_id);
create index held_licenses_pool on held_licenses (account_id, pool_id, expires_at);
create index held_licenses_expiry on held_licenses (expires_at);
