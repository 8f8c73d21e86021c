-- The ledger: datasets, blocks with their bytes, transactions, inputs, outputs, addresses.
--
-- Ids (block_id, tx_id, output_id, address_id) are dense per dataset, from 0, in chain order, and freed only
-- from the top. Statement triggers keep them dense, so that "the parent exists" is a comparison with the
-- number of parents, not a lookup for each row. What is written is visible to readers once the cursor has
-- moved over it; the trigger on the cursor proves the counts of each new block and transaction first.

-- Which database this is, so that a folder of columns cannot be taken for another's.
create table instance (
    one boolean primary key default true check (one),
    database_id uuid not null default gen_random_uuid()
);
insert into instance default values;

create table dataset (
    dataset_id smallint primary key generated always as identity,
    name text not null unique check (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
    chain text not null check (chain in ('btc', 'eth')),
    network text not null,
    -- full: one chain, block by block from its anchor. extract: anything, laid again in chain order on each addition.
    kind text not null check (kind in ('full', 'extract')),
    -- Height of the first block of a full dataset; what lies below it is outside.
    anchor_height integer,
    created_at timestamptz not null default clock_timestamp(),
    check ((kind = 'full') = (anchor_height is not null))
);

-- What is committed of a dataset: one row, moved by compare-and-set in the transaction that adds or removes rows.
create table ledger_cursor (
    dataset_id smallint primary key references dataset,
    -- Raised whenever committed ids were freed (a rollback, an extract laid again): what follows must look again.
    epoch integer not null default 1,
    block_count integer not null default 0,
    tx_count bigint not null default 0,
    input_count bigint not null default 0,
    output_count bigint not null default 0,
    outside_count bigint not null default 0,
    address_count integer not null default 0,
    tip_height integer,
    tip_hash bytea check (length(tip_hash) = 32),
    moved_at timestamptz not null default clock_timestamp()
);

-- What each epoch began with: a follower of an older epoch falls back to the least of these before it catches up.
create table ledger_rollback (
    dataset_id smallint not null references dataset,
    epoch integer not null,
    block_count integer not null,
    tx_count bigint not null,
    input_count bigint not null,
    output_count bigint not null,
    outside_count bigint not null,
    address_count integer not null,
    at timestamptz not null default clock_timestamp(),
    primary key (dataset_id, epoch)
);

create table block (
    dataset_id smallint not null references dataset,
    block_id integer not null,
    height integer,                                  -- null: the source of an extract did not state it
    hash bytea not null check (length(hash) = 32),
    parent_height integer,                           -- null only at an anchor, and in extracts
    parent_hash bytea check (length(parent_hash) = 32),
    time bigint not null,                            -- seconds since 1970, as the header says
    version bigint,                                  -- version to nonce: null where proof is "stated"
    merkle_root bytea check (length(merkle_root) = 32),
    bits bigint,
    nonce bigint,
    size integer,
    first_tx_id bigint not null,
    tx_count integer not null check (tx_count > 0),
    inputs_after bigint not null,                    -- rows of the dataset up to and with this block: what a
    outputs_after bigint not null,                   -- rollback to here leaves
    outside_after bigint not null,
    addresses_after integer not null,
    unclaimed bigint,                                -- subsidy + fees - coinbase outputs; null where not known
    proof smallint not null,                         -- chain.model.Proof
    primary key (dataset_id, block_id),
    unique (dataset_id, hash),
    unique (dataset_id, height),                     -- one canonical block per height
    unique (dataset_id, height, hash),
    foreign key (dataset_id, parent_height, parent_hash) references block (dataset_id, height, hash),
    check (parent_height is null or parent_height = height - 1)
);

-- The canonical serialization, so that everything can be proved and read again.
create table block_bytes (
    dataset_id smallint not null,
    block_id integer not null,
    codec smallint not null,                         -- 1: one zstandard frame
    bytes bytea not null,
    primary key (dataset_id, block_id),
    foreign key (dataset_id, block_id) references block on delete cascade
);
alter table block_bytes alter column bytes set storage external;  -- compressed already

-- The four wide tables: partitioned by dataset, then (not address) by range of the dense id.
create table tx (
    dataset_id smallint not null,
    tx_id bigint not null,
    block_id integer not null,
    index integer not null,                          -- place in the block
    txid bytea not null,
    coinbase boolean not null,
    version integer,                                 -- version, lock_time: null where proof is "stated"
    lock_time bigint,
    start integer not null,                          -- where its bytes begin in the block's
    size integer not null,
    base_size integer not null,                      -- without witnesses; 0 where proof is "stated"
    first_input_id bigint not null,
    input_count integer not null,                    -- a coinbase has none
    first_output_id bigint not null,
    output_count integer not null,
    fee bigint check (fee >= 0),                     -- null where an input's value is not known
    primary key (dataset_id, tx_id)
) partition by list (dataset_id);
-- Serves a look-up of a transaction by its id without the dictionary (psql, audit). Two transactions may have one
-- txid (BIP 30), so it is not unique.
create index tx_by_txid on tx (dataset_id, txid);

create table output (
    dataset_id smallint not null,
    output_id bigint not null,
    tx_id bigint,                                    -- null: an outside output
    index integer not null,
    address_id integer,                              -- null: no address, or not stated
    type smallint not null,                          -- chain.model.OutputType
    value bigint check (value between 0 and 2100000000000000),  -- satoshi; null where not known
    primary key (dataset_id, output_id)
) partition by list (dataset_id);

-- The outputs that a dataset spends and whose transactions it does not hold. Each stands in `output` just before
-- the outputs of the transaction that spends it.
create table outside_output (
    dataset_id smallint not null references dataset,
    output_id bigint not null,
    txid bytea not null check (length(txid) = 32),
    index bigint not null,
    primary key (dataset_id, output_id),
    unique (dataset_id, txid, index)                 -- spent once
);

-- Each input is the spending of one output, and its key says so: no output is spent twice. Partitioned by the
-- output that is spent.
create table input (
    dataset_id smallint not null,
    output_id bigint not null,
    tx_id bigint not null,
    index integer not null,                          -- place in the transaction
    sequence bigint,                                 -- null where proof is "stated"
    primary key (dataset_id, output_id)
) partition by list (dataset_id);
-- Serves the inputs of a transaction, and the columns' catch-up in chain order.
create index input_by_tx on input (dataset_id, tx_id, index);

create table address (
    dataset_id smallint not null,
    address_id integer not null,
    kind smallint not null,                          -- chain.model.AddressKind
    payload bytea not null,
    primary key (dataset_id, address_id),
    unique (dataset_id, payload, kind)
) partition by list (dataset_id);


-- Statement triggers. The loader copies into leaf tables, so each leaf carries them as well as its parent.

create function check_dense(name text, first bigint, last bigint, rows bigint, next bigint) returns void
language plpgsql as $$
begin
    if rows > 0 and (first <> next or last - first + 1 <> rows) then
        raise exception 'ids of % must go on from %: got % rows from % to %', name, next, rows, first, last
            using errcode = 'integrity_constraint_violation', constraint = name || '_dense';
    end if;
end $$;

create function check_parent(name text, last bigint, parents bigint) returns void
language plpgsql as $$
begin
    if last >= parents then
        raise exception '% % has no row: there are %', name, last, parents
            using errcode = 'foreign_key_violation', constraint = name || '_parent';
    end if;
end $$;

create function next_id(of_table regclass, id_column name, dataset smallint, below bigint) returns bigint
language plpgsql stable as $$
declare found bigint;
begin
    execute format('select max(%1$I) + 1 from %2$s where dataset_id = $1 and %1$I < $2', id_column, of_table)
        into found using dataset, below;
    return coalesce(found, 0);
end $$;

create function block_inserted() returns trigger language plpgsql as $$
declare r record;
begin
    for r in select n.dataset_id, min(block_id)::bigint lo, max(block_id)::bigint hi, count(*) n,
                    count(*) filter (where d.kind = 'full' and n.parent_height is null
                                     and n.height is distinct from d.anchor_height) gaps
             from new_rows n join dataset d using (dataset_id) group by n.dataset_id loop
        perform check_dense('block', r.lo, r.hi, r.n, next_id('block', 'block_id', r.dataset_id, r.lo));
        if r.gaps > 0 then
            raise exception '% blocks of a full dataset have no parent and are not its anchor', r.gaps
                using errcode = 'foreign_key_violation', constraint = 'block_parent';
        end if;
    end loop;
    return null;
end $$;
create trigger block_inserted after insert on block
    referencing new table as new_rows for each statement execute function block_inserted();

create function tx_inserted() returns trigger language plpgsql as $$
declare r record;
begin
    for r in select dataset_id, min(tx_id) lo, max(tx_id) hi, count(*) n, max(block_id)::bigint block_id
             from new_rows group by dataset_id loop
        perform check_dense('tx', r.lo, r.hi, r.n, next_id('tx', 'tx_id', r.dataset_id, r.lo));
        perform check_parent('block', r.block_id, next_id('block', 'block_id', r.dataset_id, 9223372036854775807));
    end loop;
    return null;
end $$;

create function output_inserted() returns trigger language plpgsql as $$
declare r record;
begin
    for r in select dataset_id, min(output_id) lo, max(output_id) hi, count(*) n, max(tx_id) tx_id,
                    max(address_id)::bigint address_id
             from new_rows group by dataset_id loop
        perform check_dense('output', r.lo, r.hi, r.n, next_id('output', 'output_id', r.dataset_id, r.lo));
        perform check_parent('tx', r.tx_id, next_id('tx', 'tx_id', r.dataset_id, 9223372036854775807));
        perform check_parent('address', r.address_id,
                             next_id('address', 'address_id', r.dataset_id, 9223372036854775807));
    end loop;
    return null;
end $$;

create function address_inserted() returns trigger language plpgsql as $$
declare r record;
begin
    for r in select dataset_id, min(address_id)::bigint lo, max(address_id)::bigint hi, count(*) n
             from new_rows group by dataset_id loop
        perform check_dense('address', r.lo, r.hi, r.n, next_id('address', 'address_id', r.dataset_id, r.lo));
    end loop;
    return null;
end $$;

create function input_inserted() returns trigger language plpgsql as $$
declare r record;
begin
    for r in select dataset_id, max(tx_id) tx_id, max(output_id) output_id from new_rows group by dataset_id loop
        perform check_parent('tx', r.tx_id, next_id('tx', 'tx_id', r.dataset_id, 9223372036854775807));
        perform check_parent('output', r.output_id,
                             next_id('output', 'output_id', r.dataset_id, 9223372036854775807));
    end loop;
    return null;
end $$;

-- The gate: the cursor moves forward only over blocks whose transactions, and transactions whose inputs and outputs,
-- are all there and no more.
create function cursor_moved() returns trigger language plpgsql as $$
declare bad record;
begin
    if new.epoch <> old.epoch then
        -- ids were freed: whatever is left must end at the new counts
        if new.tx_count > old.tx_count then
            raise exception 'a rollback cannot add transactions' using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end if;
    select 'block' as what, b.block_id as id into bad
        from block b left join (
            select block_id, count(*) n, min(tx_id) lo, count(distinct txid) txids from tx
            where dataset_id = new.dataset_id and tx_id >= old.tx_count group by block_id) t using (block_id)
        where b.dataset_id = new.dataset_id and b.block_id >= old.block_count
          and (t.n, t.lo, t.txids) is distinct from (b.tx_count::bigint, b.first_tx_id, b.tx_count::bigint)
        limit 1;
    if not found then
        select 'outputs of tx' as what, t.tx_id as id into bad
            from tx t left join (
                select tx_id, count(*) n, min(output_id) lo from output
                where dataset_id = new.dataset_id and output_id >= old.output_count and tx_id is not null
                group by tx_id) o using (tx_id)
            where t.dataset_id = new.dataset_id and t.tx_id >= old.tx_count
              and (o.n, o.lo) is distinct from (t.output_count::bigint, t.first_output_id)
            limit 1;
    end if;
    if not found then
        select 'inputs of tx' as what, t.tx_id as id into bad
            from tx t left join (
                select tx_id, count(*) n from input
                where dataset_id = new.dataset_id and tx_id >= old.tx_count group by tx_id) i using (tx_id)
            where t.dataset_id = new.dataset_id and t.tx_id >= old.tx_count
              and coalesce(i.n, 0) <> t.input_count
            limit 1;
    end if;
    if found then
        raise exception '% %: the rows do not match the counts', bad.what, bad.id
            using errcode = 'integrity_constraint_violation', constraint = 'ledger_counts';
    end if;
    if (new.block_count, new.tx_count, new.output_count, new.address_count) is distinct from (
            next_id('block', 'block_id', new.dataset_id, 9223372036854775807),
            next_id('tx', 'tx_id', new.dataset_id, 9223372036854775807),
            next_id('output', 'output_id', new.dataset_id, 9223372036854775807),
            next_id('address', 'address_id', new.dataset_id, 9223372036854775807)) then
        raise exception 'the cursor does not stand at the last row'
            using errcode = 'integrity_constraint_violation', constraint = 'ledger_cursor_last';
    end if;
    return new;
end $$;
create trigger cursor_moved before update on ledger_cursor for each row execute function cursor_moved();

create trigger tx_inserted after insert on tx
    referencing new table as new_rows for each statement execute function tx_inserted();
create trigger output_inserted after insert on output
    referencing new table as new_rows for each statement execute function output_inserted();
create trigger address_inserted after insert on address
    referencing new table as new_rows for each statement execute function address_inserted();
create trigger input_inserted after insert on input
    referencing new table as new_rows for each statement execute function input_inserted();

-- A leaf is made detached, filled with its indexes and triggers, and attached under a CHECK that spares the scan, so
-- that readers of the parent are not locked out.
create function add_leaf(parent regclass, leaf text, dataset smallint, id_column name, low bigint, high bigint)
returns void language plpgsql as $$
declare middle text := parent || '_' || dataset;
begin
    execute format('create table %I (like %s including all)', leaf, parent);
    execute format('alter table %I add constraint %I check (dataset_id = %s and %I >= %s and %I < %s)',
                   leaf, leaf || '_range', dataset, id_column, low, id_column, high);
    execute format('create trigger inserted after insert on %I referencing new table as new_rows '
                   'for each statement execute function %I()', leaf, parent || '_inserted');
    execute format('alter table %I attach partition %I for values from (%s) to (%s)', middle, leaf, low, high);
end $$;

create function add_dataset_partitions(dataset smallint) returns void language plpgsql as $$
begin
    execute format('create table tx_%1$s partition of tx for values in (%1$s) partition by range (tx_id)', dataset);
    execute format('create table output_%1$s partition of output for values in (%1$s) partition by range (output_id)',
                   dataset);
    execute format('create table input_%1$s partition of input for values in (%1$s) partition by range (output_id)',
                   dataset);
    execute format('create table address_%1$s partition of address for values in (%1$s)', dataset);
    execute format('create trigger inserted after insert on address_%1$s referencing new table as new_rows '
                   'for each statement execute function address_inserted()', dataset);
end $$;
