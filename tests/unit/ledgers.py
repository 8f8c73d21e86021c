"""Ledgers as columns: small random ones with all that can be missing, and the real transactions."""

from __future__ import annotations

import csv
import lzma
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
from hypothesis import strategies as st

from chain.model import I32, I64, UNKNOWN

ADDRESSES = 9
VALUES = (UNKNOWN, 0, 50, 51, 546, 2730)

Columns = tuple[I64, I64, I32, I64, I32, I64]
"""tx_first_input, input_spends, output_address, tx_first_output, tx_output_count, output_value"""


@dataclass
class Ledger:
    """Transactions in chain order over one list of outputs; an outside output is made by none of them."""

    outputs: list[tuple[int, int]] = field(default_factory=list)
    """(address, value) of each output id; -1 where not known"""
    spends: list[list[int]] = field(default_factory=list)
    """each transaction's spent output ids, UNKNOWN where the dataset does not have them"""
    makes: list[range] = field(default_factory=list)
    """each transaction's own output ids"""

    @classmethod
    def of(cls, transactions: list[tuple[list[int], list[tuple[int, int]]]]) -> Ledger:
        """Transactions that spend outside outputs (of value 1,000) of the addresses that are given."""
        ledger = cls()
        for addresses, outputs in transactions:
            ledger.add([ledger.outside(address, 1000) for address in addresses], outputs)
        return ledger

    def outside(self, address: int, value: int) -> int:
        self.outputs.append((address, value))
        return len(self.outputs) - 1

    def add(self, spends: list[int], outputs: list[tuple[int, int]]) -> None:
        self.spends.append(spends)
        self.makes.append(range(len(self.outputs), len(self.outputs) + len(outputs)))
        self.outputs += outputs

    def __len__(self) -> int:
        return len(self.spends)

    def debits(self, tx: int) -> list[tuple[int, int]]:
        """(address, value) of each input."""
        return [(-1, UNKNOWN) if output < 0 else self.outputs[output] for output in self.spends[tx]]

    def credits(self, tx: int) -> list[tuple[int, int]]:
        """(address, value) of each output."""
        return [self.outputs[output] for output in self.makes[tx]]

    def input_addresses(self, tx: int) -> list[int]:
        return [address for address, _ in self.debits(tx)]

    def output_values(self, tx: int) -> list[int]:
        return [value for _, value in self.credits(tx)]

    def columns(self) -> Columns:
        counts = [len(spends) for spends in self.spends]
        return (
            np.cumsum([0, *counts], dtype=np.int64)[: len(self)],
            np.array([output for spends in self.spends for output in spends], np.int64),
            np.array([address for address, _ in self.outputs], np.int32),
            np.array([made.start for made in self.makes], np.int64),
            np.array([len(made) for made in self.makes], np.int32),
            np.array([value for _, value in self.outputs], np.int64),
        )


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    """Up to eight transactions, with few addresses and values, so that equal ones are frequent."""
    output = st.tuples(st.integers(-1, ADDRESSES - 1), st.sampled_from(VALUES))
    ledger = Ledger()
    for _ in range(draw(st.integers(0, 8))):
        spends: list[int] = []
        for address, value in draw(st.lists(output, max_size=5)):
            earlier = draw(st.integers(UNKNOWN, len(ledger.outputs)))
            spends.append(ledger.outside(address, value) if earlier == len(ledger.outputs) else earlier)
        payments = draw(st.lists(output, max_size=3))
        repeated = draw(st.lists(st.sampled_from(payments), max_size=4)) if payments else []
        ledger.add(spends, payments + repeated)
    return ledger


def real_ledger(data: Path) -> tuple[Ledger, list[str]]:
    """The real transactions as the file has them, each spending outside outputs, and the label of each."""
    with lzma.open(data / "bitcoin" / "coinjoin_labels.csv.xz", "rt") as table:
        labels = {row["txid"]: row["label"] for row in csv.DictReader(table)}
    with lzma.open(data / "bitcoin" / "transactions.jsonl.xz") as lines:
        stated = [orjson.loads(line) for line in lines]
    ids: dict[tuple[str, ...], int] = {}

    def address(side: dict[str, list[str]]) -> int:
        names = tuple(side.get("addresses") or ())
        return ids.setdefault(names, len(ids)) if names else -1

    transactions = [
        ([address(i) for i in tx["inputs"]], [(address(o), o["value"]) for o in tx["outputs"]]) for tx in stated
    ]
    return Ledger.of(transactions), [labels.get(tx["hash"], "") for tx in stated]
