"""The change part of a transaction's answer, and change in real transactions."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from api.answers.change import BATCH, DRIFT, MANY_PARTIES, NO_PAYER, NO_RATE, NOT_STATED, NOT_WHOLE, ONE_OUTPUT
from api.answers.view import DatasetView
from api.cli.tx import change_lines
from chain.bitcoin.build import (
    Payment,
    Spend,
    Transaction,
    block,
    block_hash,
    coinbase,
    regtest_genesis,
    script_for,
)
from chain.bitcoin.network import MAINNET, REGTEST
from chain.model import UNKNOWN, AddressKind, hash_text
from clustering.bitcoin import coinjoin
from clustering.bitcoin.change.arrays import LedgerArrays
from clustering.bitcoin.change.features import (
    FACTS,
    FIRST_FINGERPRINT,
    Convention,
    Feature,
)
from clustering.bitcoin.change.fingerprint import fingerprints
from clustering.bitcoin.change.fingerprint import reference as reference_fingerprint
from clustering.bitcoin.change.measure import pairs
from clustering.bitcoin.change.model import MARGIN, PUBLISHED_WEIGHTS, scores
from clustering.bitcoin.change.votes import Surroundings, Votes, cast, freshness, window
from clustering.bitcoin.ledger import Ledger
from clustering.simulate.sample import sample_chain
from tests.unit.answering import A, B, C, output, spend, transaction
from tests.unit.blocks import batch_of, real_blocks
from tests.unit.views import _view, extract_view, full_view, named, row

OP_RETURN = output(None, 0)

ROWS = [
    row(1, [spend(100, 0, output(A, 700_000))], [output(B, 100_000), output(C, 598_765)]),
    row(2, [spend(101, 0, output(A, 700_000))], [output(B, 100_000), output(A, 599_000)]),
    row(3, [spend(102, 0, output(A, 700_000))], [output(B, 100_000), output(C, 500_000), output(B, 9)]),
    row(4, [spend(103, 0, output(A, 700_000))], [output(B, 100_000), OP_RETURN]),
    row(5, [spend(104, 0, output(A, 700_000))], [output(B, 10_000)] * 11),
    row(6, [spend(105, 0, output(A, 9_000)), spend(106, 0, output(B, 9_000))], [output(C, 4_000)] * 2 + [OP_RETURN]),
    {**row(7, [], [output(B, 5_000), output(C, 5_001)], is_coinbase=True, index=0)},
    row(8, [spend(120, 0, output(A, 700_000))], [output(B, 100_000), output(C, 500_000)], block_number=None),
]  # fmt: skip


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> DatasetView:
    return extract_view(tmp_path_factory.mktemp("change"), ROWS)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DatasetView:
    return full_view(tmp_path_factory.mktemp("demo"), sample_chain().blocks)


def change(view: DatasetView, number: int) -> Any:
    (answer,) = transaction(view, named("tx", number))
    return answer["change"]


def test_a_lead_is_shown_with_its_evidence_and_joins_nothing(some: DatasetView) -> None:
    found = change(some, 1)
    assert (found["status"], found["n"], found["address"]) == ("lead", 1, C)
    assert found["score_milli_nats"] == 3_504
    assert found["margin_milli_nats"] == MARGIN
    assert found["stratum"] == "1 input, not both outputs spent, heights 473040 to 525599"
    assert "joins nothing" in found["statement"]
    assert [vote["feature"] for vote in found["votes"]] == ["round value"]
    assert found["votes"][0] == {
        "feature": "round value",
        "claim": FACTS[Feature.ROUND_VALUE].claim,
        "n": 1,
        "address": C,
        "weight_milli_nats": 3_504,
        "counted": True,
        "precision": "0.9708",
        "precision_lower_95": "0.970686",
        "trials": 18_986_124,
        "coverage": "0.539",
        "measured": FACTS[Feature.ROUND_VALUE].measured,
        "source": FACTS[Feature.ROUND_VALUE].source,
    }
    assert found["notes"] == [NOT_WHOLE, NOT_STATED]
    (answer,) = transaction(some, named("tx", 1))
    assert answer["links"] == []


def test_a_return_to_an_input_is_change_by_convention(some: DatasetView) -> None:
    found = change(some, 2)
    assert (found["status"], found["n"], found["votes"], found["notes"]) == ("by convention", None, [], [])
    assert found["by_convention"] == [
        {"n": 1, "address": A, "convention": "change paid back to an input's own address"}
    ]
    assert "by convention" in found["statement"]


@pytest.mark.parametrize(
    ("number", "status", "note"),
    [
        (3, "undecided", NO_RATE),
        (4, "not asked", ONE_OUTPUT),
        (5, "not asked", BATCH),
        (6, "not asked", MANY_PARTIES),
        (7, "not asked", NO_PAYER),
        (8, "undecided", DRIFT),
    ],
)
def test_why_nothing_is_named(some: DatasetView, number: int, status: str, note: str) -> None:
    found = change(some, number)
    assert (found["status"], found["n"]) == (status, None)
    assert note in found["notes"]


def test_what_a_shell_prints(some: DatasetView) -> None:
    lines = "\n".join(change_lines(change(some, 1)))
    assert f"change       lead: output 1, {C}" in lines
    assert "1: round value  +3504 (precision 0.9708)" in lines
    assert "joins nothing" in lines
    assert "change paid back to an input's own address" in "\n".join(change_lines(change(some, 2)))


def test_one_transaction_is_answered_as_a_scan_over_all_votes(demo: DatasetView) -> None:
    """Freshness from the index of activity, spenders one by one: the same as in bulk."""
    at = LedgerArrays.of(demo.columns)
    votes = scan(demo, whole=True)
    shown = 0
    for tx in range(demo.columns.tx_count):
        (answer,) = transaction(demo, demo.txid(tx))
        found = answer["change"]
        rows = np.flatnonzero(votes.tx == tx)
        assert (found["status"] == "not asked") == (not len(rows))
        if found["status"] in ("not asked", "by convention"):
            assert bool(votes.convention[rows].any()) == (found["status"] == "by convention")
            continue
        expected = {
            (FACTS[feature].name, int(votes.output[row] - at.tx_first_output[tx]))
            for row in rows
            for feature in Feature
            if votes.vote[row, feature] > 0
        }
        assert {(vote["feature"], vote["n"]) for vote in found["votes"]} == expected
        shown += len(expected)
    assert shown > 20


# A chain by hand: freshness and fingerprints of real bytes


def test_a_payment_on_a_whole_chain_has_votes_of_freshness_and_fingerprints(tmp_path: Path) -> None:
    miner, payee, fresh, shop, other = (
        script_for(bytes([AddressKind.WITNESS_KEY_HASH]) + bytes([number]) * 20) for number in range(1, 6)
    )
    blocks, minted = [regtest_genesis(REGTEST)], []

    def mine(to: bytes, *transactions: Transaction) -> None:
        minted.append(coinbase(len(blocks), [Payment(5_000_000_000, to)]))
        moment = 1_700_000_000 + 600 * len(blocks)
        blocks.append(block(block_hash(blocks[-1]), moment, [minted[-1], *transactions]))

    for height in range(102):
        mine(payee if height == 0 else miner)
    pay = Transaction(
        (Spend(minted[1].txid, 0),), (Payment(100_000_000, payee), Payment(4_899_990_000, fresh)), lock_time=50
    )
    mine(miner, pay)
    theirs = Transaction((Spend(pay.txid, 0),), (Payment(99_990_000, shop),), version=1)
    ours = Transaction((Spend(pay.txid, 1),), (Payment(99_000_000, shop), Payment(4_800_000_000, other)), lock_time=60)
    mine(miner, theirs, ours)
    view = full_view(tmp_path, blocks, "chain")
    (answer,) = transaction(view, hash_text(pay.txid))
    found = answer["change"]
    assert (found["status"], found["n"]) == ("lead", 1)
    assert {vote["feature"] for vote in found["votes"] if vote["n"] == 1} == {
        "shadow", "Meiklejohn, local", "round value", "peeling chain", "fingerprint: version",
        "fingerprint: lock time", "fingerprint: inputs and outputs", "fingerprint: outputs",
    }  # fmt: skip
    assert {vote["n"] for vote in found["votes"]} == {1}
    assert found["score_milli_nats"] == 3_173 + 3_504 + 4_178 + 4_647 + 895
    assert found["stratum"] == "1 input, both outputs spent, heights 0 to 52559"
    assert found["notes"] == []


# Real transactions


def scan(view: DatasetView, *, whole: bool) -> Votes:
    """The votes on every transaction of a view, by one scan."""
    at = LedgerArrays.of(view.columns)
    count = view.columns.tx_count
    mixed = ~coinjoin.joins(coinjoin.classify(Ledger.of(view.columns), 0, count))
    around = Surroundings(view.columns.spender()[window(at, 0, count)], freshness(at, 0, count), whole)
    labels = None if view.clustering is None else view.clustering.labels
    return cast(at, 0, count, around, mixed, labels)


@pytest.fixture(scope="module")
def real(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[DatasetView, list[Any]]:
    with lzma.open(data / "bitcoin" / "transactions.jsonl.xz") as lines:
        rows = [orjson.loads(line) for line in lines]
    return extract_view(tmp_path_factory.mktemp("real"), rows), rows


def test_real_change_that_returns_to_an_input(real: tuple[DatasetView, list[Any]]) -> None:
    """Counted a second time from the rows as the file has them."""
    view, rows = real
    votes = scan(view, whole=False)
    found = {view.txid(tx) for tx in votes.tx[votes.convention & Convention.SELF != 0].tolist()}
    voted = {view.txid(tx) for tx in votes.tx.tolist()}
    expected = set()
    for each in rows:
        payers = {tuple(coin["addresses"]) for coin in each["inputs"] if coin.get("addresses")}
        if any(tuple(made["addresses"] or ()) in payers for made in each["outputs"]) and each["hash"] in voted:
            expected.add(each["hash"])
    assert found == expected
    assert len(found) > 1_000


def test_votes_on_real_transactions_are_not_absurd(real: tuple[DatasetView, list[Any]]) -> None:
    view, _ = real
    votes = scan(view, whole=False)
    first = pairs(votes)
    asked = first[(votes.convention[first] | votes.convention[first + 1]) == 0]
    share = {feature: float((votes.vote[asked, feature] != 0).mean()) for feature in Feature}
    assert len(asked) > 1_000
    assert 0.2 < share[Feature.OPTIMAL] < 0.6
    assert 0.3 < share[Feature.ROUND_VALUE] < 0.8
    assert share[Feature.OPTIMAL_FEE] < share[Feature.OPTIMAL]
    assert not votes.vote[:, [Feature.SHADOW, Feature.MEIKLEJOHN]].any(), "an extract never knows what is new"
    assert not votes.vote[:, [Feature.VERSION, Feature.LOCK_TIME, Feature.RBF, Feature.SEGWIT]].any(), "not stated"
    leads = np.abs(scores(votes.vote[asked], PUBLISHED_WEIGHTS)) >= MARGIN
    assert 0.2 < float(leads.mean()) < 0.9


def test_fingerprints_of_real_blocks(data: Path, tmp_path: Path) -> None:
    """A block of segwit's first days: known shares, and the kernel against its twin on real bytes."""
    (raw,) = (raw for height, raw in real_blocks(data) if height == 481_815)
    view = _view(tmp_path, "block", MAINNET, "extract", [batch_of([raw], MAINNET)])
    at = LedgerArrays.of(view.columns)
    txs = np.flatnonzero(at.tx_coinbase == 0).astype(np.int64)
    marks = fingerprints(at, txs)
    few = txs[:: len(txs) // 40]
    assert fingerprints(at, few).tolist() == [reference_fingerprint(at, tx) for tx in few.tolist()]
    assert len(txs) > 1_000
    versions = marks[:, Feature.VERSION - FIRST_FINGERPRINT]
    assert 0.05 < float((versions == 1).mean()) < 0.6
    assert not (marks[:, Feature.SEGWIT - FIRST_FINGERPRINT] == 1).any(), "segwit began at height 481,824"
    unconfirmed = marks[:, Feature.ZERO_CONF - FIRST_FINGERPRINT]
    assert 0 < int((unconfirmed == 1).sum()) < len(txs) // 2
    assert UNKNOWN not in unconfirmed
