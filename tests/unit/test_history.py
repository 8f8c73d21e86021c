"""Merges and splits between two partitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.model import I32
from clustering.components import reference_relabel, relabel
from clustering.history import Pieces, difference, reference, sizes_of

ADDRESSES = 12
LINKS = st.lists(st.tuples(st.integers(0, ADDRESSES - 1), st.integers(0, ADDRESSES - 1)), max_size=12)


def partition(links: list[tuple[int, int]], count: int) -> I32:
    inside = [link for link in links if max(link) < count]
    return np.array(reference_relabel(count, inside), np.int32)


PARTITIONS = st.builds(partition, LINKS, st.integers(0, ADDRESSES))


def plain(pieces: Pieces) -> dict[int, list[tuple[int, int]]]:
    found = {}
    for row, whole in enumerate(pieces.whole.tolist()):
        part, shared = pieces.parts(row)
        found[whole] = list(zip(part.tolist(), shared.tolist(), strict=True))
    return found


@given(PARTITIONS, PARTITIONS)
def test_the_arrays_equal_their_readable_twin(a: I32, b: I32) -> None:
    found = difference(a, b)
    assert (plain(found.merges), plain(found.splits)) == reference(a.tolist(), b.tolist())
    assert found.merges.whole.tolist() == sorted(found.merges.whole.tolist())
    assert found.common == min(len(a), len(b))


@given(PARTITIONS, PARTITIONS)
def test_the_other_way_round_merges_are_splits(a: I32, b: I32) -> None:
    there, back = difference(a, b), difference(b, a)
    assert plain(there.merges) == plain(back.splits)
    assert plain(there.splits) == plain(back.merges)


@given(LINKS, LINKS, st.integers(0, ADDRESSES))
def test_more_links_and_addresses_split_nothing(
    links: list[tuple[int, int]], more: list[tuple[int, int]], n: int
) -> None:
    a, b = partition(links, n), partition([*links, *more], ADDRESSES)
    found = difference(a, b)
    assert len(found.splits) == 0
    gone = len(set(a.tolist())) - len(set(b[:n].tolist()))
    assert gone == len(found.merges.part) - len(found.merges)


def test_equal_labels_and_sizes_of_other_addresses_are_told_apart() -> None:
    a = np.array([0, 0, 2], np.int32)
    b = np.array([0, 1, 0], np.int32)
    found = difference(a, b)
    assert plain(found.splits) == {0: [(0, 1), (1, 1)]}
    assert plain(found.merges) == {0: [(0, 1), (2, 1)]}


def test_the_largest_come_first_and_of_equal_ones_the_earliest() -> None:
    u, v = np.array([0, 2, 4, 4], np.int32), np.array([1, 3, 5, 6], np.int32)
    b = relabel(7, u, v)
    found = difference(np.arange(7, dtype=np.int32), b)
    sizes = sizes_of(b)
    assert sizes.tolist() == [2, 0, 2, 0, 3, 0, 0]
    assert [int(found.merges.whole[row]) for row in found.merges.largest(sizes, 2)] == [4, 0]
    assert found.merges.largest(sizes, 0) == []


@pytest.mark.parametrize("labels", [[1, 1], [0, 0, 1], [-1]])
def test_labels_that_are_none_are_refused(labels: list[int]) -> None:
    wrong, right = np.array(labels, np.int32), np.zeros(1, np.int32)
    with pytest.raises(ValueError, match="partition a is not labelled"):
        difference(wrong, right)
    with pytest.raises(ValueError, match="partition b is not labelled"):
        difference(right, wrong)
