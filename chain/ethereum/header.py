"""Block headers of every fork up to Prague, and the price of blob gas that a header sets."""

from __future__ import annotations

from dataclasses import dataclass

from chain.errors import MalformedData
from chain.ethereum.fields import (
    ADDRESS,
    ANY_BYTES,
    COUNT,
    HASH,
    QUANTITY,
    Bytes,
    Field,
    Item,
    decode,
    encode,
    json_object,
    read_json,
    read_rlp,
    rlp_list,
    write,
)
from chain.ethereum.keccak import keccak256

BLOOM_SIZE = 256
NO_UNCLES = keccak256(encode([]))
"""What `uncles_hash` is in a block without uncles."""

BLOB_GAS = 1 << 17
"""Gas of one blob (EIP-4844)."""

BLOB_FEE_FRACTIONS = ((1767747671, 11684671), (1765290071, 8346193), (1746612311, 5007716), (0, 3338477))
"""From which time on (seconds since 1970) blob gas is priced by which fraction: mainnet's forks BPO2, BPO1, Prague and
Cancun, the newest first. A fork that changes it must be added: until then, receipts that state a price are refused."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header. Amounts in wei, gas in units of gas, time in seconds since 1970."""

    parent_hash: bytes
    uncles_hash: bytes
    miner: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    logs_bloom: bytes
    difficulty: int
    number: int
    gas_limit: int
    gas_used: int
    time: int
    extra: bytes
    mix_hash: bytes
    nonce: bytes
    base_fee: int | None = None
    """From London on."""
    withdrawals_root: bytes | None = None
    """From Shanghai on."""
    blob_gas_used: int | None = None
    """From Cancun on, like the two that follow."""
    excess_blob_gas: int | None = None
    parent_beacon_root: bytes | None = None
    requests_hash: bytes | None = None
    """From Prague on."""

    @classmethod
    def from_json(cls, value: object, where: str = "block") -> Header:
        """The header of a block object; MalformedData names what is missing or wrong."""
        found = json_object(value, where)
        count = len(FIELDS)
        while count > BARE and found.get(FIELDS[count - 1].json) is None:
            count -= 1
        if count not in FORMS:
            raise MalformedData(f"{where}: {FIELDS[count - 1].json} is there, {FIELDS[count].json} is missing")
        return cls(**read_json(FIELDS[:count], found, where))

    @classmethod
    def from_rlp(cls, raw: bytes, where: str = "header") -> Header:
        """The header that the bytes are; MalformedData where they are none."""
        return cls.from_item(decode(raw, where), where)

    @classmethod
    def from_item(cls, item: Item, where: str) -> Header:
        items = rlp_list(item, where)
        if len(items) not in FORMS:
            raise MalformedData(f"{where}: {len(items)} items, a header has one of {sorted(FORMS)}")
        return cls(**read_rlp(FIELDS[: len(items)], items, where))

    def item(self) -> list[Item]:
        """Its RLP before encoding: optional fields end with the first that is not there."""
        count = BARE
        while count < len(FIELDS) and getattr(self, FIELDS[count].name) is not None:
            count += 1
        return write(FIELDS[:count], self)

    def encode(self) -> bytes:
        """Canonical RLP: the bytes whose Keccak-256 is the block's hash."""
        return encode(self.item())

    @property
    def hash(self) -> bytes:
        return keccak256(self.encode())


FIELDS = (
    Field("parent_hash", "parentHash", HASH),
    Field("uncles_hash", "sha3Uncles", HASH),
    Field("miner", "miner", ADDRESS),
    Field("state_root", "stateRoot", HASH),
    Field("transactions_root", "transactionsRoot", HASH),
    Field("receipts_root", "receiptsRoot", HASH),
    Field("logs_bloom", "logsBloom", Bytes(BLOOM_SIZE)),
    Field("difficulty", "difficulty", QUANTITY),
    Field("number", "number", COUNT),
    Field("gas_limit", "gasLimit", COUNT),
    Field("gas_used", "gasUsed", COUNT),
    Field("time", "timestamp", COUNT),
    Field("extra", "extraData", ANY_BYTES),
    Field("mix_hash", "mixHash", HASH),
    Field("nonce", "nonce", Bytes(8)),
    Field("base_fee", "baseFeePerGas", QUANTITY),
    Field("withdrawals_root", "withdrawalsRoot", HASH),
    Field("blob_gas_used", "blobGasUsed", COUNT),
    Field("excess_blob_gas", "excessBlobGas", COUNT),
    Field("parent_beacon_root", "parentBeaconBlockRoot", HASH),
    Field("requests_hash", "requestsHash", HASH),
)
BARE = 15
FORMS = {BARE, 16, 17, 20, 21}
"""How many fields a header may have: Frontier, London, Shanghai, Cancun, Prague."""


def blob_price(header: Header) -> int | None:
    """Wei for a unit of blob gas in this block of mainnet (EIP-4844); None before Cancun."""
    if header.excess_blob_gas is None:
        return None
    fraction = next(fraction for since, fraction in BLOB_FEE_FRACTIONS if header.time >= since)
    # e ** (excess / fraction) by its Taylor series in integers, as EIP-4844 defines it to the last digit
    total, term, step = 0, fraction, 1
    while term:
        total += term
        term = term * header.excess_blob_gas // (fraction * step)
        step += 1
    return total // fraction
