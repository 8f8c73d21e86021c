"""Clusters: their handle, sums, links, members and history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from api.answers import text
from api.answers.address_facts import amounts_of, member_facts
from api.answers.cluster_shapes import ClusterBody, ClusterLink, ClusterLinksBody, Member, MembersBody
from api.answers.naming import Handle, find_handle
from api.answers.pages import CursorExpired, Page, Place, walk
from api.answers.shapes import Cluster, ClusterName, Limit, RuleCount, Summary
from api.answers.view import DatasetView, Moment
from chain.activity import Facts
from chain.errors import NotFound
from chain.model import I32, I64, hash_bytes
from clustering.clustering import Clustering

SUMMARY_MEMBERS = 10_000
"""Addresses of a cluster that an answer as of an earlier height sums up; the newest run has its sums."""

SUMMARY_ENTRIES = 100_000
"""Transactions of those addresses among which the distinct ones are counted."""


@dataclass(frozen=True, slots=True)
class Found:
    """A cluster of one run: its addresses up to an ordinal of the links, and up to which transaction."""

    view: DatasetView
    clustering: Clustering
    address: int
    before: int | None
    moment: Moment
    members: I32

    @property
    def handle(self) -> str:
        return _handle(self.view, self.clustering, int(self.members[0]))


def _handle(view: DatasetView, clustering: Clustering, earliest: int) -> str:
    basis = clustering.basis
    return f"{view.name}/{basis.level}/{view.address(earliest)}@{basis.run_id}"


def cluster_at(view: DatasetView, address: int, moment: Moment) -> Found | str:
    """The cluster of an address at a moment, or why there is none."""
    clustering = view.clustering
    if clustering is None:
        return "no clustering of this dataset fits its ledger; run headwater cluster update"
    basis = clustering.basis
    if address >= basis.address_count:
        return f"the address came after run {basis.run_id} of this dataset"
    whole = moment.txs >= basis.tx_count
    before = None if whole else clustering.before(moment.txs)
    moment = view.moment_of(basis.tx_count) if whole else moment
    return Found(view, clustering, address, before, moment, clustering.cluster_of(address, before))


def cluster_name(view: DatasetView, address: int, moment: Moment) -> ClusterName | None:
    """Handle and size only."""
    found = cluster_at(view, address, moment)
    return None if isinstance(found, str) else {"id": found.handle, "size": len(found.members)}


def describe(found: Found) -> tuple[Cluster, list[Limit]]:
    """Everything that an answer says of one cluster, and which limits cut it."""
    summary, limits = _summary(found)
    links = _rule_counts(found)
    wording = " and ".join(count["wording"] for count in links)
    return {
        "id": found.handle,
        "size": len(found.members),
        "summary": summary,
        "links": links,
        "statement": text.LINKED.format(wording=wording) if links else text.ALONE,
    }, limits


def _links_within(found: Found) -> I64:
    """Ordinals of the links that stood at the moment between addresses of the cluster."""
    clustering = found.clustering
    ordinals = found.view.links_of(int(clustering.labels[found.address]))
    if found.before is None:
        return ordinals
    ordinals = ordinals[: np.searchsorted(ordinals, found.before)]
    place = np.searchsorted(found.members, clustering.links.u[ordinals])
    inside = found.members[np.minimum(place, len(found.members) - 1)] == clustering.links.u[ordinals]
    within: I64 = ordinals[inside]
    return within


def _rule_counts(found: Found) -> list[RuleCount]:
    rules = found.clustering.links.rule[_links_within(found)]
    return [
        {**text.rule_words(int(rule)), "count": int(count)}
        for rule, count in zip(*np.unique(rules, return_counts=True), strict=True)
    ]


def _summary(found: Found) -> tuple[Summary | None, list[Limit]]:
    if found.before is None:
        return _kept_summary(found), []
    if len(found.members) > SUMMARY_MEMBERS:
        return None, [_limit("summary_members", SUMMARY_MEMBERS, "the cluster is too large to sum up as of a height")]
    activity = found.view.columns.activity
    each = [(int(a), activity.facts(int(a), found.moment.txs)) for a in found.members]
    known = [(address, facts) for address, facts in each if facts is not None]
    entries = sum(facts.tx_count for _, facts in known)
    limits, tx_count = [], None
    if entries > SUMMARY_ENTRIES:
        limits = [_limit("summary_entries", SUMMARY_ENTRIES, "too many transactions to count the distinct ones")]
    else:
        lists = (activity.entries(address, facts.tx_count, found.moment.txs) for address, facts in known)
        tx_count = len({entry.tx for entries_of_one in lists for entry in entries_of_one})
    total = Facts(
        received=sum(facts.received for _, facts in known),
        spent=sum(facts.spent for _, facts in known),
        received_count=sum(facts.received_count for _, facts in known),
        spent_count=sum(facts.spent_count for _, facts in known),
        unknown_count=sum(facts.unknown_count for _, facts in known),
        tx_count=tx_count or 0,
        first_tx=min(facts.first_tx for _, facts in known),
        last_tx=max(facts.last_tx for _, facts in known),
    )
    return _summary_of(found.view, total, tx_count), limits


def _kept_summary(found: Found) -> Summary:
    row = found.clustering.members.row(int(found.members[0]))
    sums = found.clustering.summaries
    facts = Facts(
        received=int(sums.received[row]),
        spent=int(sums.spent[row]),
        received_count=0,
        spent_count=0,
        unknown_count=int(sums.unknown_values[row]),
        tx_count=int(sums.tx_count[row]),
        first_tx=int(sums.first_tx[row]),
        last_tx=int(sums.last_tx[row]),
    )
    return _summary_of(found.view, facts, facts.tx_count)


def _summary_of(view: DatasetView, facts: Facts, tx_count: int | None) -> Summary:
    return {
        "asset": text.ASSET,
        "decimals": text.DECIMALS,
        **amounts_of(view, facts),
        "unknown_values": facts.unknown_count,
        "tx_count": tx_count,
        "first_seen": view.seen(facts.first_tx) if facts.first_tx >= 0 else None,
        "last_seen": view.seen(facts.last_tx) if facts.last_tx >= 0 else None,
    }


def _limit(name: str, value: int, detail: str) -> Limit:
    return {"limit": name, "value": value, "detail": detail}


# What a handle names


def of_handle(views: Sequence[DatasetView], handle: Handle) -> Found:
    """The cluster that a handle names, in the run that its view holds; NotFound where there is none."""
    view, address = find_handle(views, handle)
    found = cluster_at(view, address, view.now())
    if isinstance(found, str):
        raise NotFound(found)
    return found


def cluster_body(chain: str, found: Found) -> ClusterBody:
    """One cluster, by its handle."""
    cluster, limits = describe(found)
    answer = found.view.frame(found.moment, limits)
    return {"chain": chain, "id": found.handle, "answers": [{**answer, "cluster": cluster}]}


def members_page(chain: str, found: Found, start: Place | None, limit: int) -> tuple[MembersBody, Place | None]:
    """Addresses of a cluster in order of first appearance."""

    def fetch(view: DatasetView, after: list[str] | None, count: int) -> Page[Member]:
        first = 0
        if after is not None:
            _, last = find_handle([view], Handle(view.name, found.clustering.basis.level, after[0], None))
            first = int(np.searchsorted(found.members, np.int32(last), side="right"))
        rows = found.members[first : first + count].tolist()
        items = [_member(view, address, found.moment) for address in rows]
        more = first + count < len(found.members)
        return Page(items, [items[-1]["address"]] if more else None)

    pages, place = walk([found.view], start, limit, fetch, by_run=True)
    answers: MembersBody = {
        "chain": chain,
        "id": found.handle,
        "answers": [
            {**view.frame(found.moment), "asset": text.ASSET, "decimals": text.DECIMALS, "items": items}
            for view, items in pages
        ],
        "next": None,
    }
    return answers, place


def _member(view: DatasetView, address: int, moment: Moment) -> Member:
    facts = view.columns.activity.facts(address, moment.txs)
    assert facts is not None, "an address of a run has a transaction in it"
    return member_facts(view, address, facts)


def links_page(chain: str, found: Found, start: Place | None, limit: int) -> tuple[ClusterLinksBody, Place | None]:
    """Links within a cluster in the order in which they join: by transaction, rule, addresses."""
    ordinals = _links_within(found)

    def fetch(view: DatasetView, after: list[str] | None, count: int) -> Page[ClusterLink]:
        first = 0 if after is None else _behind(found, ordinals, after)
        items = [_link(view, found.clustering, row) for row in ordinals[first : first + count].tolist()]
        more = first + count < len(ordinals)
        return Page(items, _name(items[-1]) if more else None)

    pages, place = walk([found.view], start, limit, fetch, by_run=True)
    body: ClusterLinksBody = {
        "chain": chain,
        "id": found.handle,
        "answers": [{**view.frame(found.moment), "items": items} for view, items in pages],
        "next": None,
    }
    return body, place


def _behind(found: Found, ordinals: I64, after: list[str]) -> int:
    """The place behind the link that `after` names; CursorExpired where it is gone."""
    digest = np.frombuffer(hash_bytes(after[0]), np.uint8).reshape(1, 32)
    tx = int(found.view.columns.find_txids(digest)[0])
    first, end = np.searchsorted(found.clustering.links.tx[ordinals], (tx, tx + 1)).tolist()
    for place in range(first, end):
        link = _link(found.view, found.clustering, int(ordinals[place]))
        if after == _name(link):
            return place + 1
    raise CursorExpired


def _name(link: ClusterLink) -> list[str]:
    return [link["txid"], link["rule"], link["u"], link["v"]]


def _link(view: DatasetView, clustering: Clustering, ordinal: int) -> ClusterLink:
    links = clustering.links
    rule = int(links.rule[ordinal])
    words = text.rule_words(rule)
    return {
        **view.seen(int(links.tx[ordinal])),
        "rule": words["rule"],
        "wording": words["wording"],
        "u": view.address(int(links.u[ordinal])),
        "v": view.address(int(links.v[ordinal])),
        "status": text.link_status(int(links.status[ordinal])),
    }
