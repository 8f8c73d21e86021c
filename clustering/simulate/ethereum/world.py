"""The engine: a clock, accounts with what is on them, transactions that are signed and mined as they come.

A world keeps balances, nonces and the compact truth; blocks go to a sink and are forgotten. Everything follows from the
seed: `random.Random` draws, no order of a hash table decides anything, amounts are integers throughout.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

from chain.ethereum.block import Withdrawal
from chain.ethereum.keccak import keccak256
from chain.ethereum.transactions import ACCESS_LIST, DYNAMIC_FEE, LEGACY
from chain.ethereum.verify import created_address
from clustering.simulate.ethereum.accounts import Account, KeyMaker, salted_address
from clustering.simulate.ethereum.blocks import GWEI, BlockMaker, MadeBlock
from clustering.simulate.ethereum.kinds import NOBODY, Kind, Party, Relation, Role
from clustering.simulate.ethereum.run import PLAIN_GAS, TIPS, Run
from clustering.simulate.ethereum.truth import Recorder

ETH = 10**18
CENT = 10**16
"""A hundredth of an ether."""
RESERVE_GAS = 400_000
"""A sender keeps the price of so much gas."""
TYPES = (DYNAMIC_FEE,) * 8 + (LEGACY, LEGACY, ACCESS_LIST)
"""What wallets of people send, by frequency."""
WITHDRAWALS = 16
"""Of a block at most (EIP-4895, mainnet)."""
STAKERS = 12
SKIMMED = 18_000_000
"""Gwei: about what a validator's rewards are between two withdrawals."""
CODE_HASH = keccak256(
    bytes.fromhex(f"3d602d80600a3d3981f3363d3d373d3d3d363d73{'11' * 20}5af43d82803e903d91602b57fd5bf3")
)
"""Of the init code that every CREATE2 here has: a minimal proxy (EIP-1167)."""


class World:
    """A chain in the making."""

    def __init__(self, seed: int, per_block: int, blocks: int, sink: Callable[[MadeBlock], None]) -> None:
        self.rng = Random(seed)
        self.keys = KeyMaker(seed)
        self.truth = Recorder()
        self.chain = BlockMaker(self.rng, per_block, blocks, sink)
        self.made = 0
        self._dues: deque[tuple[Account, int]] = deque()
        self._withdrawn = 0
        network = self.truth.owner(Party.NETWORK, "network")
        self.network = network
        self.zero = self.placed(bytes(20), network, Role.ZERO)
        self._builders = [self.account(network, Role.BUILDER) for _ in range(3)]
        self._stakers = [self.account(self.truth.owner(Party.USER, f"staker {n}"), Role.STAKER) for n in range(STAKERS)]
        self.seal()

    # Accounts

    def account(self, owner: int, role: Role = Role.WALLET, customer: int = NOBODY) -> Account:
        """A new account with a key."""
        secret, address = self.keys.key()
        return Account(address, self.truth.address(address, owner, role, customer), owner, role, secret)

    def wallet(self, owner: int) -> Account:
        """A new account of a person, whose wallet program sends one type of transactions."""
        made = self.account(owner)
        made.type = TYPES[self.rng.randrange(len(TYPES))]
        return made

    def placed(self, address: bytes, owner: int, role: Role, customer: int = NOBODY) -> Account:
        """A contract that is there already, or whose address is known before it is made."""
        return Account(address, self.truth.address(address, owner, role, customer), owner, role, None)

    def salted(self, maker: Account, number: int, owner: int, role: Role, customer: int = NOBODY) -> Account:
        """The contract that `maker` can make with CREATE2 and this salt."""
        address = salted_address(maker.address, number.to_bytes(32, "big"), CODE_HASH)
        return self.placed(address, owner, role, customer)

    def deploy(self, sender: Account, role: Role, data: bytes, owner: int = NOBODY) -> Account:
        """A contract, made by a transaction of its own; it is its sender's where nobody else is named."""
        address = created_address(sender.address, sender.nonce)
        made = self.placed(address, sender.owner if owner == NOBODY else owner, role)
        run = self.begin(Kind.DEPLOYMENT, sender, None, 0, data, created=made)
        self.truth.relate(Relation.DEPLOYED, sender.row, made.row)
        run.done()
        return made

    # Money

    def fund(self, account: Account, wei: int) -> None:
        """Ether from the beacon chain, in the next blocks that have room for it."""
        self._dues.append((account, wei // GWEI))

    def settle(self) -> None:
        """Blocks without transactions, until all that is due from the beacon chain has come."""
        while self._dues:
            self.seal()

    @property
    def gas_price(self) -> int:
        """Wei for a unit of gas that a sender bids now, at most."""
        return 2 * self.chain.base_fee + TIPS[-1]

    def spendable(self, account: Account) -> int:
        """What an account can send and still pay for gas."""
        return max(0, account.wei - RESERVE_GAS * self.gas_price)

    # Transactions

    def begin(
        self,
        kind: Kind,
        sender: Account,
        to: Account | None,
        value: int = 0,
        data: bytes = b"",
        *,
        created: Account | None = None,
        actor: int = NOBODY,
    ) -> Run:
        """A transaction of `sender`, which moves its value at once; `done` of the run ends it."""
        return Run(self, kind, sender, to if created is None else created, value, data, created is not None, actor)

    def pay(self, kind: Kind, sender: Account, to: Account, value: int, actor: int = NOBODY) -> int:
        """A plain payment of ether; returns the transaction's number."""
        return self.begin(kind, sender, to, value, actor=actor).done()

    def empty(self, kind: Kind, sender: Account, to: Account, actor: int = NOBODY) -> int:
        """All of an account's ether, to the last wei; the transaction's number."""
        run = self.begin(kind, sender, to, 0, actor=actor)
        run.type = LEGACY
        run.bring(sender.wei - PLAIN_GAS * (self.chain.base_fee + run.tip))
        return run.done()

    def advance(self) -> None:
        """Count a transaction, and seal the block where it is full."""
        self.made += 1
        if self.chain.is_full:
            self.seal()

    def builder(self) -> Account:
        """Who builds the block that is being filled, and gets its tips."""
        return self._builders[self.chain.height % len(self._builders)]

    def seal(self) -> None:
        withdrawals = [self._withdraw(*self._dues.popleft()) for _ in range(min(WITHDRAWALS, len(self._dues)))]
        if len(withdrawals) < WITHDRAWALS and self.chain.height:
            withdrawals.append(self._withdraw(self._stakers[self.chain.height % STAKERS], SKIMMED))
        self.chain.seal(self.builder().address, withdrawals)

    def finish(self) -> None:
        """Seal what waits."""
        if self.chain.count:
            self.seal()

    def _withdraw(self, account: Account, gwei: int) -> Withdrawal:
        account.wei += gwei * GWEI
        account.funded = True
        self._withdrawn += 1
        return Withdrawal(self._withdrawn - 1, 1_000 + account.row, account.address, gwei)

    # Draws

    def chance(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent

    def between(self, low: int, high: int) -> int:
        """A number from `low` to `high`, small ones more often: half of all lie in the lowest eighth."""
        draw = self.rng.randrange(1 << 20)
        return low + (high - low) * (draw * draw * draw >> 40) // (1 << 20)
