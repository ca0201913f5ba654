-- Set: the customer's data of the order was erased. What it bought, paid and got stays.
alter table orders add column erased_at timestamptz,
  add constraint orders_erased check (erased_at is null or customer = '{}');

-- Set: what the checkout sent was erased. That it came stays, so that a repeat is known for ever.
alter table payment_events add column erased_at timestamptz,
  add constraint payment_events_erased check (erased_at is null or (length(body) = 0 and context = '{}' and answers is null));

-- A row is one order to erase: a customer's data, asked for by a person, or by the account's retention what is too old. The worker goes through
-- the tables by a cursor that commits with what it did. `account_id` is whose the data is: of tier accounts the provider's.
create table erasures (
  account_id text not null references accounts (id),
  id text not null default new_id('ER'),
  kind text not null constraint erasures_kind check (kind in ('customer', 'tier_account', 'retention')),
  status text not null default 'running' constraint erasures_status check (status in ('running', 'done')),
  fingerprint bytea,                            -- HMAC of whom it is about: two at once for the same are one. Gone when it is done
  sealed_subject bytea,                         -- of a person: {email?, order_id?, tier_account_id?}, sealed. Gone when it is done
  forced boolean not null default false,        -- also what is not delivered, or not over yet
  reason text,
  orders_before timestamptz,                    -- of retention: customers' data of orders that nothing happened to since; null: none
  payment_events_before timestamptz,            -- of retention: what checkouts sent before this; null: none
  phase text not null constraint erasures_phase check (phase in ('orders', 'payment_events', 'tier_accounts')),
  cursor text not null default '',              -- the last row of the phase that was looked at
  orders integer not null default 0,            -- erased, and the others likewise
  payment_events integer not null default 0,
  purchases integer not null default 0,
  tier_accounts integer not null default 0,
  kept integer not null default 0,              -- what was left, since it is not delivered or not over yet
  kept_ids text[] not null default '{}',        -- the first of these
  created_by text,                              -- the API key; null: retention
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  primary key (account_id, id),
  constraint erasures_subject check ((sealed_subject is not null) = (kind <> 'retention' and status = 'running')),
  constraint erasures_fingerprint check ((fingerprint is not null) = (status = 'running')),
  constraint erasures_finished check ((finished_at is not null) = (status = 'done')),
  constraint erasures_retention check (kind = 'retention' or (orders_before is null and payment_events_before is null))
);
create unique index erasures_one_running on erasures (account_id, fingerprint) where status = 'running';
create index erasures_running on erasures (created_at) where status = 'running';

-- A row is how long an account keeps what it knows of customers. Without one, until it is asked to erase it.
create table retention_settings (
  account_id text not null references accounts (id),
  customer_days integer constraint retention_settings_customer_days check (customer_days between 1 and 36500),
  payment_event_days integer constraint retention_settings_payment_event_days check (payment_event_days between 30 and 36500),
  updated_at timestamptz not null default now(),
  primary key (account_id)
);
