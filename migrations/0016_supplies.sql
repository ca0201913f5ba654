-- A row is one more source of licenses for a product, beside the pool that serves its lines: asked in the order of the steps when that pool is short.
create table product_supplies (
  account_id text not null,
  product_id text not null,
  step smallint not null constraint product_supplies_step check (step between 1 and 10),
  type text not null constraint product_supplies_type check (type in ('pool', 'web_service', 'emulator', 'information')),
  modes text[] not null constraint product_supplies_modes check (modes <@ array['live', 'test'] and cardinality(modes) >= 1),
  pool_id text,                                 -- of a pool: which
  settings jsonb not null default '{}',         -- what else its type has, as the API shows it; never a secret
  sealed_secret bytea,                          -- of a web service: signs the calls; null: they are not signed
  primary key (account_id, product_id, step),
  foreign key (account_id, product_id) references products (account_id, id),
  foreign key (account_id, pool_id) references pools (account_id, id),
  constraint product_supplies_pool check ((type = 'pool') = (pool_id is not null)),
  constraint product_supplies_secret check (type = 'web_service' or sealed_secret is null),
  constraint product_supplies_emulator check (type <> 'emulator' or modes = array['test'])
);
create index product_supplies_pool_id on product_supplies (account_id, pool_id) where pool_id is not null;

-- Whether what the product hands over is only a mail: its one supply is information. Here, since it is read with the name on the hot path.
alter table product_refs add column is_informational boolean not null default false;

-- A row is one demand for licenses to a supply that has to be called, for a line that waits. The line stays in the queue of its pool:
-- whoever comes first fills the slot.
create table supply_orders (
  account_id text not null,
  id text not null default new_id('SO'),
  order_id text not null,
  line_item_id text not null,
  product_id text not null,
  pool_id text not null,                        -- of the line: what comes is loaded into it
  mode text not null constraint supply_orders_mode check (mode in ('live', 'test')),
  number integer not null,                      -- of the line's demands, from 1
  quantity integer not null constraint supply_orders_quantity check (quantity between 1 and 10000),  -- licenses wanted
  step smallint not null,                       -- of product_supplies: who is asked now
  type text not null constraint supply_orders_type check (type in ('web_service', 'emulator')),
  round integer not null default 1,             -- one more for every call that is not a repeat of the one before: with the id, what makes a call unique
  status text not null default 'planned' constraint supply_orders_status check (status in ('planned', 'calling', 'done', 'given_up', 'cancelled')),
  attempts integer not null default 0,          -- of this round
  next_attempt_at timestamptz default now(),    -- planned: when to call; calling: when the claim lapses; else null
  claim_id text,                                -- who calls now
  last_error text,
  batch_id text,                                -- what came
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  primary key (account_id, id),
  constraint supply_orders_once unique (account_id, line_item_id, number),
  foreign key (account_id, line_item_id) references line_items (account_id, id),
  foreign key (account_id, batch_id) references batches (account_id, id),
  constraint supply_orders_due check ((next_attempt_at is not null) = (status in ('planned', 'calling'))),
  constraint supply_orders_claimed check ((claim_id is not null) = (status = 'calling')),
  constraint supply_orders_finished check ((finished_at is not null) = (status in ('done', 'given_up', 'cancelled'))),
  constraint supply_orders_batch check ((batch_id is not null) = (status = 'done')),
  constraint supply_orders_emulator check (type <> 'emulator' or mode = 'test')
);
create index supply_orders_due_at on supply_orders (next_attempt_at) where status in ('planned', 'calling');
-- What counts as asked for.
create index supply_orders_open on supply_orders (account_id, line_item_id) where status in ('planned', 'calling', 'given_up');
create index supply_orders_created on supply_orders (account_id, created_at);

-- A mail may hand over no license but say something: then it has its own words.
alter table deliveries drop constraint deliveries_license_ids, drop constraint deliveries_reason,
  add column words jsonb,                       -- of information: {subject, text}
  add constraint deliveries_reason check (reason in ('order', 'backorder', 'resend', 'information')),
  add constraint deliveries_information check ((reason = 'information') = (words is not null) and (reason = 'information') = (cardinality(license_ids) = 0));
