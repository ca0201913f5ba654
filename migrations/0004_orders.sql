-- A row is one checkout that posts payment webhooks for an account. Looked up by id alone, as api_keys is.
create table payment_sources (
  account_id text not null references accounts (id),
  id text not null constraint payment_sources_id unique,
  kind text not null,
  name text not null,
  mode text not null constraint payment_sources_mode check (mode in ('live', 'test')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  primary key (account_id, id)
);

-- A row is one signing secret of a payment source, sealed. Several may be valid at once: that is how one is rotated.
create table payment_source_secrets (
  account_id text not null,
  source_id text not null,
  id text not null,
  sealed bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  primary key (account_id, source_id, id),
  foreign key (account_id, source_id) references payment_sources (account_id, id)
);

-- A row is one verified webhook of a checkout, as received. The source's own event id makes it unique: a repeat finds the row.
create table payment_events (
  account_id text not null,
  id text not null,
  source_id text not null,
  event_key text not null,
  type text not null,
  status text not null constraint payment_events_status check (status in ('processed', 'failed', 'ignored')),
  reason text,
  order_id text,
  body bytea not null,                          -- the raw bytes that were signed
  occurred_at timestamptz not null,             -- when the checkout says it happened
  received_at timestamptz not null default now(),
  processed_at timestamptz,
  primary key (account_id, id),
  constraint payment_events_once unique (account_id, source_id, event_key),
  constraint payment_events_outcome check ((status = 'processed') = (processed_at is not null) and (status = 'processed') = (reason is null))
);
create index payment_events_received on payment_events (account_id, received_at);
create index payment_events_order on payment_events (order_id, account_id);

-- A row is one paid purchase. Hot: foreign keys lead only to rows of the same transaction (docs/decisions/0005).
create table orders (
  account_id text not null,
  id text not null,
  source_id text not null,                      -- a payment source, or 'api-live', 'api-test'
  external_id text not null,
  mode text not null constraint orders_mode check (mode in ('live', 'test')),
  currency text not null constraint orders_currency check (currency ~ '^[A-Z]{3}$'),
  locale text,
  customer jsonb not null,                      -- {email, first_name?, last_name?, company?, …}
  status text not null default 'paid' constraint orders_status
    check (status in ('paid', 'refunded', 'partially_refunded', 'disputed', 'charged_back', 'cancelled')),
  fulfillment_status text not null constraint orders_fulfillment_status
    check (fulfillment_status in ('pending', 'backordered', 'partial', 'fulfilled', 'unfulfilled')),
  paid_at timestamptz not null,
  created_at timestamptz not null default now(),
  primary key (account_id, id),
  constraint orders_once unique (account_id, source_id, external_id)
);
-- Without the id, though lists are ordered by it too: a foreign key's look-up by account and id must have one index that fits.
create index orders_created on orders (account_id, created_at);
create index orders_customer_email on orders ((customer ->> 'email'), account_id);

-- A row is one product and its quantity within an order.
create table line_items (
  account_id text not null,
  id text not null,
  order_id text not null,
  external_id text not null,
  product_id text not null,
  pool_id text not null,                        -- where its slots are filled from: decided when the line is taken in
  quantity integer not null constraint line_items_quantity check (quantity between 1 and 10000),
  unit_amount bigint,                           -- minor units of the order's currency
  fulfillment_status text not null constraint line_items_fulfillment_status
    check (fulfillment_status in ('pending', 'backordered', 'partial', 'fulfilled', 'unfulfilled')),
  primary key (account_id, id),
  constraint line_items_once unique (account_id, order_id, external_id),
  foreign key (account_id, order_id) references orders (account_id, id)
);

-- A row is one unit to deliver, frozen when its line is taken in. An allocation fills it.
create table slots (
  account_id text not null,
  line_item_id text not null,
  unit integer not null constraint slots_unit check (unit >= 1),
  cancelled_at timestamptz,
  primary key (account_id, line_item_id, unit),
  foreign key (account_id, line_item_id) references line_items (account_id, id)
);

-- A row says who holds what, or held it. Added when a license is taken, never deleted; only ended_* is ever set.
-- Its greatest position per pool is the mark below which a take does not look (docs/decisions/0004).
create table allocations (
  account_id text not null,
  pool_id text not null,
  position bigint not null,
  license_id text not null,
  order_id text not null,
  line_item_id text not null,
  unit integer not null,
  allocated_at timestamptz not null default now(),
  ended_at timestamptz,
  ended_as text constraint allocations_ended_as check (ended_as in ('released', 'revoked', 'reinstated')),
  primary key (account_id, pool_id, position),
  foreign key (account_id, line_item_id, unit) references slots (account_id, line_item_id, unit),
  constraint allocations_ended check ((ended_at is null) = (ended_as is null))
);
-- The two promises. One holder per license:
create unique index allocations_one_holder on allocations (account_id, license_id) where ended_as is null or ended_as = 'revoked';
-- one license per slot:
create unique index allocations_one_license on allocations (account_id, line_item_id, unit) where ended_as is null;
create index allocations_ended_of_line on allocations (account_id, line_item_id) where ended_as is not null;
create index allocations_ended_of_pool on allocations (account_id, pool_id) where ended_as is not null;

-- A row says that somebody may have seen a key. Append-only: a license seen is never sold again.
create table license_sightings (
  account_id text not null,
  license_id text not null,
  id text not null default new_id('SE'),
  how text not null constraint license_sightings_how check (how in ('mailed', 'revealed', 'order_page', 'approved')),
  seen_by text,                                 -- the API key or the delivery
  seen_at timestamptz not null default now(),
  primary key (account_id, license_id, id)
);

-- A row is one line that waits for stock, in the order of arrival. Written and served only under the pool's lock;
-- deleted once nothing is missing. While a pool has one, every take goes the careful way, so nobody overtakes.
create table backorders (
  account_id text not null,
  pool_id text not null,
  queue bigint not null,
  order_id text not null,
  line_item_id text not null,
  missing integer not null constraint backorders_missing check (missing >= 1),
  created_at timestamptz not null default now(),
  primary key (account_id, pool_id, queue),
  constraint backorders_once unique (account_id, line_item_id),
  foreign key (account_id, line_item_id) references line_items (account_id, id)
);
