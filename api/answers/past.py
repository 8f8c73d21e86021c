"""Earlier runs of a clustering: read off the newest where their links are its first ones, else opened again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from api.answers.view import DatasetView
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


def past_of(view: DatasetView, run: Run, runs: Sequence[Run]) -> Past | str:
    """A run as it was, or why it is not looked at; `runs`: those from `run` to the view's."""
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
        return "not looked at: links of its part of the ledger were judged otherwise since; cluster diff opens it"
    return Past(view, run, clustering, clustering.before(run.tx_count))
