"""Workers killed and frozen while they work: no job is lost, none is published twice, a dead worker's is begun again.

Faults here are real signals: SIGKILL, and SIGSTOP for longer than a lease with SIGCONT after it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from api.instance import Instance, open_instance
from api.jobs.request import PATHS
from chain.bitcoin import address as codec
from chain.bitcoin.network import REGTEST
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.jobs import LEASE_SECONDS, MAX_FAILURES, JobStore
from chain.store.postgres import connected
from clustering.simulate.sample import Sample
from tests.integration.loaded import load_sample

AGAIN_SECONDS = 15
"""In which a dead worker's job must run again."""

JOBS = int(os.environ.get("HEADWATER_TEST_JOBS", "2000"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[Instance, Sample]]:
    async def prepare() -> tuple[Instance, Sample]:
        instance = await open_instance(Settings(home=tmp_path, database_url=None))
        return instance, await load_sample(instance, tmp_path, "btc")

    yield asyncio.run(prepare())
    EmbeddedPostgres(tmp_path).stop()


@dataclass
class Crew:
    """Workers that are killed, frozen and replaced."""

    instance: Instance
    size: int
    random: random.Random
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    frozen: list[tuple[float, subprocess.Popen[bytes]]] = field(default_factory=list)
    killed: int = 0
    thawed: int = 0

    def fill(self) -> None:
        self.running = [each for each in self.running if each.poll() is None]
        while len(self.running) < self.size:
            env = {**os.environ, "HEADWATER_HOME": str(self.instance.home)}
            self.running.append(subprocess.Popen([sys.executable, "-m", "api.cli", "worker"], env=env))

    def harm(self) -> None:
        """Kill one, or freeze one for longer than its lease."""
        victim = self.running.pop(self.random.randrange(len(self.running)))
        if self.random.random() < 0.75:
            victim.kill()
            victim.wait()
            self.killed += 1
        else:
            victim.send_signal(signal.SIGSTOP)
            self.frozen.append((time.monotonic() + LEASE_SECONDS + 2, victim))

    def thaw(self, *, all_of_them: bool = False) -> None:
        for due, victim in list(self.frozen):
            if all_of_them or time.monotonic() > due:
                self.frozen.remove((due, victim))
                victim.send_signal(signal.SIGCONT)
                self.thawed += 1
                self.running.append(victim)

    def end(self) -> None:
        for each in [*self.running, *(victim for _, victim in self.frozen)]:
            each.kill()
            each.wait()


async def ask(instance: Instance, sample: Sample, count: int) -> list[Any]:
    a, b = (codec.encode(sample.wallet(name).keys[0], REGTEST) for name in ("investor 1", "sale"))
    asked = {"chain": "btc", "a": a, "b": b, "k": 1, "clusters": False, "dataset": None}
    async with connected(instance.url) as connection:
        store = JobStore(connection)
        return [(await store.create(PATHS, asked, b"", None))[0].job_id for _ in range(count)]


HISTORY = """
create table job_history (job_id uuid, attempt integer, state text, at timestamptz default clock_timestamp());
create function keep_history() returns trigger language plpgsql as $$
begin
    if (old.attempt, old.state) is distinct from (new.attempt, new.state) then
        insert into job_history values (new.job_id, new.attempt, new.state);
    end if;
    return null;
end $$;
create trigger keep_history after update on job for each row execute function keep_history();
"""
"""Only the test's: each change of state, by the database's own clock."""

TWICE = """
select count(*) from (select 1 from job_history where state = 'succeeded' group by job_id having count(*) > 1) as twice
"""

SLOWEST = """
select max(extract(epoch from at - before))
from (select at, attempt, state, lag(at) over w as before, lag(attempt) over w as earlier
      from job_history window w as (partition by job_id order by at)) as changes
where state = 'running' and attempt > earlier
"""
"""The longest from one attempt's begin to the next one's."""

log = logging.getLogger("headwater.tests")


async def harmed(instance: Instance, jobs: list[Any], crew: Crew, pause: float) -> None:
    async with connected(instance.url) as connection:
        store = JobStore(connection)
        deadline = time.monotonic() + 900
        while await store.unfinished():
            assert time.monotonic() < deadline, "the jobs do not end"
            crew.fill()
            await asyncio.sleep(crew.random.uniform(pause / 2, 2 * pause))
            crew.harm()
            crew.thaw()
        crew.thaw(all_of_them=True)
        await asyncio.sleep(3)  # those that wake up now try what they tried when they were frozen
        found = [await store.get(job) for job in jobs]
        # a job that killed workers took down five times in a row may be given up, and says so
        assert {each.state for each in found} <= {"succeeded", "failed"}
        lost = [each for each in found if each.state == "failed"]
        assert all(each.failures + 1 >= MAX_FAILURES for each in lost)
        assert len(lost) <= len(jobs) // 100
        for each in found:
            folders = sorted(path.name for path in (instance.home / "jobs" / str(each.job_id)).iterdir())
            assert each.state == "failed" or str(each.attempt) in folders
        assert await connection.fetchval(TWICE) == 0
        slowest = await connection.fetchval(SLOWEST)
        told = "%d jobs: %d kills, %d thawed, begun again within %s s"
        log.info(told, len(jobs), crew.killed, crew.thawed, slowest)
        assert slowest is None or float(slowest) <= AGAIN_SECONDS


@pytest.mark.slow
def test_no_job_is_lost_and_none_is_published_twice(home: tuple[Instance, Sample]) -> None:
    instance, sample = home
    jobs = asyncio.run(ask(instance, sample, JOBS))
    crew = Crew(instance, 4, random.Random(1))

    async def prepare() -> None:
        async with connected(instance.url) as connection:
            await connection.execute(HISTORY)

    asyncio.run(prepare())
    try:
        asyncio.run(harmed(instance, jobs, crew, 3.0))
    finally:
        crew.end()
    assert crew.killed >= 3
    assert crew.thawed >= 1


def test_a_killed_worker_s_job_is_begun_again(home: tuple[Instance, Sample]) -> None:
    """One real kill in the middle of a job, and the next worker."""
    instance, sample = home
    (job,) = asyncio.run(ask(instance, sample, 1))

    async def run() -> None:
        async with connected(instance.url) as connection:
            store = JobStore(connection)
            crew = Crew(instance, 1, random.Random(0))
            try:
                crew.fill()
                while (await store.get(job)).state == "queued":
                    await asyncio.sleep(0.01)
                crew.running[0].kill()
                crew.running[0].wait()
                begun = time.monotonic()
                crew.fill()
                while not (found := await store.get(job)).finished:
                    assert time.monotonic() - begun < 4 * AGAIN_SECONDS
                    await asyncio.sleep(0.05)
            finally:
                crew.end()
            assert found.state == "succeeded"

    asyncio.run(run())
