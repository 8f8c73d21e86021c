"""The files of a trace: byte for byte the same for the same ledgers, seeds and parameters.

summary.json        what was seeded and where it ended, by asset and convention; the equation; the range
ends.csv            one row for each seed and end
edges.csv           each step of each seed's money
seeds.csv           each seed: how it was claimed, and its sums
paths.csv           of each end the strongest path of traced money to it
seeds_rejected.csv  rows that were not traced, and why
flow.D.A.svg        a picture of dataset D and asset A
manifest.json       datasets, parameters, sizes and SHA-256 of the files
"""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from api.answers import text
from api.answers.cells import safe_cell
from api.prices import Prices
from api.tracing.edges import EDGE_COLUMNS, edge_rows, picture_steps
from api.tracing.ends import ADDRESS, OUTPUT, TRANSACTION, EndRow, Key, end_rows
from api.tracing.evidence import PATH_COLUMNS, path_rows
from api.tracing.picture import draw
from api.tracing.request import Direction
from api.tracing.run import DatasetTrace, Run, TraceResult
from api.tracing.summary import reason_of, summary_of
from chain.errors import StoreError, StoreUnavailable
from clustering.trace.ends import End

CODE_VERSION = importlib.metadata.version("headwater")

PICTURES = 5

MAX_POSSIBLE_OUTPUTS = 1_000
"""Possible outputs that one row lists."""

END_COLUMNS = (
    "dataset", "seed", "asset", "end", "reason", "value", "share_ppm", "low", "high", "hops", "first_time", "last_time",
    "cluster", "label", "company", "possible_outputs", "money", "currency", "price_source", "price_time",
)  # fmt: skip
SEED_COLUMNS = (
    "dataset", "seed", "claimed", "asset", "seeded", "live", "stopped", "fees", "burned", "cut_short",
    "poison_holdings",
)  # fmt: skip
REJECTED_COLUMNS = ("line", "row", "reason")


def write_results(
    result: TraceResult, out: Path, prices: Prices | None = None, added: Callable[[Path], None] | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write every file into the new folder `out`, which gets its name when all is there; the summary.

    `prices`: money of account beside the ends. `added` writes further files into the folder, which follow from `inputs`
    too.

    StoreError where something is there already, StoreUnavailable where it cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"{out} is not empty: results go into a new folder")
    part = out.with_name(f"{out.name}.{os.getpid()}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        rests_on = {**inputs_of(result), **({} if prices is None else prices.inputs()), **(inputs or {})}
        summary = _write(result, part, prices, added, rests_on)
        if out.exists():
            out.rmdir()
        part.rename(out)
    except OSError as error:
        raise StoreUnavailable(f"cannot write {out}: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return summary


def _write(
    result: TraceResult, folder: Path, prices: Prices | None, added: Callable[[Path], None] | None,
    inputs: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    run_id = hashlib.sha256(_json(inputs)).hexdigest()
    summary = {"run": run_id, **summary_of(result)}
    ends = [(trace, end_rows(trace, result.request.direction)) for trace in result.datasets]
    (folder / "summary.json").write_bytes(_json(summary))
    write_table(
        folder / "ends.csv",
        END_COLUMNS,
        (row for trace, rows in ends for row in _end_cells(result, trace, rows, prices)),
    )
    paths = (row for trace, rows in ends for row in path_rows(result, trace, rows, _named(result, trace, rows)))
    write_table(folder / "paths.csv", PATH_COLUMNS, paths)
    edges = (row for trace in result.datasets for row in edge_rows(result, trace))
    write_table(folder / "edges.csv", EDGE_COLUMNS, edges)
    write_table(
        folder / "seeds.csv", SEED_COLUMNS, (row for trace in result.datasets for row in _seed_cells(result, trace))
    )
    for trace in result.datasets:
        _pictures(result, trace, folder)
    rejected = [[str(each.row) if each.row else "", each.text, each.reason] for each in result.rejected]
    write_table(folder / "seeds_rejected.csv", REJECTED_COLUMNS, rejected)
    if added is not None:
        added(folder)
    files = {path.name: _digest(path) for path in sorted(folder.iterdir())}
    (folder / "manifest.json").write_bytes(_json({"run": run_id, **inputs, "files": files}))
    return summary


def _pictures(result: TraceResult, trace: DatasetTrace, folder: Path) -> None:
    """A picture of each asset that was seeded with the most, `PICTURES` at most."""
    steps = picture_steps(trace, result.request.direction)
    for balance in sorted(trace.main.union, key=lambda each: (-each.seeded, each.asset))[:PICTURES]:
        if balance.asset not in steps:
            continue
        asset = trace.ground.asset_name(balance.asset)
        title = f"{trace.ground.dataset}: {asset}, {result.request.direction.value}, {result.request.policy.value}"
        picture = draw(steps[balance.asset], title, f"base units of {asset}")
        (folder / f"flow.{trace.ground.dataset}.{asset}.svg").write_text(picture, encoding="utf-8")


def inputs_of(result: TraceResult) -> dict[str, Any]:
    """What the results follow from: the run's id is the hash of this."""
    return {
        "code_version": CODE_VERSION,
        "datasets": [dict(trace.ground.about) for trace in result.datasets],
        "parameters": dict(result.request.parameters()),
        "seeds": [seed.name for seed in result.seeds],
    }


def _json(body: Any) -> bytes:
    return (json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _digest(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A CSV file, its cells safe for a spreadsheet."""
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([safe_cell(cell) for cell in row] for row in rows)


def _end_cells(
    result: TraceResult, trace: DatasetTrace, rows: dict[Key, EndRow], prices: Prices | None
) -> list[list[str]]:
    ground, direction = trace.ground, result.request.direction
    seeded = {(balance.seed, balance.asset): balance.seeded for balance in trace.main.seeds}
    cells = []
    for (seed, asset, end, kind, name), row in rows.items():
        whole = seeded.get((seed, asset), 0)
        share = row.value * 1_000_000 // whole if whole else 0
        address = kind == ADDRESS
        cells.append([
            ground.dataset, result.seeds[seed].name, ground.asset_name(asset), _end_name(trace, kind, name),
            reason_of(End(end), direction), str(row.value), str(share), str(row.low), str(row.high), str(row.hops),
            _moment(trace, row.first), _moment(trace, row.last), ground.cluster(name) if address else "",
            ground.label(name) if address else "", "", _possible(trace, kind, name, end),
            *_money(trace, prices, asset, row),
        ])  # fmt: skip
    return sorted(cells)


def _named(result: TraceResult, trace: DatasetTrace, rows: dict[Key, EndRow]) -> dict[Key, tuple[str, str]]:
    """End and reason of each row."""
    direction = result.request.direction
    return {key: (_end_name(trace, key[3], key[4]), reason_of(End(key[2]), direction)) for key in rows}


def _money(trace: DatasetTrace, prices: Prices | None, asset: int, row: EndRow) -> list[str]:
    """What the value was worth when the last of it came there; empty where no price holds."""
    when = int(trace.ground.times[row.last])
    found = None if prices is None else prices.money(trace.ground.asset_name(asset), row.value, when)
    if prices is None or found is None:
        return ["", "", "", ""]
    return [found.value, prices.currency, f"{found.source} ({found.method})", text.moment(found.at) or ""]


def _end_name(trace: DatasetTrace, kind: int, name: int) -> str:
    if kind == ADDRESS:
        return trace.ground.address(name)
    if kind == OUTPUT:
        return trace.ground.output(name)
    return trace.ground.txid(int(trace.ground.base.tx[name])) if kind == TRANSACTION else ""


def _moment(trace: DatasetTrace, movement: int) -> str:
    return text.moment(int(trace.ground.times[movement])) or ""


def _possible(trace: DatasetTrace, kind: int, name: int, end: int) -> str:
    if kind != TRANSACTION or end != End.COINJOIN:
        return ""
    outputs = trace.ground.possible_outputs(name)
    more = [f"and {len(outputs) - MAX_POSSIBLE_OUTPUTS} more"] if len(outputs) > MAX_POSSIBLE_OUTPUTS else []
    return " ".join([*outputs[:MAX_POSSIBLE_OUTPUTS], *more])


def _seed_cells(result: TraceResult, trace: DatasetTrace) -> list[list[str]]:
    ground, run = trace.ground, trace.main
    return sorted(
        [
            ground.dataset, result.seeds[balance.seed].name, _claimed(run, balance.seed, result.request.direction),
            ground.asset_name(balance.asset), str(balance.seeded), str(balance.live), str(balance.stopped),
            str(balance.fees), str(balance.burned), str(balance.cut_short),
            "" if trace.upper is None else str(trace.upper.holdings[balance.seed]),
        ]
        for balance in run.seeds
    )  # fmt: skip


def _claimed(run: Run, seed: int, direction: Direction) -> str:
    if direction == Direction.BACKWARD:
        return "what it received, back"
    return {"received": "what it received", "paid": "what it paid: nothing is known that it received"}[
        run.sowing.modes[seed]
    ]
