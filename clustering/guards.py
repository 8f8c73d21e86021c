"""Guards: what holds a link back from joining two clusters, until a person decides.

Two services that are labelled differently are never joined by a link alone, and neither are two clusters that are both
large (a *quarantine*): a false link there merges strangers by the thousand. Such a link is *held*: listed with its
evidence, and joins nothing until a person accepts it. A person can also refuse any link. Both are kept and reversible.

Links are judged in canonical order, each against the clusters that the accepted links before it made, so the outcome
follows from the links, the labels and the decisions alone, whatever order they arrived in: a later label or decision
judges everything again.

Sources. Cannot-link constraints in address clustering: Möser and Narayanan, FC 2022 (266 of 273 tagged services stay
apart with them, 161 without). The bound for giants is research/algorithms 1.5's design value, not a measured one.

How it fails. A service whose two labels name it differently is held apart from itself until somebody accepts; the first
of two services that a false link reaches keeps the addresses in between; refusing the link that ties a labelled address
to its cluster takes the label from the rest, so that a link held for it may join; clusters without labels and below the
bound are not guarded at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

import numpy as np
from numba import njit

from chain.model import I32, U8
from clustering.forest import NEVER, Forest, Nodes, attach_roots, node_root
from clustering.links import LinkStatus, check_addresses

QUARANTINE_SIZE = 10_000
"""Addresses: a link between two clusters of this size or more is held."""

NOBODY = -1
"""The entity of an address without a label that names a service: below every entity."""


class Reason(IntEnum):
    """Why a link has its status. The number is stored: append only."""

    NONE = 0
    DIFFERENT_SERVICES = 1
    GIANTS = 2
    DECISION = 3


WORDS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.DIFFERENT_SERVICES: "differently labelled services",
        Reason.GIANTS: "two large clusters",
        Reason.DECISION: "a person's decision",
    }
)
"""What an answer says of a reason; of NONE, nothing."""


class Verdict(IntEnum):
    """What a person decided of a link."""

    NONE = 0
    ACCEPT = 1
    REFUSE = 2


_ACCEPTED, _HELD, _REFUSED = int(LinkStatus.ACCEPTED), int(LinkStatus.HELD), int(LinkStatus.REFUSED)
_SERVICES, _GIANTS, _DECISION = int(Reason.DIFFERENT_SERVICES), int(Reason.GIANTS), int(Reason.DECISION)
_ACCEPT, _REFUSE = int(Verdict.ACCEPT), int(Verdict.REFUSE)


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of L links."""

    status: U8
    """[L] `LinkStatus`"""
    reason: U8
    """[L] `Reason`"""


def judge(
    forest: Forest,
    u: I32,
    v: I32,
    verdicts: U8,
    entity: I32,
    first_ordinal: int,
    quarantine_size: int = QUARANTINE_SIZE,
) -> Judged:
    """Judge links in canonical order and attach the accepted ones, the first with ordinal `first_ordinal`.

    `forest`: of the accepted links before them. `verdicts`: [L] `Verdict`. `entity`: [n] the service that each
    address is labelled as, NOBODY for none (`LabelColumn.entity`). ValueError where lengths differ, the ordinals do not
    come after all in the forest, or a link names no address; nothing is changed then.
    """
    check_addresses(len(forest), u, v)
    if len(entity) != len(forest) or len(verdicts) != len(u):
        raise ValueError(
            f"{len(entity)} entities of {len(forest)} addresses, {len(verdicts)} judgements of {len(u)} links"
        )
    if first_ordinal < forest.next_ordinal:
        raise ValueError(f"ordinal {first_ordinal} is not after the last one: {forest.next_ordinal - 1}")
    nodes = forest.own()
    status, reason = _judge(
        nodes, np.asarray(u, np.int32), np.asarray(v, np.int32), verdicts, _entity_of_roots(nodes, entity),
        first_ordinal, quarantine_size,
    )  # fmt: skip
    forest.attached(first_ordinal + int(np.count_nonzero(status == _ACCEPTED)))
    return Judged(status, reason)


def reference(
    links: Sequence[tuple[int, int, Verdict]], entity: Sequence[int], quarantine_size: int = QUARANTINE_SIZE
) -> list[tuple[LinkStatus, Reason]]:
    """The readable twin of `judge` over an empty forest."""
    clusters = [{address} for address in range(len(entity))]
    found = []
    for u, v, verdict in links:
        a, b = (next(cluster for cluster in clusters if address in cluster) for address in (u, v))
        services = [min((entity[x] for x in cluster if entity[x] != NOBODY), default=NOBODY) for cluster in (a, b)]
        if verdict == Verdict.REFUSE:
            found.append((LinkStatus.REFUSED, Reason.DECISION))
            continue
        if a is not b and verdict != Verdict.ACCEPT:
            if NOBODY not in services and services[0] != services[1]:
                found.append((LinkStatus.HELD, Reason.DIFFERENT_SERVICES))
                continue
            if min(len(a), len(b)) >= quarantine_size:
                found.append((LinkStatus.HELD, Reason.GIANTS))
                continue
        if a is not b:
            clusters.remove(b)
            a |= b
        found.append((LinkStatus.ACCEPTED, Reason.DECISION if verdict == Verdict.ACCEPT else Reason.NONE))
    return found


@njit(cache=True, nogil=True)
def _entity_of_roots(nodes: Nodes, entity: I32) -> I32:
    """The service of each root's cluster: of several, which only a person can have joined, the first."""
    of_root = np.full(len(nodes), NOBODY, np.int32)
    for address in range(len(nodes)):
        if entity[address] != NOBODY:
            root = node_root(nodes, address, NEVER)
            if of_root[root] == NOBODY or entity[address] < of_root[root]:
                of_root[root] = entity[address]
    return of_root


@njit(cache=True, nogil=True)
def _judge(
    nodes: Nodes, u: I32, v: I32, verdicts: U8, service: I32, first_ordinal: int, quarantine_size: int
) -> tuple[U8, U8]:
    status, reason = np.full(len(u), _ACCEPTED, np.uint8), np.zeros(len(u), np.uint8)
    ordinal = first_ordinal
    for link in range(len(u)):
        if verdicts[link] == _REFUSE:
            status[link], reason[link] = _REFUSED, _DECISION
            continue
        above, below = node_root(nodes, u[link], NEVER), node_root(nodes, v[link], NEVER)
        if verdicts[link] == _ACCEPT:
            reason[link] = _DECISION
        elif above != below:
            one, other = service[above], service[below]
            if min(one, other) != NOBODY and one != other:
                status[link], reason[link] = _HELD, _SERVICES
                continue
            if min(nodes[above].size, nodes[below].size) >= quarantine_size:
                status[link], reason[link] = _HELD, _GIANTS
                continue
        if above != below:
            one, other = service[above], service[below]
            root = attach_roots(nodes, above, below, ordinal)
            service[root] = max(one, other) if min(one, other) == NOBODY else min(one, other)
        ordinal += 1
    return status, reason
