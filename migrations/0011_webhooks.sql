-- A row is one URL that its owner wants called. account_id is the owner's, a vendor's or a provider's: what a provider registers is its own.
-- The statistics are those of Connect's object; they are written by the worker, never by the change that is told.
create table webhooks (
  account_id text not null references accounts (id),
  id text not null,
  label text not null,
  description text not null default '',
  type text not null,                           -- event: a signal; change: one message per change; else the synchronous call of that name
  object_class text not null,
  vendor_id text,                               -- whose the product is
  product_id text,                              -- null: of every product
  external_url text not null,
  http_method text not null default 'POST' constraint webhooks_http_method check (http_method in ('POST', 'GET')),
  data jsonb not null default '{}',
  header_names text[] not null default '{}',    -- more headers of every call
  sealed_headers bytea,                         -- the same with their values, JSON
  sealed_jwt_secret bytea,
  active boolean not null,
  disabled_reason text,                         -- why the service made it inactive
  failing_since timestamptz,                    -- the first failure after the last success
  events bigint not null default 0,
  triggers bigint not null default 0,
  success_triggers bigint not null default 0,
  failure_triggers bigint not null default 0,
  failure_since_last_success bigint not null default 0,
  last_event_at timestamptz,
  last_success jsonb,
  last_failure jsonb,
  created_at timestamptz not null default now(),
  created_by text not null,                     -- the API key
  modified_at timestamptz,
  modified_by text,
  deleted_at timestamptz,
  primary key (account_id, id),
  foreign key (vendor_id, product_id) references products (account_id, id),
  constraint webhooks_product check ((vendor_id is null) = (product_id is null)),
  constraint webhooks_every_product check (product_id is not null or type = 'change'),
  constraint webhooks_post check (http_method = 'POST' or type = 'event'),
  constraint webhooks_jwt_secret check ((sealed_jwt_secret is null) = (type = 'change' or deleted_at is not null)),
  constraint webhooks_headers check ((sealed_headers is null) = (cardinality(header_names) = 0)),
  constraint webhooks_disabled check (disabled_reason is null or not active)
);
-- Read by every change that could be told, mostly to find nothing.
create index webhooks_subscribers on webhooks (account_id, object_class) where active and deleted_at is null;

-- A row is one signing secret of a webhook of type change, sealed. While it is rotated two are valid.
create table webhook_secrets (
  account_id text not null,
  webhook_id text not null,
  id text not null default new_id('WS'),
  sealed bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  primary key (account_id, webhook_id, id),
  foreign key (account_id, webhook_id) references webhooks (account_id, id)
);

-- A row is one message to a webhook, planned in the transaction of the change it tells: ids and states, never a key. Kept 30 days.
create table webhook_messages (
  account_id text not null,
  id text not null default new_id('WM'),
  webhook_id text not null,
  kind text not null constraint webhook_messages_kind check (kind in ('signal', 'change')),
  event text not null,                          -- fulfillment_request.approved
  data jsonb not null default '{}',             -- of a change
  status text not null default 'planned' constraint webhook_messages_status check (status in ('planned', 'sending', 'sent', 'failed')),
  attempts integer not null default 0,
  attempts_before integer not null default 0,   -- of these, before it was last replayed: the schedule counts from there
  next_attempt_at timestamptz default now(),    -- planned: when to try; sending: when the claim lapses; else null
  claim_id text,                                -- who sends it now
  last_error text,
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  primary key (account_id, id),
  foreign key (account_id, webhook_id) references webhooks (account_id, id),
  constraint webhook_messages_due check ((next_attempt_at is not null) = (status in ('planned', 'sending'))),
  constraint webhook_messages_claimed check ((claim_id is not null) = (status = 'sending')),
  constraint webhook_messages_sent check ((sent_at is not null) = (status = 'sent'))
);
-- Led by the webhook: what is due is looked for webhook by webhook, so that the backlog of one hides nobody's.
create index webhook_messages_due_at on webhook_messages (account_id, webhook_id, next_attempt_at) where status in ('planned', 'sending');
create index webhook_messages_lapsed on webhook_messages (next_attempt_at) where status = 'sending';
create index webhook_messages_signals on webhook_messages (account_id, webhook_id) where kind = 'signal' and status = 'planned';
create index webhook_messages_webhook on webhook_messages (account_id, webhook_id, id);
create index webhook_messages_created on webhook_messages (created_at);

-- A row is one try at a message.
create table webhook_attempts (
  account_id text not null,
  message_id text not null,
  attempt integer not null,
  started_at timestamptz not null default now(),
  finished_at timestamptz,                      -- null: under way, or its worker died
  outcome text constraint webhook_attempts_outcome check (outcome in ('sent', 'failed', 'released')),
  status_code integer,
  duration_ms integer,
  response text,                                -- the beginning of the answer
  error text,                                   -- why there is none
  primary key (account_id, message_id, attempt),
  foreign key (account_id, message_id) references webhook_messages (account_id, id) on delete cascade,
  constraint webhook_attempts_finished check ((finished_at is null) = (outcome is null))
);
