"""Views of datasets without a database: columns written to a folder, clustered in memory."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from api.answers.view import DatasetView, coverage_of
from chain.bitcoin.etl import EtlFiles
from chain.bitcoin.files import BlockFiles
from chain.bitcoin.network import MAINNET, REGTEST, Network
from chain.bitcoin.verify import verify_blocks
from chain.column_writer import ColumnWriter
from chain.columns import Columns
from chain.extract import merge
from chain.ledger import lay
from chain.model import BlockBatch
from chain.source import Tip
from chain.store.dataset import Dataset
from chain.store.links import StoredLinks
from clustering import clustering as index
from clustering.bitcoin import cospend
from clustering.bitcoin.ledger import Ledger
from clustering.clustering import Basis, Clustering
from clustering.forest import Forest

Row = dict[str, Any]


def full_view(folder: Path, blocks: list[bytes], name: str = "demo") -> DatasetView:
    """A full regtest dataset of serialized blocks, clustered."""
    path = folder / "blk00000.dat"
    path.write_bytes(b"".join(REGTEST.magic + len(raw).to_bytes(4, "little") + raw for raw in blocks))
    source = BlockFiles([path], REGTEST)
    source.connect(None, 0)
    return _view(folder, name, REGTEST, "full", list(source.batches(0, None)))


def extract_view(folder: Path, rows: list[Row], name: str = "some") -> DatasetView:
    """A mainnet extract of bitcoin-etl rows, clustered."""
    path = folder / "transactions.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = EtlFiles([path], MAINNET)
    batches = [merge(list(source.all_batches()), MAINNET)]
    assert not source.rejects, source.rejects
    return _view(folder, name, MAINNET, "extract", batches)


def _view(folder: Path, name: str, network: Network, kind: str, batches: list[BlockBatch]) -> DatasetView:
    is_full = kind == "full"
    with ColumnWriter(folder / name, "test", name, 1) as writer:
        for batch in batches:
            verify_blocks(batch, network)
            rows = lay(batch, writer, network, outside=not is_full, whole=is_full)
            writer.stage(rows.columns, in_dictionaries=True)
        last = batches[-1]
        tip = Tip(int(last.block_height[-1]), bytes(last.block_hash[-1]))
        writer.publish(tip if tip.height >= 0 else None, writer.counts, clean=True)
    columns = Columns.open(folder / name)
    counts = {each: count for each, count in columns.manifest.counts.items() if each != "address_byte"}
    dataset = Dataset(1, name, "btc", network.name, kind, 0 if is_full else None, 1, counts, tip)
    return DatasetView(dataset, columns, clustering_of(columns, 1), coverage_of(dataset, columns))


def clustering_of(columns: Columns, run: int, txs: int | None = None) -> Clustering:
    """A run over the first `txs` transactions (None: all)."""
    end = columns.tx_count if txs is None else txs
    found = cospend.links(Ledger.of(columns), columns.block_height[columns.tx_block], 0, end)
    no_reason = np.zeros(len(found), np.uint8)
    links = StoredLinks(
        np.arange(len(found), dtype=np.int64), found.u, found.v, found.rule, found.tx, found.status, no_reason
    )
    basis = Basis("test", columns.manifest.dataset, run, "L0", 1, end, columns.address_count)
    forest = Forest.empty(columns.address_count)
    forest.attach(links.u, links.v, 0)
    return index.build(basis, columns, links, forest)


def named(*words: object) -> str:
    """64 hex digits that stand for a hash of that name."""
    return sha256(repr(words).encode()).hexdigest()


def row(number: int, inputs: list[Row], outputs: list[Row], **fields: Any) -> Row:
    """One bitcoin-etl transaction, in a block of its own."""
    return {
        "hash": named("tx", number),
        "block_hash": named("block", number),
        "block_number": 500_000 + number,
        "block_timestamp": 1_600_000_000 + 600 * number,
        "index": 1,
        "is_coinbase": False,
        "inputs": [{"index": place, **each} for place, each in enumerate(inputs)],
        "outputs": [{"index": place, **each} for place, each in enumerate(outputs)],
        **fields,
    }
