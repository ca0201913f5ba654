-- Identifiers are a readable prefix, 11 hexadecimal digits of the Unix time in milliseconds and 16 random ones:
-- they sort by time, so an index grows at its right edge. src/ids.ts makes the same shape in the service.
create function new_id (prefix text) returns text language sql volatile parallel safe as $$
  select prefix || '-' || lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 11, '0')
    || substr(replace(gen_random_uuid()::text, '-', ''), 17, 16)
$$;

-- A row is one party: the operator of the service, a vendor (owns products and keys) or a provider (sells them on).
create table accounts (
  id text primary key,
  type text not null constraint accounts_type check (type in ('operator', 'vendor', 'provider')),
  name text not null,
  created_at timestamptz not null default now()
);

-- A row is one credential of an account. The secret is kept as its SHA-256: it has 160 random bits, so a slow hash adds nothing.
-- Looked up by id alone, before the account is known: with payment_sources and accounts it would be a replicated
-- reference table on a distributed engine, hence the one unique constraint here that does not start with the account.
create table api_keys (
  account_id text not null references accounts (id),
  id text not null constraint api_keys_id unique,
  name text not null,
  secret_sha256 bytea not null,
  permissions text[] not null,
  created_by text,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  primary key (account_id, id)
);
