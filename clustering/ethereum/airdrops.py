"""Airdrops that are passed on whole: several recipients who give exactly what they were given to one address.

Source: F. Victor, Address Clustering Heuristics for Ethereum, FC 2020, multi-participation in airdrops. There the
recipients and the address are one entity; here they get relations, until the rule's rate is measured in the field.

How it fails. The one address may be an exchange's, a pool's or a contract's (labelled services and contracts are left
out). Hunters rent wallets of others. Drops that are claimed one by one at different amounts are not seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import numpy as np

from chain.ethereum.model import Movement
from chain.model import I32, I64, Array, Bool
from clustering.ethereum.flows import Flows
from clustering.ethereum.relations import Relation, RelationBatch, gathered

LEAST_RECIPIENTS = 1_000
"""Recipients of one amount of one token from one source (etherclust's configuration)."""

MOST_GAP_BLOCKS = 2
"""Median blocks between one transfer of a drop and the next (etherclust's configuration)."""

LEAST_FORWARDERS = 2
"""Recipients who pass the amount on to one address (Victor FC 2020)."""


def forwarded_airdrops(
    flows: Flows, service: I32, is_contract: Bool, least_recipients: int = LEAST_RECIPIENTS
) -> RelationBatch:
    """Recipients of airdrops that passed the whole amount on, and to whom."""
    rows = np.flatnonzero(flows.kind == Movement.TOKEN)
    asset, source, target = (each[rows].astype(np.int64) for each in (flows.asset, flows.source, flows.target))
    void = flows.value[rows].view(f"V{flows.value.shape[1] * 8}").reshape(-1)
    amount = _numbered(asset * len(rows) + _numbered(void))
    dropped = _dropped(amount * len(service) + source, target, flows.height[rows], least_recipients)
    given, first = np.unique(amount[dropped] * len(service) + target[dropped], return_index=True)
    key = amount * len(service) + source
    place = np.searchsorted(given, key)
    place[place == len(given)] = 0
    passed = np.zeros(len(rows), np.bool_)
    if len(given):
        passed = (given[place] == key) & (dropped[first[place]] < np.arange(len(rows)))
    passed &= (service[target] < 0) & ~is_contract[target] & (source != target)
    passed[passed] &= flows.source[rows[dropped[first[place[passed]]]]] != target[passed]  # given back
    ways = np.flatnonzero(passed)
    pairs = np.unique(np.stack((amount[ways], target[ways], source[ways])), axis=1)
    ends, counts = np.unique(pairs[0] * len(service) + pairs[1], return_counts=True)
    several = ends[counts >= LEAST_FORWARDERS]
    ways = ways[np.isin(amount[ways] * len(service) + target[ways], several)]
    tx = flows.tx[rows[ways]]
    return gathered(Relation.FORWARDED_AIRDROP, source[ways], target[ways], tx, tx)


def _numbered(values: Array) -> I64:
    """A dense number for each distinct value."""
    return np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _dropped(drop: I64, target: I64, height: I64, least_recipients: int) -> I64:
    """Rows, ascending, that are of an airdrop; `drop` names amount and source of each row."""
    order = np.argsort(drop, kind="stable")
    starts = np.flatnonzero(np.diff(drop[order], prepend=-1))
    ends = np.append(starts[1:], len(order))[: len(starts)]
    kept = [
        order[start:end]
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        if end - start >= least_recipients
        and len(np.unique(target[order[start:end]])) >= least_recipients
        and np.median(np.diff(height[order[start:end]])) <= MOST_GAP_BLOCKS
    ]
    return np.sort(np.concatenate(kept)) if kept else np.empty(0, np.int64)


def reference(
    rows: Sequence[tuple[int, int, int, int, int]], service: Sequence[int], is_contract: Sequence[bool], least: int
) -> set[tuple[int, int]]:
    """The readable twin: rows are (token, from, to, value, height); pairs (recipient, whom it passed it on to)."""
    drops: dict[tuple[int, int, int], list[tuple[int, int, int]]] = defaultdict(list)
    for row, (asset, source, target, value, height) in enumerate(rows):
        drops[asset, source, value].append((row, target, height))
    given: dict[tuple[int, int, int], tuple[int, int]] = {}
    for (asset, source, value), gifts in drops.items():
        gaps = [b[2] - a[2] for a, b in pairwise(gifts)]
        if len({target for _, target, _ in gifts}) >= least and median(gaps) <= MOST_GAP_BLOCKS:
            for row, target, _ in gifts:
                key = asset, target, value
                given[key] = min(given.get(key, (row, source)), (row, source))
    ends: dict[tuple[int, int, int], set[int]] = defaultdict(set)
    for row, (asset, source, target, value, _) in enumerate(rows):
        before, distributor = given.get((asset, source, value), (row, 0))
        is_end = service[target] < 0 and not is_contract[target] and target not in (distributor, source)
        if before < row and is_end:
            ends[asset, value, target].add(source)
    return {(source, end[2]) for end, sources in ends.items() if len(sources) >= LEAST_FORWARDERS for source in sources}
