-- A row is one account in a sales chain: a customer, or a reseller. Led by the provider, whose customers they are.
create table tier_accounts (
  provider_id text not null references accounts (id),
  id text not null,
  version integer not null default 1,
  name text not null,
  type text not null constraint tier_accounts_type check (type in ('customer', 'reseller')),
  external_id text not null default '',
  external_uid text not null,
  tax_id text not null default '',
  environment text not null default 'production' constraint tier_accounts_environment check (environment in ('production', 'test', 'preview')),
  scopes text[] not null default '{}',
  parent_id text,
  hub_id text,
  contact_info jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  primary key (provider_id, id),
  foreign key (provider_id, parent_id) references tier_accounts (provider_id, id),
  foreign key (provider_id, hub_id) references hubs (provider_id, id)
);
create index tier_accounts_parent on tier_accounts (provider_id, parent_id) where parent_id is not null;
create unique index tier_accounts_external_uid on tier_accounts (provider_id, external_uid) where deleted_at is null;
create unique index tier_accounts_external_id on tier_accounts (provider_id, type, external_id) where external_id <> '' and deleted_at is null;

-- A row is a tier account as it was from one accepted change to the next. Written with each version, never changed.
create table tier_account_versions (
  provider_id text not null,
  tier_account_id text not null,
  version integer not null,
  snapshot jsonb not null,
  created_at timestamptz not null default now(),
  primary key (provider_id, tier_account_id, version),
  foreign key (provider_id, tier_account_id) references tier_accounts (provider_id, id)
);

-- A row tells one vendor, for one product, that a tier account has changed, and asks it to take note.
create table tier_account_requests (
  account_id text not null references accounts (id),
  id text not null,
  provider_id text not null,
  product_id text not null,
  tier_account_id text not null,
  type text not null default 'update' constraint tier_account_requests_type check (type in ('update')),
  status text not null constraint tier_account_requests_status check (status in ('pending', 'accepted', 'ignored', 'unsupported')),
  version integer not null,                     -- of the tier account: what it became
  reason text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, id),
  foreign key (account_id, product_id) references products (account_id, id),
  foreign key (provider_id, tier_account_id, version) references tier_account_versions (provider_id, tier_account_id, version)
);
create index tier_account_requests_provider on tier_account_requests (provider_id, tier_account_id, account_id);
create index tier_account_requests_created on tier_account_requests (account_id, created_at);

-- A row is how one reseller is set up for a product, at its level of the chain.
create table tier_configs (
  account_id text not null,
  id text not null,
  provider_id text not null,
  product_id text not null,
  connection_id text not null,
  tier_account_id text not null,
  tier_level smallint not null constraint tier_configs_tier_level check (tier_level in (1, 2)),
  status text not null constraint tier_configs_status check (status in ('processing', 'active')),
  marketplace_id text,
  contract_id text,
  template_id text,                             -- of the last approval
  template_body text,
  sealed_tile bytea,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, id),
  constraint tier_configs_once unique (account_id, product_id, connection_id, tier_account_id, tier_level),
  foreign key (account_id, product_id) references products (account_id, id),
  foreign key (account_id, connection_id) references connections (account_id, id),
  foreign key (provider_id, marketplace_id) references marketplaces (provider_id, id),
  foreign key (account_id, contract_id) references contracts (account_id, id),
  foreign key (provider_id, tier_account_id) references tier_accounts (provider_id, id)
);
create index tier_configs_provider on tier_configs (provider_id, tier_account_id, account_id);
create index tier_configs_created on tier_configs (account_id, created_at);

-- A row is one demand to set up or change a tier configuration.
create table tier_config_requests (
  account_id text not null,
  id text not null,
  tier_config_id text not null,
  provider_id text not null,
  product_id text not null,
  type text not null constraint tier_config_requests_type check (type in ('setup', 'update', 'adjustment')),
  status text not null constraint tier_config_requests_status check (status in ('draft', 'tiers_setup', 'pending', 'inquiring', 'approved', 'failed')),
  environment text not null constraint tier_config_requests_environment check (environment in ('test', 'production', 'preview')),
  parent_configuration_id text,                 -- of the reseller above, whose set-up comes first
  assignee_id text,
  template_id text,
  template_body text,
  sealed_tile bytea,                            -- a text given with the approval instead: it may hold a key
  reason text not null default '',
  notes text not null default '',
  effective_date timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  inquired_at timestamptz,
  pended_at timestamptz,
  approved_at timestamptz,
  primary key (account_id, id),
  foreign key (account_id, tier_config_id) references tier_configs (account_id, id),
  constraint tier_config_requests_approved check ((status = 'approved') = (approved_at is not null))
);
create unique index tier_config_requests_one_open on tier_config_requests (account_id, tier_config_id) where status in ('tiers_setup', 'pending', 'inquiring');
create index tier_config_requests_status on tier_config_requests (account_id, status, created_at);
create index tier_config_requests_provider on tier_config_requests (provider_id, created_at);
create index tier_config_requests_waiting on tier_config_requests (account_id, parent_configuration_id) where status = 'tiers_setup';

-- The moves there are, as src/tiers/config-requests/transitions.ts has them: nothing else gets past, whoever writes.
create function tier_config_requests_move () returns trigger language plpgsql as $$
begin
  if not (old.status, new.status) in (
    ('draft', 'tiers_setup'), ('draft', 'pending'), ('draft', 'inquiring'),
    ('tiers_setup', 'pending'), ('tiers_setup', 'inquiring'), ('tiers_setup', 'failed'),
    ('pending', 'approved'), ('pending', 'failed'), ('pending', 'inquiring'),
    ('inquiring', 'pending'), ('inquiring', 'failed'))
  then
    raise exception 'tier configuration request % cannot go from % to %', old.id, old.status, new.status
      using errcode = 'check_violation', constraint = 'tier_config_requests_move';
  end if;
  return new;
end $$;
create trigger tier_config_requests_move before update of status on tier_config_requests
  for each row when (old.status <> new.status) execute function tier_config_requests_move();
