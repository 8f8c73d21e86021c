"""The replay against its readable twin, for each convention and both chains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.trace import poison, reference, sums
from clustering.trace.ends import End
from clustering.trace.evidence import evidence
from clustering.trace.evidence import reference as best_evidence
from clustering.trace.movements import Movements, backward
from clustering.trace.paths import reference as reference_path
from clustering.trace.paths import strongest
from clustering.trace.policies import POLICIES, Policy
from clustering.trace.reference import Reference, amounts
from clustering.trace.run import Course, Traced, replayed, trace
from clustering.trace.touched import Points, touched
from tests.unit.trace_ledgers import accounts, chains, claims_of, movements_of, points_of, seeds

EXAMPLES = 40

CONVENTIONS = [policy for policy in Policy if policy != Policy.POISON]


def flows_of(found: Traced) -> list[reference.Flow]:
    claims, flows = claims_of(found), found.flows
    columns = (flows.debit, flows.credit, flows.claim, flows.hops, flows.end)
    rows = zip(*(column.tolist() for column in columns), amounts(flows.amount), strict=True)
    return [(debit, credit, claims[claim], hops, end, amount) for debit, credit, claim, hops, end, amount in rows]


def live_of(found: Traced) -> list[tuple[int, tuple[int, ...], int, int]]:
    claims = claims_of(found)
    columns = (found.live_holding.tolist(), found.live_claim.tolist(), found.live_hops.tolist())
    rows = zip(*columns, amounts(found.live_amount), strict=True)
    return [(holding, claims[claim], hops, amount) for holding, claim, hops, amount in rows]


def seed_count(points: Points) -> int:
    return int(points.seed.max()) + 1


@pytest.mark.parametrize("policy", CONVENTIONS)
@pytest.mark.parametrize("ledger", [chains, accounts])
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_the_kernel_does_what_its_twin_does(data: st.DataObject, policy: Policy, ledger: object) -> None:
    movements, ends = data.draw(chains() if ledger is chains else accounts())
    points = data.draw(seeds(movements))
    last = data.draw(st.integers(0, movements.size))
    course = Course(policy, last, least=data.draw(st.sampled_from([0, 0, 3])), max_hops=data.draw(st.integers(0, 4)))
    found = trace(movements, ends, points, seed_count(points), course)
    twin = Reference(movements, ends, points, course).run()
    assert flows_of(found) == twin.flows
    assert live_of(found) == twin.live()
    claims = claims_of(found)
    sown = zip(
        found.sown.seed.tolist(), found.sown.row.tolist(), found.sown.claim.tolist(), amounts(found.sown.amount),
        strict=True,
    )  # fmt: skip
    assert [(seed, row, claims[claim], amount) for seed, row, claim, amount in sown] == twin.sown


@pytest.mark.parametrize("policy", CONVENTIONS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_nothing_is_lost_or_made(data: st.DataObject, policy: Policy) -> None:
    movements, ends = data.draw(st.one_of(chains(), accounts()))
    points = data.draw(seeds(movements))
    count = seed_count(points)
    found = trace(movements, ends, points, count, Course(policy, movements.size, least=data.draw(st.integers(0, 5))))
    asset = np.zeros(movements.holding_count, np.int64)
    for balance in [*sums.balances(movements, asset, found), *sums.union(movements, asset, found)]:
        assert balance.seeded + balance.received == sum(balance.ends.values())


@pytest.mark.parametrize("policy", CONVENTIONS)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_a_run_may_be_split_anywhere(data: st.DataObject, policy: Policy) -> None:
    movements, ends = data.draw(st.one_of(chains(), accounts()))
    points = data.draw(seeds(movements))
    course, count = Course(policy, movements.size), seed_count(points)
    ends = ends.copy()
    ends[points.holding] = 0
    part = touched(movements, ends, points, movements.size)
    size = len(part.part.movement)
    middle = data.draw(st.integers(0, size))
    quiet, never = (lambda stage, done, total: None), (lambda: False)
    whole, at, _ = replayed(part, count, course, quiet, never)
    state, there, _ = replayed(part, count, course, quiet, never, last=middle)
    joined, end, _ = replayed(part, count, course, quiet, never, state, middle)
    assert (at, there, end) == (size, middle, size)
    for one, other in zip(whole, joined, strict=True):
        assert np.array_equal(one[: len(other)], other[: len(one)])


@pytest.mark.parametrize("policy", [Policy.FIFO, Policy.LIFO])
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_many_seeds_at_once_are_each_one_alone(data: st.DataObject, policy: Policy) -> None:
    movements, ends = data.draw(st.one_of(chains(), accounts()))
    points = data.draw(seeds(movements))
    ends = ends.copy()
    ends[points.holding] = 0
    course = Course(policy, movements.size)
    together = trace(movements, ends, points, seed_count(points), course)
    for seed in range(seed_count(points)):
        mine = points.taken(points.seed == seed)
        alone = trace(movements, ends, mine._replace(seed=np.zeros(len(mine.seed), np.int32)), 1, course)
        assert _carried(together, seed) == _carried(alone, 0)


def _carried(found: Traced, seed: int) -> dict[tuple[int, int, int], int]:
    """What of a seed's money went by each debit to each credit, and what lies where."""
    carried: dict[tuple[int, int, int], int] = {}
    rows = [(debit, credit, end, claim, amount) for debit, credit, claim, _, end, amount in flows_of(found)]
    rows += [(-1, holding, 1, claim, amount) for holding, claim, _, amount in live_of(found)]
    for debit, credit, end, claim, amount in rows:
        if seed in claim:
            carried[debit, credit, end] = carried.get((debit, credit, end), 0) + amount
    return carried


@pytest.mark.parametrize("policy", [Policy.FIFO, Policy.LIFO])
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_back_in_time_is_the_same_money(data: st.DataObject, policy: Policy) -> None:
    """What one movement's credit sends to another one's debit is what the latter has from the former."""
    movements, _ = data.draw(st.one_of(chains(), accounts(conversions=False)))
    movements = movements._replace(stop=np.zeros(movements.size, np.uint8))
    ends = np.zeros(movements.holding_count, np.uint8)
    inner = policy == Policy.FIFO
    turned = backward(movements, inner=inner)
    forward: dict[tuple[int, int], dict[tuple[int, int, int], int]] = {}
    back: dict[tuple[int, int], dict[tuple[int, int, int], int]] = {}
    for side, run in ((forward, movements), (back, turned)):
        for movement in range(run.size):
            for credit in range(run.first_credit[movement], run.first_credit[movement + 1]):
                holding = int(run.credit_holding[credit])
                if holding < 0:
                    continue
                points = points_of([(0, holding, movement, movement + 1, False)])
                side[movement, credit] = _carried(trace(run, ends, points, 1, Course(policy, run.size)), 0)
    # a movement's credit is the turned one's debit; compare how much money went from each row to each
    assert _pairs(movements, forward, movements, inner, turned_round=False) == _pairs(
        turned, back, movements, inner, turned_round=True
    )


def _pairs(
    run: Movements, carried: dict[tuple[int, int], dict[tuple[int, int, int], int]], movements: Movements, inner: bool,
    *, turned_round: bool,
) -> dict[tuple[int, int], int]:  # fmt: skip
    """Money from each movement that paid a holding to each movement that spent it, by forward numbers."""
    pairs: dict[tuple[int, int], int] = {}
    for (movement, _), flows in carried.items():
        for (debit, _, _), amount in flows.items():
            if debit < 0:
                continue
            other = int(np.searchsorted(run.first_debit, debit, side="right")) - 1
            one, two = (
                (movements.size - 1 - other, movements.size - 1 - movement) if turned_round else (movement, other)
            )
            pairs[one, two] = pairs.get((one, two), 0) + amount
    return pairs


def test_every_convention_that_goes_back_is_legal() -> None:
    assert {policy for policy, facts in POLICIES.items() if facts.backward} == {
        Policy.FIFO, Policy.LIFO, Policy.PRO_RATA
    }  # fmt: skip


def test_a_bound_cuts_the_run_and_says_so() -> None:
    rows = [([(-4, 100)], [(0, 100)])]
    rows += [([(0, 1)], [(1, 1)]), ([(1, 1)], [(0, 1)])] * 1000
    movements = movements_of(rows, 2)
    points = points_of([(0, 0, 0, 1, False)])
    course = Course(Policy.FIFO, movements.size)
    course = replace(course, bounds=replace(course.bounds, flows=1500))
    found = trace(movements, np.zeros(2, np.uint8), points, 1, course)
    assert found.cut == "flows"
    assert 1000 < found.cut_movement < movements.size
    (balance,) = sums.balances(movements, np.zeros(2, np.int64), found)
    assert balance.seeded == sum(balance.ends.values()) == 100


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_poison_reaches_what_its_twin_reaches(data: st.DataObject) -> None:
    movements, ends = data.draw(st.one_of(chains(), accounts()))
    points = data.draw(seeds(movements))
    count = seed_count(points)
    ends = ends.copy()
    ends[points.holding] = 0
    found = touched(movements, ends, points, movements.size)
    reached = poison.poison(found, count)
    sets, carried, stopped = poison.reference(found, points)
    assert reached.holdings.tolist() == [sum(seed in each for each in sets) for seed in range(count)]
    assert np.flatnonzero(reached.union).tolist() == [place for place, each in enumerate(sets) if each]
    assert set(np.flatnonzero(reached.carried).tolist()) == carried
    assert set(np.flatnonzero(reached.stopped).tolist()) == stopped


def test_poison_keeps_more_seeds_apart_than_a_pass_has_bits() -> None:
    """A chain of accounts where seed k is at account k: it reaches all that come after."""
    count = poison.BITS * poison.WORDS + 70
    rows = [([(-4, 10)], [(0, 10)]), *[([(place, 10)], [(place + 1, 10)]) for place in range(count)]]
    movements = movements_of(rows, count + 1)
    points = points_of([(seed, seed, 0, count + 1, False) for seed in range(count)])
    found = touched(movements, np.zeros(count + 1, np.uint8), points, movements.size)
    assert poison.poison(found, count).holdings.tolist() == [count + 1 - seed for seed in range(count)]


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_the_evidence_of_every_end_is_the_twins(data: st.DataObject) -> None:
    movements, ends = data.draw(st.one_of(chains(), accounts()))
    points = data.draw(seeds(movements))
    found = trace(movements, ends, points, seed_count(points), Course(Policy.FIFO, movements.size))
    told, claims = evidence(movements, found), claims_of(found)
    steps = []
    begins = {
        (seed, int(movements.credit_holding[row] if row >= 0 else movements.debit_holding[~row]))
        for seed, row in zip(found.sown.seed.tolist(), found.sown.row.tolist(), strict=True)
    }
    for debit, credit, claim, end, amount in zip(
        *(getattr(found.flows, name).tolist() for name in ("debit", "credit", "claim", "end")),
        amounts(found.flows.amount), strict=True,
    ):  # fmt: skip
        target = int(movements.credit_holding[credit]) if credit >= 0 else -1
        goes_on = target >= 0 and end in (End.NONE, End.RECEIVED)
        source = int(movements.debit_holding[debit])
        steps += [(seed, source, target, goes_on, (seed, source) in begins, amount) for seed in claims[claim]]
    strength = amounts(told.strength)
    assert {key: strength[step] for key, step in told.arrival.items()} == best_evidence(steps)
    for step in range(len(strength)):
        assert strength[step] <= min(amounts(found.flows.amount)[int(told.flow[each])] for each in told.path(step))


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_the_strongest_path_is_the_twins(data: st.DataObject) -> None:
    movements, ends = data.draw(st.one_of(chains(), accounts()))
    start, goal = (data.draw(st.integers(0, movements.holding_count - 1)) for _ in range(2))
    ends = ends.copy()
    ends[[start, goal]] = 0
    points = points_of([(0, start, 0, movements.size, False), (0, start, 0, movements.size, True)])
    found = touched(movements, ends, points, movements.size)
    here, there = found.holding == start, (found.holding == goal) & (found.holding != start)
    values = amounts(found.part.credit_amount)
    paths = strongest(found.part, here, there, 4)
    best = max((path.strength for path in paths), default=0)
    assert best == reference_path(found.part, here, there, values)
    assert [path.strength for path in paths] == sorted((path.strength for path in paths), reverse=True)
    assert len({tuple(path.credits) for path in paths}) == len(paths)
    for path in paths:
        assert path.strength == min(values[row] for row in path.credits)
