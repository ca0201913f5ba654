-- A row is how an account's mails are sent: who they come from, how fast, and the key that signs them. An account without one has the service's sender.
create table mail_settings (
  account_id text not null references accounts (id),
  from_name text,
  from_address text,                            -- null: the service's MAIL_FROM, with its name
  reply_to text,
  bcc text,                                     -- gets a copy of each mail, once the customer's was accepted
  rate_per_second double precision constraint mail_settings_rate check (rate_per_second > 0),
  paced_until timestamptz not null default now(), -- when the next mail may go; moved on by each claim
  is_pacing boolean not null default false,     -- deliveries of the account may be waiting for that
  dkim_domain text,
  dkim_selector text,
  dkim_public_key text,                         -- base64 of the SubjectPublicKeyInfo, as DNS has it
  dkim_sealed_key bytea,                        -- its private key
  updated_at timestamptz not null default now(),
  primary key (account_id),
  constraint mail_settings_from check (from_name is null or from_address is not null),
  constraint mail_settings_dkim check (num_nulls(dkim_domain, dkim_selector, dkim_public_key, dkim_sealed_key) in (0, 4))
);
create index mail_settings_pacing on mail_settings (paced_until) where is_pacing;

-- A delivery that waits for its account's pace is not among those that are due: it holds up no other account's.
alter table deliveries add column is_paced boolean not null default false,
  -- a mail that the server took may come back
  drop constraint deliveries_sent,
  add constraint deliveries_sent check ((status <> 'sent' or sent_at is not null) and (sent_at is null or status in ('sent', 'bounced')));
drop index deliveries_due_at;
create index deliveries_due_at on deliveries (next_attempt_at) where status in ('planned', 'sending') and not is_paced;
create index deliveries_pacing on deliveries (account_id, next_attempt_at) where status = 'planned' and is_paced;

-- A row is one report about a delivery that the mail server had accepted: it came back, or it is late.
create table delivery_reports (
  account_id text not null,
  delivery_id text not null,
  action text not null constraint delivery_reports_action check (action in ('failed', 'delayed')),
  status text not null,                         -- RFC 3463, 5.1.1
  diagnostic text not null,                     -- what the other side said, without the message
  received_at timestamptz not null default now(),
  primary key (account_id, delivery_id, action, status),
  foreign key (account_id, delivery_id) references deliveries (account_id, id)
);

-- The corrected address of an order's customer: where its mails go from now on. Null: to the address in `customer`, which stays as it came.
alter table orders add column mail_to text;
