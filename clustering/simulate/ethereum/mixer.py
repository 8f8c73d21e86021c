"""A mixer: pools of one denomination each, paid in under a commitment and out to whom nobody can tell."""

from __future__ import annotations

from chain.ethereum.keccak import keccak256
from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.economy import Economy
from clustering.simulate.ethereum.kinds import Kind, Party, Role
from clustering.simulate.ethereum.tokens import CODE
from clustering.simulate.ethereum.world import ETH

DENOMINATIONS = (ETH, 10 * ETH)
FEE = 100
"""The relayer takes one part of so many."""
LEAST_INSIDE = 6
"""Notes of a pool below which nobody takes one out."""


class Mixer:
    """Two pools and a relayer."""

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        self.owner = world.truth.owner(Party.MIXER, "mixer")
        self.relayer = world.account(self.owner, Role.OPERATOR)
        world.fund(self.relayer, 10 * ETH)
        world.settle()
        self.pools = [world.deploy(self.relayer, Role.MIXER, CODE * 8) for _ in DENOMINATIONS]
        self._notes: list[list[int]] = [[] for _ in DENOMINATIONS]
        """Owners of what is in each pool."""
        self._made = 0

    def put(self, source: Account, pool: int) -> int:
        """Pay one denomination in; the transaction's number."""
        world, contract = self.economy.world, self.pools[pool]
        self._made += 1
        commitment = keccak256(b"commitment %d" % self._made)
        data = abi.call(abi.MIX_IN_CALL, commitment)
        run = world.begin(Kind.MIX_IN, source, contract, DENOMINATIONS[pool], data)
        run.log(contract, (abi.MIX_DEPOSIT, commitment), abi.word(self._made) + abi.word(world.chain.time))
        self._notes[pool].append(source.owner)
        return run.done()

    def act(self) -> bool:
        """Somebody pays in, or a note is paid out to a new address of its owner's."""
        world = self.economy.world
        pool = world.rng.randrange(len(DENOMINATIONS))
        notes = self._notes[pool]
        if len(notes) > LEAST_INSIDE and world.chance(50):
            return self._pay_out(pool, notes.pop(world.rng.randrange(len(notes) - 2)))
        person = self.economy.spender(DENOMINATIONS[pool] * 11 // 10)
        if person is None:
            return False
        self.put(person.wallet, pool)
        return True

    def _pay_out(self, pool: int, owner: int) -> bool:
        world, contract = self.economy.world, self.pools[pool]
        to, fee = world.account(owner), DENOMINATIONS[pool] // FEE
        self._made += 1
        nullifier = keccak256(b"nullifier %d" % self._made)
        data = abi.call(abi.MIX_OUT_CALL, nullifier, to.address, self.relayer.address, fee)
        run = world.begin(Kind.MIX_OUT, self.relayer, contract, 0, data, actor=owner)
        run.pay(contract, to, DENOMINATIONS[pool] - fee)
        run.pay(contract, self.relayer, fee)
        topics = (abi.MIX_WITHDRAWAL, abi.word(self.relayer.address))
        run.log(contract, topics, abi.word(to.address) + nullifier + abi.word(fee))
        run.done()
        return True
