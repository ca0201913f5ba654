-- A row is one billing request of an asset: what a period is charged for, with what each side wants to note on it.
create table billing_requests (
  account_id text not null,
  id text not null,
  type text not null constraint billing_requests_type check (type in ('vendor', 'provider')),
  provider_id text not null,
  asset_id text not null,
  items jsonb not null default '[]',
  attributes jsonb not null default '{"vendor": {}, "provider": {}}',
  period_from timestamptz not null,
  period_to timestamptz not null,
  period_delta integer not null constraint billing_requests_period_delta check (period_delta >= 1),
  period_uom text not null constraint billing_requests_period_uom check (period_uom in ('monthly', 'yearly', 'weekly', 'daily', 'hourly')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, id),
  foreign key (account_id, asset_id) references assets (account_id, id),
  constraint billing_requests_period check (period_from < period_to)
);
create index billing_requests_asset on billing_requests (asset_id, account_id);
create index billing_requests_provider on billing_requests (provider_id, created_at);
