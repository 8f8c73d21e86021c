"""Who paid a set of wallets, and whom they paid: the kernel against its readable twin, and what it means."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chain import uint256
from clustering.scheme.payments import UNATTRIBUTED, payments, reference
from clustering.trace.movements import Side
from tests.unit.trace_ledgers import movements_of

Rows = list[tuple[list[tuple[int, int]], list[tuple[int, int]]]]
FEE, ISSUED = int(Side.FEE), int(Side.ISSUED)


def told(rows: Rows, tx: list[int], own: set[int], holdings: int, *, big: bool = False, mixed: bool = False) -> object:
    movements = movements_of(rows, holdings, big=big)._replace(tx=np.array(tx, np.int64))
    mine = np.zeros(holdings, np.bool_)
    mine[list(own)] = True
    found = payments(
        movements, np.zeros(holdings, np.int64), np.arange(holdings), mine, np.full(len(rows), mixed, np.bool_),
        np.zeros(len(rows), np.bool_),
    )  # fmt: skip
    return list(
        zip(found.tx.tolist(), found.party.tolist(), found.paid_in.tolist(), uint256.to_ints(found.amount), strict=True)
    )


def test_payers_share_by_what_each_gave_less_change() -> None:
    rows: Rows = [([(0, 60), (1, 50)], [(9, 80), (1, 20), (FEE, 10)])]
    # 0 gave 60, 1 gave 50 - 20 = 30
    assert told(rows, [0], {9}, 10) == [(0, 0, True, 53), (0, 1, True, 27)]


def test_what_the_wallets_pay_alone_each_got_as_it_stands() -> None:
    rows: Rows = [([(9, 100)], [(0, 40), (1, 30), (9, 20), (FEE, 10)])]
    assert told(rows, [0], {9}, 10) == [(0, 0, False, 40), (0, 1, False, 30)]


def test_a_refund_in_the_same_transaction_is_netted() -> None:
    rows: Rows = [([(0, 50)], [(9, 50)]), ([(9, 8)], [(0, 8)])]
    assert told(rows, [4, 4], {9}, 10, big=True) == [(4, 0, True, 42)]


def test_between_the_wallets_nothing_is_paid() -> None:
    assert told([([(8, 50)], [(9, 45), (FEE, 5)])], [0], {8, 9}, 10) == []


def test_a_coinjoin_has_one_other_side() -> None:
    rows: Rows = [([(0, 50), (1, 50)], [(9, 50), (2, 50)])]
    assert {party for _, party, _, _ in told(rows, [0], {9}, 10, mixed=True)} == {UNATTRIBUTED}  # type: ignore[attr-defined]


def test_new_money_is_paid_by_nobody_that_can_be_named() -> None:
    assert told([([(ISSUED, 50)], [(9, 50)])], [0], {9}, 10) == [(0, ISSUED, True, 50)]


def test_of_accounts_who_pays_straight_is_who_paid() -> None:
    """1 pays the wallets; in the same transaction 2 pays 3 for something else."""
    assert told([([(1, 50)], [(9, 50)]), ([(2, 8)], [(3, 8)])], [0, 0], {9}, 10, big=True) == [(0, 1, True, 50)]


def test_who_only_passes_on_is_not_who_paid() -> None:
    """1 pays 2, which passes it on and keeps a little."""
    assert told([([(1, 50)], [(2, 50)]), ([(2, 48)], [(9, 48)])], [0, 0], {9}, 10, big=True) == [(0, 1, True, 48)]


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[Rows, list[int]]:
    rows: Rows = []
    tx: list[int] = []
    for _ in range(draw(st.integers(1, 8))):
        most = draw(st.sampled_from([1, 4]))
        values = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=1, max_size=most))
        whole = sum(value for _, value in values)
        cuts = sorted(draw(st.lists(st.integers(0, whole), max_size=most - 1)))
        parts = [high - low for low, high in zip([0, *cuts], [*cuts, whole], strict=True)]
        credits_ = [(draw(st.one_of(st.integers(0, 5), st.just(FEE))), part) for part in parts]
        rows.append((values, credits_))
        together = bool(tx) and draw(st.booleans())
        tx.append(tx[-1] if together else len(tx))
    return rows, tx


@settings(max_examples=150)
@given(ledgers(), st.sets(st.integers(0, 5), min_size=1, max_size=3), st.booleans())
def test_the_kernel_is_its_twin(ledger: tuple[Rows, list[int]], own: set[int], big: bool) -> None:
    rows, tx = ledger
    assert told(rows, tx, own, 6, big=big) == reference(rows, tx, own)
