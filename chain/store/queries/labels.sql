-- Queries of chain/store/labels.py: sources, versions, actors, claims, labels. A source is of version V where
-- from_version <= V and V < to_version, or to_version is null.

-- name: lock
select pg_advisory_xact_lock(hashtext('headwater labels'));

-- name: version
select coalesce(max(version), 0) from label_set;

-- name: add_version
insert into label_set (version, change) values ($1, $2);

-- name: versions
select version, created_at, change from label_set order by version;

-- name: next_source
select coalesce(max(source_id), 0) + 1 from label_source;

-- name: sources
select source_id, title, creator, description, uri, licence, format, network, file_name, sha256, size, label_count,
       actor_count, rejected_count, imported_at, from_version, to_version, replaced_by, withdrawn_at, withdrawn_reason
from label_source
where ($1::integer is null or source_id = $1) and ($2::bytea is null or sha256 = $2)
  and ($3::text is null or (title, creator) = ($3, $4::text))
order by source_id;

-- name: original
select original, size, sha256 from label_source where source_id = $1;

-- name: add_source
insert into label_source (source_id, title, creator, description, uri, licence, format, network, file_name, sha256, size,
                          original, label_count, actor_count, rejected_count, from_version)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16);

-- name: close_source
update label_source set to_version = $2, replaced_by = $3 where source_id = $1 and to_version is null;

-- name: withdraw_source
update label_source set to_version = $2, withdrawn_at = clock_timestamp(), withdrawn_reason = $3
where source_id = $1 and to_version is null;

-- name: claims
select c.source_id, c.claim_id, c.label, c.category, c.concepts, c.abuse, c.actor, c.confidence, c.valid_from, c.valid_until
from label_claim c join label_source s using (source_id)
where s.network = $1 and s.from_version <= $2 and (s.to_version is null or s.to_version > $2)
order by c.source_id, c.claim_id;

-- name: actor_categories
select distinct on (a.actor_id) a.actor_id, a.label, a.categories
from actor a join label_source s using (source_id)
where s.from_version <= $1 and (s.to_version is null or s.to_version > $1)
  and ($2::text[] is null or a.actor_id = any($2))
order by a.actor_id, a.source_id desc;

-- name: actors_of_source
select actor_id, label, uri, categories, jurisdictions, aliases, lastmod, context
from actor where source_id = $1 order by actor_id;

-- name: copy_keys
-- Padded to one width, so that rows are of fixed size; the length stands beside.
select l.source_id, l.claim_id, length(l.key)::int4, substring(l.key || decode(repeat('00', 42), 'hex') from 1 for 42)
from label l join label_source s using (source_id)
where l.chain = '{chain}' and s.network = '{network}' and s.from_version <= {version}
  and (s.to_version is null or s.to_version > {version})
order by l.source_id, l.place

-- name: of_keys
select l.key, l.address, l.place, c.*, s.title, s.creator, s.uri, s.licence, s.format, s.sha256, s.imported_at,
       s.from_version
from label l join label_source s using (source_id) join label_claim c using (source_id, claim_id)
where l.key = any($1) and l.chain = $2 and s.network = any($3)
  and s.from_version <= $4 and (s.to_version is null or s.to_version > $4)
order by l.key, l.source_id, l.place limit $5;

-- name: of_text
select l.key, l.address, l.place, c.*, s.title, s.creator, s.uri, s.licence, s.format, s.sha256, s.imported_at,
       s.from_version
from label l join label_source s using (source_id) join label_claim c using (source_id, claim_id)
where l.key is null and l.address = $1
  and s.from_version <= $2 and (s.to_version is null or s.to_version > $2)
order by l.source_id, l.place limit $3;

-- name: for_export
select l.address, l.place, c.*
from label l join label_source s using (source_id) join label_claim c using (source_id, claim_id)
where ($1::integer is null or l.source_id = $1) and ($2::text is null or c.currency = $2)
  and ($1::integer is not null or (s.from_version <= $3 and (s.to_version is null or s.to_version > $3)))
order by l.source_id, l.place;
