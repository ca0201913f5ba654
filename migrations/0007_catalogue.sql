-- What a vendor offers, as a marketplace needs to know it. `mail_on_request`: the customer of a purchase request is mailed like the
-- one of an order. `capabilities` steer what requests may do (src/products/capabilities.ts).
alter table products
  add column status text not null default 'published' constraint products_status check (status in ('draft', 'published', 'endofsale')),
  add column version integer not null default 1,
  add column icon text not null default '',
  add column category jsonb not null default '{}',
  add column short_description text not null default '',
  add column detailed_description text not null default '',
  add column capabilities jsonb not null default '{}',
  add column mail_on_request boolean not null default false,
  add column items_made integer not null default 0,       -- numbers them; a number is not used twice
  add column parameters_made integer not null default 0;

-- Who uses an API key: what a marketplace calls a user. `email` finds the assignee of a request.
alter table api_keys add column email text;
alter table accounts
  add column external_id text not null default '',
  add column brand text not null default '',
  add column countries text[] not null default '{}';   -- ISO 3166-1 alpha-2

-- A row is one orderable SKU of a product.
create table product_items (
  account_id text not null,
  product_id text not null,
  id text not null,                             -- the product's id and four digits: clients cut it
  local_id text not null,
  mpn text not null,                            -- the vendor's own number
  name text not null,
  display_name text not null,
  description text not null default '',
  status text not null default 'published' constraint product_items_status check (status in ('draft', 'published', 'endofsale')),
  type text not null default 'reservation' constraint product_items_type check (type in ('reservation', 'ppu')),
  precision text not null default 'integer',
  period text not null default 'onetime',
  unit text not null default 'Licenses',
  commitment jsonb not null default '{"count": 1, "multiplier": "billing_period"}',
  external_id text,
  position integer not null default 0,
  dynamic boolean not null default false,
  ui jsonb not null default '{"visibility": true}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, id),
  constraint product_items_local_id unique (account_id, product_id, local_id),
  constraint product_items_mpn unique (account_id, product_id, mpn),
  foreign key (account_id, product_id) references products (account_id, id)
);

-- A row is one named value that a product asks for. Bound to a pool, it is filled from there: with the pool of the mode, live or test.
create table product_parameters (
  account_id text not null,
  product_id text not null,
  id text not null,
  name text not null,                           -- what requests call it
  title text not null,
  description text not null default '',
  type text not null constraint product_parameters_type check (type in ('text', 'password', 'email', 'url', 'domain', 'subdomain', 'dropdown', 'choice',
    'checkbox', 'phone', 'address', 'object', 'heading', 'content')),
  scope text not null constraint product_parameters_scope check (scope in ('asset', 'tier1', 'tier2', 'product', 'item', 'marketplace', 'item_marketplace')),
  phase text not null constraint product_parameters_phase check (phase in ('ordering', 'fulfillment', 'configuration')),
  hint text not null default '',
  placeholder text not null default '',
  constraints jsonb not null default '{}',
  position integer not null default 0,
  secret boolean not null default false,        -- its values are sealed
  pool_id text,
  test_pool_id text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, id),
  constraint product_parameters_name unique (account_id, product_id, name),
  foreign key (account_id, product_id) references products (account_id, id),
  foreign key (account_id, pool_id) references pools (account_id, id),
  foreign key (account_id, test_pool_id) references pools (account_id, id),
  constraint product_parameters_phase_of_scope check ((phase = 'configuration') = (scope not in ('asset', 'tier1', 'tier2'))),
  constraint product_parameters_secret check (not secret or type in ('text', 'password')),
  constraint product_parameters_password check (type <> 'password' or secret),
  constraint product_parameters_bound check ((pool_id is null and test_pool_id is null) or (phase = 'fulfillment' and scope = 'asset' and secret))
);

-- A row is one text of a product in Markdown, with {{ parameter }} for values.
create table product_templates (
  account_id text not null,
  product_id text not null,
  id text not null,
  title text not null,
  name text not null,
  body text not null,
  scope text not null constraint product_templates_scope check (scope in ('asset', 'tier1', 'tier2')),
  type text constraint product_templates_type check (type in ('fulfillment', 'inquire', 'pending')),
  position integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, id),
  foreign key (account_id, product_id) references products (account_id, id)
);
create index product_templates_product on product_templates (account_id, product_id, position);

-- A product made before this has what a new one is made with (src/products/templates/defaults.ts): a request names a template from its first moment.
insert into product_templates (account_id, product_id, id, title, name, body, scope, type, position)
select p.account_id, p.id,
  regexp_replace(lpad((row_number() over (order by p.account_id, p.id, t.position))::text, 9, '0'), '(...)(...)(...)', 'TL-\1-\2-\3'),
  t.title, t.name, t.body, 'asset', t.type, t.position
from products p cross join (values
  ('Fulfillment', 'fulfillment', 'Thank you for your purchase. It is ready to use.', 'fulfillment', 1),
  ('Inquiry', 'inquire', 'We need to know more before we can go on. Please fill in [this form]({{ activation_form_url }}).', 'inquire', 2)
) t (title, name, body, type, position);

-- A row is the value of one configuration parameter: of the product, of an item, of a marketplace or of both ('' : not of one).
create table product_configurations (
  account_id text not null,
  product_id text not null,
  parameter_id text not null,
  item_id text not null default '',
  marketplace_id text not null default '',
  value text,
  structured_value jsonb,
  sealed bytea,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, product_id, parameter_id, item_id, marketplace_id),
  foreign key (account_id, parameter_id) references product_parameters (account_id, id)
);

-- A row is one button of a product that leads to a page of the vendor's, by a signed link.
create table product_actions (
  account_id text not null,
  product_id text not null,
  id text not null,
  action text not null,
  name text not null,
  title text not null,
  type text not null default 'button',
  scope text not null constraint product_actions_scope check (scope in ('asset', 'tier1', 'tier2')),
  description text not null default '',
  url text not null,
  sealed_secret bytea not null,                 -- signs the links
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, id),
  constraint product_actions_action unique (account_id, product_id, action),
  foreign key (account_id, product_id) references products (account_id, id)
);

-- A row is a product as it was published under a version, with all below it and without what only its vendor reads.
create table product_versions (
  account_id text not null,
  product_id text not null,
  version integer not null,
  snapshot jsonb not null,
  actions jsonb not null default '[]',
  created_at timestamptz not null default now(),
  primary key (account_id, product_id, version),
  foreign key (account_id, product_id) references products (account_id, id)
);
insert into product_versions (account_id, product_id, version, snapshot, created_at)
select account_id, id, 1, jsonb_build_object('name', name, 'icon', icon, 'status', status, 'category', category, 'short_description', short_description,
  'detailed_description', detailed_description, 'capabilities', capabilities, 'items', '[]'::jsonb, 'parameters', '[]'::jsonb, 'templates', '[]'::jsonb), created_at
from products;

-- The ids of what follows are drawn so that no two parties have the same: each is named by its id alone by the other side. Looked for by the indexes on id.

-- A row is one system of a provider that sends requests. Led by the provider, whose it is.
create table hubs (
  provider_id text not null references accounts (id),
  id text not null,
  name text not null,
  description text not null default '',
  instance_type text not null default 'API' constraint hubs_instance_type check (instance_type in ('API', 'OA')),
  instance_id text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (provider_id, id)
);
create index hubs_id on hubs (id, provider_id);

-- A row is one place where a provider sells, with the hub that serves it. Led by the provider, whose it is.
create table marketplaces (
  provider_id text not null references accounts (id),
  id text not null,
  hub_id text not null,
  name text not null,
  description text not null default '',
  icon text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (provider_id, id),
  foreign key (provider_id, hub_id) references hubs (provider_id, id)
);
create index marketplaces_id on marketplaces (id, provider_id);

-- A row lets a provider sell what a vendor lists, on one marketplace.
create table contracts (
  account_id text not null references accounts (id),
  id text not null,
  provider_id text not null,
  marketplace_id text not null,
  type text not null default 'distribution' constraint contracts_type check (type in ('distribution')),
  name text not null,
  status text not null default 'active' constraint contracts_status check (status in ('active', 'terminated')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, id),
  foreign key (provider_id, marketplace_id) references marketplaces (provider_id, id)
);
create index contracts_id on contracts (id, account_id);
create unique index contracts_one_active on contracts (account_id, provider_id, marketplace_id) where status = 'active';
create index contracts_provider on contracts (provider_id, marketplace_id);

-- A row puts a product on the marketplace of a contract.
create table listings (
  account_id text not null,
  id text not null,
  product_id text not null,
  contract_id text not null,
  provider_id text not null,
  status text not null default 'listed' constraint listings_status check (status in ('listed', 'unlisted')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, id),
  constraint listings_once unique (account_id, product_id, contract_id),
  foreign key (account_id, product_id) references products (account_id, id),
  foreign key (account_id, contract_id) references contracts (account_id, id)
);
create index listings_id on listings (id, account_id);
create index listings_provider on listings (provider_id, account_id);

-- A row ties a product to a provider's hub: without one, the provider neither sees the product nor requests it.
create table connections (
  account_id text not null,
  id text not null,
  product_id text not null,
  provider_id text not null,
  hub_id text,                                  -- null: any system of the provider
  type text not null constraint connections_type check (type in ('test', 'production', 'preview')),
  status text not null default 'active' constraint connections_status check (status in ('pending', 'approved', 'rejected', 'revoked', 'active')),
  product_version_type text not null default 'public' constraint connections_product_version_type check (product_version_type in ('public', 'staging')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, id),
  foreign key (account_id, product_id) references products (account_id, id),
  foreign key (provider_id, hub_id) references hubs (provider_id, id)
);
create index connections_id on connections (id, account_id);
create index connections_provider on connections (provider_id, product_id);
create index connections_product on connections (account_id, product_id);
