-- Queries of chain/store/ethereum.py.

-- name: dataset_by_name
select d.*, c.epoch, c.block_count, c.tx_count, c.movement_count, c.address_count, c.asset_count, c.tip_height, c.tip_hash
from dataset d join eth_cursor c using (dataset_id) where d.name = $1;

-- name: datasets
select d.*, c.epoch, c.block_count, c.tx_count, c.movement_count, c.address_count, c.asset_count, c.tip_height, c.tip_hash
from dataset d join eth_cursor c using (dataset_id) where $1::text is null or d.name = $1 order by d.name;

-- name: chain_of_name
select chain from dataset where name = $1;

-- name: add_dataset
with added as (
    insert into dataset (name, chain, network, kind, anchor_height) values ($1, 'eth', $2, $3, $4)
    on conflict (name) do nothing returning dataset_id)
insert into eth_cursor (dataset_id) select dataset_id from added returning dataset_id;

-- name: redeclare_dataset
-- An empty dataset (its first load was refused) is whatever the next load says.
update dataset d set network = $2, anchor_height = $3 from eth_cursor c
where d.name = $1 and d.kind = $4 and c.dataset_id = d.dataset_id and c.block_count = 0;

-- name: add_partitions
select add_eth_partitions($1::smallint);

-- name: move_cursor
-- Compare and set: no row comes back where another writer moved the cursor in between.
update eth_cursor
set block_count = $4, tx_count = $5, movement_count = $6, address_count = $7, asset_count = $8,
    tip_height = $9, tip_hash = $10, moved_at = clock_timestamp()
where dataset_id = $1 and epoch = $2 and block_count = $3 returning epoch;

-- name: reset_cursor
update eth_cursor
set epoch = $2, block_count = $3, tx_count = $4, movement_count = $5, address_count = $6, asset_count = $7,
    tip_height = $8, tip_hash = $9, moved_at = clock_timestamp()
where dataset_id = $1 and epoch = $2 - 1 returning epoch;

-- name: delete_rows
-- Everything behind the given counts of blocks, transactions, movements, addresses and assets.
with m as (delete from eth_movement where dataset_id = $1 and movement_id >= $4),
     s as (delete from eth_asset where dataset_id = $1 and asset_id >= $6),
     a as (delete from address where dataset_id = $1 and address_id >= $5),
     t as (delete from eth_tx where dataset_id = $1 and tx_id >= $3)
delete from eth_block where dataset_id = $1 and block_id >= $2;

-- name: counts_at
select block_id + 1 as block, first_tx_id + tx_count as tx, movements_after as movement, addresses_after as address,
       assets_after as asset, height, hash
from eth_block where dataset_id = $1 and block_id = $2;

-- name: block_at
select block_id, hash from eth_block where dataset_id = $1 and height = $2;

-- name: addresses_of
-- Looked up one by one in the index: without fresh statistics a plan over all of them can read the table for each.
select a.address_id, a.payload from unnest($2::bytea[]) as k(payload) cross join lateral (
    select address_id, payload from address
    where dataset_id = $1 and payload = k.payload and kind = $3 limit 1) as a;

-- name: assets_of
select asset_id, standard, contract_id from eth_asset where dataset_id = $1;

-- name: copy_blocks
select block_id, height, time, coalesce(hash, '\x') as hash, coalesce(parent_hash, '\x') as parent,
       coalesce(miner, '\x') as miner, first_tx_id, tx_count, parts, proof
from eth_block where dataset_id = {dataset} order by block_id;

-- name: block_bytes
select block_id, bytes, coalesce(receipts, '\x') as receipts from eth_block_bytes where dataset_id = $1 order by block_id;

-- name: copy_txs
select tx_id, block_id, coalesce(index, -1), hash, coalesce(type, -1)::int2, coalesce(from_id, -1), coalesce(to_id, -1), coalesce(created_id, -1),
       value, status, coalesce(gas_used, -1), coalesce(fee, 0), coalesce(selector, -1)
from eth_tx where dataset_id = {dataset} and tx_id < {txs} order by tx_id;

-- name: copy_movements
select block_id, coalesce(tx_id, -1), kind, basis, asset_id, coalesce(from_id, -1), coalesce(to_id, -1), value,
       coalesce(token_id, 0), coalesce(log_index, -1)
from eth_movement where dataset_id = {dataset} and movement_id < {movements} order by movement_id;

-- name: copy_addresses
select payload from address where dataset_id = {dataset} and address_id < {addresses} order by address_id;

-- name: copy_assets
select standard, coalesce(contract_id, -1) from eth_asset where dataset_id = {dataset} and asset_id < {assets}
order by asset_id;

-- name: keep_token
insert into eth_token (dataset_id, contract, name, symbol, decimals) values ($1, $2, $3, $4, $5)
on conflict (dataset_id, contract) do update
set name = excluded.name, symbol = excluded.symbol, decimals = coalesce(excluded.decimals, eth_token.decimals);

-- name: unnamed_tokens
-- Contracts of assets that nobody was asked about.
select distinct a.payload as contract
from eth_asset s join address a on a.dataset_id = s.dataset_id and a.address_id = s.contract_id
where s.dataset_id = $1 and s.asset_id < $2
    and not exists (select from eth_token k where k.dataset_id = $1 and k.contract = a.payload)
order by contract limit $3;

-- name: clear_faults
delete from eth_token_fault where dataset_id = $1;

-- name: add_fault
insert into eth_token_fault (dataset_id, contract, fault) values ($1, $2, $3);

-- name: tx_of_hash
select t.*, b.height, b.time, b.hash as block_hash, b.proof, b.parts, f.payload as sender, o.payload as recipient,
       c.payload as created
from eth_tx t join eth_block b using (dataset_id, block_id)
     left join address f on f.dataset_id = t.dataset_id and f.address_id = t.from_id
     left join address o on o.dataset_id = t.dataset_id and o.address_id = t.to_id
     left join address c on c.dataset_id = t.dataset_id and c.address_id = t.created_id
where t.dataset_id = $1 and t.hash = $2 order by t.tx_id;

-- name: movements_of_tx
select m.movement_id, m.kind, m.basis, m.value, m.token_id, m.log_index, s.standard, e.fault, n.payload as contract,
       k.symbol, k.decimals, f.payload as sender, o.payload as recipient
from eth_movement m join eth_asset s using (dataset_id, asset_id)
     left join address n on n.dataset_id = m.dataset_id and n.address_id = s.contract_id
     left join eth_token k on k.dataset_id = m.dataset_id and k.contract = n.payload
     left join eth_token_fault e on e.dataset_id = m.dataset_id and e.contract = n.payload
     left join address f on f.dataset_id = m.dataset_id and f.address_id = m.from_id
     left join address o on o.dataset_id = m.dataset_id and o.address_id = m.to_id
where m.dataset_id = $1 and m.tx_id = $2 order by m.movement_id limit $3;

-- name: address_id
select address_id from address where dataset_id = $1 and payload = $2 and kind = $3;

-- name: movements_below
-- How many movements stand in the blocks up to a height.
select movements_after, first_tx_id + tx_count as txs_after, addresses_after, height, hash, time, block_id from eth_block where dataset_id = $1 and height <= $2
order by height desc limit 1;

-- name: balances
-- Per asset: what came, what went, and the lowest that the running balance reaches (below zero: an opening lot).
with own as (
    select asset_id, movement_id, 0 as credit, value from eth_movement
    where dataset_id = $1 and from_id = $2 and movement_id < $3 and kind < 9  -- acts move nothing
    union all
    select asset_id, movement_id, 1, value from eth_movement
    where dataset_id = $1 and to_id = $2 and movement_id < $3 and kind < 9),
running as (
    select asset_id, credit, value,
           sum(case credit when 1 then value else -value end) over (
               partition by asset_id order by movement_id, credit rows unbounded preceding) as balance
    from own)
select r.asset_id, s.standard, e.fault, n.payload as contract, k.symbol, k.decimals, coalesce(sum(value) filter (where credit = 1), 0) as received,
       coalesce(sum(value) filter (where credit = 0), 0) as spent, least(min(balance), 0) as lowest, count(*) as movements
from running r join eth_asset s on s.dataset_id = $1 and s.asset_id = r.asset_id
     left join address n on n.dataset_id = $1 and n.address_id = s.contract_id
     left join eth_token k on k.dataset_id = $1 and k.contract = n.payload
     left join eth_token_fault e on e.dataset_id = $1 and e.contract = n.payload
group by r.asset_id, s.standard, e.fault, n.payload, k.symbol, k.decimals order by r.asset_id limit $4;

-- name: activity
-- First and last movement below $3 that an address is in, and how many there are (one to itself counts once).
select min(movement_id) as first, max(movement_id) as last, count(*) as movements from (
    select movement_id from eth_movement where dataset_id = $1 and from_id = $2 and movement_id < $3 and kind < 9
    union
    select movement_id from eth_movement where dataset_id = $1 and to_id = $2 and movement_id < $3 and kind < 9) as own;

-- name: movement_seen
select t.hash, b.height, b.time
from eth_movement m join eth_block b using (dataset_id, block_id)
     left join eth_tx t on t.dataset_id = m.dataset_id and t.tx_id = m.tx_id
where m.dataset_id = $1 and m.movement_id = $2;

-- name: coverage
select count(*) as blocks, count(*) filter (where proof = 1) as blocks_stated,
       count(*) filter (where parts & 2 = 0) as without_receipts, count(*) filter (where parts & 4 = 0) as without_logs,
       count(*) filter (where parts & 8 = 0) as without_tokens, count(*) filter (where parts & 16 = 0) as without_traces
from eth_block where dataset_id = $1;

-- name: tx_coverage
select count(*) filter (where fee is null) as fees_missing, count(*) filter (where status = 2) as status_unknown
from eth_tx where dataset_id = $1;

-- name: clear_findings
delete from finding where dataset_id = $1 and detector = $2;

-- name: add_finding
insert into finding (dataset_id, detector, finding_id, epoch, tx_count, body) values ($1, $2, $3, $4, $5, $6::jsonb);

-- name: findings
select d.name as dataset, f.detector, f.finding_id, f.epoch, f.tx_count, f.body::text as body
from finding f join dataset d using (dataset_id)
where ($1::text is null or d.chain = $1) and ($2::text is null or d.name = $2) and ($3::text is null or f.detector = $3)
order by d.name, f.detector, f.finding_id;

-- name: fungible
-- The asset of a contract that counts in amounts (ether for null), with the decimals that its contract states.
select s.asset_id, k.decimals from eth_asset s
left join address a on a.dataset_id = s.dataset_id and a.address_id = s.contract_id
left join eth_token k on k.dataset_id = s.dataset_id and k.contract = a.payload
where s.dataset_id = $1 and case when $2::bytea is null then s.standard = 0 else s.standard = 1 and a.payload = $2 end;

-- name: movements_between
-- The movements of the blocks of a time: from and to before.
select coalesce((select movements_after from eth_block where dataset_id = $1 and block_id = span.first - 1), 0) as first,
       coalesce((select movements_after from eth_block where dataset_id = $1 and block_id = span.last), 0) as last
from (select min(block_id) as first, max(block_id) as last from eth_block
      where dataset_id = $1 and time between $2 and $3) span;

-- name: payments
-- Values, internal transfers and token transfers of an amount; by the primary key, between two movements.
select t.hash, b.time, b.height, m.value, f.payload as sender, o.payload as recipient,
       m.movement_id - (select min(movement_id) from eth_movement e where e.dataset_id = $1 and e.tx_id = m.tx_id) as place
from eth_movement m join eth_tx t on t.dataset_id = m.dataset_id and t.tx_id = m.tx_id
join eth_block b on b.dataset_id = m.dataset_id and b.block_id = m.block_id
left join address f on f.dataset_id = m.dataset_id and f.address_id = m.from_id
left join address o on o.dataset_id = m.dataset_id and o.address_id = m.to_id
where m.dataset_id = $1 and m.movement_id >= $2 and m.movement_id < $3 and m.asset_id = $4 and m.value between $5 and $6
  and m.kind in (2, 3, 4) and b.time between $7 and $8
order by m.movement_id limit $9;
