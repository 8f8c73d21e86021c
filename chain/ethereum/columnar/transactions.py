"""Transactions of many blocks as columns: their bytes, hashes and senders, and what their JSON said beside.

Twin of chain/ethereum/transactions.py and of the checks of transactions in chain/ethereum/verify.py. Whatever is not
as it must be is OtherForm: the strict reader names it, or takes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chain.ethereum.columnar.decode import BlockColumns, Columns, Ragged
from chain.ethereum.columnar.encode import NO_TYPE, Item, Rows, encode_rows, hash_strings, nested, numbers, octets
from chain.ethereum.columnar.scan import ABSENT, OtherForm
from chain.ethereum.fields import COUNT_BITS, MaybeBytes
from chain.ethereum.keccak import keccak_each, keccak_many
from chain.ethereum.signatures import public_key
from chain.ethereum.transactions import FORMS, LEGACY, SET_CODE
from chain.model import I64, U8
from chain.uint256 import U64, to_ints

Mask = npt.NDArray[np.bool_]

PROTECTED = SET_CODE + 1
"""The form of a legacy transaction whose signature holds a chain id (EIP-155)."""

_PROTECTED_V = 35
_FIRST_V = 27
_SIGNATURE = 3
"""Fields of a signature, the last ones of every form."""


@dataclass(frozen=True, slots=True)
class Transactions:
    """T transactions of B blocks, proved to be what their blocks' roots commit to once `roots` are compared."""

    columns: Columns
    type: I64
    protected: Mask
    """Whether a chain id is part of it."""
    chain_id: U64
    """[T] Means something where `protected`."""
    parity: U64
    raw: Rows
    hash: U8
    sender: U8


def prove_transactions(blocks: BlockColumns, chain_id: int) -> Transactions:
    """Bytes, hashes and senders of all transactions, each check of one by itself done."""
    txs = blocks.txs
    kind = txs.numbers["type"][:, 0].astype(np.int64)
    _refuse((kind < LEGACY) | (kind > SET_CODE))
    _refuse_missing(txs, kind)
    legacy = kind == LEGACY
    v = txs.numbers["v"][:, 0]
    protected = ~legacy | (v >= _PROTECTED_V)
    chain = np.where(legacy, (v - np.uint64(_PROTECTED_V)) // np.uint64(2), txs.numbers["chainId"][:, 0])
    parity = np.where(
        legacy,
        np.where(protected, (v - np.uint64(_PROTECTED_V)) % np.uint64(2), v - np.uint64(_FIRST_V)),
        np.where(txs.has("yParity"), txs.numbers["yParity"][:, 0], v),
    )
    _refuse(parity > 1)
    _refuse(protected & (chain != chain_id))
    _check_numbers(blocks, legacy, protected, chain, parity)
    raw, unsigned = _encoded(blocks, kind, protected, chain, parity)
    digests = keccak_many(raw.flat, raw.starts, raw.sizes)
    _refuse((digests != txs.octets["hash"]).any(axis=1))
    signed = keccak_many(unsigned.flat, unsigned.starts, unsigned.sizes)
    sender = _senders(signed, parity, txs.numbers["r"], txs.numbers["s"])
    _refuse((sender != txs.octets["from"]).any(axis=1))
    return Transactions(txs, kind, protected, chain, parity, raw, digests, sender)


def _refuse(bad: Mask) -> None:
    if bad.any():
        raise OtherForm


def _refuse_missing(txs: Columns, kind: I64) -> None:
    """Each transaction has the fields of its form, and those that every one is told with."""
    for name in ("hash", "from", "blockHash", "blockNumber", "transactionIndex", "input"):
        _refuse(~txs.has(name))
    for form, fields in FORMS.items():
        mine = kind == form
        for field in fields:
            if isinstance(field.kind, MaybeBytes):
                _refuse(mine & (txs.spans.of(field.json)[0] == ABSENT))  # null creates a contract
            elif field.json == "yParity":
                _refuse(mine & ~txs.has("yParity") & ~txs.has("v"))
            else:
                _refuse(mine & ~txs.has(field.json))


def _check_numbers(blocks: BlockColumns, legacy: Mask, protected: Mask, chain: U64, parity: U64) -> None:
    """What is stated of a transaction beside its own fields, and numbers that the strict reader bounds lower."""
    txs, heads = blocks.txs, blocks.headers
    number = {name: values[:, 0] for name, values in txs.numbers.items()}
    _refuse(number["gas"] >> np.uint64(COUNT_BITS) > 0)
    _refuse((txs.octets["blockHash"] != heads.octets["hash"][txs.parent]).any(axis=1))
    _refuse(number["blockNumber"] != heads.numbers["number"][txs.parent, 0])
    held = np.bincount(txs.parent, minlength=len(heads))
    place = np.arange(len(txs)) - np.repeat(np.cumsum(held) - held, held)
    _refuse(number["transactionIndex"] != place.astype(np.uint64))
    _refuse(txs.has("blockTimestamp") & (number["blockTimestamp"] != heads.numbers["timestamp"][txs.parent, 0]))
    _refuse(txs.has("chainId") & (~protected | (number["chainId"] != chain)))
    _refuse(txs.has("v") & ~legacy & (number["v"] != parity))
    _refuse(txs.has("yParity") & (number["yParity"] != parity))
    _refuse(txs.has("gasPrice") & (number["gasPrice"] != effective_prices(blocks)))


def effective_prices(blocks: BlockColumns) -> U64:
    """[T] Wei paid for a unit of gas. OtherForm where a sum of fees passes 64 bits."""
    txs = blocks.txs
    number = {name: txs.numbers[name][:, 0] for name in ("type", "gasPrice", "maxFeePerGas", "maxPriorityFeePerGas")}
    base = blocks.headers.numbers["baseFeePerGas"][txs.parent, 0]
    offered = base + number["maxPriorityFeePerGas"]
    _refuse(offered < base)
    priced: U64 = np.where(number["type"] < 2, number["gasPrice"], np.minimum(number["maxFeePerGas"], offered))
    return priced


def _encoded(blocks: BlockColumns, kind: I64, protected: Mask, chain: U64, parity: U64) -> tuple[Rows, Rows]:
    """The bytes that each hash is over, and those that each signature is over."""
    txs, count = blocks.txs, len(blocks.txs)
    items: dict[str, Item] = {
        name: numbers(values) for name, values in txs.numbers.items() if name not in ("yParity", "chainId")
    }
    items |= {
        "yParity": numbers(parity.reshape(-1, 1)),
        "chainId": numbers(np.ascontiguousarray(chain).reshape(-1, 1)),
        "to": octets(txs.octets["to"], txs.has("to")),
        "input": _ragged(txs.ragged["input"]),
        "accessList": _accesses(blocks),
        "blobVersionedHashes": Item(nested(hash_strings(blocks.blobs.flat), blocks.blob_parent, count), encoded=True),
        "authorizationList": _authorizations(blocks),
        "nothing": Item(Rows(np.empty(0, np.uint8), np.zeros(count, np.int64), np.zeros(count, np.int64))),
    }
    place = {name: at for at, name in enumerate(items)}
    whole = [[place[field.json] for field in FORMS[form]] for form in sorted(FORMS)]
    whole.append(whole[LEGACY])
    bare = [form[:-_SIGNATURE] for form in whole]
    bare[PROTECTED] = [*bare[PROTECTED], place["chainId"], place["nothing"], place["nothing"]]
    form = np.where((kind == LEGACY) & protected, PROTECTED, kind)
    types = np.where(kind == LEGACY, NO_TYPE, kind)
    columns = list(items.values())
    return encode_rows(columns, whole, form, types), encode_rows(columns, bare, form, types)


def _ragged(rows: Ragged) -> Item:
    return Item(Rows(rows.flat, rows.starts, rows.sizes))


def _accesses(blocks: BlockColumns) -> Item:
    """The access list of each transaction, encoded."""
    each = blocks.accesses
    slots = nested(hash_strings(blocks.slots.flat), blocks.slot_parent, len(each))
    columns = [octets(each.octets["address"]), Item(slots, encoded=True)]
    return Item(nested(_lists(columns, len(each)), each.parent, len(blocks.txs)), encoded=True)


def _authorizations(blocks: BlockColumns) -> Item:
    each = blocks.authorizations
    _refuse(each.numbers["yParity"][:, 0] >> np.uint64(8) > 0)
    names = ("chainId", "address", "nonce", "yParity", "r", "s")
    columns = [octets(each.octets[name]) if name == "address" else numbers(each.numbers[name]) for name in names]
    return Item(nested(_lists(columns, len(each)), each.parent, len(blocks.txs)), encoded=True)


def _lists(columns: list[Item], rows: int) -> Rows:
    return encode_rows(columns, [range(len(columns))], np.zeros(rows, np.int64), np.full(rows, NO_TYPE, np.int64))


def _senders(digests: U8, parity: U64, r: U64, s: U64) -> U8:
    """[T, 20] who signed; OtherForm where a signature is none."""
    facts: Any = zip([row.tobytes() for row in digests], parity.tolist(), to_ints(r), to_ints(s), strict=True)
    keys = [public_key(*each) for each in facts]
    if None in keys:
        raise OtherForm
    if not keys:
        return np.empty((0, 20), np.uint8)
    return keccak_each([key for key in keys if key is not None])[:, 12:]
