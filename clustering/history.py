"""What became of clusters between two runs: which merged and which were split.

Two partitions are compared over the addresses that both know. A cluster of the later run that holds several of the
earlier run's is a merge of these; one of the earlier run whose addresses are in several later ones was split. With
links that only come, there are merges alone; a link that was taken back, held or refused splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chain.model import I32, I64


@dataclass(frozen=True, slots=True)
class Changes:
    """The overlap of two partitions."""

    pairs: I64
    """[P, 2] (label in the earlier, label in the later run) of clusters that share an address, ascending"""
    sizes: I64
    """[P] how many addresses they share"""
    merged: I64
    """Labels of later clusters that hold several earlier ones, the largest of them first"""
    split: I64
    """Labels of earlier clusters that are in several later ones, the largest of them first"""
    added: int
    """Addresses that only the later run knows"""

    def parts_of(self, later: int) -> list[tuple[int, int]]:
        """(label, addresses) of the earlier clusters within a later one, the largest first."""
        return self._others(1, later)

    def pieces_of(self, earlier: int) -> list[tuple[int, int]]:
        """(label, addresses) of the later clusters that hold addresses of an earlier one, the largest first."""
        return self._others(0, earlier)

    def _others(self, side: int, label: int) -> list[tuple[int, int]]:
        rows = self.pairs[:, side] == label
        found = zip(self.pairs[rows, 1 - side].tolist(), self.sizes[rows].tolist(), strict=True)
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))


def compare(earlier: I32, later: I32) -> Changes:
    """The changes from labels [n] to labels [m >= n] over one dataset's addresses. ValueError where m < n."""
    if len(later) < len(earlier):
        raise ValueError(f"the later run has {len(later)} addresses, the earlier one {len(earlier)}")
    both = np.stack((earlier, later[: len(earlier)]), axis=1).astype(np.int64)
    pairs, sizes = np.unique(both, axis=0, return_counts=True) if len(both) else (both, np.zeros(0, np.int64))
    return Changes(pairs, sizes, _several(pairs[:, 1], sizes), _several(pairs[:, 0], sizes), len(later) - len(earlier))


def reference(earlier: Sequence[int], later: Sequence[int]) -> tuple[set[int], set[int], int]:
    """The readable twin of `compare`: labels of merged later clusters, of split earlier ones, and new addresses."""
    both = list(zip(earlier, later, strict=False))
    merged = {to for _, to in both if len({a for a, b in both if b == to}) > 1}
    split = {of for of, _ in both if len({b for a, b in both if a == of}) > 1}
    return merged, split, len(later) - len(earlier)


def _several(labels: I64, sizes: I64) -> I64:
    """The labels that stand in several pairs, those with most addresses first, then the smallest."""
    names, row, times = np.unique(labels, return_inverse=True, return_counts=True)
    total = np.zeros(len(names), np.int64)
    np.add.at(total, row, sizes)
    several = np.flatnonzero(times > 1)
    found: I64 = names[several[np.argsort(-total[several], kind="stable")]]
    return found
