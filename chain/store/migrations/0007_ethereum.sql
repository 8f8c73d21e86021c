-- Ethereum's ledger: blocks with their bytes, transactions, assets, movements. Datasets and addresses are those of
-- 0001_ledger.sql; an Ethereum dataset has a cursor of its own and no row in ledger_cursor, so nothing that asks
-- Bitcoin's ledger sees it.
--
-- Ids are dense per dataset, from 0, in chain order, freed only from the top, as there; amounts are base units below
-- 2^256, exact.

create table eth_cursor (
    dataset_id smallint primary key references dataset,
    epoch integer not null default 1,                -- raised whenever committed ids were freed
    block_count integer not null default 0,
    tx_count bigint not null default 0,
    movement_count bigint not null default 0,
    address_count integer not null default 0,
    asset_count integer not null default 0,
    tip_height integer,
    tip_hash bytea check (length(tip_hash) = 32),
    moved_at timestamptz not null default clock_timestamp()
);

create table eth_block (
    dataset_id smallint not null references dataset,
    block_id integer not null,
    height integer not null,
    hash bytea check (length(hash) = 32),            -- null: a file that states transactions need not state it
    parent_height integer,                           -- null only at an anchor, and in extracts
    parent_hash bytea check (length(parent_hash) = 32),
    time bigint not null,
    miner bytea check (length(miner) = 20),
    first_tx_id bigint not null,
    tx_count integer not null,
    movements_after bigint not null,
    addresses_after integer not null,
    assets_after integer not null,
    parts smallint not null,                         -- chain.ethereum.model.Part: what the source had of it
    proof smallint not null,                         -- chain.model.Proof
    primary key (dataset_id, block_id),
    unique (dataset_id, height),
    unique (dataset_id, height, hash),
    foreign key (dataset_id, parent_height, parent_hash) references eth_block (dataset_id, height, hash),
    check (parent_height is null or parent_height = height - 1)
);
-- Serves the foreign key: a rollback asks of each block that it deletes whether a child is left.
create index eth_block_by_parent on eth_block (dataset_id, parent_height, parent_hash);

create table eth_block_bytes (
    dataset_id smallint not null,
    block_id integer not null,
    codec smallint not null,                         -- 1: one zstandard frame
    bytes bytea not null,                            -- RLP of [header, body]
    receipts bytea,                                  -- RLP of the receipts; null: the source had none
    primary key (dataset_id, block_id),
    foreign key (dataset_id, block_id) references eth_block on delete cascade
);
alter table eth_block_bytes alter column bytes set storage external;
alter table eth_block_bytes alter column receipts set storage external;

-- Asset 0 is ether. One contract may move tokens of two standards, so both name an asset.
create table eth_asset (
    dataset_id smallint not null references dataset,
    asset_id integer not null,
    standard smallint not null,                      -- chain.ethereum.model.Standard
    contract_id integer,                             -- address; null: ether
    primary key (dataset_id, asset_id),
    unique nulls not distinct (dataset_id, contract_id, standard)
);

create table eth_tx (
    dataset_id smallint not null,
    tx_id bigint not null,
    block_id integer not null,
    index integer,                                   -- place in the block; null where not stated
    hash bytea not null,
    type smallint,                                   -- EIP-2718; null where not stated
    from_id integer,                                 -- null where not stated
    to_id integer,                                   -- null: a contract creation
    created_id integer,
    value numeric(78, 0) not null check (value >= 0 and value < 2::numeric ^ 256),
    status smallint not null,                        -- chain.ethereum.model.Status
    gas_used bigint,
    fee numeric(78, 0) check (fee >= 0 and fee < 2::numeric ^ 256),
    selector bigint,                                 -- first four bytes of the input
    primary key (dataset_id, tx_id)
) partition by list (dataset_id);
-- Serves a look-up of a transaction by its hash.
create index eth_tx_by_hash on eth_tx (dataset_id, hash);

create table eth_movement (
    dataset_id smallint not null,
    movement_id bigint not null,
    block_id integer not null,
    tx_id bigint,                                    -- null: the block's own
    kind smallint not null,                          -- chain.ethereum.model.Movement
    basis smallint not null,                         -- chain.ethereum.model.Basis
    asset_id integer not null,
    from_id integer,                                 -- null: nobody (a reward)
    to_id integer,                                   -- null: nobody (burned)
    value numeric(78, 0) not null check (value >= 0 and value < 2::numeric ^ 256),
    token_id numeric(78, 0) check (token_id >= 0 and token_id < 2::numeric ^ 256),
    log_index integer,
    primary key (dataset_id, movement_id)
) partition by list (dataset_id);
-- Serve the movements and the balance of one address and asset, in order.
create index eth_movement_from on eth_movement (dataset_id, from_id, asset_id, movement_id);
create index eth_movement_to on eth_movement (dataset_id, to_id, asset_id, movement_id);
-- Serves the movements of a transaction.
create index eth_movement_by_tx on eth_movement (dataset_id, tx_id);

create function eth_tx_inserted() returns trigger language plpgsql as $$
declare r record;
begin
    for r in select n.dataset_id, c.block_count, min(tx_id) lo, max(tx_id) hi, count(*) n, min(block_id) first_block,
                    max(block_id) last_block, max(greatest(from_id, to_id, created_id)) address
             from new_rows n join eth_cursor c using (dataset_id) group by 1, 2 loop
        perform check_dense('eth_tx', r.lo, r.hi, r.n, next_id('eth_tx', 'tx_id', r.dataset_id, r.lo));
        perform check_parent('eth_block', r.first_block, r.last_block, r.block_count,
                             next_id('eth_block', 'block_id', r.dataset_id));
        perform check_parent('address', 0, r.address, 0, next_id('address', 'address_id', r.dataset_id));
    end loop;
    return null;
end $$;
create trigger eth_tx_inserted after insert on eth_tx
    referencing new table as new_rows for each statement execute function eth_tx_inserted();

create function eth_movement_inserted() returns trigger language plpgsql as $$
declare r record;
begin
    for r in select n.dataset_id, c.block_count, c.tx_count, min(movement_id) lo, max(movement_id) hi, count(*) n,
                    min(tx_id) first_tx, max(tx_id) last_tx, min(block_id) first_block, max(block_id) last_block,
                    max(greatest(from_id, to_id)) address, max(asset_id) asset
             from new_rows n join eth_cursor c using (dataset_id) group by 1, 2, 3 loop
        perform check_dense('eth_movement', r.lo, r.hi, r.n,
                            next_id('eth_movement', 'movement_id', r.dataset_id, r.lo));
        perform check_parent('eth_block', r.first_block, r.last_block, r.block_count,
                             next_id('eth_block', 'block_id', r.dataset_id));
        perform check_parent('eth_tx', r.first_tx, r.last_tx, r.tx_count, next_id('eth_tx', 'tx_id', r.dataset_id));
        perform check_parent('address', 0, r.address, 0, next_id('address', 'address_id', r.dataset_id));
        perform check_parent('eth_asset', 0, r.asset, 0, next_id('eth_asset', 'asset_id', r.dataset_id));
    end loop;
    return null;
end $$;
create trigger eth_movement_inserted after insert on eth_movement
    referencing new table as new_rows for each statement execute function eth_movement_inserted();

-- The gate: the cursor moves forward only over rows that are all there, and no more than are told of.
-- Rows of this very transaction have no statistics, and a nested loop over them takes a minute for 17,000 blocks.
create function first_bad_eth_block(b eth_cursor, e eth_cursor) returns integer language sql stable
set enable_nestloop = off as $$
    select block_id from (
        select k.*, coalesce(t.n, 0) n, t.lo, t.hi, m.n moves,
               b.tx_count + coalesce(sum(k.tx_count) over before, 0) expected_tx,
               b.movement_count + coalesce(sum(m.n) over upto, 0) movements,
               lag(k.height) over (order by block_id) height_before,
               coalesce(lag(addresses_after) over (order by block_id), b.address_count) addresses_before,
               coalesce(lag(assets_after) over (order by block_id), b.asset_count) assets_before
        from eth_block k
        left join (select block_id, count(*) n, min(tx_id) lo, max(tx_id) hi from eth_tx
                   where dataset_id = e.dataset_id and tx_id >= b.tx_count group by block_id) t using (block_id)
        left join (select block_id, count(*) n from eth_movement
                   where dataset_id = e.dataset_id and movement_id >= b.movement_count group by block_id) m
            using (block_id)
        where k.dataset_id = e.dataset_id and k.block_id >= b.block_count
        window before as (order by block_id rows between unbounded preceding and 1 preceding),
               upto as (order by block_id)) c
    where n <> tx_count or first_tx_id <> expected_tx
       or (n > 0 and (lo, hi) <> (expected_tx, expected_tx + tx_count - 1))
       or movements_after <> movements or height_before >= height
       or addresses_after not between addresses_before and e.address_count
       or assets_after not between assets_before and e.asset_count
       or (proof = 0 and not exists (select from eth_block_bytes y where y.dataset_id = e.dataset_id
                                                                     and y.block_id = c.block_id))
    order by block_id limit 1
$$;

create function eth_cursor_moved() returns trigger language plpgsql as $$
begin
    if new.epoch = old.epoch then
        perform refuse_cursor('eth_block', first_bad_eth_block(old, new));
    elsif new.epoch <> old.epoch + 1 or new.block_count > old.block_count or new.tx_count > old.tx_count then
        raise exception 'a rollback begins the next epoch and adds nothing'
            using errcode = 'integrity_constraint_violation', constraint = 'ledger_epoch';
    end if;
    if (new.block_count, new.tx_count, new.movement_count, new.address_count, new.asset_count) is distinct from (
            next_id('eth_block', 'block_id', new.dataset_id), next_id('eth_tx', 'tx_id', new.dataset_id),
            next_id('eth_movement', 'movement_id', new.dataset_id), next_id('address', 'address_id', new.dataset_id),
            next_id('eth_asset', 'asset_id', new.dataset_id)) then
        raise exception 'the cursor does not stand at the last row'
            using errcode = 'integrity_constraint_violation', constraint = 'ledger_cursor_last';
    end if;
    return new;
end $$;
create trigger eth_cursor_moved before update on eth_cursor for each row execute function eth_cursor_moved();

create function add_eth_partitions(dataset smallint) returns void language plpgsql as $$
declare parent text; by_range text;
begin
    foreach parent in array array['eth_tx', 'eth_movement', 'address'] loop
        by_range := case parent when 'eth_tx' then 'partition by range (tx_id)' when 'address' then ''
                                else 'partition by range (movement_id)' end;
        execute format('create table %1$I (like %2$I including all) %3$s', parent || '_' || dataset, parent, by_range);
        execute format('create trigger inserted after insert on %I referencing new table as new_rows '
                       'for each statement execute function %I()', parent || '_' || dataset, parent || '_inserted');
        execute format('alter table %I attach partition %I for values in (%s)', parent, parent || '_' || dataset, dataset);
    end loop;
end $$;

-- What a detector found, whole, as it was answered. Recomputed by each run of the detector on a dataset.
create table finding (
    dataset_id smallint not null references dataset,
    detector text not null,
    finding_id text not null,                        -- SHA-256 of what identifies it, so that it keeps its name
    epoch integer not null,
    tx_count bigint not null,                        -- transactions of the dataset that were looked at
    body jsonb not null,
    found_at timestamptz not null default clock_timestamp(),
    primary key (dataset_id, detector, finding_id)
);
