"""Members and summaries of clusters against their readable twins."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.errors import IntegrityError, NotFound
from chain.model import I32, UNKNOWN
from clustering.components import relabel
from clustering.members import Members, reference_summary, summaries
from tests.unit.ledgers import ADDRESSES, Ledger, ledgers

INT64_MAX = 2**63 - 1


@st.composite
def partitions(draw: st.DrawFn, address_count: int = ADDRESSES) -> I32:
    """Labels of a random partition."""
    address = st.integers(0, address_count - 1)
    pairs = np.array(draw(st.lists(st.tuples(address, address), max_size=10)), np.int32).reshape(-1, 2)
    return relabel(address_count, pairs[:, 0].copy(), pairs[:, 1].copy())


@settings(deadline=None)
@given(partitions(14))
def test_members_are_the_labels_inside_out(labels: I32) -> None:
    members = Members.of_labels(labels)
    stated = labels.tolist()
    assert members.keys.tolist() == sorted(set(stated))
    assert len(members) == len(set(stated))
    for label in set(stated):
        assert members.of(label).tolist() == [a for a, own in enumerate(stated) if own == label]
        assert members.size(label) == stated.count(label)
    ranked = sorted(set(stated), key=lambda label: (-stated.count(label), label))
    for count in range(len(ranked) + 2):
        assert members.biggest(count).tolist() == ranked[:count]


def test_no_cluster_by_that_label() -> None:
    members = Members.of_labels(np.array([0, 0, 2], np.int32))
    for label in (-1, 1, 3):
        with pytest.raises(NotFound, match=f"labelled {label}"):
            members.of(label)
    assert len(Members.of_labels(np.empty(0, np.int32))) == 0


@pytest.mark.parametrize("labels", [[0, 2, 2], [0, 0, 1], [0, -1, 2], [0, 1, 9]])
def test_labels_that_are_no_smallest_ids_are_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="labels no cluster"):
        Members.of_labels(np.array(labels, np.int32))


@settings(deadline=None)
@given(ledgers(), partitions())
def test_summaries_equal_their_readable_twin(ledger: Ledger, labels: I32) -> None:
    members = Members.of_labels(labels)
    table = summaries(labels, *ledger.columns())
    movements = [(ledger.debits(tx), ledger.credits(tx)) for tx in range(len(ledger))]
    assert table.label.tolist() == members.keys.tolist()
    for row, label in enumerate(members.keys.tolist()):
        stated = tuple(int(column[row]) for column in astuple(table)[1:])
        assert stated == reference_summary(members.of(label).tolist(), movements)


def test_a_summary_by_hand() -> None:
    ledger = Ledger()
    ledger.add([], [(0, 50), (3, 7)])
    ledger.add([0, UNKNOWN, ledger.outside(1, UNKNOWN)], [(1, 20), (2, 30), (0, UNKNOWN), (-1, 5)])
    ledger.add([1], [(3, 7)])
    table = summaries(np.array([0, 0, 2, 3, 4], np.int32), *ledger.columns())
    assert table.label.tolist() == [0, 2, 3, 4]
    assert table.address_count.tolist() == [2, 1, 1, 1]
    assert table.received.tolist() == [70, 30, 14, 0]
    assert table.spent.tolist() == [50, 0, 7, 0]
    assert table.unknown_values.tolist() == [2, 0, 0, 0]
    assert table.first_tx.tolist() == [0, 1, 0, UNKNOWN]
    assert table.last_tx.tolist() == [1, 1, 2, UNKNOWN]
    assert table.tx_count.tolist() == [2, 1, 2, 0]


def test_a_sum_that_leaves_int64_is_refused_and_the_largest_that_fits_is_not() -> None:
    labels = np.array([0, 0], np.int32)
    fits = Ledger.of([([], [(0, INT64_MAX - 1), (1, 1)])])
    assert summaries(labels, *fits.columns()).received.tolist() == [INT64_MAX]
    overflows = Ledger.of([([], [(0, 1)]), ([], [(0, INT64_MAX)])])
    with pytest.raises(IntegrityError, match="cluster-sum: transaction id 1"):
        summaries(labels, *overflows.columns())


def test_an_address_without_a_label_is_refused() -> None:
    ledger = Ledger.of([([], [(2, 1)])])
    with pytest.raises(ValueError, match="address 2 has no label"):
        summaries(np.array([0, 1], np.int32), *ledger.columns())
