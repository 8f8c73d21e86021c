"""Loading Ethereum: batches from a source into Postgres, each whole or not at all, the cursor in the same transaction.

A full dataset grows block by block from its anchor; where the source's chain differs from the stored one, the blocks
above the fork are taken out and the new branch put in by one transaction, so that nobody sees a shorter chain. An
extract is laid again whole whenever something is added.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from chain import faults
from chain.errors import IntegrityError, StoreError
from chain.ethereum import extract
from chain.ethereum.laying import LaidBatch, distinct_addresses, lay
from chain.ethereum.model import EthereumBatch
from chain.ethereum.tokens import TokenFacts
from chain.ethereum.verify import verify_links
from chain.source import Reject, Tip
from chain.store.ethereum import EthereumDataset, EthereumStore
from chain.store.postgres import LOST, Connection, available
from chain.threads import in_thread, patiently, to_the_end

Progress = Callable[[int, int | None], None]
"""Called with the height reached and the height aimed at."""

DATASET = "eth"
"""Name of the full dataset."""


class BlockSource(Protocol):
    """The blocks of one chain, in order of height, verified: what a full dataset is loaded from."""

    chain_id: int

    def tip(self) -> Tip | None:
        """The highest block; None where there is none."""

    def hash_at(self, height: int) -> bytes | None:
        """The block hash at a height, None where the source does not reach it."""

    def batches(self, first: int, last: int | None) -> Iterator[EthereumBatch]:
        """The blocks from `first` to `last` (None: to the tip), each batch with its parents known."""


class PartSource(Protocol):
    """Blocks or parts of blocks in any order: what an extract is loaded from."""

    chain_id: int
    rejects: list[Reject]

    def all_batches(self) -> Iterator[EthereumBatch]:
        """Everything the source has."""

    def tokens(self) -> list[TokenFacts]:
        """What is said of tokens there, beside the blocks; to be asked for after the batches."""


@dataclass(slots=True)
class EthereumReport:
    """What a load did; the command line prints it."""

    dataset: str
    network: str
    kind: str
    went_on_from: int | None = None
    blocks: int = 0
    transactions: int = 0
    movements: int = 0
    addresses: int = 0
    assets: int = 0
    tip_height: int | None = None
    tip_hash: str | None = None
    rolled_back: int = 0
    """Blocks that a reorganisation of the source's chain took out."""
    coverage: dict[str, int] = field(default_factory=dict)
    tokens_asked: int = 0
    """Tokens that a node was asked about (chain/ethereum/naming.py)."""
    seconds: float = 0.0
    rejects: list[Reject] = field(default_factory=list)


async def load_chain(
    connection: Connection,
    source: BlockSource,
    *,
    anchor_height: int | None = None,
    last_height: int | None = None,
    progress: Progress = lambda at, goal: None,
) -> EthereumReport:
    """Bring the full dataset to the source's tip (or `last_height`).

    `anchor_height` declares the first block of an empty dataset; None means genesis. Raises IntegrityError (a named
    check; nothing of the batch is stored), SourceError, StoreError.
    """
    started = time.monotonic()
    with available("the database went away during the load"):
        store = EthereumStore(connection)
        dataset = await store.open_dataset(DATASET, source.chain_id, "full", anchor_height or 0)
        async with _writing(store, dataset) as dataset:
            report = _begin(dataset)
            await _load_chain(store, dataset, source, last_height, report, progress)
            return await _finish(store, dataset, report, started)


async def load_extract(
    connection: Connection, source: PartSource, name: str, *, progress: Progress = lambda at, goal: None
) -> EthereumReport:
    """Add what the source has to an extract and lay it again in chain order, in one transaction; all of it is in
    memory at once."""
    started = time.monotonic()
    with available("the database went away during the load"):
        store = EthereumStore(connection)
        dataset = await store.open_dataset(name, source.chain_id, "extract", None)
        async with _writing(store, dataset) as dataset:
            report = _begin(dataset)
            await _load_extract(store, dataset, source, progress)
            report.rejects = source.rejects
            return await _finish(store, dataset, report, started)


@contextlib.asynccontextmanager
async def _writing(store: EthereumStore, dataset: EthereumDataset) -> AsyncIterator[EthereumDataset]:
    await patiently(store.lock_writer, dataset)
    try:
        yield await store.dataset(dataset.name)
    finally:
        with contextlib.suppress(*LOST):
            await store.unlock_writer(dataset)


def _begin(dataset: EthereumDataset) -> EthereumReport:
    tip = None if dataset.tip is None else dataset.tip.height
    report = EthereumReport(dataset.name, dataset.network, dataset.kind, went_on_from=tip)
    report.blocks, report.transactions = -dataset.counts["block"], -dataset.counts["tx"]
    report.movements, report.addresses = -dataset.counts["movement"], -dataset.counts["address"]
    report.assets = -dataset.counts["asset"]
    return report


async def _finish(
    store: EthereumStore, dataset: EthereumDataset, report: EthereumReport, started: float
) -> EthereumReport:
    now = await store.dataset(dataset.name)
    report.blocks += now.counts["block"] + report.rolled_back
    report.transactions += now.counts["tx"]
    report.movements += now.counts["movement"]
    report.addresses += now.counts["address"]
    report.assets += now.counts["asset"]
    report.tip_height = None if now.tip is None else now.tip.height
    report.tip_hash = f"0x{now.tip.hash.hex()}" if now.tip is not None and now.tip.hash else None
    report.coverage = dict(await store.coverage(now))
    report.seconds = time.monotonic() - started
    return report


async def _lay(store: EthereumStore, dataset: EthereumDataset, batch: EthereumBatch) -> LaidBatch:
    distinct = await in_thread(distinct_addresses, batch)
    known = await store.known_addresses(dataset, distinct[0])
    return await in_thread(lay, batch, dataset.counts, distinct, known, await store.assets(dataset))


async def _load_extract(store: EthereumStore, dataset: EthereumDataset, source: PartSource, progress: Progress) -> None:
    batches: list[EthereumBatch] = []
    for batch in source.all_batches():
        batches.append(batch)
        progress(sum(each.tx_count for each in batches), None)
    if not sum(each.block_count for each in batches):
        return
    again = dataset.counts["block"] > 0
    if again:
        batches.insert(0, await extract.stored_batch(store, dataset))
    merged = await in_thread(extract.merge, batches)
    async with store.connection.transaction():
        if again:
            dataset = await store.rollback(dataset, -1)
        faults.reach("during_rollback", store.connection.get_server_pid())
        await to_the_end(store.commit(dataset, await _lay(store, dataset, merged)))
        await store.keep_tokens(dataset, source.tokens())


async def _load_chain(
    store: EthereumStore,
    dataset: EthereumDataset,
    source: BlockSource,
    last_height: int | None,
    report: EthereumReport,
    progress: Progress,
) -> None:
    goal = source.tip()
    ends = (None if goal is None else goal.height, last_height)
    aim = min((height for height in ends if height is not None), default=None)
    tip = dataset.tip
    if tip is None or aim is None or aim <= tip.height:
        # a lower tip is a node that is behind, not a reorganisation
        first = (dataset.anchor_height or 0) if tip is None else tip.height + 1
        await _load_batches(store, dataset, source.batches(first, last_height), aim, progress)
        return
    fork = await _fork_point(store, dataset, source, tip)
    if fork == tip:
        await _load_batches(store, dataset, source.batches(tip.height + 1, last_height), aim, progress)
        return
    async with store.connection.transaction():
        cut = await store.rollback(dataset, fork.height - (dataset.anchor_height or 0))
        faults.reach("after_rollback", store.connection.get_server_pid())
        grown = await _load_batches(store, cut, source.batches(fork.height + 1, last_height), aim, progress)
        if grown.tip is None or grown.tip.height <= tip.height:
            raise IntegrityError("parent", f"height {tip.height + 1}", "the source's chain ends below the stored tip")
    report.rolled_back = tip.height - fork.height


async def _load_batches(
    store: EthereumStore,
    dataset: EthereumDataset,
    batches: Iterator[EthereumBatch],
    aim: int | None,
    progress: Progress,
) -> EthereumDataset:
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        if not batch.block_count:
            continue
        first = (dataset.anchor_height or 0) if dataset.tip is None else dataset.tip.height + 1
        verify_links(batch, dataset.tip, first)
        await to_the_end(store.commit(dataset, await _lay(store, dataset, batch)))
        dataset = await store.dataset(dataset.name)
        progress(int(batch.block_height[-1]), aim)
    return dataset


async def _fork_point(store: EthereumStore, dataset: EthereumDataset, source: BlockSource, tip: Tip) -> Tip:
    """The highest block that the dataset and the source's chain share. IntegrityError where none is known."""
    for height in range(tip.height, (dataset.anchor_height or 0) - 1, -1):
        stored = await store.block_at(dataset, height)
        theirs = source.hash_at(height)
        if theirs is None:
            if height == tip.height:
                return tip  # a file that begins behind the tip: its first block's parent is checked
            raise IntegrityError("parent", f"height {height + 1}", "the source does not reach back to the fork")
        if stored is not None and stored[1] == theirs:
            return Tip(height, theirs)
    raise StoreError(f"the source's chain shares no block with dataset {dataset.name}, down to its anchor")
