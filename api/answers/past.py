"""Earlier runs of a clustering: read off the newest where their links are its first ones, else opened again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from api.answers.opening import RunExpired
from api.answers.view import DatasetView
from chain.errors import LimitExceeded
from chain.model import I32
from chain.store.links import Run
from clustering.clustering import Clustering

REOPENED_RUNS = 5
"""Earlier runs that one answer opens again because their links were judged otherwise since."""


@dataclass(frozen=True, slots=True)
class Past:
    """One run as it was: the clustering of a run that holds it, up to an ordinal of its links."""

    view: DatasetView
    run: Run
    clustering: Clustering
    before: int | None
    """None: the clustering is of this very run."""

    def labels(self) -> I32:
        """[the run's addresses] the label of each."""
        if self.before is None:
            return self.clustering.labels
        found: I32 = self.clustering.forest.labels(self.before)[: self.run.address_count]
        return found

    def cluster_of(self, address: int) -> I32:
        """The addresses of an address' cluster; none where the run did not know it."""
        if address >= self.run.address_count:
            return np.zeros(0, np.int32)
        return self.clustering.cluster_of(address, self.before)

    def parts(self, members: I32) -> list[I32]:
        """`members` as this run had them together, the largest part first; addresses that it did not know left out."""
        known = members[members < self.run.address_count]
        if not len(known):
            return []
        roots = self.clustering.forest.roots(known, self.before)
        order = np.argsort(roots, kind="stable")
        cuts = np.flatnonzero(np.diff(roots[order])) + 1
        return sorted(np.split(known[order], cuts), key=lambda part: (-len(part), int(part[0])))

    def handle(self, earliest: int) -> str:
        return f"{self.view.name}/{self.run.level}/{self.view.address(earliest)}@{self.run.run_id}"


def is_first_part(run: Run, runs: Sequence[Run], newest: int) -> bool:
    """Whether the links of `run` are the first ones of run `newest`: no run between judged earlier links otherwise."""
    between = [each for each in runs if run.run_id < each.run_id <= newest]
    return all(each.changed_from is None or each.changed_from >= run.tx_count for each in between)


def past_of(view: DatasetView, run: Run, runs: Sequence[Run]) -> Past | str | None:
    """A run as it was, why it is not looked at, or None: it has to be opened again. `runs`: those up to the view's."""
    clustering = view.clustering
    assert clustering is not None, "a run is asked of a clustered dataset"
    basis = clustering.basis
    if run.epoch != basis.epoch:
        return "not looked at: the ledger was rolled back or laid again since this run"
    if run.run_id > basis.run_id:
        return "not looked at: the run is newer than the one that was asked for"
    if run.run_id == basis.run_id:
        return Past(view, run, clustering, None)
    if not is_first_part(run, runs, basis.run_id):
        return None
    return Past(view, run, clustering, clustering.before(run.tx_count))


Reopen = Callable[[int], Awaitable[DatasetView]]
"""The view with the clustering of an older run."""


async def pasts(view: DatasetView, runs: Sequence[Run], reopen: Reopen) -> list[Past | str]:
    """Each of `runs` (the newest first, none left out between them) as it was, or why it is not looked at.

    A run that was opened again serves the older ones too whose links are its first ones.
    """
    opened, found = [view], list[Past | str]()
    for run in runs:
        tried = [past_of(each, run, runs) for each in opened if each is view or run.run_id <= (each.run or 0)]
        past = next((each for each in tried if isinstance(each, Past)), tried[0])
        if past is None and len(opened) > REOPENED_RUNS:
            past = f"not looked at: more than {REOPENED_RUNS} runs had to be opened again for this answer"
        elif past is None:
            try:
                again = await reopen(run.run_id)
            except (LimitExceeded, RunExpired) as error:
                past = f"not looked at: {error}"
            else:
                assert again.clustering is not None, "it was opened for its clustering"
                opened.append(again)
                past = Past(again, run, again.clustering, None)
        found.append(past)
    return found
