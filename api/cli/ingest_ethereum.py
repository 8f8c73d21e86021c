"""headwater ingest ethereum: from files, dumps or a node into a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.load_report import print_report
from api.cli.options import FormatOption, run, settings
from api.cli.output import Format, LoadProgress
from api.instance import session
from chain.ethereum.etl import EtlFolder
from chain.ethereum.load import DATASET, EthereumReport, load_extract

MAIN_CHAIN = 1
"""Chain id of the main network (EIP-155)."""


def ethereum(
    etl: Annotated[Path | None, typer.Option(help="A folder of ethereum-etl tables, CSV or JSON lines")] = None,
    chain_id: Annotated[int, typer.Option(min=1, help="Chain id (EIP-155) of what the files hold")] = MAIN_CHAIN,
    dataset: Annotated[str | None, typer.Option(help="An extract of this name; left out: the full dataset eth")] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Load Ethereum blocks and movements. A load that fails stores nothing."""
    if etl is None:
        raise typer.BadParameter("give --etl")
    if dataset in (None, DATASET):
        raise typer.BadParameter("tables prove no chain: name an extract with --dataset")

    chosen = settings()

    async def work() -> EthereumReport:
        async with session(chosen) as (_, connection):
            with LoadProgress("transactions") as progress:
                return await load_extract(connection, EtlFolder(etl, chain_id), dataset, progress=progress)

    print_report(chosen, run(work()), form)
