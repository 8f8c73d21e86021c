"""headwater columns: the arrays that follow the database."""

from __future__ import annotations

import typer

from api.cli.options import DatasetOption, FormatOption, run, settings
from api.cli.output import Format, print_rows
from api.instance import ledger
from chain.load import rebuild_columns

app = typer.Typer(no_args_is_help=True)


@app.callback()
def columns() -> None:
    """The memory-mapped columns that follow the database."""


@app.command()
def rebuild(dataset: DatasetOption = None, form: FormatOption = Format.TABLE) -> None:
    """Throw the columns away and make them again from the database alone."""

    async def work() -> list[dict[str, object]]:
        done: list[dict[str, object]] = []
        async with ledger(settings()) as (instance, store):
            for each in await store.datasets() if dataset is None else [await store.dataset(dataset)]:
                made = await rebuild_columns(store, each, instance.home)
                done.append({"dataset": each.name, **made.manifest.counts})
        return done

    print_rows(run(work()), form)
