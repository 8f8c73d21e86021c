"""Clusters: relabelling against scipy, the rate of explanations, and what an address costs.

    python -m bench.clusters [--addresses N] [--json]

Everything is measured in one run of one process, kernels compiled before, so that the ratios hold
on any machine. The links are random with the locality of a chain: ids are given in order of first
appearance, half of the addresses are linked once to an earlier one (nine of ten within some 50 ids,
the rest at any distance), and one link in six repeats an earlier one; clusters have a heavy tail.
"""

from __future__ import annotations

import argparse
from statistics import median

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from bench.measure import Measure, report, seconds_of
from chain.model import I32, I64
from clustering.components import relabel
from clustering.forest import Forest, verify_partition
from clustering.members import Members

DEFAULT_ADDRESSES = 20_000_000
EXPLAIN_ADDRESSES = 10_000_000
EXPLAIN_PAIRS = 1_000_000
SINGLE_CALLS = 20_000
LINKED_SHARE = 0.5
REPEATED_SHARE = 0.1
"""Of the addresses; with LINKED_SHARE, 0.6 links an address: GraphSense has 0.54 on Bitcoin in 2021."""
NEAR_SHARE = 0.9
NEAR_DISTANCE = 50
SEED = 20_090_103


def local_links(address_count: int, seed: int = SEED) -> tuple[I32, I32]:
    """Random links with a chain's locality, in the order of their later address."""
    random = np.random.default_rng(seed)
    v = np.flatnonzero(random.random(address_count) < LINKED_SHARE)
    v = v[v > 0]
    near = random.geometric(1 / NEAR_DISTANCE, len(v))
    far = np.exp(random.random(len(v)) * np.log(v)).astype(np.int64)
    u = np.maximum(v - np.where(random.random(len(v)) < NEAR_SHARE, near, far), 0)
    repeats = random.integers(0, len(v), int(address_count * REPEATED_SHARE))
    place = np.concatenate((v, np.minimum(v[repeats] + random.geometric(1 / 1000, len(repeats)), address_count)))
    order = np.argsort(place, kind="stable")
    u, v = np.concatenate((u, u[repeats]))[order], np.concatenate((v, v[repeats]))[order]
    return u.astype(np.int32), v.astype(np.int32)


def connected_pairs(labels: I32, count: int) -> I32:
    """[count, 2] random addresses with another address of the same cluster."""
    random = np.random.default_rng(SEED + 1)
    members = Members.of_labels(labels)
    rows = np.repeat(np.arange(len(members)), members.sizes())
    shared = np.flatnonzero(members.sizes()[rows] > 1)
    first = shared[random.integers(0, len(shared), count)]
    start, size = members.offsets[rows[first]], members.sizes()[rows[first]]
    step = 1 + (random.random(count) * (size - 1)).astype(np.int64)
    second = start + (first - start + step) % size
    return np.stack((members.addresses[first], members.addresses[second]), axis=1)


def run(address_count: int = DEFAULT_ADDRESSES) -> list[Measure]:
    """All measures: relabelling at `address_count`, explanations at EXPLAIN_ADDRESSES at most."""
    _compile()
    return relabelling(address_count) + explanations(min(EXPLAIN_ADDRESSES, address_count))


def relabelling(address_count: int) -> list[Measure]:
    """Bulk labels against scipy's, in turn, on the same links; both partitions are compared."""
    u, v = local_links(address_count)
    ours, theirs = [], []
    for _ in range(3):
        theirs.append(seconds_of(lambda: _scipy_labels(address_count, u, v)))
        ours.append(seconds_of(lambda: relabel(address_count, u, v)))
    _compare(relabel(address_count, u, v), _scipy_labels(address_count, u, v))
    return [
        Measure("addresses", address_count, "addresses"),
        Measure("links", len(u), "links"),
        Measure("relabel", len(u) / median(ours), "links/s"),
        Measure("scipy connected_components, matrix built", len(u) / median(theirs), "links/s"),
        Measure("relabel over scipy", median(theirs) / median(ours), "times", target=10),
    ]


def explanations(address_count: int) -> list[Measure]:
    """The forest's cost, its build, and chains between random addresses of one cluster."""
    u, v = local_links(address_count)
    forest = Forest.empty(address_count)
    build = seconds_of(lambda: forest.attach(u, v, 0))
    verify_partition(forest, u, v)
    pairs = connected_pairs(forest.labels(), EXPLAIN_PAIRS)
    seconds = median(seconds_of(lambda: forest.explain_many(pairs, u, v)) for _ in range(3))
    some = pairs[:SINGLE_CALLS].tolist()
    single = seconds_of(lambda: [forest.explain(a, b, u, v) for a, b in some])
    offsets, _ = forest.explain_many(pairs, u, v)
    lengths = np.diff(offsets)
    if int(lengths.min()) < 1:
        raise AssertionError("a pair of one cluster has no chain")
    last = len(u) - len(u) // 1000
    back = seconds_of(lambda: forest.replay(last, u[last:], v[last:]))
    return [
        Measure("forest addresses", address_count, "addresses"),
        Measure("forest attach", len(u) / build, "links/s"),
        Measure("forest roll back and replay a thousandth", back, "s"),
        Measure("forest bytes", forest.nodes.nbytes / address_count, "bytes/address", 16, at_most=True),
        Measure("explain", len(pairs) / seconds, "chains/s", target=50_000),
        Measure("explain, one call a chain", len(some) / single, "chains/s"),
        Measure("explain, links in the mean chain", float(lengths.mean()), "links"),
        Measure("explain, links in the longest chain", float(lengths.max()), "links"),
    ]


def _scipy_labels(address_count: int, u: I32, v: I32) -> I32:
    shape = (address_count, address_count)
    matrix = coo_matrix((np.ones(len(u), np.int8), (u, v)), shape=shape).tocsr()
    labels: I32 = connected_components(matrix, directed=False)[1]
    return labels


def _compare(ours: I32, theirs: I32) -> None:
    """Equal partitions: each of scipy's components has one of our labels, and as many there are."""
    label_of: I64 = np.full(int(theirs.max()) + 1, -1, np.int64)
    label_of[theirs] = ours
    if not np.array_equal(label_of[theirs], ours) or len(np.unique(label_of)) != len(label_of):
        raise AssertionError("relabelling and scipy give different partitions")


def _compile() -> None:
    u, v = local_links(1000)
    forest = Forest.empty(1000)
    forest.attach(u, v, 0)
    forest.replay(0, u, v)
    a, b = connected_pairs(forest.labels(), 1)[0].tolist()
    forest.explain(a, b, u, v)
    verify_partition(forest, u, v)


def main() -> int:
    """Print the table; exit code 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="bench.clusters", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--addresses", type=int, default=DEFAULT_ADDRESSES)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    measures = run(options.addresses)
    return report(measures, options.json)


if __name__ == "__main__":
    raise SystemExit(main())
