"""Tracing over random accounts: reach beside a bare gather, many seeds beside one reach, lots a second; and two others.

    python -m bench.trace [--movements 100000000] [--json]

32 million accounts whose activity falls as the root of their number; the 3,000 most active are hubs that end a trace;
10,000 seeds, each of one payment in the last part of time. One core. All ratios are of one run. networkx and a
recursive query of Postgres answer reach on the same small graph.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import networkx as nx
import numpy as np
from numba import njit

from bench.measure import Measure, report, seconds_of
from chain import uint256
from chain.model import I64, U8
from chain.store.embedded import EmbeddedPostgres
from chain.store.postgres import connected
from clustering.trace import lots
from clustering.trace.ends import End
from clustering.trace.movements import Movements
from clustering.trace.poison import poison
from clustering.trace.policies import Policy
from clustering.trace.run import Course, replayed, trace
from clustering.trace.selection import Words, is_lit, new_bits
from clustering.trace.touched import Points, reach, touched

MOVEMENTS = 100_000_000
ACCOUNTS_PER_MOVEMENT = 0.32
HUBS = 3_000
SEEDS = 10_000
SEED = 18_160_611
SMALL = 50_000
LATE = 0.25
"""Seeds begin after this part of the movements."""
RUNS = 3

REACH_SHARE, SEEDS_RATIO, LOTS_64, LOTS_256 = 70.0, 10.0, 4e6, 1.5e6
"""Targets: percent of a gather, times a reach pass, touched movements a second."""


def random_accounts(count: int) -> tuple[Movements, U8, Points]:
    """Payments between accounts in order of time, what ends a trace at each, and seeds of one payment each."""
    random = np.random.default_rng(SEED)
    accounts = max(HUBS + 1, int(count * ACCOUNTS_PER_MOVEMENT))
    source, target = ((accounts * random.random(count) ** 2).astype(np.int64) for _ in range(2))
    amount = random.integers(1, 10**9, count, dtype=np.int64)
    rows = np.arange(count + 1, dtype=np.int64)
    ends = np.zeros(accounts, np.uint8)
    ends[:HUBS] = End.HUB
    movements = Movements(
        rows, source, amount, rows, target, amount, rows[:-1], rows[:-1], np.zeros(count, np.uint8), accounts
    )  # fmt: skip
    first = int(count * LATE)
    late = np.flatnonzero(target[first:] >= HUBS) + first
    chosen = np.sort(random.choice(late, min(SEEDS, len(late)), replace=False))
    seed = np.arange(len(chosen), dtype=np.int32)
    return movements, ends, Points(seed, target[chosen], chosen, chosen + 1, np.zeros(len(chosen), np.bool_)).ordered()


@njit(cache=True, nogil=True)
def gather(first_debit: I64, debit: I64, first_credit: I64, credit: I64, bits: Words) -> int:
    """Read the same columns in the same order, and the bit of each holding: the least that a reach pass must do."""
    found = 0
    for m in range(len(first_debit) - 1):
        for d in range(first_debit[m], first_debit[m + 1]):
            found += is_lit(bits, debit[d])
        for c in range(first_credit[m], first_credit[m + 1]):
            found += is_lit(bits, credit[c])
    return found


def reach_measures(movements: Movements, ends: U8, points: Points) -> tuple[list[Measure], float]:
    order = np.argsort(points.start, kind="stable")
    columns = (movements.first_debit, movements.debit_holding, movements.first_credit, movements.credit_holding)
    start, holding = points.start[order], points.holding[order]
    bits = new_bits(movements.holding_count)

    def passing() -> None:
        bits[:] = 0
        reach(*columns, movements.stop, ends, holding, start, movements.size, bits)

    def gathering() -> None:
        gather(*columns, bits)

    passing()
    gathering()
    times = [(seconds_of(passing), seconds_of(gathering)) for _ in range(RUNS)]
    ours, bare = min(each[0] for each in times), min(each[1] for each in times)
    rate = movements.size / 1e6
    return [
        Measure("bare gather over the same columns", rate / bare, "M movements/s"),
        Measure("reach pass", rate / ours, "M movements/s"),
        Measure("reach pass, of the gather", 100 * bare / ours, "%", REACH_SHARE),
    ], ours


def seeds_measures(movements: Movements, ends: U8, points: Points, plain: float) -> list[Measure]:
    """Everything for all seeds at once: what they touch, each one's own reach, and FIFO with the seeds on the lots."""
    count = len(points.seed)
    found = touched(movements, ends, points, movements.size)
    poison(found, count)
    course = Course(Policy.FIFO, movements.size, keep_flows=False)
    replayed(found, count, course, _quiet, _never)  # compiles, or loads what is compiled
    touching = seconds_of(lambda: touched(movements, ends, points, movements.size))
    apart = seconds_of(lambda: poison(found, count))
    replaying = seconds_of(lambda: replayed(found, count, course, _quiet, _never))
    whole = touching + apart + replaying
    state, _, _ = replayed(found, count, course, _quiet, _never)
    size = len(found.part.movement)
    return [
        Measure("movements that the seeds touch", 100 * size / movements.size, "%"),
        Measure("holdings that they reach", float(np.count_nonzero(found.part.end == 0)), "holdings"),
        Measure("reach and selection of what is touched", touching / plain, "reach passes"),
        Measure(f"reach of each of {count:,} seeds, bit-parallel", apart / plain, "reach passes"),
        Measure("FIFO replay with the seeds on the lots", replaying / plain, "reach passes"),
        Measure("all three", whole / plain, "reach passes", SEEDS_RATIO, at_most=True),
        Measure("most lots at once", float(state.counter[lots.LOTS]), "lots"),
    ]


def lots_measures(movements: Movements, ends: U8, points: Points) -> list[Measure]:
    """Touched movements a second with the seeds on the lots, with amounts of 64 bits and of 256."""
    wide = np.zeros((movements.size, uint256.LIMBS), np.uint64)
    wide[:, 0] = movements.debit_amount
    rates = []
    for amount in (movements.debit_amount, wide):
        run = movements._replace(debit_amount=amount, credit_amount=amount)
        rates.append(_lots_rate(run, ends, points))
    return [
        Measure("FIFO, 64-bit amounts", rates[0], "movements/s", LOTS_64),
        Measure("FIFO, 256-bit amounts", rates[1], "movements/s", LOTS_256),
    ]


def _lots_rate(movements: Movements, ends: U8, points: Points) -> float:
    found = touched(movements, ends, points, movements.size)
    course = Course(Policy.FIFO, movements.size, keep_flows=False)

    def replaying() -> None:
        replayed(found, len(points.seed), course, _quiet, _never)

    replaying()
    return len(found.part.movement) / min(seconds_of(replaying) for _ in range(RUNS))


def _quiet(stage: str, done: int, total: int) -> None: ...


def _never() -> bool:
    return False


def others(small: int) -> list[Measure]:
    """Reach of one seed on a small graph, by networkx (without time) and by a recursive query (in order of time)."""
    movements, ends, points = random_accounts(small)
    one = points.taken(np.arange(1))
    trace(movements, ends, one, 1, Course(Policy.FIFO, movements.size))
    ours = seconds_of(lambda: trace(movements, ends, one, 1, Course(Policy.FIFO, movements.size)))
    graph = nx.DiGraph()
    graph.add_edges_from(zip(movements.debit_holding.tolist(), movements.credit_holding.tolist(), strict=True))
    start = int(one.holding[0])
    other = seconds_of(lambda: nx.descendants(graph, start))
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder))
        try:
            query = asyncio.run(_recursive(server.start(), movements, start, int(one.start[0])))
        finally:
            server.stop()
    return [
        Measure(f"whole trace of one seed, {small:,} movements", ours * 1e3, "ms"),
        Measure("networkx descendants, edges without time", other * 1e3, "ms"),
        Measure("recursive query of Postgres, in order of time", query * 1e3, "ms"),
    ]


_QUERY = """
with recursive reached(account, at) as (
    select $1::bigint, $2::bigint
    union
    select m.target, m.id from reached r join movement m on m.source = r.account and m.id > r.at where m.target >= $3)
select count(distinct account) from reached
"""


async def _recursive(url: str, movements: Movements, start: int, at: int) -> float:
    async with connected(url) as connection:
        await connection.execute("create temp table movement (id bigint, source bigint, target bigint)")
        sides = movements.debit_holding.tolist(), movements.credit_holding.tolist()
        await connection.copy_records_to_table("movement", records=zip(range(movements.size), *sides, strict=True))
        await connection.execute("create index on movement (source, id)")
        await connection.execute("analyze movement")
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await connection.fetchval(_QUERY, start, at, HUBS)
        return loop.time() - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--movements", type=int, default=MOVEMENTS)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    movements, ends, points = random_accounts(arguments.movements)
    measures, plain = reach_measures(movements, ends, points)
    measures += seeds_measures(movements, ends, points, plain)
    part = random_accounts(min(arguments.movements, MOVEMENTS // 4))
    measures += lots_measures(*part)
    measures += others(SMALL)
    return report(measures, arguments.json)


if __name__ == "__main__":
    raise SystemExit(main())
