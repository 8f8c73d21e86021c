"""Field: real transactions with the lists of another tool.

Lists are opinions: where class and list differ, both are shown, with transactions to look at.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from api.measure.chains import extract_columns
from chain.bitcoin import address as codec
from chain.bitcoin.network import MAINNET
from chain.columns import Columns
from chain.compressed import read_bytes
from chain.errors import MalformedData
from chain.model import I64, hash_bytes, hash_text
from clustering.bitcoin import coinjoin
from clustering.bitcoin.coinjoin import CLASSES, CoinjoinClass, Kind
from clustering.bitcoin.ledger import Ledger
from clustering.bitcoin.rules import found_links
from clustering.measure import UNKNOWN_OWNER, Trials, trials

C = CoinjoinClass

EXPECTED: dict[str, tuple[CoinjoinClass, ...]] = {
    "wasabi1": (C.WASABI_1_0, C.WASABI_1_1),
    "wasabi2": (C.WABISABI,),
    "whirlpool": (C.WHIRLPOOL, C.WHIRLPOOL_LINEAGE),
    "whirlpool_tx0": (C.TX0,),
    "joinmarket_like": (C.JOINMARKET, C.STRUCTURAL),
    "postmix": (C.NONE,),
    "false_positive": (C.NONE,),
}
"""The classes that agree with a list."""

MOST_LIST_BYTES = 64 << 20
"""Of a list, decompressed."""

MOST_TAG_BYTES = 512 << 20
"""Of a table of labels, decompressed."""

SHOWN = 3
"""Transactions to look at, of each disagreement."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Transactions that a list and a class call differently."""

    label: str
    found: str
    count: int
    why: str
    txids: list[str]


@dataclass(frozen=True, slots=True)
class Tagged:
    """Co-spend between addresses that others label with an actor: labels are opinions too."""

    addresses: int
    actors: int
    links: Trials
    """Transactions that link two labelled addresses; errors: of two actors"""


@dataclass(frozen=True, slots=True)
class Field:
    """What the classes say of real transactions."""

    transactions: int
    recall: dict[str, Trials]
    """Of each list: transactions, and those without an agreeing class as errors"""
    disagreements: list[Disagreement]
    alarms: dict[str, list[str]]
    """Transactions of whole blocks, outside all lists, that are called a coinjoin: class to txids"""
    whole: int
    """Transactions of whole blocks outside all lists"""
    linkable: dict[str, int]
    """Those of them that spend from several known addresses, by class"""
    tagged: Tagged | None = None
    """Co-spend against labels of services, where a list of labels is at hand"""


def measure_field(folder: Path, scratch: Path) -> Field:
    """Classify the transactions of `folder`/transactions.jsonl.xz and compare with coinjoin_labels.csv.xz."""
    columns = extract_columns([folder / "transactions.jsonl.xz"], MAINNET, scratch, "field")
    labels = _labels(folder / "coinjoin_labels.csv.xz", columns)
    classes = coinjoin.classify(Ledger.of(columns), 0, columns.tx_count)
    found = compare_lists(columns, classes.astype(np.int64), labels)
    tags = folder.parent / "labels" / "graphsense_tagpacks" / "tags_all.csv.xz"
    return replace(found, tagged=_tagged(columns, tags)) if tags.exists() else found


def _tagged(columns: Columns, path: Path) -> Tagged:
    """Links of L0 between addresses that `path` labels with an actor."""
    table = csv.DictReader(io.StringIO(read_bytes(path, MOST_TAG_BYTES).decode("utf-8", "replace")))
    rows = [(row["address"].encode(), row["actor"]) for row in table if row["currency"] == "BTC" and row["actor"]]
    sizes = np.array([len(address) for address, _ in rows], np.int64)
    text = np.frombuffer(b"".join(address for address, _ in rows), np.uint8)
    keys, lengths = codec.decode_many(text, np.cumsum(sizes) - sizes, sizes, MAINNET)
    ids = columns.find_addresses(keys, lengths)
    actors = sorted({actor for _, actor in rows})
    number = {actor: place for place, actor in enumerate(actors)}
    owner = np.full(columns.address_count, UNKNOWN_OWNER, np.int32)
    for place in np.flatnonzero(ids >= 0).tolist():
        owner[ids[place]] = number[rows[place][1]]
    links = found_links(columns, 0, 0)
    known = owner[owner != UNKNOWN_OWNER]
    return Tagged(len(known), len(np.unique(known)), trials(links.u, links.v, links.tx, owner))


def compare_lists(columns: Columns, classes: I64, labels: list[str]) -> Field:
    """`labels` [T]: the list of each transaction, "" for none."""
    pairs = Counter(zip(labels, classes.tolist(), strict=True))
    rows: dict[tuple[str, int], list[int]] = {}
    for tx, pair in enumerate(zip(labels, classes.tolist(), strict=True)):
        rows.setdefault(pair, []).append(tx)
    recall = {}
    for label, agreeing in EXPECTED.items():
        total = labels.count(label)
        right = sum(pairs[label, int(kind)] for kind in agreeing)
        recall[label] = Trials(total, total - right)
    different = [
        Disagreement(
            label,
            CLASSES[C(kind)].name,
            len(txs),
            _why(label, C(kind)),
            sorted(_txid(columns, tx) for tx in txs)[:SHOWN],
        )
        for (label, kind), txs in sorted(rows.items())
        if label in EXPECTED and C(kind) not in EXPECTED[label]
    ]
    several = _spends_several(columns)
    unlisted = np.array([not label for label in labels])
    return Field(
        len(labels),
        recall,
        sorted(different, key=lambda each: (each.label, -each.count, each.found)),
        {
            CLASSES[C(kind)].name: sorted(_txid(columns, tx) for tx in txs)
            for (label, kind), txs in sorted(rows.items())
            if not label and CLASSES[C(kind)].kind == Kind.COINJOIN
        },
        int(unlisted.sum()),
        {
            CLASSES[kind].name: int(np.count_nonzero(unlisted & several & (classes == kind)))
            for kind in C
            if (unlisted & several & (classes == kind)).any()
        },
    )


def _labels(path: Path, columns: Columns) -> list[str]:
    """The list of each transaction, "" for none. MalformedData names the row that is not as it must be."""
    found = [""] * columns.tx_count
    table = csv.DictReader(io.StringIO(read_bytes(path, MOST_LIST_BYTES).decode("utf-8", "replace")))
    if table.fieldnames is None or not {"txid", "label"} <= set(table.fieldnames):
        raise MalformedData(f"{path.name}: its header has no txid and label")
    for number, row in enumerate(table, start=2):
        try:
            digest = np.frombuffer(hash_bytes(row["txid"]), np.uint8).reshape(1, 32)
        except ValueError as error:
            raise MalformedData(f"{path.name}: row {number}: {error}") from error
        tx = int(columns.find_txids(digest)[0])
        if tx >= 0:
            found[tx] = row["label"]
    return found


def _txid(columns: Columns, tx: int) -> str:
    return hash_text(columns.tx_txid[tx])


def _spends_several(columns: Columns) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    counts = np.diff(np.append(columns.tx_first_input, len(columns.input_spends)))
    tx = np.repeat(np.arange(columns.tx_count), counts)
    address = columns.output_address[columns.input_spends]
    distinct = np.unique(np.stack((tx[address >= 0], address[address >= 0]), axis=1), axis=0)
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.bincount(distinct[:, 0], minlength=columns.tx_count) > 1
    return found


def _why(label: str, kind: CoinjoinClass) -> str:
    """What a person sees who looks at such a transaction."""
    if kind in (C.WHIRLPOOL, C.WHIRLPOOL_LINEAGE):
        return "has the exact form of a mix: as many equal outputs as inputs, of a pool's denomination"
    if kind in (C.WASABI_1_0, C.WASABI_1_1):
        return "has the form of a Wasabi 1 round: segwit only, equal outputs of about 0.05 or 0.1 BTC, changes"
    if kind == C.JOINMARKET:
        return "three or more equal outputs to different addresses and changes, no fewer input addresses"
    if kind == C.STRUCTURAL:
        return "one value in half of the outputs, as many input addresses"
    if kind == C.STONEWALL:
        return "two equal outputs and one or two changes: two parties or one"
    if kind == C.PAYJOIN:
        return "two outputs, and an input that was not needed: two parties or one"
    if kind == C.POSSIBLE:
        return "a value paid twice or more, without a protocol's form: two parties or one"
    if kind == C.TX0:
        return "premix outputs of one value, a pool's fee and an OP_RETURN: one party prepares a mix"
    if kind == C.NONE and label in ("joinmarket_like", "wasabi1", "wasabi2", "whirlpool"):
        return "no value is paid equally to as many as bring inputs, or no two sides could have paid it"
    return CLASSES[kind].form
