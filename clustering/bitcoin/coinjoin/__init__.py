"""Coinjoins and their look-alikes, decided before co-spend: where several parties spend together, or may, it would lie.

`classes.py` has every class with its protocol, form, parameters, source and how it fails; `parameters.py` the numbers;
`reference.py` the rules in plain Python and their precedence; `kernel.py` the same, compiled, over columns.

What stands behind the order. Protocols with an exact form come first. A Tx0 comes before the forms that it could be
taken for, since one party makes it alone and nothing must keep it out of co-spend; but after open signatures, which a
Tx0 never has. Of the rest, what has a protocol's form is a coinjoin; what two parties can make as well as one is
ambiguous, and joins nothing either. Transactions that spend from fewer than two known addresses have nothing to join,
and are given no class but Tx0.

What is decided here, where the published rules leave it open: an OP_RETURN output is no payment, except for BlockSci's
rule, which counts it; a value that is not known equals no value; a type that is not stated contradicts no form; an
input whose address is not known counts as an input and brings no address.

How it fails. Forms are forms: a batch of equal payments from many addresses is taken for a coinjoin, a payjoin that
avoids an unnecessary input for a payment, and so are channels that two parties fund together. `headwater measure
clustering` counts both directions on the lists of others; docs/methods.md has the figures.
"""

from __future__ import annotations

import numpy as np

from chain.model import U8, Bool
from clustering.bitcoin.coinjoin.classes import CLASSES, ClassFacts, CoinjoinClass, Kind
from clustering.bitcoin.coinjoin.kernel import classes_of
from clustering.bitcoin.ledger import Ledger, input_bounds

__all__ = ["CLASSES", "ClassFacts", "CoinjoinClass", "Kind", "classify", "joins"]

_JOINS = np.array([CLASSES[kind].joins for kind in CoinjoinClass])


def classify(ledger: Ledger, first_tx: int, last_tx: int) -> U8:
    """[N] the `CoinjoinClass` of each transaction in [first_tx, last_tx).

    ValueError where the range is not of these transactions.
    """
    starts = input_bounds(ledger.tx_first_input, len(ledger.input_spends), first_tx, last_tx)
    classes: U8 = classes_of(ledger, starts, first_tx)
    return classes


def joins(classes: U8) -> Bool:
    """Whether co-spend may link the inputs of transactions of these classes."""
    may_join: Bool = _JOINS[classes]
    return may_join
