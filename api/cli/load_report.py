"""What a load did, printed; rows that it did not take go to a file that is named."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path

import typer

from api.answers.cells import safe_cell
from api.cli.output import Format, print_object, stderr
from chain.ethereum.load import EthereumReport
from chain.load import LoadReport
from chain.settings import Settings
from chain.source import Reject

EXIT_IN_PART = 3

SHOWN = 3
"""Rejects that are told at once."""


def print_report(chosen: Settings, report: LoadReport | EthereumReport, form: Format) -> None:
    """The report on stdout; typer.Exit with `EXIT_IN_PART` where something was rejected."""
    rejects = _write_rejects(chosen, report.dataset, report.rejects) if report.rejects else None
    body = {**asdict(report), "seconds": f"{report.seconds:.2f}", "rejects": len(report.rejects)}
    print_object({**body, "rejects_file": None if rejects is None else str(rejects)}, form)
    if rejects is not None:
        for reject in report.rejects[:SHOWN]:
            stderr.print(f"{reject.source}, {reject.place}: {reject.reason}", markup=False, soft_wrap=True)
        stderr.print(f"{len(report.rejects)} rejected, listed in {rejects}", markup=False, soft_wrap=True)
        raise typer.Exit(EXIT_IN_PART)


def _write_rejects(chosen: Settings, dataset: str, rejects: list[Reject]) -> Path:
    path = chosen.folder / "rejects" / f"{dataset}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["source", "place", "reason"])
        writer.writerows(
            [safe_cell(reject.source), safe_cell(reject.place), safe_cell(reject.reason)] for reject in rejects
        )
    return path
