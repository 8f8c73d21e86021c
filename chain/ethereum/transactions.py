"""Transactions of types 0 to 4, out of JSON and RLP, with hash and sender computed, never believed.

Blob transactions are those of blocks, without the sidecar of blobs that only the network carries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chain.errors import MalformedData
from chain.ethereum.fields import (
    ADDRESS,
    ANY_BYTES,
    COUNT,
    HASH,
    QUANTITY,
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
    json_object,
    read_claims,
    read_json,
    read_rlp,
    rlp_list,
    write,
)
from chain.ethereum.keccak import keccak256
from chain.ethereum.signatures import ORDER, recover

LEGACY, ACCESS_LIST, DYNAMIC_FEE, BLOB, SET_CODE = range(5)
AUTHORIZATION_MAGIC = b"\x05"
"""What an authorization's signed bytes begin with (EIP-7702)."""
_FIRST_PROTECTED_V = 35
"""From here on `v` of a legacy transaction holds a chain id (EIP-155)."""
_FIRST_LIST = 0xC0
"""The first byte of an RLP list: no type of transaction reaches it."""

NONCE = Quantity(64)
PARITY = Quantity(1)


@dataclass(frozen=True, slots=True)
class Access:
    """An address and storage slots that a transaction declares (EIP-2930)."""

    address: bytes
    slots: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Authorization:
    """A signed wish that an account's code be that at `address` (EIP-7702)."""

    chain_id: int
    """0 for every chain."""
    address: bytes
    nonce: int
    v: int
    """Parity of the point; another number than 0 and 1 makes the signature invalid."""
    r: int
    s: int

    @property
    def authority(self) -> bytes | None:
        """The account that signed; None where the signature is invalid (the transaction is valid all the same)."""
        if self.s > ORDER // 2:
            return None
        signed = AUTHORIZATION_MAGIC + encode(write(AUTHORIZATION[:3], self))
        return recover(keccak256(signed), self.v, self.r, self.s)


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction. Amounts in wei, gas in units of gas. Fields that its type lacks are None or empty."""

    type: int
    nonce: int
    gas: int
    to: bytes | None
    """None creates a contract."""
    value: int
    data: bytes
    v: int
    """Parity of the signature's point; for legacy ones 27 or 28 more, or 35 + 2 chain ids more."""
    r: int
    s: int
    chain_id: int | None = None
    """None in a legacy transaction of before EIP-155, which any chain takes."""
    gas_price: int | None = None
    max_priority_fee: int | None = None
    max_fee: int | None = None
    access_list: tuple[Access, ...] = ()
    max_blob_fee: int | None = None
    blob_hashes: tuple[bytes, ...] = ()
    authorizations: tuple[Authorization, ...] = ()
    claims: Claims = field(default_factory=dict, compare=False, repr=False)
    """What its JSON said beside."""
    raw: bytes = field(init=False, compare=False, repr=False)
    """What is hashed and what the block's root commits to."""
    hash: bytes = field(init=False, compare=False)
    sender: bytes | None = field(init=False, compare=False)
    """Recovered from the signature; None where that is invalid."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "raw", self.encode())
        object.__setattr__(self, "hash", keccak256(self.raw))
        object.__setattr__(self, "sender", recover(self.signed_hash(), self.parity, self.r, self.s))

    @classmethod
    def proved(cls, raw: bytes, digest: bytes, sender: bytes, **fields: Any) -> Transaction:
        """One whose bytes, hash and sender were computed already (chain/ethereum/columnar): not done again here."""
        tx = object.__new__(cls)
        for name, value in fields.items():
            object.__setattr__(tx, name, value)
        for name, value in (("claims", {}), ("raw", raw), ("hash", digest), ("sender", sender)):
            object.__setattr__(tx, name, value)
        return tx

    @property
    def parity(self) -> int:
        """0 or 1; another number where `v` is none that a signature can have."""
        if self.type != LEGACY:
            return self.v
        return (self.v - _FIRST_PROTECTED_V) % 2 if self.v >= _FIRST_PROTECTED_V else self.v - 27

    def encode(self) -> bytes:
        """Canonical bytes: RLP, after a byte of the type where that is not 0."""
        return _typed(self.type, write(FORMS[self.type], self))

    def item(self) -> Item:
        """How it stands in the RLP of a body: a list, or its bytes as one string."""
        return write(FORMS[LEGACY], self) if self.type == LEGACY else self.raw

    def signed_hash(self) -> bytes:
        """The digest that the signature is over."""
        items = write(FORMS[self.type][:-3], self)
        if self.type == LEGACY and self.chain_id is not None:
            items += [QUANTITY.to_rlp(self.chain_id), b"", b""]
        return keccak256(_typed(self.type, items))

    def effective_price(self, base_fee: int | None) -> int:
        """Wei paid for a unit of gas in a block of this base fee."""
        if self.gas_price is not None:
            return self.gas_price
        return min(self.max_fee or 0, (base_fee or 0) + (self.max_priority_fee or 0))


def _typed(kind: int, items: list[Item]) -> bytes:
    return (bytes([kind]) if kind != LEGACY else b"") + encode(items)


_NONCE = Field("nonce", "nonce", NONCE)
_GAS = Field("gas", "gas", COUNT)
_GAS_PRICE = Field("gas_price", "gasPrice", QUANTITY)
_TO = Field("to", "to", MaybeBytes(20))
_TO_SOMEBODY = Field("to", "to", ADDRESS)
_VALUE_DATA = (Field("value", "value", QUANTITY), Field("data", "input", ANY_BYTES))
_CHAIN = Field("chain_id", "chainId", QUANTITY)
_FEES = (Field("max_priority_fee", "maxPriorityFeePerGas", QUANTITY), Field("max_fee", "maxFeePerGas", QUANTITY))
_R_S = (Field("r", "r", QUANTITY), Field("s", "s", QUANTITY))
_SIGNED = (Field("v", "yParity", PARITY), *_R_S)
AUTHORIZATION = (_CHAIN, Field("address", "address", ADDRESS), _NONCE, Field("v", "yParity", Quantity(8)), *_R_S)
_ACCESS = (Field("address", "address", ADDRESS), Field("slots", "storageKeys", Many(HASH)))
_ACCESSES = Field("access_list", "accessList", Many(Record(Access, _ACCESS)))
_AUTHORIZATIONS = Field("authorizations", "authorizationList", Many(Record(Authorization, AUTHORIZATION)))
_BLOBS = (Field("max_blob_fee", "maxFeePerBlobGas", QUANTITY), Field("blob_hashes", "blobVersionedHashes", Many(HASH)))

FORMS: dict[int, tuple[Field, ...]] = {
    LEGACY: (_NONCE, _GAS_PRICE, _GAS, _TO, *_VALUE_DATA, Field("v", "v", QUANTITY), *_R_S),
    ACCESS_LIST: (_CHAIN, _NONCE, _GAS_PRICE, _GAS, _TO, *_VALUE_DATA, _ACCESSES, *_SIGNED),
    DYNAMIC_FEE: (_CHAIN, _NONCE, *_FEES, _GAS, _TO, *_VALUE_DATA, _ACCESSES, *_SIGNED),
    BLOB: (_CHAIN, _NONCE, *_FEES, _GAS, _TO_SOMEBODY, *_VALUE_DATA, _ACCESSES, *_BLOBS, *_SIGNED),
    SET_CODE: (_CHAIN, _NONCE, *_FEES, _GAS, _TO_SOMEBODY, *_VALUE_DATA, _ACCESSES, _AUTHORIZATIONS, *_SIGNED),
}
"""The fields of each type, in the order of its RLP; the last three are the signature."""

_DUE: dict[str, Kind] = {
    "hash": HASH,
    "from": ADDRESS,
    "blockHash": HASH,
    "blockNumber": QUANTITY,
    "transactionIndex": QUANTITY,
}
_OPTIONAL: dict[str, Kind] = {
    "blockTimestamp": QUANTITY,
    "chainId": QUANTITY,
    "data": ANY_BYTES,
    "gasPrice": QUANTITY,
    "v": QUANTITY,
    "yParity": QUANTITY,
}


def transaction_from_json(value: object, where: str) -> Transaction:
    """A transaction of a whole block as nodes answer it; MalformedData where it is merely a hash, or malformed."""
    if isinstance(value, str):
        raise MalformedData(f"{where}: a hash stands where a transaction is due; ask for whole transactions")
    found = json_object(value, where)
    kind = LEGACY if found.get("type") is None else QUANTITY.from_json(found["type"], f"{where}.type")
    _known(kind, where)
    claims = read_claims(found, _DUE, _OPTIONAL, where)
    if "input" not in found and "data" in found:
        found = {**found, "input": found["data"]}
    if kind != LEGACY and found.get("yParity") is None and "v" in found:
        found = {**found, "yParity": found["v"]}
    fields = read_json(FORMS[kind], found, where)
    return Transaction(type=kind, claims=claims, **(_chain_of(fields["v"]) if kind == LEGACY else {}), **fields)


def transaction_from_item(item: Item, where: str) -> Transaction:
    """A transaction as it stands in the RLP of a body: a list, or a string of type and RLP."""
    if not isinstance(item, bytes):
        fields = read_rlp(FORMS[LEGACY], item, where)
        return Transaction(type=LEGACY, **_chain_of(fields["v"]), **fields)
    if not item:
        raise MalformedData(f"{where}: no bytes stand where a transaction is due")
    kind = item[0]
    _known(kind or -1, where)
    return Transaction(type=kind, **read_rlp(FORMS[kind], rlp_list(decode(item[1:], where), where), where))


def transaction_from_raw(raw: bytes, where: str = "transaction") -> Transaction:
    """A transaction by itself, in the bytes that its hash is over."""
    return transaction_from_item(decode(raw, where) if raw[:1] >= bytes([_FIRST_LIST]) else raw, where)


def _known(kind: int, where: str) -> None:
    if kind not in FORMS:
        raise MalformedData(f"{where}: transaction type {hex(kind) if kind >= 0 else 'byte 0x0'} is not known")


def _chain_of(v: int) -> dict[str, Any]:
    return {"chain_id": (v - _FIRST_PROTECTED_V) // 2 if v >= _FIRST_PROTECTED_V else None}
