-- A row is one mail that hands keys to a customer: what is to be said, never the keys themselves.
create table deliveries (
  account_id text not null,
  id text not null default new_id('DE'),
  order_id text not null,
  product_id text not null,
  license_ids text[] not null constraint deliveries_license_ids check (cardinality(license_ids) >= 1),
  "to" text not null,
  reason text not null default 'order' constraint deliveries_reason check (reason in ('order', 'backorder', 'resend')),
  status text not null default 'planned' constraint deliveries_status
    check (status in ('planned', 'sending', 'sent', 'failed', 'bounced', 'cancelled')),
  attempts integer not null default 0,
  next_attempt_at timestamptz default now(),    -- planned: when to try; sending: when the claim lapses; else null
  claim_id text,                                -- who sends it now
  message_id text,                              -- set at the first claim, the same on every try
  last_error text,
  requested_by text,                            -- of a resend: the API key
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  primary key (account_id, id),
  foreign key (account_id, order_id) references orders (account_id, id),
  constraint deliveries_due check ((next_attempt_at is not null) = (status in ('planned', 'sending'))),
  constraint deliveries_claimed check ((claim_id is not null) = (status = 'sending')),
  constraint deliveries_sent check ((sent_at is not null) = (status = 'sent'))
);
create index deliveries_due_at on deliveries (next_attempt_at) where status in ('planned', 'sending');
create index deliveries_order on deliveries (account_id, order_id);
create index deliveries_created on deliveries (account_id, created_at);

-- A row is one try at handing a delivery to the mail server.
create table delivery_attempts (
  account_id text not null,
  delivery_id text not null,
  attempt integer not null,
  started_at timestamptz not null default now(),
  finished_at timestamptz,                      -- null: under way, or its worker died
  outcome text constraint delivery_attempts_outcome check (outcome in ('sent', 'deferred', 'bounced', 'failed')),
  response text,                                -- the server's answer or the reason, without the message
  primary key (account_id, delivery_id, attempt),
  foreign key (account_id, delivery_id) references deliveries (account_id, id),
  constraint delivery_attempts_finished check ((finished_at is null) = (outcome is null))
);
