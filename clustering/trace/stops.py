"""Where a trace ends by what a place is: labelled services, mixers, bridges and pools, and who pays very many.

A hub is told by the distinct recipients that it pays (EVIDENCE 11): an address that many pay and that pays few is a
collector, not a service, and hoarded proceeds stay proceeds. On Ethereum it is told for each asset apart: who issued a
token to thousands, and pays ether to few, is no hub of ether. Coinjoins, which end a trace by the transaction, are told
by clustering/bitcoin/coinjoin.

How it fails. A payroll or a pool that pays many is a hub. A service that uses a new address for each customer is none,
and the trace goes through it. Recipients outside the dataset are not counted.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chain.model import I32, I64, U8, Bool
from clustering.trace.ends import End
from clustering.trace.movements import Movements

HUB_RECIPIENTS = 1_000
"""Distinct recipients above which an unidentified address ends a trace: MFTracer's `out_degree_limit`
(config.toml, 2026)."""


def ends_of(owner: I64, labelled: U8, hub: Bool) -> U8:
    """[H] `End` of each holding; `owner` [H] is its address (-1 for none), `labelled` [A] the `End` by its labels.

    `hub` [H]: which holdings are hubs'.
    """
    ends = np.zeros(len(owner), np.uint8)
    ends[hub] = End.HUB
    held = np.flatnonzero(owner >= 0)
    named = held[labelled[owner[held]] > 0]
    ends[named] = labelled[owner[named]]
    return ends


def hubs(movements: Movements, owner: I64, addresses: int, recipients: int) -> I64:
    """The owners that pay more than so many distinct others, ascending; movements that stop a trace do not count.

    `owner` [H]: the owner of each holding, below `addresses`, -1 for none.
    """
    most = np.zeros(addresses, np.int64)
    debit, credit = _owners(movements.debit_holding, owner), _owners(movements.credit_holding, owner)
    payments(movements.first_debit, debit, movements.first_credit, movements.stop, most)
    likely = most > recipients
    if not likely.any():
        return np.empty(0, np.int64)
    size = int(most[likely].sum())
    payer, payee = np.empty(size, np.int32), np.empty(size, np.int32)
    count = pairs(movements.first_debit, debit, movements.first_credit, credit, movements.stop, likely, payer, payee)
    packed = np.unique(payer[:count].astype(np.int64) << 32 | payee[:count].astype(np.int64))
    names, distinct = np.unique(packed >> 32, return_counts=True)
    found: I64 = names[distinct > recipients]
    return found


def _owners(holding: I64, owner: I64) -> I64:
    return np.where(holding >= 0, owner[np.maximum(holding, 0)] if len(owner) else -1, -1)


@njit(cache=True, nogil=True)
def payments(first_debit: I64, debit: I64, first_credit: I64, stop: U8, most: I64) -> None:
    """How many credits to others each address has a part in, at most: a bound on the recipients."""
    for m in range(len(stop)):
        if stop[m] > 0:
            continue
        paid = first_credit[m + 1] - first_credit[m]
        for d in range(first_debit[m], first_debit[m + 1]):
            if debit[d] >= 0:
                most[debit[d]] += paid


@njit(cache=True, nogil=True)
def pairs(
    first_debit: I64, debit: I64, first_credit: I64, credit: I64, stop: U8, likely: Bool, payer: I32, payee: I32
) -> int:
    """Who pays whom, for the payers that are `likely`; how many pairs there are."""
    count = 0
    for m in range(len(stop)):
        if stop[m] > 0:
            continue
        for d in range(first_debit[m], first_debit[m + 1]):
            a = debit[d]
            if a < 0 or not likely[a]:
                continue
            for c in range(first_credit[m], first_credit[m + 1]):
                if credit[c] >= 0 and credit[c] != a:
                    payer[count], payee[count] = a, credit[c]
                    count += 1
    return count
