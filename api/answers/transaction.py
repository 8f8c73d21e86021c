"""Transactions: class, block, movements, and the links that rest on them."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import numpy as np

from api.answers import text
from api.answers.change import change_of
from api.answers.coinjoin import class_of
from api.answers.naming import asked_for
from api.answers.shapes import Limit
from api.answers.transaction_shapes import BlockName, Credit, Debit, TransactionAnswer, TransactionBody, TransactionLink
from api.answers.view import DatasetView, InvalidParameter
from chain.errors import NotFound
from chain.model import I64, hash_bytes, hash_text
from chain.store.answers import AnswerStore, StoredTransaction
from chain.store.postgres import Connection
from clustering.guards import WORDS, Reason

MOVEMENT_ROWS = 5_000
"""Debits, and credits, of one transaction that an answer lists; a block has room for some 25,000."""

TRANSACTION_LINKS = 1_000
"""Links of one transaction that an answer lists."""


def read_txid(written: str) -> bytes:
    """A txid in internal byte order; InvalidParameter where it is none."""
    try:
        return hash_bytes(written)
    except ValueError:
        raise InvalidParameter("txid", "a txid has 64 hex digits") from None


Stored = tuple[DatasetView, StoredTransaction]


async def stored(connection: Connection, views: Sequence[DatasetView], txid: bytes) -> list[Stored]:
    """What Postgres knows of a txid in each dataset whose columns have it."""
    store = AnswerStore(connection)
    found: list[Stored] = []
    for view in views:
        if int(view.columns.find_txids(np.frombuffer(txid, np.uint8).reshape(1, 32))[0]) < 0:
            continue

        def outputs_of(tx: int, view: DatasetView = view) -> tuple[int, int]:
            first, end = _outputs(view, tx)
            return first, min(end, first + MOVEMENT_ROWS)

        rows = await store.transactions(view.dataset, view.epoch, view.columns.tx_count, txid, outputs_of)
        found += [(view, row) for row in rows]
    return found


def transaction_body(chain: str, views: Sequence[DatasetView], txid: bytes, found: Sequence[Stored]) -> TransactionBody:
    """Every transaction of a txid (two of BIP 30 are both there). NotFound where no dataset has one."""
    if not found:
        names = ", ".join(f"{view.name} ({_reach(view)})" for view in views)
        raise NotFound(f"no such transaction in the datasets that were asked: {names}")
    knowing = {view.name for view, _ in found}
    return {
        "chain": chain,
        "txid": hash_text(txid),
        "asked": [asked_for(view, view.name in knowing) for view in views],
        "answers": [_answer(view, row) for view, row in found],
    }


def _reach(view: DatasetView) -> str:
    as_of = view.as_of(view.now())
    if as_of is None:
        return "empty"
    return "an extract" if as_of["height"] is None else f"as of block {as_of['height']}"


def _outputs(view: DatasetView, tx: int) -> tuple[int, int]:
    first = int(view.columns.tx_first_output[tx])
    return first, first + int(view.columns.tx_output_count[tx])


def _answer(view: DatasetView, row: StoredTransaction) -> TransactionAnswer:
    first, end = _outputs(view, row.tx)
    spends = view.inputs_of(row.tx)
    coinbase = bool(view.columns.tx_coinbase[row.tx])
    fee = text.amount(int(view.columns.tx_fee[row.tx]))
    listed = range(first, min(end, first + MOVEMENT_ROWS))
    paid = [_credit(view, row, output, first) for output in listed]
    if not coinbase:
        paid.append({"n": None, "address": None, "type": "fee", "value": fee, "spent_by": None})
    found = class_of(view, row.tx)
    return {
        **view.frame(view.now(), _limits(len(spends), end - first, len(row.links))),
        "class": found,
        "block": _block(view, row.tx),
        "coinbase": coinbase,
        "input_count": len(spends),
        "output_count": end - first,
        "fee": None if coinbase else fee,
        "movements": [
            {
                "asset": text.ASSET,
                "decimals": text.DECIMALS,
                "debits": _debits(view, spends[:MOVEMENT_ROWS]),
                "credits": paid,
            }
        ],
        "links": [_link(view, link) for link in _standing(view, row)[:TRANSACTION_LINKS]],
        "change": change_of(view, row, mixed=found["name"] in ("coinjoin", "ambiguous")),
    }


def _block(view: DatasetView, tx: int) -> BlockName:
    block = int(view.columns.tx_block[tx])
    return {
        "height": view.height(block),
        "hash": hash_text(view.columns.block_hash[block]),
        "time": text.moment(int(view.columns.block_time[block])),
        "index": int(view.columns.tx_index[tx]),
        "proof": view.proof(block),
    }


def _debits(view: DatasetView, spends: I64) -> list[Debit]:
    debits: list[Debit] = []
    for output in spends.tolist():
        outpoint, outside = view.outpoint(output)
        debits.append(
            {
                "outpoint": outpoint,
                "address": view.output_address(output),
                "type": view.output_type(output),
                "value": text.amount(int(view.columns.output_value[output])),
                "outside": outside,
            }
        )
    return debits


def _credit(view: DatasetView, row: StoredTransaction, output: int, first: int) -> Credit:
    spender = row.spenders.get(output)
    return {
        "n": output - first,
        "address": view.output_address(output),
        "type": view.output_type(output),
        "value": text.amount(int(view.columns.output_value[output])),
        "spent_by": None if spender is None else view.txid(spender),
    }


def _standing(view: DatasetView, row: StoredTransaction) -> list[asyncpg.Record]:
    return [link for link in row.links if view.run is not None and link["from_run"] <= view.run]


def _link(view: DatasetView, link: asyncpg.Record) -> TransactionLink:
    return {
        **text.rule_words(link["rule"]),
        "type": text.link_type(link["rule"]),
        "addresses": [view.address(link["u"]), view.address(link["v"])],
        "status": text.link_status(link["status"]),
        "reason": WORDS.get(Reason(link["reason"])),
    }


def _limits(inputs: int, outputs: int, links: int) -> list[Limit]:
    limits: list[Limit] = []
    for what, count, bound in (
        ("debits", inputs, MOVEMENT_ROWS),
        ("credits", outputs, MOVEMENT_ROWS),
        ("links", links, TRANSACTION_LINKS),
    ):
        if count > bound:
            limits.append({"limit": what, "value": bound, "detail": f"{count} {what}; the first {bound} are listed"})
    return limits
