-- Queries of chain/store/compare.py and chain/ethereum/audit.py.

-- name: columns_of
select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum;

-- name: rows_of
-- One COPY of a run of ids, which the primary key serves.
select * from {table} where dataset_id = {dataset} and {id} >= {low} and {id} < {high} order by {id}

-- name: blocks_of
-- The stored counts before and after each block are where its rows lie.
select b.block_id, b.height, b.hash, b.parts, b.proof, b.first_tx_id, b.tx_count, b.movements_after, b.addresses_after,
       b.assets_after, y.codec, y.bytes, y.receipts
from eth_block b left join eth_block_bytes y using (dataset_id, block_id)
where b.dataset_id = $1 and b.block_id >= $2 and b.block_id < $3 order by b.block_id;

-- name: told_of
-- Movements of some kinds, which no root commits to, with the place of their transaction in its block.
select m.kind, m.block_id, m.tx_id - b.first_tx_id as place, m.basis, m.value, f.payload as sender, o.payload as recipient
from eth_movement m join eth_block b using (dataset_id, block_id)
     left join address f on f.dataset_id = m.dataset_id and f.address_id = m.from_id
     left join address o on o.dataset_id = m.dataset_id and o.address_id = m.to_id
where m.dataset_id = $1 and m.movement_id >= $2 and m.movement_id < $3 and m.kind = any($4::smallint[]) order by m.movement_id;

-- name: told_elsewhere
-- Blocks with transactions whose end is known, or movements that a file states (basis 2): in an extract, of blocks whose
-- own bytes tell neither, another source did.
select distinct b.block_id from eth_block b
where b.dataset_id = $1 and b.block_id >= $2 and b.block_id < $3 and (
    exists (select from eth_tx t where t.dataset_id = $1 and t.tx_id >= b.first_tx_id
                                   and t.tx_id < b.first_tx_id + b.tx_count and t.status <> 2)
    or exists (select from eth_movement m where m.dataset_id = $1 and m.block_id = b.block_id and m.basis = 2
                                            and m.movement_id < b.movements_after and m.movement_id >= $4));

-- name: rows_behind
-- Rows that the cursor does not count.
select (select min(block_id) from eth_block where dataset_id = $1 and block_id >= $2) as eth_block,
       (select min(tx_id) from eth_tx where dataset_id = $1 and tx_id >= $3) as eth_tx,
       (select min(movement_id) from eth_movement where dataset_id = $1 and movement_id >= $4) as eth_movement,
       (select min(address_id) from address where dataset_id = $1 and address_id >= $5) as address,
       (select min(asset_id) from eth_asset where dataset_id = $1 and asset_id >= $6) as eth_asset;

-- name: ether_net
-- What came and went of asset 0 (ether) for one address.
select coalesce(sum(value) filter (where to_id = $2), 0) - coalesce(sum(value) filter (where from_id = $2), 0) as net
from (select value, from_id, to_id from eth_movement where dataset_id = $1 and from_id = $2 and asset_id = 0
      union all
      select value, null, to_id from eth_movement where dataset_id = $1 and to_id = $2 and asset_id = 0
          and from_id is distinct from $2) as own;

-- name: address_payload
select payload from address where dataset_id = $1 and address_id = $2;
