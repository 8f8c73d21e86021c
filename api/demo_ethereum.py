"""The demo's Ethereum side: two real token sales, found in tables that anybody can have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from api.answers.findings import sales_body
from api.cli.detect import sale_lines
from chain.ethereum.etl import EtlFolder
from chain.ethereum.load import load_extract
from chain.ethereum.movements import MAIN_CHAIN
from chain.store.ethereum import EthereumStore
from chain.store.postgres import Connection

DATASET = "demo-sales"
"""Extract of both sales."""

FOLDERS = ("thedao", "bancor")


async def real_sales(connection: Connection, folder: Path, say: Callable[[str], None]) -> None:
    """Load the two sales into one extract and look for what they are."""
    say("")
    say("4. Real Ethereum: ethereum-etl tables of two token sales in one extract")
    held = {each.name for each in await EthereumStore(connection).datasets(DATASET) if each.counts["tx"]}
    if DATASET in held:
        say("   loaded      before: an extract is whole when it is there")
    for name in () if DATASET in held else FOLDERS:
        report = await load_extract(connection, EtlFolder(folder / name, MAIN_CHAIN), DATASET)
        say(
            f"   loaded      {name}: {report.transactions:,} transactions, {report.movements:,} movements "
            f"in {report.seconds:.1f} s; {len(report.rejects)} rows rejected by name"
        )
    body, evidence = await sales_body(connection, DATASET)
    (answer,) = body["answers"]
    for found in answer["findings"]:
        for line in sale_lines(found):
            say(f"   {line}")
    both = answer["in_several_sales"]
    say(f"   in both     {len(both)} addresses; {len(evidence):,} purchases stand behind these findings")
