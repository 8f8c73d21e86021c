"""headwater chain: what is loaded."""

from __future__ import annotations

import contextlib

import typer

from api.answers.ethereum import ethereum_state
from api.answers.opening import LOADED, open_view
from api.answers.state import dataset_state
from api.answers.state_shapes import DatasetState
from api.cli.options import DatasetOption, FormatOption, run, settings
from api.cli.output import Format, print_object, print_rows
from api.instance import session
from chain.errors import NotFound
from chain.store.answers import AnswerStore
from chain.store.ethereum import EthereumStore
from chain.store.ledger import LedgerStore

app = typer.Typer(no_args_is_help=True)


@app.callback()
def chain() -> None:
    """What is loaded."""


@app.command()
def status(
    chain: str | None = typer.Option(None, "--chain", help="btc or eth; left out, every chain"),
    dataset: DatasetOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Each dataset's tip, gaps, lag and coverage."""
    if chain not in (None, *LOADED):
        raise NotFound(f"there is no such chain here; {' and '.join(LOADED)} are")

    async def work() -> list[DatasetState]:
        async with session(settings()) as (instance, connection):
            states = {state.name: state for state in await AnswerStore(connection).states()}
            found = []
            for each in await LedgerStore(connection).datasets(chain):
                if dataset not in (None, each.name):
                    continue
                view = None
                with contextlib.suppress(NotFound):  # nothing of it was ever loaded
                    view = await open_view(connection, instance.url, instance.home, each)
                found.append(dataset_state(each, states[each.name], view))
            for other in await EthereumStore(connection).datasets(dataset) if chain in (None, "eth") else []:
                found.append(await ethereum_state(connection, other))
            return found

    found = run(work())
    if dataset is not None and not found:
        raise NotFound(f"there is no dataset {dataset!r}")
    if form is Format.TABLE:
        print_rows([_row(state) for state in found], form, list(_COLUMNS))
    else:
        print_object({"datasets": found}, form)


_COLUMNS = (
    "dataset", "network", "kind", "tip", "time", "blocks", "transactions", "addresses", "stated", "outside",
    "gaps", "columns behind", "run", "clusters behind",
)  # fmt: skip


def _row(state: DatasetState) -> dict[str, object]:
    tip, coverage = state["tip"], state["coverage"]
    return {
        "dataset": state["dataset"],
        "network": state["network"],
        "kind": state["kind"],
        "tip": None if tip is None else tip["height"],
        "time": None if tip is None else tip["time"],
        "blocks": state["blocks"],
        "transactions": state["transactions"],
        "addresses": state["addresses"],
        "stated": None if coverage is None else coverage["blocks_stated"],
        "outside": None if coverage is None else coverage.get("inputs_from_outside"),
        "gaps": state["gaps"],
        "columns behind": state["columns_behind"],
        "run": state["run"],
        "clusters behind": state["clustering_behind"],
    }
