"""headwater config: the settings in force."""

from __future__ import annotations

import typer

from api.cli.options import FormatOption, settings
from api.cli.output import Format, print_rows
from chain.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def config() -> None:
    """Settings: flag > environment (HEADWATER_…) > headwater.toml > default."""


@app.command()
def show(form: FormatOption = Format.TABLE) -> None:
    """Every setting with its value; secrets are masked."""
    chosen = settings()
    rows = [
        {
            "setting": f"HEADWATER_{name.upper()}",
            "value": str(getattr(chosen, name)),
            "meaning": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]
    print_rows(rows, form)
