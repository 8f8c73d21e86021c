-- Labels: what sources say of addresses. A source is one file as it was given, with its bytes; it is open from one
-- version of the label set to another. Nothing is ever changed but the end of that.

create table label_set (
    version integer primary key check (version > 0),
    created_at timestamptz not null default clock_timestamp(),
    change text not null                             -- for a person: what this version added or closed
);

create table label_source (
    source_id integer primary key,
    title text not null,
    creator text not null,
    description text,
    uri text,
    licence text,                                    -- null: not stated
    format text not null check (format in ('tagpack', 'actorpack', 'ofac', 'csv')),
    network text not null,                           -- of the chain's networks, whose addresses these are
    file_name text not null,                         -- without its folder
    sha256 bytea not null check (length(sha256) = 32),  -- of the file as it was given
    size bigint not null,                            -- bytes of it
    original bytea not null,                         -- the file as it was given, as one zstandard frame
    label_count integer not null,
    actor_count integer not null,
    rejected_count integer not null,
    imported_at timestamptz not null default clock_timestamp(),
    from_version integer not null references label_set,
    to_version integer references label_set check (to_version > from_version),  -- null: open
    replaced_by integer references label_source,
    withdrawn_at timestamptz,
    withdrawn_reason text,
    check ((withdrawn_at is null) = (withdrawn_reason is null))
);
alter table label_source alter column original set storage external;  -- compressed already
-- Serves: the same file again. The title belongs to it: a list of addresses names its asset in the file's name alone.
create unique index label_source_open on label_source (sha256, network, title) where to_version is null;
-- Serves: a pack of the same title and creator.
create index label_source_by_title on label_source (title, creator);

create table actor (
    source_id integer not null references label_source,
    actor_id text not null,
    label text not null,
    uri text,
    categories text[] not null,
    jurisdictions text[] not null,
    aliases text[] not null,
    lastmod timestamp,
    context text,                                    -- JSON
    primary key (source_id, actor_id)
);
create index actor_by_id on actor (actor_id);

-- What a source says, each distinct statement once: a file of half a million rows has some ten thousand.
create table label_claim (
    source_id integer not null references label_source,
    claim_id integer not null,
    label text not null,
    currency text not null,                          -- as the source has it
    network text,                                    -- as the source has it
    category text,
    concepts text[] not null,
    abuse text,
    actor text,
    confidence text,                                 -- clustering.labels.CONFIDENCE
    is_cluster_definer boolean,
    lastmod timestamp,                               -- UTC; a day is its midnight
    valid_from date,
    valid_until date,
    source text,                                     -- a URI, as the source has it
    context text,                                    -- JSON
    pack text,                                       -- the pack that a flattened row came from
    primary key (source_id, claim_id)
);

create table label (
    source_id integer not null references label_source,
    place integer not null,                          -- number of the tag, or of the line, in the file
    claim_id integer not null,
    chain text,                                      -- null: of a chain that is not covered
    address text not null,                           -- as the source has it
    key bytea,                                       -- kind and payload (btc), 20 bytes (eth); null: not covered
    primary key (source_id, place),
    check ((chain is null) = (key is null))
);
-- Serves: the labels of an address.
create index label_by_key on label (key) where key is not null;
-- Serves: the labels of an address of a chain that is not covered.
create index label_by_address on label (address) where key is null;
