"""Wallets that are contracts, by ERC-4337: a bundler sends what their owners signed, a paymaster may pay the gas.

Who sends such a transaction says nothing of whose it is. The gas of an operation is paid out of what the paymaster, or
the wallet, has put down at the entry point, and goes to the bundler.
"""

from __future__ import annotations

from collections.abc import Callable

from chain.ethereum.keccak import keccak256
from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.economy import Economy
from clustering.simulate.ethereum.kinds import Kind, Party, Relation, Role
from clustering.simulate.ethereum.run import Run
from clustering.simulate.ethereum.world import CENT, ETH

ENTRY_POINT = bytes.fromhex("5ff137d4b0fdcd49dca30c7cf57e578a026d2789")
"""Of ERC-4337 v0.6, where every network has it."""
OPERATION_GAS = 150_000
"""Gas that one operation is charged."""
LEAST = 10

Act = Callable[[Run], None]


class SmartWallets:
    """The entry point, a factory, a bundler, a paymaster, and the wallets."""

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        self.entry = world.placed(ENTRY_POINT, world.network, Role.ENTRY_POINT)
        self.factory = economy.open_contract(Role.FACTORY)
        self.bundler = world.account(world.truth.owner(Party.BUNDLER), Role.BUNDLER)
        sponsor = world.truth.owner(Party.PAYMASTER)
        self._sponsor = world.account(sponsor, Role.OPERATOR)
        world.fund(self.bundler, 10 * ETH)
        world.fund(self._sponsor, 60 * ETH)
        world.settle()
        self.paymaster = world.deploy(self._sponsor, Role.PAYMASTER, b"\x60\x80\x60\x40" * 20)
        self.wallets: list[Account] = []
        self._owners: dict[int, Account] = {}
        """The account whose key signs for a wallet, by the wallet's row."""
        self._down: dict[int, int] = {}
        """Wei that the paymaster and wallets have at the entry point, by row."""
        self._nonces: dict[int, int] = {}
        self._put_down(40 * ETH)

    def _put_down(self, wei: int) -> None:
        data = abi.call(abi.DEPOSIT_TO_CALL, self.paymaster.address)
        run = self.economy.world.begin(Kind.PAYMENT, self._sponsor, self.entry, wei, data)
        self._down[self.paymaster.row] = self._down.get(self.paymaster.row, 0) + wei
        run.log(self.entry, (abi.ENTRY_DEPOSITED, abi.word(self.paymaster.address)), abi.word(wei))
        run.done()

    def open(self) -> bool:
        """Somebody gets a wallet, and pays it its first ether; its owner's key never sends anything."""
        world = self.economy.world
        person = self.economy.spender(60 * CENT)
        if person is None:
            return False
        key = world.account(person.owner)
        wallet = world.salted(self.factory, len(self.wallets) + 1, person.owner, Role.SMART_WALLET)
        world.truth.relate(Relation.CONTROLS, key.row, wallet.row)
        world.pay(Kind.CONSOLIDATION, person.wallet, wallet, world.between(20, 45) * CENT)
        self.wallets.append(wallet)
        self._owners[wallet.row] = key
        return True

    def able(self, least: int) -> tuple[Account, int] | None:
        """A wallet with so much ether, and what it has."""
        for _ in range(10):
            if not self.wallets:
                return None
            wallet = self.wallets[self.economy.world.rng.randrange(len(self.wallets))]
            if wallet.wei >= least:
                return wallet, wallet.wei
        return None

    def operate(self, wallet: Account, act: Act) -> None:
        """One operation, in a bundle of its own."""
        self.bundle([(wallet, act)])

    def bundle(self, operations: list[tuple[Account, Act]]) -> None:
        """Several operations in one transaction of the bundler's."""
        world = self.economy.world
        data = abi.HANDLE_OPS_CALL + abi.array([wallet.address for wallet, _ in operations])
        actor = operations[0][0].owner
        run = world.begin(Kind.USER_OPERATIONS, self.bundler, self.entry, 0, data, actor=actor)
        price = world.chain.base_fee + run.tip
        cost = OPERATION_GAS * price
        for wallet, act in operations:
            number = self._nonces.get(wallet.row, 0)
            self._nonces[wallet.row] = number + 1
            digest = keccak256(wallet.address + number.to_bytes(32, "big"))
            if not number:
                self._make(run, wallet, digest)
            act(run)
            self._down[self.paymaster.row] -= cost
            topics = (abi.USER_OPERATION, digest, abi.word(wallet.address), abi.word(self.paymaster.address))
            run.log(self.entry, topics, b"".join(map(abi.word, (number, 1, cost, OPERATION_GAS))))
        run.pay(self.entry, self.bundler, cost * len(operations))
        run.done()
        if self._down[self.paymaster.row] < ETH and world.spendable(self._sponsor) > 4 * ETH:
            self._put_down(4 * ETH)

    def _make(self, run: Run, wallet: Account, digest: bytes) -> None:
        run.create(self.factory, wallet)
        topics = (abi.ACCOUNT_DEPLOYED, digest, abi.word(wallet.address))
        run.log(self.entry, topics, abi.word(self.factory.address) + abi.word(self.paymaster.address))

    def act(self) -> bool:
        """A new wallet while they are few; else some of them do something, in one bundle."""
        world = self.economy.world
        if len(self.wallets) < LEAST or world.chance(15):
            return self.open()
        operations: list[tuple[Account, Act]] = []
        for _ in range(1 + world.rng.randrange(3)):
            found = self.able(6 * CENT)
            if found is not None and all(found[0] is not other for other, _ in operations):
                operations.append((found[0], self._payment(found[0])))
        if not operations:
            return self.open()
        self.bundle(operations)
        return True

    def _payment(self, wallet: Account) -> Act:
        other = self.economy.anybody().wallet
        wei = self.economy.world.between(1, 5) * CENT
        return lambda run: run.pay(wallet, other, wei)
