"""The change of a transaction as an answer shows it: a lead with its evidence, on which nothing is joined."""

from __future__ import annotations

import numpy as np

from api.answers import text
from api.answers.transaction_shapes import Change, ChangeVote
from api.answers.view import DatasetView, has_everything
from chain.model import I64, UNKNOWN, OutputType, Proof
from chain.store.answers import StoredTransaction
from clustering.bitcoin.change.arrays import I8, LedgerArrays
from clustering.bitcoin.change.features import FACTS, LAST_MEASURED_HEIGHT
from clustering.bitcoin.change.kernels import MAX_OUTPUTS
from clustering.bitcoin.change.model import MARGIN, PUBLISHED_WEIGHTS, Lead, Standing, Vote, convention_words, lead
from clustering.bitcoin.change.votes import Surroundings, Votes, cast

LEAD_NOT_LINK = "a lead, not a link: it joins nothing, and its score is no probability; " + text.NO_FINDING
BY_CONVENTION = "change by convention: no feature was asked; " + text.NO_FINDING

MANY_PARTIES = "several parties may have made it, so that no output is the change of one payer"
NO_PAYER = "a coinbase has no payer"
ONE_OUTPUT = "fewer than two of its outputs can be spent"
BATCH = f"more than {MAX_OUTPUTS} of its outputs can be spent: a batch, of which no feature is measured"
NO_RATE = "no rate is published but for two outputs to different addresses: the votes make no score"
NOT_WHOLE = "the dataset does not hold the whole chain: no vote rests on an address being new or an output unspent"
NOT_STATED = "its block is stated, not proven by bytes: no vote rests on version, lock time, sequences or witnesses"
DRIFT = f"the published rates end at height {LAST_MEASURED_HEIGHT}, and this transaction is not known to be before it"


def change_of(view: DatasetView, row: StoredTransaction, *, mixed: bool) -> Change:
    """What may be said of the change of a transaction; `mixed`: it has a form that several parties may have made."""
    reason = _not_asked(view, row.tx, mixed)
    if reason is not None:
        return _empty(reason)
    first = int(view.columns.tx_first_output[row.tx])
    block = int(view.columns.tx_block[row.tx])
    found = lead(_votes(view, row), int(view.columns.block_height[block]))
    is_convention = found.standing is Standing.CONVENTION
    return {
        **_empty(None),
        "status": found.standing.value,
        "n": None if found.output is None else found.output - first,
        "address": None if found.output is None else view.output_address(found.output),
        "score_milli_nats": found.score,
        "stratum": None if found.stratum is None else str(found.stratum),
        "by_convention": [
            {"n": output - first, "address": view.output_address(output), "convention": convention_words(bits)}
            for output, bits in found.conventions.items()
        ],
        "votes": [_vote(view, vote, first) for vote in found.votes],
        "notes": [] if is_convention else _notes(view, block, found),
        "statement": BY_CONVENTION if is_convention else LEAD_NOT_LINK,
    }


def _empty(reason: str | None) -> Change:
    return {
        "status": "not asked",
        "n": None,
        "address": None,
        "score_milli_nats": None,
        "margin_milli_nats": MARGIN,
        "weights": PUBLISHED_WEIGHTS.origin,
        "stratum": None,
        "by_convention": [],
        "votes": [],
        "notes": [] if reason is None else [reason],
        "statement": LEAD_NOT_LINK,
    }


def _notes(view: DatasetView, block: int, found: Lead) -> list[str]:
    height = int(view.columns.block_height[block])
    notes = (
        (NO_RATE, found.score is None),
        (NOT_WHOLE, not has_everything(view)),
        (NOT_STATED, int(view.columns.block_proof[block]) == Proof.STATED),
        (DRIFT, not 0 <= height <= LAST_MEASURED_HEIGHT),
    )
    return [note for note, applies in notes if applies]


def _not_asked(view: DatasetView, tx: int, mixed: bool) -> str | None:
    at = view.columns
    first = int(at.tx_first_output[tx])
    types = at.output_type[first : first + int(at.tx_output_count[tx])]
    spendable = int(np.count_nonzero(types != OutputType.OP_RETURN))
    if at.tx_coinbase[tx]:
        return NO_PAYER
    if mixed:
        return MANY_PARTIES
    if spendable < 2:
        return ONE_OUTPUT
    return BATCH if spendable > MAX_OUTPUTS else None


def _votes(view: DatasetView, row: StoredTransaction) -> Votes:
    at = LedgerArrays.of(view.columns)
    outputs = at.outputs_of(row.tx)
    spender: I64 = np.array([row.spenders.get(output, UNKNOWN) for output in outputs], np.int64)
    around = Surroundings(spender, _fresh(view, at, row.tx), has_everything(view))
    labels = None if view.clustering is None else view.clustering.labels
    return cast(at, row.tx, row.tx + 1, around, np.zeros(1, np.bool_), labels)


def _fresh(view: DatasetView, at: LedgerArrays, tx: int) -> I8:
    """Whether an address is new in this transaction: it is its first, and none of its inputs names the address."""
    fresh = np.full(len(at.outputs_of(tx)), UNKNOWN, np.int8)
    spends = view.inputs_of(tx)
    payers = set(at.output_address[spends[spends >= 0]].tolist())
    for place, output in enumerate(at.outputs_of(tx)):
        address = int(at.output_address[output])
        facts = view.columns.activity.facts(address) if address >= 0 else None
        if facts is not None:
            fresh[place] = facts.first_tx == tx and address not in payers
    return fresh


def _vote(view: DatasetView, vote: Vote, first: int) -> ChangeVote:
    facts = FACTS[vote.feature]
    return {
        "feature": facts.name,
        "claim": facts.claim,
        "n": vote.output - first,
        "address": view.output_address(vote.output),
        "weight_milli_nats": vote.weight,
        "counted": bool(vote.counted),
        "precision": _share(facts.precision_ppm),
        "precision_lower_95": _share(facts.lower_ppm),
        "trials": facts.trials,
        "coverage": _share(facts.coverage_ppm),
        "measured": facts.measured,
        "source": facts.source,
    }


def _share(ppm: int | None) -> str | None:
    """Parts per million as a decimal fraction, exact. `959800` -> `0.9598`."""
    if ppm is None:
        return None
    return f"{ppm // 1_000_000}.{ppm % 1_000_000:06d}".rstrip("0").rstrip(".")
