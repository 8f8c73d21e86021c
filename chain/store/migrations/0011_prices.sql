-- Prices as somebody stated them: what one whole unit of an asset was worth in a currency at a time.

create table price (
  asset text not null,                             -- BTC, ETH or a token's contract
  currency text not null check (currency in ('CNY', 'USD')),
  source text not null,
  at_time bigint not null,                         -- seconds since 1970
  price numeric not null check (price >= 0),
  decimals smallint not null check (decimals between 0 and 77),
  method text not null,                            -- close of the day, volume-weighted, ...
  primary key (asset, currency, source, at_time)
);
