"""Answers, built from columns without a database, on the sample chain and on an extract with gaps."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from api.answers import run_shapes, shapes
from api.answers.address import LOOKUP_ADDRESSES, address_body, lookup_body, transactions_page
from api.answers.cluster import cluster_body, links_page, members_page, of_handle
from api.answers.explain import explain_body
from api.answers.history import history_body
from api.answers.naming import Handle, read_handle
from api.answers.opening import RunExpired
from api.answers.pages import CursorExpired, Place
from api.answers.past import REOPENED_RUNS, pasts
from api.answers.text import bitcoin, moment
from api.answers.transaction import Stored, read_txid, transaction_body
from api.answers.view import DatasetView, InvalidParameter
from chain.bitcoin import address as codec
from chain.bitcoin.network import MAINNET, REGTEST
from chain.errors import AddressError, LimitExceeded, NotFound
from chain.model import AddressKind
from chain.source import Tip
from chain.store.answers import StoredTransaction
from chain.store.links import Run
from clustering.simulate.sample import Sample, sample_chain
from tests.unit.views import clustering_of, extract_view, full_view, named, row

BANNED = re.compile(r"\b(owners?|criminals?|stolen|clean|verdicts?)\b", re.IGNORECASE)
"""EVIDENCE 18."""

A, B, C = (codec.encode(bytes([AddressKind.WITNESS_KEY_HASH]) + bytes([number]) * 20, MAINNET) for number in (1, 2, 3))

Body = Any


def output(address: str | None, value: int | None) -> dict[str, Any]:
    """An output of a bitcoin-etl row; without an address it is an OP_RETURN."""
    if address is None:
        return {"value": value, "addresses": [], "type": "nulldata"}
    return {"value": value, "addresses": [address], "type": "witness_v0_keyhash"}


def spend(number: int, index: int, said: dict[str, Any] | None = None) -> dict[str, Any]:
    """An input that spends an output of transaction `number`; `said`: what its row says of that output."""
    return {"spent_transaction_hash": named("tx", number), "spent_output_index": index, **(said or {})}


SWEEP = 30
"""Height of the sample's block in which the sale spends its deposits together."""

ROWS = [
    row(1, [spend(100, 0, output(A, 700)), spend(100, 1, output(B, 400))], [output(C, 1_000), output(None, 0)]),
    row(2, [spend(1, 0), spend(101, 3)], [output(A, 900), output(A, 50)]),
    row(3, [spend(2, 1)], [output(B, 40)], block_number=None),
    {**row(4, [], [output(C, 5_000)], is_coinbase=True, index=0), "hash": named("twice")},
    {**row(5, [], [output(C, 5_000)], is_coinbase=True, index=0), "hash": named("twice")},
]
"""Transaction 2 spends an output of which nothing is stated; one txid is there twice (BIP 30)."""


@pytest.fixture(scope="module")
def sample() -> Sample:
    return sample_chain()


@pytest.fixture(scope="module")
def demo(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> DatasetView:
    return full_view(tmp_path_factory.mktemp("demo"), sample.blocks)


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> DatasetView:
    return extract_view(tmp_path_factory.mktemp("some"), ROWS)


def key(sample: Sample, wallet: str, number: int) -> str:
    return codec.encode(sample.wallet(wallet).keys[number], REGTEST)


def has_shape(body: Body, shape: Any) -> Body:
    """A body is exactly of its shape: no field more, none of another type; no word that must not be there."""
    plain = orjson.loads(orjson.dumps(body))
    assert TypeAdapter(shape).validate_python(plain, strict=True) == plain
    assert not BANNED.search(orjson.dumps(body).decode())
    return plain


def stored(view: DatasetView, txid: str) -> list[Stored]:
    """What the database would say of a txid: every transaction of it, and who spends its outputs."""
    columns = view.columns
    spender = columns.spender()
    found: list[Stored] = []
    for tx in range(columns.tx_count):
        if view.txid(tx) == txid:
            first = int(columns.tx_first_output[tx])
            outputs = range(first, first + int(columns.tx_output_count[tx]))
            by = {place: int(spender[place]) for place in outputs if spender[place] >= 0}
            found.append((view, StoredTransaction(tx, by, [])))
    return found


def transaction(view: DatasetView, txid: str) -> list[Body]:
    body = transaction_body("btc", [view], read_txid(txid), stored(view, txid))
    answers: list[Body] = has_shape(body, shapes.TransactionBody)["answers"]
    return answers


# Words and amounts


@given(st.integers(-(2**63), 2**63))
def test_bitcoin_is_exact(satoshi: int) -> None:
    written = bitcoin(satoshi)
    assert int(written.replace(",", "").replace(".", "")) == satoshi
    assert len(written.partition(".")[2]) == 8


def test_a_value_not_stated_is_not_zero() -> None:
    assert bitcoin(None) == "not stated"
    assert bitcoin("0") == "0.00000000"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0, "1970-01-01T00:00:00Z"), (1231006505, "2009-01-03T18:15:05Z"), (2**32 - 1, "2106-02-07T06:28:15Z"),
     (2**60, None)],
)  # fmt: skip
def test_times_are_rfc_3339(seconds: int, written: str | None) -> None:
    assert moment(seconds) == written


# Addresses


def test_the_sample_s_deposit_address(demo: DatasetView, sample: Sample) -> None:
    body = has_shape(address_body("btc", [demo], key(sample, "sale", 3)), shapes.AddressBody)
    (answer,) = body["answers"]
    assert body["observed"] is True
    assert answer["as_of"]["height"] == 39
    assert answer["as_of"]["final"] is False
    assert answer["facts"]["balance"] == answer["facts"]["net"] == "0"
    assert answer["cluster"]["id"] == f"demo/L0/{key(sample, 'sale', 0)}@1"
    assert answer["cluster"]["size"] == 12
    assert answer["cluster"]["links"][0]["wording"] == "by the co-spend convention"
    assert answer["cluster"]["links"][0]["rate"] == "not measured: never tried on field or emulated data"
    assert answer["cluster"]["statement"].endswith("this is not a finding of ownership or illegality")


def test_an_address_is_normalised(demo: DatasetView, sample: Sample) -> None:
    written = key(sample, "miner", 0)
    assert address_body("btc", [demo], written.upper())["address"] == written


def test_as_of_a_height_facts_and_cluster_are_those_of_then(demo: DatasetView, sample: Sample) -> None:
    """Sums as of each height equal sums over the transactions up to it."""
    written = key(sample, "sale", 3)
    address = demo.address_id(sample.wallet("sale").keys[3])
    items = transactions_page("btc", [demo], written, None, 100)[0]["answers"][0]["items"]
    for height in range(40):
        body = has_shape(address_body("btc", [demo], written, height), shapes.AddressBody)
        seen = [item for item in items if item["height"] is not None and item["height"] <= height]
        assert body["observed"] is bool(seen)
        if not seen:
            assert body["answers"] == []
            continue
        (answer,) = body["answers"]
        assert answer["facts"]["received"] == str(sum(int(item["received"] or "") for item in seen))
        assert answer["facts"]["tx_count"] == len(seen)
        assert answer["as_of"]["height"] == height
        assert answer["as_of"]["final"] is (height <= 33)
        size = len(demo.clustering.cluster_of(address)) if demo.clustering and height >= SWEEP else 1
        assert answer["cluster"]["size"] == size
        assert sum(each["count"] for each in answer["cluster"]["links"]) >= size - 1


def test_sums_of_a_cluster_as_of_its_last_block_are_the_kept_ones(demo: DatasetView, sample: Sample) -> None:
    written = key(sample, "sale", 0)
    (kept,) = address_body("btc", [demo], written)["answers"]
    (summed,) = address_body("btc", [demo], written, 38)["answers"]
    assert kept["cluster"] is not None
    assert summed["cluster"] is not None
    assert kept["cluster"]["summary"] == summed["cluster"]["summary"]
    assert kept["cluster"]["links"] == summed["cluster"]["links"]


def test_a_height_that_no_dataset_reaches_is_refused_by_name(demo: DatasetView, sample: Sample) -> None:
    written = key(sample, "sale", 0)
    with pytest.raises(InvalidParameter, match="demo: as of 40 is beyond its tip at height 39"):
        address_body("btc", [demo], written, 40)
    for height in (-1, 2**31):
        with pytest.raises(InvalidParameter, match="a height is between"):
            address_body("btc", [demo], written, height)
    with pytest.raises(InvalidParameter, match="L0 is the only one"):
        address_body("btc", [demo], written, None, "L1")


def test_never_seen_is_not_the_same_as_not_covered(demo: DatasetView, some: DatasetView) -> None:
    never = codec.encode(bytes([AddressKind.TAPROOT]) + bytes(32), MAINNET)
    body = has_shape(address_body("btc", [demo, some], never), shapes.AddressBody)
    assert (body["observed"], body["answers"]) == (False, [])
    assert [each["observed"] for each in body["asked"]] == [None, False]
    assert body["asked"][0]["reason"] == "its network is main" or body["asked"][0]["reason"] == "its network is regtest"
    assert body["asked"][1]["as_of"] is not None


def test_an_address_of_no_dataset_s_network_is_refused(demo: DatasetView) -> None:
    with pytest.raises(AddressError):
        address_body("btc", [demo], A)


def test_an_extract_has_no_balance_and_no_depth(some: DatasetView) -> None:
    (answer,) = has_shape(address_body("btc", [some], C), shapes.AddressBody)["answers"]
    assert answer["facts"]["balance"] is None
    assert answer["facts"]["net"] == str(1_000 + 5_000 + 5_000 - 1_000)
    assert answer["as_of"]["final"] is None
    assert answer["coverage"]["kind"] == "extract"
    assert answer["coverage"]["blocks_proven_by_bytes"] == 0
    assert answer["coverage"]["inputs_from_outside"] == 3
    assert answer["coverage"]["unknown_values"] == 1


def test_one_txid_in_two_blocks_is_two_entries_and_pages_keep_them_apart(some: DatasetView) -> None:
    found: list[Body] = []
    place: Place | None = None
    for _ in range(10):
        body, place = transactions_page("btc", [some], C, place, 1)
        has_shape(body, shapes.AddressTransactionsBody)
        found += body["answers"][0]["items"]
        if place is None:
            break
    assert [item["height"] for item in found] == [500_005, 500_004, 500_002, 500_001]
    assert [item["txid"] for item in found[:2]] == [named("twice")] * 2


def test_a_place_of_another_epoch_or_tip_has_expired(some: DatasetView) -> None:
    _, place = transactions_page("btc", [some], C, None, 1)
    assert place is not None
    assert place.epoch == some.epoch
    for wrong in (
        Place(place.dataset, place.epoch + 1, place.tip_height, place.tip_hash, None, place.after),
        Place(place.dataset, place.epoch, place.tip_height, "00" * 32, None, place.after),
        Place(place.dataset, place.epoch, place.tip_height, place.tip_hash, None, ["00" * 32, "00" * 32]),
        Place("other", place.epoch, place.tip_height, place.tip_hash, None, place.after),
    ):
        with pytest.raises(CursorExpired):
            transactions_page("btc", [some], C, wrong, 1)


def test_pages_go_through_one_dataset_after_another(some: DatasetView, tmp_path: Path) -> None:
    other = extract_view(tmp_path, ROWS, "tother")
    whole = transactions_page("btc", [some, other], C, None, 100)[0]["answers"]
    assert [answer["dataset"] for answer in whole] == ["some", "tother"]
    pieces: list[tuple[str, Body]] = []
    place: Place | None = None
    for _ in range(20):
        body, place = transactions_page("btc", [some, other], C, place, 3)
        assert sum(len(answer["items"]) for answer in body["answers"]) <= 3
        pieces += [(answer["dataset"], item) for answer in body["answers"] for item in answer["items"]]
        if place is None:
            break
    assert pieces == [(answer["dataset"], item) for answer in whole for item in answer["items"]]


def test_lookup_gives_each_row_its_own_answer(demo: DatasetView, some: DatasetView, sample: Sample) -> None:
    rows = [key(sample, "sale", 1), "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", A, "1A1z", ""]
    body = has_shape(lookup_body("btc", [demo, some], rows), shapes.LookupBody)
    assert [each["status"] for each in body["rows"]] == ["ok", "invalid", "ok", "invalid", "invalid"]
    assert rows[1] not in orjson.dumps(body).decode(), "a private key was repeated"
    assert body["rows"][2]["answers"][0]["cluster"]["size"] == 2
    assert [answer["observed"] for answer in body["answers"]] == [1, 1]
    with pytest.raises(LimitExceeded, match="at most 1000 addresses"):
        lookup_body("btc", [demo], rows * (LOOKUP_ADDRESSES // 4))


# Transactions


def test_what_is_not_stated_is_null_and_what_lies_outside_is_marked(some: DatasetView) -> None:
    (answer,) = transaction(some, named("tx", 2))
    (movement,) = answer["movements"]
    assert movement["debits"] == [
        {
            "outpoint": f"{named('tx', 1)}:0",
            "address": C,
            "type": "p2wpkh",
            "value": "1000",
            "outside": False,
        },
        {
            "outpoint": f"{named('tx', 101)}:3",
            "address": None,
            "type": "unstated",
            "value": None,
            "outside": True,
        },
    ]
    assert answer["fee"] is None
    assert movement["credits"][-1] == {
        "n": None,
        "address": None,
        "type": "fee",
        "value": None,
        "spent_by": None,
    }
    assert [credit["spent_by"] for credit in movement["credits"]] == [None, named("tx", 3), None]
    (first,) = transaction(some, named("tx", 1))
    assert first["movements"][0]["credits"][1] == {
        "n": 1, "address": None, "type": "op_return", "value": "0", "spent_by": None,
    }  # fmt: skip
    assert first["fee"] == "100"
    assert first["block"]["proof"] == "stated"


def test_both_transactions_of_one_txid_are_shown(some: DatasetView) -> None:
    answers = transaction(some, named("twice"))
    assert [answer["block"]["height"] for answer in answers] == [500_004, 500_005]
    for answer in answers:
        assert answer["coinbase"] is True
        assert answer["movements"][0]["debits"] == []


def test_every_movement_of_the_sample_conserves_value(demo: DatasetView) -> None:
    for tx in range(demo.columns.tx_count):
        (answer,) = transaction(demo, demo.txid(tx))
        (movement,) = answer["movements"]
        debits = sum(int(debit["value"]) for debit in movement["debits"])
        credits_ = sum(int(credit["value"]) for credit in movement["credits"])
        assert answer["coinbase"] or debits == credits_
        assert not any(debit["outside"] for debit in movement["debits"])


def test_the_sample_has_one_coinjoin_and_it_is_named_with_its_rule(demo: DatasetView) -> None:
    classes = [transaction(demo, demo.txid(tx))[0]["class"] for tx in range(demo.columns.tx_count)]
    (joined,) = [each for each in classes if each["name"] == "coinjoin"]
    assert (joined["form"], joined["protocol"]) == ("JoinMarket", "JoinMarket")
    assert joined["why"].endswith("most frequent value: 1.00000000 BTC, 5 times")
    assert "graphsense" in joined["source"]
    assert joined["effect"].startswith("it joins no addresses")
    assert {each["name"] for each in classes} == {"none", "coinjoin", "ambiguous"}


@pytest.mark.parametrize("txid", ["", "zz" * 32, "00" * 31, "0" * 63 + " ", "٠" * 64, "00" * 32 + "00"])
def test_what_is_no_txid_is_refused(txid: str) -> None:
    with pytest.raises(InvalidParameter, match="64 hex digits"):
        read_txid(txid)


def test_an_unknown_txid_says_where_it_was_looked_for(some: DatasetView, demo: DatasetView) -> None:
    with pytest.raises(NotFound, match=r"demo \(as of block 39\), some \("):
        transaction_body("btc", [demo, some], bytes(32), [])


# Clusters


def test_a_handle_leads_to_its_cluster_whichever_member_it_names(demo: DatasetView, sample: Sample) -> None:
    for number in range(12):
        found = of_handle([demo], Handle("demo", "L0", key(sample, "sale", number), None))
        body = has_shape(cluster_body("btc", found), shapes.ClusterBody)
        assert body["id"] == f"demo/L0/{key(sample, 'sale', 0)}@1"
        assert body["answers"][0]["cluster"]["size"] == 12


@pytest.mark.parametrize("rest", ["x@", "x@a", "x@-1", "x@1@2", "x@" + "9" * 10, "x@٣"])
def test_a_handle_ends_in_the_number_of_a_run(rest: str) -> None:
    with pytest.raises(NotFound):
        read_handle("demo", "L0", rest)


def test_members_and_links_page_by_page_are_all_of_them_once(demo: DatasetView, sample: Sample) -> None:
    found = of_handle([demo], Handle("demo", "L0", key(sample, "sale", 0), 1))
    for page_of, shape, count in (
        (members_page, shapes.MembersBody, 12),
        (links_page, shapes.ClusterLinksBody, 22),
    ):
        whole, end = page_of("btc", found, None, 1_000)
        assert end is None
        items = has_shape(whole, shape)["answers"][0]["items"]
        assert len(items) == count
        for limit in (1, 5, count):
            pieces: list[Body] = []
            place: Place | None = None
            while True:
                body, place = page_of("btc", found, place, limit)
                pieces += body["answers"][0]["items"]
                if place is None:
                    break
            assert pieces == items


def test_a_place_of_another_run_has_expired(demo: DatasetView, sample: Sample) -> None:
    handle = Handle("demo", "L0", key(sample, "sale", 0), None)
    _, place = members_page("btc", of_handle([demo], handle), None, 5)
    later = demo.with_clustering(clustering_of(demo.columns, 2))
    with pytest.raises(CursorExpired):
        members_page("btc", of_handle([later], handle), place, 5)


def test_history_gives_the_size_in_each_run_and_says_where_it_did_not_look(demo: DatasetView, sample: Sample) -> None:
    """A run of history is compared with a clustering that was made of that part of the ledger alone."""
    found = of_handle([demo], Handle("demo", "L0", key(sample, "sale", 0), None))
    runs = []
    for number, height in ((3, 39), (2, SWEEP), (1, SWEEP - 1), (0, 5)):
        txs = demo.at_height(height).txs
        then = clustering_of(demo.columns, number, txs)
        addresses = int(demo.columns.output_address[: int(demo.columns.tx_first_output[txs - 1]) + 1].max()) + 1
        runs.append(Run(number, "L0", 1, txs, addresses, Tip(height, bytes(32)), {}, "0", len(then.links), 0, "00"))
        if found.address < addresses:
            assert len(then.cluster_of(found.address)) == (12 if height >= SWEEP else 1)
    newest = demo.with_clustering(clustering_of(demo.columns, 3))
    found = of_handle([newest], Handle("demo", "L0", key(sample, "sale", 0), None))
    other = replace(runs[-1], run_id=-1, epoch=2)
    past = asyncio.run(pasts(newest, [*runs, other], refused))
    body = has_shape(history_body("btc", found, [*runs, other], past, []), run_shapes.HistoryBody)
    items = body["answers"][0]["items"]
    assert [item["size"] for item in items] == [12, 12, 1, None, None]
    assert [[event["event"] for event in item["events"] or []] for item in items] == [[], ["merged"], ["grew"], [], []]
    (merged,) = items[1]["events"]
    assert (merged["count"], sorted(each["size"] for each in merged["clusters"])) == (12, [1] * 12)
    assert {each["id"].partition("@")[2] for each in merged["clusters"]} == {"1"}
    assert (items[3]["note"], items[3]["events"]) == ("the address was not observed yet", [])
    assert items[4]["note"].startswith("not looked at: the ledger was rolled back")


async def refused(run: int) -> DatasetView:
    raise RunExpired(f"run {run} cannot be opened")


def test_runs_that_were_judged_otherwise_are_opened_again_a_few_times(demo: DatasetView) -> None:
    """Runs 1 to 9 of the same transactions, each of which judged the first one otherwise than the one before."""
    txs, addresses = demo.columns.tx_count, demo.columns.address_count
    runs = [Run(n, "L0", 1, txs, addresses, None, {}, "0", 0, 0, "", changed_from=0) for n in range(9, 0, -1)]
    newest, opened = demo.with_clustering(clustering_of(demo.columns, 9)), []

    async def reopen(run: int) -> DatasetView:
        opened.append(run)
        return demo.with_clustering(clustering_of(demo.columns, run))

    past = asyncio.run(pasts(newest, runs, reopen))
    assert opened == [8, 7, 6, 5, 4][:REOPENED_RUNS]
    notes = [each for each in past if isinstance(each, str)]
    assert len(notes) == 3
    assert all("had to be opened again" in note for note in notes)
    late = asyncio.run(pasts(newest, [replace(runs[0], run_id=10), *runs[:2]], refused))
    assert [str(each)[:14] for each in (late[0], late[2])] == ["not looked at:"] * 2
    opened.clear()
    runs = [replace(run, changed_from=None if run.run_id < 6 else 0) for run in runs[3:]]
    past = asyncio.run(pasts(demo.with_clustering(clustering_of(demo.columns, 6)), runs, reopen))
    assert (opened, [isinstance(each, str) for each in past]) == ([5], [False] * 6), "one serves those below it"


# Explain


@pytest.mark.parametrize("order", [(1, 2, 3, 4, 5), (5, 4, 3, 2, 1), (3, 1, 5, 2, 4)])
def test_the_chain_leads_link_by_link_from_one_to_the_other(tmp_path: Path, order: tuple[int, ...]) -> None:
    """Six addresses, of which each two neighbours spend together once, in any order of the transactions."""
    kind = bytes([AddressKind.WITNESS_KEY_HASH])
    line = [codec.encode(kind + bytes([number]) * 20, MAINNET) for number in range(6)]
    rows = [
        row(number, [spend(50 + number, n, output(line[place - n], 10)) for n in (0, 1)], [output(C, 20)])
        for number, place in enumerate(order)
    ]
    view = extract_view(tmp_path, rows)
    for a, b in ((0, 5), (5, 0), (2, 4)):
        body = has_shape(explain_body("btc", [view], line[a], line[b]), shapes.ExplainBody)
        (answer,) = body["answers"]
        step = 1 if b > a else -1
        way = [line[place] for place in range(a, b + step, step)]
        assert [(link["a"], link["b"]) for link in answer["links"]] == list(pairwise(way))
        assert answer["link_count"] == abs(b - a)
        for link in answer["links"]:
            (tx,) = transaction(view, link["txid"])
            assert {debit["address"] for debit in tx["movements"][0]["debits"]} == {link["a"], link["b"]}


def test_where_no_chain_leads_each_side_says_where_it_is(demo: DatasetView, sample: Sample) -> None:
    a, b = key(sample, "sale", 0), key(sample, "investor 1", 0)
    body = has_shape(explain_body("btc", [demo], a, b), shapes.ExplainBody)
    (answer,) = body["answers"]
    assert (body["connected"], answer["connected"], answer["links"]) == (False, False, [])
    assert answer["a"]["cluster"]["id"] != answer["b"]["cluster"]["id"]
    never = codec.encode(bytes([AddressKind.TAPROOT]) + bytes(32), REGTEST)
    (answer,) = has_shape(explain_body("btc", [demo], a, never), shapes.ExplainBody)["answers"]
    assert answer["b"] == {
        "address": never,
        "observed": False,
        "cluster": None,
        "note": "not observed as of block 39",
    }
    assert has_shape(explain_body("btc", [demo], never, never), shapes.ExplainBody)["answers"] == []


def test_an_address_and_itself(demo: DatasetView, sample: Sample) -> None:
    a = key(sample, "sale", 0)
    (answer,) = has_shape(explain_body("btc", [demo], a, a), shapes.ExplainBody)["answers"]
    assert (answer["connected"], answer["link_count"]) == (True, 0)
    assert answer["reason"] == "they are one address"


def test_explain_as_of_a_height_before_the_link(demo: DatasetView, sample: Sample) -> None:
    a, b = key(sample, "sale", 0), key(sample, "sale", 11)
    (now,) = explain_body("btc", [demo], a, b)["answers"]
    height = max(link["height"] or 0 for link in now["links"])
    (then,) = explain_body("btc", [demo], a, b, height)["answers"]
    (before,) = explain_body("btc", [demo], a, b, height - 1)["answers"]
    assert (then["connected"], before["connected"]) == (True, False)
    assert then["links"] == now["links"]


# Limits


def test_what_a_limit_cuts_is_named(demo: DatasetView, sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.answers.transaction.MOVEMENT_ROWS", 5)
    deposit = key(sample, "sale", 0)
    items = transactions_page("btc", [demo], deposit, None, 100)[0]["answers"][0]["items"]
    (answer,) = transaction(demo, items[0]["txid"])
    assert answer["input_count"] == 12
    assert len(answer["movements"][0]["debits"]) == 5
    assert [limit["limit"] for limit in answer["limits_hit"]] == ["debits"]

    monkeypatch.setattr("api.answers.cluster.SUMMARY_ENTRIES", 5)
    (as_of,) = has_shape(address_body("btc", [demo], deposit, 38), shapes.AddressBody)["answers"]
    assert as_of["cluster"]["summary"]["tx_count"] is None
    assert as_of["cluster"]["summary"]["received"] != "0"
    assert [limit["limit"] for limit in as_of["limits_hit"]] == ["summary_entries"]

    monkeypatch.setattr("api.answers.cluster.SUMMARY_MEMBERS", 5)
    (as_of,) = has_shape(address_body("btc", [demo], deposit, 38), shapes.AddressBody)["answers"]
    assert as_of["cluster"]["summary"] is None
    assert [limit["limit"] for limit in as_of["limits_hit"]] == ["summary_members"]

    monkeypatch.setattr("api.answers.explain.CHAIN_LINKS", 0)
    (why,) = explain_body("btc", [demo], deposit, key(sample, "sale", 5))["answers"]
    assert (why["connected"], why["links"]) == (True, [])
    assert why["link_count"] >= 1
    assert [limit["limit"] for limit in why["limits_hit"]] == ["chain_links"]
