-- Queries of chain/store/relations.py.

-- name: copy_standing
select relation_id, relation, source_id, target_id, first_tx, last_tx, times from relation
where dataset_id = {dataset} and to_run is null order by relation, source_id, target_id

-- name: next_relation_id
select coalesce(max(relation_id) + 1, 0) from relation where dataset_id = $1;

-- name: close_relations
update relation set to_run = $2 where dataset_id = $1 and relation_id = any($3::bigint[]);

-- name: forget_relations
-- Called by a rollback: what rests on a transaction or an address that goes, goes with it.
delete from relation where dataset_id = $1 and (last_tx >= $2 or source_id >= $3 or target_id >= $3);

-- name: of_address
-- Both ways, those of each relation that were seen most often first.
select r.relation, r.source_id = $2 as is_source, r.times, p.payload as other, f.hash as first_hash, fb.height as first_height,
       fb.time as first_time, l.hash as last_hash, lb.height as last_height, lb.time as last_time
from (select *, case when source_id = $2 then target_id else source_id end as other_id,
             row_number() over (partition by relation, source_id = $2 order by times desc, first_tx, source_id, target_id)
                 as place
      from relation where dataset_id = $1 and (source_id = $2 or target_id = $2) and first_tx < $3
          and from_run <= $4 and (to_run is null or to_run > $4)) as r
     join address p on p.dataset_id = $1 and p.address_id = r.other_id
     join eth_tx f on f.dataset_id = $1 and f.tx_id = r.first_tx
     join eth_block fb on fb.dataset_id = $1 and fb.block_id = f.block_id
     join eth_tx l on l.dataset_id = $1 and l.tx_id = r.last_tx
     join eth_block lb on lb.dataset_id = $1 and lb.block_id = l.block_id
where r.place <= $5 order by r.relation, is_source desc, r.place;

-- name: between
select r.relation, r.source_id = $2 as is_source, r.times, p.payload as other, f.hash as first_hash, fb.height as first_height,
       fb.time as first_time, l.hash as last_hash, lb.height as last_height, lb.time as last_time
from relation r join address p on p.dataset_id = r.dataset_id and p.address_id = $3
     join eth_tx f on f.dataset_id = r.dataset_id and f.tx_id = r.first_tx
     join eth_block fb on fb.dataset_id = r.dataset_id and fb.block_id = f.block_id
     join eth_tx l on l.dataset_id = r.dataset_id and l.tx_id = r.last_tx
     join eth_block lb on lb.dataset_id = r.dataset_id and lb.block_id = l.block_id
where r.dataset_id = $1 and ((r.source_id = $2 and r.target_id = $3) or (r.source_id = $3 and r.target_id = $2))
  and r.first_tx < $4 and r.from_run <= $5 and (r.to_run is null or r.to_run > $5)
order by r.relation, is_source desc;

-- name: counts_of_address
select relation, source_id = $2 as is_source, count(*) as relations from relation
where dataset_id = $1 and (source_id = $2 or target_id = $2) and first_tx < $3
  and from_run <= $4 and (to_run is null or to_run > $4)
group by 1, 2 order by 1, 2 desc;

-- name: in_common
-- Addresses that two addresses have the same relation to.
select a.relation, p.payload as other, a.times as a_times, b.times as b_times, fa.hash as a_hash, fb.hash as b_hash
from relation a join relation b on b.dataset_id = a.dataset_id and b.relation = a.relation and b.target_id = a.target_id
     join address p on p.dataset_id = a.dataset_id and p.address_id = a.target_id
     join eth_tx fa on fa.dataset_id = a.dataset_id and fa.tx_id = a.first_tx
     join eth_tx fb on fb.dataset_id = b.dataset_id and fb.tx_id = b.first_tx
where a.dataset_id = $1 and a.source_id = $2 and b.source_id = $3 and greatest(a.first_tx, b.first_tx) < $4
  and a.from_run <= $5 and (a.to_run is null or a.to_run > $5)
  and b.from_run <= $5 and (b.to_run is null or b.to_run > $5)
order by a.relation, p.payload limit $6;
