"""Exchanges: deposit addresses, sweeps, gas, withdrawals, cold storage.

Three makes of deposit addresses: accounts with keys, which send on what they get and need gas before their tokens can
go; contracts at addresses known before they are made, which the exchange flushes; and contracts that pass ether on in
the very transaction that brings it.
"""

from __future__ import annotations

from enum import IntEnum

from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.kinds import Kind, Party, Role
from clustering.simulate.ethereum.run import PLAIN_GAS
from clustering.simulate.ethereum.tokens import CODE, Token
from clustering.simulate.ethereum.truth import ETHER
from clustering.simulate.ethereum.world import ETH, World

TOKEN_GAS = 120_000
"""Gas that a token transfer of a deposit address is funded for."""
KEPT_HOT = 400 * ETH
"""What is above three times so much goes to cold storage; below it, some comes back."""
FLUSHED = 6
"""Deposit contracts that one transaction empties at most."""


class Make(IntEnum):
    """How an exchange makes its deposit addresses."""

    KEYS = 0
    FLUSHED = 1
    FORWARDING = 2


class Exchange:
    """A service that holds its customers' money."""

    def __init__(self, world: World, name: str, make: Make, capital: int) -> None:
        self.world = world
        self.make = make
        self.owner = world.truth.owner(Party.EXCHANGE, name)
        self.hot = world.account(self.owner, Role.HOT)
        self.cold = world.account(self.owner, Role.COLD)
        self.tank = world.account(self.owner, Role.GAS_TANK)
        self.operator = world.account(self.owner, Role.OPERATOR)
        self.factory: Account | None = None
        self.accounts: dict[int, Account] = {}
        """The deposit address of each customer, by owner."""
        self.waiting: dict[tuple[int, int], tuple[Account, Token | None]] = {}
        """Deposit addresses with something to sweep, by row and number of the asset."""
        self._there: set[int] = set()
        """Rows of the deposit contracts that have been made."""
        self._salts = 0
        for account, share in ((self.hot, 60), (self.cold, 30), (self.tank, 2), (self.operator, 8)):
            wei = capital * share // 100
            while wei > 0:  # a validator has 2,048 ether at most (EIP-7251)
                part = min(wei, 2_048 * ETH)
                world.fund(account, part)
                wei -= part

    def open(self) -> None:
        """What must be on the chain before the first customer comes."""
        if self.make != Make.KEYS:
            self.factory = self.world.deploy(self.operator, Role.FACTORY, CODE * 8)

    def deposit_of(self, customer: int) -> Account:
        """The address that a customer is shown, always the same."""
        found = self.accounts.get(customer)
        if found is None:
            found = self.accounts[customer] = self._new(customer)
        return found

    def _new(self, customer: int) -> Account:
        world = self.world
        if self.factory is None:
            return world.account(self.owner, Role.DEPOSIT, customer)
        self._salts += 1
        made = world.salted(self.factory, self._salts, self.owner, Role.DEPOSIT, customer)
        if self.make == Make.FORWARDING:
            run = world.begin(Kind.FACTORY_DEPLOYMENT, self.operator, self.factory, 0, abi.FLUSH_CALL)
            run.create(self.factory, made)
            run.done()
            made.forward = self.hot
        return made

    def came(self, at: Account, token: Token | None) -> None:
        """Something came to a deposit address."""
        if token is not None or at.forward is None:
            self.waiting[at.row, ETHER if token is None else token.number] = (at, token)

    # What the exchange does

    def sweep(self) -> bool:
        """Send on what waits at one address, or at several contracts at once."""
        if not self.waiting:
            return False
        (row, asset), (at, token) = next(iter(self.waiting.items()))
        if self.factory is not None:
            return self._flush(asset)
        if token is None:
            del self.waiting[row, asset]
            if at.wei > 2 * PLAIN_GAS * self.world.gas_price:
                self.world.empty(Kind.SWEEP, at, self.hot)
            return True
        need = TOKEN_GAS * self.world.gas_price
        if at.wei < need:
            self.world.pay(Kind.GAS_FUNDING, self.tank, at, need * 5 // 4)
            return True
        del self.waiting[row, asset]
        token.send(Kind.SWEEP, at, self.hot, token.of(at))
        return True

    def _flush(self, asset: int) -> bool:
        assert self.factory is not None, "only contracts are flushed"
        chosen = [key for key in self.waiting if key[1] == asset][:FLUSHED]
        data = abi.FLUSH_CALL + abi.array([row for row, _ in chosen])
        run = self.world.begin(Kind.SWEEP, self.operator, self.factory, 0, data)
        for key in chosen:
            at, token = self.waiting.pop(key)
            if at.row not in self._there and self.make == Make.FLUSHED:
                self._there.add(at.row)
                run.create(self.factory, at)
            if token is not None:
                token.move(run, at, self.hot, token.of(at))
            elif at.wei:
                run.pay(at, self.hot, at.wei)
        run.done()
        return True

    def balance(self) -> bool:
        """Between hot and cold, and fresh gas, where that is due."""
        world = self.world
        if self.hot.wei > 3 * KEPT_HOT:
            world.pay(Kind.INTERNAL_STORAGE, self.hot, self.cold, self.hot.wei - 2 * KEPT_HOT)
            return True
        if self.hot.wei < KEPT_HOT and world.spendable(self.cold) > KEPT_HOT:
            world.pay(Kind.INTERNAL_STORAGE, self.cold, self.hot, KEPT_HOT)
            return True
        for account in (self.tank, self.operator):
            if account.wei < ETH:
                world.pay(Kind.INTERNAL_STORAGE, self.hot, account, 5 * ETH)
                return True
        return False

    def can_pay(self, wei: int) -> bool:
        return self.world.spendable(self.hot) > wei

    def withdraw(self, to: Account, wei: int, actor: int) -> int:
        """Pay ether to a customer's own address."""
        return self.world.pay(Kind.WITHDRAWAL, self.hot, to, wei, actor)

    def withdraw_token(self, token: Token, to: Account, amount: int) -> int:
        return token.send(Kind.WITHDRAWAL, self.hot, to, amount)
