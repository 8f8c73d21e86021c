"""Co-spend: the addresses whose coins one transaction spends together are controlled by one party.

Source: Nakamoto 2008, section 10; heuristic 1 of Meiklejohn et al., A Fistful of Bitcoins, IMC 2013;
why it works: Harrigan and Fretter 2016. It is a convention, not a proof: say "by the co-spend
convention".

How it fails. Several parties sign one transaction in a coinjoin, a payjoin or a sale of partially signed
transactions (left out as far as `clustering/bitcoin/coinjoin` knows the form), in a jointly funded channel
and in a settlement between services; keys that were imported (Mt. Gox took customers' keys) join customers
with the service. Each merges what is apart. It misses what a wallet never spends together: Nick 2015 finds
68.59 % of a wallet's addresses on average (37,585 wallets).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chain.model import I32, I64, Bool
from clustering.bitcoin import coinjoin
from clustering.bitcoin.coinjoin import CLASSES
from clustering.bitcoin.coinjoin.reference import Shape
from clustering.bitcoin.coinjoin.reference import reference as classify_one
from clustering.bitcoin.ledger import Ledger, input_bounds, take_addresses
from clustering.links import LinkBatch, LinkStatus, Rule


def links(ledger: Ledger, tx_height: I32, first_tx: int, last_tx: int) -> LinkBatch:
    """The links of the transactions in [first_tx, last_tx), in canonical order.

    A transaction whose class joins and that spends from k >= 2 known addresses gives k - 1 links, from
    the smallest address id to each other. `tx_height`: [T], UNKNOWN where there is none. Links that join
    nothing new are given too: the table of links is the record. ValueError where the range is not of these
    transactions.
    """
    return linked(ledger, tx_height, first_tx, last_tx, ~coinjoin.joins(coinjoin.classify(ledger, first_tx, last_tx)))


def linked(ledger: Ledger, tx_height: I32, first_tx: int, last_tx: int, left_out: Bool) -> LinkBatch:
    """As `links`, of all transactions but those that `left_out` [last_tx - first_tx] names: to compare rules with."""
    input_start = input_bounds(ledger.tx_first_input, len(ledger.input_spends), first_tx, last_tx)
    u, v, counts = _links(input_start, ledger.input_spends, ledger.output_address, left_out)
    tx = np.repeat(np.arange(first_tx, last_tx, dtype=np.int64), counts)
    return LinkBatch(
        u=u,
        v=v,
        rule=np.full(len(u), Rule.COSPEND, np.uint8),
        tx=tx,
        height=np.asarray(tx_height[tx], np.int32),
        status=np.full(len(u), LinkStatus.ACCEPTED, np.uint8),
    )


def reference(tx: Shape) -> list[tuple[int, int]]:
    """The readable twin of `links`, for one transaction."""
    if not CLASSES[classify_one(tx)].joins:
        return []
    known = sorted(tx.addresses)
    return [(known[0], other) for other in known[1:]]


@njit(cache=True, nogil=True)
def _links(input_start: I64, input_spends: I64, output_address: I32, left_out: Bool) -> tuple[I32, I32, I64]:
    """(u, v) of all links, and how many each transaction has."""
    counts = np.zeros(len(left_out), np.int64)
    most = widest = 0
    for tx in range(len(left_out)):
        inputs = input_start[tx + 1] - input_start[tx]
        if inputs > 1 and not left_out[tx]:
            most += inputs - 1
            widest = max(widest, inputs)
    u, v, found = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(widest, np.int32)
    link = 0
    for tx in range(len(left_out)):
        spends = input_spends[input_start[tx] : input_start[tx + 1]]
        if len(spends) < 2 or left_out[tx]:
            continue
        known = take_addresses(spends, output_address, found)
        for place in range(1, known):
            u[link], v[link] = found[0], found[place]
            link += 1
        counts[tx] = max(known - 1, 0)
    return u[:link].copy(), v[:link].copy(), counts
