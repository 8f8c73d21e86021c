-- name: create_table
create table if not exists migration (
    name text primary key,
    sha256 text not null,
    applied_at timestamptz not null default clock_timestamp()
);

-- name: applied
select name, sha256 from migration;

-- name: record
insert into migration (name, sha256) values ($1, $2);
