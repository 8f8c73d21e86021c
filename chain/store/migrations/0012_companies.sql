-- Companies, what authorities say of them, and the cases in which people work.

-- A company of a register or a report. Never merged with another on a name alone.
create table company (
  company_id uuid primary key,                     -- of its strongest identifier, or of what its row says
  jurisdiction text not null default '',           -- ISO 3166, upper case
  added_at timestamptz not null default clock_timestamp()
);

-- Each name as it was given, with the forms that searches compare.
create table company_name (
  company_id uuid not null references company,
  name text not null check (length(name) between 1 and 500),
  kind text not null check (kind in ('legal', 'former', 'trading', 'translated')),
  key text collate "C" not null,                   -- api/companies/names.py: folded, without suffixes
  pinyin text collate "C" not null,
  primary key (company_id, name, kind)
);
-- Serves the search by name, whole and from its beginning.
create index company_name_key on company_name (key, company_id);
create index company_name_pinyin on company_name (pinyin, company_id);

-- What names a company for good.
create table company_identifier (
  scheme text not null check (scheme in ('cn-uscc', 'lei', 'registry', 'actor')),
  value text collate "C" not null check (length(value) between 1 and 200),
  company_id uuid not null references company,
  primary key (scheme, value)
);
-- Serves `company show`.
create index company_identifier_of on company_identifier (company_id);

-- Officers, registered address, phone, agent, domain, parent: as given. Shared ones are not evidence (EVIDENCE 17).
create table company_fact (
  company_id uuid not null references company,
  kind text not null check (kind in ('officer', 'registered address', 'phone', 'agent', 'domain', 'parent')),
  value text not null check (length(value) between 1 and 1000),
  source text not null,
  primary key (company_id, kind, value)
);

-- A file of companies that was taken.
create table company_import (
  import_id bigint generated always as identity primary key,
  file text not null,
  sha256 bytea not null check (length(sha256) = 32),
  taken integer not null,
  rejected integer not null,
  by_person text not null,
  at timestamptz not null default clock_timestamp()
);

-- What an authority holds against a company; its status stands in flag_status.
create table flag (
  flag_id uuid primary key,
  company_id uuid not null references company,
  authority text not null check (length(authority) between 1 and 300),
  document text not null check (length(document) between 1 and 300),
  document_date date not null,
  url text not null default '',
  archived_sha256 bytea check (length(archived_sha256) = 32),
  activity text not null check (activity in ('trading venue', 'overseas channel', 'token sale')),
  added_at timestamptz not null default clock_timestamp()
);
-- Serves a company's flags.
create index flag_of on flag (company_id, document_date, flag_id);

-- Its history: the newest row holds. Nothing is changed or taken out.
create table flag_status (
  flag_id uuid not null references flag,
  version integer not null check (version > 0),
  status text not null check (status in ('screened', 'under inquiry', 'alleged', 'responded', 'decided', 'dismissed',
                                         'appealed', 'rectified', 'withdrawn')),
  since date not null,
  instrument text not null default '',             -- the number of what decided
  note text not null default '',
  by_person text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (flag_id, version),
  check (status <> 'decided' or instrument <> '')
);

-- What a person works in. The question and the convention stand before anything is looked for.
create table case_file (
  case_id uuid primary key,
  title text not null,
  question text not null,
  convention text not null check (convention in ('fifo', 'lifo', 'pro-rata', 'lowest-balance')),
  reason text not null,                            -- why this convention
  opened_by text not null,
  opened_at timestamptz not null default clock_timestamp(),
  closed_at timestamptz,
  erased_at timestamptz,
  basis text not null default ''                   -- digest of all that the links were inferred from
);

-- Which keys may work in which case.
create table case_member (
  case_id uuid not null references case_file deferrable initially deferred,
  key_id uuid not null,
  primary key (case_id, key_id)
);

-- The companies that the case asks of, fixed before the search.
create table case_candidate (
  case_id uuid not null references case_file,
  company_id uuid not null references company,
  by_person text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (case_id, company_id)
);

-- A file, as it was collected.
create table exhibit (
  case_id uuid not null references case_file,
  number integer not null check (number > 0),      -- counts up within the case
  name text not null,
  sha256 bytea not null check (length(sha256) = 32),
  size bigint not null,
  root text not null,                              -- the document or source that it descends from
  collector text not null,
  method text not null,
  collected_on date not null,
  content bytea,                                   -- zstd; null when erased
  by_person text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (case_id, number)
);

-- Notes, and what was attached: traces, findings.
create table case_entry (
  case_id uuid not null references case_file,
  number integer not null check (number > 0),
  kind text not null check (kind in ('note', 'trace', 'finding')),
  body text not null,
  by_person text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (case_id, number)
);

-- Somebody says that a company has to do with an address.
create table claim (
  case_id uuid not null references case_file,
  number integer not null check (number > 0),
  company_id uuid not null references company,
  chain text not null check (chain in ('btc', 'eth')),
  address text collate "C" not null,               -- as printed
  role text not null check (role in ('controls', 'customer of a service', 'deployed', 'received proceeds',
                                     'named as payee', 'named as payer', 'named as example')),
  kind text not null,                              -- of evidence: clustering/link/evidence.py
  root text not null,
  exhibit integer,
  against boolean not null default false,          -- contradicts instead
  statement text not null,
  by_person text not null,
  at timestamptz not null default clock_timestamp(),
  withdrawn_at timestamptz,
  withdrawn_reason text,
  primary key (case_id, number),
  foreign key (case_id, exhibit) references exhibit (case_id, number)
);

-- A company and an address in a role, within a case.
create table company_link (
  link_id uuid primary key,                        -- of case, company, address and role
  case_id uuid not null references case_file,
  company_id uuid not null references company,
  chain text not null,
  address text collate "C" not null,
  role text not null,
  unique (case_id, company_id, chain, address, role)
);
-- Serves the links of an address.
create index company_link_of_address on company_link (case_id, chain, address);

-- Each form that a link was shown in; the newest stands. Nothing is changed.
create table company_link_version (
  link_id uuid not null references company_link,
  case_id uuid not null references case_file,
  version integer not null check (version > 0),
  body jsonb not null,
  digest bytea not null check (length(digest) = 32),
  at timestamptz not null default clock_timestamp(),
  primary key (link_id, version)
);

-- What persons made of a link, and of which version.
create table company_decision (
  link_id uuid not null references company_link,
  case_id uuid not null references case_file,
  number integer not null check (number > 0),
  version integer not null,
  decision text not null check (decision in ('confirm', 'reject', 'dispute')),
  reason text not null check (length(reason) between 1 and 2000),
  by_person text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (link_id, number)
);

-- Who was given which version of a link, so that they can be told when it changes.
create table link_shown (
  link_id uuid not null references company_link,
  case_id uuid not null references case_file,
  reader text not null,
  version integer not null,
  at timestamptz not null default clock_timestamp(),
  primary key (link_id, reader)
);

-- Row security: a row of a case is there for a key that is a member of it, in a session that named the case.
-- The owner, by whom the command line works, sees all; the service's role owns nothing (docs/access.md).
create function case_is_open(of_case uuid) returns boolean language sql stable as $$
  select of_case = nullif(current_setting('headwater.case', true), '')::uuid
     and exists (select from case_member member
                 where member.case_id = of_case
                   and member.key_id = nullif(current_setting('headwater.key', true), '')::uuid)
$$;
alter table case_member enable row level security;
create policy own_key on case_member for select using (key_id = nullif(current_setting('headwater.key', true), '')::uuid);
do $$
declare name text;
begin
  foreach name in array array['case_file', 'case_candidate', 'exhibit', 'case_entry', 'claim', 'company_link',
                              'company_link_version', 'company_decision', 'link_shown'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy open_case on %I using (case_is_open(case_id)) with check (case_is_open(case_id))', name);
  end loop;
end $$;

-- A case is opened with its first member in one step: nobody can make themselves a member of another's.
create function open_case(new_case uuid, title text, question text, convention text, reason text, person text)
returns void language plpgsql security definer set search_path = pg_catalog, public as $$
declare key uuid := nullif(current_setting('headwater.key', true), '')::uuid;
begin
  insert into public.case_file (case_id, title, question, convention, reason, opened_by)
  values (new_case, title, question, convention, reason, person);
  if key is not null then
    insert into public.case_member (case_id, key_id) values (new_case, key);
  end if;
end $$;
