-- Until when the key is good; null: for ever. As loaded, never changed.
alter table licenses add column expires_at timestamptz;
alter table staged_licenses add column expires_at timestamptz;

alter table pools
  add column pick text not null default 'first' constraint pools_pick check (pick in ('first', 'soonest')),
                                                -- the next license: in the order loaded, or the one that expires first
  add column min_remaining_days integer not null default 0 constraint pools_min_remaining_days check (min_remaining_days between 0 and 36500),
                                                -- of 24 hours; only what lasts longer from now on is given
  add column dated_from bigint,                 -- the first position that may be one of a license that expires; null: the pool never had one.
                                                -- Set, takes go the careful way, and never unset
  -- Where a careful take of such a pool begins to look: nothing before it can be given. Of 'soonest' it is both, of 'first' the position
  -- alone. Moves under the lock above: forth by a job, back with what is added before it.
  add column mark_expires_at timestamptz not null default '-infinity',
  add column mark_position bigint not null default 0;
create index pools_dated on pools (account_id, id) where dated_from is not null;

-- Null in a pool without dates and below its dated_from: then it never expires; else its license's own, or 'infinity'.
alter table stock add column expires_at timestamptz;
-- The order of 'soonest'. Partial, so that other pools neither pay for it nor can be planned by it.
create index stock_soonest on stock (account_id, pool_id, expires_at, position) where expires_at is not null;

-- A row is stock that can be given now: neither expired nor with less time left than its pool demands.
create view fit_stock as
  select s.account_id, s.pool_id, s.position, s.license_id
  from stock s join pools p on p.account_id = s.account_id and p.id = s.pool_id
  where s.expires_at is null or s.expires_at > statement_timestamp() + p.min_remaining_days * interval '24 hours';

-- A row is one license that expired unsold and is out of stock for good.
create table expirations (
  account_id text not null,
  license_id text not null,
  pool_id text not null,
  created_at timestamptz not null default now(),  -- when it left stock, which may be after it expired
  primary key (account_id, license_id)
);
create index expirations_pool on expirations (account_id, pool_id);
