"""headwater ingest: from files, dumps or a node into a dataset."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from api.cli.ingest_ethereum import ethereum
from api.cli.load_report import print_report
from api.cli.options import FormatOption, run, settings
from api.cli.output import Format, LoadProgress
from api.instance import session
from chain.bitcoin.etl import EtlFiles
from chain.bitcoin.files import BlkFolder, BlockFiles
from chain.bitcoin.network import MAINNET, NETWORKS, Network
from chain.bitcoin.records import folder_network
from chain.bitcoin.rpc import NodeSource
from chain.errors import NotFound
from chain.load import LoadReport, load_chain, load_extract
from chain.store.ledger import LedgerStore

app = typer.Typer(no_args_is_help=True)
app.command()(ethereum)

Source = NodeSource | BlkFolder | BlockFiles | EtlFiles


@app.callback()
def ingest() -> None:
    """Load chain data, verified. Run again, each goes on where it was."""


@app.command()
def bitcoin(
    rpc: Annotated[str | None, typer.Option(help="A node: http://user:password@host:port")] = None,
    cookie: Annotated[Path | None, typer.Option(help="The node's cookie file, where --rpc names no user")] = None,
    blk_dir: Annotated[Path | None, typer.Option(help="A node's folder of blk*.dat files")] = None,
    block: Annotated[list[Path] | None, typer.Option(help="Files of one serialized block each")] = None,
    etl: Annotated[list[Path] | None, typer.Option(help="bitcoin-etl transactions, JSON lines")] = None,
    more: Annotated[list[Path] | None, typer.Argument(help="More files for --block or --etl")] = None,
    from_height: Annotated[
        int | None,
        typer.Option("--from", min=0, help="Height of the first block of an empty dataset (its anchor)"),
    ] = None,
    to_height: Annotated[int | None, typer.Option("--to", min=0, help="Last height to load")] = None,
    dataset: Annotated[str | None, typer.Option(help="An extract of this name; left out: the full dataset btc")] = None,
    network: Annotated[
        str | None, typer.Option(help=f"{', '.join(NETWORKS)}; left out: what the dataset, node or files are")
    ] = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Load Bitcoin blocks. Exit code 3 where some rows were rejected: they are listed in a file that is named."""
    if network is not None and network not in NETWORKS:
        raise typer.BadParameter(f"unknown network {network!r}; one of {', '.join(NETWORKS)}")
    given = [
        name for name, value in (("--rpc", rpc), ("--blk-dir", blk_dir), ("--block", block), ("--etl", etl)) if value
    ]
    if len(given) != 1:
        raise typer.BadParameter(f"give one of --rpc, --blk-dir, --block, --etl (got {', '.join(given) or 'none'})")
    if more and not (block or etl):
        raise typer.BadParameter("further files go with --block or --etl")
    if dataset not in (None, "btc") and rpc is not None:
        raise typer.BadParameter("a node fills the full dataset: leave --dataset out")
    if dataset not in (None, "btc") and (from_height is not None or to_height is not None):
        raise typer.BadParameter("--from and --to go with the full dataset; an extract takes all that it is given")
    chosen = settings()
    files = [*(block or etl or []), *(more or [])]
    asked = None if network is None else NETWORKS[network]

    async def work() -> LoadReport:
        async with session(chosen) as (instance, connection):
            known = asked or await _network_of(LedgerStore(connection), dataset or "btc")
            with (
                _source(rpc, cookie, blk_dir, files, bool(etl), known) as source,
                LoadProgress("blocks") as progress,
            ):
                if dataset is None or dataset == "btc":
                    return await load_chain(
                        connection, instance.home, source, "btc",
                        anchor_height=from_height, last_height=to_height, progress=progress,
                    )  # fmt: skip
                assert not isinstance(source, NodeSource), "refused above"
                return await load_extract(connection, instance.home, source, dataset, progress=progress)

    print_report(chosen, run(work()), form)


async def _network_of(store: LedgerStore, dataset: str) -> Network | None:
    try:
        return (await store.dataset(dataset)).params
    except NotFound:
        return None


@contextlib.contextmanager
def _source(
    rpc: str | None,
    cookie: Path | None,
    blk_dir: Path | None,
    files: list[Path],
    is_etl: bool,
    network: Network | None,
) -> Iterator[Source]:
    """The source that was asked for; a node's connections are closed at the end."""
    if rpc is not None:
        with NodeSource(rpc, network, cookie=cookie) as node:
            yield node
    elif blk_dir is not None:
        yield BlkFolder(blk_dir, network or folder_network(blk_dir) or MAINNET)
    elif is_etl:
        yield EtlFiles(files, network or MAINNET)
    else:
        yield BlockFiles(files, network or MAINNET)
