-- Long work: what was asked, who works on it, what came of it. A row is the resource and the queue in one.

create table job (
  job_id uuid primary key,
  kind text not null,
  request jsonb not null,
  idempotency_key text unique,                     -- names one job for good
  digest bytea not null,                           -- SHA-256 of the request as it came
  state text not null default 'queued' check (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  created_at timestamptz not null default clock_timestamp(),
  ready_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  finished_at timestamptz,
  attempt integer not null default 0,              -- the fencing token: whoever holds another one publishes nothing
  failures integer not null default 0,
  worker text,
  lease_until timestamptz,                         -- by the database's clock
  cancel_requested boolean not null default false,
  stage text not null default '',
  done bigint not null default 0,
  total bigint not null default 0,
  problem jsonb,
  result jsonb,
  check ((state = 'running') = (lease_until is not null)),
  check ((state in ('succeeded', 'failed', 'cancelled')) = (finished_at is not null)),
  check ((state = 'succeeded') = (result is not null))
);
-- Serves the claim: the oldest that is ready, or whose worker is gone.
create index job_open on job (created_at, job_id) where state in ('queued', 'running');
-- Serves the list, the newest first.
create index job_by_age on job (created_at desc, job_id desc);
