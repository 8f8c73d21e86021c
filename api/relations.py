"""Runs over Ethereum datasets: relations found anew, what changed recorded, and a clustering in which no rule joins.

A run looks at the whole dataset again: an account is what all of its payments make it.
"""

from __future__ import annotations

import asyncio
import time

import numpy as np

from api.clusterings import CODE_VERSION, LEVEL, UpdateReport
from api.detections import read_ledger
from api.labels.ethereum import ethereum_labels
from chain.model import I64, U8, Bool
from chain.store.ethereum import EthereumDataset, EthereumStore
from chain.store.labels import LabelStore
from chain.store.links import LinkStore, Run, StoredLinks
from chain.store.postgres import Connection
from chain.store.relations import COLUMNS, RelationStore, StoredRelations
from clustering.components import partition_digest, relabel
from clustering.ethereum.faithful import KNOWN_REBASING, faults
from clustering.ethereum.ledger import NOBODY, EthereumLedger
from clustering.ethereum.relations import RelationBatch
from clustering.ethereum.rules import current_rules, found_relations
from clustering.ethereum.victor import Joined, victor


async def update(connection: Connection, dataset: EthereumDataset) -> UpdateReport:
    """Bring the relations of a dataset to its tip, as one run; nothing is done where nothing is new."""
    started = time.monotonic()
    links = LinkStore(connection)
    await links.lock(dataset)
    try:
        dataset = await EthereumStore(connection).dataset(dataset.name)
        run, rules = await links.last_run(dataset), current_rules()
        version = await LabelStore(connection).version() or None
        same = run is not None and (run.epoch, run.tx_count, run.label_set, run.rules) == (
            dataset.epoch, dataset.counts["tx"], version, rules,
        )  # fmt: skip
        if run is not None and same:
            relations = len(await RelationStore(connection).standing(dataset))
            return _report(dataset, run, False, 0, relations, started)
        store = EthereumStore(connection)
        ledger, _, keys = await read_ledger(store, dataset)
        labels = await ethereum_labels(connection, dataset, keys, ledger.tx_time)
        service = np.full(len(keys), -1, np.int32) if labels is None else labels.entity
        found = await asyncio.to_thread(found_relations, ledger, service)
        wrong = await asyncio.to_thread(token_faults, ledger, keys, await is_whole(store, dataset))
        partition = relabel(len(keys), np.empty(0, np.int32), np.empty(0, np.int32))
        made = Run(
            1 if run is None else run.run_id + 1, LEVEL, dataset.epoch, dataset.counts["tx"], len(keys), dataset.tip,
            rules, CODE_VERSION, 0, len(keys), partition_digest(partition), version,
        )  # fmt: skip
        await _commit(connection, dataset, made, found, wrong)
        looked_at = dataset.counts["tx"]
        return _report(dataset, made, True, looked_at, len(found), started)
    finally:
        await links.unlock(dataset)


def token_faults(ledger: EthereumLedger, keys: U8, is_whole: bool) -> dict[bytes, int]:
    """What is wrong with the tokens of a dataset, by contract."""
    named = [b"" if each == NOBODY else keys[each].tobytes() for each in ledger.asset_contract.tolist()]
    found = faults(ledger, np.array([name in KNOWN_REBASING for name in named], np.bool_), is_whole)
    return {name: fault for name, fault in zip(named, found.tolist(), strict=True) if fault}


async def is_whole(store: EthereumStore, dataset: EthereumDataset) -> bool:
    """Whether the dataset lacks no transfer from its first block on."""
    coverage = await store.coverage(dataset)
    return dataset.is_full and not coverage["without_logs"] and not coverage["without_traces"]


async def _commit(
    connection: Connection, dataset: EthereumDataset, run: Run, found: RelationBatch, wrong: dict[bytes, int]
) -> None:
    """The run, what changed of the relations, and which tokens are not true to their logs; or nothing."""
    store = RelationStore(connection)
    async with connection.transaction():
        before = await store.standing(dataset)
        fresh, closed = changed(before, found)
        rows = {name: getattr(found, name)[fresh].astype(np.int64) for name in COLUMNS}
        await LinkStore(connection).commit(dataset, run, StoredLinks.empty(), np.empty(0, np.int64))
        await store.replace(dataset, run.run_id, rows, closed)
        await EthereumStore(connection).set_faults(dataset, wrong)


def changed(before: StoredRelations, found: RelationBatch) -> tuple[Bool, I64]:
    """Which of `found` do not stand already, and the ids of those of `before` that are found no more as they are."""
    both = np.stack(
        [np.concatenate((getattr(before, name), getattr(found, name))).astype(np.int64) for name in COLUMNS], axis=1
    )
    group = np.unique(both, axis=0, return_inverse=True)[1].reshape(-1)
    was, now = group[: len(before)], group[len(before) :]
    return ~np.isin(now, was), before.relation_id[~np.isin(was, now)]


async def research(connection: Connection, dataset: EthereumDataset) -> list[Joined]:
    """Whom the published rules would join in a dataset. Nothing is stored."""
    ledger, _, keys = await read_ledger(EthereumStore(connection), dataset)
    labels = await ethereum_labels(connection, dataset, keys, ledger.tx_time)
    service = np.full(len(keys), -1, np.int32) if labels is None else labels.entity
    return await asyncio.to_thread(victor, ledger, service)


def _report(
    dataset: EthereumDataset, run: Run, new: bool, transactions: int, relations: int, started: float
) -> UpdateReport:
    return UpdateReport(
        dataset.name, run.run_id, new, transactions, 0, 0, 0, run.cluster_count, run.address_count,
        min(1, run.address_count), run.partition_sha256, time.monotonic() - started, relations,
    )  # fmt: skip
