"""What became of clusters between two partitions of the same addresses.

A partition is given by its labels: the smallest address id of each address's cluster. Both partitions number the
addresses alike; the one over fewer addresses is the earlier view of the ledger, and only addresses that both have are
compared. A cluster *merged* where it holds addresses of several clusters of the earlier partition, and *split* where
its addresses are in several clusters of the later one. Both can be so at once: nothing is matched up by likeness, so
nothing depends on a threshold.

How it fails. A cluster that only grew by new addresses has neither merged nor split; the caller counts these. Between
two runs that lie far apart several merges look like one: only a diff of neighbours tells which came first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chain.model import I32, I64


@dataclass(frozen=True, slots=True)
class Pieces:
    """M clusters of one partition that share addresses with two or more clusters of the other one each."""

    whole: I32
    """[M] their labels in the one partition, ascending"""
    offsets: I64
    """[M + 1] the clusters of the other one that cluster m shares with are `part[offsets[m]:offsets[m + 1]]`"""
    part: I32
    """[P] labels in the other partition, ascending within m"""
    shared: I64
    """[P] addresses that both clusters hold"""

    def __len__(self) -> int:
        return len(self.whole)

    def parts(self, row: int) -> tuple[I32, I64]:
        """The labels of the pieces of cluster `row`, and how many addresses each shares with it."""
        rows = slice(int(self.offsets[row]), int(self.offsets[row + 1]))
        return self.part[rows], self.shared[rows]

    def largest(self, sizes: I64, count: int) -> list[int]:
        """The rows of the `count` clusters with the greatest `sizes[label]`; of equal ones the smaller label first."""
        order = np.argsort(-sizes[self.whole], kind="stable")
        return [int(row) for row in order[: max(0, count)]]


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of the clusters of partition A in partition B."""

    common: int
    """Addresses that both partitions have"""
    merges: Pieces
    """Clusters of B that hold addresses of several clusters of A"""
    splits: Pieces
    """Clusters of A whose addresses are in several clusters of B"""


def difference(a: I32, b: I32) -> Difference:
    """Merges and splits from A to B. `a`: [n_A], `b`: [n_B] labels; of B over A they are mirrored.

    ValueError where a label is not that of its cluster's smallest address.
    """
    _check("a", a)
    _check("b", b)
    common = min(len(a), len(b))
    kept = _changed(a[:common], b[:common])
    packed, shared = np.unique(a[kept].astype(np.int64) << 32 | b[kept].astype(np.int64), return_counts=True)
    in_a, in_b = (packed >> 32).astype(np.int32), (packed & 0xFFFFFFFF).astype(np.int32)
    by_b = np.lexsort((in_a, in_b))
    return Difference(
        common,
        _pieces(in_b[by_b], in_a[by_b], shared[by_b].astype(np.int64)),
        _pieces(in_a, in_b, shared.astype(np.int64)),
    )


def sizes_of(labels: I32) -> I64:
    """[n] the addresses of the cluster that each label names, 0 for an id that labels none."""
    sizes: I64 = np.bincount(labels, minlength=len(labels)).astype(np.int64)
    return sizes


def reference(
    a: Sequence[int], b: Sequence[int]
) -> tuple[dict[int, list[tuple[int, int]]], dict[int, list[tuple[int, int]]]]:
    """The readable twin of `difference`: merges and splits, each as {whole: [(part, shared), ...]}."""
    pairs: dict[tuple[int, int], int] = defaultdict(int)
    for of_a, of_b in zip(a, b, strict=False):
        pairs[of_a, of_b] += 1
    merges, splits = defaultdict(list), defaultdict(list)
    for (of_a, of_b), shared in sorted(pairs.items()):
        merges[of_b].append((of_a, shared))
        splits[of_a].append((of_b, shared))
    return (
        {whole: parts for whole, parts in merges.items() if len(parts) > 1},
        {whole: parts for whole, parts in splits.items() if len(parts) > 1},
    )


def _check(name: str, labels: I32) -> None:
    ids = np.arange(len(labels))
    if bool(((labels < 0) | (labels > ids)).any()) or bool((labels[labels] != labels).any()):
        raise ValueError(f"partition {name} is not labelled by the smallest address of each cluster")


def _changed(a: I32, b: I32) -> I64:
    """The addresses whose cluster is not the same set in both: few, so that only these are sorted.

    A cluster none of whose addresses is labelled otherwise in the other partition lies within the cluster of the same
    label there; where that holds both ways, the two are equal.
    """
    differs = a != b
    touched_a, touched_b = np.zeros(len(a), np.bool_), np.zeros(len(b), np.bool_)
    touched_a[a[differs]] = True
    touched_b[b[differs]] = True
    return np.flatnonzero(touched_a[a] | touched_b[b])


def _pieces(whole: I32, part: I32, shared: I64) -> Pieces:
    """Rows of (whole, part), sorted; only the wholes with several parts."""
    first = np.flatnonzero(np.diff(whole, prepend=-1))
    counts = np.diff(np.append(first, len(whole)))
    several = np.repeat(counts > 1, counts)
    offsets = np.zeros(int(np.count_nonzero(counts > 1)) + 1, np.int64)
    np.cumsum(counts[counts > 1], out=offsets[1:])
    return Pieces(whole[first[counts > 1]], offsets, part[several], shared[several])
