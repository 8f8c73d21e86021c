"""A load in a process of its own, to be killed: python -m tests.integration.crash_loader HOME KIND NAME FILE."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from api.instance import session
from chain import load
from chain.bitcoin import files
from chain.bitcoin.files import BlockFiles
from chain.bitcoin.network import REGTEST
from chain.errors import StoreError
from chain.settings import Settings

EXIT_STORE = 7
BATCH_BLOCKS = 6
"""Blocks of a batch here: a load has several commits."""


async def run(home: Path, kind: str, name: str, path: Path) -> None:
    async with session(Settings(home=home, database_url=None)) as (instance, connection):
        source = BlockFiles([path], REGTEST)
        if kind == "chain":
            await load.load_chain(connection, instance.home, source, name)
        else:
            await load.load_extract(connection, instance.home, source, name)


def small_batches() -> None:
    """Several batches to a load, each published."""
    files.BATCH_BLOCKS = BATCH_BLOCKS
    load.PUBLISH_SECONDS = 0


if __name__ == "__main__":
    small_batches()
    home, kind, name, path = sys.argv[1:]
    try:
        asyncio.run(run(Path(home), kind, name, Path(path)))
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_STORE)
