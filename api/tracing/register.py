"""The register of a scheme in one dataset: who paid in, who was paid, on which level, and what each is short of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from api.tracing.ground import Ground
from api.tracing.recycled import Party, tell_recycled
from api.tracing.request import TraceRequest
from api.tracing.run import Cancelled, DatasetTrace
from api.tracing.seeds import Seed
from chain import uint256
from chain.model import I64, Bool
from clustering.scheme.payments import Payments, payments
from clustering.scheme.restitution import by_fifo, by_net_loss, pro_rata
from clustering.trace import sums
from clustering.trace.ends import End
from clustering.trace.movements import Side, movement_of

NOBODY = (int(Side.ISSUED), int(Side.BURNED), int(Side.FEE))
"""Parties that are none: they have nothing to get back."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What is left of one asset, and what each gets of it by each rule."""

    remaining: int
    stated: bool
    """Whether somebody said what is left; else it is what lies where no participant has it"""
    losses: dict[int, int]
    fifo: dict[int, int]
    pro_rata: dict[int, int]
    net_loss: dict[int, int]


@dataclass(slots=True)
class DatasetScheme:
    """The register of one dataset."""

    trace: DatasetTrace
    party_of: I64
    """[A]"""
    own: Bool
    """[A] whether it is the scheme's"""
    wallets: int
    payments: Payments
    parties: dict[tuple[int, int], Party]
    """(asset, party)"""
    levels: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Participant -> level and the party above (-1 for none)"""
    shares: dict[int, Shares] = field(default_factory=dict)
    cut: str | None = None
    """The bound that cut the pass which tells recycled money"""

    @property
    def ground(self) -> Ground:
        return self.trace.ground


def register(
    request: TraceRequest, found: DatasetTrace, seeds: Sequence[Seed], remaining: Mapping[str, int],
    cancelled: Cancelled,
) -> DatasetScheme:  # fmt: skip
    ground = found.ground
    board = ground.board(by_address=False)
    addresses = [ground.find(number, seeds[number]).address for number in found.main.sowing.modes]
    party_of = ground.parties()
    own = np.isin(party_of, np.unique(party_of[addresses])) if addresses else np.zeros(len(party_of), np.bool_)
    held = np.append(board.owner, -1)  # a holding of nobody is the last row
    party = np.where(held >= 0, party_of[np.maximum(held, 0)], int(Side.UNKNOWN))[:-1]
    mine = (board.owner >= 0) & own[np.maximum(board.owner, 0)]
    told = payments(board.movements, board.asset, party, mine, board.movements.stop == End.COINJOIN, ground.gas())
    wanted = {seeds[number].asset for number in found.main.sowing.modes}
    if "" not in wanted:
        names = np.array([ground.asset_name(asset) in wanted for asset in range(int(board.asset.max(initial=0)) + 1)])
        told = _of(told, names[told.asset])
    scheme = DatasetScheme(found, party_of, own, len(addresses), told, _parties(told))
    scheme.cut = tell_recycled(request, scheme.ground, told, scheme.parties, party, mine, cancelled)
    _tell_levels(scheme, party)
    _share(scheme, remaining)
    return scheme


def _of(told: Payments, which: Bool) -> Payments:
    return Payments(
        told.tx[which], told.movement[which], told.asset[which], told.party[which], told.paid_in[which],
        told.amount[which],
    )  # fmt: skip


def _parties(told: Payments) -> dict[tuple[int, int], Party]:
    """The sums of each party and asset."""
    found: dict[tuple[int, int], Party] = {}
    if not len(told):
        return found
    keys = np.stack((told.asset, told.party, told.paid_in.astype(np.int64)), axis=1)
    names, group, count = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    totals = uint256.sums_by(group, told.amount, len(names))
    first, last = np.full(len(names), np.iinfo(np.int64).max), np.full(len(names), -1, np.int64)
    np.minimum.at(first, group, told.movement)
    np.maximum.at(last, group, told.movement)
    rows = zip(names.tolist(), totals, count.tolist(), first.tolist(), last.tolist(), strict=True)
    for (asset, who, paid_in), total, times, begin, end in rows:
        party = found.setdefault((asset, who), Party())
        if paid_in:
            party.paid, party.times_paid, party.first_paid, party.last_paid = total, times, begin, end
        else:
            party.got, party.times_got, party.first_got, party.last_got = total, times, begin, end
    return found


def _tell_levels(scheme: DatasetScheme, party: I64) -> None:
    """One above whoever of the earlier participants got the most in the transaction of one's first payment; else 1."""
    first: dict[int, int] = {}
    for (_, who), each in scheme.parties.items():
        if each.paid and who >= 0:
            first[who] = min(first.get(who, each.first_paid), each.first_paid)
    moves = scheme.ground.board(by_address=False).movements
    tx_of = {who: int(moves.tx[at]) for who, at in first.items()}
    movement = movement_of(moves.first_credit, np.arange(len(moves.credit_holding)))
    held = (moves.credit_holding >= 0) & ~scheme.ground.gas()[movement]
    joins = np.array(sorted(set(tx_of.values()) - {-1}), np.int64)
    near = held & np.isin(moves.tx[movement], joins) & ~_is_own(scheme, moves.credit_holding)
    near &= np.isin(party[np.maximum(moves.credit_holding, 0)], np.array(sorted(first), np.int64))
    got: dict[int, dict[int, int]] = {}
    values = moves.credit_amount[near]
    amounts = [int(value) for value in values] if values.ndim == 1 else uint256.to_ints(values)
    txs, whos = moves.tx[movement[near]].tolist(), party[moves.credit_holding[near]].tolist()
    for tx, who, value in zip(txs, whos, amounts, strict=True):
        here = got.setdefault(tx, {})
        here[who] = here.get(who, 0) + value
    for who in sorted(first, key=lambda each: (first[each], each)):
        above = {
            other: value
            for other, value in got.get(tx_of[who], {}).items()
            if other != who and first[other] < first[who] and other in scheme.levels
        }
        parent = max(above, key=lambda other: (above[other], -other)) if above else -1
        scheme.levels[who] = (scheme.levels[parent][0] + 1 if parent >= 0 else 1, parent)


def _is_own(scheme: DatasetScheme, holding: I64) -> Bool:
    """Which holdings are the scheme's; what is none is not."""
    board = scheme.ground.board(by_address=False)
    owner = np.where(holding >= 0, board.owner[np.maximum(holding, 0)], -1)
    result: Bool = (owner >= 0) & scheme.own[np.maximum(owner, 0)]
    return result


def _share(scheme: DatasetScheme, remaining: Mapping[str, int]) -> None:
    """What is left of each asset, and what everybody gets of it."""
    board, found = scheme.trace.main.board, scheme.trace.main.found
    owner = board.owner[found.live_holding]
    party = np.where(owner >= 0, scheme.party_of[np.maximum(owner, 0)], int(Side.UNKNOWN))
    participants = np.array(sorted({who for (_, who), each in scheme.parties.items() if each.paid}), np.int64)
    free = ~np.isin(party, participants) & (owner >= 0) & ~found.moved_on
    left = {
        name: value
        for (name,), value in sums.totals([board.asset[found.live_holding[free]]], found.live_amount[free]).items()
    }
    told = scheme.payments
    for asset in sorted({asset for asset, _ in scheme.parties}):
        mine = {who: each for (name, who), each in scheme.parties.items() if name == asset and who not in NOBODY}
        losses = {who: each.loss for who, each in sorted(mine.items()) if each.loss}
        name = scheme.ground.asset_name(asset)
        amount = remaining.get(name, left.get(asset, 0))
        rows = np.flatnonzero((told.asset == asset) & told.paid_in)
        paid = list(zip(told.party[rows].tolist(), uint256.to_ints(told.amount[rows]), strict=True))
        weights = {who: each.paid - each.recycled for who, each in mine.items()}
        scheme.shares[asset] = Shares(
            amount, name in remaining, losses, by_fifo(amount, paid, losses), pro_rata(amount, weights, losses),
            by_net_loss(amount, losses),
        )  # fmt: skip
