-- Keys of the service, and the log of who read or wrote what is linked to companies.

-- A key: only the hash of it is kept.
create table access_key (
  key_id uuid primary key,
  handle text collate "C" not null unique,         -- the part by which a key is found
  sha256 bytea not null check (length(sha256) = 32),
  person text not null check (length(person) between 1 and 200),
  name text not null check (length(name) between 1 and 200),
  scopes text[] not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz,
  revoked_at timestamptz
);

-- One access. Rows are added, never changed; ids that were given and not committed leave gaps.
create table audit_entry (
  seq bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  key_id uuid,                                     -- null: the command line, by a person of the machine
  person text not null,
  case_id uuid,
  purpose_hash bytea not null check (length(purpose_hash) = 32),
  action text not null,
  object text not null,
  query_hash bytea not null check (length(query_hash) = 32),
  result_rows integer not null,
  result_hash bytea not null check (length(result_hash) = 32),
  rests_on text not null,                          -- datasets and heights, where the answer rests on some
  client text not null
);

-- The words of a purpose, apart: they can be erased, and the log stays verifiable by their salted hash.
create table audit_text (
  seq bigint primary key references audit_entry,
  salt bytea,
  purpose text,
  check ((salt is null) = (purpose is null))
);

-- Entries of a second, sealed: their Merkle root, and the hash of the batch before.
create table audit_batch (
  batch bigint primary key check (batch > 0),
  first_seq bigint not null,
  last_seq bigint not null,
  entries integer not null check (entries > 0),
  root bytea not null check (length(root) = 32),
  previous bytea not null check (length(previous) = 32),
  at timestamptz not null default clock_timestamp()
);

-- What a request with an Idempotency-Key was answered: the same request again gets the same answer and does nothing.
create table posted (
  key_id uuid not null,
  idempotency_key text collate "C" not null,
  digest bytea not null,
  status integer not null,
  body bytea not null,
  at timestamptz not null default clock_timestamp(),
  primary key (key_id, idempotency_key)
);
alter table posted enable row level security;
create policy own_key on posted using (key_id = nullif(current_setting('headwater.key', true), '')::uuid)
  with check (key_id = nullif(current_setting('headwater.key', true), '')::uuid);
