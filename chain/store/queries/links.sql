-- Queries of chain/store/links.py: clustering runs, links and decisions.

-- name: runs
select run_id, level, epoch, tx_count, address_count, tip_height, tip_hash, rules::text, code_version, link_count,
       cluster_count, partition_sha256, label_set, label_sha256, decision_id, held_count, changed_from, finished_at
from clustering_run where dataset_id = $1 and ($2::integer is null or run_id < $2) order by run_id desc limit $3;

-- name: add_run
insert into clustering_run (dataset_id, run_id, level, epoch, tx_count, address_count, tip_height, tip_hash, rules,
                            code_version, link_count, cluster_count, partition_sha256, label_set, label_sha256,
                            decision_id, held_count, changed_from)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10, $11, $12, $13, $14, $15, $16, $17, $18);

-- name: next_link_id
select coalesce(max(link_id) + 1, 0) from link where dataset_id = $1;

-- name: links_of_tx
select link_id, u, v, rule, tx_id, status, reason, from_run from link
where dataset_id = $1 and tx_id = $2 and to_run is null order by link_id;

-- name: copy_links
-- What stood in a run: a row that a later run closed still counts for it.
select link_id, u, v, rule, tx_id, status, reason from link
where dataset_id = {dataset} and from_run <= {run} and (to_run is null or to_run > {run})
order by tx_id, rule, u, v

-- name: close_links
update link set to_run = $2 where dataset_id = $1 and link_id = any($3::bigint[]);

-- name: held
-- The links that a run had and did not join, in canonical order, behind a place in it.
select link_id, u, v, rule, tx_id, status, reason, from_run from link
where dataset_id = $1 and status <> 1 and from_run <= $2 and (to_run is null or to_run > $2)
  and (tx_id, rule, u, v) > ($3::bigint, $4::smallint, $5::integer, $6::integer)
order by tx_id, rule, u, v limit $7;

-- name: held_count
select count(*) from link where dataset_id = $1 and status <> 1 and to_run is null;

-- name: apart_counts
-- How many links a run had and did not join, by status.
select status, count(*) as links from link
where dataset_id = $1 and status <> 1 and from_run <= $2 and (to_run is null or to_run > $2) group by status;

-- name: apart_between
-- The links that do not join and came or went after run $2, up to run $3.
select u, v, rule, tx_id, status, reason, from_run, to_run from link
where dataset_id = $1 and status <> 1
  and ((from_run > $2 and from_run <= $3) or (to_run > $2 and to_run <= $3))
order by tx_id, rule, u, v, from_run limit $4;

-- name: changes
-- What became of a link between runs $2 and $3: each that stood in the first and was closed up to the second, with what
-- stands of it in the second, and each that stands in the second, does not join, and did not stand in the first. A link
-- that was accepted at once is none of these: it is new, and nothing was judged otherwise.
with closed as (
    select u, v, rule, tx_id, status, reason from link
    where dataset_id = $1 and from_run <= $2 and to_run > $2 and to_run <= $3
)
select c.tx_id, c.rule, c.u, c.v, c.status as status_before, c.reason as reason_before, n.status as status_after,
       n.reason as reason_after
from closed c left join link n
  on n.dataset_id = $1 and n.tx_id = c.tx_id and n.rule = c.rule and n.u = c.u and n.v = c.v
  and n.from_run > $2 and n.from_run <= $3 and (n.to_run is null or n.to_run > $3)
where n.tx_id is null or (n.status, n.reason) <> (c.status, c.reason)
union all
select n.tx_id, n.rule, n.u, n.v, null, null, n.status, n.reason from link n
where n.dataset_id = $1 and n.status <> 1 and n.from_run > $2 and n.from_run <= $3
  and (n.to_run is null or n.to_run > $3)
  and not exists (select from closed c where c.tx_id = n.tx_id and c.rule = n.rule and c.u = n.u and c.v = n.v)
order by tx_id, rule, u, v limit $4;

-- name: add_decision
insert into link_decision (dataset_id, txid, rule, a_kind, a_payload, b_kind, b_payload, verdict, decided_by, reason)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning decision_id, decided_at;

-- name: decisions
-- The newest word on each link, and those that it took the place of, the newest first.
select decision_id, txid, rule, a_kind, a_payload, b_kind, b_payload, verdict, decided_by, reason, decided_at
from link_decision where dataset_id = $1 order by decision_id desc;

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

-- name: basis
-- What every ledger, its clusterings and its findings stand at: answers that rest on all of them compare it.
select d.name, coalesce(l.epoch, e.epoch, 0), coalesce(l.tx_count, e.tx_count, 0),
       coalesce((select max(r.run_id) from clustering_run r where r.dataset_id = d.dataset_id), 0),
       (select md5(string_agg(f.finding_id || f.body::text, ',' order by f.detector, f.finding_id))
        from finding f where f.dataset_id = d.dataset_id)
from dataset d left join ledger_cursor l using (dataset_id) left join eth_cursor e using (dataset_id)
order by d.name;
