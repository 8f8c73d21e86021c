-- Relations of Ethereum addresses: directed, each with its evidence, and never a link. What stands here joins nobody.

create table relation (
    dataset_id smallint not null references dataset,
    relation_id bigint not null,
    relation smallint not null,                      -- clustering.ethereum.relations.Relation
    source_id integer not null,
    target_id integer not null,
    first_tx bigint not null,                        -- of the evidence
    last_tx bigint not null,
    times bigint not null,                           -- how often it was seen
    from_run integer not null,
    to_run integer,                                  -- null: still stands
    primary key (dataset_id, relation_id),
    check (source_id <> target_id and first_tx <= last_tx and times > 0)
);
-- Serve the relations of one address, either way, in order.
create index relation_by_source on relation (dataset_id, source_id, relation, target_id);
create index relation_by_target on relation (dataset_id, target_id, relation, source_id);
