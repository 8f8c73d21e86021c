"""Who is there, who holds coins, and who is paid: consumers in groups of one wallet program, and services.

Coins must not pile up where nobody spends them. So each group has a number of coins that it should hold, which grows
with the chain, and of two groups drawn at random the one that has less of what it should is paid (and the one that has
more spends): a feedback that keeps every group near its share however long the chain.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from itertools import accumulate

from clustering.simulate import profile
from clustering.simulate.keys import Address, Form
from clustering.simulate.kinds import Party
from clustering.simulate.profile import SERVICE, SERVICE_NESTED, SERVICE_SEGWIT
from clustering.simulate.wallet import Coin, Group, Make, Policy, Wallet
from clustering.simulate.world import Output, Sink, World

ERAS = 64
"""Steps in which the mix of wallet programs changes from a chain's beginning to its end."""
MIXERS = 3
"""The last makes of the profile: the wallets that mix."""


class Service:
    """A company that holds coins: what it was paid and waits to be swept, and what it pays from."""

    __slots__ = ("cold", "deposits", "hot", "make", "name", "outlet", "owner", "style", "working")

    def __init__(self, world: World, party: Party, name: str, make: Make, style: str = "") -> None:
        self.owner = world.truth.owner(party, name, make.name)
        self.name = name
        self.make = make
        self.style = style
        """What becomes of its change: `reuse`, `join` or `chain`."""
        self.working = world.address(self.owner, make.form)
        """Where sweeps go, and what it pays from."""
        self.hot: list[Coin] = []
        self.deposits: list[Coin] = []
        self.cold: list[Coin] = []
        self.outlet: Address | None = None
        """Where it puts coins away: an exchange's address of several keys, a merchant's deposit address."""

    def balance(self) -> int:
        return sum([coin[1] for coin in self.hot])


class Economy:
    """Everyone on a chain that is to have `total` transactions."""

    def __init__(self, world: World, total: int) -> None:
        self.world = world
        self.total = total
        self.groups: dict[Policy, list[Group]] = {
            Policy.FRESH: [Group(Policy.FRESH, make, make.early) for make in profile.MAKES],
            Policy.REUSE: [Group(Policy.REUSE, make, share) for make, share in profile.REUSERS],
            Policy.STATIC: [Group(Policy.STATIC, make, share) for make, share in profile.STATICS],
            Policy.TOKEN: [Group(Policy.TOKEN, make, share) for make, share in profile.TOKENS],
        }
        self._bounds: dict[Policy, list[int]] = {}
        self._era = -1
        self.exchanges = [
            Service(world, Party.EXCHANGE, name, make, style)
            for name, make, style in (
                ("exchange Alder", SERVICE, "reuse"),
                ("exchange Birch", SERVICE_NESTED, "reuse"),
                ("exchange Cedar", SERVICE, "join"),
                ("exchange Dogwood", SERVICE_NESTED, "join"),
                ("exchange Elder", SERVICE, "join"),
                ("exchange Fir", SERVICE_SEGWIT, "join"),
                ("exchange Gorse", SERVICE, "join"),
                ("exchange Hazel", SERVICE, "chain"),
                ("exchange Ivy", SERVICE_SEGWIT, "chain"),
            )
        ]
        for number, exchange in enumerate(self.exchanges):
            form = Form.P2WSH if number % 2 else Form.P2SH
            exchange.outlet = world.address(exchange.owner, form)
        self.merchants = [Service(world, Party.MERCHANT, f"merchant {n}", SERVICE) for n in range(8)]
        self.houses = [Service(world, Party.GAMBLING, f"gambling house {n}", SERVICE) for n in range(3)]
        self.orders: deque[tuple[int, Address, Sink, Group | None]] = deque()
        """Withdrawals that somebody asked for: satoshi, address, coins of the one who asked."""
        self.begin_era()

    def begin_era(self) -> None:
        """What should be there at this point of the chain."""
        made, total = self.world.made, self.total
        era = min(ERAS - 1, made * ERAS // total)
        for policy, groups in self.groups.items():
            stock = profile.STOCK_AT_FIRST[policy] + made * profile.STOCK[policy] // 100_000
            for group in groups:
                if policy == Policy.FRESH:
                    make = group.make
                    group.share = (make.early * (ERAS - 1 - era) + make.late * era) // (ERAS - 1)
                group.wanted = max(2, stock * group.share // 1000)
        if era != self._era:
            self._era = era
            self._bounds = {
                policy: list(accumulate(group.share for group in groups)) for policy, groups in self.groups.items()
            }

    def draw(self, policy: Policy) -> Group:
        """A group by its share."""
        bounds = self._bounds[policy]
        return self.groups[policy][bisect_right(bounds, int(self.world.rng.random() * bounds[-1]))]

    def spender(self, policy: Policy, coins: int = 1) -> Wallet | None:
        """A wallet with so many coins, out of the fuller of two groups; None where none is found soon."""
        group, other = self.draw(policy), self.draw(policy)
        if other.stock * group.wanted > group.stock * other.wanted:
            group = other
        wallets, random = group.wallets, self.world.rng.random
        if not wallets:
            return None
        for _ in range(24):
            wallet = wallets[int(random() * len(wallets))]
            if len(wallet.coins) >= coins:
                return wallet
        return None

    def mixer_with_coins(self) -> Wallet | None:
        """A wallet of those who mix, where they have more coins than their share after a round."""
        random = self.world.rng.random
        group = max(self.groups[Policy.FRESH][-MIXERS:], key=_surplus)
        if group.stock <= 2 * group.wanted:
            return None
        for _ in range(6):
            wallet = group.wallets[int(random() * len(group.wallets))]
            if wallet.coins:
                return wallet
        return None

    def anyone(self) -> Wallet:
        """A consumer, for whatever reason."""
        while True:
            group = self.draw(Policy.FRESH)
            if group.wallets:
                return group.wallets[int(self.world.rng.random() * len(group.wallets))]
            self.join(group)

    def join(self, group: Group) -> Wallet:
        """A new consumer."""
        owner = self.world.truth.owner(Party.CONSUMER, "", group.make.name)
        wallet = Wallet(owner, group)
        group.wallets.append(wallet)
        return wallet

    def receiver(self, group: Group) -> Wallet:
        """The wallet of a group that is paid next: a new one where they have coins enough."""
        wallets = group.wallets
        if len(wallets) * profile.COINS_PER_WALLET[group.policy] <= group.stock or not wallets:
            return self.join(group)
        return wallets[int(self.world.rng.random() * len(wallets))]

    def show(self, wallet: Wallet) -> Address:
        """The address that a wallet shows to be paid on."""
        if wallet.group.policy == Policy.FRESH:
            wallet.last = self.world.address(wallet.owner, wallet.make.form)
            return wallet.last
        if wallet.own is None:
            wallet.own = self.world.address(wallet.owner, wallet.make.form)
            wallet.row = self.world.last_row()
        return wallet.own

    def needy(self) -> Group | None:
        """A group that lacks coins, the needier of two; None where these have what they should."""
        random = self.world.rng.random
        best, gap = None, 0
        for _ in range(2):
            kind = random()
            policy = (
                Policy.FRESH
                if kind < 0.56
                else Policy.REUSE
                if kind < 0.83
                else Policy.STATIC
                if kind < 0.97
                else Policy.TOKEN
            )
            group = self.draw(policy)
            lacks = (group.wanted - group.stock) * 1000 // group.wanted
            if lacks > gap:
                best, gap = group, lacks
        return best

    def payee(self, payer: Wallet | None, to_consumer: int) -> tuple[Address, Sink]:
        """Who is paid next: a consumer in so many of a hundred cases, else a merchant, a house or an exchange."""
        random = self.world.rng.random
        if random() * 100 < to_consumer:
            group = self.needy()
            if group is not None:
                wallet = self.receiver(group)
                group.stock += 1
                return self.show(wallet), wallet.coins
        kind = random() * 100
        if kind < profile.TO_MERCHANT:
            merchant = self.merchants[int(random() * random() * len(self.merchants))]
            return self.world.address(merchant.owner, merchant.make.form), merchant.deposits
        if kind < profile.TO_MERCHANT + profile.TO_GAMBLING:
            house = self.houses[int(random() * len(self.houses))]
            return house.working, house.deposits
        if payer is None:
            return self.deposit(self.anyone(), profile.NEW_DEPOSIT_BY_SERVICE)
        return self.deposit(payer, profile.NEW_DEPOSIT_ADDRESS)

    def deposit(self, customer: Wallet, new: int = profile.NEW_DEPOSIT_ADDRESS) -> tuple[Address, Sink]:
        """A customer's deposit address at an exchange: the one shown before, or (`new` percent) a new one."""
        random = self.world.rng.random
        if customer.account is None or random() * 100 < new:
            customer.service = int(random() * len(self.exchanges))
            exchange = self.exchanges[customer.service]
            customer.account = self.world.address(exchange.owner, exchange.make.form, customer.owner)
        return customer.account, self.exchanges[customer.service].deposits

    def order(self, value: int, wallet: Wallet, sink: list[Coin], form: int | None = None) -> None:
        """Somebody asks an exchange for so much on a new address."""
        address = self.world.address(wallet.owner, wallet.make.form if form is None else form)
        wallet.last = address
        self.orders.append((value, address, sink, wallet.group if sink is wallet.coins else None))

    def change_of(self, wallet: Wallet, value: int) -> Output:
        """An output of a wallet to itself, on the address that its policy says."""
        if wallet.group.policy in (Policy.REUSE, Policy.TOKEN):
            return value, self.show(wallet), wallet.coins
        return value, self.world.address(wallet.owner, wallet.make.form), wallet.coins

    def party(self, party: Party, name: str, make: Make) -> Wallet:
        """An owner of a special kind with a wallet that belongs to no group of consumers."""
        owner = self.world.truth.owner(party, name, make.name)
        return Wallet(owner, Group(Policy.FRESH, make, 0))


def _surplus(group: Group) -> int:
    return group.stock - group.wanted
