"""How right a partition is, and a rule, where the owners of addresses are known.

Pairs: of all pairs of addresses with known owners, those in one cluster and those of one owner (precision, recall).
B-cubed (Bagga and Baldwin, 1998): the same, as the mean over addresses, so that giants do not decide alone. Collapse:
the share of services that share a cluster with another service. All counts are exact integers; shares are in parts per
million, rounded towards caution (down).

A rule is tried once for each transaction that it links on, however many links that gives: links of one transaction are
right or wrong together. An error is a transaction any of whose links joins two owners.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from chain.model import I32, I64
from clustering.levels import MILLION, lower_bound, upper_bound

UNKNOWN_OWNER = -1


@dataclass(frozen=True, slots=True)
class Scores:
    """A partition against the owners of N addresses."""

    addresses: int
    """With a known owner"""
    owners: int
    clusters: int
    mixed_clusters: int
    """Clusters with addresses of several owners: false unions"""
    true_pairs: int
    """Of one owner"""
    joined_pairs: int
    """In one cluster"""
    right_pairs: int
    """Both"""
    bcubed_precision: int
    """Parts per million, as everything below"""
    bcubed_recall: int
    largest: int
    """Share of the addresses that the largest cluster has"""
    collapse: int | None
    """Share of the services that are in one cluster with another; None where there is no service"""

    @property
    def pair_precision(self) -> int:
        return share(self.right_pairs, self.joined_pairs)

    @property
    def pair_recall(self) -> int:
        return share(self.right_pairs, self.true_pairs)


@dataclass(frozen=True, slots=True)
class Trials:
    """How often a rule was tried and wrong."""

    trials: int
    errors: int

    @property
    def at_most(self) -> int:
        """The upper 95 % bound of the error rate, in parts per million, rounded up."""
        return upper_bound(self.errors, self.trials)

    @property
    def precision_at_least(self) -> int:
        """The lower 95 % bound of the precision, rounded down."""
        return lower_bound(self.trials - self.errors, self.trials)


def share(part: int, whole: int) -> int:
    """A share in parts per million, rounded down; all of it where there is nothing."""
    return part * MILLION // whole if whole else MILLION


def score(labels: I32, owner: I32, services: Sequence[int] = ()) -> Scores:
    """Compare labels [n] with owners [n] (UNKNOWN_OWNER: left out); `services`: owners whose collapse is counted."""
    known = owner != UNKNOWN_OWNER
    _, label = np.unique(labels[known], return_inverse=True)
    names, held = np.unique(owner[known], return_inverse=True)
    total, clusters = len(label), int(label.max(initial=-1)) + 1
    cell, count = np.unique(label.astype(np.int64) * max(len(names), 1) + held, return_counts=True)
    of_label, of_owner = cell // max(len(names), 1), cell % max(len(names), 1)
    size, holding = np.bincount(label, minlength=clusters), np.bincount(held, minlength=len(names))
    return Scores(
        addresses=total,
        owners=len(names),
        clusters=clusters,
        mixed_clusters=int(np.count_nonzero(np.bincount(of_label, minlength=clusters) > 1)),
        true_pairs=_pairs(holding),
        joined_pairs=_pairs(size),
        right_pairs=_pairs(count),
        bcubed_precision=_bcubed(count, size[of_label], total),
        bcubed_recall=_bcubed(count, holding[of_owner], total),
        largest=share(int(size.max(initial=0)), total) if total else 0,
        collapse=_collapse(of_label, of_owner, np.flatnonzero(np.isin(names, list(services)))),
    )


def reference(labels: Sequence[int], owner: Sequence[int], services: Sequence[int] = ()) -> Scores:
    """The readable twin of `score`: every pair, every address."""
    known = [(label, who) for label, who in zip(labels, owner, strict=True) if who != UNKNOWN_OWNER]
    pairs = [(a, b) for place, a in enumerate(known) for b in known[:place]]
    sizes, holdings = Counter(label for label, _ in known), Counter(who for _, who in known)
    both = Counter(known)
    alone = {label: {who for other, who in known if other == label and who in services} for label in sizes}
    present = {who for _, who in known if who in services}
    mates = {who for found in alone.values() if len(found) > 1 for who in found}
    total = len(known)

    def mean(part: Counter[int], which: int) -> int:
        parts = sum((Fraction(both[each], part[each[which]]) for each in known), Fraction(0))
        return int(parts * MILLION / total) if total else MILLION

    return Scores(
        addresses=total,
        owners=len(holdings),
        clusters=len(sizes),
        mixed_clusters=sum(len({who for other, who in known if other == label}) > 1 for label in sizes),
        true_pairs=sum(a[1] == b[1] for a, b in pairs),
        joined_pairs=sum(a[0] == b[0] for a, b in pairs),
        right_pairs=sum(a == b for a, b in pairs),
        bcubed_precision=mean(sizes, 0),
        bcubed_recall=mean(holdings, 1),
        largest=max(sizes.values(), default=0) * MILLION // total if total else 0,
        collapse=len(mates) * MILLION // len(present) if present else None,
    )


def trials(u: I32, v: I32, tx: I64, owner: I32) -> Trials:
    """The trials of the links (u, v) that rest on transactions `tx`, as far as both owners are known."""
    known = (owner[u] != UNKNOWN_OWNER) & (owner[v] != UNKNOWN_OWNER)
    wrong = owner[u[known]] != owner[v[known]]
    return Trials(len(np.unique(tx[known])), len(np.unique(tx[known][wrong])))


def _pairs(counts: I64) -> int:
    return sum(number * (number - 1) // 2 * times for number, times in Counter(counts.tolist()).items())


def _bcubed(count: I64, of: I64, total: int) -> int:
    """The mean over addresses of count / of: each cell has `count` addresses."""
    squares: Counter[int] = Counter()
    for number, size in zip(count.tolist(), of.tolist(), strict=True):
        squares[size] += number * number
    parts = sum((Fraction(number, size) for size, number in squares.items()), Fraction(0))
    return int(parts * MILLION / total) if total else MILLION


def _collapse(of_label: I64, of_owner: I64, services: I64) -> int | None:
    rows = np.isin(of_owner, services)
    if not rows.any():
        return None
    labels, inside = np.unique(of_label[rows], return_inverse=True)
    crowded = np.bincount(inside, minlength=len(labels))[inside] > 1
    return share(len(np.unique(of_owner[rows][crowded])), len(np.unique(of_owner[rows])))
