"""Chains as columns in a folder of their own, without a database: read, verified and laid as a load does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chain.bitcoin.etl import EtlFiles
from chain.bitcoin.files import BlkFolder, BlockFiles
from chain.bitcoin.network import Network
from chain.bitcoin.verify import verify_blocks
from chain.column_writer import ColumnWriter
from chain.columns import Columns
from chain.errors import MalformedData
from chain.extract import merge
from chain.ledger import lay
from chain.model import BlockBatch
from chain.source import Tip


def full_columns(source: BlockFiles | BlkFolder, folder: Path, name: str) -> Columns:
    """A whole chain from its genesis on."""
    source.connect(None, 0)
    return columns_of(list(source.batches(0, None)), source.network, folder, name, is_full=True)


def extract_columns(paths: Sequence[Path], network: Network, folder: Path, name: str) -> Columns:
    """Stated transactions from anywhere. MalformedData where a line is refused: what is measured is whole."""
    source = EtlFiles(paths, network)
    batches = [merge(list(source.all_batches()), network)]
    if source.rejects:
        raise MalformedData(f"{source.rejects[0].place}: {source.rejects[0].reason}")
    return columns_of(batches, network, folder, name, is_full=False)


def columns_of(batches: list[BlockBatch], network: Network, folder: Path, name: str, *, is_full: bool) -> Columns:
    """Batches in chain order, verified and laid into `folder`/`name`."""
    with ColumnWriter(folder / name, "measure", name, 1) as writer:
        for batch in batches:
            verify_blocks(batch, network)
            writer.stage(lay(batch, writer, network, outside=not is_full, whole=is_full).columns, in_dictionaries=True)
        last = batches[-1]
        tip = Tip(int(last.block_height[-1]), bytes(last.block_hash[-1]))
        writer.publish(tip if tip.height >= 0 else None, writer.counts, clean=True)
    return Columns.open(folder / name)
