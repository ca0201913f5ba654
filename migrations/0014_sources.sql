-- What a vendor sets for a payment source, see SourceOptions in src/payments/checkout.ts, and the key to the checkout's API, sealed.
alter table payment_sources add column options jsonb not null default '{}' constraint payment_sources_options check (jsonb_typeof(options) = 'object');
alter table payment_sources add column sealed_api_key bytea;

-- When the look-ups of an event that is waiting are made next, and how often they were tried; null: it waits for its order. The time is also
-- the lease of the worker that makes them. Once the event waits no more it says nothing.
alter table payment_events add column next_attempt_at timestamptz;
alter table payment_events add column attempts integer not null default 0;
-- What a kept event calls the order it is of, where that much could be read: by this a list of the checkout's orders is compared with what is here.
alter table payment_events add column ref text;
create index payment_events_kept on payment_events (account_id, source_id, ref) where ref is not null and status in ('failed', 'waiting');
create index payment_events_due on payment_events (account_id, source_id, next_attempt_at) where status = 'waiting' and next_attempt_at is not null;

-- A row is one order to replay the payment events of a range, in the order they were received, by the worker. The cursor is the last
-- event that is done with; it commits with the counts, so that whoever goes on counts nothing twice.
create table payment_replays (
  account_id text not null references accounts (id),
  id text not null,
  source_id text,                               -- null: of every source
  event_status text,                            -- null: in every status
  event_type text,                              -- null: of every type
  received_from timestamptz not null,
  received_to timestamptz not null,
  status text not null default 'running' constraint payment_replays_status check (status in ('running', 'finished')),
  total integer not null,                       -- how many there were when it was asked for
  done integer not null default 0,
  processed integer not null default 0,
  failed integer not null default 0,
  cursor_received_at timestamptz,
  cursor_id text,
  next_attempt_at timestamptz default now(),    -- the lease of the worker that has it
  claim_id text,
  created_by text not null,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  primary key (account_id, id),
  constraint payment_replays_range check (received_from <= received_to),
  constraint payment_replays_finished check ((status = 'finished') = (finished_at is not null) and (status = 'running') = (next_attempt_at is not null)),
  constraint payment_replays_cursor check ((cursor_id is null) = (cursor_received_at is null))
);
create index payment_replays_due on payment_replays (next_attempt_at, account_id) where next_attempt_at is not null;
