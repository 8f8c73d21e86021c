-- Queries of chain/store/cases.py. Row security decides which rows of a case a session sees.

-- name: open
select open_case($1, $2, $3, $4, $5, $6);

-- name: lock
-- One writer of a case at a time: rows of it are numbered.
select pg_advisory_xact_lock(hashtextextended('headwater case ' || $1::uuid::text, 0));

-- name: case
select case_id, title, question, convention, reason, opened_by, opened_at, closed_at, erased_at from case_file where case_id = $1;

-- name: basis
select basis from case_file where case_id = $1;

-- name: set_basis
update case_file set basis = $2 where case_id = $1;

-- name: cases
select case_id, title, opened_by, opened_at, closed_at, erased_at from case_file order by opened_at desc, case_id;

-- name: close
update case_file set closed_at = clock_timestamp() where case_id = $1 and closed_at is null;

-- name: memberships
select case_id from case_member order by case_id;

-- name: add_member
insert into case_member (case_id, key_id) values ($1, $2) on conflict do nothing;

-- name: add_candidate
insert into case_candidate (case_id, company_id, by_person) values ($1, $2, $3) on conflict do nothing;

-- name: candidates
select company_id from case_candidate where case_id = $1 order by company_id;

-- name: add_exhibit
insert into exhibit (case_id, number, name, sha256, size, root, collector, method, collected_on, content, by_person)
select $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10 from exhibit where case_id = $1
returning number;

-- name: exhibits
select number, name, sha256, size, root, collector, method, collected_on, content is null as erased, by_person, at
from exhibit where case_id = $1 order by number;

-- name: exhibit_content
select name, sha256, size, content from exhibit where case_id = $1 and number = $2;

-- name: add_entry
insert into case_entry (case_id, number, kind, body, by_person)
select $1, coalesce(max(number), 0) + 1, $2, $3, $4 from case_entry where case_id = $1 returning number;

-- name: entries
select number, kind, body, by_person, at from case_entry where case_id = $1 order by number;

-- name: add_claim
insert into claim (case_id, number, company_id, chain, address, role, kind, root, exhibit, against, statement, by_person)
select $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 from claim where case_id = $1
returning number;

-- name: claims
select * from claim where case_id = $1 order by number;

-- name: withdraw_claim
update claim set withdrawn_at = clock_timestamp(), withdrawn_reason = $3
where case_id = $1 and number = $2 and withdrawn_at is null returning number;

-- name: add_link
insert into company_link (link_id, case_id, company_id, chain, address, role) values ($1, $2, $3, $4, $5, $6)
on conflict do nothing;

-- name: newest_versions
-- The form of each link of a case that stands.
select distinct on (link_id) link_id, version, digest, body, at from company_link_version where case_id = $1
order by link_id, version desc;

-- name: add_version
insert into company_link_version (link_id, case_id, version, body, digest)
select $1, $2, coalesce(max(version), 0) + 1, $3, $4 from company_link_version where link_id = $1 returning version;

-- name: links
select link.link_id, link.company_id, link.chain, link.address, link.role, newest.version, newest.body, newest.at
from company_link link
join lateral (select version, body, at from company_link_version version where version.link_id = link.link_id
              order by version desc limit 1) newest on true
where link.case_id = $1 order by link.company_id, link.chain, link.address, link.role;

-- name: link
select link_id, case_id, company_id, chain, address, role from company_link where link_id = $1;

-- name: versions
select version, body, at from company_link_version where link_id = $1 order by version;

-- name: add_decision
insert into company_decision (link_id, case_id, number, version, decision, reason, by_person)
select $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5, $6 from company_decision where link_id = $1 returning number;

-- name: decisions
select link_id, number, version, decision, reason, by_person, at from company_decision where case_id = $1
order by link_id, number;

-- name: show
insert into link_shown (link_id, case_id, reader, version) select link, $1, $2, version
from unnest($3::uuid[], $4::integer[]) as given (link, version)
on conflict (link_id, reader) do update set version = excluded.version, at = clock_timestamp();

-- name: outdated
-- Who was shown a form of a link that does not stand any more.
select shown.link_id, shown.reader, shown.version as shown_version, shown.at as shown_at, newest.version, newest.at
from link_shown shown
join lateral (select version, at from company_link_version version where version.link_id = shown.link_id
              order by version desc limit 1) newest on newest.version <> shown.version
where shown.case_id = $1 order by shown.link_id, shown.reader;

-- name: erase_exhibits
update exhibit set content = null, name = 'erased', collector = 'erased', method = 'erased', root = 'erased:' || number
where case_id = $1;

-- name: erase_entries
update case_entry set body = 'erased' where case_id = $1;

-- name: erase_claims
update claim set statement = 'erased', root = 'erased:' || number,
  withdrawn_at = coalesce(withdrawn_at, clock_timestamp()), withdrawn_reason = 'erased' where case_id = $1;

-- name: erase_versions
update company_link_version set body = '{"erased": true}' where case_id = $1;

-- name: erase_decisions
update company_decision set reason = 'erased' where case_id = $1;

-- name: erase_case
update case_file set title = 'erased', question = 'erased', reason = 'erased', erased_at = clock_timestamp(),
  closed_at = coalesce(closed_at, clock_timestamp()) where case_id = $1;
