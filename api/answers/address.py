"""Addresses: facts, cluster, transactions, and many of them at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from api.answers import text
from api.answers.address_facts import address_facts, amounts_of
from api.answers.address_shapes import (
    AddressAnswer,
    AddressBody,
    AddressTransaction,
    AddressTransactionsBody,
    LookupBody,
    LookupRow,
    LookupRowAnswer,
)
from api.answers.cluster import cluster_at, cluster_name, describe
from api.answers.naming import Holder, Named, check_level, name_address
from api.answers.pages import CursorExpired, Page, Place, walk
from api.answers.view import DatasetView
from chain.activity import Entry, Facts
from chain.errors import AddressError, LimitExceeded
from chain.model import hash_bytes, hash_text

LOOKUP_ADDRESSES = 1_000
"""Addresses of one lookup."""


def address_body(
    chain: str,
    views: Sequence[DatasetView],
    written: str,
    height: int | None = None,
    level: str | None = None,
) -> AddressBody:
    """Facts and cluster of an address in every dataset that knows it, as of a height or now."""
    check_level(level)
    named = name_address(views, written, height)
    return {
        "chain": chain,
        "address": named.address,
        "kind": named.kind,
        "observed": bool(named.knowing),
        "asked": named.asked,
        "answers": [_answer(holder) for holder in named.knowing],
        "labels": None,
        "company_links": None,
    }


def _facts(holder: Holder) -> Facts:
    facts = holder.view.columns.activity.facts(holder.address, holder.moment.txs)
    assert facts is not None, "a holder that knows an address has a transaction of it"
    return facts


def _answer(holder: Holder) -> AddressAnswer:
    found = cluster_at(holder.view, holder.address, holder.moment)
    facts = address_facts(holder.view, _facts(holder))
    if isinstance(found, str):
        return {**holder.view.frame(holder.moment), "facts": facts, "cluster": None, "cluster_note": found}
    cluster, limits = describe(found)
    frame = holder.view.frame(holder.moment, limits)
    return {**frame, "facts": facts, "cluster": cluster, "cluster_note": None}


def transactions_page(
    chain: str, views: Sequence[DatasetView], written: str, start: Place | None, limit: int
) -> tuple[AddressTransactionsBody, Place | None]:
    """Transactions of an address, the newest first, one dataset after another."""
    named = name_address(views, written)
    holders = {holder.view.name: holder for holder in named.knowing}

    def fetch(view: DatasetView, after: list[str] | None, count: int) -> Page[AddressTransaction]:
        holder = holders[view.name]
        before = holder.moment.txs if after is None else _tx_named(view, after)
        entries = view.columns.activity.entries(holder.address, count + 1, before)
        all_stated = not _facts(holder).unknown_count
        items = [_entry(view, holder.address, entry, all_stated) for entry in entries[:count]]
        return Page(items, _tx_name(view, entries[count - 1].tx) if len(entries) > count else None)

    pages, place = walk([holder.view for holder in named.knowing], start, limit, fetch)
    body: AddressTransactionsBody = {
        "chain": chain,
        "address": named.address,
        "observed": bool(named.knowing),
        "asked": named.asked,
        "answers": [
            {**view.frame(view.now()), "asset": text.ASSET, "decimals": text.DECIMALS, "items": items}
            for view, items in pages
        ],
        "next": None,
    }
    return body, place


def _tx_name(view: DatasetView, tx: int) -> list[str]:
    """Txid and block hash: two transactions may have one txid (BIP 30), in different blocks."""
    return [view.txid(tx), hash_text(view.columns.block_hash[int(view.columns.tx_block[tx])])]


def _tx_named(view: DatasetView, name: list[str]) -> int:
    columns = view.columns
    tx = int(columns.find_txids(_row(name[0]))[0])
    if tx >= 0 and _tx_name(view, tx) == name:
        return tx
    for block in np.flatnonzero((columns.block_hash == _row(name[1])).all(axis=1)).tolist():
        first = int(columns.block_first_tx[block])
        end = view.columns.tx_count
        if block + 1 < len(columns.block_first_tx):
            end = int(columns.block_first_tx[block + 1])
        for place in np.flatnonzero((columns.tx_txid[first:end] == _row(name[0])).all(axis=1)).tolist():
            return first + int(place)
    raise CursorExpired


def _row(digest: str) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.frombuffer(hash_bytes(digest), np.uint8).reshape(1, 32)


def _entry(view: DatasetView, address: int, entry: Entry, all_stated: bool) -> AddressTransaction:
    """Null is a side of which some value is not stated: a sum of the others would pass for the whole."""
    received, spent = str(entry.received), str(entry.spent)
    gives = takes = False
    if not all_stated:
        first = int(view.columns.tx_first_output[entry.tx])
        made = np.arange(first, first + int(view.columns.tx_output_count[entry.tx]))
        gives = _has_unstated(view, address, made)
        takes = _has_unstated(view, address, view.inputs_of(entry.tx))
    return {
        **view.seen(entry.tx),
        "received": None if gives else received,
        "spent": None if takes else spent,
    }


def _has_unstated(view: DatasetView, address: int, outputs: np.ndarray[tuple[int], np.dtype[np.int64]]) -> bool:
    columns = view.columns
    return bool(((columns.output_address[outputs] == address) & (columns.output_value[outputs] < 0)).any())


def lookup_body(chain: str, views: Sequence[DatasetView], addresses: Sequence[str]) -> LookupBody:
    """Up to `LOOKUP_ADDRESSES` addresses, each row by itself: a bad one does not fail the others."""
    if len(addresses) > LOOKUP_ADDRESSES:
        raise LimitExceeded(f"a lookup has at most {LOOKUP_ADDRESSES} addresses, this one has {len(addresses)}")
    observed = dict.fromkeys((view.name for view in views), 0)
    rows: list[LookupRow] = []
    for row, written in enumerate(addresses):
        try:
            named = name_address(views, written)
        except AddressError as error:
            rows.append(_invalid_row(row, error))
            continue
        rows.append(_lookup_row(row, named))
        for holder in named.knowing:
            observed[holder.view.name] += 1
    return {
        "chain": chain,
        "asset": text.ASSET,
        "decimals": text.DECIMALS,
        "rows": rows,
        "answers": [{**view.frame(view.now()), "observed": observed[view.name]} for view in views],
    }


def _invalid_row(row: int, error: AddressError) -> LookupRow:
    return {
        "row": row,
        "status": "invalid",
        "address": None,
        "kind": None,
        "observed": None,
        "position": error.position,
        "reason": str(error),
        "answers": [],
    }


def _lookup_row(row: int, named: Named) -> LookupRow:
    return {
        "row": row,
        "status": "ok",
        "address": named.address,
        "kind": named.kind,
        "observed": bool(named.knowing),
        "position": None,
        "reason": None,
        "answers": [_lookup_answer(holder) for holder in named.knowing],
    }


def _lookup_answer(holder: Holder) -> LookupRowAnswer:
    facts = _facts(holder)
    amounts = amounts_of(holder.view, facts)
    return {
        "dataset": holder.view.name,
        "cluster": cluster_name(holder.view, holder.address, holder.moment),
        "balance": amounts["balance"],
        "net": amounts["net"],
        "tx_count": facts.tx_count,
    }
