"""Receipts and their logs, out of JSON and RLP, and the bloom filters over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numba import njit

from chain.errors import MalformedData
from chain.ethereum.fields import (
    ADDRESS,
    ANY_BYTES,
    COUNT,
    HASH,
    QUANTITY,
    Bytes,
    Claims,
    Field,
    Item,
    Kind,
    Many,
    MaybeBytes,
    Quantity,
    Record,
    decode,
    encode,
    json_list,
    json_object,
    read_claims,
    read_json,
    read_rlp,
    rlp_list,
    write,
)
from chain.ethereum.header import BLOOM_SIZE
from chain.ethereum.keccak import keccak_each
from chain.ethereum.transactions import FORMS, LEGACY
from chain.model import I64, U8

MOST_TOPICS = 4


@dataclass(frozen=True, slots=True)
class Log:
    address: bytes
    topics: tuple[bytes, ...]
    """At most four of 32 bytes."""
    data: bytes
    claims: Claims = field(default_factory=dict, compare=False, repr=False)
    """What its JSON said beside."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a transaction did. `status` is 1 for success; receipts of before Byzantium have a state root instead."""

    type: int
    status: int | None
    root: bytes | None
    cumulative_gas: int
    """Gas used in the block up to and with this transaction."""
    bloom: bytes
    logs: tuple[Log, ...]
    claims: Claims = field(default_factory=dict, compare=False, repr=False)

    def encode(self) -> bytes:
        """Canonical bytes: RLP, after a byte of the type where that is not 0."""
        return (bytes([self.type]) if self.type != LEGACY else b"") + encode(self._list())

    def item(self) -> Item:
        """How it stands in the RLP of a block's receipts: a list, or its bytes as one string."""
        return self._list() if self.type == LEGACY else self.encode()

    def _list(self) -> list[Item]:
        first = self.root if self.root is not None else STATUS.to_rlp(self.status or 0)
        return [first, *write(_REST, self)]


STATUS = Quantity(1)
_TOPICS = Many(HASH, MOST_TOPICS)
_LOG = (Field("address", "address", ADDRESS), Field("topics", "topics", _TOPICS), Field("data", "data", ANY_BYTES))
_GAS = Field("cumulative_gas", "cumulativeGasUsed", COUNT)
_BLOOM = Field("bloom", "logsBloom", Bytes(BLOOM_SIZE))
_LOGS = Field("logs", "logs", Many(Record(Log, _LOG)))
_REST = (_GAS, _BLOOM, _LOGS)
_WIDEST_GAS = 32
"""Bytes of a number at most: what stands there in a receipt with bloom, the bloom, is longer."""


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false in JSON; no RLP has such."""

    def from_json(self, value: object, where: str) -> bool:
        if not isinstance(value, bool):
            raise MalformedData(f"{where}: {str(value)[:80]!r} is neither true nor false")
        return value

    def from_rlp(self, item: Item, where: str) -> bool:
        raise NotImplementedError

    def to_rlp(self, value: bool) -> Item:
        raise NotImplementedError


_OF_TRANSACTION: dict[str, Kind] = {
    "transactionHash": HASH,
    "transactionIndex": QUANTITY,
    "blockHash": HASH,
    "blockNumber": QUANTITY,
}
_RECEIPT_DUE: dict[str, Kind] = {**_OF_TRANSACTION, "from": ADDRESS, "to": MaybeBytes(20), "gasUsed": QUANTITY}
_RECEIPT_OPTIONAL: dict[str, Kind] = {
    "contractAddress": ADDRESS,
    "effectiveGasPrice": QUANTITY,
    "blobGasUsed": QUANTITY,
    "blobGasPrice": QUANTITY,
    "blockTimestamp": QUANTITY,
}
_LOG_DUE: dict[str, Kind] = {**_OF_TRANSACTION, "logIndex": QUANTITY}
_LOG_OPTIONAL: dict[str, Kind] = {"removed": Flag(), "blockTimestamp": QUANTITY}


def receipt_from_json(value: object, where: str) -> Receipt:
    """A receipt as nodes answer it; MalformedData names the field that is missing or wrong."""
    found = json_object(value, where)
    kind = LEGACY if found.get("type") is None else QUANTITY.from_json(found["type"], f"{where}.type")
    _known(kind, where)
    status, root = found.get("status"), found.get("root")
    if (status is None) == (root is None):
        raise MalformedData(f"{where}: status or root is due, {'neither' if status is None else 'both'} is there")
    fields = read_json((_GAS, _BLOOM), found, where)
    if "logs" not in found:
        raise MalformedData(f"{where}: logs is missing")
    logs = json_list(found["logs"], f"{where}.logs")
    return Receipt(
        type=kind,
        status=None if status is None else STATUS.from_json(status, f"{where}.status"),
        root=None if root is None else HASH.from_json(root, f"{where}.root"),
        logs=tuple(_log_from_json(log, f"{where}.logs[{at}]") for at, log in enumerate(logs)),
        claims=read_claims(found, _RECEIPT_DUE, _RECEIPT_OPTIONAL, where),
        **fields,
    )


def _log_from_json(value: object, where: str) -> Log:
    found = json_object(value, where)
    claims = read_claims(found, _LOG_DUE, _LOG_OPTIONAL, where)
    return Log(claims=claims, **read_json(_LOG, found, where))


def receipts_from_items(items: list[Item], where: str) -> tuple[Receipt, ...]:
    """Receipts as they stand in RLP. A typed one is a string of type and RLP. Those that peers exchange without bloom
    (EIP-7642: [type, status or root, gas, logs]) are taken too, and get the bloom of their logs."""
    found = [_from_item(item, f"{where}[{at}]") for at, item in enumerate(items)]
    computed = blooms(found) if any(not receipt.bloom for receipt in found) else None
    return tuple(
        receipt if receipt.bloom or computed is None else replace(receipt, bloom=computed[at].tobytes())
        for at, receipt in enumerate(found)
    )


def _from_item(item: Item, where: str) -> Receipt:
    """A receipt; its bloom is empty where it comes without."""
    kind = LEGACY
    if isinstance(item, bytes):
        kind = item[0] if item else LEGACY
        _known(kind or -1, where)
        item = decode(item[1:], where)
    items = rlp_list(item, where)
    fields: dict[str, Any]
    if kind == LEGACY and len(items) == 4 and len(items[2]) <= _WIDEST_GAS:
        kind = Quantity(8).from_rlp(items[0], f"{where}.type")
        _known(kind, where)
        first, fields = items[1], {"bloom": b"", **read_rlp((_GAS, _LOGS), items[2:], where)}
    else:
        first, fields = (items or [b""])[0], read_rlp(_REST, items[1:], where)
    if isinstance(first, bytes) and len(first) == HASH.size:
        return Receipt(type=kind, status=None, root=first, **fields)
    return Receipt(type=kind, status=STATUS.from_rlp(first, f"{where}.status"), root=None, **fields)


def _known(kind: int, where: str) -> None:
    if kind not in FORMS:
        raise MalformedData(f"{where}: receipt type {hex(kind) if kind >= 0 else 'byte 0x0'} is not known")


def blooms(receipts: Sequence[Receipt]) -> U8:
    """[n, 256] the bloom filter over the logs of each receipt, computed from the logs."""
    items, owner = [], []
    for row, receipt in enumerate(receipts):
        for log in receipt.logs:
            items += [log.address, *log.topics]
            owner += [row] * (1 + len(log.topics))
    filled: U8 = _fill_blooms(keccak_each(items), np.array(owner, np.int64), len(receipts))
    return filled


@njit(cache=True, nogil=True)
def _fill_blooms(digests: U8, owner: I64, count: int) -> U8:
    """Each digest sets three bits of its owner's filter: the low 11 bits of its first three pairs of bytes."""
    out = np.zeros((count, BLOOM_SIZE), np.uint8)
    for row in range(len(owner)):
        for pair in range(0, 6, 2):
            bit = (np.int64(digests[row, pair]) << 8 | np.int64(digests[row, pair + 1])) & 0x7FF
            out[owner[row], BLOOM_SIZE - 1 - (bit >> 3)] |= np.uint8(1 << (bit & 7))
    return out
