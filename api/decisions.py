"""People's decisions on links: made by durable names, counted by dense ids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chain.columns import Columns
from chain.model import ADDRESS_KEY_WIDTH, U8
from chain.store.links import Decision
from clustering.guards import Verdict
from clustering.links import LinkBatch

_VERDICTS = {"accept": Verdict.ACCEPT, "refuse": Verdict.REFUSE, "withdraw": Verdict.NONE}


def standing(decisions: Sequence[Decision]) -> list[Decision]:
    """Of each link the word that counts, where it was not withdrawn; `decisions` with the newest first."""
    newest: dict[tuple[bytes, int, bytes, bytes], Decision] = {}
    for decision in decisions:
        newest.setdefault(decision.link, decision)
    return [decision for decision in newest.values() if _VERDICTS[decision.verdict] != Verdict.NONE]


def verdicts(decisions: Sequence[Decision], columns: Columns, links: LinkBatch) -> U8:
    """[L] the `Verdict` on each of `links`, which are in canonical order; `decisions` with the newest first.

    A decision on what the dataset does not have (a transaction that was reorganised away) counts for nothing until it
    has it again.
    """
    found = np.zeros(len(links), np.uint8)
    for decision in standing(decisions):
        tx = int(columns.find_txids(np.frombuffer(decision.txid, np.uint8).reshape(1, 32))[0])
        u, v = sorted((address_id(columns, decision.a), address_id(columns, decision.b)))
        if tx < 0 or u < 0:
            continue
        first, last = np.searchsorted(links.tx, (tx, tx + 1))
        here = slice(int(first), int(last))
        match = (links.u[here] == u) & (links.v[here] == v) & (links.rule[here] == decision.rule)
        found[here][match] = _VERDICTS[decision.verdict]
    return found


def address_id(columns: Columns, key: bytes) -> int:
    """The id of an address key, -1 where the dataset never saw it."""
    row = np.zeros((1, ADDRESS_KEY_WIDTH), np.uint8)
    row[0, : len(key)] = np.frombuffer(key, np.uint8)
    return int(columns.find_addresses(row, np.array([len(key)], np.uint8))[0])
