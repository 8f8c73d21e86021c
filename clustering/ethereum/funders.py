"""First funders: who gave an account the first ether that the dataset shows.

An account without ether cannot act, so somebody gave it its first. Where that is no service, and gave few others their
first, it may be the same party or one that knows it (research catalogue, E5). It joins nobody and is a lead.

How it fails. In an extract the first ether seen is not the first ether. A payer, a friend, a faucet that nobody
labelled, a broker: each is a first funder. Sponsors and paymasters pay fees without giving ether and are not seen.
"""

from __future__ import annotations

import numpy as np

from chain.ethereum.model import Movement
from chain.model import I32, Bool
from clustering.ethereum.flows import Flows
from clustering.ethereum.ledger import ETHER
from clustering.ethereum.relations import Relation, RelationBatch, gathered

MOST_FUNDED = 50
"""Accounts whose first ether one address gave: above, it is a service that no label names (research catalogue, E5)."""


def first_funders(flows: Flows, service: I32, has_acted: Bool) -> RelationBatch:
    """For each account that acted (`has_acted` [n]), who gave it its first ether, services left out."""
    coins = np.flatnonzero((flows.asset == ETHER) & np.isin(flows.kind, (Movement.VALUE, Movement.INTERNAL)))
    target, first = np.unique(flows.target[coins], return_index=True)
    rows = coins[first][has_acted[target]]
    source = flows.source[rows]
    counts = np.bincount(source, minlength=len(service))
    rows = rows[(service[source] < 0) & (service[flows.target[rows]] < 0) & (counts[source] <= MOST_FUNDED)]
    return gathered(
        Relation.FIRST_FUNDED, flows.source[rows], flows.target[rows], flows.tx[rows], flows.tx[rows]
    )  # fmt: skip


def reference(rows: list[tuple[bool, int, int]], service: list[int], has_acted: list[bool]) -> list[tuple[int, int]]:
    """The readable twin: rows are (moves ether and is no fee, from, to); pairs (funder, account), sorted."""
    first: dict[int, int] = {}
    for is_ether, source, target in rows:
        if is_ether:
            first.setdefault(target, source)
    seen = {target: source for target, source in first.items() if has_acted[target]}
    counts = list(seen.values())
    return sorted(
        (source, target)
        for target, source in seen.items()
        if service[source] < 0 and service[target] < 0 and counts.count(source) <= MOST_FUNDED and source != target
    )
