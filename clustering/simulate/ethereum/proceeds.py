"""Where a sale's proceeds go: in slices to an exchange, a mixer and an over-the-counter broker, straight or by hops."""

from __future__ import annotations

from dataclasses import dataclass

from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.broker import Broker
from clustering.simulate.ethereum.economy import Economy
from clustering.simulate.ethereum.kinds import Kind, Role
from clustering.simulate.ethereum.mixer import DENOMINATIONS, Mixer
from clustering.simulate.ethereum.tokens import Token
from clustering.simulate.ethereum.truth import ETHER, End, SaleTruth
from clustering.simulate.ethereum.world import CENT, ETH

LEAST = ETH
"""What is left below this stays where it is."""
SLICES = 24
"""At most."""
LONGEST = 2
"""Addresses between the collector and an end."""
TURNS = ("exchange", "mixer", "broker", "exchange", "broker")


@dataclass(slots=True)
class _Parcel:
    """A slice on its way."""

    to: str
    at: Account
    path: list[Account]
    hops: int
    """Addresses that it has still to go by."""


class CashOut:
    """`step` moves one slice by one transaction, or begins the next."""

    def __init__(
        self, economy: Economy, mixer: Mixer, broker: Broker, sale: SaleTruth, collector: Account, token: Token | None
    ) -> None:
        self.economy = economy
        self.mixer = mixer
        self.broker = broker
        self.sale = sale
        self.collector = collector
        self.token = token
        """None where the proceeds are ether."""
        self._parcel: _Parcel | None = None
        self._begun = 0
        self._next = economy.world.made
        self._pace = max(4, economy.total // 200)
        self._exchange = economy.exchanges[economy.world.rng.randrange(len(economy.exchanges))]
        self._payee = economy.world.account(sale.issuer)

    def step(self) -> bool:
        world = self.economy.world
        if world.made < self._next:
            return False
        if self._parcel is not None:
            return self._go_on(self._parcel)
        if self._begun >= SLICES:
            return False
        self._begun += 1
        self._next = world.made + self._pace
        return self._begin_ether() if self.token is None else self._begin_token(self.token)

    def _begin_ether(self) -> bool:
        world = self.economy.world
        free = world.spendable(self.collector)
        if free < LEAST:
            return False
        to = TURNS[self._begun % len(TURNS)]
        wei = min(free, max(LEAST, free * (150 + world.rng.randrange(250)) // 1_000)) // CENT * CENT
        if to == "mixer":
            count = min(4, wei // DENOMINATIONS[1])
            if not count:
                return False
            wei = min(free, count * DENOMINATIONS[1] + ETH // 5)
        hops = max(1, world.rng.randrange(LONGEST + 1)) if to == "mixer" else world.rng.randrange(LONGEST + 1)
        if not hops:
            return self._arrive(_Parcel(to, self.collector, [self.collector], 0), wei)
        hop = world.account(self.sale.issuer, Role.HOP)
        world.pay(Kind.CASH_OUT, self.collector, hop, wei)
        self._parcel = _Parcel(to, hop, [self.collector], hops - 1)
        return True

    def _go_on(self, parcel: _Parcel) -> bool:
        world = self.economy.world
        if parcel.hops:
            hop = world.account(self.sale.issuer, Role.HOP)
            world.empty(Kind.CASH_OUT, parcel.at, hop)
            self._parcel = _Parcel(parcel.to, hop, [*parcel.path, parcel.at], parcel.hops - 1)
            return True
        self._parcel = None
        return self._arrive(_Parcel(parcel.to, parcel.at, [*parcel.path, parcel.at], 0), None)

    def _arrive(self, parcel: _Parcel, wei: int | None) -> bool:
        """The last step; `wei` None is all that the hop has."""
        world = self.economy.world
        if parcel.to == "mixer":
            while world.spendable(parcel.at) > DENOMINATIONS[1]:
                self._end(parcel, self.mixer.put(parcel.at, 1), self.mixer.pools[1], ETHER, DENOMINATIONS[1])
            return True
        if wei is None:
            wei = world.spendable(parcel.at)
        if parcel.to == "broker":
            self._end(parcel, world.pay(Kind.CASH_OUT, parcel.at, self.broker.desk, wei), self.broker.desk, ETHER, wei)
            self.broker.take_ether(wei, self._payee)
            return True
        at = self._exchange.deposit_of(self.sale.issuer)
        done = self.economy.deposit(Kind.CASH_OUT, parcel.at, self._exchange, self.sale.issuer, wei)
        self._end(parcel, done, at, ETHER, wei)
        return True

    def _begin_token(self, token: Token) -> bool:
        """Tokens go straight: to the exchange, or over the broker's desk."""
        world = self.economy.world
        held = token.of(self.collector)
        amount = held * (200 + world.rng.randrange(300)) // 1_000
        if amount < 100 * token.unit or not world.spendable(self.collector):
            return False
        parcel = _Parcel("", self.collector, [self.collector], 0)
        if self._begun % 3 == 0:
            parcel.to = "broker"
            done = token.send(Kind.CASH_OUT, self.collector, self.broker.desk, amount)
            self._end(parcel, done, self.broker.desk, token.number, amount)
            return True
        parcel.to = "exchange"
        at = self._exchange.deposit_of(self.sale.issuer)
        done = self.economy.deposit_token(
            Kind.CASH_OUT, token, self.collector, self._exchange, self.sale.issuer, amount
        )
        self._end(parcel, done, at, token.number, amount)
        return True

    def _end(self, parcel: _Parcel, tx: int, at: Account, asset: int, amount: int) -> None:
        path = tuple(each.row for each in parcel.path)
        self.sale.ends.append(End(parcel.to, tx, at.row, asset, amount, path))
