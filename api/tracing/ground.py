"""A dataset as a trace sees it: movements, whose the holdings are, what ends a trace, and how everything is named."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from api.tracing.request import Direction
from api.tracing.seeds import Seed
from chain.model import I64, U8, Bool
from clustering.labels import LabelColumn
from clustering.trace.movements import Movements, backward
from clustering.trace.policies import POLICIES, Policy


class Unusable(Exception):
    """Why a seed cannot be traced in a dataset."""


@dataclass(frozen=True, slots=True)
class Board:
    """Movements with the address and the asset of each holding."""

    movements: Movements
    owner: I64
    """[H] address id, -1 for none"""
    asset: I64
    ends: U8
    """[H] `End` of each holding, 0 where a trace goes on"""
    single: Bool
    """[H] whether the holding is used once, so that a seed is told by its credit"""
    of_base: I64 | None = None
    """The holding here of each holding of the base; None where they are the same"""


@dataclass(frozen=True, slots=True)
class Place:
    """A seed, found in a dataset."""

    seed: int
    """Its number in the request"""
    address: int
    """Address id; -1 where rows are meant"""
    rows: tuple[int, ...]
    """Credit rows of the dataset's movements"""
    start: int
    """Movements [start, end)"""
    end: int
    asset: int
    """-1 for every asset"""


class Ground(ABC):
    """One dataset. `about` is what results record of it: place in the chain, clustering, labels, coverage."""

    chain: str
    dataset: str
    network: str
    """As labels name it"""
    labels: LabelColumn | None
    about: Mapping[str, Any]
    base: Movements
    """Forward, over the finest holdings"""
    times: I64
    """[M] seconds since 1970 of each movement of the base, as its block states it"""
    addresses: int
    """How many addresses the dataset has"""

    @abstractmethod
    def board(self, *, by_address: bool) -> Board:
        """Forward movements; over balances of addresses where a convention asks for them."""

    @abstractmethod
    def find(self, number: int, seed: Seed) -> Place:
        """A seed here; Unusable says why it is none."""

    def places(self, number: int, seed: Seed) -> list[Place]:
        """The places of a seed: one of each address of a cluster or a finding, else its own. Unusable as of `find`."""
        if seed.finding:
            found = [replace(seed, address=each, finding="") for each in self.finding(seed.finding)]
            known = [self.find(number, each) for each in found if self.is_observed(each)]
            if not known:
                raise Unusable("not observed")
            return known
        if not seed.cluster:
            return [self.find(number, seed)]
        place = self.find(number, replace(seed, address=seed.cluster, cluster=""))
        return [replace(place, address=member) for member in self.members(place.address)]

    def is_observed(self, seed: Seed) -> bool:
        """Whether `find` finds it."""
        try:
            self.find(0, seed)
        except Unusable:
            return False
        return True

    def finding(self, name: str) -> list[str]:
        """The addresses of a finding by its ID or its first digits; Unusable where there is none, or several."""
        raise Unusable(f"there is no finding {name} here")

    @abstractmethod
    def address(self, address: int) -> str: ...

    @abstractmethod
    def output(self, holding: int) -> str:
        """`txid:n` of a holding of the base that is an output; empty where holdings are accounts'."""

    @abstractmethod
    def txid(self, tx: int) -> str: ...

    @abstractmethod
    def asset_name(self, asset: int) -> str: ...

    @abstractmethod
    def label(self, address: int) -> str:
        """The service that labels name; empty for none."""

    @abstractmethod
    def speaker(self, address: int) -> int:
        """The address whose label speaks for this one; -1 for none."""

    @abstractmethod
    def key(self, address: int) -> bytes:
        """The address as the store keeps it."""

    def parties(self) -> I64:
        """[A] whose each address is: of a cluster its first address, else itself."""
        return np.arange(self.addresses, dtype=np.int64)

    def gas(self) -> Bool:
        """[M] the movements of the base that pay for a transaction; none where a fee is part of a movement."""
        return np.zeros(self.base.size, np.bool_)

    def members(self, address: int) -> list[int]:
        """The addresses of its cluster; itself alone where there are no clusters."""
        return [address]

    def cluster(self, address: int) -> str:  # noqa: ARG002 (a chain without clusters has none)
        """The handle of its cluster; empty for none."""
        return ""

    def possible_outputs(self, movement: int) -> list[str]:
        """The outputs of a movement of the base that stops a trace: any of them may be it."""
        rows = range(int(self.base.first_credit[movement]), int(self.base.first_credit[movement + 1]))
        held = [int(self.base.credit_holding[row]) for row in rows if self.base.credit_amount[row].any()]
        return [self.output(holding) for holding in held if holding >= 0]

    def window(self, seed: Seed) -> tuple[int, int]:
        """The movements of a seed's time."""
        start = 0 if seed.from_time < 0 else self.base.until(seed.from_time - 1)
        return start, self.base.size if seed.to_time < 0 else self.base.until(seed.to_time)


def turned(board: Board, policy: Policy) -> Board:
    """The board back in time, as a convention needs it."""
    inner = policy != Policy.LIFO
    return Board(
        backward(board.movements, inner=inner), board.owner, board.asset, board.ends, board.single, board.of_base
    )


def boards(ground: Ground, policy: Policy, direction: Direction) -> tuple[Board, Board]:
    """The board that a convention runs on, and the same forward, on which seeds are found."""
    forward = ground.board(by_address=POLICIES[policy].by_address)
    return (forward if direction == Direction.FORWARD else turned(forward, policy)), forward
