"""Transactions as the coinjoin rules see them: the forms of the protocols, random ones, and the real ones."""

from __future__ import annotations

import csv
import lzma
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from hypothesis import strategies as st

from chain.model import UNKNOWN, OutputType, Signing
from clustering.bitcoin.coinjoin.parameters import WABISABI_DENOMINATIONS
from clustering.bitcoin.coinjoin.reference import Shape, Side
from clustering.bitcoin.ledger import Ledger

LATER = 1_600_000_000
RETURN = Side(-1, 0, OutputType.OP_RETURN)
P2TR, P2PKH, UNSTATED = OutputType.P2TR, OutputType.P2PKH, OutputType.UNSTATED


def ledger_of(shapes: Sequence[Shape]) -> Ledger:
    """The columns of `shapes` in chain order, a block each; what has no parent among them spends from outside."""
    outputs: list[Side] = []
    made: dict[int, tuple[int, int]] = {}
    spent: set[int] = set()
    spends: list[list[int]] = []
    for shape in shapes:
        row = []
        for place, each in enumerate(shape.inputs):
            parent = shape.parents[place] if shape.parents else None
            found = UNKNOWN
            if parent is not None and id(parent) in made:
                own = range(*made[id(parent)])
                found = next(o for o in own if o not in spent and outputs[o] == each)
            elif each.address >= 0 or each.value != UNKNOWN or each.type != UNSTATED:
                outputs.append(each)
                found = len(outputs) - 1
            spent.add(found)
            row.append(found)
        spends.append(row)
        made[id(shape)] = len(outputs), len(outputs) + len(shape.outputs)
        outputs += shape.outputs
    counts = [len(row) for row in spends]
    return Ledger(
        tx_first_input=np.cumsum([0, *counts], dtype=np.int64)[: len(shapes)],
        input_spends=np.array([each for row in spends for each in row], np.int64),
        output_address=np.array([each.address for each in outputs], np.int32),
        tx_first_output=np.array([made[id(shape)][0] for shape in shapes], np.int64),
        tx_output_count=np.array([len(shape.outputs) for shape in shapes], np.int32),
        output_value=np.array([each.value for each in outputs], np.int64),
        output_type=np.array([each.type for each in outputs], np.uint8),
        tx_signing=np.array([shape.signing for shape in shapes], np.uint8),
        tx_block=np.arange(len(shapes), dtype=np.int32),
        block_time=np.array([shape.time for shape in shapes], np.int64),
    )


def sides(values: Sequence[int], first: int = 0, kind: OutputType = OutputType.P2WPKH) -> list[Side]:
    """Sides of these values at addresses `first`, `first` + 1, ..."""
    return [Side(first + place, value, kind) for place, value in enumerate(values)]


def plain(inputs: Sequence[int], outputs: Sequence[int], time: int = LATER) -> Shape:
    """Inputs and outputs of these values, each at an address of its own."""
    return Shape(sides(inputs), sides(outputs, 1000), time=time)


def joinmarket(parties: int = 4, value: int = 12_345_678) -> Shape:
    changes = [7_000_000 + 1_000 * place for place in range(parties)]
    return plain([value + change + 500 for change in changes], [*[value] * parties, *changes])


def wasabi_1(parties: int = 12, value: int = 10_012_345, levels: Sequence[int] = ()) -> Shape:
    changes = [30_000_000 + 7 * place for place in range(parties)]
    inputs = [value + change + 900 for change in changes]
    inputs[0] += sum(levels)
    return plain(inputs, [*[value] * parties, *levels, *changes, 180_000])


def wabisabi(inputs: int = 24) -> Shape:
    chosen = WABISABI_DENOMINATIONS[10:18].tolist()
    outputs = [value for value in chosen for _ in range(3)] + [123_457]
    share = -(-sum(outputs) // inputs) + 700
    return Shape(sides([share + 11 * place for place in range(inputs)], kind=P2TR), sides(outputs, 1000), time=LATER)


def tx0(pool: int = 1_000_000, fee: int = 50_000, premix: int = 9, change: int | None = 333_333) -> Shape:
    value = pool + 3_217
    outputs = [value] * premix + [fee] + ([] if change is None else [change])
    return Shape(sides([sum(outputs) + 800]), [RETURN, *sides(outputs, 1000)], time=LATER)


_FRESH = count(100_000)


def mix(parents: Sequence[tuple[Shape, Side] | None], pool: int = 1_000_000) -> Shape:
    """A mix of one entrant or remixer for each of `parents`; None is one whose parent is not at hand."""
    inputs = [Side(next(_FRESH), pool) if each is None else each[1] for each in parents]
    if all(each.value == pool for each in inputs):
        inputs[0] = replace(inputs[0], value=pool + 900)
    outputs = [Side(next(_FRESH), pool) for _ in inputs]
    return Shape(inputs, outputs, time=LATER, parents=[None if each is None else each[0] for each in parents])


def stonewall() -> Shape:
    return plain([7_000_000, 6_000_000], [5_000_000, 5_000_000, 1_900_000, 999_000])


def payjoin() -> Shape:
    """The payer brings 0.05 and pays 0.02; the payee adds 0.0004 of its own."""
    return plain([5_000_000, 40_000], [2_040_000, 2_999_000])


FORMS = [
    joinmarket(), joinmarket(3), joinmarket(30), wasabi_1(), wasabi_1(levels=[20_024_690] * 3), wasabi_1(8, 5_003_000),
    wabisabi(), wabisabi(12), tx0(), tx0(premix=1, change=None), tx0(100_000, 5_000, 3, 4_700), mix([None] * 5),
    mix([None] * 8), mix([None] * 5, 5_000_000), stonewall(), payjoin(), plain([50], [20, 29]), plain([9, 9], [17]),
    plain([5_000, 4_000, 3_000], [3_000] * 3), plain([60, 50], [50, 50]),
]  # fmt: skip


@st.composite
def perturbed(draw: st.DrawFn) -> Shape:
    """A form with something of it changed: an address or value repeated, missing, another type, one more or less."""
    shape = draw(st.sampled_from(FORMS))
    inputs, outputs = list(shape.inputs), list(shape.outputs)
    for _ in range(draw(st.integers(0, 3))):
        of = draw(st.sampled_from([side for side in (inputs, outputs) if side] or [inputs]))
        if not of:
            continue
        place = draw(st.integers(0, len(of) - 1))
        other = draw(st.sampled_from([*inputs, *outputs]))
        change = draw(st.sampled_from(["address", "value", "type", "unknown", "none", "drop", "more", "nudge"]))
        if change == "drop":
            of.pop(place)
        elif change == "more":
            of.append(other)
        else:
            fields = {
                "address": {"address": other.address},
                "value": {"value": other.value},
                "type": {"type": draw(st.sampled_from(OutputType))},
                "unknown": {"value": UNKNOWN},
                "none": {"address": -1},
                "nudge": {"value": max(0, of[place].value + draw(st.integers(-120_000, 120_000)))},
            }[change]
            of[place] = replace(of[place], **fields)
    signing = draw(st.sampled_from([*Signing, Signing.UNSTATED, Signing.WHOLE]))
    time = draw(st.sampled_from([LATER, LATER, 1_400_000_000]))
    return Shape(inputs, outputs, signing, time)


@st.composite
def small(draw: st.DrawFn) -> Shape:
    """A small transaction of few addresses and values, so that equal ones are frequent."""
    side = st.builds(
        Side,
        st.integers(-1, 8),
        st.sampled_from([UNKNOWN, 0, 50, 51, 546, 2730, 9_000, 9_001]),
        st.sampled_from([OutputType.P2WPKH, P2PKH, OutputType.OP_RETURN, UNSTATED]),
    )
    inputs, outputs = draw(st.lists(side, max_size=5)), draw(st.lists(side, max_size=4))
    repeated = draw(st.lists(st.sampled_from(outputs), max_size=4)) if outputs else []
    return Shape(inputs, outputs + repeated, draw(st.sampled_from(Signing)), LATER)


_TYPES = {"other": OutputType.NONSTANDARD}


def real_shapes(data: Path) -> tuple[list[Shape], list[str], list[str]]:
    """The real transactions, each with its parents as far as they are in the file; their labels, "" for none; txids."""
    with lzma.open(data / "bitcoin" / "coinjoin_labels.csv.xz", "rt") as table:
        labels = {row["txid"]: row["label"] for row in csv.DictReader(table)}
    with lzma.open(data / "bitcoin" / "transactions.jsonl.xz") as lines:
        stated = [orjson.loads(line) for line in lines]
    ids: dict[str, int] = {}

    def side(each: dict[str, Any]) -> Side:
        names = each.get("addresses")
        address = ids.setdefault(str(names), len(ids)) if names else -1
        kind = _TYPES.get(each["type"]) or OutputType[each["type"].upper()]
        return Side(address, each["value"], kind)

    txids = [tx["hash"] for tx in stated]
    sides_of = {tx["hash"]: ([side(i) for i in tx["inputs"]], [side(o) for o in tx["outputs"]]) for tx in stated}
    made: dict[str, Shape] = {}

    def shape(tx: dict[str, Any]) -> Shape:
        inputs, outputs = sides_of[tx["hash"]]
        spent = [made.get(i["spent_transaction_hash"]) for i in tx["inputs"]]
        return Shape(inputs, outputs, Signing.UNSTATED, tx["block_timestamp"], spent)

    order = sorted(stated, key=lambda tx: (tx["block_timestamp"], tx["index"]))
    for tx in order:
        made[tx["hash"]] = shape(tx)
    return [made[txid] for txid in txids], [labels.get(txid, "") for txid in txids], txids
