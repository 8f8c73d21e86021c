"""Wallets: their makes with the fingerprints that they leave, and how they choose coins.

A wallet's selection is used backwards: it says in which order coins would be taken, a number of inputs is drawn, and
the payment is drawn between what one coin fewer would cover and what these cover. So the marginals of input counts are
met, and every transaction is one that this wallet would have made for this amount.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from random import Random

from clustering.simulate.keys import Address

Coin = tuple[bytes, int, Address]
"""Outpoint (36 bytes), satoshi, address."""

FINAL = 0xFFFFFFFF
LOCKING = 0xFFFFFFFE
"""Lets a lock time bind and does not signal replacement (BIP 125)."""
REPLACEABLE = 0xFFFFFFFD


class Order(IntEnum):
    """Where change stands among the outputs."""

    RANDOM = 0
    LAST = 1
    FIRST = 2
    BIP69 = 3


class Selection(IntEnum):
    """Which coins a wallet takes first."""

    LARGEST = 0
    OLDEST = 1
    RANDOM = 2
    NEAREST = 3
    """The smallest coin that suffices, as after a failed branch-and-bound search; several: the largest first."""


class Policy(IntEnum):
    """What becomes of addresses."""

    FRESH = 0
    """A new address for each receipt and each change (BIP 32)."""
    REUSE = 1
    """One address for everything: change goes back to where the coins were."""
    STATIC = 2
    """One address to receive, a new one for each change, and all spent together now and then."""
    TOKEN = 3
    """One address for everything, for token protocols that know a holder by it."""


@dataclass(frozen=True, slots=True)
class Make:
    """A wallet program: what its transactions look like."""

    name: str
    form: int
    version: int
    locks: bool
    """Lock time at the tip's height, against fee sniping (Bitcoin Core since 0.11, Electrum since 3.0)."""
    sequence: int
    low_r: bool
    order: Order
    selection: Selection
    early: int
    """Share of payments at the chain's beginning, in tenths of a percent."""
    late: int
    """The same at its end; between them it changes steadily."""
    fee_habit: int = 100
    """What it pays of the going rate, in percent."""


class Wallet:
    """An owner's coins of one wallet program."""

    __slots__ = ("account", "coins", "group", "last", "make", "own", "owner", "row", "service")

    def __init__(self, owner: int, group: Group) -> None:
        self.owner = owner
        self.group = group
        self.make = group.make
        self.coins: list[Coin] = []
        self.own: Address | None = None
        """The address that it uses again, where it does."""
        self.row = -1
        """Row of `own` among the addresses."""
        self.last: Address | None = None
        """The last address that it showed a payer."""
        self.account: Address | None = None
        """Its deposit address at a service."""
        self.service = -1
        """Which service that is."""


@dataclass(slots=True)
class Group:
    """Wallets of one make and policy."""

    policy: Policy
    make: Make
    share: int
    """Share of the policy's coins that it should hold, in thousandths."""
    wallets: list[Wallet] = field(default_factory=list)
    stock: int = 0
    """Coins in its wallets."""
    wanted: int = 0
    """Coins that should be there now."""


def take(rng: Random, coins: list[Coin], number: int, selection: int) -> tuple[list[Coin], int]:
    """Take `number` coins out of `coins` in a wallet's order; and the least amount, before fees, that needs all."""
    if len(coins) == 1:
        return [coins.pop()], 0
    if selection == Selection.OLDEST:
        chosen = coins[:number]
        del coins[:number]
    elif selection == Selection.RANDOM:
        chosen = [coins.pop(int(rng.random() * len(coins))) for _ in range(number)]
    else:
        coins.sort(key=_value)
        if selection == Selection.NEAREST and number == 1:
            place = int(rng.random() * len(coins))
            return [coins.pop(place)], coins[place - 1][1] if place else 0
        chosen = coins[: -number - 1 : -1]
        del coins[-number:]
    return chosen, sum([coin[1] for coin in chosen[:-1]])


def _value(coin: Coin) -> tuple[int, bytes]:
    return coin[1], coin[0]
