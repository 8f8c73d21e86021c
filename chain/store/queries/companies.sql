-- Queries of chain/store/companies.py.

-- name: lock
-- One writer of companies at a time: which company an identifier names must not change meanwhile.
select pg_advisory_xact_lock(hashtextextended('headwater companies', 0));

-- name: named
-- Which companies identifiers name already; by the primary key.
select scheme, value, company_id from company_identifier
where (scheme, value) in (select * from unnest($1::text[], $2::text[]));

-- name: known
select company_id from company where company_id = any($1::uuid[]);

-- name: add_companies
insert into company (company_id, jurisdiction) select * from unnest($1::uuid[], $2::text[])
on conflict (company_id) do update set jurisdiction = excluded.jurisdiction
where company.jurisdiction = '' and excluded.jurisdiction <> '';

-- name: add_names
insert into company_name (company_id, name, kind, key, pinyin)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]) on conflict do nothing;

-- name: add_identifiers
insert into company_identifier (company_id, scheme, value)
select * from unnest($1::uuid[], $2::text[], $3::text[]) on conflict do nothing;

-- name: add_facts
insert into company_fact (company_id, kind, value, source)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) on conflict do nothing;

-- name: add_import
insert into company_import (file, sha256, taken, rejected, by_person) values ($1, $2, $3, $4, $5);

-- name: by_id
select company_id, jurisdiction from company where company_id = $1;

-- name: by_identifier
select company_id from company_identifier where scheme = $1 and value = $2;

-- name: names
select name, kind from company_name where company_id = $1 order by array_position(array['legal', 'translated', 'trading',
  'former'], kind), name collate "C";

-- name: identifiers
select scheme, value from company_identifier where company_id = $1
order by array_position(array['cn-uscc', 'lei', 'registry', 'actor'], scheme), value;

-- name: facts
select kind, value, source from company_fact where company_id = $1 order by kind, value collate "C";

-- name: same_name
-- How many other companies have a name of one form: to look at, never to merge.
select count(distinct other.company_id) from company_name mine
join company_name other on other.key = mine.key and other.company_id <> mine.company_id
where mine.company_id = $1 and mine.kind = 'legal';

-- name: finds
select ($1 collate "C") ^@ ($2 collate "C") and length($2) = 2 and ($2 collate "C") < ($1 collate "C");

-- name: listed
-- Companies by name, from a place on; $2 and $3 are a form and its pinyin, searched from the beginning, or null.
select name.name, name.company_id,
       (select count(*) from flag where flag.company_id = name.company_id) as flags
from company_name name
where ($1::uuid is null or name.company_id = $1)
  and ($2::text is null or name.key ^@ $2 or name.pinyin ^@ $3)
  and ($4::text is null or (name.key, name.company_id, name.name) > ($4, $5::uuid, $6::text))
  and name.kind = 'legal'
order by name.key, name.company_id, name.name limit $7;

-- name: add_flag
insert into flag (flag_id, company_id, authority, document, document_date, url, archived_sha256, activity)
values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (flag_id) do nothing returning flag_id;

-- name: add_status
insert into flag_status (flag_id, version, status, since, instrument, note, by_person)
select $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5, $6 from flag_status where flag_id = $1
returning version;

-- name: flags
select flag.*, status.version, status.status, status.since, status.instrument, status.note, status.by_person, status.at
from flag join flag_status status using (flag_id) where flag.company_id = any($1::uuid[])
order by flag.company_id, flag.document_date, flag.flag_id, status.version;

-- name: hold_flag
-- One writer of a flag's history at a time: its entries are numbered.
select pg_advisory_xact_lock(hashtextextended('headwater flag ' || $1::uuid::text, 0));

-- name: flag_company
select company_id from flag where flag_id = $1;
