"""What services do: exchanges and merchants sweep, exchanges pay out and store, gambling houses pay winners."""

from __future__ import annotations

from random import Random

from clustering.simulate import profile
from clustering.simulate.consumers import LEAST, amount_between
from clustering.simulate.economy import Economy, Service
from clustering.simulate.keys import Form
from clustering.simulate.kinds import Kind
from clustering.simulate.wallet import Coin
from clustering.simulate.world import DUST, Output

SWEEP_MOST = 150
"""Inputs of a sweep at most."""
SWEEP_LEAST = 3
BATCH_MOST = 140
CHAINS = 3
"""Chains of change that an exchange of that style keeps going at once."""
SMALL_CHANGE = 100_000
"""Satoshi: an exchange pays nobody out of less."""


def sweep(economy: Economy, services: list[Service]) -> bool:
    """The service where most waits gathers it on its working address; a merchant sells it at an exchange."""
    service = max(services, key=lambda each: (len(each.deposits), -each.owner))
    world = economy.world
    if len(service.deposits) < SWEEP_LEAST + int(world.rng.random() * 12):
        return False
    number = min(len(service.deposits), SWEEP_MOST)
    coins = service.deposits[:number]
    make = service.make
    value = sum(coin[1] for coin in coins) - world.fee(coins, (make.form,))
    if value < LEAST:
        return False
    del service.deposits[:number]
    to: Output = (value, service.working, service.hot)
    if service in economy.merchants:
        exchange = economy.exchanges[service.owner % len(economy.exchanges)]
        if service.outlet is None:
            service.outlet = world.address(exchange.owner, exchange.make.form, service.owner)
        to = (value, service.outlet, exchange.deposits)
    world.send(Kind.SWEEP, service.owner, coins, [to], None, make)
    return True


def batch_size(rng: Random) -> int:
    """Payees of a batch: two at least, heavy-tailed (a mean of about twelve)."""
    return min(BATCH_MOST, 2 + int(2.75 / (rng.random() + 0.02)))


def typical(economy: Economy, balance: int) -> int:
    """A withdrawal of middling size: what an exchange holds, over the payments that will ask for it."""
    return max(50_000, balance * 60 // max(6_000, economy.world.made))


def batch(economy: Economy, style: str) -> bool:
    """An exchange pays what was ordered and what its customers withdraw, in one transaction."""
    world = economy.world
    exchange = _richest(economy, style)
    coins = _fund(economy, exchange, style)
    if not coins:
        return False
    have = sum(coin[1] for coin in coins)
    middle = typical(economy, exchange.balance() + have)
    number = batch_size(world.rng)
    budget = have - world.fee(coins, (0,) * (number + 1)) - 10 * LEAST
    payments: list[Output] = []
    for _ in range(min(len(economy.orders), 60)):
        value, address, sink, group = economy.orders.popleft()
        if value >= budget:
            economy.orders.append((value, address, sink, group))
            continue
        payments.append((value, address, sink))
        budget -= value
        if group is not None:
            group.stock += 1
    while len(payments) < number and budget > SMALL_CHANGE:
        value = withdrawal_value(world.rng, middle)
        if value >= budget:
            value = amount_between(world.rng, LEAST, budget * 2 // 3)
        payments.append((value, *economy.payee(None, profile.BATCH_TO_CONSUMER)))
        budget -= value
    if not payments:
        return _give_up(economy, exchange, coins)
    _settle(economy, exchange, style, coins, payments, Kind.BATCH)
    return True


def _give_up(economy: Economy, exchange: Service, coins: list[Coin]) -> bool:
    """Coins too small for a payout go to the working address of somebody else; False where they do not pay for that."""
    world = economy.world
    value = sum(coin[1] for coin in coins) - world.fee(coins, (0,))
    if value < DUST:
        exchange.hot += coins
        return False
    world.send(Kind.WITHDRAWAL, exchange.owner, coins, [(value, *economy.payee(None, 0))], None, exchange.make)
    return True


def withdrawal_value(rng: Random, middle: int) -> int:
    """Heavy-tailed about `middle`: doubled or halved up to six times."""
    steps = int(rng.random() * 7) - int(rng.random() * 7)
    value = middle << steps if steps >= 0 else middle >> -steps
    value = max(LEAST * 4, value * (512 + int(rng.random() * 1024)) // 1024)
    return amount_between(rng, value // 2, value)


def withdraw(economy: Economy) -> bool:
    """An exchange pays one customer."""
    world = economy.world
    exchange = _richest(economy, "reuse")
    coins = _fund(economy, exchange, "reuse")
    if not coins:
        return False
    have = sum(coin[1] for coin in coins)
    value = withdrawal_value(world.rng, typical(economy, exchange.balance() + have))
    if value > have - world.fee(coins, (0, 0)) - LEAST:
        exchange.hot += coins
        return False
    address, sink = economy.payee(None, profile.BATCH_TO_CONSUMER)
    _settle(economy, exchange, "reuse", coins, [(value, address, sink)], Kind.WITHDRAWAL)
    return True


def _richest(economy: Economy, style: str) -> Service:
    """Of the exchanges of this style, one that has coins, by turns."""
    choice = [exchange for exchange in economy.exchanges if exchange.style == style]
    first = int(economy.world.rng.random() * len(choice))
    return choice[first] if choice[first].hot else choice[(first + 1) % len(choice)]


def _fund(economy: Economy, exchange: Service, style: str) -> list[Coin]:
    """Coins for a payout, as the style goes: `chain` never spends a change with anything else."""
    hot = exchange.hot
    number = min(len(hot), 1 + int(economy.world.rng.random() * 4))
    if style == "chain":
        changes = [coin for coin in hot if coin[2] is not exchange.working]
        if changes and (len(changes) > CHAINS or len(changes) == len(hot) or economy.world.rng.random() < 0.5):
            hot.remove(changes[0])
            return changes[:1]
        chosen = [coin for coin in hot if coin[2] is exchange.working][: number * 2]
        taken = set(map(id, chosen))
        hot[:] = [coin for coin in hot if id(coin) not in taken]
        return chosen
    if style == "join":
        return _join(economy, exchange)
    chosen = hot[: number * 2]
    del hot[: number * 2]
    return chosen


def _join(economy: Economy, exchange: Service) -> list[Coin]:
    """One coin of the working address, and now and then all changes with it: which shows whose they were."""
    here = [coin for coin in exchange.hot if coin[2] is exchange.working]
    changes = [coin for coin in exchange.hot if coin[2] is not exchange.working]
    if not here:
        return []
    chosen = here[:1]
    if len(changes) > int(economy.world.rng.random() * 4):
        chosen += changes[:8]
    taken = set(map(id, chosen))
    exchange.hot[:] = [coin for coin in exchange.hot if id(coin) not in taken]
    return chosen


def _settle(
    economy: Economy, exchange: Service, style: str, coins: list[Coin], payments: list[Output], kind: Kind
) -> None:
    world, make = economy.world, exchange.make
    forms = tuple(address[0] for _, address, _ in payments)
    left = (
        sum(coin[1] for coin in coins) - sum(value for value, _, _ in payments) - world.fee(coins, (*forms, make.form))
    )
    if style == "chain" and left * 4 < sum(coin[1] for coin in coins) and len(payments) > 2:
        # The chain ends: the last payee gets the rest.
        value, payee, sink = payments[-1]
        payments[-1] = (value + left, payee, sink)
        world.send(kind, exchange.owner, coins, payments, None, make)
        return
    address = exchange.working if style == "reuse" else world.address(exchange.owner, make.form)
    world.send(kind, exchange.owner, coins, payments, (left, address, exchange.hot), make)


def consolidate(economy: Economy, style: str) -> bool:
    """An exchange joins hot coins into one: on its working address, or (`join`) on a new one that it joins later."""
    world = economy.world
    exchange = _richest(economy, style)
    if style == "join":
        coins = _join(economy, exchange)
        address = world.address(exchange.owner, exchange.make.form) if coins else exchange.working
    else:
        coins = [coin for coin in exchange.hot if coin[2] is exchange.working][:20]
        taken = set(map(id, coins))
        exchange.hot[:] = [coin for coin in exchange.hot if id(coin) not in taken]
        address = exchange.working
    if not coins:
        return False
    value = sum(coin[1] for coin in coins) - world.fee(coins, (exchange.make.form,))
    to: Output = (value, address, exchange.hot)
    world.send(Kind.CONSOLIDATION, exchange.owner, coins, [to], None, exchange.make)
    return True


def cold_storage(economy: Economy) -> bool:
    """An exchange puts a coin away on its address of several keys, or fetches one back."""
    world = economy.world
    exchange = economy.exchanges[int(world.rng.random() * len(economy.exchanges))]
    assert exchange.outlet is not None, "every exchange has one"
    if exchange.cold:
        coins, to, sink = exchange.cold[:], exchange.working, exchange.hot
        exchange.cold.clear()
    elif len(exchange.hot) > 3:
        smallest = min(exchange.hot, key=lambda coin: (coin[1], coin[0]))
        exchange.hot.remove(smallest)
        coins, to, sink = [smallest], exchange.outlet, exchange.cold
    else:
        return False
    value = sum(coin[1] for coin in coins) - world.fee(coins, (Form.TAPROOT,))
    if value < LEAST:
        sink_of = exchange.cold if to is exchange.working else exchange.hot
        sink_of += coins
        return False
    world.send(Kind.COLD_STORAGE, exchange.owner, coins, [(value, to, sink)], None, exchange.make)
    return True


def gambling_payout(economy: Economy) -> bool:
    """A house pays a winner from its one address, change back to it."""
    world = economy.world
    house = max(economy.houses, key=lambda each: (len(each.deposits), -each.owner))
    number = min(len(house.deposits), 1 + len(house.deposits) // 8, 40)
    coins = house.deposits[:number]
    fee = world.fee(coins, (0, 0))
    most = sum(coin[1] for coin in coins) - fee - LEAST
    if most <= LEAST:
        return False
    del house.deposits[:number]
    value = amount_between(world.rng, LEAST, most)
    address, sink = economy.payee(None, profile.BATCH_TO_CONSUMER)
    change: Output = (most + LEAST - value, house.working, house.deposits)
    world.send(Kind.GAMBLING_PAYOUT, house.owner, coins, [(value, address, sink)], change, house.make)
    return True
