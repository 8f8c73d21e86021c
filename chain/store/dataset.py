"""A dataset: one chain's ledger with ids of its own, and where its cursor stands."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from chain.bitcoin.network import NETWORKS, Network
from chain.source import Tip

COUNT_NAMES = ("block", "tx", "input", "output", "outside", "address")
"""Counts in the order of the cursor's columns and of the queries' parameters."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A row of `dataset` with its cursor."""

    dataset_id: int
    name: str
    chain: str
    network: str
    kind: str
    anchor_height: int | None
    epoch: int
    counts: dict[str, int]
    tip: Tip | None
    """None while empty, and where an extract's last block has no height."""

    @property
    def is_full(self) -> bool:
        return self.kind == "full"

    @property
    def params(self) -> Network:
        return NETWORKS[self.network]


def dataset_of(row: asyncpg.Record) -> Dataset:
    tip = None if row["tip_height"] is None else Tip(row["tip_height"], row["tip_hash"])
    counts = {name: row[f"{name}_count"] for name in COUNT_NAMES}
    return Dataset(
        row["dataset_id"], row["name"], row["chain"], row["network"], row["kind"], row["anchor_height"], row["epoch"],
        counts, tip,
    )  # fmt: skip
