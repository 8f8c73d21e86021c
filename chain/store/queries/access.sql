-- Queries of chain/store/access.py.

-- name: add_key
insert into access_key (key_id, handle, sha256, person, name, scopes, expires_at) values ($1, $2, $3, $4, $5, $6, $7);

-- name: key
-- By the unique index, at each request: a key that was revoked is refused at once.
select key_id, sha256, person, scopes, (revoked_at is not null) as revoked,
       coalesce(expires_at <= clock_timestamp(), false) as expired from access_key where handle = $1;

-- name: keys
select key_id, handle, person, name, scopes, created_at, expires_at, revoked_at from access_key
order by created_at desc, key_id;

-- name: revoke
update access_key set revoked_at = coalesce(revoked_at, clock_timestamp()) where key_id = $1 returning key_id;

-- name: work_as
-- For this transaction alone: what row security asks for.
select set_config('headwater.key', $1, true), set_config('headwater.case', $2, true);

-- name: hold
-- Writers of entries meet the sealer here: it waits until those that were added are committed or gone.
select pg_advisory_xact_lock_shared(hashtextextended('headwater audit log', 0));

-- name: add_entry
insert into audit_entry (key_id, person, case_id, purpose_hash, action, object, query_hash, result_rows, result_hash,
                         rests_on, client)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning seq;

-- name: add_text
insert into audit_text (seq, salt, purpose) values ($1, $2, $3);

-- name: seal_lock
select pg_advisory_xact_lock(hashtextextended('headwater audit log', 0));

-- name: last_batch
select batch, first_seq, last_seq, entries, root, previous from audit_batch order by batch desc limit 1;

-- name: batches
select batch, first_seq, last_seq, entries, root, previous from audit_batch where batch > $1 order by batch limit $2;

-- name: unsealed
select exists (select from audit_entry where seq > coalesce((select max(last_seq) from audit_batch), 0));

-- name: entries
-- Entries behind one, in order, at most so many and none behind another.
select seq, at, key_id, person, case_id, purpose_hash, action, object, query_hash, result_rows, result_hash, rests_on, client
from audit_entry where seq > $1 and seq <= $2 order by seq limit $3;

-- name: texts
select seq, salt, purpose from audit_text where seq > $1 and seq <= $2 order by seq;

-- name: listed
select entry.seq, entry.at, entry.person, entry.key_id, entry.case_id, text.purpose, entry.action, entry.object,
       entry.result_rows, entry.client
from audit_entry entry left join audit_text text using (seq)
where ($1::uuid is null or entry.case_id = $1) order by entry.seq desc limit $2;

-- name: add_batch
insert into audit_batch (batch, first_seq, last_seq, entries, root, previous) values ($1, $2, $3, $4, $5, $6);

-- name: erase_texts
update audit_text set salt = null, purpose = null
from audit_entry entry where entry.seq = audit_text.seq and entry.case_id = $1 and entry.at < $2
  and audit_text.purpose is not null;

-- name: role_exists
select 1 from pg_roles where rolname = $1;

-- name: role_facts
-- What a role may do that the service's must not.
select rolsuper as superuser, rolbypassrls as bypasses_row_security,
       (select count(*) from pg_class where relowner = role.oid) as relations
from pg_roles role where rolname = $1;

-- name: database_id
select database_id::text from instance;

-- name: hold_posted
-- Two requests of one key and Idempotency-Key go one after the other.
select pg_advisory_xact_lock(hashtextextended('headwater posted ' || $1::uuid::text || ' ' || $2::text, 0));

-- name: posted
select digest, status, body from posted where key_id = $1 and idempotency_key = $2;

-- name: add_posted
insert into posted (key_id, idempotency_key, digest, status, body) values ($1, $2, $3, $4, $5);
