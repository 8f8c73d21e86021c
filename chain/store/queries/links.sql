-- Queries of chain/store/links.py: clustering runs and links.

-- name: runs
select run_id, level, epoch, tx_count, address_count, tip_height, tip_hash, rules::text, code_version, link_count,
       cluster_count, partition_sha256, finished_at
from clustering_run where dataset_id = $1 and ($2::integer is null or run_id < $2) order by run_id desc limit $3;

-- name: add_run
insert into clustering_run (dataset_id, run_id, level, epoch, tx_count, address_count, tip_height, tip_hash, rules,
                            code_version, link_count, cluster_count, partition_sha256)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10, $11, $12, $13);

-- name: next_link_id
select coalesce(max(link_id) + 1, 0) from link where dataset_id = $1;

-- name: links_of_tx
select link_id, u, v, rule, tx_id, status, from_run from link
where dataset_id = $1 and tx_id = $2 and to_run is null order by link_id;

-- name: copy_links
select link_id, u, v, rule, tx_id, status from link
where dataset_id = {dataset} and status = {accepted} and from_run <= {run} and (to_run is null or to_run > {run})
order by tx_id, rule, u, v

-- name: retire_links
-- Called by a rollback while the transactions and addresses are still there.
with gone as (delete from link where dataset_id = $1 and tx_id >= $2 returning *)
insert into retired_link
select g.dataset_id, g.link_id, $3, a.kind, a.payload, b.kind, b.payload, g.rule, t.txid, g.status, g.from_run, g.to_run
from gone g
join address a on a.dataset_id = g.dataset_id and a.address_id = g.u
join address b on b.dataset_id = g.dataset_id and b.address_id = g.v
join tx t on t.dataset_id = g.dataset_id and t.tx_id = g.tx_id;

-- name: lock_clusterer
select pg_try_advisory_lock(hashtext('headwater clusterer'), $1);

-- name: unlock_clusterer
select pg_advisory_unlock(hashtext('headwater clusterer'), $1);
