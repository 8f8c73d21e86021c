"""The sample chain loaded and clustered, for tests that ask."""

from __future__ import annotations

from pathlib import Path

from api import clusterings
from api.instance import Instance
from chain.bitcoin.files import BlockFiles
from chain.bitcoin.network import REGTEST
from chain.load import load_chain
from chain.store.ledger import LedgerStore
from chain.store.postgres import connected
from clustering.simulate.sample import Sample, sample_chain


def write_blocks(path: Path, blocks: list[bytes]) -> Path:
    """A blk file of regtest blocks."""
    path.write_bytes(b"".join(REGTEST.magic + len(raw).to_bytes(4, "little") + raw for raw in blocks))
    return path


async def load_sample(instance: Instance, folder: Path, name: str, blocks: int | None = None) -> Sample:
    """Load the first `blocks` blocks of the sample into a full dataset and cluster it."""
    sample = sample_chain()
    path = write_blocks(folder / f"{name}.dat", sample.blocks[:blocks])
    async with connected(instance.url) as connection:
        await load_chain(connection, instance.home, BlockFiles([path], REGTEST), name)
        dataset = await LedgerStore(connection).dataset(name)
        await clusterings.update(connection, instance.home, dataset)
    return sample
