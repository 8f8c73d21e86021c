"""An over-the-counter broker: a desk that gives dollars for ether and ether for dollars, and evens out at exchanges."""

from __future__ import annotations

from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.economy import Economy
from clustering.simulate.ethereum.kinds import Kind, Party, Role
from clustering.simulate.ethereum.world import CENT, ETH

PRICE = 2_000
"""Dollars for an ether."""
MARGIN_PERCENT = 1
STOCK = 100 * ETH
"""What the desk keeps; twice so much goes to its exchange, below half of it some comes from there."""


class Broker:
    """The desk and its account at an exchange."""

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        self.owner = world.truth.owner(Party.BROKER, "otc broker")
        self.desk = world.account(self.owner, Role.DESK)
        self.exchange = economy.exchanges[0]
        world.fund(self.desk, STOCK)

    def take_ether(self, wei: int, to: Account) -> bool:
        """Pay out the dollars for ether that the desk was given."""
        dollar = self.economy.dollar
        amount = wei * PRICE * (100 - MARGIN_PERCENT) // 100 * dollar.unit // ETH
        if dollar.of(self.desk) < amount and not self._fetch(amount):
            return False
        dollar.send(Kind.BROKER_TRADE, self.desk, to, amount)
        return True

    def _fetch(self, amount: int) -> bool:
        dollar = self.economy.dollar
        if dollar.of(self.exchange.hot) < 2 * amount:
            return False
        self.exchange.withdraw_token(dollar, self.desk, 2 * amount)
        return True

    def act(self) -> bool:
        """A trade, or what the desk must do before the next one."""
        world, dollar = self.economy.world, self.economy.dollar
        if self.desk.wei > 2 * STOCK:
            self.economy.deposit(Kind.DEPOSIT, self.desk, self.exchange, self.owner, self.desk.wei - STOCK)
            return True
        if self.desk.wei < STOCK // 2:
            if not self.exchange.can_pay(STOCK):
                return False
            self.exchange.withdraw(self.desk, STOCK, self.owner)
            return True
        if world.chance(50):
            person = self.economy.spender(60 * CENT)
            if person is None:
                return False
            wei = world.between(5, world.spendable(person.wallet) // (11 * CENT)) * 10 * CENT
            world.pay(Kind.BROKER_TRADE, person.wallet, self.desk, wei)
            return self.take_ether(wei, person.wallet)
        person = self.economy.holder(dollar, 200 * dollar.unit)
        if person is None:
            return False
        amount = world.between(2, dollar.of(person.wallet) // (100 * dollar.unit)) * 100 * dollar.unit
        wei = amount * ETH // (dollar.unit * PRICE) * (100 - MARGIN_PERCENT) // 100
        if world.spendable(self.desk) < wei:
            return False
        dollar.send(Kind.BROKER_TRADE, person.wallet, self.desk, amount)
        world.pay(Kind.BROKER_TRADE, self.desk, person.wallet, wei)
        return True
