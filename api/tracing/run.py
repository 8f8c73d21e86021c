"""A trace: seeds found in their datasets, followed under a convention and beside it under the others.

`run_trace` is a plain function over opened datasets, so that a command and a job call the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from api.tracing.ground import Board, Ground, Place, Unusable, boards
from api.tracing.request import Direction, TraceRequest
from api.tracing.seeds import RejectedSeed, Seed
from api.tracing.sowing import Sowing, sow
from api.tracing.upper import Upper, upper_reach
from chain.model import I64
from clustering.trace import sums
from clustering.trace.policies import LEGAL, POLICIES, Policy
from clustering.trace.run import Course, Traced, trace
from clustering.trace.sums import Balance

Progress = Callable[[str, int, int], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Run:
    """One convention in one dataset."""

    policy: Policy
    board: Board
    found: Traced
    sowing: Sowing
    seeds: list[Balance]
    union: list[Balance]


@dataclass(frozen=True, slots=True)
class DatasetTrace:
    """What a dataset says of the seeds that it knows: the convention that was asked for, then the others."""

    ground: Ground
    runs: list[Run]
    upper: Upper | None
    """None where only one convention was asked for"""

    @property
    def main(self) -> Run:
        return self.runs[0]


@dataclass(frozen=True, slots=True)
class TraceResult:
    request: TraceRequest
    seeds: list[Seed]
    rejected: list[RejectedSeed]
    datasets: list[DatasetTrace]


def run_trace(
    request: TraceRequest,
    seeds: Sequence[Seed],
    rejected: Sequence[RejectedSeed],
    grounds: Sequence[Ground],
    progress: Progress = lambda stage, done, total: None,
    cancelled: Cancelled = lambda: False,
) -> TraceResult:
    """Trace `seeds` in every one of `grounds`; a seed that none of them can use is added to what was rejected.

    `progress(stage, done, total)` is called as it goes on; Cancellation where `cancelled()` says so in between.
    """
    used: set[int] = set()
    reasons: dict[int, list[str]] = {number: [] for number in range(len(seeds))}
    traces = []
    for ground in sorted(grounds, key=lambda each: (each.chain, each.dataset)):
        places = _places(ground, seeds, reasons)

        def stage(name: str, done: int, total: int, ground: Ground = ground) -> None:
            progress(f"{ground.dataset}: {name}", done, total)

        found = _traced(request, ground, places, stage, cancelled)
        if found is not None:
            traces.append(found)
            used |= set(found.main.sowing.modes)
        for place in places:
            if place.seed not in used:
                reasons[place.seed].append(f"{ground.dataset}: {_NOTHING[request.direction]}")
    lost = [
        RejectedSeed(0, seeds[number].name, "; ".join(why) or "no dataset of its chain is loaded")
        for number, why in reasons.items()
        if number not in used
    ]
    return TraceResult(request, list(seeds), [*rejected, *lost], traces)


_NOTHING = {
    Direction.FORWARD: "it moved nothing in its time",
    Direction.BACKWARD: "nothing is known that it received in its time",
}


def _places(ground: Ground, seeds: Sequence[Seed], reasons: dict[int, list[str]]) -> list[Place]:
    """The seeds that a dataset knows; why it does not know the others goes to `reasons`."""
    places = []
    for number, seed in enumerate(seeds):
        if seed.chain != ground.chain:
            continue
        try:
            places += ground.places(number, seed)
        except Unusable as reason:
            reasons[number].append(f"{ground.dataset}: {reason}")
    return places


def _traced(
    request: TraceRequest, ground: Ground, places: Sequence[Place], progress: Progress, cancelled: Cancelled
) -> DatasetTrace | None:
    """The run that was asked for and, for the range, the others that answer the same question; None without seeds."""
    policies = [request.policy]
    if request.compare:
        policies += [policy for policy in comparable(request.direction) if policy != request.policy]
    runs = []
    for policy in policies:
        board, forward = boards(ground, policy, request.direction)
        sowing = sow(forward, ground.base, places, request.direction)
        if not sowing.modes:
            return None
        last = _last(request, board)
        course = Course(policy, last, request.min_value, request.max_hops, bounds=request.bounds)
        named = _named(policy, progress)
        found = trace(board.movements, board.ends, sowing.points, _seed_count(places), course, named, cancelled)
        found = _moved_on(board, found, last)
        balances = sums.balances(board.movements, board.asset, found)
        runs.append(Run(policy, board, found, sowing, balances, sums.union(board.movements, board.asset, found)))
    return DatasetTrace(ground, runs, _upper(request, runs[0], places, cancelled) if request.compare else None)


def _upper(request: TraceRequest, main: Run, places: Sequence[Place], cancelled: Cancelled) -> Upper:
    last = _last(request, main.board)
    return upper_reach(main.board, main.sowing.points, _seed_count(places), last, cancelled)


def _last(request: TraceRequest, board: Board) -> int:
    """How many movements are followed."""
    if request.until is None:
        return board.movements.size
    return board.movements.until(request.until if request.direction == Direction.FORWARD else -request.until)


def comparable(direction: Direction) -> list[Policy]:
    """Conventions and measures that keep sums and answer in a direction; the legal ones first."""
    order = [*LEGAL, *(policy for policy in Policy if policy not in LEGAL and policy != Policy.POISON)]
    return [policy for policy in order if direction == Direction.FORWARD or POLICIES[policy].backward]


def _named(policy: Policy, progress: Progress) -> Progress:
    return lambda stage, done, total: progress(f"{policy.value}, {stage}", done, total)


def _seed_count(places: Sequence[Place]) -> int:
    return max(place.seed for place in places) + 1


def _moved_on(board: Board, found: Traced, last: int) -> Traced:
    """What lies somewhere at a date and was moved on later ends by the date."""
    movements = board.movements
    if last == movements.size or found.cut is not None:
        return found
    later: I64 = np.unique(movements.debit_holding[movements.first_debit[last] :])
    return replace(found, moved_on=np.isin(found.live_holding, later))
