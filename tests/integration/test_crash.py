"""kill -9 of loader, backend and postmaster at every named point: what is there afterwards is what an undisturbed load
leaves, and a reader that was at work goes on reading what it had."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.instance import open_instance
from chain import faults
from chain.bitcoin.build import Payment, block, block_hash, coinbase
from chain.bitcoin.network import REGTEST, subsidy
from chain.columns import Columns
from chain.load import columns_folder
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.ledger import LedgerStore
from chain.store.postgres import connected
from clustering.simulate.sample import sample_chain
from tests.integration import crash_loader
from tests.integration.loaded import write_blocks
from tests.integration.state import columns_digest, rows_digest

FORK = 33
"""Height at which the longer chain leaves the sample."""

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Crash:
    """Where a load is killed: what it loads, the point, the how-manyth time, and who is killed."""

    scenario: str
    point: str
    nth: int
    target: str

    def __str__(self) -> str:
        return f"{self.scenario}-{self.point}-{self.nth}-{self.target}"


TARGETS = ("loader", "backend", "postmaster")
FAST = [
    Crash("fresh", "after_copy", 2, "loader"),
    Crash("fresh", "after_commit", 1, "loader"),
    Crash("fresh", "before_commit", 3, "backend"),
    Crash("reorganisation", "after_rollback", 1, "loader"),
    Crash("extract", "after_copy", 1, "loader"),
    Crash("fresh", "after_copy", 1, "postmaster"),
]
SLOW = (
    [
        Crash("fresh", point, nth, target)
        for point in ("after_stage", "after_leaves", "after_copy", "before_commit", "after_commit")
        for nth in (1, 4)
        for target in TARGETS
    ]
    + [Crash("fresh", point, 1, target) for point in ("before_publish", "after_publish") for target in TARGETS]
    + [
        Crash("reorganisation", point, 1, target)
        for point in ("during_rollback", "after_rollback", "after_copy", "after_commit", "before_publish")
        for target in TARGETS
    ]
    + [
        Crash("extract", point, 1, target)
        for point in ("during_rollback", "after_copy", "before_commit", "before_publish")
        for target in TARGETS
    ]
)


class Bench:
    """A server and the files of each scenario."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.server = EmbeddedPostgres(home)
        self.server.start()
        blocks = sample_chain().blocks
        fork = list(blocks[:FORK])
        while len(fork) < len(blocks) + 3:
            height = len(fork)
            first = coinbase(height, [Payment(subsidy(REGTEST, height), b"\x51")], b"fork")
            fork.append(block(block_hash(fork[-1]), 1_800_000_000 + height, [first]))
        self.whole = write_blocks(home / "whole.dat", blocks)
        self.half = write_blocks(home / "half.dat", blocks[10:25])
        self.fork = write_blocks(home / "fork.dat", fork)
        self._expected: dict[str, tuple[dict[str, str], dict[str, str]]] = {}

    def prepare(self, scenario: str, name: str) -> tuple[str, Path]:
        """The state before the load that is killed; its kind and its file."""
        if scenario == "reorganisation":
            self.load("chain", name, self.whole)
            return "chain", self.fork
        if scenario == "extract":
            self.load("extract", name, self.half)
            return "extract", self.whole
        return "chain", self.whole

    def load(self, kind: str, name: str, path: Path) -> None:
        asyncio.run(crash_loader.run(self.home, kind, name, path))

    def load_and_die(self, crash: Crash, kind: str, name: str, path: Path) -> int:
        environment = os.environ | {"HEADWATER_FAULT": f"{crash.point}:{crash.nth}:{crash.target}"}
        command = [
            sys.executable,
            "-m",
            "tests.integration.crash_loader",
            str(self.home),
            kind,
            name,
            str(path),
        ]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        expected = {-signal.SIGKILL} if crash.target == "loader" else {crash_loader.EXIT_STORE}
        if crash.target == "postmaster":  # its backend may still answer what is left to ask
            expected.add(0)
        assert done.returncode in expected, f"{crash}: {done.returncode}\n{done.stderr}"
        if crash.target == "postmaster":
            self.server.start()
        return done.returncode

    def state(self, name: str) -> tuple[dict[str, str], dict[str, str]]:
        async def rows() -> dict[str, str]:
            url = self.server.start()
            async with connected(url) as connection:
                return await rows_digest(connection, await LedgerStore(connection).dataset(name))

        return asyncio.run(rows()), columns_digest(self.home, name)

    def undisturbed(self, scenario: str) -> tuple[dict[str, str], dict[str, str]]:
        """What the scenario leaves when nobody is killed."""
        if scenario not in self._expected:
            name = f"undisturbed-{scenario}"
            kind, path = self.prepare(scenario, name)
            self.load(kind, name, path)
            self._expected[scenario] = self.state(name)
        return self._expected[scenario]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chain.bitcoin.files.BATCH_BLOCKS", crash_loader.BATCH_BLOCKS)
        patch.setattr("chain.load.PUBLISH_SECONDS", 0)
        home = tmp_path_factory.mktemp("crash")
        asyncio.run(open_instance(Settings(home=home, database_url=None)))
        made = Bench(home)
        yield made
        made.server.stop()


def _survives(bench: Bench, crash: Crash, again: Crash | None = None) -> None:
    name = f"crash-{time.monotonic_ns()}"
    kind, path = bench.prepare(crash.scenario, name)
    reader = Columns.open(columns_folder(bench.home, name)) if crash.scenario != "fresh" else None
    before = None if reader is None else reader.arrays["tx_txid"].tobytes()
    bench.load_and_die(crash, kind, name, path)
    if again is not None:
        bench.load_and_die(again, kind, name, path)
    bench.load(kind, name, path)
    assert bench.state(name) == bench.undisturbed(crash.scenario)
    if reader is not None:
        assert reader.arrays["tx_txid"].tobytes() == before
        assert reader.activity.facts(0) is not None


@pytest.mark.parametrize("crash", FAST, ids=str)
def test_a_killed_load_goes_on_to_the_same_state(bench: Bench, crash: Crash) -> None:
    _survives(bench, crash)


@pytest.mark.slow
@pytest.mark.parametrize("crash", SLOW, ids=str)
def test_every_point_and_every_victim(bench: Bench, crash: Crash) -> None:
    _survives(bench, crash)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("first", ["after_commit", "after_copy"])
def test_the_recovery_is_killed_too(bench: Bench, first: str, target: str) -> None:
    """The run that picks up after a crash is killed in its own turn."""
    _survives(bench, Crash("fresh", first, 3, target), Crash("fresh", "before_publish", 1, target))
    _survives(
        bench,
        Crash("reorganisation", first, 1, "loader"),
        Crash("reorganisation", "before_publish", 1, target),
    )


def test_the_slow_tier_kills_at_every_point_at_least_fifty_times() -> None:
    assert len(SLOW) >= 50
    assert {crash.point for crash in SLOW} == set(faults.POINTS)
