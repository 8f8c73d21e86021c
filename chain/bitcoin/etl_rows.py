"""One line of bitcoin-etl's transactions file, checked and turned into what the columns hold.

Known forms: bitcoin-etl's own (plain: inputs name the output they spend and nothing of it;
enriched: also value, addresses and type) and a shorter vocabulary of script types (`p2pkh`,
`op_return`, `other`). The schema is that of blockchain-etl/bitcoin-etl, README, transactions.json.

`script_hex` of an output is its script and decides type and address. Of an input it is the
*unlocking* script in bitcoin-etl, so it says nothing of the output spent and is not read, but for
the shorter vocabulary's `other`, where it is the script of that output.
A bare multisig output without its script keeps its type and has no address: its addresses are
those of co-signers, and the key of a multisig is the hash of its script.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec

from chain.bitcoin import address, script
from chain.bitcoin.network import MAX_MONEY, Network
from chain.errors import AddressError, MalformedData
from chain.model import UNKNOWN, AddressKind, OutputType, hash_bytes

Amount = Annotated[int, msgspec.Meta(ge=0, le=MAX_MONEY)]
Height = Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]
Index = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
Word = Annotated[int, msgspec.Meta(ge=-(1 << 31), lt=1 << 32)]
"""A 32-bit field, as a signed or an unsigned number."""

MAX_TIME = (1 << 32) - 1
"""A header's time is an unsigned 32-bit number of seconds."""

CACHE_ENTRIES = 1 << 20
"""Decoded address texts that are kept; the cache is emptied when it is full."""

NO_HASH = "0" * 64

TYPE_NAMES: dict[str, OutputType] = {
    "pubkey": OutputType.P2PK,
    "p2pk": OutputType.P2PK,
    "pubkeyhash": OutputType.P2PKH,
    "p2pkh": OutputType.P2PKH,
    "multisig": OutputType.MULTISIG,
    "p2ms": OutputType.MULTISIG,
    "scripthash": OutputType.P2SH,
    "p2sh": OutputType.P2SH,
    "witness_v0_keyhash": OutputType.P2WPKH,
    "p2wpkh": OutputType.P2WPKH,
    "witness_v0_scripthash": OutputType.P2WSH,
    "p2wsh": OutputType.P2WSH,
    "witness_v1_taproot": OutputType.P2TR,
    "p2tr": OutputType.P2TR,
    "witness_unknown": OutputType.WITNESS_UNKNOWN,
    "anchor": OutputType.WITNESS_UNKNOWN,
    "nulldata": OutputType.OP_RETURN,
    "op_return": OutputType.OP_RETURN,
    "nonstandard": OutputType.NONSTANDARD,
    "other": OutputType.NONSTANDARD,
}
"""Bitcoin Core's names of script types (rpc `decodescript`), and the shorter ones."""

PSEUDO_ADDRESS = "nonstandard"
"""bitcoin-etl names an output without an address `nonstandard` and a part of its script's hash."""

SPENT_SCRIPT_TYPE = "other"

KIND_OF: dict[OutputType, AddressKind] = {
    OutputType.P2PK: AddressKind.PUBKEY_HASH,
    OutputType.P2PKH: AddressKind.PUBKEY_HASH,
    OutputType.P2SH: AddressKind.SCRIPT_HASH,
    OutputType.P2WPKH: AddressKind.WITNESS_KEY_HASH,
    OutputType.P2WSH: AddressKind.WITNESS_SCRIPT_HASH,
    OutputType.P2TR: AddressKind.TAPROOT,
    OutputType.WITNESS_UNKNOWN: AddressKind.WITNESS_UNKNOWN,
}

TYPE_OF: dict[AddressKind, OutputType] = {
    AddressKind.SCRIPT_HASH: OutputType.P2SH,
    AddressKind.WITNESS_KEY_HASH: OutputType.P2WPKH,
    AddressKind.WITNESS_SCRIPT_HASH: OutputType.P2WSH,
    AddressKind.TAPROOT: OutputType.P2TR,
    AddressKind.WITNESS_UNKNOWN: OutputType.WITNESS_UNKNOWN,
}
"""What an address alone proves; a PUBKEY_HASH may have been a P2PK output."""


class OutputText(msgspec.Struct):
    value: Amount
    index: Index | None = None
    addresses: list[str] | None = None
    type: str | None = None
    script_hex: str | None = None


class InputText(msgspec.Struct):
    spent_transaction_hash: str | None = None
    spent_output_index: Index | None = None
    index: Index | None = None
    sequence: Word | None = None
    value: Amount | None = None
    addresses: list[str] | None = None
    type: str | None = None
    script_hex: str | None = None


class TransactionText(msgspec.Struct):
    block_hash: str
    block_timestamp: int | str
    inputs: list[InputText]
    outputs: list[OutputText]
    hash: str | None = None
    transaction_hash: str | None = None
    block_number: Height | None = None
    index: Index | None = None
    is_coinbase: bool | None = None
    version: Word | None = None
    lock_time: Index | None = None


_Item = TypeVar("_Item", InputText, OutputText)


@dataclass(frozen=True, slots=True)
class Holding:
    """What is said of one output: amount, form and address key (empty: none)."""

    value: int
    type: OutputType
    key: bytes


@dataclass(frozen=True, slots=True)
class Spend:
    """One input and what is said of the output that it spends."""

    txid: bytes
    index: int
    sequence: int
    prevout: Holding


@dataclass(frozen=True, slots=True)
class Row:
    """One transaction. What the line leaves out is UNKNOWN; hashes are in internal byte order."""

    txid: bytes
    block_hash: bytes
    height: int
    time: int
    index: int
    coinbase: bool
    version: int
    lock_time: int
    inputs: list[Spend]
    outputs: list[Holding]


class RowReader:
    """Decodes lines for one network; addresses and scripts seen before are looked up."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._decoder = msgspec.json.Decoder(TransactionText)
        self._keys: dict[str, bytes] = {}

    def read(self, line: bytes) -> Row:
        """The row that `line` states; MalformedData names the field and what is wrong with it."""
        try:
            text = self._decoder.decode(line)
        except msgspec.ValidationError as error:
            raise MalformedData(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedData(f"not JSON: {error}") from error
        inputs, coinbase = self._inputs(text)
        outputs = [
            self._holding(f"outputs[{n}]", output.value, output.type, output.addresses, output.script_hex)
            for n, output in enumerate(_in_order("outputs", text.outputs))
        ]
        if sum(output.value for output in outputs) > MAX_MONEY:
            raise MalformedData(f"outputs: their sum is over {MAX_MONEY} satoshi")
        return Row(
            txid=_hash("hash", text.hash or text.transaction_hash),
            block_hash=_hash("block_hash", text.block_hash),
            height=_or_unknown(text.block_number),
            time=_seconds(text.block_timestamp),
            index=_or_unknown(text.index),
            coinbase=coinbase,
            version=_or_unknown(text.version),
            lock_time=_or_unknown(text.lock_time),
            inputs=inputs,
            outputs=outputs,
        )

    def _inputs(self, text: TransactionText) -> tuple[list[Spend], bool]:
        """The inputs that spend something, and whether this is a coinbase transaction."""
        spending = [spend for spend in text.inputs if spend.spent_transaction_hash not in (None, "", NO_HASH)]
        coinbase = not spending if text.is_coinbase is None else text.is_coinbase
        if coinbase and spending:
            raise MalformedData("inputs: a coinbase transaction spends no output")
        if not coinbase and (not spending or len(spending) != len(text.inputs)):
            raise MalformedData("inputs: none, or one without spent_transaction_hash, and not coinbase")
        return [self._spend(n, spend) for n, spend in enumerate(_in_order("inputs", spending))], coinbase

    def _spend(self, n: int, text: InputText) -> Spend:
        place = f"inputs[{n}]"
        if text.spent_output_index is None:
            raise MalformedData(f"{place}.spent_output_index: missing")
        spent_script = text.script_hex if text.type == SPENT_SCRIPT_TYPE else None
        return Spend(
            txid=_hash(f"{place}.spent_transaction_hash", text.spent_transaction_hash),
            index=text.spent_output_index,
            sequence=_or_unknown(text.sequence),
            prevout=self._holding(place, _or_unknown(text.value), text.type, text.addresses, spent_script),
        )

    def _holding(
        self,
        place: str,
        value: int,
        type_name: str | None,
        addresses: list[str] | None,
        script_hex: str | None,
    ) -> Holding:
        key = self._key(place, type_name, addresses or [])
        if script_hex is None:
            return Holding(value, _stated_type(place, type_name, key), key)
        try:
            kind, script_key = script.classify(binascii.unhexlify(script_hex))
        except (binascii.Error, ValueError) as error:
            raise MalformedData(f"{place}.script_hex: not hex: {error}") from error
        if key and script_key and key != script_key:
            raise MalformedData(f"{place}.addresses: not the address of its script")
        return Holding(value, kind, script_key)

    def _key(self, place: str, type_name: str | None, addresses: list[str]) -> bytes:
        """The key of the one address stated, empty where there is none or the key of none."""
        texts = [text for text in addresses if not text.startswith(PSEUDO_ADDRESS)]
        if type_name is not None and TYPE_NAMES.get(type_name) is OutputType.MULTISIG:
            return b""
        if len(texts) > 1:
            raise MalformedData(f"{place}.addresses: {len(texts)} addresses, and not a multisig")
        if not texts:
            return b""
        key = self._keys.get(texts[0])
        if key is None:
            try:
                key = address.decode(texts[0], self._network)
            except AddressError as error:
                raise MalformedData(f"{place}.addresses: {error}") from error
            if len(self._keys) >= CACHE_ENTRIES:
                self._keys.clear()
            self._keys[texts[0]] = key
        return key


def _stated_type(place: str, name: str | None, key: bytes) -> OutputType:
    """The type that a row without a script states, checked against its address."""
    if name is None:
        return TYPE_OF.get(AddressKind(key[0]), OutputType.UNSTATED) if key else OutputType.UNSTATED
    kind = TYPE_NAMES.get(name)
    if kind is None:
        raise MalformedData(f"{place}.type: unknown type {name[:40]!r}")
    if not key:
        return kind
    if kind is OutputType.NONSTANDARD:
        return OutputType.UNSTATED
    if KIND_OF.get(kind) is not AddressKind(key[0]):
        raise MalformedData(f"{place}.addresses: an address of kind {AddressKind(key[0]).name}, type {name}")
    return kind


def _in_order(name: str, items: list[_Item]) -> list[_Item]:
    """`items` by their index, which counts from 0; as they stand where they have none."""
    if all(item.index is None for item in items):
        return items
    ordered = sorted(items, key=lambda item: -1 if item.index is None else item.index)
    for place, item in enumerate(ordered):
        if item.index != place:
            raise MalformedData(f"{name}: index {place} is missing, there is {item.index}")
    return ordered


def _hash(name: str, text: str | None) -> bytes:
    if text is None:
        raise MalformedData(f"{name}: missing")
    try:
        return hash_bytes(text)
    except ValueError as error:
        raise MalformedData(f"{name}: {error}") from error


def _seconds(value: int | str) -> int:
    """Unix seconds of a number or of an ISO 8601 text (UTC where it names no zone)."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.removesuffix(" UTC"))
        except ValueError as error:
            raise MalformedData(f"block_timestamp: {error}") from error
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
        value = since.days * 86_400 + since.seconds
    if not 0 <= value <= MAX_TIME:
        raise MalformedData(f"block_timestamp: {value} is no time of a block")
    return value


def _or_unknown(value: int | None) -> int:
    return UNKNOWN if value is None else value
