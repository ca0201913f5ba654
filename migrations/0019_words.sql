-- What the tags of mails say of a product beside its name.
alter table products add column family_name text;           -- the name of what the product is an edition of
alter table products add column url_to_instructions text;
alter table products add column url_to_download text;
alter table products add column words_version integer not null default 0;   -- 0: only while the product is being made

-- A row is what the mails of a product say from one change of it to the next: written with the change, never changed itself, so that a mail which is sent
-- again says what was said.
create table mail_words (
  account_id text not null,
  product_id text not null,
  version integer not null constraint mail_words_version check (version >= 1),
  words jsonb not null,                         -- {name, family_name?, url_to_instructions?, url_to_download?, mail_template, locales}, as products has them
  created_at timestamptz not null default now(),
  created_by text,                              -- the API key; null: the service itself
  primary key (account_id, product_id, version),
  foreign key (account_id, product_id) references products (account_id, id)
);
insert into mail_words (account_id, product_id, version, words)
select account_id, id, 1, jsonb_build_object('name', name, 'mail_template', mail_template, 'locales', locales) from products;
update products set words_version = 1;

-- A row is what stands around the words of all products of an account from one change to the next; never changed. Of an account without one the service's own
-- words stand there: version 0.
create table mail_wrappers (
  account_id text not null references accounts (id),
  version integer not null constraint mail_wrappers_version check (version >= 1),
  texts jsonb not null,                         -- {"default": {greeting?, details?, signature?}, "pt_BR": {…}, …}
  created_at timestamptz not null default now(),
  created_by text,
  primary key (account_id, version)
);

-- What a mail says is fixed when it is first tried, so that every try says the same. Null: it was not tried yet, or before there were versions.
alter table deliveries add column words_version integer;
alter table deliveries add column wrapper_version integer;
alter table deliveries add column worded_at timestamptz;    -- {DATE}
alter table deliveries add constraint deliveries_worded
  check ((words_version is null) = (worded_at is null) and (wrapper_version is null) = (worded_at is null));
