"""The readable twin of the replay: every holding's lots as Python lists, every movement in its turn, no reach pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from chain import uint256
from chain.model import U8, Array
from clustering.trace.ends import End
from clustering.trace.movements import Movements, Side
from clustering.trace.policies import POLICIES, Fills, Leaves
from clustering.trace.run import Course
from clustering.trace.touched import Points

_ENDS = {
    Side.FEE: End.FEE, Side.BURNED: End.BURNED, Side.ISSUED: End.ISSUED, Side.UNKNOWN: End.UNKNOWN_PARTY
}  # fmt: skip


@dataclass(frozen=True)
class Lot:
    amount: int
    claim: tuple[int, ...]
    """Seeds in the order in which they claimed; empty for nobody's money."""
    hops: int = 0
    source: int = -1


Flow = tuple[int, int, tuple[int, ...], int, int, int]
"""Debit row, credit row, claim, hops, end, amount."""


def amounts(rows: Array) -> list[int]:
    """Python ints of either chain's amounts."""
    return [int(value) for value in rows] if rows.ndim == 1 else uint256.to_ints(rows)


@dataclass
class Reference:
    """A run in plain Python."""

    movements: Movements
    ends: U8
    points: Points
    course: Course
    flows: list[Flow] = field(default_factory=list)
    sown: list[tuple[int, int, tuple[int, ...], int]] = field(default_factory=list)
    holdings: dict[int, list[Lot]] = field(default_factory=dict)
    claims: dict[tuple[int, ...], int] = field(default_factory=dict)
    """Claims in the order in which they were first made: pro rata takes lots in it."""

    def run(self) -> Reference:
        facts = POLICIES[self.course.policy]
        self._leaves, self._fills = facts.leaves, facts.fills
        self._debit, self._credit = amounts(self.movements.debit_amount), amounts(self.movements.credit_amount)
        self.claims = {(): 0} | {(seed,): seed + 1 for seed in range(int(self.points.seed.max(initial=-1)) + 1)}
        self._seeds = {int(h) for h in self.points.holding}
        for holding, missing in self._openings().items():
            self.holdings[holding] = [Lot(missing, ())]
        for movement in range(self.course.last):
            self._carry(movement)
        return self

    def live(self) -> list[tuple[int, tuple[int, ...], int, int]]:
        """Holding, claim, hops and amount of what lies somewhere."""
        return [
            (holding, lot.claim, lot.hops, lot.amount)
            for holding, lots in sorted(self.holdings.items())
            for lot in lots
            if lot.claim
        ]

    def _rows(self, movement: int) -> tuple[range, range]:
        debit, credit = self.movements.first_debit, self.movements.first_credit
        return range(debit[movement], debit[movement + 1]), range(credit[movement], credit[movement + 1])

    def _openings(self) -> dict[int, int]:
        """What each holding must have had for no balance to fall below nothing."""
        balance: dict[int, int] = {}
        lowest: dict[int, int] = {}
        for movement in range(self.course.last):
            debits, paid = self._rows(movement)
            for d in debits:
                holding = int(self.movements.debit_holding[d])
                balance[holding] = balance.get(holding, 0) - self._debit[d]
                lowest[holding] = min(lowest.get(holding, 0), balance[holding])
            for c in paid:
                holding = int(self.movements.credit_holding[c])
                balance[holding] = balance.get(holding, 0) + self._credit[c]
        return {holding: -low for holding, low in lowest.items() if holding >= 0 and low < 0}

    def _carry(self, movement: int) -> None:
        debits, paid = self._rows(movement)
        stream: list[Lot] = []
        for d in reversed(debits) if self._leaves == Leaves.NEWEST else debits:
            holding, value = int(self.movements.debit_holding[d]), self._debit[d]
            taken = [Lot(value, ())] if holding < 0 else self._take(holding, value)
            taken = [replace(lot, source=d) for lot in taken if lot.amount]
            if holding >= 0:
                taken = [self._claimed(lot, holding, movement, d, debit=True) for lot in taken]
            stream += taken
        if self.movements.stop[movement] == End.CONVERTED:
            self._convert(movement, paid[0], stream)
            return
        if self.movements.stop[movement]:
            for lot in stream:
                if lot.claim:
                    end = int(self.movements.stop[movement])
                    self.flows.append((lot.source, -1, lot.claim, lot.hops + 1, end, lot.amount))
            stream = [Lot(self._credit[c], ()) for c in paid]
            parts = [(c, [lot]) for c, lot in zip(paid, stream, strict=True)]
        else:
            parts = list(self._parts(stream, paid))
        for c, lots in parts:
            for lot in lots:
                if lot.amount:
                    self._deliver(movement, c, lot)

    def _take(self, holding: int, value: int) -> list[Lot]:
        lots = self.holdings.get(holding, [])
        if self._leaves == Leaves.IN_PROPORTION:
            shares = divided([lot.amount for lot in lots], value)
            left = [replace(lot, amount=lot.amount - part) for lot, part in zip(lots, shares, strict=True)]
            self.holdings[holding] = [lot for lot in left if lot.amount]
            return [replace(lot, amount=part) for lot, part in zip(lots, shares, strict=True)]
        order = list(range(len(lots)))
        if self._leaves == Leaves.NEWEST:
            order.reverse()
        elif self._leaves == Leaves.TRACED:
            order.sort(key=lambda place: not lots[place].claim)
        elif self._leaves == Leaves.OTHERS:
            order.sort(key=lambda place: bool(lots[place].claim))
        taken, kept = [], list(lots)
        for place in order:
            part = min(value, lots[place].amount)
            taken.append(replace(lots[place], amount=part))
            kept[place] = replace(lots[place], amount=lots[place].amount - part)
            value -= part
        assert value == 0, "an opening lot makes up for what came before the data"
        self.holdings[holding] = [lot for lot in kept if lot.amount]
        return taken

    def _parts(self, stream: list[Lot], paid: range) -> Iterator[tuple[int, list[Lot]]]:
        """What each credit gets of the stream."""
        if self._fills == Fills.IN_PROPORTION:
            for c in paid:
                shares = divided([lot.amount for lot in stream], self._credit[c])
                yield c, [replace(lot, amount=part) for lot, part in zip(stream, shares, strict=True)]
                left = [replace(lot, amount=lot.amount - part) for lot, part in zip(stream, shares, strict=True)]
                stream = [lot for lot in left if lot.amount]
            return
        order = list(paid)
        if self._fills != Fills.IN_ORDER:
            stream = [lot for lot in stream if lot.claim] + [lot for lot in stream if not lot.claim]
        if self._fills == Fills.HIGHEST_FIRST:
            order.sort(key=lambda c: (int(self.movements.credit_holding[c]) == Side.FEE, -self._credit[c]))
        for c in order:
            got, value = [], self._credit[c]
            while value:
                lot = stream.pop(0)
                part = min(value, lot.amount)
                got.append(replace(lot, amount=part))
                value -= part
                if lot.amount > part:
                    stream.insert(0, replace(lot, amount=lot.amount - part))
            yield c, got

    def _convert(self, movement: int, c: int, stream: list[Lot]) -> None:
        """Each lot becomes its part of what was received."""
        holding, got, gave = int(self.movements.credit_holding[c]), self._credit[c], sum(lot.amount for lot in stream)
        end = int(self.ends[holding]) if holding not in self._seeds else 0
        below = 0
        for lot in stream:
            above = below + lot.amount
            part = got * above // gave - got * below // gave
            below = above
            if lot.claim:
                self.flows.append((lot.source, c, lot.claim, lot.hops + 1, end or End.CONVERTED, lot.amount))
            became = replace(lot, amount=part, hops=lot.hops + 1) if lot.claim and not end else Lot(part, ())
            if became.claim and part:
                self.flows.append((lot.source, c, lot.claim, became.hops, End.RECEIVED, part))
            if part:
                self._lay(movement, c, holding, became)

    def _deliver(self, movement: int, c: int, lot: Lot) -> None:
        holding = int(self.movements.credit_holding[c])
        if lot.claim:
            hops = lot.hops + 1
            end = self._end(holding, lot, hops)
            self.flows.append((lot.source, c, lot.claim, hops, end, lot.amount))
            lot = Lot(lot.amount, ()) if end else replace(lot, hops=hops)
        if holding >= 0:
            self._lay(movement, c, holding, lot)

    def _lay(self, movement: int, c: int, holding: int, lot: Lot) -> None:
        lot = self._claimed(lot, holding, movement, c, debit=False)
        lots = self.holdings.setdefault(holding, [])
        if self._leaves == Leaves.IN_PROPORTION:
            self._blend(lots, lot)
        elif lots and (lots[-1].claim, lots[-1].hops) == (lot.claim, lot.hops):
            lots[-1] = replace(lot, amount=lots[-1].amount + lot.amount)
        else:
            lots.append(lot)

    def _blend(self, lots: list[Lot], lot: Lot) -> None:
        """One lot of each claim, in the order in which claims were made."""
        same = [each for each in lots if each.claim == lot.claim]
        for each in same:
            lots.remove(each)
            lot = replace(lot, amount=lot.amount + each.amount, hops=min(lot.hops, each.hops))
        lots.append(lot)
        lots.sort(key=lambda each: self.claims[each.claim])

    def _end(self, holding: int, lot: Lot, hops: int) -> int:
        if holding < 0:
            return _ENDS[Side(holding)]
        if self.ends[holding] and holding not in self._seeds:
            return int(self.ends[holding])
        if lot.amount < self.course.least:
            return End.DUST
        return End.HOPS if 0 < self.course.max_hops <= hops else End.NONE

    def _claimed(self, lot: Lot, holding: int, movement: int, row: int, *, debit: bool) -> Lot:
        points = self.points
        for place in range(len(points.seed)):
            seed, inside = int(points.seed[place]), points.start[place] <= movement < points.end[place]
            if (points.holding[place], points.debit[place]) == (holding, debit) and inside and seed not in lot.claim:
                self.sown.append((seed, ~row if debit else row, lot.claim, lot.amount))
                lot = replace(lot, claim=(*lot.claim, seed), hops=0)
                self.claims.setdefault(lot.claim, len(self.claims))
        return lot


def divided(parts: list[int], value: int) -> list[int]:
    """`value` in proportion to `parts`: whole units first, the rest one each to the largest remainders."""
    total = sum(parts)
    if not total:
        return [0] * len(parts)
    shares = [part * value // total for part in parts]
    by_remainder = sorted(range(len(parts)), key=lambda place: -(parts[place] * value % total))
    for place in by_remainder[: value - sum(shares)]:
        shares[place] += 1
    return shares
