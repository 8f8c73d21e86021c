"""A seeded sample of ether balances, the ledger's beside a node's.

The ledger of a full dataset begins at its anchor, so it tells how a balance changed since; the node tells what it was
before the anchor (at genesis, for a ledger that begins there: no movement gives the first accounts their ether) and
what it is at the tip. Both together must agree to the wei. Where receipts or traces of some blocks are missing, or the
dataset is an extract, a difference would prove nothing, and nothing is compared.

HOW IT FAILS: rewards of uncles that JSON only names, the irregular state change of block 1,920,000 on the main network,
and ether that a contract destroys by naming itself its heir are in no movement; a balance that they touch differs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from chain.errors import IntegrityError, NodeError
from chain.ethereum.address import encode
from chain.store.ethereum import EthereumDataset, EthereumStore
from chain.store.postgres import queries
from chain.threads import in_thread

SEED = 1
"""Of the sample: the same dataset gives the same addresses."""


class BalanceSource(Protocol):
    """A node that knows balances."""

    chain_id: int

    def hash_at(self, height: int) -> bytes | None: ...

    def balance_at(self, address: bytes, height: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Unequal:
    """An address whose balance is not what its movements say. Amounts in wei."""

    address: str
    height: int
    ledger: int
    node: int


@dataclass(slots=True)
class BalanceReport:
    sampled: int = 0
    height: int | None = None
    not_compared: str | None = None
    """Why nothing could be compared."""
    unequal: list[Unequal] = field(default_factory=list)


async def compare_balances(
    store: EthereumStore, dataset: EthereumDataset, node: BalanceSource, sample: int
) -> BalanceReport:
    """Compare up to `sample` addresses at the dataset's tip.

    IntegrityError where the node is of another chain or has another block there; NodeError where it does not answer.
    """
    report = BalanceReport()
    report.not_compared = await _reason(store, dataset)
    tip = dataset.tip
    if report.not_compared is not None or tip is None:
        return report
    if node.chain_id != dataset.chain_id:
        raise IntegrityError("network", f"dataset {dataset.name}", f"the node is of chain {node.chain_id}")
    if await in_thread(node.hash_at, tip.height) != tip.hash:
        raise IntegrityError("parent", f"height {tip.height}", "the node has another block there: load again")
    report.height = tip.height
    start = max(0, (dataset.anchor_height or 0) - 1)
    count = dataset.counts["address"]
    ids = np.sort(np.random.default_rng(SEED).permutation(count)[:sample])
    sql = queries("audit")
    for address_id in ids.tolist():
        key = await store.connection.fetchval(sql["address_payload"], dataset.dataset_id, address_id)
        net = int(await store.connection.fetchval(sql["ether_net"], dataset.dataset_id, address_id))
        try:
            opening = await in_thread(node.balance_at, key, start)
            theirs = await in_thread(node.balance_at, key, tip.height)
        except NodeError as error:
            report.not_compared = str(error)
            return report
        report.sampled += 1
        if opening + net != theirs:
            report.unequal.append(Unequal(encode(key), tip.height, opening + net, theirs))
    return report


async def _reason(store: EthereumStore, dataset: EthereumDataset) -> str | None:
    if not dataset.is_full:
        return "an extract holds a part of each balance's history"
    coverage = await store.coverage(dataset)
    for name, what in (("without_receipts", "receipts"), ("without_traces", "traces")):
        if coverage[name]:
            return f"{what} of {coverage[name]:,} blocks are missing, so movements of ether are"
    return None
