"""A transaction while it is executed: what its calls pay, make and log, and in the end its receipt and trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chain.ethereum.keccak import keccak256
from chain.ethereum.receipts import Log, Receipt
from chain.ethereum.transactions import ACCESS_LIST, LEGACY, SET_CODE, Access, Authorization
from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.blocks import GWEI, Mined
from clustering.simulate.ethereum.kinds import NOBODY, Kind, Relation, Role
from clustering.simulate.ethereum.signing import Draft, sign

if TYPE_CHECKING:
    from clustering.simulate.ethereum.world import World

PLAIN_GAS = 21_000
DATA_GAS = 16
LOG_GAS, TOPIC_GAS, LOG_BYTE_GAS = 375, 375, 8
CALL_GAS, CREATE_GAS, CODE_GAS, AUTHORIZATION_GAS = 9_000, 32_000, 200, 25_000
"""Gas of what a transaction does (Yellow Paper, appendix G; EIP-7702)."""
ACCESS_GAS = 2_400 + 1_900
"""Of an address and a slot that are declared (EIP-2930)."""
STORAGE_GAS = 25_000
"""What stands behind each log here: slots that are read and written."""
TIPS = (GWEI // 10, GWEI // 10, GWEI // 5, GWEI // 2, GWEI, 2 * GWEI)
"""Wei for a unit of gas that goes to the builder, by frequency."""


class Run:
    """One transaction. Its value has moved when it begins; `done` or `fail` ends it."""

    def __init__(
        self, world: World, kind: Kind, sender: Account, to: Account | None, value: int, data: bytes, creates: bool,
        actor: int,
    ) -> None:  # fmt: skip
        assert sender.secret is not None, "only an account with a key sends"
        self.world = world
        self.kind = kind
        self.sender = sender
        self.to = to
        self.value = 0
        self.data = data
        self.creates = creates
        self.actor = sender.owner if actor == NOBODY else actor
        self.type = sender.type
        self.tip = TIPS[world.rng.randrange(len(TIPS))]
        self.authorizations: tuple[Authorization, ...] = ()
        self._nonce = sender.nonce
        self._before = sender.wei
        self._logs: list[Log] = []
        self._calls: list[dict[str, Any]] = []
        self._gas = PLAIN_GAS + DATA_GAS * len(data) + (CREATE_GAS + CODE_GAS * len(data) if creates else 0)
        if value:
            self.bring(value)

    def bring(self, value: int) -> None:
        """Send the transaction's value."""
        assert self.to is not None, "a value goes somewhere"
        self.value = value
        self._move(self.sender, self.to, value)
        self._pass_on(self.to, value)

    def pay(self, source: Account, target: Account, value: int) -> None:
        """A call that carries ether."""
        self._move(source, target, value)
        self._frame("CALL", source, target, value)
        self._pass_on(target, value)

    def create(self, maker: Account, made: Account) -> None:
        """A contract that a contract makes."""
        self._frame("CREATE2", maker, made, 0)
        self._gas += CREATE_GAS + CODE_GAS * 64
        self.world.truth.relate(Relation.DEPLOYED, self.sender.row, made.row, maker.row)

    def log(self, source: Account, topics: tuple[bytes, ...], data: bytes) -> None:
        self._logs.append(Log(source.address, topics, data))
        self._gas += LOG_GAS + TOPIC_GAS * len(topics) + LOG_BYTE_GAS * len(data) + STORAGE_GAS

    def moved(self, source: Account, target: Account) -> None:
        """Note what money that goes from one to the other makes of them."""
        truth = self.world.truth
        if target.role == Role.DEPOSIT and source.owner != target.owner:
            truth.relate(Relation.PAID_DEPOSIT, source.row, target.row)
        elif source.role == Role.DEPOSIT and target.role == Role.HOT and source.owner == target.owner:
            truth.relate(Relation.SWEPT_INTO, source.row, target.row)

    def authorize(self, agreed: Authorization, authority: Account, delegate: Account) -> None:
        """Take in what an account signed (EIP-7702)."""
        self.type = SET_CODE
        self.authorizations += (agreed,)
        authority.nonce += 1
        self._gas += AUTHORIZATION_GAS
        self.world.truth.relate(Relation.AUTHORISED, authority.row, delegate.row, self.sender.row)

    def done(self) -> int:
        """Sign it and put it into the block; its number in the truth."""
        return self._end(status=1)

    def fail(self) -> int:
        """As `done`, but it is undone: only the fee moves. Nothing but its value may have moved."""
        assert not self._calls, "what failed paid nobody"
        assert not self._logs, "what failed logged nothing"
        if self.value:
            assert self.to is not None, "a value went somewhere"
            self.to.wei -= self.value
            self.sender.wei += self.value
        return self._end(status=0)

    # Within

    def _move(self, source: Account, target: Account, value: int) -> None:
        if value <= 0 or source.wei < value:
            raise ValueError(f"{self.kind.name}: {value} wei of {source.wei}, from {source.role.name}")
        source.wei -= value
        target.wei += value
        if not target.funded:
            target.funded = True
            self.world.truth.relate(Relation.FIRST_FUNDED, source.row, target.row)
        self.moved(source, target)

    def _pass_on(self, at: Account, value: int) -> None:
        if at.forward is not None:
            self.pay(at, at.forward, value)

    def _frame(self, kind: str, source: Account, target: Account, value: int) -> None:
        self._gas += CALL_GAS
        ends = {"from": f"0x{source.address.hex()}", "to": f"0x{target.address.hex()}"}
        self._calls.append({"type": kind, **ends, "value": hex(value)})

    def _end(self, status: int) -> int:
        world, sender, chain = self.world, self.sender, self.world.chain
        assert sender.secret is not None, "only an account with a key sends"
        if not chain.has_room(self._gas + ACCESS_GAS):
            world.seal()
        price = chain.base_fee + self.tip
        draft = self._draft(price)
        fee = self._gas * price
        due = self.value + draft.gas * max(draft.max_fee, draft.gas_price)
        if self._before < due:
            raise ValueError(f"{self.kind.name}: {due} wei are due, the sender has {self._before}")
        item, raw = sign(draft, sender.secret)
        # an authorization of the sender's own took the nonce after this one
        sender.nonce += 1
        sender.wei -= fee
        world.builder().wei += self._gas * self.tip
        digest = keccak256(raw)
        receipt = Receipt(draft.type, status, None, chain.gas + self._gas, b"", tuple(self._logs))
        chain.add(Mined(item, raw, receipt, self._trace(digest, status)))
        world.truth.transaction(digest, self.kind, self.actor)
        world.advance()
        return world.truth.tx_count - 1

    def _draft(self, price: int) -> Draft:
        to = None if self.creates or self.to is None else self.to.address
        accesses: tuple[Access, ...] = ()
        if self.type == ACCESS_LIST and to is not None:
            accesses = (Access(to, (bytes(32),)),)
            self._gas += ACCESS_GAS
        limit = self._gas if self._gas == PLAIN_GAS else self._gas * 13 // 10
        draft = Draft(self.type, self._nonce, limit, to, self.value, self.data, access_list=accesses)
        if self.type in (LEGACY, ACCESS_LIST):
            draft.gas_price = price
        else:
            draft.max_priority_fee, draft.max_fee = self.tip, price + self.world.chain.base_fee
            draft.authorizations = self.authorizations
        return draft

    def _trace(self, digest: bytes, status: int) -> dict[str, Any]:
        top: dict[str, Any] = {
            "type": "CREATE" if self.creates else "CALL", "from": f"0x{self.sender.address.hex()}",
            "to": None if self.to is None else f"0x{self.to.address.hex()}", "value": hex(self.value),
        }  # fmt: skip
        if not status:
            top["error"] = "execution reverted"
        if self._calls:
            top["calls"] = self._calls
        return {"txHash": f"0x{digest.hex()}", "result": top}
