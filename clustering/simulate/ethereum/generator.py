"""The generator: what happens next, by shares and by the calendar, until the chain is as long as was asked for.

`generate` hands out the blocks one by one, genesis first, and returns the truth. It does no input or output and keeps
no block.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Protocol

from clustering.simulate.ethereum import people
from clustering.simulate.ethereum.airdrop import CLAIM_FEE, Airdrop, ClaimDrop
from clustering.simulate.ethereum.blocks import MadeBlock
from clustering.simulate.ethereum.broker import Broker
from clustering.simulate.ethereum.delegates import Delegation
from clustering.simulate.ethereum.drains import DepositFraud, Drainer
from clustering.simulate.ethereum.economy import Economy
from clustering.simulate.ethereum.hard_sales import HardSale
from clustering.simulate.ethereum.launches import Launches, Launchpad
from clustering.simulate.ethereum.markets import Market
from clustering.simulate.ethereum.mixer import Mixer
from clustering.simulate.ethereum.poisoning import Poisoner
from clustering.simulate.ethereum.presale import Charity, Presale
from clustering.simulate.ethereum.proceeds import CashOut
from clustering.simulate.ethereum.sale import Crowdsale, DollarSale
from clustering.simulate.ethereum.smart_wallets import SmartWallets
from clustering.simulate.ethereum.truth import Truth
from clustering.simulate.ethereum.vaults import Gallery, Staking, Vault
from clustering.simulate.ethereum.world import World

VERSION = 1
"""Of what a seed means: it changes when the same seed and length give other bytes."""

LEAST_TRANSACTIONS = 4_000
"""Shorter chains have no room for every agent."""
FIRST_PEOPLE = 40
STEP = 8
"""Transactions between two looks at what else is due."""
MOST_STEPS = 4
"""Transactions of one campaign at one look."""
BLOCKS = 500
"""That a chain is cut into, while they are not too full for that."""

MIX = {
    "withdraw": 2_300,
    "withdraw_dollars": 700,
    "withdraw_batch": 150,
    "deposit": 1_200,
    "deposit_dollars": 450,
    "sweep": 1_700,
    "pay": 1_000,
    "pay_dollars": 1_000,
    "wrap": 120,
    "unwrap": 80,
    "fail": 60,
    "swap": 500,
    "stake": 220,
    "unstake": 50,
    "vault": 90,
    "vault_out": 30,
    "collectible": 130,
    "mix": 100,
    "broker": 100,
    "smart_wallets": 150,
    "delegation": 80,
    "deploy": 60,
    "spam": 20,
    "misbehave": 40,
}
"""How often each act is tried, in parts of their sum. Set by hand; no public figures stand behind them."""


class Campaign(Protocol):
    """Something that happens by the calendar."""

    def step(self) -> bool:
        """One transaction or a few, where they are due; False where nothing is, or nothing could be done."""


def generate(seed: int, total: int, sink: Callable[[MadeBlock], None]) -> Truth:
    """A chain of about `total` transactions (no fewer, a few more), its blocks handed to `sink` in order.

    Everything follows from the arguments. ValueError where `total` is below LEAST_TRANSACTIONS or `seed` below 0.
    """
    if total < LEAST_TRANSACTIONS:
        raise ValueError(f"{total:,} transactions are too few: {LEAST_TRANSACTIONS:,} at least, for every agent to act")
    if seed < 0:
        raise ValueError(f"the seed is {seed}; it must not be negative")
    director = Director(seed, total, sink)
    director.run()
    return director.world.truth.truth()


def per_block(total: int) -> int:
    """Transactions a block: few on a short chain, so that it has enough blocks; 150 at most."""
    return max(12, min(150, total // BLOCKS))


class Director:
    """Draws what happens next."""

    def __init__(self, seed: int, total: int, sink: Callable[[MadeBlock], None]) -> None:
        self.total = total
        self.world = World(seed, per_block(total), total // per_block(total), sink)
        self.economy = Economy(self.world, total)
        for _ in range(FIRST_PEOPLE):
            self.economy.newcomer()
        self.market = Market(self.economy)
        self.smart = SmartWallets(self.economy)
        self.mixer, self.broker = Mixer(self.economy), Broker(self.economy)
        self.crowdsale = Crowdsale(self.economy, self.smart)
        self.dollar_sale, self.presale = DollarSale(self.economy), Presale(self.economy)
        self.campaigns: list[Campaign] = [
            self.crowdsale, self.dollar_sale, self.presale, Charity(self.economy), Airdrop(self.economy),
            ClaimDrop(self.economy, CLAIM_FEE), ClaimDrop(self.economy, 0), Launchpad(self.economy),
            HardSale(self.economy, falling=True), HardSale(self.economy, falling=False), DepositFraud(self.economy),
            Drainer(self.economy), Poisoner(self.economy),
        ]  # fmt: skip
        self._acts = self._table()
        self._cashed_out: set[str] = set()
        self.world.settle()

    def run(self) -> None:
        """The whole chain."""
        world, random = self.world, self.world.rng.randrange
        bounds = list(accumulate(MIX.values()))
        acts = [self._acts[name] for name in MIX]
        looked = 0
        while world.made < self.total:
            if world.made - looked >= STEP:
                looked = world.made
                self._now_and_then()
            # an act that cannot be done now is left out
            acts[bisect_right(bounds, random(bounds[-1]))]()
        world.finish()

    def _now_and_then(self) -> None:
        for campaign in self.campaigns:
            for _ in range(MOST_STEPS):
                if not campaign.step():
                    break
        self._begin_cash_outs()

    def _begin_cash_outs(self) -> None:
        """The money of a sale that is over begins to go."""
        for sale in (self.crowdsale, self.dollar_sale, self.presale):
            truth = sale.truth
            if truth is None or not sale.is_over or truth.form in self._cashed_out:
                continue
            self._cashed_out.add(truth.form)
            token = self.economy.dollar if sale is self.dollar_sale else None
            if sale is self.crowdsale:
                self.crowdsale.list_on(self.market)
            self.campaigns.append(CashOut(self.economy, self.mixer, self.broker, truth, sale.collector, token))

    def _table(self) -> dict[str, Callable[[], bool]]:
        economy = self.economy
        staking, vault, gallery = Staking(economy), Vault(economy), Gallery(economy)
        launches, delegation = Launches(economy, self.market), Delegation(economy)
        everyday = (
            "withdraw", "withdraw_dollars", "withdraw_batch", "deposit", "deposit_dollars", "sweep", "pay",
            "pay_dollars", "wrap", "unwrap", "fail",
        )  # fmt: skip
        return {name: _of(getattr(people, name), economy) for name in everyday} | {
            "swap": self.market.swap,
            "stake": staking.stake,
            "unstake": staking.unstake,
            "vault": vault.enter,
            "vault_out": vault.leave,
            "collectible": gallery.mint,
            "mix": self.mixer.act,
            "broker": self.broker.act,
            "smart_wallets": self.smart.act,
            "delegation": delegation.act,
            "deploy": launches.deploy,
            "spam": launches.unasked,
            "misbehave": launches.misbehave,
        }


def _of(act: Callable[[Economy], bool], economy: Economy) -> Callable[[], bool]:
    return lambda: act(economy)
