"""`headwater measure relations`: what is said of generated addresses against what happened, and whom others would join.

Services are labelled as somebody would know them: the hot and cold addresses of exchanges, and nothing else. A relation
is right where the truth has it between the same two addresses. That two addresses with a relation are one owner's is no
claim of a relation; it is counted beside, since a reader may take it for one.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from api.measure.ethereum_chains import LaidEthereum, ethereum_ledger
from api.simulate_ethereum import block_files, open_ethereum_truth, simulate_ethereum
from chain.ethereum.files import EthereumFiles
from chain.model import I32
from clustering.ethereum.relations import RELATIONS, Relation
from clustering.ethereum.rules import found_relations
from clustering.ethereum.victor import victor
from clustering.simulate.ethereum.kinds import NOBODY, Role
from clustering.simulate.ethereum.kinds import Relation as True_
from clustering.simulate.ethereum.signing import CHAIN_ID
from clustering.simulate.ethereum.truth import Truth

LABELLED = (Role.HOT, Role.COLD)
TRUE = {
    Relation.PAID_DEPOSIT: True_.PAID_DEPOSIT,
    Relation.SWEPT_INTO: True_.SWEPT_INTO,
    Relation.DEPLOYED: True_.DEPLOYED,
    Relation.FIRST_FUNDED: True_.FIRST_FUNDED,
    Relation.FORWARDED_AIRDROP: True_.AIRDROP_FORWARDED,
    Relation.EMPTIED_INTO: True_.EMPTIED_INTO,
}
"""What the truth calls each relation."""


def measure_relations(seeds: Sequence[int], transactions: int) -> dict[str, Any]:
    """Generate a chain of each seed, look for relations, compare. The same input gives the same body."""
    found: dict[str, Counter[str]] = {facts.name: Counter() for facts in RELATIONS.values()}
    joined: dict[str, Counter[str]] = {}
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="headwater-measure-") as scratch:
            folder = Path(scratch) / "chain"
            simulate_ethereum(seed, transactions, folder)
            truth = open_ethereum_truth(folder)
            laid = ethereum_ledger(EthereumFiles(block_files(folder), CHAIN_ID, rlp=True))
        places = places_of(truth, laid)
        _compare(truth, laid, places, found)
        _compare_joined(truth, laid, places, joined)
    return {
        "origin": "simulated",
        "seeds": list(seeds),
        "transactions": transactions,
        "relations": {name: dict(sorted(counts.items())) for name, counts in found.items()},
        "joined_by_published_rules": {name: dict(sorted(counts.items())) for name, counts in joined.items()},
    }


def places_of(truth: Truth, laid: LaidEthereum) -> I32:
    """[ledger's addresses] the row of each in the truth, -1 for none."""
    rows = {key.tobytes(): row for row, key in enumerate(truth.address_key)}
    return np.array([rows.get(key.tobytes(), NOBODY) for key in laid.keys], np.int32)


def services(truth: Truth, places: I32) -> I32:
    """[ledger's addresses] the exchange of a labelled address, -1 for all others."""
    labelled = np.isin(truth.address_role, LABELLED)
    return np.where(labelled[places] & (places >= 0), truth.address_owner[places], NOBODY).astype(np.int32)


def _compare(truth: Truth, laid: LaidEthereum, places: I32, found: dict[str, Counter[str]]) -> None:
    said = found_relations(laid.ledger, services(truth, places))
    for relation, facts in RELATIONS.items():
        mine = truth.relations[truth.relations[:, 0] == TRUE[relation]]
        # a contract that a factory made was deployed by the factory
        by_factory = (mine[:, 4] != NOBODY) & (relation == Relation.DEPLOYED)
        made = set(zip(np.where(by_factory, mine[:, 4], mine[:, 1]).tolist(), mine[:, 2].tolist(), strict=True))
        rows = np.flatnonzero(said.relation == relation)
        source, target = places[said.source[rows]], places[said.target[rows]]
        pairs = set(zip(source.tolist(), target.tolist(), strict=True))
        owner = truth.address_owner
        found[facts.name].update(
            {
                "happened": len(made),
                "found": len(pairs),
                "right": len(pairs & made),
                "of one owner": int(np.count_nonzero(owner[source] == owner[target])),
            }
        )


def _compare_joined(truth: Truth, laid: LaidEthereum, places: I32, joined: dict[str, Counter[str]]) -> None:
    """Groups that the published rules would make, and those among them that have several owners or several victims."""
    victims = {row for harm in truth.harms for row in harm.victims}
    for each in victor(laid.ledger, services(truth, places)):
        counts = joined.setdefault(each.rule, Counter())
        groups: dict[int, list[int]] = {}
        for label, place in zip(each.labels.tolist(), places.tolist(), strict=True):
            if place != NOBODY:
                groups.setdefault(label, []).append(place)
        several = [rows for rows in groups.values() if len(rows) > 1]
        owners = [len({int(truth.address_owner[row]) for row in rows}) for rows in several]
        counts["groups"] += len(several)
        counts["groups of several owners"] += sum(count > 1 for count in owners)
        counts["victims joined with other owners"] += sum(
            len(victims.intersection(rows)) for rows, count in zip(several, owners, strict=True) if count > 1
        )
