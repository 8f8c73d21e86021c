"""Who deployed a contract: the sender of the transaction that created it.

A fact of the rows, and no more than that: a deployer is not the issuer, and a token's contract is not the company
(EVIDENCE 6). Many deploy for others, by trade or by a factory.

Of a contract that a contract created, that contract is the deployer, whoever called it: a public factory's caller and
its owner are two people.

How it fails. What a contract created only traces tell.
"""

from __future__ import annotations

import numpy as np

from chain.ethereum.model import Movement, Status
from clustering.ethereum.ledger import NOBODY, EthereumLedger
from clustering.ethereum.relations import Relation, RelationBatch, gathered


def deployments(ledger: EthereumLedger) -> RelationBatch:
    """Each contract that was created, and by whom."""
    made = (ledger.tx_created != NOBODY) & (ledger.tx_from != NOBODY) & (ledger.tx_status != Status.FAILED)
    tx = np.flatnonzero(made)
    acts = np.flatnonzero((ledger.act_kind == Movement.CREATED) & (ledger.act_from != NOBODY))
    creator = np.concatenate((ledger.tx_from[tx], ledger.act_from[acts]))
    created = np.concatenate((ledger.tx_created[tx], ledger.act_to[acts]))
    evidence = np.concatenate((tx, ledger.act_tx[acts]))
    return gathered(Relation.DEPLOYED, creator, created, evidence, evidence)
