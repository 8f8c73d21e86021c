"""A chain whose owners are known, by each set of rules: ours at L0, every co-spend, and BlockSci's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chain.columns import Columns
from chain.model import ADDRESS_KEY_WIDTH, I32, U8, Bool
from clustering.bitcoin import cospend
from clustering.bitcoin.coinjoin.kernel import blocksci_forms
from clustering.bitcoin.ledger import Ledger, input_bounds
from clustering.bitcoin.rules import found_links
from clustering.components import relabel
from clustering.links import LinkBatch, Rule
from clustering.measure import UNKNOWN_OWNER, Scores, Trials, score, trials

L0, NAIVE, BLOCKSCI = "L0", "every co-spend", "co-spend but BlockSci's coinjoins"


@dataclass(frozen=True, slots=True)
class Compared:
    """What each set of rules makes of one chain."""

    name: str
    transactions: int
    several_owners: int
    """Transactions that spend from several known owners"""
    scores: dict[str, Scores]
    trials: dict[str, dict[str, Trials]]
    """Of each rule of a set"""


def compare(name: str, columns: Columns, owner: I32, services: Sequence[int] = ()) -> Compared:
    """Cluster `columns` by each set of rules and compare with `owner` [addresses]."""
    found = {L0: found_links(columns, 0, 0)}
    ledger, count = Ledger.of(columns), columns.tx_count
    heights: I32 = columns.block_height[columns.tx_block]
    starts = input_bounds(ledger.tx_first_input, len(ledger.input_spends), 0, count)
    left_out: dict[str, Bool] = {NAIVE: np.zeros(count, np.bool_), BLOCKSCI: blocksci_forms(ledger, starts, 0)}
    for rules, mask in left_out.items():
        found[rules] = cospend.linked(ledger, heights, 0, count, mask)
    return Compared(
        name,
        count,
        trials(found[NAIVE].u, found[NAIVE].v, found[NAIVE].tx, owner).errors,
        {rules: score(relabel(len(owner), links.u, links.v), owner, services) for rules, links in found.items()},
        {rules: _by_rule(links, owner) for rules, links in found.items()},
    )


def _by_rule(links: LinkBatch, owner: I32) -> dict[str, Trials]:
    by_rule = {}
    for rule in Rule:
        rows = links.rule == rule
        by_rule[rule.name] = trials(links.u[rows], links.v[rows], links.tx[rows], owner)
    return by_rule


def owners_of(columns: Columns, keys: U8, owner: I32) -> I32:
    """[addresses] the owner of each address of `columns`; `keys`: [n, W] zero-padded address keys."""
    rows = np.zeros((len(keys), ADDRESS_KEY_WIDTH), np.uint8)
    rows[:, : keys.shape[1]] = keys
    sizes = np.where(np.isin(keys[:, 0], (4, 5)), 33, 21).astype(np.uint8)
    ids = columns.find_addresses(rows, sizes)
    found = np.full(columns.address_count, UNKNOWN_OWNER, np.int32)
    found[ids[ids >= 0]] = owner[ids >= 0]
    return found
