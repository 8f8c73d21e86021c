"""Jobs in Postgres: one row each, claimed under a lease and published by whoever holds the newest attempt.

A claim takes the oldest job that is ready, or whose worker let its lease run out, and counts `attempt` up. Every later
statement of that worker names its attempt, so one that was frozen and wakes up again changes nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chain.errors import HeadwaterError, NotFound, StoreBusy
from chain.store.postgres import Connection, queries

LEASE_SECONDS = 10
"""A worker that is silent for so long is taken for dead."""

MAX_FAILURES = 5
"""Attempts that may fail, or whose worker may vanish, before a job is given up."""

MAX_WAITING = 10_000
"""Jobs that may wait in the queue."""

GIVEN_UP = {"type": "worker-lost", "status": 500, "detail": "every worker that began it was lost; it was given up"}


class KeyReused(HeadwaterError):
    """An Idempotency-Key names one request; it came with another one."""

    problem_type = "idempotency-key-reused"
    status = 422


@dataclass(frozen=True, slots=True)
class Job:
    """A row, as of when it was read."""

    job_id: uuid.UUID
    kind: str
    request: Any
    state: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempt: int
    failures: int
    worker: str | None
    cancel_requested: bool
    stage: str
    done: int
    total: int
    problem: Any
    result: Any

    @property
    def finished(self) -> bool:
        return self.finished_at is not None


FIELDS = tuple(Job.__dataclass_fields__)


def session_name(job_id: uuid.UUID, attempt: int) -> str:
    """By which the database knows the sessions of an attempt; 63 bytes at most."""
    return f"headwater job {job_id} {attempt}"


class JobStore:
    """Jobs of one connection's database."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sql = queries("jobs")

    async def create(self, kind: str, request: Any, digest: bytes, key: str | None) -> tuple[Job, bool]:
        """A new job, or the one that `key` names already; whether it is new.

        KeyReused where the key named another request, StoreBusy where `MAX_WAITING` wait already.
        """
        async with self.connection.transaction():
            if await self.connection.fetchval(self._sql["waiting"], MAX_WAITING) >= MAX_WAITING:
                raise StoreBusy(f"waiting_jobs: {MAX_WAITING} jobs wait already; come again later")
            row = await self.connection.fetchrow(
                self._sql["create"], uuid.uuid4(), kind, json.dumps(request), key, digest
            )
        if row is not None:
            return _job(row), True
        known = await self.connection.fetchrow(self._sql["by_key"], key)
        if known is None or (known["kind"], bytes(known["digest"])) != (kind, digest):
            raise KeyReused()
        return _job(known), False

    async def get(self, job_id: uuid.UUID) -> Job:
        """NotFound where there is none."""
        row = await self.connection.fetchrow(self._sql["by_id"], job_id)
        if row is None:
            raise NotFound(f"there is no job {job_id}")
        return _job(row)

    async def newest(
        self, limit: int, state: str | None = None, kind: str | None = None,
        after: tuple[datetime, uuid.UUID] | None = None,
    ) -> list[Job]:  # fmt: skip
        """The newest first, behind `after`."""
        place = after or (None, None)
        return [_job(row) for row in await self.connection.fetch(self._sql["newest"], *place, state, kind, limit)]

    async def cancel(self, job_id: uuid.UUID) -> Job:
        """Ask for its end; what is done already stays done."""
        await self.connection.execute(self._sql["cancel"], job_id)
        return await self.get(job_id)

    async def claim(self, worker: str) -> Job | None:
        """The next job, under a lease; the sessions of an earlier attempt are ended. None where there is none."""
        await self.connection.execute(self._sql["settle"], MAX_FAILURES, json.dumps(GIVEN_UP))
        row = await self.connection.fetchrow(self._sql["claim"], worker, LEASE_SECONDS, MAX_FAILURES)
        if row is None:
            return None
        job = _job(row)
        earlier = [session_name(job.job_id, attempt) for attempt in range(1, job.attempt)]
        if earlier:
            await self.connection.fetch(self._sql["end_sessions"], earlier)
        return job

    async def beat(self, job: Job, stage: str, done: int, total: int) -> bool | None:
        """Hold the lease on; whether a cancel was asked for, None where the job is another's now."""
        found: bool | None = await self.connection.fetchval(
            self._sql["beat"], job.job_id, job.attempt, LEASE_SECONDS, stage, done, total
        )
        return found

    async def publish(self, job: Job, result: Mapping[str, Any]) -> bool:
        """Make the result the job's; False where it is another's now, or cancelled."""
        row = await self.connection.fetchval(self._sql["publish"], job.job_id, job.attempt, json.dumps(result))
        return row is not None

    async def fail(self, job: Job, problem: Mapping[str, Any]) -> None:
        await self.connection.execute(self._sql["fail"], job.job_id, job.attempt, json.dumps(problem))

    async def put_back(self, job: Job, seconds: int, *, failed: bool) -> None:
        """Let it be tried again later."""
        await self.connection.execute(self._sql["put_back"], job.job_id, job.attempt, seconds, int(failed))

    async def stop(self, job: Job) -> None:
        """The end that a cancel asked for."""
        await self.connection.execute(self._sql["stop"], job.job_id, job.attempt)

    async def unfinished(self) -> int:
        count: int = await self.connection.fetchval(self._sql["unfinished"])
        return count


def _job(row: Any) -> Job:
    found = {name: row[name] for name in FIELDS}
    for name in ("request", "problem", "result"):
        found[name] = None if found[name] is None else json.loads(found[name])
    return Job(**found)
