-- Queries of chain/store/ledger.py: datasets, commits, rollbacks, and the columns' catch-up.

-- name: database_id
select database_id::text from instance;

-- name: dataset_by_name
select d.*, c.epoch, c.block_count, c.tx_count, c.input_count, c.output_count, c.outside_count, c.address_count,
       c.tip_height, c.tip_hash
from dataset d join ledger_cursor c using (dataset_id) where d.name = $1;

-- name: datasets
select d.*, c.epoch, c.block_count, c.tx_count, c.input_count, c.output_count, c.outside_count, c.address_count,
       c.tip_height, c.tip_hash
from dataset d join ledger_cursor c using (dataset_id) where $1::text is null or d.chain = $1 order by d.name;

-- name: add_dataset
with added as (
    insert into dataset (name, chain, network, kind, anchor_height) values ($1, $2, $3, $4, $5)
    on conflict (name) do nothing returning dataset_id)
insert into ledger_cursor (dataset_id) select dataset_id from added returning dataset_id;

-- name: redeclare_dataset
-- An empty dataset (its first load was refused) is whatever the next load says.
update dataset d set network = $2, anchor_height = $3 from ledger_cursor c
where d.name = $1 and d.kind = $4 and c.dataset_id = d.dataset_id and c.tx_count = 0;

-- name: add_dataset_partitions
select add_dataset_partitions($1::smallint);

-- name: leaves
-- The leaf tables of one dataset's range-partitioned table, with their bounds.
select c.relname as name, bound[1]::bigint as low, bound[2]::bigint as high
from pg_inherits i join pg_class c on c.oid = i.inhrelid,
     regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \('?(\d+)'?\) TO \('?(\d+)'?\)$$) as bound
where i.inhparent = to_regclass($1) order by low;

-- name: add_leaf
select add_leaf($1::text::regclass, $2, $3::smallint, $4::text::name, $5, $6);

-- name: lock_writer
select pg_try_advisory_lock(hashtext('headwater writer'), $1);

-- name: unlock_writer
select pg_advisory_unlock(hashtext('headwater writer'), $1);

-- name: move_cursor
-- Compare and set: no row comes back where another writer moved the cursor in between.
update ledger_cursor
set block_count = $4, tx_count = $5, input_count = $6, output_count = $7, outside_count = $8, address_count = $9,
    tip_height = $10, tip_hash = $11, moved_at = clock_timestamp()
where dataset_id = $1 and epoch = $2 and tx_count = $3 returning epoch;

-- name: delete_rows
-- Everything behind the given counts of blocks, transactions, outputs and addresses.
with i as (delete from input where dataset_id = $1 and tx_id >= $3),
     s as (delete from outside_output where dataset_id = $1 and output_id >= $4),
     o as (delete from output where dataset_id = $1 and output_id >= $4),
     a as (delete from address where dataset_id = $1 and address_id >= $5),
     t as (delete from tx where dataset_id = $1 and tx_id >= $3)
delete from block where dataset_id = $1 and block_id >= $2;

-- name: record_rollback
insert into ledger_rollback
    (dataset_id, epoch, block_count, tx_count, input_count, output_count, outside_count, address_count)
values ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: reset_cursor
update ledger_cursor
set epoch = $2, block_count = $3, tx_count = $4, input_count = $5, output_count = $6, outside_count = $7,
    address_count = $8, tip_height = $9, tip_hash = $10, moved_at = clock_timestamp()
where dataset_id = $1 and epoch = $2 - 1 returning epoch;

-- name: fallback
-- The counts that a follower of epoch $2 must fall back to: the least that any later epoch began with.
select min(block_count) as block, min(tx_count) as tx, min(input_count) as input, min(output_count) as output,
       min(outside_count) as outside, min(address_count) as address
from ledger_rollback where dataset_id = $1 and epoch > $2;

-- name: counts_at
-- Counts of the rows up to and with block $2, and that block.
select block_id + 1 as block, first_tx_id + tx_count as tx, inputs_after as input, outputs_after as output,
       outside_after as outside, addresses_after as address, height as tip_height, hash as tip_hash
from block where dataset_id = $1 and block_id = $2;

-- name: catch_up_blocks
-- The last block of each stretch of about $3 transactions from block $2 on.
select max(block_id) as block_id from block
where dataset_id = $1 and block_id >= $2 group by first_tx_id / $3::bigint order by 1;

-- name: block_hash_at
select hash from block where dataset_id = $1 and height = $2;

-- name: blocks_between
select block_id, height, hash, parent_hash, time, version, merkle_root, bits, nonce, size, first_tx_id, tx_count, proof
from block where dataset_id = $1 and block_id >= $2 and block_id < $3 order by block_id;

-- name: block_bytes
select codec, bytes from block_bytes where dataset_id = $1 and block_id = $2;

-- name: copy_block
select coalesce(height, -1)::int4, time, hash, first_tx_id, proof
from block where dataset_id = {dataset} and block_id >= {first} and block_id < {last} order by block_id

-- name: copy_tx
select txid, block_id, index, coinbase::int4, coalesce(version, -1), coalesce(lock_time, -1), start, size, base_size, first_input_id,
       first_output_id, output_count, coalesce(fee, -1), signing
from tx where dataset_id = {dataset} and tx_id >= {first} and tx_id < {last} order by tx_id

-- name: copy_input
select output_id, coalesce(sequence, -1)
from input where dataset_id = {dataset} and tx_id >= {first} and tx_id < {last} order by tx_id, index

-- name: copy_output
select coalesce(address_id, -1)::int4, coalesce(value, -1), type
from output where dataset_id = {dataset} and output_id >= {first} and output_id < {last} order by output_id

-- name: copy_outside
select output_id, txid, index
from outside_output where dataset_id = {dataset} and output_id >= {first} and output_id < {last} order by output_id

-- name: copy_address
-- Padded to one width, so that rows are of fixed size; the length stands beside.
select (1 + length(payload))::int4, substring(set_byte('\x00'::bytea, 0, kind) || payload
       || decode(repeat('00', 42), 'hex') from 1 for 42)
from address where dataset_id = {dataset} and address_id >= {first} and address_id < {last} order by address_id
