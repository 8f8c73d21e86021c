"""Purchases through contracts: the columns against a plain loop over random transactions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chain import uint256
from clustering.detect import legs
from clustering.detect.wallets import InnerPayments, inner_purchases
from tests.unit.ethereum_ledgers import ZERO, Ledger, forwards, gives

SALE, WALLET = 2, 600
Row = tuple[int, int, list[int], list[tuple[int, int]]]

_rows = st.tuples(
    st.sampled_from([SALE, WALLET]), st.sampled_from([SALE, WALLET, 601]), st.lists(st.integers(1, 2**250), max_size=4),
    st.lists(st.tuples(st.sampled_from([SALE, WALLET, 700, 701]), st.integers(1, 2**250)), max_size=4),
)  # fmt: skip


def _plainly(tx: int, row: Row) -> list[tuple[int, int, int, int, int]]:
    called, payer, payments, gifts = row
    outside = [gift for gift in gifts if gift[0] != SALE]
    if SALE in (called, payer) or not payments or not outside:
        return []
    if len(payments) == len(outside):
        return [(tx, payer, to, paid, got) for paid, (to, got) in zip(payments, outside, strict=True)]
    best = next((to for to, _ in outside if to == payer), max(outside, key=lambda gift: gift[1])[0])
    return [(tx, payer, best, sum(payments), sum(got for to, got in outside if to == best))]


@given(st.lists(_rows, min_size=1, max_size=12), st.integers(0, 12))
def test_inner_purchases_equal_a_plain_loop(rows: list[Row], taken: int) -> None:
    ledger = Ledger()
    for number, (called, payer, payments, gifts) in enumerate(rows):
        moves = [forwards(payer, SALE, paid) for paid in payments]
        ledger.add(number, 599, called, *moves, *(gives(ZERO, to, got) for to, got in gifts))
    ledger.add(99, 599, 7, forwards(7, 8, 1), gives(ZERO, 9, 1))
    built = ledger.build()
    found = inner_purchases(
        InnerPayments.of(built, np.array([SALE])), legs.token_legs(built), SALE, 1, np.array([ZERO, SALE]),
        np.array([taken]),
    )  # fmt: skip
    due = [each for tx, row in enumerate(rows) if tx != taken for each in _plainly(tx, row)]
    columns = (found.tx.tolist(), found.payer.tolist(), found.beneficiary.tolist())
    assert list(zip(*columns, uint256.to_ints(found.paid), uint256.to_ints(found.got), strict=True)) == due


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**250)), max_size=30))
def test_sums_of_groups(rows: list[tuple[int, int]]) -> None:
    group = np.array([place for place, _ in rows], np.int64)
    found = legs.sums(group, uint256.from_ints(value for _, value in rows), 6)
    assert uint256.to_ints(found) == [sum(value for at, value in rows if at == place) for place in range(6)]
