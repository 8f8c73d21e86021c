-- The record of clustering: runs, and the links that heuristics found. A partition is an index over the links and
-- stands on disk, never here.

create table clustering_run (
    dataset_id smallint not null references dataset,
    run_id integer not null,
    level text not null,
    -- What the run rests on: the ledger up to this transaction of this epoch.
    epoch integer not null,
    tx_count bigint not null,
    address_count integer not null,
    tip_height integer,
    tip_hash bytea,
    rules jsonb not null,                            -- names and parameters of the rules that were run
    code_version text not null,
    link_count bigint not null,                      -- accepted links, from the first to the last
    cluster_count integer not null,
    partition_sha256 text not null,                  -- of the labels (clustering.components.partition_digest)
    finished_at timestamptz not null default clock_timestamp(),
    primary key (dataset_id, run_id)
);

create table link (
    dataset_id smallint not null references dataset,
    link_id bigint not null,
    u integer not null,                              -- address ids, u < v
    v integer not null,
    rule smallint not null,                          -- clustering.links.Rule, which has a link type
    tx_id bigint not null,                           -- evidence; the latest of it where it is several
    status smallint not null,                        -- clustering.links.LinkStatus
    from_run integer not null,
    to_run integer,                                  -- null: still stands
    primary key (dataset_id, link_id),
    check (u < v)
);
-- Serves: the links that rest on a transaction (tx show), and those that a rollback takes out.
create index link_by_tx on link (dataset_id, tx_id);

-- Links whose evidence a rollback or a new laying took away, by durable names, for whoever was shown one.
create table retired_link (
    dataset_id smallint not null references dataset,
    link_id bigint not null,
    epoch integer not null,                          -- the epoch that retired it
    u_kind smallint not null,
    u_payload bytea not null,
    v_kind smallint not null,
    v_payload bytea not null,
    rule smallint not null,
    txid bytea not null,
    status smallint not null,
    from_run integer not null,
    to_run integer,
    primary key (dataset_id, epoch, link_id)
);
