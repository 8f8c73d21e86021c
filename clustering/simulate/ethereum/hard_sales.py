"""Sales in forms that detection does not claim to find: an auction whose price falls with each block, and a token for
ether one for one. They are here so that what is missed is counted.
"""

from __future__ import annotations

from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.economy import Economy
from clustering.simulate.ethereum.kinds import Kind, Party, Role
from clustering.simulate.ethereum.tokens import CODE, issue
from clustering.simulate.ethereum.truth import ETHER, Purchase, SaleTruth
from clustering.simulate.ethereum.world import CENT, ETH

OPENS, CLOSES = 700, 850
"""Thousandths of the chain between which they sell."""
FIRST_RATE, STEP = 500, 3
"""Tokens for an ether at the auction's beginning, and more with each block."""


class HardSale:
    """A contract that mints its token for ether; `falling`: an auction, else one for one."""

    def __init__(self, economy: Economy, *, falling: bool) -> None:
        world = economy.world
        self.economy = economy
        self.falling = falling
        self.form = "auction" if falling else "one for one"
        self.owner = world.truth.owner(Party.ISSUER, f"issuer of the sale: {self.form}")
        self.issuer = world.account(self.owner, Role.OPERATOR)
        self.collector = world.account(self.owner, Role.COLLECTOR)
        world.fund(self.issuer, 20 * ETH)
        self.number = max(45, economy.total // 120)
        self.truth: SaleTruth | None = None
        self._contract: Account | None = None
        self._begun = 0

    def step(self) -> bool:
        economy, world = self.economy, self.economy.world
        if not economy.is_past(OPENS):
            return False
        if self.truth is None or self._contract is None:
            self.token = issue(world, self.issuer, f"Sample Token, {self.form}", "HARD")
            contract = self._contract = world.deploy(self.issuer, Role.SALE, CODE * 8)
            contract.forward = self.collector
            self._begun = world.chain.height
            self.truth = SaleTruth(self.form, self.owner, contract.row, self.token.number, [self.collector.row])
            world.truth.sales.append(self.truth)
            return True
        if len(self.truth.purchases) >= economy.due(OPENS, CLOSES, self.number):
            return False
        return self._buy(self.truth, self._contract)

    def _rate(self) -> int:
        return FIRST_RATE + STEP * (self.economy.world.chain.height - self._begun) if self.falling else 1

    def _buy(self, sale: SaleTruth, contract: Account) -> bool:
        world = self.economy.world
        person = self.economy.anybody()
        wei = world.between(10, 300) * CENT
        if not self.economy.supply(person, wei):
            return False
        rate, wallet = self._rate(), person.wallet
        if not sale.tiers or sale.tiers[-1] != (rate, 1):
            sale.tiers.append((rate, 1))
        run = world.begin(Kind.PURCHASE, wallet, contract, wei, abi.call(abi.BUY_CALL, wallet.address))
        self.token.mint(run, wallet, wei * rate)
        tier = len(sale.tiers) - 1
        sale.purchases.append(Purchase(run.done(), wallet.row, wallet.row, ETHER, wei, wei * rate, tier))
        return True
