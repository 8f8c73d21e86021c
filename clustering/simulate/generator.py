"""The generator: what happens next, by shares, until the chain is as long as was asked for.

`generate` hands out the blocks one by one, genesis first, and returns the truth. It does no input or output and keeps
no block.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate

from clustering.simulate import consumers, services
from clustering.simulate.coinjoins import Mixing
from clustering.simulate.economy import Economy
from clustering.simulate.kinds import Kind
from clustering.simulate.profile import EVENTS, MIX
from clustering.simulate.sale import Sale
from clustering.simulate.trades import Trades
from clustering.simulate.truth import Truth
from clustering.simulate.world import WARM_UP, World

VERSION = 1
"""Of what a seed means: it changes when the same seed and length give other bytes."""

LEAST_TRANSACTIONS = 5_000
"""Shorter chains have no room for the rarer kinds."""
STEP = 64
"""Transactions between two looks at what else is due."""


def per_block(total: int) -> int:
    """Transactions a block: few on a short chain, so that it has enough blocks; 1,500 at most, to fit the weight."""
    return max(25, min(1_500, total // 400))


def generate(seed: int, total: int, sink: Callable[[bytes], None], *, hidden_payjoins: bool = False) -> Truth:
    """A chain of `total` transactions (coinbases left out), its blocks handed to `sink` in order, genesis first.

    Everything follows from the arguments. `hidden_payjoins`: payjoins avoid the payjoin form, so that no rule can tell
    them from payments; a measure of what that costs. ValueError where `total` is below LEAST_TRANSACTIONS or `seed`
    below 0.
    """
    if total < LEAST_TRANSACTIONS:
        raise ValueError(
            f"{total:,} transactions are too few: {LEAST_TRANSACTIONS:,} at least, for every kind to occur"
        )
    if seed < 0:
        raise ValueError(f"the seed is {seed}; it must not be negative")
    director = Director(seed, total, sink, hidden_payjoins)
    director.run()
    return director.world.truth.truth()


class Director:
    """Draws what happens next."""

    def __init__(self, seed: int, total: int, sink: Callable[[bytes], None], hidden_payjoins: bool) -> None:
        self.total = total
        self.world = World(seed, per_block(total), sink)
        self.economy = Economy(self.world, total)
        self.trades = Trades(self.economy)
        self.mixing = Mixing(self.economy, hidden_payjoins)
        self.sale = Sale(self.economy, self.mixing, total)
        self.done = dict.fromkeys(MIX, 0)
        self.events = dict.fromkeys(EVENTS, 0)
        self._acts = self._table()
        self._rare = self._event_table()

    def run(self) -> None:
        """The whole chain."""
        world = self.world
        for _ in range(WARM_UP):
            world.seal()
        names = list(MIX)
        bounds = list(accumulate(MIX.values()))
        random = world.rng.random
        acts = [self._acts[name] for name in names]
        missed = 0
        while world.made < self.total:
            if world.made % STEP == 0 or missed > 50:
                self._now_and_then()
                if world.made >= self.total:
                    break
            place = bisect_right(bounds, int(random() * bounds[-1]))
            made = self.done[names[place]] * 10_000
            if made > MIX[names[place]] * (world.made + 400) and missed < 20:
                missed += 1
                continue
            if acts[place]():
                self.done[names[place]] += 1
                missed = 0
            else:
                missed += 1
                if missed > 2_000:
                    # Nothing can be spent: a block without transactions lets coinbases ripen.
                    world.seal()
                    missed = 0
        world.finish()

    def _now_and_then(self) -> None:
        world = self.world
        self.economy.begin_era()
        for kind, act in self._rare.items():
            share = max(EVENTS[kind] * self.total, 250_000)
            due = world.made * share // (100_000 * self.total)
            while self.events[kind] < due and world.made < self.total and act():
                self.events[kind] += 1
        for _ in range(6):
            if world.made >= self.total or not self.sale.step():
                break

    def _table(self) -> dict[str, Callable[[], bool]]:
        economy, trades = self.economy, self.trades
        return {
            "pay_fresh": lambda: consumers.pay_fresh(economy),
            "pay_reuse": lambda: consumers.pay_reuse(economy),
            "pay_static": lambda: consumers.pay_static(economy),
            "token_2": lambda: consumers.token_transfer(economy, notes=False),
            "token_3": lambda: consumers.token_transfer(economy, notes=True),
            "withdrawal": lambda: services.withdraw(economy),
            "gambling": lambda: services.gambling_payout(economy),
            "peel": trades.peel,
            "pay_all": lambda: consumers.pay_all(economy),
            "sweep": lambda: services.sweep(economy, economy.exchanges),
            "merchant_sweep": lambda: services.sweep(economy, economy.merchants),
            "consolidate_join": lambda: services.consolidate(economy, "join"),
            "consolidate_reuse": lambda: services.consolidate(economy, "reuse"),
            "burn": lambda: consumers.burn(economy),
            "batch_reuse": lambda: services.batch(economy, "reuse"),
            "batch_join": lambda: services.batch(economy, "join"),
            "batch_chain": lambda: services.batch(economy, "chain"),
            "pay_two": lambda: consumers.pay_two(economy),
            "pool_payout": trades.pool_payout,
        }

    def _event_table(self) -> dict[Kind, Callable[[], bool]]:
        mixing, trades = self.mixing, self.trades
        return {
            Kind.JOINMARKET: mixing.joinmarket,
            Kind.WASABI_1_0: lambda: mixing.wasabi_1(Kind.WASABI_1_0),
            Kind.WASABI_1_1: lambda: mixing.wasabi_1(Kind.WASABI_1_1),
            Kind.WASABI_2: mixing.wasabi_2,
            Kind.WHIRLPOOL: mixing.whirlpool_mix,
            Kind.WHIRLPOOL_TX0: mixing.whirlpool_tx0,
            Kind.STONEWALL: mixing.stonewall,
            Kind.PAYJOIN: mixing.payjoin,
            Kind.DUST_ATTACK: trades.dust_attack,
            Kind.IMPORT_SWEEP: trades.import_sweep,
            Kind.INSCRIPTION_SALE: trades.inscription_sale,
            Kind.COLD_STORAGE: lambda: services.cold_storage(self.economy),
        }
