-- A row is one product of a vendor.
create table products (
  account_id text not null references accounts (id),
  id text not null,
  name text not null,
  mail_template jsonb not null,           -- {subject, text, html?}; the tags are filled in when the mail is rendered
  locales jsonb not null default '{}',    -- {"de": {name?, mail_template?}, …}: what replaces the above for that locale
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, id)
);

-- A row is one name by which an order line may ask for a product: its own id, or an external id (a shop's SKU).
create table product_refs (
  account_id text not null,
  ref text not null,
  product_id text not null,
  primary key (account_id, ref),
  foreign key (account_id, product_id) references products (account_id, id)
);
-- Not led by the account: the planner must see no other way to a name than the primary key, however small the table was.
create index product_refs_product on product_refs (product_id, account_id);
