"""How far each dataset reaches: tips, gaps, what follows behind, runs of clustering, health."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence

import numpy as np

from api.answers import text
from api.answers.pages import Page, Place, walk
from api.answers.state_shapes import DatasetState, HealthBody, RunRow, RunsBody
from api.answers.view import DatasetView
from chain.store.answers import State
from chain.store.dataset import Dataset
from chain.store.links import Run

VERSION = importlib.metadata.version("headwater")


def dataset_state(dataset: Dataset, state: State, view: DatasetView | None) -> DatasetState:
    """Where the ledger of a dataset stands, and how far its columns and its clustering are behind."""
    clustered = None if view is None or view.clustering is None else view.clustering.basis
    columns = None
    if view is not None:
        same = view.epoch == state.epoch
        columns = max(0, state.tx_count - view.columns.tx_count) if same else state.tx_count
    return {
        "dataset": dataset.name,
        "chain": dataset.chain,
        "network": dataset.network,
        "kind": dataset.kind,
        "anchor_height": dataset.anchor_height,
        "tip": None if view is None else view.as_of(view.now()),
        "blocks": dataset.counts["block"],
        "transactions": dataset.counts["tx"],
        "addresses": dataset.counts["address"],
        "columns_behind": columns,
        "run": None if clustered is None else clustered.run_id,
        "clustering_behind": None if clustered is None else max(0, state.tx_count - clustered.tx_count),
        "gaps": None if view is None or dataset.kind == "extract" else _gaps(view),
        "coverage": None if view is None else view.coverage,
    }


def _gaps(view: DatasetView) -> int:
    reach = view.heights()
    if reach is None:
        return 0
    return reach[1] - reach[0] + 1 - int(np.count_nonzero(view.columns.block_height >= 0))


def health_body(server_version: str, states: Sequence[DatasetState]) -> HealthBody:
    return {
        "status": "ok",
        "version": VERSION,
        "database": {"reachable": True, "server_version": server_version},
        "datasets": list(states),
    }


RUNS = Mapping[str, Sequence[Run]]
"""Runs of each dataset behind a place, the newest first, one more than are shown."""


def runs_page(
    chain: str | None, views: Sequence[DatasetView], runs: RUNS, start: Place | None, limit: int
) -> tuple[RunsBody, Place | None]:
    """Runs of clustering, the newest of each dataset first."""

    def fetch(view: DatasetView, after: list[str] | None, count: int) -> Page[RunRow]:
        before = None if after is None else int(after[0])
        rows = [run for run in runs[view.name] if before is None or run.run_id < before]
        more = len(rows) > count
        return Page([_run(run) for run in rows[:count]], [str(rows[count - 1].run_id)] if more else None)

    pages, place = walk([view for view in views if runs[view.name]], start, limit, fetch)
    body: RunsBody = {
        "chain": chain,
        "answers": [{**view.frame(view.now()), "items": items} for view, items in pages],
        "next": None,
    }
    return body, place


def _run(run: Run) -> RunRow:
    return {
        "run": run.run_id,
        "level": run.level,
        "height": None if run.tip is None else run.tip.height,
        "block_hash": None if run.tip is None else run.tip.hash[::-1].hex(),
        "transactions": run.tx_count,
        "addresses": run.address_count,
        "links": run.link_count,
        "clusters": run.cluster_count,
        "partition_sha256": run.partition_sha256,
        "rules": sorted(run.rules),
        "code_version": run.code_version,
        "finished_at": text.stamp(run.finished_at),
    }
