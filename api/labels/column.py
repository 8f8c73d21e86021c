"""The label column of a dataset: an index over the labels of one version, made again where it is not as it must be.

HEADWATER_HOME/labels/<dataset>/<version>/ has the arrays and a manifest of what they rest on; Postgres the record.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from api.labels.statements import statement
from chain.columns import Columns
from chain.errors import StoreUnavailable
from chain.model import I32
from chain.store.answers import reading
from chain.store.dataset import Dataset
from chain.store.labels import LabelStore
from chain.store.postgres import Connection, connected
from clustering.labels import LabelColumn
from clustering.labels import label_column as pure_column

FORM = 2
"""Raised when the rule or the files change, so that older folders are made again."""

KEPT_VERSIONS = 2
"""Folders of the newest versions that stay on disk."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def labels_folder(home: Path, dataset: str) -> Path:
    return home / "labels" / dataset


async def label_column(connection: Connection, home: Path, dataset: Dataset, columns: Columns) -> LabelColumn | None:
    """The column of the newest version of the label set; None where nothing was ever imported."""
    store = LabelStore(connection)
    version = await store.version()
    if not version:
        return None
    basis = _basis(dataset, columns, version)
    folder = labels_folder(home, dataset.name)
    found = await asyncio.to_thread(_load, folder, basis)
    if found is not None:
        return found
    made = await _make(store, dataset, columns, version)
    await asyncio.to_thread(_save, folder, basis, made)
    return made


def last_day(columns: Columns) -> date:
    """The day of the latest block: on it a label must be in force to count, so that no clock decides."""
    return day_of(int(columns.block_time.max()) if len(columns.block_time) else 0)


def day_of(seconds: int) -> date:
    """The day in UTC of a block's time."""
    try:
        return (_EPOCH + timedelta(seconds=seconds)).date()
    except OverflowError:  # a time that no calendar has
        return date.max


async def _make(store: LabelStore, dataset: Dataset, columns: Columns, version: int) -> LabelColumn:
    actors = await store.actors(version)
    claims = await store.claims(dataset.network, version)
    rows = await store.keys(dataset.chain, dataset.network, version)
    statements = [statement(claim, actors) for claim in claims]
    numbers = np.array([claim["source_id"] << 32 | claim["claim_id"] for claim in claims], np.int64)
    wanted = rows.source_id.astype(np.int64) << 32 | rows.claim_id

    def make() -> LabelColumn:
        address = columns.find_addresses(rows.key, rows.size)
        place: I32 = np.searchsorted(numbers, wanted).astype(np.int32)
        return pure_column(version, last_day(columns), columns.address_count, address, place, statements)

    return await asyncio.to_thread(make)


def _basis(dataset: Dataset, columns: Columns, version: int) -> dict[str, Any]:
    return {
        "form": FORM,
        "database_id": columns.manifest.database_id,
        "dataset": dataset.name,
        "epoch": columns.manifest.epoch,
        "address_count": columns.address_count,
        "on": last_day(columns).isoformat(),
        "version": version,
    }


def _load(folder: Path, basis: dict[str, Any]) -> LabelColumn | None:
    """The column on disk; None where it is missing, damaged or of something else."""
    target = folder / str(basis["version"])
    try:
        manifest = json.loads((target / "manifest.json").read_text())
        entities, labelled_count = manifest.pop("entities"), manifest.pop("labelled_count")
        if manifest != basis:
            return None
        arrays = {
            name: np.load(target / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("entity", "labelled", "kind")
        }
    except (OSError, ValueError, KeyError, AttributeError, TypeError, EOFError):
        return None
    forms = [(each.dtype, each.shape) for each in arrays.values()]
    size = (basis["address_count"],)
    if forms != [(np.int32, size), (np.int32, (labelled_count,)), (np.uint8, size)]:
        return None
    return LabelColumn(
        basis["version"], date.fromisoformat(basis["on"]), arrays["entity"], entities, arrays["labelled"],
        arrays["kind"],
    )  # fmt: skip


def _save(folder: Path, basis: dict[str, Any], column: LabelColumn) -> None:
    """Write a folder beside, then put it in its place; where another process was first, its stands."""
    target, part = folder / str(column.version), folder / f"{column.version}.{os.getpid()}.part"
    manifest = {**basis, "entities": column.entities, "labelled_count": len(column.labelled)}
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        np.save(part / "entity.npy", column.entity)
        np.save(part / "labelled.npy", column.labelled)
        np.save(part / "kind.npy", column.kind)
        (part / "manifest.json").write_text(json.dumps(manifest))
        shutil.rmtree(target, ignore_errors=True)
        try:
            part.rename(target)
        except OSError:
            if not target.exists():
                raise
            shutil.rmtree(part, ignore_errors=True)
        versions = sorted(int(each.name) for each in folder.iterdir() if each.name.isdecimal())
        for old in versions[:-KEPT_VERSIONS]:
            shutil.rmtree(folder / str(old), ignore_errors=True)
    except OSError as error:
        raise StoreUnavailable(f"cannot write {target}: {error}") from error


class LabelCache:
    """The columns of a service, opened again when the label set, the ledger or its addresses have changed."""

    def __init__(self, url: str, home: Path) -> None:
        self._url, self._home = url, home
        self._kept: dict[str, tuple[tuple[int, int, int], LabelColumn | None]] = {}
        self._making = asyncio.Lock()

    async def column(self, version: int, dataset: Dataset, columns: Columns) -> LabelColumn | None:
        """The column of a dataset; one is made at a time, over a connection whose statements may take their time."""
        key = (version, columns.manifest.epoch, columns.address_count)
        async with self._making:
            kept = self._kept.get(dataset.name)
            if kept is None or kept[0] != key:
                async with reading(), connected(self._url) as connection:
                    kept = key, await label_column(connection, self._home, dataset, columns)
                self._kept[dataset.name] = kept
            return kept[1]
