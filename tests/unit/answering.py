"""What tests of answers share: an extract with gaps, checks of shape, addresses by name."""

from __future__ import annotations

import re
from typing import Any

import orjson
from pydantic import TypeAdapter

from api.answers.transaction import Stored, read_txid, transaction_body
from api.answers.transaction_shapes import TransactionBody
from api.answers.view import DatasetView
from chain.bitcoin import address as codec
from chain.bitcoin.network import MAINNET, REGTEST
from chain.model import AddressKind
from chain.store.answers import StoredTransaction
from clustering.simulate.sample import Sample
from tests.unit.views import named, row

BANNED = re.compile(r"\b(owners?|criminals?|stolen|clean|verdicts?)\b", re.IGNORECASE)
"""EVIDENCE 18."""

A, B, C = (codec.encode(bytes([AddressKind.WITNESS_KEY_HASH]) + bytes([number]) * 20, MAINNET) for number in (1, 2, 3))

Body = Any


def output(address: str | None, value: int | None) -> dict[str, Any]:
    """An output of a bitcoin-etl row; without an address it is an OP_RETURN."""
    if address is None:
        return {"value": value, "addresses": [], "type": "nulldata"}
    return {"value": value, "addresses": [address], "type": "witness_v0_keyhash"}


def spend(number: int, index: int, said: dict[str, Any] | None = None) -> dict[str, Any]:
    """An input that spends an output of transaction `number`; `said`: what its row says of that output."""
    return {"spent_transaction_hash": named("tx", number), "spent_output_index": index, **(said or {})}


SWEEP = 30
"""Height of the sample's block in which the sale spends its deposits together."""

ROWS = [
    row(1, [spend(100, 0, output(A, 700)), spend(100, 1, output(B, 400))], [output(C, 1_000), output(None, 0)]),
    row(2, [spend(1, 0), spend(101, 3)], [output(A, 900), output(A, 50)]),
    row(3, [spend(2, 1)], [output(B, 40)], block_number=None),
    {**row(4, [], [output(C, 5_000)], is_coinbase=True, index=0), "hash": named("twice")},
    {**row(5, [], [output(C, 5_000)], is_coinbase=True, index=0), "hash": named("twice")},
]
"""Transaction 2 spends an output of which nothing is stated; one txid is there twice (BIP 30)."""


def key(sample: Sample, wallet: str, number: int) -> str:
    return codec.encode(sample.wallet(wallet).keys[number], REGTEST)


def has_shape(body: Body, shape: Any) -> Body:
    """A body is exactly of its shape: no field more, none of another type; no word that must not be there."""
    plain = orjson.loads(orjson.dumps(body))
    assert TypeAdapter(shape).validate_python(plain, strict=True) == plain
    assert not BANNED.search(orjson.dumps(body).decode())
    return plain


def stored(view: DatasetView, txid: str) -> list[Stored]:
    """What the database would say of a txid: every transaction of it, and who spends its outputs."""
    columns = view.columns
    spender = columns.spender()
    found: list[Stored] = []
    for tx in range(columns.tx_count):
        if view.txid(tx) == txid:
            first = int(columns.tx_first_output[tx])
            outputs = range(first, first + int(columns.tx_output_count[tx]))
            by = {place: int(spender[place]) for place in outputs if spender[place] >= 0}
            found.append((view, StoredTransaction(tx, by, [])))
    return found


def transaction(view: DatasetView, txid: str) -> list[Body]:
    body = transaction_body("btc", [view], read_txid(txid), stored(view, txid))
    answers: list[Body] = has_shape(body, TransactionBody)["answers"]
    return answers


# Words and amounts
