"""A worker: claims jobs, one at a time, and works on them while a thread of its own holds the lease.

The thread has a connection of its own, and beats while kernels run. Where a beat finds that the job is another's, or
that a cancel was asked for, the work ends at its next look; where the database does not answer, the work goes on until
the lease would be over. What fails for want of a database, a disk or memory is tried again; what is wrong with the
question fails at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from api.instance import Instance
from api.jobs.kinds import KINDS, Bench
from api.jobs.results import clear_others, folder_of, sealed
from chain.errors import HeadwaterError, StoreUnavailable
from chain.store.jobs import LEASE_SECONDS, MAX_FAILURES, Job, JobStore, session_name
from chain.store.postgres import LOST, connected
from clustering.trace.run import Cancellation

BEAT_SECONDS = 2
IDLE_SECONDS = 0.3
"""Between two looks at an empty queue."""

MAX_DELAY = 60
"""Seconds before what failed is tried again, at most."""

PARENT = "HEADWATER_WORKER_PARENT"
"""The process without which a worker ends: the service that started it."""

log = logging.getLogger("headwater")


class Pulse(threading.Thread):
    """Holds a job's lease, and says when it is over."""

    def __init__(self, url: str, job: Job, stopping: threading.Event) -> None:
        super().__init__(name="pulse", daemon=True)
        self._url, self._job, self._stopping = url, job, stopping
        self._done = threading.Event()
        self.lost = self.cancel = False
        self._at: tuple[str, int, int] = ("", 0, 0)

    def progress(self, stage: str, done: int, total: int) -> None:
        self._at = (stage, done, total)

    def over(self) -> bool:
        """Whether the work is to end before its end."""
        return self.lost or self.cancel or self._stopping.is_set()

    def run(self) -> None:
        asyncio.run(self._beat())

    async def _beat(self) -> None:
        last = time.monotonic()
        while not self._done.is_set() and not self.lost:
            with contextlib.suppress(*LOST, HeadwaterError):
                async with connected(self._url) as connection:
                    store = JobStore(connection)
                    while not self._done.is_set():
                        said = await asyncio.wait_for(store.beat(self._job, *self._at), BEAT_SECONDS)
                        if said is None:
                            self.lost = True
                            return
                        self.cancel |= said
                        last = time.monotonic()
                        await self._wait()
            self.lost |= time.monotonic() - last > LEASE_SECONDS
            await self._wait()

    async def _wait(self) -> None:
        await asyncio.to_thread(self._done.wait, BEAT_SECONDS)

    def end(self) -> None:
        self._done.set()
        self.join()


@contextlib.contextmanager
def pulse(url: str, job: Job, stopping: threading.Event) -> Iterator[Pulse]:
    beating = Pulse(url, job, stopping)
    beating.start()
    try:
        yield beating
    finally:
        beating.end()


class Worker:
    """One process's work on the queue of an instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.stopping = threading.Event()

    async def run(self, *, drain: bool = False) -> int:
        """Work until told to stop, or, with `drain`, until nothing is left to do; how many jobs it ended."""
        ended = 0
        while not self.stopping.is_set():
            job = None
            try:
                async with connected(self._instance.url) as connection:
                    while not self.stopping.is_set():
                        job = await JobStore(connection).claim(self.name)
                        if job is not None:
                            break
                        if drain and not await JobStore(connection).unfinished():
                            return ended
                        await asyncio.sleep(IDLE_SECONDS)
            except (*LOST, StoreUnavailable) as error:
                log.warning("the queue cannot be read: %s", error)
                await asyncio.sleep(IDLE_SECONDS * 10)
            if job is not None:
                await self.work(job)
                ended += 1
        return ended

    async def work(self, job: Job) -> None:
        """Do one job that was claimed, and say what came of it."""
        out = folder_of(self._instance.home, job.job_id, job.attempt)
        try:
            with pulse(self._instance.url, job, self.stopping) as beating:
                result = await self._result(job, out, beating)
                published = False
                if result is not None and not beating.lost:
                    published = await self._say(lambda store: store.publish(job, result))
            if published:
                clear_others(self._instance.home, job)
            else:
                await self._say(lambda store: store.stop(job))
                shutil.rmtree(out, ignore_errors=True)
        except (*LOST, StoreUnavailable) as error:  # whether it is published, its row knows: nothing is removed
            log.warning("job %s, attempt %d: its lease runs out: %s", job.job_id, job.attempt, error)

    async def _result(self, job: Job, out: Path, beating: Pulse) -> dict[str, Any] | None:
        """What the job tells of its results, which are on the disk; None where there are none."""
        url = named(self._instance.url, job)
        try:
            told = await KINDS[job.kind](
                job.request, Bench(url, self._instance.home, out, beating.progress, beating.over)
            )
            return {**told, "files": await asyncio.to_thread(sealed, out)}
        except BaseException as error:
            if not beating.lost:
                await self._ended_early(job, beating, error)
            if not isinstance(error, Exception):
                raise
            return None

    async def _ended_early(self, job: Job, beating: Pulse, error: BaseException) -> None:
        """Put it back where it may go otherwise next time, else fail it with what is wrong."""
        if isinstance(error, Cancellation):
            if beating.cancel:
                await self._say(lambda store: store.stop(job))
            else:
                await self._say(lambda store: store.put_back(job, 0, failed=False))
            return
        again = isinstance(error, (MemoryError, *LOST))
        again |= isinstance(error, HeadwaterError) and error.status == HTTPStatus.SERVICE_UNAVAILABLE
        if again and job.failures + 1 < MAX_FAILURES:
            log.warning("job %s, attempt %d: tried again later: %s", job.job_id, job.attempt, error)
            delay = min(MAX_DELAY, 2**job.failures)
            await self._say(lambda store: store.put_back(job, delay, failed=True))
        elif isinstance(error, Exception):
            told = _problem(job, error)
            await self._say(lambda store: store.fail(job, told))

    async def _say(self, statement: Any) -> Any:
        async with connected(self._instance.url) as connection:
            return await statement(JobStore(connection))


def named(url: str, job: Job) -> str:
    """The URL by which sessions bear the attempt's name."""
    parts = urlsplit(url)
    name = urlencode({"application_name": session_name(job.job_id, job.attempt)})
    return urlunsplit(parts._replace(query=f"{parts.query}&{name}" if parts.query else name))


def _problem(job: Job, error: Exception) -> dict[str, Any]:
    """What goes out of an error: of one that nobody expected no more than where the log has it."""
    if isinstance(error, HeadwaterError) and error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return {"type": error.problem_type, "status": error.status, "detail": str(error)}
    correlation = secrets.token_hex(8)
    log.error("%s job %s failed", correlation, job.job_id, exc_info=error)
    kind = error.problem_type if isinstance(error, HeadwaterError) else "internal"
    meaning = (
        (type(error).__doc__ or "").splitlines()[0]
        if isinstance(error, HeadwaterError)
        else "something went wrong here"
    )
    return {"type": kind, "status": 500, "detail": f"{meaning.rstrip('.')}; correlation id {correlation}"}
