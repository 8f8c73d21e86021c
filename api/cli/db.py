"""headwater db: the embedded database, and migrations of whichever database is named."""

from __future__ import annotations

import typer

from api.cli.options import FormatOption, run, settings
from api.cli.output import Format, print_object
from api.instance import open_instance
from chain.errors import HeadwaterError
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.postgres import connected, migrate

app = typer.Typer(no_args_is_help=True)


@app.command()
def start(form: FormatOption = Format.TABLE) -> None:
    """Start the embedded database (nothing where HEADWATER_DATABASE_URL names another) and bring it up to date."""
    run(open_instance(settings()))
    print_object(_status(settings()), form)


@app.command()
def stop(form: FormatOption = Format.TABLE) -> None:
    """Stop the embedded database."""
    print_object({"stopped": EmbeddedPostgres(settings().folder).stop()}, form)


@app.command()
def status(form: FormatOption = Format.TABLE) -> None:
    """Whether the database runs, and its URL."""
    print_object(_status(settings()), form)


@app.command("migrate")
def migrate_command(form: FormatOption = Format.TABLE) -> None:
    """Apply the migrations that the database lacks."""

    async def work() -> list[str]:
        chosen = settings()
        if chosen.database_url is not None:
            url = chosen.database_url.get_secret_value()
        else:
            url = EmbeddedPostgres(chosen.folder).start()
        async with connected(url) as connection:
            return await migrate(connection)

    print_object({"applied": run(work())}, form)


def _status(chosen: Settings) -> dict[str, object]:
    if chosen.database_url is None:
        return {"embedded": True, **EmbeddedPostgres(chosen.folder).status()}
    url = chosen.database_url.get_secret_value()

    async def probe() -> bool:
        try:
            async with connected(url):
                return True
        except HeadwaterError:
            return False

    return {"embedded": False, "running": run(probe()), "data": None, "url": url, "log": None}
