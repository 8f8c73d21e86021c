"""Which form of coinjoin, or of what looks like one, a transaction has, and why."""

from __future__ import annotations

import numpy as np

from api.answers.text import bitcoin
from api.answers.transaction_shapes import TransactionClass
from api.answers.view import DatasetView
from chain.model import OutputType
from clustering.bitcoin import coinjoin
from clustering.bitcoin.coinjoin import CoinjoinClass
from clustering.bitcoin.ledger import Ledger

SHOWN_VALUES = 3
"""Equally frequent values that a reason names."""


def class_of(view: DatasetView, tx: int) -> TransactionClass:
    """The class of a transaction with everything that is said of it."""
    kind = CoinjoinClass(int(coinjoin.classify(Ledger.of(view.columns), tx, tx + 1)[0]))
    facts = coinjoin.CLASSES[kind]
    return {
        "name": facts.kind.value,
        "form": None if kind == CoinjoinClass.NONE else facts.name,
        "protocol": None if kind == CoinjoinClass.NONE else facts.protocol,
        "rule": facts.form,
        "parameters": facts.parameters or None,
        "lineage": facts.lineage,
        "why": _why(view, tx),
        "source": facts.source,
        "fails": facts.fails,
        "effect": facts.effect,
    }


def _why(view: DatasetView, tx: int) -> str:
    """What the forms look at, in numbers, so that a reader can check the class by hand."""
    at = view.columns
    first = int(at.tx_first_output[tx])
    end = first + int(at.tx_output_count[tx])
    spends = view.inputs_of(tx)
    addresses = np.unique(at.output_address[spends])
    spendable = at.output_type[first:end] != OutputType.OP_RETURN
    values, counts = np.unique(at.output_value[first:end][spendable], return_counts=True)
    most = int(counts.max(initial=0))
    equal = [bitcoin(int(value)) for value in values[counts == most] if value >= 0]
    said = [
        f"inputs: {len(spends)} from {np.count_nonzero(addresses >= 0)} known addresses",
        f"outputs: {np.count_nonzero(spendable)} and {np.count_nonzero(~spendable)} OP_RETURN",
    ]
    if most > 1 and equal:
        more = ", ..." if len(equal) > SHOWN_VALUES else ""
        said.append(f"most frequent value: {', '.join(equal[:SHOWN_VALUES])}{more} BTC, {most} times")
    else:
        said.append("no value paid twice")
    return "; ".join(said)
