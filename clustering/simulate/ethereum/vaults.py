"""Liquid staking, a vault of dollars, a collection of collectibles: forms that give a token for money and sell none."""

from __future__ import annotations

from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.economy import Economy
from clustering.simulate.ethereum.kinds import Kind, Party, Role
from clustering.simulate.ethereum.tokens import CODE, Collection, Token
from clustering.simulate.ethereum.world import CENT, ETH

SCALE = 10**12
"""A share's worth is kept in so many parts."""
GROWTH = 7 * 10**6
"""Parts that it grows by from block to block: about a hundredth over a generated chain."""


class Staking:
    """Shares of staked ether, whose worth creeps up."""

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        owner = world.truth.owner(Party.STAKING, "staking pool")
        operator = world.account(owner, Role.OPERATOR)
        world.fund(operator, 10 * ETH)
        world.settle()
        contract = world.deploy(operator, Role.VAULT, CODE * 6)
        self.share = Token(world, contract, "Staked Ether Share", "sETH")
        world.truth.no_sales.append(("liquid staking", contract.row, self.share.number))

    @property
    def worth(self) -> int:
        """Of a share, in parts of `SCALE`."""
        return SCALE + GROWTH * self.economy.world.chain.height

    def stake(self) -> bool:
        world, contract = self.economy.world, self.share.contract
        person = self.economy.spender(10 * CENT)
        if person is None:
            return False
        wei = world.between(1, max(1, world.spendable(person.wallet) // 2 // CENT)) * CENT
        run = world.begin(Kind.STAKE, person.wallet, contract, wei, abi.call(abi.SUBMIT_CALL, 0))
        self.share.mint(run, person.wallet, wei * SCALE // self.worth)
        run.done()
        return True

    def unstake(self) -> bool:
        """Shares back for ether; the pool keeps enough of it at hand."""
        world, contract = self.economy.world, self.share.contract
        person = self.economy.holder(self.share, CENT)
        if person is None:
            return False
        shares = self.share.of(person.wallet)
        wei = min(shares * self.worth // SCALE, contract.wei)
        data = abi.call(abi.REDEEM_CALL, shares, person.wallet.address, person.wallet.address)
        run = world.begin(Kind.UNSTAKE, person.wallet, contract, 0, data)
        self.share.move(run, person.wallet, world.zero, shares)
        run.pay(contract, person.wallet, wei)
        run.done()
        return True


class Vault:
    """Shares of dollars that are lent (ERC-4626)."""

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        owner = world.truth.owner(Party.VAULT, "dollar vault")
        operator = world.account(owner, Role.OPERATOR)
        world.fund(operator, 10 * ETH)
        world.settle()
        contract = world.deploy(operator, Role.VAULT, CODE * 6)
        self.share = Token(world, contract, "Dollar Vault Share", "vUSDX", 18)
        world.truth.no_sales.append(("vault", contract.row, self.share.number))

    @property
    def worth(self) -> int:
        return SCALE + 3 * GROWTH * self.economy.world.chain.height

    def enter(self) -> bool:
        world, dollar, contract = self.economy.world, self.economy.dollar, self.share.contract
        person = self.economy.holder(dollar, 20 * dollar.unit)
        if person is None:
            return False
        amount = dollar.of(person.wallet) * (20 + world.rng.randrange(60)) // 100
        dollar.approve(person.wallet, contract, amount)
        shares = amount * 10**12 * SCALE // self.worth
        data = abi.call(abi.VAULT_DEPOSIT_CALL, amount, person.wallet.address)
        run = world.begin(Kind.STAKE, person.wallet, contract, 0, data)
        dollar.move(run, person.wallet, contract, amount)
        self.share.mint(run, person.wallet, shares)
        topics = (abi.VAULT_DEPOSIT, abi.word(person.wallet.address), abi.word(person.wallet.address))
        run.log(contract, topics, abi.word(amount) + abi.word(shares))
        run.done()
        return True

    def leave(self) -> bool:
        world, dollar, contract = self.economy.world, self.economy.dollar, self.share.contract
        person = self.economy.holder(self.share, 10**12)
        if person is None:
            return False
        shares = self.share.of(person.wallet)
        amount = min(shares * self.worth // SCALE // 10**12, dollar.of(contract))
        address = person.wallet.address
        run = world.begin(Kind.UNSTAKE, person.wallet, contract, 0, abi.call(abi.REDEEM_CALL, shares, address, address))
        self.share.move(run, person.wallet, world.zero, shares)
        dollar.move(run, contract, person.wallet, amount)
        topics = (abi.VAULT_WITHDRAW, *[abi.word(address)] * 3)
        run.log(contract, topics, abi.word(amount) + abi.word(shares))
        run.done()
        return True


class Gallery:
    """A collection that mints to who pays its price."""

    PRICE = 5 * CENT

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        owner = world.truth.owner(Party.COLLECTIBLES, "collection")
        self._artist = world.account(owner, Role.OPERATOR)
        world.fund(self._artist, 10 * ETH)
        world.settle()
        contract = world.deploy(self._artist, Role.COLLECTION, CODE * 6)
        self.collection = Collection(world, contract, "Sample Collectibles", "PIECE")
        world.truth.no_sales.append(("collectibles", contract.row, self.collection.number))

    def mint(self) -> bool:
        world = self.economy.world
        person = self.economy.spender(4 * self.PRICE)
        if person is None:
            return False
        count = 1 + world.rng.randrange(3)
        data = abi.call(abi.MINT_CALL, count)
        contract = self.collection.contract
        run = world.begin(Kind.MINT_COLLECTIBLE, person.wallet, contract, count * self.PRICE, data)
        for _ in range(count):
            self.collection.mint(run, person.wallet)
        run.done()
        return True
