"""Answers about clusters: handles, members, links, history, the chain between two addresses."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from api.answers import run_shapes
from api.answers.address import address_body, transactions_page
from api.answers.address_shapes import AddressBody
from api.answers.cluster import cluster_body, links_page, members_page, of_handle
from api.answers.cluster_shapes import ClusterBody, ClusterLinksBody, ExplainBody, MembersBody
from api.answers.explain import explain_body
from api.answers.history import history_body
from api.answers.naming import Handle, read_handle
from api.answers.opening import RunExpired
from api.answers.pages import CursorExpired, Place
from api.answers.past import REOPENED_RUNS, pasts
from api.answers.view import DatasetView
from chain.bitcoin import address as codec
from chain.bitcoin.network import MAINNET, REGTEST
from chain.errors import NotFound
from chain.model import AddressKind
from chain.source import Tip
from chain.store.links import Run
from clustering.simulate.sample import Sample, sample_chain
from tests.unit.answering import ROWS, SWEEP, Body, C, has_shape, key, output, spend, transaction
from tests.unit.views import clustering_of, extract_view, full_view, row


@pytest.fixture(scope="module")
def sample() -> Sample:
    return sample_chain()


@pytest.fixture(scope="module")
def demo(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> DatasetView:
    return full_view(tmp_path_factory.mktemp("demo"), sample.blocks)


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> DatasetView:
    return extract_view(tmp_path_factory.mktemp("some"), ROWS)


def test_a_handle_leads_to_its_cluster_whichever_member_it_names(demo: DatasetView, sample: Sample) -> None:
    for number in range(12):
        found = of_handle([demo], Handle("demo", "L0", key(sample, "sale", number), None))
        body = has_shape(cluster_body("btc", found), ClusterBody)
        assert body["id"] == f"demo/L0/{key(sample, 'sale', 0)}@1"
        assert body["answers"][0]["cluster"]["size"] == 12


@pytest.mark.parametrize("rest", ["x@", "x@a", "x@-1", "x@1@2", "x@" + "9" * 10, "x@٣"])
def test_a_handle_ends_in_the_number_of_a_run(rest: str) -> None:
    with pytest.raises(NotFound):
        read_handle("demo", "L0", rest)


def test_members_and_links_page_by_page_are_all_of_them_once(demo: DatasetView, sample: Sample) -> None:
    found = of_handle([demo], Handle("demo", "L0", key(sample, "sale", 0), 1))
    for page_of, shape, count in (
        (members_page, MembersBody, 12),
        (links_page, ClusterLinksBody, 22),
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
        body = has_shape(explain_body("btc", [view], line[a], line[b]), ExplainBody)
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
    body = has_shape(explain_body("btc", [demo], a, b), ExplainBody)
    (answer,) = body["answers"]
    assert (body["connected"], answer["connected"], answer["links"]) == (False, False, [])
    assert answer["a"]["cluster"]["id"] != answer["b"]["cluster"]["id"]
    never = codec.encode(bytes([AddressKind.TAPROOT]) + bytes(32), REGTEST)
    (answer,) = has_shape(explain_body("btc", [demo], a, never), ExplainBody)["answers"]
    assert answer["b"] == {
        "address": never,
        "observed": False,
        "cluster": None,
        "note": "not observed as of block 39",
    }
    assert has_shape(explain_body("btc", [demo], never, never), ExplainBody)["answers"] == []


def test_an_address_and_itself(demo: DatasetView, sample: Sample) -> None:
    a = key(sample, "sale", 0)
    (answer,) = has_shape(explain_body("btc", [demo], a, a), ExplainBody)["answers"]
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
    (as_of,) = has_shape(address_body("btc", [demo], deposit, 38), AddressBody)["answers"]
    assert as_of["cluster"]["summary"]["tx_count"] is None
    assert as_of["cluster"]["summary"]["received"] != "0"
    assert [limit["limit"] for limit in as_of["limits_hit"]] == ["summary_entries"]

    monkeypatch.setattr("api.answers.cluster.SUMMARY_MEMBERS", 5)
    (as_of,) = has_shape(address_body("btc", [demo], deposit, 38), AddressBody)["answers"]
    assert as_of["cluster"]["summary"] is None
    assert [limit["limit"] for limit in as_of["limits_hit"]] == ["summary_members"]

    monkeypatch.setattr("api.answers.explain.CHAIN_LINKS", 0)
    (why,) = explain_body("btc", [demo], deposit, key(sample, "sale", 5))["answers"]
    assert (why["connected"], why["links"]) == (True, [])
    assert why["link_count"] >= 1
    assert [limit["limit"] for limit in why["limits_hit"]] == ["chain_links"]
