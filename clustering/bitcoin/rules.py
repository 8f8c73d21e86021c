"""Every rule that joins on Bitcoin, over the transactions of a range, in canonical order."""

from __future__ import annotations

import numpy as np

from chain.columns import Columns
from chain.model import I32, I64
from clustering.bitcoin import cospend, wrapping
from clustering.bitcoin.ledger import Ledger
from clustering.links import LinkBatch, canonical_order, concatenate


def found_links(columns: Columns, first_tx: int, first_address: int) -> LinkBatch:
    """The links whose evidence is complete with a transaction from `first_tx` on, in canonical order.

    `first_address`: how many addresses the transactions before `first_tx` have. Change that is paid back to an input's
    own address is an L0 convention too, and needs no link: the address is among the inputs that co-spend joins.
    """
    heights: I32 = columns.block_height[columns.tx_block]
    together = cospend.links(Ledger.of(columns), heights, first_tx, columns.tx_count)
    u, v = wrapping.pairs(columns.address_start, columns.address_bytes, first_address, columns.find_addresses)
    appeared = first_appearances(columns, first_tx, v)
    return canonical_order(concatenate([together, wrapping.links(u, v, appeared, heights)]))


def first_appearances(columns: Columns, first_tx: int, addresses: I32) -> I64:
    """The transaction in which each of `addresses` appeared first, none of them before `first_tx`.

    Ids are given in order of first appearance over the outputs, so the greatest id so far reaches an address where it
    first stands. An outside output stands just before the outputs of the transaction that spends it.
    """
    start = 0
    if 0 < first_tx < columns.tx_count:
        start = int(columns.tx_first_output[first_tx - 1] + columns.tx_output_count[first_tx - 1])
    greatest = np.maximum.accumulate(columns.output_address[start:])
    row = start + np.searchsorted(greatest, addresses)
    tx = np.searchsorted(columns.tx_first_output, row, side="right") - 1
    behind = (tx < 0) | (row >= columns.tx_first_output[tx] + columns.tx_output_count[tx])
    found: I64 = tx + behind
    return found
