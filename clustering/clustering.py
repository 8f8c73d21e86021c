"""A clustering: the accepted links of one run in canonical order, and every index over them, in one folder.

Nothing here is a record: links and runs stand in Postgres, and a folder that is missing, cut off or of another
database is made again from them. A reader maps the files and keeps them for as long as it lives.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chain.columns import Columns
from chain.errors import StoreError, StoreUnavailable
from chain.model import I32, I64
from chain.store.links import StoredLinks
from clustering import members as member_index
from clustering.components import partition_digest
from clustering.forest import Forest, verify_partition
from clustering.members import Members, Summaries

KEPT_FOLDERS = 2
"""Folders of the newest runs that stay on disk; older runs are made again from the link table when asked for."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a clustering rests on; a folder counts only where all of it is as expected."""

    database_id: str
    dataset: str
    run_id: int
    level: str
    epoch: int
    tx_count: int
    address_count: int


@dataclass(frozen=True, slots=True)
class Clustering:
    """One run's links, forest, labels, members and sums."""

    basis: Basis
    links: StoredLinks
    forest: Forest
    labels: I32
    """[n] the smallest address id of each address' cluster"""
    members: Members
    summaries: Summaries
    partition_sha256: str

    def before(self, tx: int) -> int:
        """The ordinal of the first link whose evidence is not below transaction `tx`."""
        return int(np.searchsorted(self.links.tx, tx))

    def cluster_of(self, address: int, before: int | None = None) -> I32:
        """The addresses of an address' cluster, ascending; `before`: as of that ordinal."""
        now = self.members.of(int(self.labels[address]))
        if before is None or len(now) == 1:
            return now
        together: I32 = now[self.forest.roots(now, before) == self.forest.root(address, before)]
        return together


def build(basis: Basis, columns: Columns, links: StoredLinks, forest: Forest) -> Clustering:
    """Every index over the accepted `links` and the `forest` of them, checked against the independent relabelling.

    IntegrityError("partition", ...) where forest and relabelling differ.
    """
    verify_partition(forest, links.u, links.v)
    labels = forest.labels()
    sums = member_index.summaries(labels, *_ledger_until(columns, basis.tx_count))
    return Clustering(basis, links, forest, labels, Members.of_labels(labels), sums, partition_digest(labels))


def _ledger_until(columns: Columns, txs: int) -> tuple[I64, I64, I32, I64, I32, I64]:
    """The columns of the first `txs` transactions: a run that is made again knows no later ones."""
    inputs = int(columns.tx_first_input[txs]) if txs < columns.tx_count else len(columns.input_spends)
    outputs = int(columns.tx_first_output[txs - 1] + columns.tx_output_count[txs - 1]) if txs else 0
    return (
        columns.tx_first_input[:txs], columns.input_spends[:inputs], columns.output_address[:outputs],
        columns.tx_first_output[:txs], columns.tx_output_count[:txs], columns.output_value[:outputs],
    )  # fmt: skip


def save(clustering: Clustering, folder: Path) -> None:
    """Write a clustering into `folder`/<run id>, whole or not at all; drop the folders of old runs."""
    target = folder / str(clustering.basis.run_id)
    part = folder / f"{clustering.basis.run_id}.part"
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        clustering.forest.save(part)
        for name, array in _arrays(clustering).items():
            with open(part / f"{name}.npy", "wb") as handle:
                np.save(handle, array)
                handle.flush()
                os.fsync(handle.fileno())
        manifest = {**_basis_of(clustering.basis), "partition_sha256": clustering.partition_sha256}
        (part / "manifest.json").write_text(json.dumps(manifest))
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise StoreUnavailable(f"cannot write {target}: {error}") from error
    runs = sorted((int(path.name) for path in folder.iterdir() if path.name.isdigit()), reverse=True)
    for run in runs[KEPT_FOLDERS:]:
        shutil.rmtree(folder / str(run), ignore_errors=True)


def load(folder: Path, basis: Basis) -> Clustering | None:
    """The clustering of `basis` where its folder is whole; None otherwise."""
    target = folder / str(basis.run_id)
    try:
        manifest = json.loads((target / "manifest.json").read_text())
        digest = manifest.pop("partition_sha256")
        if manifest != _basis_of(basis):
            return None
        names = [path.stem for path in target.glob("*.npy") if path.stem != "forest"]
        arrays: dict[str, npt.NDArray[Any]] = {
            name: np.load(target / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in names
        }
        forest = Forest.open(target)
    except (OSError, ValueError, KeyError, StoreError):
        return None
    return Clustering(
        basis,
        StoredLinks(**_group(arrays, "link")),
        forest,
        arrays["labels"],
        Members(**_group(arrays, "member")),
        Summaries(**_group(arrays, "summary")),
        digest,
    )


def _basis_of(basis: Basis) -> dict[str, Any]:
    return {field.name: getattr(basis, field.name) for field in fields(basis)}


def _arrays(clustering: Clustering) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {"labels": clustering.labels}
    for prefix, group in (
        ("link", clustering.links), ("member", clustering.members), ("summary", clustering.summaries),
    ):  # fmt: skip
        arrays |= {f"{prefix}-{field.name}": getattr(group, field.name) for field in fields(group)}
    return arrays


def _group(arrays: dict[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {name.partition("-")[2]: array for name, array in arrays.items() if name.startswith(f"{prefix}-")}


def as_of_tx(columns: Columns, height: int) -> int:
    """The first transaction after the last block of a height up to `height`."""
    heights: I32 = columns.block_height
    known = np.flatnonzero((heights >= 0) & (heights <= height))
    if not len(known):
        return 0
    after = int(known[-1]) + 1
    first: I64 = columns.block_first_tx
    return int(first[after]) if after < len(first) else columns.tx_count
