"""Answers, built from columns without a database, on the sample chain and on an extract with gaps."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.answers.address import LOOKUP_ADDRESSES, address_body, lookup_body, transactions_page
from api.answers.address_shapes import AddressBody, AddressTransactionsBody, LookupBody
from api.answers.pages import CursorExpired, Place
from api.answers.text import bitcoin, moment
from api.answers.transaction import read_txid, transaction_body
from api.answers.view import DatasetView, InvalidParameter
from chain.bitcoin import address as codec
from chain.bitcoin.network import MAINNET
from chain.errors import AddressError, LimitExceeded, NotFound
from chain.model import AddressKind
from clustering.simulate.sample import Sample, sample_chain
from tests.unit.answering import ROWS, SWEEP, A, Body, C, has_shape, key, transaction
from tests.unit.views import extract_view, full_view, named


@pytest.fixture(scope="module")
def sample() -> Sample:
    return sample_chain()


@pytest.fixture(scope="module")
def demo(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> DatasetView:
    return full_view(tmp_path_factory.mktemp("demo"), sample.blocks)


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> DatasetView:
    return extract_view(tmp_path_factory.mktemp("some"), ROWS)


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
    body = has_shape(address_body("btc", [demo], key(sample, "sale", 3)), AddressBody)
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
        body = has_shape(address_body("btc", [demo], written, height), AddressBody)
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
    body = has_shape(address_body("btc", [demo, some], never), AddressBody)
    assert (body["observed"], body["answers"]) == (False, [])
    assert [each["observed"] for each in body["asked"]] == [None, False]
    assert body["asked"][0]["reason"] == "its network is main" or body["asked"][0]["reason"] == "its network is regtest"
    assert body["asked"][1]["as_of"] is not None


def test_an_address_of_no_dataset_s_network_is_refused(demo: DatasetView) -> None:
    with pytest.raises(AddressError):
        address_body("btc", [demo], A)


def test_an_extract_has_no_balance_and_no_depth(some: DatasetView) -> None:
    (answer,) = has_shape(address_body("btc", [some], C), AddressBody)["answers"]
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
        has_shape(body, AddressTransactionsBody)
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
    body = has_shape(lookup_body("btc", [demo, some], rows), LookupBody)
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
