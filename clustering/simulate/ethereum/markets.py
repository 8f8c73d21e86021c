"""A decentralised exchange: pools of constant product behind a router."""

from __future__ import annotations

from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.economy import Economy
from clustering.simulate.ethereum.kinds import Kind, Party, Role
from clustering.simulate.ethereum.run import Run
from clustering.simulate.ethereum.tokens import CODE, Token
from clustering.simulate.ethereum.world import CENT, ETH

FEE = 997
"""Of 1,000 parts of what comes in, so many count (Uniswap V2)."""


class Pool:
    """Wrapped ether against one token."""

    def __init__(self, market: Market, token: Token, pair: Account) -> None:
        self.market = market
        self.token = token
        self.pair = pair

    @property
    def reserves(self) -> tuple[int, int]:
        """(wrapped ether, token)"""
        return self.market.economy.wrapped.of(self.pair), self.token.of(self.pair)

    def buy(self, buyer: Account, wei: int) -> None:
        """Ether for tokens."""
        market, economy = self.market, self.market.economy
        ether, tokens = self.reserves
        out = tokens * wei * FEE // (ether * 1_000 + wei * FEE)
        data = abi.call(abi.SWAP_IN_CALL, 0, 128, buyer.address, economy.world.chain.time + 1_200)
        run = economy.world.begin(Kind.SWAP, buyer, market.router, wei, data)
        run.pay(market.router, economy.wrapped.contract, wei)
        economy.wrapped.wrap(run, market.router, wei)
        economy.wrapped.move(run, market.router, self.pair, wei)
        self.token.move(run, self.pair, buyer, out)
        self._log(run, buyer, (wei, 0, 0, out))
        run.done()

    def sell(self, seller: Account, amount: int) -> None:
        """Tokens for ether."""
        market, economy = self.market, self.market.economy
        ether, tokens = self.reserves
        out = ether * amount * FEE // (tokens * 1_000 + amount * FEE)
        data = abi.call(abi.SWAP_OUT_CALL, amount, 0, 160, seller.address, economy.world.chain.time + 1_200)
        run = economy.world.begin(Kind.SWAP, seller, market.router, 0, data)
        self.token.move(run, seller, self.pair, amount)
        economy.wrapped.move(run, self.pair, market.router, out)
        self._log(run, market.router, (0, amount, out, 0))
        economy.wrapped.unwrap(run, market.router, out)
        run.pay(market.router, seller, out)
        run.done()

    def _log(self, run: Run, to: Account, amounts: tuple[int, int, int, int]) -> None:
        run.log(self.pair, (abi.SYNC,), b"".join(map(abi.word, self.reserves)))
        topics = (abi.SWAP, abi.word(self.market.router.address), abi.word(to.address))
        run.log(self.pair, topics, b"".join(map(abi.word, amounts)))


class Market:
    """The router, the factory of pools, and the pools."""

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        self.owner = world.truth.owner(Party.DEX, "swap protocol")
        self._deployer = world.account(self.owner, Role.OPERATOR)
        world.fund(self._deployer, 10 * ETH)
        world.settle()
        self.factory = world.deploy(self._deployer, Role.FACTORY, CODE * 6)
        self.router = world.deploy(self._deployer, Role.ROUTER, CODE * 10)
        self.pools: list[Pool] = []

    def open_pool(self, provider: Account, token: Token, amount: int, wei: int) -> Pool:
        """A pool, made and filled by who brings the first liquidity."""
        world, wrapped = self.economy.world, self.economy.wrapped
        number = len(self.pools) + 1
        pair = world.salted(self.factory, number, self.owner, Role.POOL)
        token.approve(provider, self.router, amount)
        data = abi.call(abi.ADD_LIQUIDITY_CALL, token.contract.address, amount, 0, 0, provider.address, number)
        run = world.begin(Kind.LIQUIDITY, provider, self.router, wei, data)
        run.create(self.factory, pair)
        token.move(run, provider, pair, amount)
        run.pay(self.router, wrapped.contract, wei)
        wrapped.wrap(run, self.router, wei)
        wrapped.move(run, self.router, pair, wei)
        run.done()
        pool = Pool(self, token, pair)
        self.pools.append(pool)
        world.truth.no_sales.append(("pool", self.router.row, token.number))
        return pool

    def swap(self) -> bool:
        """Somebody buys or sells at one of the pools."""
        world = self.economy.world
        if not self.pools:
            return False
        pool = self.pools[world.rng.randrange(len(self.pools))]
        if world.chance(35):
            holder = self.economy.holder(pool.token, 1_000)
            if holder is not None:
                amount = pool.token.of(holder.wallet) * (10 + world.rng.randrange(80)) // 100
                if pool.reserves[0] * amount > pool.reserves[1] * 1_000:
                    pool.sell(holder.wallet, amount)
                    return True
        person = self.economy.spender(5 * CENT)
        if person is None:
            return False
        most = min(world.spendable(person.wallet), pool.reserves[0] // 10)
        pool.buy(person.wallet, world.between(1, max(1, most // CENT)) * CENT + world.rng.randrange(CENT))
        return True
