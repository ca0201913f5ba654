-- A row is the talk about one request, made with it.
create table conversations (
  account_id text not null references accounts (id),
  id text not null,
  instance_id text not null,
  provider_id text not null,
  topic text not null,
  type text not null default 'conversation' constraint conversations_type check (type in ('conversation', 'notes')),
  status text not null default 'open' constraint conversations_status check (status in ('open', 'closed')),
  creator_id text,                              -- the API key; null: the service itself
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (account_id, id),
  constraint conversations_instance unique (account_id, instance_id)
);
create index conversations_created on conversations (account_id, created_at);
create index conversations_provider on conversations (provider_id, created_at);
create index conversations_provider_id on conversations (provider_id, id);
create index conversations_provider_instance on conversations (provider_id, instance_id);

-- A row is one message of a conversation.
create table messages (
  account_id text not null,
  conversation_id text not null,
  id text not null default new_id('ME'),
  author_id text,                               -- the account; null: the service itself
  creator_id text,                              -- its API key
  type text not null default 'message' constraint messages_type check (type in ('message', 'state_change', 'private')),
  text text not null,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  primary key (account_id, conversation_id, id),
  foreign key (account_id, conversation_id) references conversations (account_id, id)
);
