"""Co-spend links: the kernel against its readable twin, what is left out, and big transactions."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.model import UNKNOWN
from clustering.bitcoin.coinjoin import CLASSES
from clustering.bitcoin.coinjoin.reference import Shape, Side
from clustering.bitcoin.coinjoin.reference import reference as classify_one
from clustering.bitcoin.cospend import links, reference
from clustering.links import LinkBatch, LinkStatus, Rule, canonical_order, concatenate
from tests.unit.shapes import FORMS, joinmarket, ledger_of, perturbed, real_shapes, small


def links_of(txs: list[Shape], first: int = 0, last: int | None = None) -> LinkBatch:
    """The links of transactions of which t has height 100 + t, every third one none."""
    heights = np.array([UNKNOWN if tx % 3 == 2 else 100 + tx for tx in range(len(txs))], np.int32)
    return links(ledger_of(txs), heights, first, len(txs) if last is None else last)


def rows(batch: LinkBatch) -> list[tuple[int, int, int, int]]:
    columns = (batch.tx, batch.u, batch.v, batch.height)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def spending(addresses: list[int], outputs: int = 1) -> Shape:
    """A payment of everything that these addresses have, -1 where one is not known."""
    paid = [Side(500 + place, 10_000 + place) for place in range(outputs - 1)]
    return Shape(
        [Side(each, 10_000) for each in addresses],
        [*paid, Side(400, 10_000 * len(addresses) - sum(s.value for s in paid))],
    )


@given(st.lists(st.one_of(perturbed(), small()), max_size=6), st.data())
def test_the_kernel_equals_its_readable_twin(txs: list[Shape], data: st.DataObject) -> None:
    expected = [
        (tx, u, v, UNKNOWN if tx % 3 == 2 else 100 + tx) for tx, shape in enumerate(txs) for u, v in reference(shape)
    ]
    batch = links_of(txs)
    assert rows(batch) == expected
    assert rows(canonical_order(batch)) == expected
    assert set(batch.rule.tolist()) <= {Rule.COSPEND}
    assert set(batch.status.tolist()) <= {LinkStatus.ACCEPTED}
    cut = data.draw(st.integers(0, len(txs)))
    parts = concatenate([links_of(txs, 0, cut), links_of(txs, cut)])
    assert rows(parts) == expected


def test_links_go_from_the_smallest_address_to_each_other_one() -> None:
    txs = [
        Shape([], [Side(0, 50)]),  # a coinbase
        spending([4]),
        spending([4, 4]),  # two coins of one address
        spending([7, 3, -1, 5, 3]),
        joinmarket(),
        spending([5, 3]),  # evidence once more
        spending([-1, 2]),  # one known address
    ]
    assert rows(links_of(txs)) == [(3, 3, 5, 103), (3, 3, 7, 103), (5, 3, 5, UNKNOWN)]


@pytest.mark.parametrize("form", FORMS)
def test_only_what_one_party_makes_is_linked(form: Shape) -> None:
    linked = len(rows(links_of([form]))) > 0
    assert linked == (CLASSES[classify_one(form)].joins and len(form.addresses) > 1)


def test_links_of_real_transactions(data: Path) -> None:
    txs, _, _ = real_shapes(data)
    batch = links_of(txs)
    assert [row[:3] for row in rows(batch)] == [(tx, u, v) for tx, shape in enumerate(txs) for u, v in reference(shape)]
    assert len(batch) > 1000


def test_columns_have_the_types_of_the_link_table() -> None:
    for txs in ([], [spending([1, 2])]):
        batch = links_of(txs)
        types = [column.dtype.name for column in (batch.u, batch.v, batch.rule, batch.tx, batch.height, batch.status)]
        assert types == ["int32", "int32", "uint8", "int64", "int32", "uint8"]


def test_a_transaction_with_a_hundred_thousand_inputs() -> None:
    """Quadratic work would take minutes."""
    random = np.random.default_rng(5)
    addresses = random.integers(0, 60_000, 100_000)
    txs = [spending([1, 2]), spending(addresses.tolist(), 3)]
    links_of(txs, 0, 1)
    begin = perf_counter()
    batch = links_of(txs, 1)
    assert perf_counter() - begin < 5
    distinct = np.unique(addresses)
    assert batch.v.tolist() == distinct[1:].tolist()
    assert set(batch.u.tolist()) == {int(distinct[0])}
