-- A row is one purchase and its present state.
create table assets (
  account_id text not null references accounts (id),
  id text not null,
  provider_id text not null,
  connection_id text not null,
  product_id text not null,
  status text not null constraint assets_status check (status in ('draft', 'processing', 'active', 'suspended', 'terminating', 'terminated')),
  external_id text not null default '',
  external_uid text not null,
  marketplace_id text not null,
  contract_id text,
  customer_id text,
  tier1_id text,
  tier2_id text,
  template_id text,                             -- of the last approval
  template_body text,
  sealed_tile bytea,
  requests_made integer not null default 0,     -- numbers them
  billing_next_date timestamptz,                -- as the vendor said with an approval
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, id),
  foreign key (account_id, product_id) references products (account_id, id),
  foreign key (account_id, connection_id) references connections (account_id, id),
  foreign key (provider_id, marketplace_id) references marketplaces (provider_id, id),
  foreign key (account_id, contract_id) references contracts (account_id, id),
  foreign key (provider_id, customer_id) references tier_accounts (provider_id, id),
  foreign key (provider_id, tier1_id) references tier_accounts (provider_id, id),
  foreign key (provider_id, tier2_id) references tier_accounts (provider_id, id)
);
-- One purchase per name that the provider gave it: a repeat finds this one.
create unique index assets_external_uid on assets (account_id, connection_id, external_uid) where status not in ('draft', 'terminated');
create index assets_ended_uid on assets (account_id, connection_id, external_uid) where status = 'terminated'; -- also one that failed
create index assets_created on assets (account_id, created_at);
create index assets_provider on assets (provider_id, created_at);
-- A provider knows an asset by its id alone, of whichever vendor it is.
create unique index assets_of_provider on assets (provider_id, id);
create index assets_external_id on assets (account_id, external_id) where external_id <> '';
-- Who sold to a tier account: asked when it changes, and for what a vendor may see of it.
create index assets_customer on assets (provider_id, customer_id, account_id, product_id);
create index assets_tier1 on assets (provider_id, tier1_id, account_id, product_id) where tier1_id is not null;
create index assets_tier2 on assets (provider_id, tier2_id, account_id, product_id) where tier2_id is not null;

-- A row says how much of an item an asset has: as last approved, or as first asked for. -1: without limit.
create table asset_items (
  account_id text not null,
  asset_id text not null,
  item_id text not null,
  quantity integer not null constraint asset_items_quantity check (quantity >= -1),
  primary key (account_id, asset_id, item_id),
  foreign key (account_id, asset_id) references assets (account_id, id),
  foreign key (account_id, item_id) references product_items (account_id, id)
);

-- A row is one demand of a provider (an adjustment: of the vendor) on an asset.
create table requests (
  account_id text not null,
  id text not null,
  asset_id text not null,
  provider_id text not null,
  product_id text not null,
  type text not null constraint requests_type check (type in ('purchase', 'change', 'suspend', 'resume', 'cancel', 'adjustment')),
  status text not null constraint requests_status
    check (status in ('draft', 'tiers_setup', 'pending', 'inquiring', 'approved', 'failed', 'scheduled', 'revoking', 'revoked')),
  note text not null default '',
  reason text not null default '',
  answered boolean not null default false,      -- the inquiry form was sent in
  assignee_id text,                             -- an API key of the vendor
  template_id text,                             -- what the customer is told, as it was when it was chosen
  template_body text,
  sealed_tile bytea,                            -- a text given with the approval instead: it may hold a key
  form_code text,                               -- lets the buyer fill in the inquiry form, while inquiring
  effective_date timestamptz,
  planned_date timestamptz,
  previous_request_id text,                     -- the approved one before it
  asset_status text,                            -- the asset's status before it, to go back to
  external_attributes jsonb,
  order_id text,                                -- from the pool: the order that fills it
  pool_note text,                               -- from the pool: why it is not filled, for the vendor
  waits_for_stock boolean not null default false,
  created_by text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, id),
  foreign key (account_id, asset_id) references assets (account_id, id),
  constraint requests_approved check ((status = 'approved') = (effective_date is not null)),
  constraint requests_scheduled check (status <> 'scheduled' or planned_date is not null),
  constraint requests_form_code check (status = 'inquiring' or form_code is null),
  constraint requests_waits_for_stock check (not waits_for_stock or (status = 'pending' and order_id is not null)),
  constraint requests_one_text check (template_body is null or sealed_tile is null)
);
-- At most one is under way on an asset.
create unique index requests_one_open on requests (account_id, asset_id) where status in ('tiers_setup', 'pending', 'inquiring', 'scheduled', 'revoking');
create index requests_asset on requests (asset_id, account_id);
create index requests_created on requests (account_id, created_at);
create index requests_status on requests (account_id, status, created_at);
create index requests_product_status on requests (account_id, product_id, status, created_at);
create index requests_provider on requests (provider_id, created_at);
create unique index requests_of_provider on requests (provider_id, id);
create index requests_form on requests (id) where form_code is not null;
create index requests_drafts on requests (updated_at) where status = 'draft';
create index requests_order on requests (order_id, account_id) where waits_for_stock;
create index requests_planned on requests (planned_date) where status = 'scheduled';

-- The moves there are, as src/requests/transitions.ts has them: nothing else gets past, whoever writes.
create function requests_move () returns trigger language plpgsql as $$
begin
  if not (old.status, new.status) in (
    ('draft', 'tiers_setup'), ('draft', 'pending'), ('draft', 'inquiring'),
    ('tiers_setup', 'pending'), ('tiers_setup', 'inquiring'), ('tiers_setup', 'failed'),
    ('pending', 'approved'), ('pending', 'failed'), ('pending', 'inquiring'), ('pending', 'scheduled'), ('pending', 'tiers_setup'),
    ('inquiring', 'pending'), ('inquiring', 'failed'),
    ('scheduled', 'pending'), ('scheduled', 'revoking'),
    ('revoking', 'revoked'))
  then
    raise exception 'request % cannot go from % to %', old.id, old.status, new.status using errcode = 'check_violation', constraint = 'requests_move';
  end if;
  return new;
end $$;
create trigger requests_move before update of status on requests for each row when (old.status <> new.status) execute function requests_move();

create function assets_move () returns trigger language plpgsql as $$
begin
  if not (old.status, new.status) in (
    ('draft', 'processing'), ('processing', 'active'), ('processing', 'terminated'),
    ('active', 'suspended'), ('suspended', 'active'),
    ('active', 'terminating'), ('suspended', 'terminating'),
    ('terminating', 'terminated'), ('terminating', 'active'), ('terminating', 'suspended'))
  then
    raise exception 'asset % cannot go from % to %', old.id, old.status, new.status using errcode = 'check_violation', constraint = 'assets_move';
  end if;
  return new;
end $$;
create trigger assets_move before update of status on assets for each row when (old.status <> new.status) execute function assets_move();

-- A row says what a request asks of an item: the quantity wanted, and the one before.
create table request_items (
  account_id text not null,
  request_id text not null,
  item_id text not null,
  quantity integer not null constraint request_items_quantity check (quantity >= -1),
  old_quantity integer not null constraint request_items_old_quantity check (old_quantity >= -1),
  primary key (account_id, request_id, item_id),
  foreign key (account_id, request_id) references requests (account_id, id),
  foreign key (account_id, item_id) references product_items (account_id, id)
);

-- A row is the value of one parameter for one owner: a request, an asset, a tier configuration or its request. A request has a copy of its
-- asset's; approved, they become the asset's. A secret is sealed; one from a pool is the licenses, whose keys are opened on reading.
create table parameter_values (
  account_id text not null,
  owner_id text not null,
  parameter_id text not null,
  value text,
  structured_value jsonb,
  sealed bytea,
  license_ids text[],
  value_error text not null default '',
  structured_error jsonb,
  updated_at timestamptz not null default now(),
  primary key (account_id, owner_id, parameter_id),
  foreign key (account_id, parameter_id) references product_parameters (account_id, id),
  constraint parameter_values_value check (length(value) <= 2048),
  constraint parameter_values_value_error check (length(value_error) <= 512),
  constraint parameter_values_secret check (num_nonnulls(value, sealed, license_ids) <= 1)
);
-- Finds the assets and requests by a value: hashed, since a value may be longer than a row of a tree.
create index parameter_values_value on parameter_values using hash (value) where value is not null;

-- A row makes a request wait in tiers_setup for a tier configuration request.
create table request_waits (
  account_id text not null,
  request_id text not null,
  tier_config_request_id text not null,
  primary key (account_id, request_id, tier_config_request_id),
  foreign key (account_id, request_id) references requests (account_id, id),
  foreign key (account_id, tier_config_request_id) references tier_config_requests (account_id, id)
);
create index request_waits_for on request_waits (tier_config_request_id, account_id);
