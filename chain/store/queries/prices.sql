-- Queries of chain/store/prices.py.

-- name: add
insert into price (asset, currency, source, at_time, price, decimals, method)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::numeric[], $6::smallint[], $7::text[])
on conflict (asset, currency, source, at_time) do update
    set price = excluded.price, decimals = excluded.decimals, method = excluded.method;

-- name: of_currency
select asset, source, at_time, price::text as price, decimals, method from price where currency = $1
order by asset, source, at_time;

-- name: kept
select asset, currency, source, method, count(*) as prices, min(at_time) as first, max(at_time) as last
from price group by asset, currency, source, method order by asset, currency, source, method;
