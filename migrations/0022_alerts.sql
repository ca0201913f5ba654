-- When a pool is said to be short, beside low_stock_threshold: at or below these parts of what the last restock left, and when what is
-- available covers fewer days of sales than this.
alter table pools
  add column low_stock_percents integer[] not null default '{}'
    constraint pools_low_stock_percents check (cardinality(low_stock_percents) <= 10 and 0 < all (low_stock_percents) and 100 > all (low_stock_percents)),
  add column low_stock_days integer constraint pools_low_stock_days check (low_stock_days between 1 and 365);

-- A row is what a vendor set for its alerts. Without one they are raised and shown, and nobody is mailed.
create table alert_settings (
  account_id text not null references accounts (id),
  addresses text[] not null default '{}' constraint alert_settings_addresses check (cardinality(addresses) <= 10),
  muted text[] not null default '{}',           -- kinds that are raised and shown, and not mailed
  expiring_days integer not null default 30 constraint alert_settings_expiring_days check (expiring_days between 1 and 365),
  updated_at timestamptz not null default now(),
  primary key (account_id)
);

-- A row is one thing that a vendor should know, from when it was so until it was over. Raised by the worker from what the tables say.
create table alerts (
  account_id text not null,
  id text not null default new_id('AL'),
  kind text not null constraint alerts_kind check (kind in (
    'pool.low', 'pool.low_percent', 'pool.low_days', 'pool.empty', 'pool.backordered', 'delivery.failed', 'order.unfulfilled', 'batch.expiring')),
  subject_id text not null,                     -- a pool, delivery, order or batch
  step integer not null default 0,              -- of pool.low_percent: which
  topic text not null,                          -- what a mail an hour is about: the pool, or '' where each subject is a new one
  data jsonb not null default '{}',             -- ids, names of pools and counts, as it was raised
  raised_at timestamptz not null default now(),
  cleared_at timestamptz,
  mail_state text not null default 'waiting' constraint alerts_mail_state check (mail_state in ('waiting', 'mailed', 'silent')),
                                                -- silent: nobody wants it by mail, or it was over before
  mailing_id text,                              -- the mail, one row of alert_mails for each address
  mailed_at timestamptz,                        -- when that was planned: the hour counts from here
  primary key (account_id, id),
  constraint alerts_mailed check ((mail_state = 'mailed') = (mailing_id is not null) and (mail_state = 'mailed') = (mailed_at is not null)),
  constraint alerts_step check ((kind = 'pool.low_percent') = (step > 0)),
  constraint alerts_cleared check (cleared_at >= raised_at)
);
create unique index alerts_one_open on alerts (account_id, kind, subject_id, step) where cleared_at is null;
create index alerts_subject on alerts (account_id, subject_id, kind);
create index alerts_waiting on alerts (account_id) where mail_state = 'waiting';
create index alerts_mailed_at on alerts (account_id, kind, topic, mailed_at) where mail_state = 'mailed';
create index alerts_mailing on alerts (account_id, mailing_id) where mailing_id is not null;

-- A row is one mail about alerts to one address. What it says is read from its alerts when it is sent.
create table alert_mails (
  account_id text not null,
  id text not null default new_id('AM'),
  mailing_id text not null,
  "to" text not null,
  status text not null default 'planned' constraint alert_mails_status check (status in ('planned', 'sending', 'sent', 'failed', 'bounced')),
  attempts integer not null default 0,
  next_attempt_at timestamptz default now(),    -- planned: when to try; sending: when the claim lapses; else null
  claim_id text,                                -- who sends it now
  message_id text,                              -- set at the first claim, the same on every try
  last_error text,
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  primary key (account_id, id),
  constraint alert_mails_once unique (account_id, mailing_id, "to"),
  constraint alert_mails_due check ((next_attempt_at is not null) = (status in ('planned', 'sending'))),
  constraint alert_mails_claimed check ((claim_id is not null) = (status = 'sending')),
  constraint alert_mails_sent check ((sent_at is not null) = (status = 'sent'))
);
create index alert_mails_due_at on alert_mails (next_attempt_at) where status in ('planned', 'sending');

-- A row is what a worker saw when it last looked at a pool. Whoever looks locks it, so that one thing is seen by one worker at a time.
create table pool_watches (
  account_id text not null,
  pool_id text not null,
  seen text not null default '',                -- what shows cheaply that something has changed
  batch_id text,                                -- the last load into stock
  stocked integer constraint pool_watches_stocked check (stocked >= 0),  -- what was available when that was first seen; null: not counted
  looked_at timestamptz not null default '-infinity',
  look_at timestamptz not null default now(),   -- not before: a large count is not made every few seconds
  primary key (account_id, pool_id),
  foreign key (account_id, pool_id) references pools (account_id, id)
);

-- A row is how many licenses the orders of one day (UTC) asked of a pool. Kept for pools of accounts that watch days of cover.
create table pool_sales (
  account_id text not null,
  pool_id text not null,
  day date not null,
  licenses integer not null constraint pool_sales_licenses check (licenses >= 1),
  primary key (account_id, pool_id, day)
);

-- A row is how far the orders of an account are in pool_sales. Whoever goes on locks it.
create table sales_counts (
  account_id text not null references accounts (id),
  counted_until timestamptz not null,
  primary key (account_id)
);

-- The last load into stock. What a supply sends for a line that waits is never in stock.
create index batches_stocked on batches (account_id, pool_id, loaded_at) where status = 'loaded' and loaded > 0 and created_by not like 'SO-%';
-- Not led by the account: what the worker looks for among all, the recent ones. Orders that are served at once never are in these.
create index deliveries_failed on deliveries (created_at) where status in ('failed', 'bounced');
create index line_items_unfulfilled on line_items (order_id) where fulfillment_status = 'unfulfilled' and ended_units < quantity;
