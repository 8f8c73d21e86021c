-- Why a link has its status, what a run judged by, and what people decided.

alter table link add column reason smallint not null default 0;      -- clustering.guards.Reason
-- Serves: the links that guards hold now (cluster held), and what a run closed (cluster diff).
create index link_held on link (dataset_id, link_id) where status <> 1 and to_run is null;
create index link_closed on link (dataset_id, to_run) where to_run is not null;

alter table clustering_run
    add column label_set integer,                    -- version of the labels that guards read; null: none
    add column label_sha256 text,                    -- of what they said of these addresses (a label can expire)
    add column decision_id bigint not null default 0, -- the last decision that was counted
    add column held_count bigint not null default 0,
    -- The first transaction below the last run's end whose links this run judged otherwise; null: none.
    add column changed_from bigint;

-- A person's word on one link, by durable names, so that it outlives a reorganisation. The newest of a link counts;
-- `withdraw` takes the earlier ones back. Append only.
create table link_decision (
    decision_id bigint primary key generated always as identity,
    dataset_id smallint not null references dataset,
    txid bytea not null check (length(txid) = 32),
    rule smallint not null,                          -- clustering.links.Rule
    a_kind smallint not null,
    a_payload bytea not null,
    b_kind smallint not null,
    b_payload bytea not null,
    verdict text not null check (verdict in ('accept', 'refuse', 'withdraw')),
    decided_by text not null check (length(decided_by) between 1 and 200),
    reason text not null check (length(reason) between 1 and 2000),
    decided_at timestamptz not null default clock_timestamp()
);
create index link_decision_by_dataset on link_decision (dataset_id, decision_id);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append only', tg_table_name using errcode = 'integrity_constraint_violation';
end $$;
create trigger link_decision_append_only before update or delete or truncate on link_decision
    for each statement execute function refuse_change();
