"""headwater simulate: a generated chain with known owners."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import FormatOption
from api.cli.output import Format, print_object
from api.simulate import simulate as write_bitcoin
from api.simulate_ethereum import simulate_ethereum
from clustering.simulate.ethereum.generator import LEAST_TRANSACTIONS as LEAST_OF_ETHEREUM
from clustering.simulate.generator import LEAST_TRANSACTIONS

LEAST = {"btc": LEAST_TRANSACTIONS, "eth": LEAST_OF_ETHEREUM}


def simulate(
    out: Annotated[Path, typer.Option("--out", help="A new folder for the blocks and the truth")],
    chain: Annotated[str, typer.Option("--chain", help="btc or eth")] = "btc",
    seed: Annotated[int, typer.Option("--seed", min=0, help="What everything follows from")] = 1,
    transactions: Annotated[int, typer.Option("--transactions", help="How many, coinbases left out")] = 25_000,
    hidden_payjoins: Annotated[
        bool, typer.Option("--hidden-payjoins", help="Payjoins avoid every form: what no rule can tell from a payment")
    ] = False,
    form: FormatOption = Format.TABLE,
) -> None:
    """Generate a chain of real blocks whose every owner is known, for tests and measurements."""
    if chain not in LEAST:
        raise typer.BadParameter(f"{chain!r} is neither btc nor eth", param_hint="--chain")
    if transactions < LEAST[chain]:
        raise typer.BadParameter(f"{LEAST[chain]:,} at least, for every kind to occur", param_hint="--transactions")
    if chain == "eth" and hidden_payjoins:
        raise typer.BadParameter("payjoins are of btc", param_hint="--hidden-payjoins")
    if chain == "eth":
        print_object(simulate_ethereum(seed, transactions, out), form)
    else:
        print_object(write_bitcoin(seed, transactions, out, hidden_payjoins=hidden_payjoins), form)
