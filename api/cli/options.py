"""Options that several commands share."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from api.cli.output import Format
from chain.settings import Settings

FormatOption = Annotated[Format, typer.Option("--format", help="How to print the answer.")]
DatasetOption = Annotated[
    str | None,
    typer.Option("--dataset", help="Only this dataset; left out, every dataset of the chain answers."),
]
ChainOption = Annotated[str, typer.Option("--chain", help="btc")]

T = TypeVar("T")


def settings() -> Settings:
    """The settings in force; a usage error where one is not what it must be."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "HEADWATER_" + "_".join(str(part) for part in first["loc"]).upper()
        raise typer.BadParameter(f"{name}: {first['msg']}") from error


def local_person() -> str:
    """Who types: the user of this machine."""
    return f"local:{getpass.getuser()}"


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end."""
    return asyncio.run(work)
