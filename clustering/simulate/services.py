"""What services do: exchanges sweep and pay out, pools pay miners, houses pay winners, and the rarer trades."""

from __future__ import annotations

from random import Random

from clustering.simulate import profile
from clustering.simulate.consumers import LEAST, amount_between, pay
from clustering.simulate.economy import Economy, Service
from clustering.simulate.keys import Form
from clustering.simulate.kinds import SEVERAL, Kind, Party
from clustering.simulate.profile import SERVICE
from clustering.simulate.wallet import FINAL, REPLACEABLE, Coin, Make, Order, Policy, Selection, Wallet
from clustering.simulate.world import DUST, Output

SWEEP_MOST = 150
"""Inputs of a sweep at most."""
SWEEP_LEAST = 3
BATCH_MOST = 400
CHAINS = 3
"""Chains of change that an exchange of that style keeps going at once."""
SMALL_CHANGE = 100_000
"""Satoshi: an exchange pays nobody out of less."""
SINGLE_ANYONECANPAY = 0x83
"""SIGHASH_SINGLE | SIGHASH_ANYONECANPAY: the seller signs his input and the output of the same place, no more."""
INSCRIBED = 10_000
"""Satoshi of a coin that carries an inscription."""
WALLET_TAPROOT = Make("marketplace", Form.TAPROOT, 2, False, FINAL, True, Order.LAST, Selection.LARGEST, 0, 0)


def sweep(economy: Economy, services: list[Service], kind: Kind = Kind.SWEEP) -> bool:
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
    world.send(kind, service.owner, coins, [to], None, make)
    return True


def batch_size(rng: Random) -> int:
    """Payees of a batch: two at least, heavy-tailed (a mean of about eight)."""
    draw = rng.random()
    return min(BATCH_MOST, 2 + int(2.7 / (draw + 0.009) ** 0.92))


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


class Trades:
    """The owners of special kinds and what they do."""

    def __init__(self, economy: Economy) -> None:
        self.economy = economy
        world = economy.world
        self.pools = [Service(world, Party.POOL, f"pool {n}", SERVICE) for n in range(4)]
        self.launderer = economy.party(Party.LAUNDERER, "launderer", profile.MAKES[9])
        self.attacker = economy.party(Party.DUST_ATTACKER, "dust attacker", profile.MAKES[10])
        self.importer = Service(world, Party.KEY_IMPORTER, "key importer", SERVICE)
        self.collectors = [economy.party(Party.COLLECTOR, f"collector {n}", WALLET_TAPROOT) for n in range(6)]
        self.inscriptions: list[tuple[Coin, Wallet]] = []
        self._ordered: set[int] = set()
        world.coinbase_outputs = self.coinbase

    def coinbase(self, reward: int) -> list[Output]:
        """A pool takes the reward; in the beginning miners and exchanges are paid by the coinbase itself."""
        world, economy = self.economy.world, self.economy
        pool = self.pools[world.height % len(self.pools)]
        if world.made or reward < 1_000_000:
            return [(reward, pool.working, pool.hot)]
        outputs: list[Output] = [(reward // 4, pool.working, pool.hot)]
        exchange = economy.exchanges[world.height % len(economy.exchanges)]
        outputs.append((reward // 4, exchange.working, exchange.hot))
        left = reward - 2 * (reward // 4)
        for number in range(16):
            policy = (Policy.FRESH, Policy.REUSE, Policy.FRESH, Policy.STATIC, Policy.FRESH, Policy.TOKEN)[number % 6]
            group = economy.draw(policy)
            if group.stock >= group.wanted:
                continue
            wallet = economy.receiver(group)
            group.stock += 1
            outputs.append((left // 32, economy.show(wallet), wallet.coins))
        outputs[0] = (reward - sum(value for value, _, _ in outputs[1:]), pool.working, pool.hot)
        return outputs

    def pool_payout(self) -> bool:
        """A pool pays its miners what it mined, without change."""
        world, economy = self.economy.world, self.economy
        pool = max(self.pools, key=lambda each: (len(each.hot), -each.owner))
        coins = pool.hot[:12]
        number = batch_size(world.rng) + 1
        total = sum(coin[1] for coin in coins) - world.fee(coins, (0,) * number)
        if not coins or total < number * LEAST * 2:
            return False
        del pool.hot[:12]
        shares = [1 + int(world.rng.random() * 1000) for _ in range(number)]
        values = [max(LEAST, total * share // (2 * sum(shares))) for share in shares]
        values[0] += total - sum(values)
        payments = [(value, *economy.payee(None, profile.BATCH_TO_CONSUMER)) for value in values]
        world.send(Kind.POOL_PAYOUT, pool.owner, coins, payments, None, pool.make)
        return True

    def peel(self) -> bool:
        """The launderer peels a slice off a large coin and deposits it; the rest goes on as change."""
        economy, wallet = self.economy, self.launderer
        if not wallet.coins:
            return self._order(wallet, 40_000_000)
        self._ordered.discard(wallet.owner)
        coin = wallet.coins.pop()
        if coin[1] < 100_000:
            whole = coin[1] - economy.world.fee([coin], (0,))
            if whole < DUST:
                return False
            end: Output = (whole, *economy.deposit(wallet))
            economy.world.send(Kind.PEEL, wallet.owner, [coin], [end], None, wallet.make)
            return True
        value = coin[1] * (20 + int(economy.world.rng.random() * 80)) // 1000
        to: Output = (value, *economy.deposit(wallet))
        return pay(economy, wallet, [coin], 0, to, Kind.PEEL)

    def dust_attack(self) -> bool:
        """Dust to addresses that were used: who spends it with other coins shows that they are his."""
        economy, wallet = self.economy, self.attacker
        world = economy.world
        if not wallet.coins:
            return self._order(wallet, 2_000_000)
        self._ordered.discard(wallet.owner)
        coin = wallet.coins.pop()
        if coin[1] < 100_000:
            return self._order(wallet, 2_000_000)
        outputs: list[Output] = []
        for _ in range(10 + int(world.rng.random() * 15)):
            victim = economy.anyone()
            if victim.last is not None:
                careless = world.rng.random() < 0.6
                outputs.append((DUST, victim.last, victim.coins if careless else None))
                victim.group.stock += careless
        left = coin[1] - DUST * len(outputs) - world.fee([coin], (0,) * (len(outputs) + 1))
        change = (left, economy.change_of(wallet, 0)[1], wallet.coins)
        world.send(Kind.DUST_ATTACK, wallet.owner, [coin], outputs, change, wallet.make)
        return True

    def import_sweep(self) -> bool:
        """The service spends the keys that some customers imported, together with a coin of its own."""
        economy, service = self.economy, self.importer
        world = economy.world
        if service.hot and sum(coin[1] for coin in service.hot) > 50_000_000 and world.rng.random() < 0.5:
            coins, service.hot = service.hot, []
            value = sum(coin[1] for coin in coins) - world.fee(coins, (0,))
            to: Output = (value, *economy.payee(None, 0))
            world.send(Kind.IMPORT_SWEEP, service.owner, coins, [to], None, service.make)
            return True
        coins = service.hot[:1]
        customers = [economy.spender(Policy.REUSE) for _ in range(3)]
        chosen: list[Wallet] = []
        for wallet in customers:
            if wallet is not None and wallet not in chosen and wallet.own is not None:
                chosen.append(wallet)
                coins = coins + wallet.coins
        value = sum(coin[1] for coin in coins) - world.fee(coins, (0,))
        if not chosen or value < LEAST:
            return False
        del service.hot[:1]
        for wallet in chosen:
            world.truth.importers[wallet.row] = service.owner
            wallet.group.stock -= len(wallet.coins)
            wallet.coins.clear()
            wallet.own = None
        address = world.address(service.owner, service.make.form)
        world.send(Kind.IMPORT_SWEEP, SEVERAL, coins, [(value, address, service.hot)], None, service.make)
        return True

    def inscription_sale(self) -> bool:
        """Seller's coin and buyer's coin in one transaction; the seller signed for his own payment alone."""
        economy = self.economy
        world = economy.world
        if len(self.inscriptions) < 2:
            return self._inscribe()
        place = int(world.rng.random() * len(self.inscriptions))
        coin, seller = self.inscriptions[place]
        buyer = self.collectors[int(world.rng.random() * len(self.collectors))]
        if buyer is seller or not buyer.coins:
            if not buyer.coins:
                self._order(buyer, 3_000_000)
            return False
        self._ordered.discard(buyer.owner)
        funds = buyer.coins.pop()
        fee = world.fee([coin, funds], (Form.TAPROOT,) * 3)
        price = 20_000 + int(world.rng.random() * 400_000)
        left = funds[1] - price - fee
        if left < LEAST:
            buyer.coins.append(funds)
            return self._order(buyer, 3_000_000)
        del self.inscriptions[place]
        found: list[Coin] = []
        outputs: list[Output] = [
            (price, world.address(seller.owner, Form.TAPROOT), seller.coins),
            (INSCRIBED, world.address(buyer.owner, Form.TAPROOT), found),
            (left, world.address(buyer.owner, Form.TAPROOT), buyer.coins),
        ]
        types = (SINGLE_ANYONECANPAY, 1)
        world.emit(Kind.INSCRIPTION_SALE, SEVERAL, [coin, funds], outputs, -1, 2, 0, REPLACEABLE, True, types)
        self.inscriptions.append((found[0], buyer))
        if len(seller.coins) > 3:
            self._cash(seller)
        return True

    def _cash(self, wallet: Wallet) -> None:
        """All that a wallet has goes to its account at an exchange."""
        world = self.economy.world
        self._ordered.discard(wallet.owner)
        coins = wallet.coins[:]
        wallet.coins.clear()
        value = sum(coin[1] for coin in coins) - world.fee(coins, (0,))
        world.send(Kind.PAY_ALL, wallet.owner, coins, [(value, *self.economy.deposit(wallet))], None, wallet.make)

    def _inscribe(self) -> bool:
        """A collector cuts an inscription's coin off."""
        economy = self.economy
        world = economy.world
        wallet = self.collectors[int(world.rng.random() * len(self.collectors))]
        if not wallet.coins:
            return self._order(wallet, 3_000_000)
        self._ordered.discard(wallet.owner)
        found: list[Coin] = []
        coin = wallet.coins.pop()
        to: Output = (INSCRIBED, world.address(wallet.owner, Form.TAPROOT), found)
        if not pay(economy, wallet, [coin], 0, to):
            return self._order(wallet, 3_000_000)
        self.inscriptions.append((found[0], wallet))
        return True

    def _order(self, wallet: Wallet, value: int) -> bool:
        """Ask an exchange for coins, once; nothing is made meanwhile."""
        if wallet.owner not in self._ordered:
            self._ordered.add(wallet.owner)
            self.economy.order(value, wallet, wallet.coins)
        return False
