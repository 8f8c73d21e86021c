"""headwater ingest ethereum: from files, dumps or a node into a dataset."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from api.cli.load_report import print_report
from api.cli.options import FormatOption, run, settings
from api.cli.output import Format, LoadProgress, stderr
from api.instance import session
from chain.errors import NodeError
from chain.ethereum.etl import EtlFolder
from chain.ethereum.files import EthereumFiles
from chain.ethereum.load import DATASET, EthereumReport, PartSource, load_chain, load_extract
from chain.ethereum.movements import MAIN_CHAIN
from chain.ethereum.naming import name_tokens
from chain.store.ethereum import EthereumStore
from chain.store.postgres import Connection

if TYPE_CHECKING:
    from chain.ethereum.node import EthereumNode


def ethereum(
    rpc: Annotated[str | None, typer.Option(help="A node: http://host:port")] = None,
    etl: Annotated[Path | None, typer.Option(help="A folder of ethereum-etl tables, CSV or JSON lines")] = None,
    json: Annotated[list[Path] | None, typer.Option(help="Blocks as a node answers them, and receipts")] = None,
    rlp: Annotated[list[Path] | None, typer.Option(help="Blocks as the hex of header, body and receipts")] = None,
    more: Annotated[list[Path] | None, typer.Argument(help="More files for --json or --rlp")] = None,
    from_height: Annotated[
        int | None, typer.Option("--from", min=0, help="Height of the first block of an empty dataset (its anchor)")
    ] = None,
    to_height: Annotated[int | None, typer.Option("--to", min=0, help="Last height to load")] = None,
    chain_id: Annotated[int, typer.Option(min=1, help="Chain id (EIP-155) of what the files hold")] = MAIN_CHAIN,
    dataset: Annotated[str | None, typer.Option(help="An extract of this name; left out: the full dataset eth")] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Load Ethereum blocks and movements. Exit code 3 where some rows were rejected, to a file that is named."""
    given = [name for name, value in (("--rpc", rpc), ("--etl", etl), ("--json", json), ("--rlp", rlp)) if value]
    if len(given) != 1:
        raise typer.BadParameter(f"give one of --rpc, --etl, --json, --rlp (got {', '.join(given) or 'none'})")
    if more and not (json or rlp):
        raise typer.BadParameter("further files go with --json or --rlp")
    full = dataset in (None, DATASET)
    if full and etl is not None:
        raise typer.BadParameter("tables prove no chain: name an extract with --dataset")
    if not full and (from_height is not None or to_height is not None):
        raise typer.BadParameter("--from and --to go with the full dataset; an extract takes all that it is given")
    if not full and rpc is not None:
        raise typer.BadParameter("a node fills the full dataset: leave --dataset out")
    chosen = settings()

    async def work() -> EthereumReport:
        files = [*(json or rlp or []), *(more or [])]
        source: EthereumNode | EtlFolder | EthereumFiles
        if rpc is not None:
            from chain.ethereum.node import EthereumNode  # noqa: PLC0415 (web3 takes most of a second to import)

            source = await asyncio.to_thread(EthereumNode, rpc)
        else:
            source = EtlFolder(etl, chain_id) if etl is not None else EthereumFiles(files, chain_id, rlp=bool(rlp))
        async with session(chosen) as (_, connection):
            with LoadProgress("transactions" if not full else "blocks") as progress:
                if isinstance(source, EtlFolder) or not full:
                    assert dataset is not None, "refused above"
                    return await load_extract(connection, cast(PartSource, source), dataset, progress=progress)
                report = await load_chain(
                    connection, source, anchor_height=from_height, last_height=to_height, progress=progress
                )
            if not isinstance(source, EthereumFiles):
                report.tokens_asked = await _name(connection, source)
            return report

    print_report(chosen, run(work()), form)


async def _name(connection: Connection, node: EthereumNode) -> int:
    """Ask the node for the words of new tokens; where it fails the load stands, and the next one asks on."""
    store = EthereumStore(connection)
    asked = 0
    try:
        with LoadProgress("tokens asked for their names") as progress:
            async for asked in name_tokens(store, await store.dataset(DATASET), node):
                progress(asked, None)
    except NodeError as error:
        stderr.print(f"not every token was asked for its name, the next load goes on: {error}", markup=False)
    return asked
