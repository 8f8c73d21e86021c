"""Money that many pay one address: a presale whose tokens come later, and donations that somebody else makes look like
one.
"""

from __future__ import annotations

from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.economy import Economy
from clustering.simulate.ethereum.kinds import Kind, Party, Role
from clustering.simulate.ethereum.tokens import Token, issue
from clustering.simulate.ethereum.truth import ETHER, Purchase, SaleTruth
from clustering.simulate.ethereum.world import CENT, ETH

OPENS, CLOSES, GIVES = 100, 220, 300
"""Thousandths of the chain between which people pay, and after which they are given tokens."""
RATE = 4_000
"""Tokens for an ether."""
BONUS_FROM, BONUS_PERCENT = 5 * ETH, 10
SERVED_PERCENT = 92
"""Of those who paid; the others never passed the issuer's checks."""
BATCH = 20
"""Recipients of one distribution."""

DONATIONS_OPEN, DONATIONS_CLOSE, FRAMED = 330, 520, 560
FRAMED_RATE = 777


def give(
    economy: Economy, kind: Kind, token: Token, issuer: Account, gifts: list[tuple[Account, int]], via: Account | None
) -> int:
    """Tokens of one holder to many, in one transaction of a contract's or of the token's own."""
    data = abi.DISPERSE_TOKEN_CALL + abi.word(token.contract.address) + abi.array([to.address for to, _ in gifts])
    run = economy.world.begin(kind, issuer, via or token.contract, 0, data)
    for to, amount in gifts:
        token.move(run, issuer, to, amount)
    return run.done()


class Presale:
    """Paid first, served later."""

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        self.owner = world.truth.owner(Party.ISSUER, "presale issuer")
        self.issuer = world.account(self.owner, Role.DISTRIBUTOR)
        self.collector = world.account(self.owner, Role.COLLECTOR)
        world.fund(self.issuer, ETH)
        self.number = max(80, economy.total // 60)
        self.truth: SaleTruth | None = None
        self._paid: list[tuple[int, Account, Account, int]] = []
        """(transaction, payer, who is to be served, wei)"""
        self._payers: set[int] = set()
        self._due: list[tuple[Account, int]] | None = None

    def step(self) -> bool:
        economy = self.economy
        if len(self._paid) < economy.due(OPENS, CLOSES, self.number):
            return self._pay()
        if not economy.is_past(GIVES):
            return False
        if self._due is None:
            self._launch()
            return True
        return self._give()

    @property
    def is_over(self) -> bool:
        return self._due is not None and not self._due

    def _pay(self) -> bool:
        world = self.economy.world
        person = self.economy.anybody_but(self._payers)
        wei = world.between(2, 120) * 10 * CENT
        if world.chance(4):
            exchange = person.exchange
            if not exchange.can_pay(wei):
                return False
            tx = world.pay(Kind.PRESALE_PAYMENT, exchange.hot, self.collector, wei, person.owner)
            self._paid.append((tx, exchange.hot, person.wallet, wei))
            return True
        if not self.economy.supply(person, wei):
            return False
        tx = world.pay(Kind.PRESALE_PAYMENT, person.wallet, self.collector, wei)
        self._paid.append((tx, person.wallet, person.wallet, wei))
        self._payers.add(person.wallet.row)
        return True

    def _launch(self) -> None:
        """The token, for whose gas the collector pays; who is given how much."""
        world = self.economy.world
        world.pay(Kind.CONSOLIDATION, self.collector, self.issuer, 2 * ETH)
        self.token = issue(world, self.issuer, "Sample Presale Token", "SPT")
        supply = sum(wei for _, _, _, wei in self._paid) * RATE * 2
        run = world.begin(Kind.DISTRIBUTION, self.issuer, self.token.contract, 0, abi.call(abi.MINT_CALL, supply))
        self.token.mint(run, self.issuer, supply)
        run.done()
        self.token.approve(self.issuer, self.economy.multisender, supply)
        sale = self.truth = SaleTruth(
            "presale", self.owner, self.collector.row, self.token.number, [self.collector.row],
            tiers=[(RATE, 1), (RATE * (100 + BONUS_PERCENT), 100)],
        )  # fmt: skip
        world.truth.sales.append(sale)
        refused = {to.row for _, _, to, _ in self._paid if not world.chance(SERVED_PERCENT)}
        due: dict[int, tuple[Account, int]] = {}
        for tx, payer, to, wei in self._paid:
            tier = int(wei >= BONUS_FROM)
            got = 0 if to.row in refused else wei * RATE * (100 + tier * BONUS_PERCENT) // 100
            sale.purchases.append(Purchase(tx, payer.row, to.row, ETHER, wei, got, tier))
            if got:
                due[to.row] = to, due.get(to.row, (to, 0))[1] + got
        self._due = list(due.values())

    def _give(self) -> bool:
        if not self._due:
            return False
        some, self._due = self._due[:BATCH], self._due[BATCH:]
        give(self.economy, Kind.DISTRIBUTION, self.token, self.issuer, some, self.economy.multisender)
        return True


class Charity:
    """An address that people give round sums to. A stranger later gives the donors a token in the order of what they
    gave, so that it looks like a presale of the charity's."""

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        owner = world.truth.owner(Party.CHARITY, "charity")
        self.account = world.account(owner, Role.COLLECTOR)
        self.framer = world.account(world.truth.owner(Party.FRAMER, "framer"), Role.DISTRIBUTOR)
        world.fund(self.framer, 20 * ETH)
        world.truth.no_sales.append(("donations", self.account.row, ETHER))
        self.number = max(70, economy.total // 80)
        self._gave: dict[int, tuple[Account, int]] = {}
        self._count = 0
        self._token: Token | None = None
        self._due: list[tuple[Account, int]] = []

    def step(self) -> bool:
        economy, world = self.economy, self.economy.world
        if self._count < economy.due(DONATIONS_OPEN, DONATIONS_CLOSE, self.number):
            person = economy.anybody_but(self._gave)
            wei = world.between(1, 30) * 10 * CENT
            if not economy.supply(person, wei):
                return False
            world.pay(Kind.DONATION, person.wallet, self.account, wei)
            row = person.wallet.row
            self._gave[row] = person.wallet, self._gave.get(row, (person.wallet, 0))[1] + wei
            self._count += 1
            return True
        if not economy.is_past(FRAMED):
            return False
        if self._token is None:
            return self._frame()
        if not self._due:
            return False
        some, self._due = self._due[:BATCH], self._due[BATCH:]
        give(economy, Kind.DISTRIBUTION, self._token, self.framer, some, None)
        return True

    def _frame(self) -> bool:
        world = self.economy.world
        token = self._token = issue(world, self.framer, "Gift for Donors", "GIFT")
        self._due = [(to, wei * FRAMED_RATE) for to, wei in self._gave.values()]
        supply = sum(amount for _, amount in self._due)
        run = world.begin(Kind.DISTRIBUTION, self.framer, token.contract, 0, abi.call(abi.MINT_CALL, supply))
        token.mint(run, self.framer, supply)
        run.done()
        return True
