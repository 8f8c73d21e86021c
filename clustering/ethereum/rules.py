"""Every rule of Ethereum, run over one ledger."""

from __future__ import annotations

from typing import Any

import numpy as np

from chain.model import I32
from clustering.ethereum import airdrops, deposits, emptied, funders
from clustering.ethereum.deployers import deployments
from clustering.ethereum.flows import accounts, flows
from clustering.ethereum.ledger import EthereumLedger
from clustering.ethereum.relations import RELATIONS, Relation, RelationBatch, concatenate

VERSION = 1
"""Raised whenever a rule finds other relations in the same transactions: everything is then looked at again."""


def found_relations(ledger: EthereumLedger, service: I32) -> RelationBatch:
    """The relations of all addresses; `service` [n]: the labelled service of each, -1 for none.

    Who first pays a deposit account is its customer, and a sweep empties it: neither says more, so neither is said.
    """
    found, own = flows(ledger), accounts(ledger, len(service))
    deposited = deposits.deposit_relations(found, service)
    is_account = np.zeros(len(service), np.bool_)
    is_account[deposited.source[deposited.relation == Relation.SWEPT_INTO]] = True
    emptyings = emptied.emptied(found, ledger.tx_time, service, own.is_contract)
    return concatenate(
        (
            deposited,
            deployments(ledger),
            funders.first_funders(found, service, own.has_acted & ~is_account),
            airdrops.forwarded_airdrops(found, service, own.is_contract),
            emptyings.take(~is_account[emptyings.source]),
        )
    )


def current_rules() -> dict[str, Any]:
    """Names, sources and parameters of all that is looked for, as a run records them."""
    rules: dict[str, Any] = {
        facts.name: {"source": facts.source, "version": VERSION, "joins": False} for facts in RELATIONS.values()
    }
    parameters = {
        "sweep_blocks": deposits.SWEEP_BLOCKS, "dust_wei": str(deposits.DUST_WEI), "most_users": deposits.MOST_USERS,
        "least_swept_percent": deposits.LEAST_SWEPT_PERCENT, "most_funded": funders.MOST_FUNDED,
        "least_recipients": airdrops.LEAST_RECIPIENTS, "most_gap_blocks": airdrops.MOST_GAP_BLOCKS,
        "least_forwarders": airdrops.LEAST_FORWARDERS, "least_accounts": emptied.LEAST_ACCOUNTS,
        "least_share_percent": emptied.LEAST_SHARE_PERCENT, "within_seconds": emptied.WITHIN_SECONDS,
    }  # fmt: skip
    return {**rules, "parameters": parameters}
