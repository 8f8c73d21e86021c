"""Whole blocks out of JSON and RLP; what they say of themselves is checked in chain/ethereum/verify.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from chain.errors import MalformedData
from chain.ethereum.fields import (
    ADDRESS,
    COUNT,
    HASH,
    Claims,
    Field,
    Item,
    Many,
    Record,
    decode,
    encode,
    json_list,
    json_object,
    read_claims,
    rlp_list,
    write,
)
from chain.ethereum.header import Header
from chain.ethereum.receipts import Receipt, receipt_from_json, receipts_from_items
from chain.ethereum.transactions import Transaction, transaction_from_item, transaction_from_json


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Ether from the beacon chain (EIP-4895)."""

    index: int
    validator: int
    address: bytes
    amount: int
    """In gwei."""

    def encode(self) -> bytes:
        """The RLP that the header's root commits to."""
        return encode(write(WITHDRAWAL, self))


WITHDRAWAL = (
    Field("index", "index", COUNT),
    Field("validator", "validatorIndex", COUNT),
    Field("address", "address", ADDRESS),
    Field("amount", "amount", COUNT),
)
_WITHDRAWALS = Many(Record(Withdrawal, WITHDRAWAL))
_HASHES = Many(HASH)


@dataclass(frozen=True, slots=True)
class Block:
    """A block, proved only once `verify_block` let it pass."""

    header: Header
    hash: bytes
    """As JSON states it; computed where RLP was read, which states none."""
    transactions: tuple[Transaction, ...]
    receipts: tuple[Receipt, ...] | None
    """None where the source had none."""
    withdrawals: tuple[Withdrawal, ...] | None
    """None before Shanghai."""
    uncles: tuple[Header, ...] | None
    """None where there are some of which only the hashes are known (a block of JSON names no more)."""
    uncle_hashes: tuple[bytes, ...]
    claims: Claims = field(default_factory=dict, compare=False, repr=False)

    @property
    def block_bytes(self) -> bytes:
        """Canonical RLP of [header, [transactions, ommers]] or [header, [transactions, ommers, withdrawals]].

        Where only the hashes of uncles are known, the list of ommers is empty: it then is not what `uncles_hash`
        commits to, and the header, the transactions and the withdrawals are all that the bytes prove.
        """
        return encode([self.header.item(), self._body()])

    @property
    def receipt_bytes(self) -> bytes:
        """Canonical RLP of the list of receipts; empty where there are none at hand."""
        return b"" if self.receipts is None else encode([receipt.item() for receipt in self.receipts])

    @property
    def size(self) -> int | None:
        """Bytes of the block as nodes count it, [header, transactions, ommers(, withdrawals)]; None where ommers
        are not at hand."""
        return None if self.uncles is None else len(encode([self.header.item(), *self._body()]))

    def _body(self) -> list[Item]:
        body: list[Item] = [[tx.item() for tx in self.transactions], [uncle.item() for uncle in self.uncles or ()]]
        return body if self.withdrawals is None else [*body, _WITHDRAWALS.to_rlp(self.withdrawals)]


def block_from_json(obj: object, receipts: Sequence[object] | None, uncles: Sequence[object] | None = None) -> Block:
    """A block of `eth_getBlockByNumber(…, true)`, with its `eth_getBlockReceipts` and, where it has uncles, theirs
    (`eth_getUncleByBlockHashAndIndex`, in order), each as far as at hand.

    MalformedData names the field that is missing or malformed. `totalDifficulty` and fields that Ethereum's JSON
    does not define are ignored: nothing in a block commits to them.
    """
    found = json_object(obj, "block")
    claims = read_claims(found, {"hash": HASH, "uncles": _HASHES}, {"size": COUNT}, "block")
    if "transactions" not in found:
        raise MalformedData("block: transactions is missing")
    listed = json_list(found["transactions"], "block.transactions")
    hashes = claims["uncles"]
    headers: tuple[Header, ...] | None
    if uncles is None:
        headers = None if hashes else ()
    else:
        headers = tuple(Header.from_json(each, f"uncles[{at}]") for at, each in enumerate(uncles))
    withdrawals = found.get("withdrawals")
    return Block(
        header=Header.from_json(found),
        hash=claims["hash"],
        transactions=tuple(transaction_from_json(tx, f"transactions[{at}]") for at, tx in enumerate(listed)),
        receipts=None if receipts is None else receipts_from_json(receipts),
        withdrawals=None if withdrawals is None else _WITHDRAWALS.from_json(withdrawals, "withdrawals"),
        uncles=headers,
        uncle_hashes=hashes,
        claims=claims,
    )


def receipts_from_json(receipts: Sequence[object]) -> tuple[Receipt, ...]:
    """The receipts of `eth_getBlockReceipts`; MalformedData names the one, and the field, that is malformed."""
    if isinstance(receipts, str | bytes | dict):
        raise MalformedData("receipts: no list of receipts")
    return tuple(receipt_from_json(each, f"receipts[{at}]") for at, each in enumerate(receipts))


def block_from_rlp(header: bytes, body: bytes, receipts: bytes | None) -> Block:
    """A block of its header, its body ([transactions, ommers] or [transactions, ommers, withdrawals]) and its
    receipts; MalformedData where one of them is not that, in canonical RLP."""
    parts = rlp_list(decode(body, "body"), "body")
    if len(parts) not in (2, 3):
        raise MalformedData(f"body: {len(parts)} items, 2 or 3 are due")
    listed = rlp_list(parts[0], "transactions")
    ommers = rlp_list(parts[1], "ommers")
    uncles = tuple(Header.from_item(item, f"ommers[{at}]") for at, item in enumerate(ommers))
    top = Header.from_rlp(header)
    return Block(
        header=top,
        hash=top.hash,
        transactions=tuple(transaction_from_item(item, f"transactions[{at}]") for at, item in enumerate(listed)),
        receipts=None if receipts is None else _receipts_from_rlp(receipts),
        withdrawals=_WITHDRAWALS.from_rlp(parts[2], "withdrawals") if len(parts) == 3 else None,
        uncles=uncles,
        uncle_hashes=tuple(uncle.hash for uncle in uncles),
    )


def block_from_bytes(block: bytes, receipts: bytes | None) -> Block:
    """The block of `Block.block_bytes`."""
    parts = rlp_list(decode(block, "block"), "block")
    if len(parts) != 2:
        raise MalformedData(f"block: {len(parts)} items, header and body are due")
    return block_from_rlp(encode(parts[0]), encode(parts[1]), receipts)


def _receipts_from_rlp(raw: bytes) -> tuple[Receipt, ...]:
    return receipts_from_items(rlp_list(decode(raw, "receipts"), "receipts"), "receipts")
