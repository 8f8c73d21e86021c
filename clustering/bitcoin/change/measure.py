"""Change measured: ground truth out of a clustering, weights fitted on it, and rates by score and stratum.

Ground truth is a pair of outputs of which later co-spend put exactly one into the cluster of the inputs (Möser and
Narayanan, FC 2022). It knows only payers who later spend their change together with other coins, it is wrong where
co-spend is, and where the payee is the payer both outputs count as one; a cluster that so often pays itself that it is
probably several parties is left out whole. A simulator's truth can stand in its place: `fit` and `evaluate` take any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chain.model import I32, I64, Bool
from clustering.bitcoin.change.arrays import I8, LedgerArrays
from clustering.bitcoin.change.features import FEATURES, Convention
from clustering.bitcoin.change.model import ERA_BLOCKS, MANY_INPUTS, Stratum, Weights
from clustering.bitcoin.change.votes import Votes
from clustering.levels import lower_bound

COLLAPSE_PERCENT = 10
"""A cluster is collapsed where so many of its pairs have both outputs in it (the threshold of the source's notebook
3a, which left 9,967 of 967,601 clusters out; there the whole is all its transactions, here those that were voted on,
so no fewer are left out)."""

RIDGE = 1.0
"""Weight of the penalty on squared weights (in nats), as of one more transaction: keeps a feature that was never wrong
finite."""

NEWTON_STEPS = 100
CONVERGED = 1e-9

NATS = 1_000

FORMS = 2 * MANY_INPUTS
"""Strata of one era."""


@dataclass(frozen=True, slots=True)
class Truth:
    """N transactions of two outputs whose change is known."""

    row: I64
    """[N] the row of its first output in `Votes`; the other's is the next"""
    first_is_change: Bool


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a score names the right output, in one stratum."""

    stratum: int
    threshold: int
    """Milli-nats from which an output is named."""
    trials: int
    """Transactions of the stratum whose change is known."""
    right: int
    wrong: int

    @property
    def lower_ppm(self) -> int:
        """Lower 95 % bound of the precision, in parts per million."""
        return lower_bound(self.right, self.right + self.wrong)


def pairs(votes: Votes) -> I64:
    """The row of the first output of every pair."""
    return np.flatnonzero(votes.pair)[::2].astype(np.int64)


def truth(at: LedgerArrays, votes: Votes, labels: I32) -> Truth:
    """Ground truth by later co-spend; `votes` were cast with the same `labels`."""
    first = pairs(votes)
    bits = votes.convention
    returned = (bits[first] | bits[first + 1]) & Convention.SELF != 0
    ours = (bits[first] & Convention.CLUSTER != 0, bits[first + 1] & Convention.CLUSTER != 0)
    payer = _payers(at, votes.tx[first], labels)
    collapsed = _collapsed(payer, ours[0] & ours[1])
    known = votes.spent[first] & ~returned & (ours[0] != ours[1]) & ~np.isin(payer, collapsed)
    return Truth(first[known], ours[0][known])


def _payers(at: LedgerArrays, txs: I64, labels: I32) -> I32:
    """The cluster of each transaction's first input whose address has one; -1 where none has."""
    start = at.tx_first_input[txs]
    counts = np.append(at.tx_first_input, len(at.input_spends))[txs + 1] - start
    owner = np.repeat(np.arange(len(txs)), counts)
    coins = at.input_spends[np.arange(len(owner)) + np.repeat(start - (np.cumsum(counts) - counts), counts)]
    address = np.where(coins >= 0, at.output_address[coins], -1)
    labelled = np.flatnonzero((address >= 0) & (address < len(labels)))
    places, first = np.unique(owner[labelled], return_index=True)
    found = np.full(len(txs), -1, np.int32)
    found[places] = labels[address[labelled[first]]]
    return found


def _collapsed(payer: I32, both: Bool) -> I32:
    """The clusters that pay themselves twice in at least `COLLAPSE_PERCENT` of their pairs."""
    clusters, row, count = np.unique(payer, return_inverse=True, return_counts=True)
    twice = np.bincount(row[both], minlength=len(clusters))
    found: I32 = clusters[twice * 100 >= COLLAPSE_PERCENT * count]
    return found


def fit(vote: I8, first_is_change: Bool, origin: str) -> Weights:
    """Weights by logistic regression with a ridge on the first output's votes [N, FEATURES].

    There is no constant: which output comes first says nothing. Newton's method in floating point; what is returned is
    rounded to whole milli-nats. ValueError where there is nothing to fit, the shapes differ, or it does not settle.
    """
    if vote.shape != (len(first_is_change), FEATURES) or not len(vote):
        raise ValueError(f"votes of shape {vote.shape} for {len(first_is_change)} transactions")
    x, y = vote.astype(np.float64), first_is_change.astype(np.float64)
    beta = np.zeros(FEATURES)
    for _ in range(NEWTON_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -500, 500)))
        gradient = x.T @ (y - p) - RIDGE * beta
        curvature = (x * (p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(FEATURES)
        step = np.linalg.solve(curvature, gradient)
        beta += step
        if float(np.abs(step).max()) < CONVERGED:
            return Weights(np.rint(beta * NATS).astype(np.int64), False, origin)
    raise ValueError(f"the fit on {len(vote)} transactions did not settle in {NEWTON_STEPS} steps")


def fit_strata(vote: I8, first_is_change: Bool, of_stratum: I64, origin: str) -> dict[int, Weights]:
    """The weights of every stratum that occurs, each fitted on its own transactions."""
    return {
        int(each): fit(vote[of_stratum == each], first_is_change[of_stratum == each], f"{origin}; {stratum(int(each))}")
        for each in np.unique(of_stratum)
    }


def strata(votes: Votes, height: I32 | None = None) -> I64:
    """[R] the number of each row's stratum, by inputs, by what is spent and by era; `stratum` says which it is.

    `height`: [R] of each row's transaction, UNKNOWN where there is none; None: of none.
    """
    form = 2 * (np.clip(votes.inputs, 1, MANY_INPUTS).astype(np.int64) - 1) + votes.spent
    era = np.zeros(len(votes), np.int64) if height is None else np.where(height >= 0, height // ERA_BLOCKS + 1, 0)
    found: I64 = era * FORMS + form
    return found


def stratum(number: int) -> Stratum:
    """The stratum that `strata` gave a number."""
    era, form = divmod(number, FORMS)
    return Stratum(form // 2 + 1, form % 2 == 1, era - 1 if era else None)


def evaluate(score: I64, first_is_change: Bool, of_stratum: I64, thresholds: Sequence[int]) -> list[Rate]:
    """Rates of each stratum at each threshold. `score`: [N] milli-nats for the first output, negative for the other.

    A score of zero names none. ValueError where a threshold is not above zero.
    """
    if any(threshold <= 0 for threshold in thresholds):
        raise ValueError(f"thresholds are above zero: {list(thresholds)}")
    found = []
    for each in np.unique(of_stratum):
        here = of_stratum == each
        of, change = score[here], first_is_change[here]
        for threshold in thresholds:
            named = np.abs(of) >= threshold
            right = int(np.count_nonzero(named & ((of > 0) == change)))
            named_count = int(np.count_nonzero(named))
            found.append(Rate(int(each), threshold, int(np.count_nonzero(here)), right, named_count - right))
    return found
