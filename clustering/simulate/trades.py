"""The rarer trades: pools, a launderer, a dust attacker, a service that spends imported keys, sales of inscriptions."""

from __future__ import annotations

from clustering.simulate import profile
from clustering.simulate.consumers import LEAST, pay
from clustering.simulate.economy import Economy, Service
from clustering.simulate.keys import Form
from clustering.simulate.kinds import SEVERAL, Kind, Party
from clustering.simulate.profile import SERVICE
from clustering.simulate.services import batch_size
from clustering.simulate.wallet import FINAL, REPLACEABLE, Coin, Make, Order, Policy, Selection, Wallet
from clustering.simulate.world import DUST, Output

SINGLE_ANYONECANPAY = 0x83
"""SIGHASH_SINGLE | SIGHASH_ANYONECANPAY: the seller signs his input and the output of the same place, no more."""
INSCRIBED = 10_000
"""Satoshi of a coin that carries an inscription."""
WALLET_TAPROOT = Make("marketplace", Form.TAPROOT, 2, False, FINAL, True, Order.LAST, Selection.LARGEST, 0, 0)


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
