"""Exposure of an address or a cluster: to whom its money went and from whom it came, by labels, to the last unit.

Each way is one trace under a convention that ends at every label. What a party paid straight from the subject, or was
paid straight to it, is *direct*; what came over unlabelled addresses is *indirect*. What ended at no label stands in
buckets of its own (still there, spent as fees, mixed, at a hub, before the data), so that the parts are the whole.

How it fails. It is what a convention says of payments, not what anybody holds. It ends at every label, so what lies
behind a labelled address is not told. Labels that nobody imported are not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from api.answers import text
from api.labels.statements import statement
from api.tracing.ground import Board, Ground, Place, Unusable, boards
from api.tracing.request import Direction, Stops, TraceRequest
from api.tracing.seeds import Seed
from api.tracing.sowing import sow
from api.tracing.summary import reason_of
from chain.errors import LimitExceeded
from chain.model import I64
from chain.store.labels import LabelStore
from chain.store.postgres import Connection
from clustering.labels import Statement
from clustering.trace import sums
from clustering.trace.ends import End
from clustering.trace.policies import POLICIES, Policy
from clustering.trace.run import Bounds, Cancellation, Course, Traced, trace

MEMBERS = 100_000
"""Addresses of one subject."""

PARTIES = 5_000
"""Labelled addresses whose labels are read, those with the most money; the rest is `labelled, not looked up`."""

LABELS = 50_000
"""Labels of them."""

LISTED = 200
"""Rows of parties that one part lists, the largest; the rest is one row."""

BOUNDS = Bounds(lots=5_000_000, flows=2_000_000, claims=100)
"""What a run may take: there is one seed, so there is one claim."""

MILLION = 1_000_000
LABEL_ENDS = (End.SERVICE, End.MIXER, End.BRIDGE, End.POOL, End.LABELLED)
WORDS = {Direction.FORWARD: "sent", Direction.BACKWARD: "received"}
UNREAD = ("not looked up", "labelled, not looked up")
REST = ("others", "others, the smaller ones")
HELD = "not moved on by it"

STATEMENT = (
    "what the named convention says of payments, ended at every label; labels are what sources say; " + text.NO_FINDING
)

STOPS = Stops(every_label=True)


def exposure_request(policy: Policy, dataset: str | None) -> TraceRequest:
    """How an exposure is traced."""
    return TraceRequest(policy=policy, dataset=dataset, stops=STOPS, compare=False, bounds=BOUNDS)


@dataclass(slots=True)
class _Way:
    """One direction in one dataset: what was seeded, and where it ended, by asset."""

    direction: Direction
    seeded: dict[int, int] = field(default_factory=dict)
    received: dict[int, int] = field(default_factory=dict)
    parties: dict[tuple[int, bool, int, int], int] = field(default_factory=dict)
    """(asset, direct, `End`, address) -> value"""
    rest: dict[tuple[int, int, bool], int] = field(default_factory=dict)
    """(asset, `End`, whether it lies at the subject) -> value"""
    cut: str | None = None


async def exposure_body(
    connection: Connection, grounds: Sequence[Ground], chain: str, address: str, policy: Policy, *, cluster: bool,
    cancelled: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:  # fmt: skip
    """Both ways in every dataset that knows the address; of its cluster with `cluster`.

    LimitExceeded `members` where the cluster has too many addresses, `exposure_seconds` where `cancelled` says so.
    """
    answers, asked = [], []
    for ground in grounds:
        try:
            subject = ground.find(0, Seed(chain, address, "", -1, -1, -1, "")).address
        except Unusable as reason:
            silent = str(reason) == "not observed"
            asked.append({"dataset": ground.dataset, "observed": False if silent else None, "reason": str(reason)})
            continue
        asked.append({"dataset": ground.dataset, "observed": True, "reason": None})
        members = ground.members(subject) if cluster else [subject]
        if len(members) > MEMBERS:
            raise LimitExceeded(f"members: the cluster has {len(members):,} addresses; at most {MEMBERS:,} are traced")
        try:
            ways = [_way(ground, members, policy, direction, cancelled) for direction in _directions(policy)]
        except Cancellation:
            raise LimitExceeded("exposure_seconds: it takes too long here; ask `headwater trace exposure`") from None
        answers.append(await _answer(connection, ground, subject, members, ways, cluster=cluster))
    return {
        "chain": chain, "address": address, "of": "cluster" if cluster else "address", "policy": policy.value,
        "asked": asked, "answers": answers, "statement": STATEMENT,
    }  # fmt: skip


def _directions(policy: Policy) -> list[Direction]:
    return [each for each in Direction if each == Direction.FORWARD or POLICIES[policy].backward]


def _way(
    ground: Ground, members: Sequence[int], policy: Policy, direction: Direction, cancelled: Callable[[], bool]
) -> _Way:
    board, forward = boards(ground, policy, direction)
    places = [Place(0, member, (), 0, ground.base.size, -1) for member in members]
    points = sow(forward, ground.base, places, direction).points
    way = _Way(direction)
    if not len(points.seed):
        return way
    course = Course(policy, board.movements.size, keep_flows=False, bounds=BOUNDS)
    found = trace(board.movements, board.ends, points, 1, course, cancelled=cancelled)
    for balance in sums.balances(board.movements, board.asset, found):
        way.seeded[balance.asset], way.received[balance.asset] = balance.seeded, balance.received
    way.cut = found.cut
    _add_ends(way, board, np.array(members, np.int64), found)
    return way


def _add_ends(way: _Way, board: Board, members: I64, found: Traced) -> None:
    """Where it ended: with labelled parties, straight from the subject or not, and otherwise."""
    ended = sums.ended(board.movements, found)
    payer = np.where(ended.debit >= 0, board.movements.debit_holding[ended.debit], ended.holding)
    party = np.where(ended.holding >= 0, board.owner[np.maximum(ended.holding, 0)], -1)
    own = np.isin(np.where(ended.debit >= 0, board.owner[np.maximum(payer, 0)], party), members)
    labelled = np.isin(ended.end, LABEL_ENDS)
    keys = [board.asset[payer], own, ended.end, np.where(labelled, party, -1), labelled]
    for (asset, mine, end, who, named), value in sums.totals(
        [each.astype(np.int64) for each in keys], ended.amount
    ).items():
        if named:
            way.parties[asset, bool(mine), end, who] = value
        else:
            key = asset, end, bool(mine) and end == End.LIVE and way.direction == Direction.FORWARD
            way.rest[key] = way.rest.get(key, 0) + value


async def _answer(
    connection: Connection, ground: Ground, subject: int, members: Sequence[int], ways: Sequence[_Way], *, cluster: bool
) -> dict[str, Any]:
    names, limits = await _names(connection, ground, ways)
    limits += [
        {"limit": way.cut, "value": getattr(BOUNDS, way.cut), "detail": f"the run {WORDS[way.direction]} was cut"}
        for way in ways
        if way.cut is not None
    ]
    assets = sorted({asset for way in ways for asset in way.seeded})
    return {
        **ground.about,
        "subject": (ground.cluster(subject) or ground.address(subject)) if cluster else ground.address(subject),
        "addresses": len(members),
        "assets": [
            {"asset": ground.asset_name(asset), **{WORDS[way.direction]: _told(way, asset, names) for way in ways}}
            for asset in assets
        ],
        "limits_hit": limits,
    }


@dataclass(frozen=True, slots=True)
class _Name:
    category: str
    entity: str


async def _names(
    connection: Connection, ground: Ground, ways: Sequence[_Way]
) -> tuple[Mapping[int, _Name], list[dict[str, Any]]]:
    """Category and entity of the labelled addresses with the most money."""
    totals: dict[int, int] = {}
    for way in ways:
        for (_, _, _, who), value in way.parties.items():
            totals[who] = totals.get(who, 0) + value
    wanted = sorted(totals, key=lambda who: (-totals[who], who))[:PARTIES]
    limits = []
    if len(totals) > PARTIES:
        limits.append({"limit": "parties", "value": PARTIES, "detail": "labels of the others were not looked up"})
    store = LabelStore(connection)
    version = await store.version()
    speakers = {who: ground.speaker(who) for who in wanted}
    keys = sorted({ground.key(speaker) for speaker in speakers.values() if speaker >= 0})
    rows = await store.of_keys(ground.chain, keys, [ground.network], version, LABELS + 1)
    if len(rows) > LABELS:
        limits.append({"limit": "party_labels", "value": LABELS, "detail": "more labels of the parties are not read"})
    actors = await store.actors(version, sorted({row["actor"] for row in rows if row["actor"]}))
    said: dict[bytes, list[Statement]] = {}
    for row in rows[:LABELS]:
        said.setdefault(bytes(row["key"]), []).append(statement(row, actors))
    names = {}
    for who, speaker in speakers.items():
        names[who] = _name(ground, who, said.get(ground.key(speaker), []) if speaker >= 0 else [])
    return names, limits


def _name(ground: Ground, who: int, said: Sequence[Statement]) -> _Name:
    """What the labels of the highest level say of it: all their categories, in one order."""
    in_force = [each for each in said if ground.labels is not None and each.in_force(ground.labels.on)]
    level = max((each.level for each in in_force), default=0)
    best = [each for each in in_force if each.level == level]
    categories = sorted({name for each in best for name in each.categories | each.abuses})
    entity = ground.label(who) or " | ".join(sorted({each.identity for each in best}))
    return _Name(", ".join(categories) or "no category", entity or "not named")


def _told(way: _Way, asset: int, names: Mapping[int, _Name]) -> dict[str, Any]:
    """One way of one asset: parts whose values add up to the whole, and whose shares to a million."""
    parts: dict[bool, dict[tuple[str, str, str], int]] = {True: {}, False: {}}
    for (name, direct, end, who), value in way.parties.items():
        if name == asset:
            known = names.get(who)
            key = (*UNREAD, "") if known is None else (known.category, known.entity, _end(end, way.direction))
            parts[direct][key] = parts[direct].get(key, 0) + value
    rest = {
        HELD if mine else _end(end, way.direction): value
        for (name, end, mine), value in way.rest.items()
        if name == asset
    }
    seeded, received = way.seeded.get(asset, 0), way.received.get(asset, 0)
    rows = [("direct", *key) for key in parts[True]] + [("indirect", *key) for key in parts[False]]
    values = [*parts[True].values(), *parts[False].values(), *rest.values()]
    shares = _shares(values, seeded + received)
    told: dict[str, Any] = {"total": str(seeded + received), "received_in_conversions": str(received)}
    for part in ("direct", "indirect"):
        listed = [
            {"category": row[1], "entity": row[2], "end": row[3], "value": value, "share_ppm": share}
            for row, value, share in zip(rows, values, shares, strict=False)
            if row[0] == part
        ]
        told[part] = _cut(sorted(listed, key=lambda each: (-each["value"], each["category"], each["entity"])))
    told["rest"] = [
        {"reason": reason, "value": str(value), "share_ppm": share}
        for reason, value, share in sorted(
            zip(rest, rest.values(), shares[len(rows) :], strict=True), key=lambda each: (-each[1], each[0])
        )
    ]
    told["by_category"] = _by_category(told)
    return told


def _cut(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The largest rows, and the others together; values as text."""
    kept, others = listed[:LISTED], listed[LISTED:]
    if others:
        value, share = (sum(each[name] for each in others) for name in ("value", "share_ppm"))
        kept.append({"category": REST[0], "entity": REST[1], "end": "", "value": value, "share_ppm": share})
    return [{**each, "value": str(each["value"])} for each in kept]


def _by_category(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Direct and indirect together, by category."""
    found: dict[str, list[int]] = {}
    for part, place in (("direct", 0), ("indirect", 1)):
        for row in told[part]:
            known = found.setdefault(row["category"], [0, 0, 0])
            known[place] += int(row["value"])
            known[2] += row["share_ppm"]
    return [
        {"category": name, "direct": str(direct), "indirect": str(indirect), "share_ppm": share}
        for name, (direct, indirect, share) in sorted(
            found.items(), key=lambda each: (-each[1][0] - each[1][1], each[0])
        )
    ]


def _end(end: int, direction: Direction) -> str:
    return reason_of(End(end), direction)


def _shares(values: Sequence[int], whole: int) -> list[int]:
    """Parts per million that add up to a million: whole ones first, the rest to the largest remainders."""
    if not whole:
        return [0] * len(values)
    shares = [value * MILLION // whole for value in values]
    order = sorted(range(len(values)), key=lambda place: (-(values[place] * MILLION % whole), place))
    for place in order[: MILLION - sum(shares)]:
        shares[place] += 1
    return shares
