"""What people do every day: withdraw, deposit, pay each other, wrap ether."""

from __future__ import annotations

from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.economy import Economy
from clustering.simulate.ethereum.kinds import Kind
from clustering.simulate.ethereum.world import CENT

BATCH = 12
"""Customers that one withdrawal pays at most."""
LEAST = CENT
"""Wei: the least that anybody sends."""


def withdraw(economy: Economy) -> bool:
    """A newcomer's first ether while people are few, then more for those who are there."""
    world = economy.world
    if len(economy.people) < economy.most and world.chance(60):
        return economy.newcomer() is not None
    person = economy.anybody()
    wei = world.between(10, 800) * CENT
    if not person.exchange.can_pay(wei):
        return False
    person.exchange.withdraw(person.wallet, wei, person.owner)
    return True


def withdraw_dollars(economy: Economy) -> bool:
    person = economy.anybody()
    amount = economy.world.between(50, 5_000) * economy.dollar.unit
    if economy.dollar.of(person.exchange.hot) < amount:
        return False
    person.exchange.withdraw_token(economy.dollar, person.wallet, amount)
    return True


def withdraw_batch(economy: Economy) -> bool:
    """An exchange pays several customers in one transaction, through a contract."""
    world = economy.world
    exchange = economy.exchanges[world.rng.randrange(len(economy.exchanges))]
    chosen = {world.rng.randrange(len(economy.people)) for _ in range(2 + world.rng.randrange(BATCH))}
    some = [economy.people[place] for place in sorted(chosen)]
    amounts = [world.between(10, 500) * CENT for _ in some]
    if not exchange.can_pay(sum(amounts)):
        return False
    data = abi.DISPERSE_CALL + abi.array([person.wallet.address for person in some]) + abi.array([*amounts])
    run = world.begin(Kind.BATCH_WITHDRAWAL, exchange.hot, economy.multisender, sum(amounts), data)
    for person, wei in zip(some, amounts, strict=True):
        run.pay(economy.multisender, person.wallet, wei)
    run.done()
    return True


def deposit(economy: Economy) -> bool:
    """Pay one's own deposit address a part of what one has, now and then all."""
    world = economy.world
    person = economy.spender(10 * LEAST)
    if person is None:
        return False
    at = person.deposit
    if world.chance(8) and at.forward is None:
        world.empty(Kind.DEPOSIT, person.wallet, at)
    else:
        share = 10 + world.rng.randrange(60)
        wei = world.spendable(person.wallet) * share // 100 // LEAST * LEAST
        if wei < LEAST:
            return False
        world.pay(Kind.DEPOSIT, person.wallet, at, wei)
    person.exchange.came(at, None)
    return True


def deposit_dollars(economy: Economy) -> bool:
    dollar = economy.dollar
    person = economy.holder(dollar, 20 * dollar.unit)
    if person is None:
        return False
    share = 20 + economy.world.rng.randrange(81)
    amount = dollar.of(person.wallet) * share // 100
    economy.deposit_token(Kind.TOKEN_DEPOSIT, dollar, person.wallet, person.exchange, person.owner, amount)
    return True


def pay(economy: Economy) -> bool:
    """Ether from one to another."""
    world = economy.world
    person, other = economy.spender(5 * LEAST), economy.anybody()
    if person is None or person is other:
        return False
    most = world.spendable(person.wallet) // 2 // LEAST
    world.pay(Kind.PAYMENT, person.wallet, other.wallet, world.between(1, max(1, most)) * LEAST)
    return True


def pay_dollars(economy: Economy) -> bool:
    dollar = economy.dollar
    person, other = economy.holder(dollar, 5 * dollar.unit), economy.anybody()
    if person is None or person is other:
        return False
    most = dollar.of(person.wallet) // dollar.unit
    amount = economy.world.between(1, most) * dollar.unit
    dollar.send(Kind.TOKEN_PAYMENT, person.wallet, other.wallet, amount)
    economy.recent.append((person.wallet, other.wallet, amount))
    return True


def wrap(economy: Economy) -> bool:
    world, wrapped = economy.world, economy.wrapped
    person = economy.spender(5 * LEAST)
    if person is None:
        return False
    wei = world.between(1, max(1, world.spendable(person.wallet) // 3 // LEAST)) * LEAST
    run = world.begin(Kind.WRAP, person.wallet, wrapped.contract, wei, abi.WRAP_CALL)
    wrapped.wrap(run, person.wallet, wei)
    run.done()
    return True


def unwrap(economy: Economy) -> bool:
    wrapped = economy.wrapped
    person = economy.holder(wrapped, 1)
    if person is None:
        return False
    wei = wrapped.of(person.wallet)
    data = abi.call(abi.UNWRAP_CALL, wei)
    run = economy.world.begin(Kind.UNWRAP, person.wallet, wrapped.contract, 0, data)
    wrapped.unwrap(run, person.wallet, wei)
    run.done()
    return True


def fail(economy: Economy) -> bool:
    """Somebody calls what refuses: the fee is gone, the value stays."""
    person = economy.spender(5 * LEAST)
    if person is None:
        return False
    data = abi.call(abi.UNWRAP_CALL, economy.wrapped.of(person.wallet) + 1)
    economy.world.begin(Kind.UNWRAP, person.wallet, economy.wrapped.contract, LEAST, data).fail()
    return True


def sweep(economy: Economy) -> bool:
    """The exchange where most waits sends some of it on, or sees to its stocks."""
    exchange = max(economy.exchanges, key=lambda each: len(each.waiting))
    return exchange.balance() or exchange.sweep()
