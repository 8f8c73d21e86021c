"""Address poisoning: entries in people's histories that resemble whom they pay, in the hope of a wrong copy.

Look-alikes are contracts that one factory could make; of many salts those are kept whose address begins and ends like
the one that is imitated. They get into a history by transfers of nothing, by a counterfeit of the token, and by dust.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from chain.model import I64
from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.accounts import Account, salted_addresses
from clustering.simulate.ethereum.economy import Economy
from clustering.simulate.ethereum.kinds import Kind, Party, Role
from clustering.simulate.ethereum.tokens import Token, issue
from clustering.simulate.ethereum.truth import Harm
from clustering.simulate.ethereum.world import CODE_HASH, ETH

BEGINS, ENDS = 150, 980
SALTS = 1 << 16
"""That are tried: about as many as there are forms of a first and a last byte."""
TARGETS = 5
"""Histories that one transaction poisons at most."""
PAID = "look-alike paid"
FOOLED_PERCENT = 25
"""Of the poisoner's turns, in which somebody pays a look-alike instead."""
DUST = 1
"""Base units of a payment of dust."""


class Poisoner:
    """`step` poisons those who lately paid somebody dollars."""

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        self.owner = world.truth.owner(Party.POISONER, "address poisoner")
        self.operator = world.account(self.owner, Role.OPERATOR)
        world.fund(self.operator, 30 * ETH)
        world.settle()
        self.factory = world.deploy(self.operator, Role.FACTORY, b"\x60\x80\x60\x40" * 30)
        self.fake: Token | None = None
        self.number = max(24, economy.total // 120)
        self._made = 0
        self._salt_of: I64 | None = None
        self._likes: dict[int, Account] = {}
        self._fooled: deque[tuple[Account, Account]] = deque(maxlen=8)

    def step(self) -> bool:
        economy, world = self.economy, self.economy.world
        if self._made >= economy.due(BEGINS, ENDS, self.number) or not economy.recent:
            return False
        if self.fake is None:
            self.fake = issue(world, self.operator, "Dollar of the Sample", "USDX", 6, traits=("counterfeit",))
            return True
        self._made += 1
        if world.chance(FOOLED_PERCENT) and self._pay_wrong():
            return True
        chosen = [economy.recent.popleft() for _ in range(min(TARGETS, len(economy.recent)))]
        found = [(payer, like, amount) for payer, payee, amount in chosen if (like := self._like(payee)) is not None]
        if not found:
            return False
        kind = (Kind.POISON_ZERO, Kind.POISON_COUNTERFEIT, Kind.POISON_DUST)[self._made % 3]
        self._poison(kind, self.fake, found)
        return True

    def _poison(self, kind: Kind, fake: Token, found: list[tuple[Account, Account, int]]) -> None:
        dollar = self.economy.dollar
        data = abi.TRANSFER_FROM_CALL + abi.array([like.address for _, like, _ in found])
        if kind == Kind.POISON_DUST and dollar.of(self.operator) < DUST * TARGETS:
            exchange = self.economy.exchanges[0]
            exchange.withdraw_token(dollar, self.operator, 5 * dollar.unit)
        run = self.economy.world.begin(kind, self.operator, self.factory, 0, data)
        for payer, like, amount in found:
            if kind == Kind.POISON_ZERO:
                dollar.state(run, payer, like, 0)
            elif kind == Kind.POISON_COUNTERFEIT:
                fake.state(run, payer, like, amount)
            else:
                dollar.move(run, self.operator, like, DUST)
                dollar.move(run, like, payer, DUST)
            self._fooled.append((payer, like))
        run.done()

    def _pay_wrong(self) -> bool:
        """Somebody copies the wrong line, and pays the look-alike."""
        dollar, world = self.economy.dollar, self.economy.world
        able = [each for each in self._fooled if dollar.of(each[0]) >= 10 * dollar.unit and world.spendable(each[0])]
        if not able:
            return False
        payer, like = able[-1]
        self._fooled.remove(able[-1])
        done = dollar.send(Kind.POISONED_PAYMENT, payer, like, dollar.of(payer) // 2)
        harms = world.truth.harms
        harm = next((each for each in harms if each.form == PAID and each.address == like.row), None)
        if harm is None:
            harm = Harm(PAID, self.owner, like.row)
            harms.append(harm)
        harm.victims.append(payer.row)
        harm.txs.append(done)
        return True

    def _like(self, payee: Account) -> Account | None:
        """The look-alike of an address; None where no salt that was tried has its first and last byte."""
        if payee.row in self._likes:
            return self._likes[payee.row]
        if self._salt_of is None:
            made = salted_addresses(self.factory.address, CODE_HASH, 0, SALTS)
            self._salt_of = np.full(1 << 16, -1, np.int64)
            self._salt_of[made[:, 0].astype(np.int64) << 8 | made[:, -1]] = np.arange(SALTS)
        salt = int(self._salt_of[payee.address[0] << 8 | payee.address[-1]])
        if salt < 0:
            return None
        like = self.economy.world.salted(self.factory, salt, self.owner, Role.LOOK_ALIKE)
        self._likes[payee.row] = like
        return like
