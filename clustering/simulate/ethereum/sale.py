"""Sales in which payment and token move in one transaction: a crowdsale in ether, and one in dollars.

The crowdsale's price steps down in three tiers. People buy for themselves, agents and exchanges for others, some
through wallets that are contracts. The contract passes on what it gets at once, or keeps it until the issuer takes it;
some are paid back what they paid, and the issuer buys with its own proceeds.
"""

from __future__ import annotations

from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.economy import Economy, Person
from clustering.simulate.ethereum.kinds import Kind, Party, Role
from clustering.simulate.ethereum.markets import Market
from clustering.simulate.ethereum.run import Run
from clustering.simulate.ethereum.smart_wallets import SmartWallets
from clustering.simulate.ethereum.tokens import CODE, issue
from clustering.simulate.ethereum.truth import ETHER, Purchase, SaleTruth
from clustering.simulate.ethereum.world import CENT, ETH

OPENS, CLOSES = 250, 450
"""Thousandths of the chain between which the crowdsale sells."""
RATES = (1_300, 1_150, 1_000)
"""Tokens for an ether, tier by tier."""
AGENTS = 2
REFUNDED_PERCENT = 3
RECYCLED = 3
"""Purchases with the issuer's own money."""
TAKEN_AFTER = 40
"""Purchases after which an issuer whose contract keeps the money takes some."""

DOLLARS_OPEN, DOLLARS_CLOSE = 480, 620
DOLLAR_RATES = (25, 20)
"""Tokens for a dollar, tier by tier."""


class Crowdsale:
    """`step` is called now and then and does what is due."""

    def __init__(self, economy: Economy, smart: SmartWallets) -> None:
        world = economy.world
        self.economy = economy
        self.smart = smart
        self.owner = world.truth.owner(Party.ISSUER, "crowdsale issuer")
        self.issuer = world.account(self.owner, Role.OPERATOR)
        self.collector = world.account(self.owner, Role.COLLECTOR)
        world.fund(self.issuer, 30 * ETH)
        world.fund(self.collector, ETH)
        self.number = max(160, economy.total // 20)
        self.keeps = world.chance(50)
        self.truth: SaleTruth | None = None
        self._agents: list[Person] = []
        self._once: dict[int, Purchase] = {}
        """Who bought for themselves once, by row."""
        self._refunds: list[Purchase] = []
        self._persons: dict[int, Person] = {}
        self._friend: Account | None = None
        self._late = 3

    def step(self) -> bool:
        economy = self.economy
        if not economy.is_past(OPENS):
            return False
        if self.truth is None:
            self._launch()
            return True
        if not economy.is_past(CLOSES):
            if len(self.truth.purchases) >= economy.due(OPENS, CLOSES, self.number):
                return False
            return self._buy(self.truth)
        return self._close(self.truth)

    @property
    def is_over(self) -> bool:
        return self.economy.is_past(CLOSES) and not self._refunds and not self._late

    def _launch(self) -> None:
        world = self.economy.world
        self.token = issue(world, self.issuer, "Sample Crowdsale Token", "SCT")
        self.contract = world.deploy(self.issuer, Role.SALE, CODE * 8 + abi.word(self.collector.address))
        if not self.keeps:
            self.contract.forward = self.collector
        self.truth = SaleTruth(
            "crowdsale", self.owner, self.contract.row, self.token.number, [self.collector.row],
            tiers=[(rate, 1) for rate in RATES],
        )  # fmt: skip
        world.truth.sales.append(self.truth)
        while len(self._agents) < AGENTS:
            agent = self.economy.anybody()
            if agent not in self._agents:
                self._agents.append(agent)
        self.truth.agents = [agent.wallet.row for agent in self._agents]

    # Purchases

    def _buy(self, sale: SaleTruth) -> bool:
        draw = self.economy.world.rng.randrange(100)
        if draw < 9:
            return self._buy_by_agent(sale)
        if draw < 15:
            return self._buy_by_exchange(sale)
        if draw < 19:
            return self._buy_by_contract(sale)
        if draw < 21 and not self.keeps and len(sale.recycled) < RECYCLED:
            return self._recycle(sale)
        person = self.economy.anybody()
        wei = self._wish(person)
        if not self.economy.supply(person, wei):
            return False
        self._purchase(sale, person.wallet, person.wallet, wei)
        self._note_single(sale, person)
        return True

    def _wish(self, person: Person) -> int:
        """What somebody spends: a round amount, half of what they have at most, but never nothing."""
        most = self.economy.world.spendable(person.wallet) // 2 // CENT
        return self.economy.world.between(10, max(20, most)) * CENT

    def _note_single(self, sale: SaleTruth, person: Person) -> None:
        row = person.wallet.row
        last = sale.purchases[-1]
        if row in self._persons:
            self._once.pop(row, None)
        else:
            self._persons[row] = person
            self._once[row] = last

    def _buy_by_agent(self, sale: SaleTruth) -> bool:
        world = self.economy.world
        agent = self._agents[world.rng.randrange(AGENTS)]
        other = self.economy.anybody()
        wei = world.between(10, 200) * CENT
        if other in self._agents or not self.economy.supply(agent, wei):
            return False
        self._purchase(sale, agent.wallet, other.wallet, wei)
        self._forget(other.wallet.row)
        return True

    def _buy_by_exchange(self, sale: SaleTruth) -> bool:
        """An exchange pays out of its hot wallet, straight into the sale, for a customer."""
        person = self.economy.anybody()
        wei = self.economy.world.between(10, 200) * CENT
        if not person.exchange.can_pay(wei):
            return False
        hot = person.exchange.hot
        self._purchase(sale, hot, person.wallet, wei, person.owner)
        if hot.row not in sale.agents:
            sale.agents.append(hot.row)
        self._forget(person.wallet.row)
        return True

    def _forget(self, row: int) -> None:
        """Somebody who has tokens of several purchases is not refunded."""
        self._once.pop(row, None)
        self._persons.setdefault(row, self._agents[0])

    def _buy_by_contract(self, sale: SaleTruth) -> bool:
        """By a wallet that is a contract, whose operation somebody else sends."""
        found = self.smart.able(10 * CENT)
        if found is None:
            return False
        wallet, wei = found[0], min(found[1], 2 * ETH) // CENT * CENT
        tx = self.economy.world.truth.tx_count
        self.smart.operate(wallet, lambda run: self._give(sale, run, wallet, wallet, wei, paid_within=True))
        self._record(sale, tx, wallet, wallet, wei)
        return True

    def _recycle(self, sale: SaleTruth) -> bool:
        """The collector pays a friend, who buys with it."""
        world = self.economy.world
        wei = 2 * ETH
        if world.spendable(self.collector) < 2 * wei:
            return False
        if self._friend is None:
            self._friend = world.account(self.owner)
        world.pay(Kind.CONSOLIDATION, self.collector, self._friend, wei + ETH // 5)
        self._purchase(sale, self._friend, self._friend, wei)
        sale.recycled.append((sale.purchases[-1].tx, self._friend.row, wei))
        return True

    def _purchase(self, sale: SaleTruth, payer: Account, buyer: Account, wei: int, actor: int = -1) -> None:
        world = self.economy.world
        data = abi.call(abi.BUY_CALL, buyer.address)
        run = world.begin(Kind.PURCHASE, payer, self.contract, wei, data, actor=actor)
        self._give(sale, run, payer, buyer, wei)
        self._record(sale, run.done(), payer, buyer, wei)

    def _tier(self, sale: SaleTruth) -> int:
        return min(len(sale.purchases) * len(RATES) // self.number, len(RATES) - 1)

    def _give(
        self, sale: SaleTruth, run: Run, payer: Account, buyer: Account, wei: int, paid_within: bool = False
    ) -> None:
        if paid_within:
            run.pay(payer, self.contract, wei)
        got = wei * RATES[self._tier(sale)]
        self.token.mint(run, buyer, got)
        topics = (abi.TOKEN_PURCHASE, abi.word(payer.address), abi.word(buyer.address))
        run.log(self.contract, topics, abi.word(wei) + abi.word(got))

    def _record(self, sale: SaleTruth, tx: int, payer: Account, buyer: Account, wei: int) -> None:
        tier = self._tier(sale)
        sale.purchases.append(Purchase(tx, payer.row, buyer.row, ETHER, wei, wei * RATES[tier], tier))
        if self.keeps and len(sale.purchases) % TAKEN_AFTER == 0:
            self._take(self.contract.wei * 7 // 10)
        if len(sale.purchases) == self.number * 9 // 10:
            self._refunds = [*self._once.values()][:: max(1, 100 // REFUNDED_PERCENT // 2)]

    # After the sale

    def list_on(self, market: Market) -> None:
        """The issuer makes a market of the token, with some of what was received."""
        world = self.economy.world
        wei = world.spendable(self.collector) // 12
        if wei < ETH:
            return
        world.pay(Kind.CONSOLIDATION, self.collector, self.issuer, wei)
        tokens = wei * RATES[-1]
        run = world.begin(Kind.DISTRIBUTION, self.issuer, self.token.contract, 0, abi.call(abi.MINT_CALL, tokens))
        self.token.mint(run, self.issuer, tokens)
        run.done()
        market.open_pool(self.issuer, self.token, tokens, wei)

    def _take(self, wei: int) -> None:
        run = self.economy.world.begin(Kind.FORWARDING, self.issuer, self.contract, 0, abi.FORWARD_CALL)
        run.pay(self.contract, self.collector, wei)
        run.done()

    def _close(self, sale: SaleTruth) -> bool:
        world = self.economy.world
        self.contract.forward = None
        while self._refunds:
            done = self._refunds.pop()
            holder = self._persons[done.payer].wallet
            if self.token.of(holder) >= done.got and done.payer in self._once and world.spendable(holder):
                return self._refund(sale, done, holder)
        if self._late:
            person = self.economy.spender(CENT)
            self._late -= 1
            if person is not None:
                data = abi.call(abi.BUY_CALL, person.wallet.address)
                world.begin(Kind.LATE_PURCHASE, person.wallet, self.contract, CENT, data).fail()
            return True
        if self.contract.wei:
            self._take(self.contract.wei)
            return True
        return False

    def _refund(self, sale: SaleTruth, done: Purchase, holder: Account) -> bool:
        """The holder gives the tokens back; a contract that has kept nothing is paid by the collector first."""
        world = self.economy.world
        if self.contract.wei < done.paid:
            if world.spendable(self.collector) < done.paid:
                return False
            world.pay(Kind.FORWARDING, self.collector, self.contract, done.paid)
        run = world.begin(Kind.REFUND, holder, self.contract, 0, abi.call(abi.REFUND_CALL, holder.address))
        self.token.move(run, holder, world.zero, done.got)
        run.pay(self.contract, holder, done.paid)
        sale.refunds.append((run.done(), holder.row, done.paid))
        return True


class DollarSale:
    """A token for a stablecoin, which buyers give straight to the issuer's treasury."""

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        self.owner = world.truth.owner(Party.ISSUER, "dollar sale issuer")
        self.issuer = world.account(self.owner, Role.OPERATOR)
        self.collector = world.account(self.owner, Role.COLLECTOR)
        world.fund(self.issuer, 30 * ETH)
        world.fund(self.collector, 2 * ETH)
        self.number = max(60, economy.total // 100)
        self.truth: SaleTruth | None = None

    def step(self) -> bool:
        economy = self.economy
        if not economy.is_past(DOLLARS_OPEN):
            return False
        if self.truth is None:
            self._launch()
            return True
        if len(self.truth.purchases) >= economy.due(DOLLARS_OPEN, DOLLARS_CLOSE, self.number):
            return False
        return self._buy(self.truth)

    @property
    def is_over(self) -> bool:
        return self.truth is not None and len(self.truth.purchases) == self.number

    def _launch(self) -> None:
        world = self.economy.world
        self.token = issue(world, self.issuer, "Sample Dollar Sale Token", "SDT")
        self.contract = world.deploy(self.issuer, Role.SALE, CODE * 8 + abi.word(self.collector.address))
        self.truth = SaleTruth(
            "stablecoin sale", self.owner, self.contract.row, self.token.number, [self.collector.row],
            tiers=[(rate * 10**12, 1) for rate in DOLLAR_RATES],
        )  # fmt: skip
        world.truth.sales.append(self.truth)

    def _buy(self, sale: SaleTruth) -> bool:
        economy, world, dollar = self.economy, self.economy.world, self.economy.dollar
        person = economy.anybody()
        amount = world.between(2, 200) * 50 * dollar.unit
        if not world.spendable(person.wallet) or not economy.supply_dollars(person, amount):
            return False
        buyer = economy.anybody() if world.chance(6) else person
        dollar.approve(person.wallet, self.contract, amount)
        data = abi.call(abi.BUY_WITH_CALL, buyer.wallet.address, amount)
        run = world.begin(Kind.PURCHASE, person.wallet, self.contract, 0, data)
        tier = min(len(sale.purchases) * len(DOLLAR_RATES) // self.number, len(DOLLAR_RATES) - 1)
        got = amount * DOLLAR_RATES[tier] * 10**12
        dollar.move(run, person.wallet, self.collector, amount)
        self.token.mint(run, buyer.wallet, got)
        done = run.done()
        row = Purchase(done, person.wallet.row, buyer.wallet.row, dollar.number, amount, got, tier)
        sale.purchases.append(row)
        return True
