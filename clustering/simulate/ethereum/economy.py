"""Who is there: exchanges, people with their wallets, tokens that everybody has, contracts that everybody uses."""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from dataclasses import dataclass

from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.exchanges import Exchange, Make
from clustering.simulate.ethereum.kinds import Kind, Party, Role
from clustering.simulate.ethereum.tokens import CODE, Token, WrappedEther, issue
from clustering.simulate.ethereum.world import CENT, ETH, World

WETH9 = bytes.fromhex("c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2")
PEOPLE_PERCENT = 12
"""People, of the transactions."""
CAPITAL = 12 * ETH
"""Of the exchanges together, a person."""


@dataclass(eq=False, slots=True)
class Person:
    """A user with a wallet of their own and an account at an exchange."""

    owner: int
    wallet: Account
    exchange: Exchange

    @property
    def deposit(self) -> Account:
        return self.exchange.deposit_of(self.owner)


class Economy:
    """What agents share."""

    def __init__(self, world: World, total: int) -> None:
        self.world = world
        self.total = total
        self.most = max(60, total * PEOPLE_PERCENT // 100)
        capital = max(20_000 * ETH, CAPITAL * self.most)
        makes = ((Make.KEYS, 45), (Make.FLUSHED, 30), (Make.FORWARDING, 25))
        self.exchanges = [
            Exchange(world, f"exchange {name}", make, capital * share // 100)
            for name, (make, share) in zip("ABC", makes, strict=True)
        ]
        self.people: list[Person] = []
        self.recent: deque[tuple[Account, Account, int]] = deque(maxlen=40)
        """Payments of dollars between people, the last ones: payer, payee, amount. Anybody can see them."""
        self.mint_owner = world.truth.owner(Party.STABLECOIN, "stablecoin")
        self.treasury = world.account(self.mint_owner, Role.OPERATOR)
        world.fund(self.treasury, 20 * ETH)
        services = world.truth.owner(Party.SERVICE, "open contracts")
        self._services = world.account(services, Role.OPERATOR)
        world.fund(self._services, 20 * ETH)
        world.settle()
        self.dollar = issue(world, self.treasury, "Dollar of the Sample", "USDX", 6)
        self.wrapped = WrappedEther(
            world, world.placed(WETH9, world.network, Role.WRAPPER), "Wrapped Ether", "WETH", 18
        )
        world.truth.no_sales.append(("wrapping", self.wrapped.contract.row, self.wrapped.number))
        self.multisender = self.open_contract(Role.MULTISENDER)
        for exchange in self.exchanges:
            exchange.open()
        self._endow(capital)

    def _endow(self, capital: int) -> None:
        """Dollars on the exchanges: half as much as there is ether, at 2,000 each."""
        for exchange in self.exchanges:
            run = self.world.begin(Kind.DISTRIBUTION, self.treasury, self.dollar.contract, 0, abi.MINT_CALL)
            self.dollar.mint(run, exchange.hot, capital // ETH * 1_000 * self.dollar.unit)
            run.done()

    def open_contract(self, role: Role) -> Account:
        """A contract that anybody uses."""
        return self.world.deploy(self._services, role, CODE * 6)

    def due(self, opens: int, closes: int, number: int) -> int:
        """How many of `number` things that happen between two thousandths of the chain should have happened by now."""
        gone = self.world.made * 1_000 - opens * self.total
        return max(0, min(number, gone * number // ((closes - opens) * self.total)))

    def is_past(self, thousandth: int) -> bool:
        return self.world.made * 1_000 >= thousandth * self.total

    # People

    def newcomer(self) -> Person | None:
        """Somebody new, who withdraws their first ether; None where the exchange cannot pay."""
        world = self.world
        exchange = self.exchanges[world.rng.randrange(len(self.exchanges))]
        wei = world.between(20, 2_000) * CENT
        if not exchange.can_pay(wei):
            return None
        owner = world.truth.owner(Party.USER)
        person = Person(owner, world.wallet(owner), exchange)
        exchange.withdraw(person.wallet, wei, owner)
        self.people.append(person)
        return person

    def anybody(self) -> Person:
        return self.people[self.world.rng.randrange(len(self.people))]

    def anybody_but(self, rows: Container[int]) -> Person:
        """Somebody whose wallet is in none of these rows, where a few draws find one."""
        for _ in range(6):
            person = self.anybody()
            if person.wallet.row not in rows:
                break
        return person

    def spender(self, least: int) -> Person | None:
        """Somebody who can send so much ether; None where a score of draws finds nobody."""
        for _ in range(20):
            person = self.anybody()
            if self.world.spendable(person.wallet) >= least:
                return person
        return None

    def holder(self, token: Token, least: int) -> Person | None:
        """Somebody who has so much of a token, and gas."""
        for _ in range(20):
            person = self.anybody()
            if token.of(person.wallet) >= least and self.world.spendable(person.wallet) > 0:
                return person
        return None

    def supply(self, person: Person, wei: int) -> bool:
        """Have somebody withdraw ether, where they have less than that; whether they have it now."""
        if self.world.spendable(person.wallet) >= wei:
            return True
        if not person.exchange.can_pay(2 * wei):
            return False
        person.exchange.withdraw(person.wallet, 2 * wei, person.owner)
        return self.world.spendable(person.wallet) >= wei

    def supply_dollars(self, person: Person, amount: int) -> bool:
        """The same with dollars."""
        if self.dollar.of(person.wallet) >= amount:
            return True
        if self.dollar.of(person.exchange.hot) < amount:
            return False
        person.exchange.withdraw_token(self.dollar, person.wallet, amount)
        return True

    # Payments

    def deposit(self, kind: Kind, source: Account, exchange: Exchange, customer: int, wei: int) -> int:
        """Pay a customer's deposit address; the transaction's number."""
        at = exchange.deposit_of(customer)
        done = self.world.pay(kind, source, at, wei)
        exchange.came(at, None)
        return done

    def deposit_token(
        self, kind: Kind, token: Token, source: Account, exchange: Exchange, customer: int, amount: int
    ) -> int:
        at = exchange.deposit_of(customer)
        done = token.send(kind, source, at, amount)
        exchange.came(at, token)
        return done
