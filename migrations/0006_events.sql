-- A row is one fact, past tense: the audit trail. Append-only. Ids and reasons, never a key.
create table events (
  account_id text not null,
  id text not null default new_id('EV'),
  type text not null,
  subject_id text not null,
  actor text,                                   -- the API key that caused it; null: the service itself
  data jsonb not null default '{}',
  created_at timestamptz not null default now(),
  primary key (account_id, id)
);
create index events_subject on events (account_id, subject_id, id);

-- A row is one answer given under an Idempotency-Key: a reference to the resource, rendered again on a repeat.
-- Kept 30 days.
create table idempotency_keys (
  account_id text not null,
  operation text not null,
  key text not null,
  fingerprint bytea not null,                   -- SHA-256 of the request
  status_code smallint not null,
  resource_id text not null,
  sealed bytea,                                 -- a secret that the answer carried
  created_at timestamptz not null default now(),
  primary key (account_id, operation, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);
