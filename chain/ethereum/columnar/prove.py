"""Blocks of JSON proved many at once: twin of `block_from_json` and `verify_block` for transactions and header.

Each value of the header, each transaction and withdrawal is decoded into columns, encoded again and hashed by kernels;
what is proved comes out as the same `Block` objects that the strict reader makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chain.ethereum.block import Block, Withdrawal
from chain.ethereum.columnar.decode import BlockColumns, Columns, decode_blocks, header_forms
from chain.ethereum.columnar.encode import NO_TYPE, encode_rows, numbers, octets
from chain.ethereum.columnar.roots import ordered_roots
from chain.ethereum.columnar.scan import OtherForm
from chain.ethereum.columnar.transactions import Transactions, prove_transactions
from chain.ethereum.fields import COUNT_BITS
from chain.ethereum.header import FIELDS, NO_UNCLES, Header
from chain.ethereum.transactions import Access, Authorization, Transaction
from chain.model import I64, U8
from chain.uint256 import to_ints

_COUNTS = ("number", "gasLimit", "gasUsed", "timestamp", "blobGasUsed", "excessBlobGas")


def prove_blocks(bodies: Sequence[bytes], chain_id: int) -> list[Block]:
    """The blocks of `eth_getBlockByNumber(…, true)`, without receipts, proved.

    `size` is not looked at. OtherForm where a block is not of the form that nodes write or a check fails: what it is
    then, `block_from_json` and `verify_block` tell.
    """
    blocks = decode_blocks(bodies)
    headers = _headers(blocks.headers)
    hashes = blocks.headers.octets["hash"]
    if any(header.hash != row.tobytes() for header, row in zip(headers, hashes, strict=True)):
        raise OtherForm
    txs = prove_transactions(blocks, chain_id)
    if (
        ordered_roots(txs.raw, _delimits(blocks.txs.parent, len(headers))) != blocks.headers.octets["transactionsRoot"]
    ).any():
        raise OtherForm
    _check_withdrawals(blocks)
    return _blocks(blocks, headers, txs)


def _headers(columns: Columns) -> list[Header]:
    counts = header_forms(columns)
    for name in _COUNTS:
        if (columns.numbers[name] >> np.uint64(COUNT_BITS)).any():
            raise OtherForm
    values: dict[str, list[Any]] = {name: each[:, 0].tolist() for name, each in columns.numbers.items()}
    values |= {name: [row.tobytes() for row in each] for name, each in columns.octets.items()}
    values |= {name: each.rows() for name, each in columns.ragged.items()}
    return [
        Header(**{field.name: values[field.json][row] for field in FIELDS[:count]})
        for row, count in enumerate(counts.tolist())
    ]


def _delimits(parent: I64, count: int) -> I64:
    """[count + 1] where the children of each parent begin and end."""
    return np.concatenate(([0], np.cumsum(np.bincount(parent, minlength=count)))).astype(np.int64)


def _check_withdrawals(blocks: BlockColumns) -> None:
    heads, each = blocks.headers, blocks.withdrawals
    if (blocks.has_withdrawals != heads.has("withdrawalsRoot")).any():
        raise OtherForm
    for values in each.numbers.values():
        if (values >> np.uint64(COUNT_BITS)).any():
            raise OtherForm
    columns = [
        numbers(each.numbers["index"]), numbers(each.numbers["validatorIndex"]), octets(each.octets["address"]),
        numbers(each.numbers["amount"]),
    ]  # fmt: skip
    rows = encode_rows(columns, [range(4)], np.zeros(len(each), np.int64), np.full(len(each), NO_TYPE, np.int64))
    roots = ordered_roots(rows, _delimits(each.parent, len(heads)))
    if (roots != heads.octets["withdrawalsRoot"])[blocks.has_withdrawals].any():
        raise OtherForm


def _blocks(blocks: BlockColumns, headers: list[Header], txs: Transactions) -> list[Block]:
    first = _delimits(blocks.txs.parent, len(headers)).tolist()
    uncles = _delimits(blocks.uncle_parent, len(headers)).tolist()
    paid = _delimits(blocks.withdrawals.parent, len(headers)).tolist()
    named = blocks.uncles.rows()
    listed, withdrawals = _transactions(blocks, txs), _withdrawals(blocks.withdrawals)
    found = []
    for row, header in enumerate(headers):
        hashes = tuple(named[uncles[row] : uncles[row + 1]])
        if bool(hashes) == (header.uncles_hash == NO_UNCLES):
            raise OtherForm
        own = tuple(withdrawals[paid[row] : paid[row + 1]]) if blocks.has_withdrawals[row] else None
        found.append(
            Block(
                header, blocks.headers.octets["hash"][row].tobytes(), tuple(listed[first[row] : first[row + 1]]), None,
                own, None if hashes else (), hashes,
            )
        )  # fmt: skip
    return found


def _withdrawals(each: Columns) -> list[Withdrawal]:
    names = ("index", "validatorIndex", "amount")
    numbered = [each.numbers[name][:, 0].tolist() for name in names]
    addresses = _bytes(each.octets["address"])
    return [
        Withdrawal(index, validator, address, amount)
        for index, validator, amount, address in zip(*numbered, addresses, strict=True)
    ]


def _bytes(matrix: U8) -> list[bytes]:
    raw, width = matrix.tobytes(), matrix.shape[1]
    return [raw[at : at + width] for at in range(0, len(raw), width)]


def _transactions(blocks: BlockColumns, txs: Transactions) -> list[Transaction]:
    """The objects, whose bytes, hash and sender are at hand."""
    columns = blocks.txs
    number = {name: values[:, 0].tolist() for name, values in columns.numbers.items() if values.shape[1] == 1}
    wide = {name: to_ints(columns.numbers[name]) for name in ("value", "r", "s")}
    to, has_to = _bytes(columns.octets["to"]), columns.has("to").tolist()
    data = columns.ragged["input"].rows()
    raw, ends = txs.raw.flat.tobytes(), (txs.raw.starts + txs.raw.sizes).tolist()
    starts, hashes, senders = txs.raw.starts.tolist(), _bytes(txs.hash), _bytes(txs.sender)
    protected, chain, parity = txs.protected.tolist(), txs.chain_id.tolist(), txs.parity.tolist()
    lists = _lists_of(blocks)
    found = []
    for row, kind in enumerate(txs.type.tolist()):
        accesses, blobs, agreed = (each.get(row, ()) for each in lists)
        found.append(
            Transaction.proved(
                raw[starts[row] : ends[row]],
                hashes[row],
                senders[row],
                type=kind,
                nonce=number["nonce"][row],
                gas=number["gas"][row],
                to=to[row] if has_to[row] else None,
                value=wide["value"][row],
                data=data[row],
                v=number["v"][row] if kind == 0 else parity[row],
                r=wide["r"][row],
                s=wide["s"][row],
                chain_id=chain[row] if protected[row] else None,
                gas_price=number["gasPrice"][row] if kind < 2 else None,
                max_priority_fee=number["maxPriorityFeePerGas"][row] if kind >= 2 else None,
                max_fee=number["maxFeePerGas"][row] if kind >= 2 else None,
                access_list=accesses if kind else (),
                max_blob_fee=number["maxFeePerBlobGas"][row] if kind == 3 else None,
                blob_hashes=blobs if kind == 3 else (),
                authorizations=agreed if kind == 4 else (),
            )
        )
    return found


def _lists_of(blocks: BlockColumns) -> tuple[dict[int, Any], dict[int, Any], dict[int, Any]]:
    """The access list, blob hashes and authorizations of the transactions that have such."""
    slots: dict[int, tuple[bytes, ...]] = _grouped(blocks.slot_parent, blocks.slots.rows())
    addresses = _bytes(blocks.accesses.octets["address"])
    accesses = [Access(address, slots.get(row, ())) for row, address in enumerate(addresses)]
    each = blocks.authorizations
    columns = [each.numbers[name][:, 0].tolist() for name in ("chainId", "nonce", "yParity")]
    columns += [_bytes(each.octets["address"]), to_ints(each.numbers["r"]), to_ints(each.numbers["s"])]
    agreed = [
        Authorization(chain, address, nonce, parity, r, s)
        for chain, nonce, parity, address, r, s in zip(*columns, strict=True)
    ]
    return (
        _grouped(blocks.accesses.parent, accesses),
        _grouped(blocks.blob_parent, blocks.blobs.rows()),
        _grouped(each.parent, agreed),
    )


def _grouped(parent: I64, values: Sequence[Any]) -> dict[int, tuple[Any, ...]]:
    found: dict[int, list[Any]] = {}
    for owner, value in zip(parent.tolist(), values, strict=True):
        found.setdefault(owner, []).append(value)
    return {owner: tuple(each) for owner, each in found.items()}
