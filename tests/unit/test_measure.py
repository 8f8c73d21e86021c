"""Scores of partitions and rules: the fast way against the readable one, and edges."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clustering.levels import MILLION
from clustering.measure import UNKNOWN_OWNER, Trials, reference, score, trials

ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(UNKNOWN_OWNER, 4)), max_size=24)


@given(ROWS, st.sets(st.integers(0, 4)))
def test_scores_equal_their_readable_twin(rows: list[tuple[int, int]], services: set[int]) -> None:
    labels, owner = (np.array([row[side] for row in rows], np.int32) for side in (0, 1))
    assert score(labels, owner, sorted(services)) == reference(labels.tolist(), owner.tolist(), sorted(services))


def test_a_right_and_a_collapsed_partition() -> None:
    owner = np.array([0, 0, 1, 1, 2], np.int32)
    right = score(owner, owner, [0, 1])
    assert (right.pair_precision, right.pair_recall, right.bcubed_precision, right.bcubed_recall) == (MILLION,) * 4
    assert (right.mixed_clusters, right.collapse, right.largest) == (0, 0, 400_000)
    one = score(np.zeros(5, np.int32), owner, [0, 1])
    assert (one.mixed_clusters, one.collapse, one.largest) == (1, MILLION, MILLION)
    assert (one.right_pairs, one.joined_pairs, one.pair_precision, one.pair_recall) == (2, 10, 200_000, MILLION)
    assert one.bcubed_precision == 360_000  # (4 * 2/5 + 1/5) / 5
    apart = score(np.arange(5, dtype=np.int32), owner)
    assert (apart.pair_precision, apart.pair_recall, apart.collapse) == (MILLION, 0, None)


def test_a_transaction_is_one_trial_and_wrong_if_any_of_its_links_is() -> None:
    owner = np.array([0, 0, 0, 1, UNKNOWN_OWNER], np.int32)
    u, v = np.array([0, 0, 0, 1, 0], np.int32), np.array([1, 2, 3, 2, 4], np.int32)
    found = trials(u, v, np.array([7, 7, 8, 9, 9]), owner)
    assert found == Trials(3, 1)
    assert 0 < found.precision_at_least < 666_667 < MILLION - 333_333 + 1
    assert found.at_most == MILLION - found.precision_at_least
    assert trials(u[4:], v[4:], np.array([9]), owner) == Trials(0, 0)
