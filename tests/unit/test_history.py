"""Merges and splits between two partitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.model import I32
from clustering.components import relabel
from clustering.history import compare, reference

LINKS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=8)


def labels(links: list[tuple[int, int]], count: int = 9) -> I32:
    inside = [link for link in links if max(link) < count]
    u, v = (np.array([link[side] for link in inside], np.int32) for side in (0, 1))
    return relabel(count, u, v)


@given(LINKS, LINKS, st.integers(0, 9))
def test_changes_equal_their_readable_twin(a: list[tuple[int, int]], b: list[tuple[int, int]], count: int) -> None:
    earlier, later = labels(a, count), labels(b)
    found = compare(earlier, later)
    assert (set(found.merged.tolist()), set(found.split.tolist()), found.added) == reference(
        earlier.tolist(), later.tolist()
    )
    for label in found.merged.tolist():
        parts = found.parts_of(label)
        assert sum(size for _, size in parts) == int(np.count_nonzero(later[:count] == label))
        assert len(parts) > 1


@given(LINKS, LINKS)
def test_a_diff_the_other_way_mirrors_it(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    forth, back = compare(labels(a), labels(b)), compare(labels(b), labels(a))
    assert forth.merged.tolist() == back.split.tolist()
    assert forth.split.tolist() == back.merged.tolist()
    assert forth.pieces_of(0) == back.parts_of(0)


def test_links_that_only_come_split_nothing() -> None:
    found = compare(labels([(0, 1), (2, 3)], 5), labels([(0, 1), (2, 3), (1, 2), (4, 7)]))
    assert found.split.tolist() == []
    assert found.merged.tolist() == [0]
    assert found.parts_of(0) == [(0, 2), (2, 2)]
    assert found.added == 4
    with pytest.raises(ValueError, match="the later run has 1"):
        compare(labels([], 1 + 1), labels([], 1))
