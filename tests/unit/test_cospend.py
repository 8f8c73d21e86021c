"""Co-spend links: the kernel against its readable twin, what is left out, and big transactions."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.model import UNKNOWN
from clustering.bitcoin.cospend import links, reference
from clustering.links import LinkBatch, LinkStatus, Rule, canonical_order, concatenate
from tests.unit.ledgers import Ledger, ledgers, real_ledger


def links_of(ledger: Ledger, first: int = 0, last: int | None = None) -> LinkBatch:
    """The links of a ledger whose transaction t has height 100 + t, every third one none."""
    heights = np.array([UNKNOWN if tx % 3 == 2 else 100 + tx for tx in range(len(ledger))], np.int32)
    return links(*ledger.columns(), heights, first, len(ledger) if last is None else last)


def rows(batch: LinkBatch) -> list[tuple[int, int, int, int]]:
    columns = (batch.tx, batch.u, batch.v, batch.height)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@settings(deadline=None)
@given(ledgers(), st.data())
def test_the_kernel_equals_its_readable_twin(ledger: Ledger, data: st.DataObject) -> None:
    expected = [
        (tx, u, v, UNKNOWN if tx % 3 == 2 else 100 + tx)
        for tx in range(len(ledger))
        for u, v in reference(ledger.input_addresses(tx), ledger.output_values(tx))
    ]
    batch = links_of(ledger)
    assert rows(batch) == expected
    assert rows(canonical_order(batch)) == expected
    assert set(batch.rule.tolist()) <= {Rule.COSPEND}
    assert set(batch.status.tolist()) <= {LinkStatus.ACCEPTED}
    cut = data.draw(st.integers(0, len(ledger)))
    parts = concatenate([links_of(ledger, 0, cut), links_of(ledger, cut)])
    assert rows(parts) == expected


def test_links_go_from_the_smallest_address_to_each_other_one() -> None:
    ledger = Ledger.of(
        [
            ([], [(0, 50)]),  # a coinbase
            ([4], [(5, 1)]),  # one input
            ([4, 4], [(5, 1)]),  # two coins of one address
            ([7, 3, -1, 5, 3], [(1, 2)]),
            ([1, 2, 3], [(6, 50), (7, 50), (8, 50), (1, 7), (2, 8), (3, 9)]),  # a coinjoin
            ([5, 3], [(1, 2)]),  # evidence once more
            ([-1, 2], [(1, 2)]),  # one known address
        ]
    )
    assert rows(links_of(ledger)) == [(3, 3, 5, 103), (3, 3, 7, 103), (5, 3, 5, UNKNOWN)]


def test_links_of_real_transactions(data: Path) -> None:
    ledger, _ = real_ledger(data)
    batch = links_of(ledger)
    assert [row[:3] for row in rows(batch)] == [
        (tx, u, v)
        for tx in range(len(ledger))
        for u, v in reference(ledger.input_addresses(tx), ledger.output_values(tx))
    ]
    assert len(batch) > 1000


def test_columns_have_the_types_of_the_link_table() -> None:
    for ledger in (Ledger(), Ledger.of([([1, 2], [(3, 4)])])):
        batch = links_of(ledger)
        types = [column.dtype.name for column in (batch.u, batch.v, batch.rule, batch.tx, batch.height, batch.status)]
        assert types == ["int32", "int32", "uint8", "int64", "int32", "uint8"]


def test_a_transaction_with_a_hundred_thousand_inputs() -> None:
    """Quadratic work would take minutes."""
    random = np.random.default_rng(5)
    addresses = random.integers(0, 60_000, 100_000)
    ledger = Ledger.of([([1, 2], [(3, 4)]), (addresses.tolist(), [(1, 2), (3, 4), (5, 6)])])
    links_of(ledger, 0, 1)
    begin = perf_counter()
    batch = links_of(ledger, 1)
    assert perf_counter() - begin < 5
    distinct = np.unique(addresses)
    assert batch.v.tolist() == distinct[1:].tolist()
    assert set(batch.u.tolist()) == {int(distinct[0])}
