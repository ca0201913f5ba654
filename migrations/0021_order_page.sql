-- Links to the page of an order carry this number, so that raising it closes all that were given out.
alter table orders add column page_generation integer not null default 0 constraint orders_page_generation check (page_generation >= 0);

-- What the page of an order shows of a product's licenses: that they come by mail, the keys after a click, or the keys at once.
alter table products add column order_page text not null default 'click' constraint products_order_page check (order_page in ('none', 'click', 'show'));

-- A row is what a vendor set for the pages of its orders. Without one the defaults hold.
create table order_page_settings (
  account_id text not null references accounts (id),
  days integer not null default 90 constraint order_page_settings_days check (days between 1 and 3650),  -- how long a link opens its page
  allowed_origins text[] not null default '{}' constraint order_page_settings_origins check (cardinality(allowed_origins) <= 50),
  updated_at timestamptz not null default now(),
  primary key (account_id)
);
-- A browser asks whether an origin may call before it says for which order.
create index order_page_settings_origin on order_page_settings using gin (allowed_origins);
