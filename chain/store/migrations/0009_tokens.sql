-- What a token's contract says of itself, raw, by contract: names are anyone's to choose, and never identify a token.
create table eth_token (
    dataset_id smallint not null references dataset,
    contract bytea not null check (length(contract) = 20),
    name bytea not null check (length(name) <= 1024),        -- as the contract answers, whatever bytes these are
    symbol bytea not null check (length(symbol) <= 1024),
    decimals smallint check (decimals between 0 and 255),    -- null: not stated
    primary key (dataset_id, contract)
);

-- Tokens whose logs do not say what they move, as the last `cluster update` found.
create table eth_token_fault (
    dataset_id smallint not null references dataset,
    contract bytea not null check (length(contract) = 20),
    fault smallint not null,                         -- clustering.ethereum.faithful.Fault
    primary key (dataset_id, contract)
);
