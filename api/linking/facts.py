"""Facts on the chain about an address of a case, out of a dataset as a trace sees it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from api.answers.cluster import cluster_at, links_page
from api.tracing.bitcoin import BitcoinGround
from api.tracing.ground import Board, Ground, Unusable, boards
from api.tracing.request import Direction
from api.tracing.seeds import Seed
from api.tracing.sowing import sow
from clustering.link.infer import Cluster, Place, Share
from clustering.rates import told
from clustering.trace import sums
from clustering.trace.ends import WORDS, End
from clustering.trace.movements import movement_of
from clustering.trace.policies import LEGAL
from clustering.trace.run import Bounds, Course, Traced, trace

HOPS = 3
"""Payments over which a share is followed (research 6)."""

SERVICE_SIZE = 1_000
"""Addresses from which on a cluster looks like a service by its structure: few others hold so many."""

TRANSACTIONS = 20
"""Transactions that an item lists."""

SHARES = 20
"""Addresses to which shares of one address are told, the largest."""

MILLION = 1_000_000
BOUNDS = Bounds(lots=5_000_000, flows=2_000_000, claims=100)
_SERVICES = (End.SERVICE, End.MIXER, End.BRIDGE, End.POOL)


def observed(ground: Ground, place: Place) -> int | None:
    """The id of an address in a dataset; None where it is not observed there, or none of its network."""
    try:
        return ground.find(0, Seed(*place, "", -1, -1, -1, "")).address
    except Unusable:
        return None


def cluster_of(ground: Ground, address: int) -> Cluster:
    """The cluster of an address, and why it looks like a service."""
    members = ground.members(address)
    board = ground.board(by_address=False)
    ends = {End(each) for each in np.unique(board.ends[np.isin(board.owner, np.array(members))]).tolist()}
    service = ""
    if ends & set(_SERVICES):
        service = f"labelled {ground.label(address) or WORDS[min(ends & set(_SERVICES))]}"
    elif End.HUB in ends:
        service = "it pays more distinct addresses than a person does"
    elif len(members) >= SERVICE_SIZE:
        service = f"it has {len(members):,} addresses"
    transactions: tuple[str, ...] = ()
    rate = ""
    if isinstance(ground, BitcoinGround) and len(members) > 1:
        transactions, rate = _joins(ground, address), told("co-spend")
    return Cluster(ground.cluster(address), len(members), service, transactions=transactions, rate=rate)


def _joins(ground: BitcoinGround, address: int) -> tuple[str, ...]:
    """Transactions of links in the cluster, those that touch the address first."""
    found = cluster_at(ground.view, address, ground.view.now())
    if isinstance(found, str):
        return ()
    name = ground.address(address)
    items = links_page(ground.chain, found, None, 1_000)[0]["answers"][0]["items"]
    items.sort(key=lambda each: name not in (each["u"], each["v"]))
    return tuple(dict.fromkeys(each["txid"] for each in items))[:TRANSACTIONS]


def shares_of(ground: Ground, address: int) -> tuple[Share, ...]:
    """To whom an address' money came within `HOPS` payments, under each legal convention; services end it."""
    parts: dict[tuple[int, int], dict[str, int]] = {}
    seen: dict[int, list[str]] = {}
    for policy in LEGAL:
        board, forward = boards(ground, policy, Direction.FORWARD)
        place = ground.find(0, Seed(ground.chain, ground.address(address), "", -1, -1, -1, ""))
        points = sow(forward, ground.base, [place], Direction.FORWARD).points
        if not len(points.seed):
            return ()
        course = Course(policy, board.movements.size, max_hops=HOPS, bounds=BOUNDS)
        found = trace(board.movements, board.ends, points, 1, course)
        if found.cut is not None:
            return ()
        seeded = {each.asset: each.seeded for each in sums.balances(board.movements, board.asset, found)}
        rows = sums.ended(board.movements, found)
        keep = np.flatnonzero(np.isin(rows.end, (End.LIVE, End.HOPS)) & (rows.holding >= 0))
        holding = rows.holding[keep]
        keys = [board.owner[holding], board.asset[holding]]
        for (owner, asset), value in sums.totals(keys, rows.amount[keep]).items():
            if owner not in (-1, address) and seeded.get(asset):
                parts.setdefault((owner, asset), {})[policy.value] = value * MILLION // seeded[asset]
        for owner, txs in _came_by(board, found, {owner for owner, _ in parts}).items():
            seen.setdefault(owner, [ground.txid(int(ground.base.tx[each])) for each in txs])
    told_of = sorted(parts, key=lambda key: (-max(parts[key].values()), key))[:SHARES]
    return tuple(
        Share(
            (ground.chain, ground.address(owner)),
            {policy.value: parts[owner, asset].get(policy.value, 0) for policy in LEGAL},
            ground.asset_name(asset),
            tuple(dict.fromkeys(each for each in seen.get(owner, []) if each)),
        )
        for owner, asset in told_of
    )


def _came_by(board: Board, found: Traced, owners: set[int]) -> dict[int, list[int]]:
    """The first movements by which traced money came to each of some addresses."""
    flows = found.flows
    rows = np.flatnonzero(flows.credit >= 0)
    holding = board.movements.credit_holding[flows.credit[rows]]
    owner = np.where(holding >= 0, board.owner[np.maximum(holding, 0)], -1)
    movement = movement_of(board.movements.first_debit, flows.debit[rows])
    return {
        each: np.unique(movement[owner == each])[:TRANSACTIONS].tolist()
        for each in sorted(owners)[: SHARES * HOPS * 10]
        if each >= 0
    }


def known_in(grounds: Sequence[Ground], place: Place) -> list[tuple[Ground, int]]:
    """The datasets that know an address, with its id there."""
    found = ((ground, observed(ground, place)) for ground in grounds if ground.chain == place[0])
    return [(ground, address) for ground, address in found if address is not None]
