-- A row is one recall of a batch: its unsold licenses are withdrawn, the sold ones replaced, chunk by chunk. Whoever works on it locks it; what a chunk did
-- and how far that leads commit together, so that another goes on exactly there.
create table recalls (
  account_id text not null,
  id text not null default new_id('RC'),
  batch_id text not null,
  pool_id text not null,
  reason text not null,
  status text not null default 'running' constraint recalls_status check (status in ('running', 'done', 'cancelled')),
  phase text not null default 'withdrawing' constraint recalls_phase check (phase in ('withdrawing', 'replacing')),
                                                -- nothing is replaced before the unsold ones cannot be the replacement
  cursor text not null default '',              -- the last license of the batch that the phase has looked at
  total integer not null,                       -- licenses of the batch, as it began
  withdrawn integer not null default 0,
  replaced integer not null default 0,
  short integer not null default 0,             -- taken away, and waiting for stock
  failed integer not null default 0,            -- taken away, and its order ended before there was another
  skipped integer not null default 0,           -- had been withdrawn or revoked before
  created_by text not null,                     -- the API key, or 'cli'
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  primary key (account_id, id),
  foreign key (account_id, batch_id) references batches (account_id, id),
  constraint recalls_finished check ((status = 'running') = (finished_at is null)),
  constraint recalls_complete check (status <> 'done' or withdrawn + replaced + short + failed + skipped = total)
);
create unique index recalls_one_of_batch on recalls (account_id, batch_id) where status = 'running';
create index recalls_running on recalls (created_at) where status = 'running';

-- A row is what a recall did about one license of its batch.
create table recall_items (
  account_id text not null,
  recall_id text not null,
  license_id text not null,
  outcome text not null constraint recall_items_outcome check (outcome in ('withdrawn', 'replaced', 'short', 'failed', 'skipped')),
  order_id text,                                -- who held it
  detail text,                                  -- why it failed, or was skipped
  done_at timestamptz not null default now(),
  primary key (account_id, recall_id, license_id),
  foreign key (account_id, recall_id) references recalls (account_id, id),
  constraint recall_items_detail check ((detail is not null) = (outcome in ('failed', 'skipped'))),
  constraint recall_items_order check (outcome not in ('replaced', 'short', 'failed') or order_id is not null)
);
create index recall_items_short on recall_items (done_at) where outcome = 'short';

-- A row is one sold license that was found bad and taken from its slot for good: whatever becomes of its order, it is never put back in force.
-- Rows that replace each other are a chain, old to new.
create table license_revocations (
  account_id text not null,
  license_id text not null,
  order_id text not null,
  line_item_id text not null,
  unit integer not null,
  cause text not null constraint license_revocations_cause check (cause in ('revoked', 'replaced', 'recalled')),
  reason text not null,
  recall_id text,
  replaced_by text,                             -- the license that the slot has in its place; null: none, or none yet
  created_by text not null,                     -- the API key, or 'cli'
  created_at timestamptz not null default now(),
  replaced_at timestamptz,
  primary key (account_id, license_id),
  constraint license_revocations_one_place unique (account_id, replaced_by),
  foreign key (account_id, license_id) references licenses (account_id, id),
  foreign key (account_id, replaced_by) references licenses (account_id, id),
  constraint license_revocations_other check (replaced_by <> license_id),
  constraint license_revocations_replaced check ((replaced_by is null) = (replaced_at is null)),
  constraint license_revocations_kept check (cause <> 'revoked' or replaced_by is null),
  constraint license_revocations_recall check ((cause = 'recalled') = (recall_id is not null))
);
create index license_revocations_slot on license_revocations (account_id, line_item_id, unit);
alter table deliveries drop constraint deliveries_reason,
  add constraint deliveries_reason check (reason in ('order', 'backorder', 'resend', 'information', 'replacement'));
