-- A row is one stock of interchangeable licenses. Whoever adds stock locks this row (FOR NO KEY UPDATE) until commit;
-- whoever takes from it does not.
create table pools (
  account_id text not null references accounts (id),
  id text not null,
  name text not null,
  product_ids text[] not null default '{}',     -- none: common to all products
  currency text constraint pools_currency check (currency ~ '^[A-Z]{3}$'),   -- null: any
  mode text not null constraint pools_mode check (mode in ('live', 'test')),
  quantity_rule text not null constraint pools_quantity_rule check (quantity_rule in ('unit', 'line')),
  on_shortage text not null constraint pools_on_shortage check (on_shortage in ('backorder', 'partial', 'fail')),
  low_stock_threshold integer constraint pools_low_stock_threshold check (low_stock_threshold >= 0),
  next_position bigint not null default 1,      -- the next free position; moves only under the lock above
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, id)
);

-- A row says: a line of this mode, product and currency may be served by this pool. The lowest rank wins, and the
-- primary key lets no two pools claim the same rank of the same line. Written with the pool, from its product_ids and currency.
create table pool_routes (
  account_id text not null,
  mode text not null,
  product_id text not null,                     -- '' : every product
  currency text not null,                       -- '' : every currency
  rank smallint not null constraint pool_routes_rank check (rank between 0 and 5),
                                                -- 0, 1 one product; 2, 3 several; 4, 5 all; the odd ones for any currency
  pool_id text not null,
  constraint pool_routes_one_pool primary key (account_id, mode, product_id, currency, rank),
  foreign key (account_id, pool_id) references pools (account_id, id),
  constraint pool_routes_shape check ((product_id = '') = (rank >= 4) and (currency = '') = (rank % 2 = 1))
);

-- A row is one load of licenses into a pool.
create table batches (
  account_id text not null,
  id text not null,
  pool_id text not null,
  source text,                                  -- the file's or supplier's name, as the caller gave it
  status text not null constraint batches_status check (status in ('staging', 'loaded', 'abandoned')),
  sha256 bytea,                                 -- of the bytes received
  loaded integer not null default 0,
  duplicates integer not null default 0,
  rejected_count integer not null default 0,
  report jsonb not null default '{"rejected": [], "duplicate_lines": []}',  -- the first 1,000 lines of each kind, with the reason, never the text
  created_by text not null,                     -- the API key, or 'cli'
  created_at timestamptz not null default now(),
  touched_at timestamptz not null default now(),-- the last chunk; the sweeper abandons what has been still for long
  loaded_at timestamptz,
  primary key (account_id, id),
  foreign key (account_id, pool_id) references pools (account_id, id),
  constraint batches_loaded check ((status = 'loaded') = (loaded_at is not null)),
  constraint batches_checksum check (status <> 'loaded' or sha256 is not null)
);
create index batches_staging on batches (touched_at) where status = 'staging';

-- A row is one line of a load on its way into the pool. Unlogged: a crash of the server empties it, the merge
-- counts the rows, and the load is refused as interrupted.
create unlogged table staged_licenses (
  account_id text not null,
  batch_id text not null,
  line integer not null,
  license_id text not null,
  fingerprint bytea not null,
  sealed bytea not null,
  primary key (account_id, batch_id, line)
);

-- A row is one license ever loaded. Written once; only re-sealing rewrites `sealed`. Never deleted.
create table licenses (
  account_id text not null,
  id text not null,
  pool_id text not null,
  batch_id text not null,
  line integer not null,                        -- of the file, from 1
  mode text not null,
  fingerprint bytea not null,                   -- HMAC-SHA-256 of the key: finds duplicates without reading it
  sealed bytea not null,                        -- AES-256-GCM of the key, bound to account, pool and license
  created_at timestamptz not null default now(),
  primary key (account_id, id),
  constraint licenses_no_duplicate unique (account_id, mode, fingerprint)
);
create index licenses_pool on licenses (account_id, pool_id, id);

-- A row is one license that can be taken, in the order of its position. Rows are inserted and deleted, never updated:
-- the delete of a take relies on it.
create table stock (
  account_id text not null,
  pool_id text not null,
  position bigint not null,
  license_id text not null,
  primary key (account_id, pool_id, position)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
-- Not led by the account: the planner must see no other way to a take's rows than the primary key.
create index stock_license on stock (license_id, account_id);

-- A row is one license taken out of stock unsold, for good.
create table withdrawals (
  account_id text not null,
  license_id text not null,
  pool_id text not null,
  reason text not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  primary key (account_id, license_id)
);
create index withdrawals_pool on withdrawals (account_id, pool_id);
