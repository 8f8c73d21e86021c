-- Queries of chain/store/jobs.py. All times are the database's: a worker's clock may be wrong.

-- name: waiting
select count(*) from (select 1 from job where state = 'queued' limit $1) as queued;

-- name: create
insert into job (job_id, kind, request, idempotency_key, digest) values ($1, $2, $3, $4, $5)
on conflict (idempotency_key) do nothing returning *;

-- name: by_key
select * from job where idempotency_key = $1;

-- name: by_id
select * from job where job_id = $1;

-- name: newest
-- $1, $2: the last one of the page before, or null.
select * from job where ($1::timestamptz is null or (created_at, job_id) < ($1, $2::uuid))
    and ($3::text is null or state = $3) and ($4::text is null or kind = $4)
order by created_at desc, job_id desc limit $5;

-- name: settle
-- Those whose worker is gone and that are not tried again: they were cancelled, or failed as often as is allowed.
update job set state = case when cancel_requested then 'cancelled' else 'failed' end, lease_until = null,
    finished_at = clock_timestamp(), problem = case when cancel_requested then null else $2::jsonb end
where state = 'running' and lease_until < clock_timestamp() and (cancel_requested or failures + 1 >= $1);

-- name: claim
with next as (
    select job_id from job
    where (state = 'queued' and ready_at <= clock_timestamp())
        or (state = 'running' and lease_until < clock_timestamp() and not cancel_requested and failures + 1 < $3)
    order by created_at, job_id limit 1 for update skip locked)
update job set state = 'running', attempt = attempt + 1, failures = failures + (state = 'running')::integer, worker = $1,
    lease_until = clock_timestamp() + make_interval(secs => $2), started_at = coalesce(started_at, clock_timestamp()),
    stage = '', done = 0, total = 0, problem = null
from next where job.job_id = next.job_id returning job.*;

-- name: end_sessions
-- What an earlier attempt still has open in the database: a worker that was frozen must not go on writing.
select pg_terminate_backend(pid) from pg_stat_activity where application_name = any($1::text[]) and datname = current_database();

-- name: beat
update job set lease_until = clock_timestamp() + make_interval(secs => $3), stage = $4, done = $5, total = $6
where job_id = $1 and attempt = $2 and state = 'running' returning cancel_requested;

-- name: publish
update job set state = 'succeeded', result = $3, finished_at = clock_timestamp(), lease_until = null
where job_id = $1 and attempt = $2 and state = 'running' and not cancel_requested returning job_id;

-- name: fail
update job set state = 'failed', problem = $3, finished_at = clock_timestamp(), lease_until = null
where job_id = $1 and attempt = $2 and state = 'running';

-- name: put_back
-- To be tried again after $3 seconds; $4: 1 where it failed, 0 where its worker was told to stop.
update job set state = 'queued', ready_at = clock_timestamp() + make_interval(secs => $3), lease_until = null, worker = null,
    failures = failures + $4
where job_id = $1 and attempt = $2 and state = 'running' and not cancel_requested;

-- name: stop
update job set state = 'cancelled', finished_at = clock_timestamp(), lease_until = null
where job_id = $1 and attempt = $2 and state = 'running' and cancel_requested;

-- name: cancel
update job set cancel_requested = true, state = case when state = 'queued' then 'cancelled' else state end,
    finished_at = case when state = 'queued' then clock_timestamp() end
where job_id = $1 and state in ('queued', 'running');

-- name: unfinished
select count(*) from job where state in ('queued', 'running');
