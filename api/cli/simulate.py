"""headwater simulate: a generated chain with known owners."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import FormatOption
from api.cli.output import Format, print_object
from api.simulate import simulate as write
from clustering.simulate.generator import LEAST_TRANSACTIONS


def simulate(
    out: Annotated[Path, typer.Option("--out", help="A new folder for the blocks and the truth")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="What everything follows from")] = 1,
    transactions: Annotated[
        int, typer.Option("--transactions", min=LEAST_TRANSACTIONS, help="How many, coinbases left out")
    ] = 25_000,
    hidden_payjoins: Annotated[
        bool, typer.Option("--hidden-payjoins", help="Payjoins avoid every form: what no rule can tell from a payment")
    ] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Generate a chain of real regtest blocks whose every owner is known, for tests and measurements."""
    print_object(write(seed, transactions, out, hidden_payjoins=hidden_payjoins), form)
