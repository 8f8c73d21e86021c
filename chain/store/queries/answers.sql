-- Queries of chain/store/answers.py: what answers need beside the columns.

-- name: states
-- What a view of each dataset rests on: it is opened again when one of these changes.
select d.name, c.epoch, c.tx_count, (select max(r.run_id) from clustering_run r where r.dataset_id = d.dataset_id) as run
from dataset d join ledger_cursor c using (dataset_id) order by d.name;

-- name: epoch
select epoch from ledger_cursor where dataset_id = $1;

-- name: txs_of_txid
-- All transactions of one txid among the first $3 (two of BIP 30, and one a block in an extract).
select tx_id from tx where dataset_id = $1 and txid = $2 and tx_id < $3 order by tx_id;

-- name: spenders
-- Which of the first $4 transactions spend the outputs from $2 to before $3.
select output_id, tx_id from input where dataset_id = $1 and output_id >= $2 and output_id < $3 and tx_id < $4;

-- name: server_version
show server_version;

-- name: role
-- What the role that this connection has may do.
select current_user as name, r.rolsuper as superuser, r.rolbypassrls as bypasses_row_security,
       has_database_privilege(current_database(), 'create') as may_create
from pg_roles r where r.rolname = current_user;

-- name: chains
select dataset_id, name, chain, network from dataset order by name;

-- name: addresses_between
-- Addresses of one kind whose payload lies in a span; by the unique index of (dataset_id, payload, kind).
select payload from address where dataset_id = $1 and kind = $2 and payload between $3 and $4 order by payload limit $5;
