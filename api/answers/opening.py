"""Opening views, and keeping them open between requests."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import asyncpg

from api.answers.view import DatasetView, coverage_of
from api.clusterings import current_clustering, open_clustering
from chain.columns import Columns
from chain.errors import HeadwaterError, LimitExceeded, NotFound, StoreBusy, StoreError
from chain.load import columns_folder, open_writer
from chain.store.answers import AnswerStore, State, reading
from chain.store.dataset import Dataset
from chain.store.ledger import LedgerStore
from chain.store.links import LinkStore
from chain.store.postgres import Connection, connected

CHAINS = ("btc",)
"""Chains that are clustered, and answered for from columns."""

LOADED = ("btc", "eth")
"""Chains that can be loaded."""

CHECK_SECONDS = 1.0
"""Views are compared with the ledger at most so often."""

REOPEN_SECONDS = 1.0
"""A request waits so long for views to be opened again; then the old ones answer."""

REBUILT_TXS = 1_000_000
"""Transactions of an older run that is made again from the table of links when its folder is gone."""

ACQUIRE_SECONDS = 5
"""A request waits so long for a connection of the pool."""

KEPT_RUNS = 2
"""Older runs that stay open."""


class RunExpired(HeadwaterError):
    """This run of clustering cannot be shown any more."""

    problem_type = "run-expired"
    status = 410


def check_chain(chain: str) -> None:
    """NotFound where there is no such chain, or none that is clustered."""
    if chain not in CHAINS and chain in LOADED:
        raise NotFound(f"no rule joins addresses of {chain} at L0: it has no clusters (docs/methods.md)")
    if chain not in CHAINS:
        raise NotFound(f"there is no such chain here; {', '.join(CHAINS)} is")


async def open_view(connection: Connection, url: str, home: Path, dataset: Dataset) -> DatasetView:
    """A dataset's columns and newest clustering; NotFound where no columns were published yet."""
    columns = await _open_columns(url, home, dataset)
    clustering = await current_clustering(connection, home, dataset, columns)
    coverage = await asyncio.to_thread(coverage_of, dataset, columns)
    return DatasetView(dataset, columns, clustering, coverage)


async def _open_columns(url: str, home: Path, dataset: Dataset) -> Columns:
    """The published columns, brought to the ledger's cursor first where no load is at work on them."""
    folder = columns_folder(home, dataset.name)
    try:
        columns = await asyncio.to_thread(Columns.open, folder)
        manifest = columns.manifest
        if (manifest.epoch, manifest.counts["tx"]) == (dataset.epoch, dataset.counts["tx"]):
            return columns
    except (NotFound, StoreError):
        pass  # never made, or damaged: the writer makes them from Postgres
    await asyncio.to_thread(asyncio.run, _catch_up(url, home, dataset.name))
    return await asyncio.to_thread(Columns.open, folder)


async def _catch_up(url: str, home: Path, name: str) -> None:
    """Run in a thread of its own, with a connection of its own: it may read a whole dataset."""
    async with connected(url) as connection:
        store = LedgerStore(connection)
        with contextlib.suppress(StoreBusy):  # a load is at work: it publishes by itself
            dataset = await store.dataset(name)
            await store.lock_writer(dataset)
            with await open_writer(store, await store.dataset(name), home):
                pass


async def open_views(
    connection: Connection, url: str, home: Path, chain: str, dataset: str | None = None
) -> list[DatasetView]:
    """The views of a chain's datasets (or of one), by name. NotFound where there is none."""
    check_chain(chain)
    views = []
    for each in await LedgerStore(connection).datasets(chain):
        if dataset is None or each.name == dataset:
            with contextlib.suppress(NotFound):
                views.append(await open_view(connection, url, home, each))
    return _some(views, chain, dataset)


def _some(views: list[DatasetView], chain: str, dataset: str | None) -> list[DatasetView]:
    if views:
        return views
    if dataset is not None:
        raise NotFound("there is no such dataset of this chain, or nothing of it is loaded yet")
    raise NotFound(f"nothing of chain {chain} is loaded yet; headwater ingest loads it")


async def view_at_run(connection: Connection, home: Path, view: DatasetView, run_id: int | None) -> DatasetView:
    """The view with the clustering of an older run.

    NotFound where there is no such run, RunExpired where the ledger was rolled back since, LimitExceeded
    where it is too large to be made again.
    """
    if run_id in (None, view.run):
        return view
    assert run_id is not None
    runs = await LinkStore(connection).runs(view.dataset, 1, run_id + 1)
    if not runs or runs[0].run_id != run_id:
        raise NotFound(f"dataset {view.name} has no run {run_id}")
    run = runs[0]
    if run.epoch != view.epoch or run.tx_count > view.columns.tx_count:
        raise RunExpired(f"the ledger of {view.name} was rolled back or laid again since run {run_id}")
    if run.tx_count > REBUILT_TXS:
        raise LimitExceeded(f"run {run_id} is not the newest and has more than {REBUILT_TXS} transactions")
    return view.with_clustering(await open_clustering(connection, home, view.dataset, view.columns, run))


@contextlib.asynccontextmanager
async def pooled(pool: asyncpg.Pool[Any]) -> AsyncIterator[Connection]:
    """A connection of a pool, under its statement timeout; NoAnswer where the database does not answer."""
    async with reading(), pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
        yield cast(Connection, connection)


@dataclass(slots=True)
class ViewCache:
    """The views of a service: opened again when the ledger's cursor or the newest run has changed.

    A request keeps the views that it was given, whatever is opened meanwhile.
    """

    url: str
    home: Path
    pool: asyncpg.Pool[Any]
    _views: dict[str, tuple[State, DatasetView]] = field(default_factory=dict)
    _older: OrderedDict[tuple[str, int, int], DatasetView] = field(default_factory=OrderedDict)
    _checked: float = float("-inf")
    _opening: asyncio.Task[None] | None = None
    _rebuilding: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def views(self, chain: str | None, dataset: str | None = None) -> list[DatasetView]:
        """The views of a chain (None: of every chain), by name. NotFound where there is none."""
        if chain is not None:
            check_chain(chain)
        await self.refresh()
        chosen = [
            view
            for _, (_, view) in sorted(self._views.items())
            if (chain is None or view.dataset.chain == chain) and dataset in (None, view.name)
        ]
        return _some(chosen, chain or "any", dataset)

    def all_views(self) -> dict[str, DatasetView]:
        """What is open now, by name."""
        return {name: view for name, (_, view) in self._views.items()}

    async def refresh(self, *, now: bool = False) -> None:
        """Look whether something changed, and wait a moment for it to be opened.

        `now`: also where it was looked a moment ago.
        """
        if self._opening is None:
            if not now and time.monotonic() - self._checked < CHECK_SECONDS:
                return
            self._opening = asyncio.create_task(self._reopen())
        task = self._opening
        await asyncio.wait([task], timeout=REOPEN_SECONDS if self._views else None)
        if task.done():
            if self._opening is task:
                self._opening = None
            task.result()

    async def _reopen(self) -> None:
        async with pooled(self.pool) as connection:
            states = await AnswerStore(connection).states()
        changed = [state for state in states if self._is_stale(state)]
        if changed:
            # A connection of its own: an index that is made again reads more than a statement's time allows.
            async with reading(), connected(self.url) as connection:
                for state in changed:
                    dataset = await LedgerStore(connection).dataset(state.name)
                    with contextlib.suppress(NotFound):
                        view = await open_view(connection, self.url, self.home, dataset)
                        self._views[state.name] = (state, view)
        self._checked = time.monotonic()

    def _is_stale(self, state: State) -> bool:
        if state.name not in self._views:
            return True
        seen, view = self._views[state.name]
        behind = (view.epoch, view.columns.tx_count) != (state.epoch, state.tx_count)
        return seen != state or behind

    async def at_run(self, view: DatasetView, run_id: int | None) -> DatasetView:
        """The view with the clustering of an older run; a few of them stay open, one is made at a time."""
        if run_id is None or run_id == view.run:
            return view
        key = (view.name, view.epoch, run_id)
        async with self._rebuilding:
            if key not in self._older:
                async with reading(), connected(self.url) as connection:
                    self._older[key] = await view_at_run(connection, self.home, view, run_id)
            self._older.move_to_end(key)
            while len(self._older) > KEPT_RUNS:
                self._older.popitem(last=False)
            return self._older[key]
