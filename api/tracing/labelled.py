"""What ends a trace by labels: the `End` of each address, and whose label speaks for it.

On Bitcoin a labelled service counts for all unlabelled addresses of its cluster, where the cluster's labels name one
service: keys that spend together are the service's by the co-spend convention. Where they name several, none is spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from api.tracing.request import Stops
from chain.model import I64, U8
from clustering.labels import Kind, LabelColumn
from clustering.trace.ends import End


@dataclass(frozen=True, slots=True)
class Labelled:
    """By address id."""

    ends: U8
    """[A] `End`, 0 where a trace goes on"""
    speaker: I64
    """[A] the address whose label speaks for it, -1 for none"""
    column: LabelColumn | None

    def name(self, address: int) -> str:
        """The service that labels name; empty for none."""
        speaker = int(self.speaker[address])
        if self.column is None or speaker < 0 or int(self.column.entity[speaker]) < 0:
            return ""
        return self.column.entities[int(self.column.entity[speaker])]


def labelled(column: LabelColumn | None, addresses: int, stops: Stops, clusters: I64 | None = None) -> Labelled:
    """The ends that labels make where `stops` asks for them; `clusters` [A] names the cluster of each address."""
    if column is None:
        return Labelled(np.zeros(addresses, np.uint8), np.full(addresses, -1, np.int64), None)
    kind = np.array(column.kind)
    speaker = np.where(kind > 0, np.arange(addresses, dtype=np.int64), -1)
    if clusters is not None:
        _spread(column, kind, speaker, clusters)
    return Labelled(_ends(stops)[kind], speaker, column)


def _ends(stops: Stops) -> U8:
    """[Kind] the `End` of each kind."""
    ends = np.zeros(len(Kind), np.uint8)
    for kind, stopping, end in (
        (Kind.MIXER, stops.mixers, End.MIXER), (Kind.BRIDGE, stops.bridges, End.BRIDGE),
        (Kind.SERVICE, stops.services, End.SERVICE), (Kind.POOL, stops.pools, End.POOL),
        (Kind.OTHER, stops.every_label, End.LABELLED),
    ):  # fmt: skip
        ends[kind] = end if stopping else 0
    return ends


def _spread(column: LabelColumn, kind: U8, speaker: I64, clusters: I64) -> None:
    """Let the one service that labels of a cluster name speak for its unlabelled addresses."""
    size = len(clusters)
    named = np.flatnonzero(np.asarray(column.entity[:size]) >= 0)
    if not len(named):
        return
    pairs, first = np.unique(
        np.stack((clusters[named], np.asarray(column.entity)[named].astype(np.int64)), axis=1), axis=0,
        return_index=True,
    )  # fmt: skip
    roots, at, count = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    voice = np.full(size, -1, np.int64)
    voice[roots[count == 1]] = named[first[at[count == 1]]]
    silent = np.flatnonzero(kind[:size] == Kind.NONE)
    heard = silent[voice[clusters[silent]] >= 0]
    speaker[heard] = voice[clusters[heard]]
    kind[heard] = kind[speaker[heard]]
