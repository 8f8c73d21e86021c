"""Random movements of both chains, and seeds on them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from chain import uint256
from chain.model import U8, Array
from clustering.trace.ends import End
from clustering.trace.movements import Movements, Side
from clustering.trace.run import Traced
from clustering.trace.touched import Points

BIG = 2**200 + 12345
"""Base units of an account's amounts are multiples of this and a little more, so that every limb is used."""


def movements_of(
    rows: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]], holdings: int, *, big: bool = False
) -> Movements:
    """Movements of (debits, credits), each a list of (holding, amount)."""

    def form(values: list[int]) -> Array:
        return uint256.from_ints(values) if big else np.array(values, np.int64)

    debits, paid = [side for side, _ in rows], [side for _, side in rows]
    return Movements(
        np.cumsum([0, *map(len, debits)], dtype=np.int64), np.array([h for side in debits for h, _ in side], np.int64),
        form([v for side in debits for _, v in side]), np.cumsum([0, *map(len, paid)], dtype=np.int64),
        np.array([h for side in paid for h, _ in side], np.int64), form([v for side in paid for _, v in side]),
        np.arange(len(rows), dtype=np.int64), np.arange(len(rows), dtype=np.int64), np.zeros(len(rows), np.uint8),
        holdings,
    )  # fmt: skip


@st.composite
def chains(draw: st.DrawFn) -> tuple[Movements, U8]:
    """Transactions that spend outputs whole, as Bitcoin's do, and what ends a trace at each output."""
    values: list[int] = []
    unspent: list[int] = []
    rows: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]] = []
    for _ in range(draw(st.integers(1, 9))):
        spent = draw(st.lists(st.sampled_from(unspent), unique=True, max_size=3)) if unspent else []
        if draw(st.integers(0, 9)) == 0:  # an output of before the data begins
            values.append(draw(st.integers(0, 50)))
            spent.append(len(values) - 1)
        brought = sum(values[output] for output in spent) if spent else 50
        cuts = sorted(draw(st.lists(st.integers(0, brought), min_size=1, max_size=4)))
        made = [high - low for low, high in zip([0, *cuts], cuts, strict=False)]
        first = len(values)
        values += made
        unspent = [output for output in unspent if output not in spent] + list(range(first, len(values)))
        outputs = [(first + place, value) for place, value in enumerate(made)]
        if not spent:
            rows.append(([(int(Side.ISSUED), sum(made))], outputs))
        else:
            rows.append(([(each, values[each]) for each in spent], [*outputs, (int(Side.FEE), brought - cuts[-1])]))
    movements = movements_of(rows, len(values))
    for movement in range(len(rows)):
        if draw(st.integers(0, 9)) == 0:
            movements.stop[movement] = End.COINJOIN
    return movements, _ends(draw, len(values))


@st.composite
def accounts(draw: st.DrawFn, *, conversions: bool = True) -> tuple[Movements, U8]:
    """Transfers between few accounts, some of more than they were seen to receive, and some of them conversions."""
    holdings = draw(st.integers(2, 5))
    party = st.integers(0, holdings - 1)
    rows: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]] = []
    for _ in range(draw(st.integers(1, 14))):
        value = draw(st.integers(1, 20))
        amount = value * BIG + value
        source = draw(st.one_of(party, party, party, st.just(int(Side.ISSUED))))
        target = draw(st.one_of(party, party, party, st.sampled_from([int(Side.FEE), int(Side.BURNED)])))
        if source != target:
            rows.append(([(source, amount)], [(target, amount)]))
    movements = movements_of(rows, holdings, big=True)
    for movement, ((source, _), (target, _)) in enumerate((debit, credit) for (debit,), (credit,) in rows):
        if conversions and min(source, target) >= 0 and draw(st.integers(0, 4)) == 0:
            movements.stop[movement] = End.CONVERTED
            movements.credit_amount[movement] = uint256.from_ints([draw(st.integers(1, 5 * BIG))])[0]
    return movements, _ends(draw, holdings)


def _ends(draw: st.DrawFn, holdings: int) -> U8:
    kinds = st.sampled_from([0, 0, 0, 0, int(End.SERVICE), int(End.HUB)])
    return np.array(draw(st.lists(kinds, min_size=holdings, max_size=holdings)), np.uint8)


@st.composite
def seeds(draw: st.DrawFn, movements: Movements) -> Points:
    """Up to three seeds, each of what a holding receives or pays in some of the movements."""
    rows = []
    for seed in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, movements.size))
        end = draw(st.integers(start, movements.size))
        rows.append((seed, draw(st.integers(0, movements.holding_count - 1)), start, end, draw(st.booleans())))
    return points_of(rows)


def points_of(rows: list[tuple[int, int, int, int, bool]]) -> Points:
    table = np.array(rows, np.int64).reshape(-1, 5)
    seed, debit = table[:, 0].astype(np.int32), table[:, 4].astype(np.bool_)
    return Points(seed, table[:, 1], table[:, 2], table[:, 3], debit).ordered()


def claims_of(found: Traced) -> list[tuple[int, ...]]:
    """The seeds of each claim."""
    return [
        tuple(found.claimant[low:high].tolist())
        for low, high in zip(found.first_claimant[:-1], found.first_claimant[1:], strict=True)
    ]
