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
-- Serves the foreign key: a rollback asks of each block that it deletes whether a child is left.
create index block_by_parent on block (dataset_id, parent_height, parent_hash);

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
    index integer,                                   -- null: an outside output (outside_output has it)
    address_id integer,                              -- null: no address, or not stated
    type smallint not null,                          -- chain.model.OutputType
    value bigint check (value between 0 and 2100000000000000),  -- satoshi; null where not known
    primary key (dataset_id, output_id),
    check ((tx_id is null) = (index is null))
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


-- Statement triggers. The loader copies into leaf tables, so each leaf carries them as well as its parents.

create function check_dense(name text, first bigint, last bigint, rows bigint, next bigint) returns void
language plpgsql as $$
begin
    if rows > 0 and (first <> next or last - first + 1 <> rows) then
        raise exception 'ids of % must go on from %: got % rows from % to %', name, next, rows, first, last
            using errcode = 'integrity_constraint_violation', constraint = name || '_dense';
    end if;
end $$;

-- Rows are added to parents that are there and are not committed yet.
create function check_parent(name text, first bigint, last bigint, committed bigint, parents bigint) returns void
language plpgsql as $$
begin
    if last >= parents then
        raise exception '% % has no row: there are %', name, last, parents
            using errcode = 'foreign_key_violation', constraint = name || '_parent';
    end if;
    if first < committed then
        raise exception '% % is committed: nothing is added to it', name, first
            using errcode = 'integrity_constraint_violation', constraint = name || '_committed';
    end if;
end $$;

create function next_id(of_table regclass, id_column name, dataset smallint, below bigint default 9223372036854775807)
returns bigint language plpgsql stable as $$
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
                    count(*) filter (where d.kind = 'full' and n.height is distinct from d.anchor_height
                                     and (n.parent_height is null or n.parent_hash is null)) gaps,
                    count(*) filter (where d.kind = 'full'
                                     and n.height is distinct from d.anchor_height + n.block_id) strays
             from new_rows n join dataset d using (dataset_id) group by n.dataset_id loop
        perform check_dense('block', r.lo, r.hi, r.n, next_id('block', 'block_id', r.dataset_id, r.lo));
        if r.gaps > 0 then
            raise exception '% blocks of a full dataset have no parent and are not its anchor', r.gaps
                using errcode = 'foreign_key_violation', constraint = 'block_parent';
        end if;
        if r.strays > 0 then
            raise exception '% blocks of a full dataset do not stand at their heights', r.strays
                using errcode = 'integrity_constraint_violation', constraint = 'block_dense';
        end if;
    end loop;
    return null;
end $$;
create trigger block_inserted after insert on block
    referencing new table as new_rows for each statement execute function block_inserted();

create function tx_inserted() returns trigger language plpgsql as $$
declare r record;
begin
    for r in select n.dataset_id, c.block_count, min(tx_id) lo, max(tx_id) hi, count(*) n,
                    min(block_id) first_block, max(block_id) last_block
             from new_rows n join ledger_cursor c using (dataset_id) group by 1, 2 loop
        perform check_dense('tx', r.lo, r.hi, r.n, next_id('tx', 'tx_id', r.dataset_id, r.lo));
        perform check_parent('block', r.first_block, r.last_block, r.block_count,
                             next_id('block', 'block_id', r.dataset_id));
    end loop;
    return null;
end $$;

create function output_inserted() returns trigger language plpgsql as $$
declare r record;
begin
    for r in select n.dataset_id, c.tx_count, min(output_id) lo, max(output_id) hi, count(*) n, min(tx_id) first_tx,
                    max(tx_id) last_tx, max(address_id) address
             from new_rows n join ledger_cursor c using (dataset_id) group by 1, 2 loop
        perform check_dense('output', r.lo, r.hi, r.n, next_id('output', 'output_id', r.dataset_id, r.lo));
        perform check_parent('tx', r.first_tx, r.last_tx, r.tx_count, next_id('tx', 'tx_id', r.dataset_id));
        perform check_parent('address', 0, r.address, 0, next_id('address', 'address_id', r.dataset_id));
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
    for r in select n.dataset_id, c.tx_count, min(tx_id) first_tx, max(tx_id) last_tx, max(output_id) output
             from new_rows n join ledger_cursor c using (dataset_id) group by 1, 2 loop
        perform check_parent('tx', r.first_tx, r.last_tx, r.tx_count, next_id('tx', 'tx_id', r.dataset_id));
        perform check_parent('output', 0, r.output, 0, next_id('output', 'output_id', r.dataset_id));
    end loop;
    return null;
end $$;

-- The gate: the cursor moves forward only over rows that are all there, and no more than are told of. Each function
-- gives the first row that is not as it must be.

-- A block has its transactions, one after another, its bytes where they prove it, and true counts of what it leaves.
create function first_bad_block(b ledger_cursor, e ledger_cursor) returns integer language sql stable as $$
    select block_id from (
        select block.*, t.n, t.lo, t.hi, t.txids, t.end_output,
               b.tx_count + coalesce(sum(block.tx_count) over before, 0) as expected_tx,
               b.input_count + sum(t.inputs) over upto as inputs,
               b.outside_count + t.end_output - b.output_count - sum(t.outputs) over upto as outside,
               coalesce(lag(addresses_after) over (order by block_id), b.address_count) as addresses_before,
               coalesce(lead(addresses_after) over (order by block_id), e.address_count) as addresses_then,
               max(block_id) over () as last_block
        from block left join (
            select block_id, count(*) n, min(tx_id) lo, max(tx_id) hi, count(distinct txid) txids,
                   sum(input_count)::bigint inputs, sum(output_count)::bigint outputs,
                   max(first_output_id + output_count) end_output
            from tx where dataset_id = e.dataset_id and tx_id >= b.tx_count group by block_id) t using (block_id)
        where dataset_id = e.dataset_id and block_id >= b.block_count
        window before as (order by block_id rows between unbounded preceding and 1 preceding),
               upto as (order by block_id)) c
    where (n, lo, hi, txids) is distinct from
              (tx_count::bigint, expected_tx::bigint, expected_tx::bigint + tx_count - 1, tx_count::bigint)
       or first_tx_id <> expected_tx
       or (inputs_after, outputs_after, outside_after) is distinct from (inputs::bigint, end_output, outside::bigint)
       or addresses_after not between addresses_before and addresses_then
       or (block_id = last_block and addresses_after <> e.address_count)
       or (proof = 0 and not exists (select from block_bytes y where y.dataset_id = e.dataset_id
                                                                 and y.block_id = c.block_id))
    order by block_id limit 1
$$;

-- A transaction has its inputs and outputs, and spends what was made before it.
create function first_bad_tx(b ledger_cursor, e ledger_cursor) returns bigint language sql stable as $$
    select tx_id from (
        select t.*, o.n outputs, o.lo, o.hi, i.n inputs, i.last_spent,
               b.input_count + coalesce(sum(input_count) over (
                   order by tx_id rows between unbounded preceding and 1 preceding), 0) as expected_input
        from tx t
        left join (select tx_id, count(*) n, min(output_id) lo, max(output_id) hi from output
                   where dataset_id = e.dataset_id and output_id >= b.output_count group by tx_id) o using (tx_id)
        left join (select tx_id, count(*) n, max(output_id) last_spent from input
                   where dataset_id = e.dataset_id and tx_id >= b.tx_count group by tx_id) i using (tx_id)
        where t.dataset_id = e.dataset_id and t.tx_id >= b.tx_count) c
    where coalesce(outputs, 0) <> output_count
       or (output_count > 0 and (lo, hi) <> (first_output_id, first_output_id + output_count - 1))
       or coalesce(inputs, 0) <> input_count
       or last_spent >= first_output_id
       or first_input_id <> expected_input
    order by tx_id limit 1
$$;

-- Outputs without a transaction are those that outside_output names.
create function first_bad_outside(b ledger_cursor, e ledger_cursor) returns bigint language sql stable as $$
    select coalesce(o.output_id, s.output_id)
    from (select output_id from output
          where dataset_id = e.dataset_id and output_id >= b.output_count and tx_id is null) o
    full join (select output_id from outside_output
               where dataset_id = e.dataset_id and output_id >= b.output_count) s using (output_id)
    where o.output_id is null or s.output_id is null limit 1
$$;

create function refuse_cursor(what text, id bigint) returns void language plpgsql as $$
begin
    if id is not null then
        raise exception '% %: the rows do not match the counts', what, id
            using errcode = 'integrity_constraint_violation', constraint = 'ledger_counts';
    end if;
end $$;

create function cursor_moved() returns trigger language plpgsql as $$
declare totals record;
begin
    if new.epoch = old.epoch then
        perform refuse_cursor('block', first_bad_block(old, new));
        perform refuse_cursor('tx', first_bad_tx(old, new));
        perform refuse_cursor('outside output', first_bad_outside(old, new));
        select coalesce(max(inputs_after), old.input_count) as inputs,
               coalesce(max(outside_after), old.outside_count) as outside into totals
            from block where dataset_id = new.dataset_id and block_id >= old.block_count;
        if (new.input_count, new.outside_count) is distinct from (totals.inputs, totals.outside) then
            perform refuse_cursor('input', new.input_count);
        end if;
    elsif new.epoch <> old.epoch + 1 or new.block_count > old.block_count or new.tx_count > old.tx_count then
        raise exception 'a rollback begins the next epoch and adds nothing'
            using errcode = 'integrity_constraint_violation', constraint = 'ledger_epoch';
    end if;
    if (new.block_count, new.tx_count, new.output_count, new.address_count) is distinct from (
            next_id('block', 'block_id', new.dataset_id), next_id('tx', 'tx_id', new.dataset_id),
            next_id('output', 'output_id', new.dataset_id), next_id('address', 'address_id', new.dataset_id))
       or exists (select from input where dataset_id = new.dataset_id and tx_id >= new.tx_count)
       or exists (select from outside_output where dataset_id = new.dataset_id and output_id >= new.output_count) then
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

-- A table is made detached, filled with its indexes and triggers, and attached, so that readers of the parent are not
-- locked out; a leaf under a CHECK that spares the scan.
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
declare parent text; by_range text;
begin
    foreach parent in array array['tx', 'output', 'input', 'address'] loop
        by_range := case parent when 'tx' then 'partition by range (tx_id)' when 'address' then ''
                                else 'partition by range (output_id)' end;
        execute format('create table %1$I (like %2$I including all) %3$s', parent || '_' || dataset, parent, by_range);
        execute format('create trigger inserted after insert on %I referencing new table as new_rows '
                       'for each statement execute function %I()', parent || '_' || dataset, parent || '_inserted');
        execute format('alter table %I attach partition %I for values in (%s)', parent, parent || '_' || dataset, dataset);
    end loop;
end $$;
