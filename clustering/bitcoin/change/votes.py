"""What each feature of change says of each output of a transaction: yes (1), no (-1) or nothing (0).

A feature names candidates; where exactly one output is a candidate that output gets 1 and each other one -1, else the
feature abstains, as it does where anything it needs is not known. Votes are cast on outputs that can be spent, in
transactions that are no coinbase, that have 2 to `MAX_OUTPUTS` of them, and that the caller does not leave out
(coinjoins and their like). All features but Meiklejohn's are stated, and measured, for two outputs and nothing beside
them: with more, or with a data output, they abstain, and so they do where both outputs pay one address.

Freshness needs the whole chain before, and "unspent" the whole chain after: in a dataset that does not hold
everything (`whole` is false) only the opposite is known. Both come as arguments, since a scan has them from one pass
and a single transaction from an index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chain.model import I32, I64, U8, UNKNOWN, Bool, OutputType
from clustering.bitcoin.change import fingerprint
from clustering.bitcoin.change.arrays import I8, LedgerArrays
from clustering.bitcoin.change.features import FEATURES, FIRST_FINGERPRINT, Convention, Feature
from clustering.bitcoin.change.kernels import (
    FIRST_DIGIT,
    LAST_DIGIT,
    MAX_OUTPUTS,
    count_outputs,
    fill_votes,
    scan_freshness,
)

_NO_LABELS = np.empty(0, np.int32)


@dataclass(frozen=True, slots=True)
class Votes:
    """R outputs that were voted on, one a row, in chain order; those of one transaction stand together."""

    tx: I64
    output: I64
    vote: I8
    """[R, FEATURES]"""
    convention: U8
    """Bits of `Convention`."""
    pair: Bool
    """Its transaction has two outputs, to different addresses: the model is for these."""
    inputs: I32
    """Inputs of its transaction."""
    spent: Bool
    """Every output of its transaction is known to be spent."""

    def __len__(self) -> int:
        return len(self.tx)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lies before and after a range of transactions, for the W output rows from its first own output on."""

    spender: I64
    """[W] the transaction that spends it, UNKNOWN where none is known to"""
    fresh: I8
    """[W] 1: the dataset had not seen its address before its transaction; 0: it had; UNKNOWN: it has no address"""
    whole: bool
    """The dataset holds every transaction from the first of the chain on."""


def window(at: LedgerArrays, first_tx: int, last_tx: int) -> slice:
    """The output rows from the first own output of `first_tx` to the last one before `last_tx`."""
    if not 0 <= first_tx <= last_tx <= len(at.tx_block):
        raise ValueError(f"transactions {first_tx}..{last_tx} are not within 0..{len(at.tx_block)}")
    if first_tx == last_tx:
        return slice(0, 0)
    return slice(int(at.tx_first_output[first_tx]), at.outputs_of(last_tx - 1).stop)


def freshness(at: LedgerArrays, first_tx: int, last_tx: int) -> I8:
    """`Surroundings.fresh` of a range, in one pass over the outputs up to it.

    Address ids are dense in order of first appearance (chain/ledger.py lays the outputs that a transaction spends from
    outside before its own), so an address is new exactly where its id is above every id before.
    """
    rows = window(at, first_tx, last_tx)
    seen = int(at.output_address[: rows.start].max()) if rows.start else UNKNOWN
    fresh: I8 = scan_freshness(at, first_tx, last_tx, rows.start, rows.stop, seen)
    return fresh


def cast(
    at: LedgerArrays,
    first_tx: int,
    last_tx: int,
    around: Surroundings,
    left_out: Bool,
    labels: I32 | None = None,
) -> Votes:
    """The votes of the transactions in [first_tx, last_tx).

    `left_out`: [last_tx - first_tx] transactions that may be of several parties. `labels`: [n] the cluster of the first
    n addresses, by which outputs are told that L0 joins with their inputs; an address beyond has none.
    ValueError where the arguments are not of this range.
    """
    rows = window(at, first_tx, last_tx)
    size = rows.stop - rows.start
    if len(left_out) != last_tx - first_tx or len(around.spender) != size or len(around.fresh) != size:
        raise ValueError(f"transactions {first_tx}..{last_tx} have {size} output rows")
    counts = count_outputs(at, first_tx, left_out)
    known = around.spender[around.spender >= 0]
    wanted = _distinct(np.concatenate((first_tx + np.flatnonzero(counts), known)))
    marks = fingerprint.fingerprints(at, wanted)
    total = int(counts.sum())
    votes = Votes(
        np.repeat(np.arange(first_tx, last_tx, dtype=np.int64), counts), np.empty(total, np.int64),
        np.zeros((total, FEATURES), np.int8), np.zeros(total, np.uint8), np.zeros(total, np.bool_),
        np.zeros(total, np.int32), np.zeros(total, np.bool_),
    )  # fmt: skip
    fill_votes(
        at, first_tx, counts, rows.start, around.spender, around.fresh, around.whole,
        _NO_LABELS if labels is None else labels, wanted, marks,
        votes.output, votes.vote, votes.convention, votes.pair, votes.inputs, votes.spent,
    )  # fmt: skip
    return votes


def _distinct(ids: I64) -> I64:
    """`ids` in order, each once: by sorting, which is faster on millions than a table of hashes."""
    ordered = np.sort(ids)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


# The readable twin


@dataclass(frozen=True, slots=True)
class ReferenceVotes:
    """One transaction's votes: by output id."""

    votes: dict[int, list[int]]
    convention: dict[int, int]
    pair: bool
    spent: bool


def reference(
    at: LedgerArrays,
    tx: int,
    spenders: Mapping[int, int],
    fresh: Mapping[int, bool],
    whole: bool,
    labels: Sequence[int] = (),
) -> ReferenceVotes | None:
    """The readable twin of `cast`, for one transaction; None where none is cast on it.

    `spenders`: of its outputs, those known to be spent; `fresh`: of those with an address, whether it is new.
    """
    made = at.outputs_of(tx)
    outputs = [output for output in made if at.output_type[output] != OutputType.OP_RETURN]
    if at.tx_coinbase[tx] or not 2 <= len(outputs) <= MAX_OUTPUTS:
        return None
    addresses = [int(at.output_address[output]) for output in outputs]
    coins = [int(at.input_spends[row]) for row in at.inputs_of(tx)]
    payers = {int(at.output_address[coin]) if coin >= 0 else UNKNOWN for coin in coins}
    clusters = {labels[payer] for payer in payers if 0 <= payer < len(labels)}
    conventions = {
        output: (Convention.SELF if address >= 0 and address in payers else 0)
        | (Convention.CLUSTER if 0 <= address < len(labels) and labels[address] in clusters else 0)
        for output, address in zip(outputs, addresses, strict=True)
    }
    pair = len(made) == 2 and len(outputs) == 2 and (addresses[0] != addresses[1] or addresses[0] < 0)
    spent = all(output in spenders for output in outputs)
    candidates = _candidates(at, tx, outputs, coins, spenders, whole) if pair else {}
    news = [_reference_fresh(output, fresh, whole) for output in outputs]
    if pair:
        candidates[Feature.SHADOW] = news
    if UNKNOWN not in payers and not any(address in payers for address in addresses):
        candidates[Feature.MEIKLEJOHN] = news
    votes = {output: [0] * FEATURES for output in outputs}
    for feature, named in candidates.items():
        if None not in named and named.count(True) == 1:
            for output, is_named in zip(outputs, named, strict=True):
                votes[output][feature] = 1 if is_named else -1
    return ReferenceVotes(votes, conventions, pair, spent)


def _reference_fresh(output: int, fresh: Mapping[int, bool], whole: bool) -> bool | None:
    seen_before = output in fresh and not fresh[output]
    return False if seen_before else True if output in fresh and whole else None


def _candidates(
    at: LedgerArrays, tx: int, outputs: list[int], coins: list[int], spenders: Mapping[int, int], whole: bool
) -> dict[Feature, list[bool | None]]:
    """Of each feature of two outputs which are candidates: yes, no, not known."""
    values = [int(at.output_value[output]) for output in outputs]
    paid = [int(at.output_value[coin]) if coin >= 0 else UNKNOWN for coin in coins]
    found: dict[Feature, list[bool | None]] = {}
    if paid and UNKNOWN not in (*values, *paid):
        found[Feature.OPTIMAL] = [value < min(paid) for value in values]
        found[Feature.OPTIMAL_FEE] = [value < min(paid) - (sum(paid) - sum(values)) for value in values]
    if UNKNOWN not in values:
        unround = [[value % 10**digit != 0 for value in values] for digit in range(FIRST_DIGIT, LAST_DIGIT + 1)]
        telling: list[list[bool | None]] = [list(named) for named in unround if named.count(True) == 1]
        if telling and all(named == telling[0] for named in telling):
            found[Feature.ROUND_VALUE] = telling[0]
    types = [int(at.output_type[output]) for output in outputs]
    spent_types = {int(at.output_type[coin]) if coin >= 0 else UNKNOWN for coin in coins}
    if len(spent_types) == 1 and all(0 <= kind <= OutputType.P2TR for kind in [*types, *spent_types]):
        found[Feature.ADDRESS_TYPE] = [kind in spent_types for kind in types]
    peels = _reference_peels(at, tx, coins, outputs, spenders)
    if peels:
        found[Feature.PEELING] = [
            _is_peel(at, spenders[output]) if output in spenders else (True if whole else None) for output in outputs
        ]
    if all(output in spenders for output in outputs):
        own = fingerprint.reference(at, tx)
        others = [fingerprint.reference(at, spenders[output]) for output in outputs]
        for number, mine in enumerate(own):
            theirs = [each[number] for each in others]
            if UNKNOWN not in (mine, *theirs):
                found[Feature(FIRST_FINGERPRINT + number)] = [each == mine for each in theirs]
    return found


def _is_peel(at: LedgerArrays, tx: int) -> bool:
    return len(at.inputs_of(tx)) == 1 and len(at.outputs_of(tx)) == 2


def _reference_peels(
    at: LedgerArrays, tx: int, coins: list[int], outputs: list[int], spenders: Mapping[int, int]
) -> bool:
    parents = [parent for parent in range(len(at.tx_block)) if coins and coins[0] in at.outputs_of(parent)]
    near = [*parents, *(spenders[output] for output in outputs if output in spenders)]
    return _is_peel(at, tx) and any(_is_peel(at, each) for each in near)
