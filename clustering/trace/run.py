"""A run: seeds, a convention and bounds over movements; flows, ends and sums, and the equation that must hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chain.errors import HeadwaterError
from chain.model import I32, I64, U8, Array, Bool
from clustering.trace import lots as table
from clustering.trace.lots import Lots, claimants, grown, new_lots, traced
from clustering.trace.movements import Movements
from clustering.trace.policies import POLICIES, Policy
from clustering.trace.replay import Rules, lacking, open_holdings, replay, wanted
from clustering.trace.touched import Points, Touched, touched

CHUNK = 1 << 16
"""Movements between two looks at whether the run is cancelled."""

Progress = Callable[[str, int, int], None]
Cancelled = Callable[[], bool]


class Cancellation(HeadwaterError):
    """The run was cancelled."""

    problem_type = "cancelled"
    status = 409


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a run may take; where it is reached the answer is a part, and says so."""

    lots: int = 50_000_000
    flows: int = 20_000_000
    claims: int = 5_000_000


@dataclass(frozen=True, slots=True)
class Course:
    """How money is followed."""

    policy: Policy
    last: int
    """Only the first so many movements."""
    least: int = 0
    """Smaller lots are dust."""
    max_hops: int = 0
    """0 for no bound"""
    keep_flows: bool = True
    """Whether every step is written down; else only the last ones."""
    bounds: Bounds = Bounds()


@dataclass(frozen=True, slots=True)
class Flows:
    """F steps of traced money. A step of `End` 0 goes on."""

    debit: I64
    """Debit row, -1 for what lies somewhere"""
    credit: I64
    """Credit row, -1 where a movement stops all"""
    claim: I64
    hops: I64
    end: I64
    amount: Array


@dataclass(frozen=True, slots=True)
class Sown:
    """What seeds claimed; `row` is a credit, or ~ of a debit; `claim` is whose it was before (0: nobody's)."""

    seed: I64
    row: I64
    claim: I64
    amount: Array


@dataclass(frozen=True, slots=True)
class Traced:
    """What a run found."""

    flows: Flows
    live_holding: I64
    """Traced money that lies somewhere at the end: holding, claim, hops, amount."""
    live_claim: I64
    live_hops: I64
    live_amount: Array
    moved_on: Bool
    """Whether it was moved on after the run's last movement"""
    sown: Sown
    first_claimant: I64
    """[K + 1] where the seeds of each claim start in `claimant`"""
    claimant: I32
    touched_movements: int
    reached_holdings: int
    opening_lots: int
    """Reached holdings that must have held something before the data begins"""
    cut: str | None
    """The bound that cut the run, None where none did"""
    cut_movement: int
    """The first movement that was not replayed"""


def trace(
    movements: Movements,
    ends: U8,
    points: Points,
    seeds: int,
    course: Course,
    progress: Progress = lambda stage, done, total: None,
    cancelled: Cancelled = lambda: False,
) -> Traced:
    """Follow the money of `seeds` seeds at `points`; Cancellation where `cancelled` says so in between.

    `ends` [H]: what ends a trace at each holding (0: nothing); those of seeds do not count.
    """
    progress("reach", 0, 1)
    found = touched(movements, _without_seeds(ends, points), points, course.last)
    progress("reach", 1, 1)
    part = found.part
    state, at, cut = replayed(found, seeds, course, progress, cancelled)
    holding, node = traced(state)
    first, claimant = claimants(state)
    return Traced(
        flows=_flows(state),
        live_holding=found.holding[holding], live_claim=state.lot[node, table.CLAIM],
        live_hops=state.lot[node, table.HOPS], live_amount=state.amount[node], moved_on=np.zeros(len(node), np.bool_),
        sown=_sown(state),
        first_claimant=first, claimant=claimant,
        touched_movements=len(part.movement), reached_holdings=int(np.count_nonzero(part.end == 0)),
        opening_lots=_opening_lots(found),
        cut=cut, cut_movement=int(part.movement[at]) if at < len(part.movement) else course.last,
    )  # fmt: skip


def _flows(state: Lots) -> Flows:
    rows = state.flow[: int(state.counter[table.FLOWS])]
    return Flows(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], rows[:, 4], state.flow_amount[: len(rows)])


def _sown(state: Lots) -> Sown:
    rows = state.sown[: int(state.counter[table.SOWN])]
    return Sown(rows[:, 0], rows[:, 1], rows[:, 2], state.sown_amount[: len(rows)])


def _opening_lots(found: Touched) -> int:
    held = found.opening > 0 if found.opening.ndim == 1 else found.opening.any(axis=1)
    return int(np.count_nonzero(held & (found.part.end == 0)))


def _without_seeds(ends: U8, points: Points) -> U8:
    kept = ends.copy()
    kept[points.holding] = 0
    return kept


def replayed(
    found: Touched, seeds: int, course: Course, progress: Progress, cancelled: Cancelled, state: Lots | None = None,
    first: int = 0, last: int | None = None,
) -> tuple[Lots, int, str | None]:  # fmt: skip
    """Replay [first, last) of the touched movements from a state (None: from nothing): state, place, bound hit."""
    part, facts = found.part, POLICIES[course.policy]
    size = len(part.movement) if last is None else last
    rules = Rules(int(facts.leaves), int(facts.fills), course.max_hops, course.keep_flows)
    if state is None:
        proportional = facts.leaves == facts.leaves.IN_PROPORTION
        most = int(np.diff(part.first[:, 1]).max(initial=0))
        state = new_lots(part.end, part.first_point, seeds, part.credit_amount, most, proportional=proportional)
        state = grown(state, table.LOTS, len(part.end))
        open_holdings(found.opening, part.end, state)
    least, at = _amount(course.least, part.credit_amount), first
    while at < size:
        if cancelled():
            raise Cancellation()
        progress("replay", at, size)
        chunk = min(at + CHUNK, size)
        at = int(replay(part, state, rules, least, at, chunk))
        if int(state.counter[table.FAULT]):
            raise AssertionError(f"fault {int(state.counter[table.FAULT])} at movement {int(part.movement[at])}")
        if at < chunk:
            short = int(lacking(part, state, rules, at))
            more = dict(zip((table.LOTS, table.FLOWS, table.SOWN), wanted(part, state, rules, at), strict=True))
            more[table.CLAIMS] = more[table.SOWN]
            bound = _bound(course.bounds, state, short, more[short])
            if bound is not None:
                return state, at, bound
            state = grown(state, short, more[short])
    progress("replay", size, size)
    return state, at, None


def _amount(value: int, form: Array) -> tuple[np.generic, ...]:
    if form.ndim == 1:
        return (np.int64(value),)
    return tuple(np.uint64(value >> (64 * place) & (1 << 64) - 1) for place in range(4))


def _bound(bounds: Bounds, state: Lots, short: int, more: int) -> str | None:
    """The name of the bound that growing a table would exceed; sowings are bounded as flows are."""
    name, bound = {
        table.LOTS: ("lots", bounds.lots),
        table.FLOWS: ("flows", bounds.flows),
        table.SOWN: ("flows", bounds.flows),
        table.CLAIMS: ("claims", bounds.claims),
    }[short]
    return name if int(state.counter[short]) + more > bound else None
