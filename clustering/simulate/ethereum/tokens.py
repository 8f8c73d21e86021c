"""Tokens: who holds how much of what, and the logs that say so."""

from __future__ import annotations

from collections import defaultdict

from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.kinds import Kind, Role
from clustering.simulate.ethereum.run import Run
from clustering.simulate.ethereum.truth import TokenTruth
from clustering.simulate.ethereum.world import World

MILLION = 1_000_000
CODE = b"\x60\x80\x60\x40\x52" * 12
"""Begins every init code here; nothing runs it."""


class Token:
    """An ERC-20. What holders have is what they can give; a log may say otherwise, where the token is of that kind."""

    def __init__(
        self, world: World, contract: Account, name: str, symbol: str, decimals: int = 18, *,
        fee_ppm: int = 0, traits: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.contract = contract
        self.unit = 10**decimals
        self.fee_ppm = fee_ppm
        """Parts of a transfer that vanish on the way, while the log states the whole."""
        self.held: defaultdict[int, int] = defaultdict(int)
        """By row of the holder."""
        self.supply = 0
        self.number = len(world.truth.tokens)
        self.is_counterfeit = "counterfeit" in traits
        self._world = world
        self._zero = world.zero
        world.truth.tokens.append(TokenTruth(contract.row, name, symbol, decimals, traits))

    def of(self, holder: Account) -> int:
        return self.held[holder.row]

    def move(self, run: Run, source: Account, target: Account, amount: int) -> None:
        """A transfer and its log; from the zero address it is issued, to it burned."""
        held = self.held
        if source is self._zero:
            self.supply += amount
        elif held[source.row] < amount:
            raise ValueError(f"{run.kind.name}: {amount} units of {held[source.row]}")
        else:
            held[source.row] -= amount
        if target is self._zero:
            self.supply -= amount
        else:
            held[target.row] += amount - amount * self.fee_ppm // MILLION
        self.state(run, source, target, amount)
        if amount and not self.is_counterfeit and source is not self._zero:
            run.moved(source, target)

    def state(self, run: Run, source: Account, target: Account, amount: int) -> None:
        """The log of a transfer, whether or not one happened."""
        topics = (abi.TRANSFER, abi.word(source.address), abi.word(target.address))
        run.log(self.contract, topics, abi.word(amount))

    def mint(self, run: Run, target: Account, amount: int) -> None:
        self.move(run, self._zero, target, amount)

    def approve(self, owner: Account, spender: Account, amount: int) -> None:
        """A transaction that lets `spender` take so much."""
        data = abi.call(abi.APPROVE_CALL, spender.address, amount)
        run = self._world.begin(Kind.APPROVAL, owner, self.contract, 0, data)
        topics = (abi.APPROVAL, abi.word(owner.address), abi.word(spender.address))
        run.log(self.contract, topics, abi.word(amount))
        run.done()

    def send(self, kind: Kind, source: Account, target: Account, amount: int) -> int:
        """A transaction of the holder's; its number."""
        data = abi.call(abi.TRANSFER_CALL, target.address, amount)
        run = self._world.begin(kind, source, self.contract, 0, data)
        self.move(run, source, target, amount)
        return run.done()


def init_code(name: str, symbol: str, decimals: int) -> bytes:
    """What creates a token: code, and behind it the constructor's arguments."""
    first, second = abi.text(name), abi.text(symbol)
    return CODE + abi.word(96) + abi.word(96 + len(first)) + abi.word(decimals) + first + second


def issue(
    world: World, maker: Account, name: str, symbol: str, decimals: int = 18, *,
    fee_ppm: int = 0, traits: tuple[str, ...] = (),
) -> Token:  # fmt: skip
    """A token, deployed by a transaction of its maker's."""
    role = Role.COUNTERFEIT if "counterfeit" in traits else Role.TOKEN
    contract = world.deploy(maker, role, init_code(name, symbol, decimals))
    return Token(world, contract, name, symbol, decimals, fee_ppm=fee_ppm, traits=traits)


class WrappedEther(Token):
    """WETH9, where the main network has it: no other contract's deposits and withdrawals are believed."""

    def wrap(self, run: Run, holder: Account, wei: int) -> None:
        """The log of a deposit, whose ether is on the contract already."""
        self.held[holder.row] += wei
        self.supply += wei
        run.log(self.contract, (abi.DEPOSIT, abi.word(holder.address)), abi.word(wei))

    def unwrap(self, run: Run, holder: Account, wei: int) -> None:
        """The way back: the contract pays the holder."""
        if self.held[holder.row] < wei:
            raise ValueError(f"{run.kind.name}: {wei} of {self.held[holder.row]} wrapped")
        self.held[holder.row] -= wei
        self.supply -= wei
        run.log(self.contract, (abi.WITHDRAWAL, abi.word(holder.address)), abi.word(wei))
        run.pay(self.contract, holder, wei)


class Collection:
    """An ERC-721 collection."""

    def __init__(self, world: World, contract: Account, name: str, symbol: str) -> None:
        self.contract = contract
        self.number = len(world.truth.tokens)
        self.owner_of: list[Account] = []
        self._zero = world.zero
        world.truth.tokens.append(TokenTruth(contract.row, name, symbol, 0, ("collectible",)))

    def mint(self, run: Run, target: Account) -> None:
        self.owner_of.append(target)
        ends = abi.word(self._zero.address), abi.word(target.address)
        run.log(self.contract, (abi.TRANSFER, *ends, abi.word(len(self.owner_of))), b"")
