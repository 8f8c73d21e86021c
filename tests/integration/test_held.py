"""What guards hold, what a person decides of it, and what runs were before and after."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.answers import opening
from api.instance import Instance, open_instance
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.ledger import LedgerStore
from chain.store.links import Decision, LinkStore
from chain.store.postgres import connected
from clustering import guards
from clustering.links import LinkStatus, Rule
from clustering.simulate.sample import Sample
from tests.integration.services import EACH, SERVICES, Story, Types, label, label_file, load, story, types_into, update
from tests.integration.test_rest import Running

BANNED = re.compile(r"\b(owners?|criminals?|stolen|clean|verdicts?)\b", re.IGNORECASE)
ACCEPTED, HELD, REFUSED = (int(each) for each in (LinkStatus.ACCEPTED, LinkStatus.HELD, LinkStatus.REFUSED))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    yield asyncio.run(open_instance(Settings(home=tmp_path / "home", database_url=None)))
    EmbeddedPostgres(tmp_path / "home").stop()


@pytest.fixture
def types(instance: Instance, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Types:
    """Type a command; exit code, stdout and stderr."""
    return types_into(instance, monkeypatch, capsys)


def asked(types: Types, *words: object) -> Any:
    code, out, err = types(*words, "--format", "json")
    assert code == 0, err
    return json.loads(out)


def decide(types: Types, word: str, link: tuple[str, str, str], *more: str, by: str = "A. Clerk") -> Any:
    return asked(types, "cluster", "decide", word, *link, "--by", by, "--reason", f"{word}: file 12", *more)


def test_a_held_link_from_its_listing_to_a_decision_and_back(
    instance: Instance, types: Types, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = story()
    monkeypatch.setattr(opening, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(opening, "REOPEN_SECONDS", 30.0)
    asyncio.run(load(instance, "btc", chain.sample.blocks))
    code, out, _ = types("labels", "import", label_file(tmp_path, chain), "--network", "regtest", "--licence", "MIT")
    assert code == 0, out
    code, out, err = types("cluster", "update")
    assert (code, "btc: 1 link held or refused, not joined; headwater cluster held --dataset btc" in err) == (0, True)
    running = Running(instance, chain.sample)
    try:
        _listed(running, types, chain)
        _decided_and_taken_back(running, types, chain)
        _refused_and_paged(running, types, chain)
    finally:
        running.close()


def _listed(running: Running, types: Types, chain: Story) -> None:
    """A person sees why it is held and what accepting it would join."""
    body = asked(types, "cluster", "held")
    assert running.get("btc/held", limit=50) == body
    (answer,) = body["answers"]
    assert (answer["held"], answer["label_set"], answer["judged_by"], answer["note"]) == (1, 1, 1, None)
    (item,) = answer["items"]
    assert (item["txid"], item["height"]) == (chain.txid, chain.before)
    assert (item["rule"], item["status"], item["since_run"]) == ("co-spend", "held", 1)
    assert item["reason"] == "differently labelled services"
    assert item["time"].endswith("Z")
    assert [side["address"] for side in item["sides"]] == [chain.address(name, 0) for name in SERVICES]
    assert [side["cluster"]["size"] for side in item["sides"]] == [EACH, EACH]
    for name, side in zip(SERVICES, item["sides"], strict=True):
        assert side["services"] == [{"entity": f"actor:{name}", "addresses": 1, "via": chain.address(name, 1)}]
    assert item["joined_size"] == 2 * EACH
    assert item["decisions"] == []
    assert "not a finding of ownership" in answer["statement"]
    code, out, _ = types("cluster", "held")
    assert code == 0
    for part in (
        chain.txid,
        "differently labelled services",
        "actor:acme",
        "clusters of 3 and 3 addresses into one of 6",
    ):
        assert part in out
    (shown,) = asked(types, "tx", "show", "btc", chain.txid)["answers"]
    assert [(link["status"], link["reason"]) for link in shown["links"]] == [("held", "differently labelled services")]
    assert "co-spend (held: differently labelled services)" in types("tx", "show", "btc", chain.txid)[1]


def _sizes(running: Running, chain: Story, run: int) -> list[int]:
    handles = [f"btc/clusters/btc/L0/{chain.address(name, 0)}@{run}" for name in SERVICES]
    return [running.get(handle)["answers"][0]["cluster"]["size"] for handle in handles]


def _events(running: Running, address: str) -> dict[int, dict[str, Any]]:
    (answer,) = running.get(f"btc/clusters/btc/L0/{address}/history")["answers"]
    return {item["run"]: {event["event"]: event for event in item["events"]} for item in answer["items"]}


def _decided_and_taken_back(running: Running, types: Types, chain: Story) -> None:
    made = decide(types, "accept", chain.link)
    assert made["statement"].endswith("the next headwater cluster update counts it")
    assert (made["dataset"], made["decided"]["in_force"], made["decided"]["counted"]) == ("btc", True, False)
    (answer,) = running.get("btc/held")["answers"]
    assert "decisions were made since the run" in answer["note"]
    assert [each["decision"] for each in answer["items"][0]["decisions"]] == ["accept"]
    assert types("cluster", "update")[0] == 0
    assert (_sizes(running, chain, 2), _sizes(running, chain, 1)) == ([6, 6], [3, 3]), "run 1 answers as it was shown"
    assert running.get("btc/held")["answers"][0]["items"] == []
    (shown,) = running.get(f"btc/transactions/{chain.txid}")["answers"]
    assert [(link["status"], link["reason"]) for link in shown["links"]] == [("accepted", "a person's decision")]

    decide(types, "withdraw", chain.link, by="B. Clerk")
    assert types("cluster", "update")[0] == 0
    assert [_sizes(running, chain, run) for run in (3, 2, 1)] == [[3, 3], [6, 6], [3, 3]]
    events = _events(running, chain.address("acme", 0))
    assert (set(events[1]), set(events[2]), set(events[3])) == (set(), {"merged", "released"}, {"split", "held"})
    assert [each["size"] for each in events[2]["merged"]["clusters"]] == [3, 3]
    assert [each["id"].endswith("@3") for each in events[3]["split"]["clusters"]] == [True, True]
    assert [link["txid"] for link in events[3]["held"]["links"]] == [chain.txid]
    (history,) = asked(types, "cluster", "history", chain.address("acme", 0))["answers"]
    assert history == running.get(f"btc/clusters/btc/L0/{chain.address('acme', 0)}/history")["answers"][0]
    said = types("cluster", "history", chain.address("acme", 0))[1]
    assert "held       1: links at it stand since this run and do not join" in said

    (there,), (back,) = (
        running.get("btc/runs/diff", dataset="btc", **each)["answers"] for each in _pairs((1, 2), (2, 3))
    )
    assert there == asked(types, "cluster", "diff", 1, 2, "--dataset", "btc")["answers"][0]
    there, back = there["diff"], back["diff"]
    assert there["grounds"] == ["decisions"]
    assert (there["merges"]["count"], there["merges"]["pieces"], there["splits"]["count"]) == (1, 2, 0)
    assert (back["merges"]["count"], back["splits"]["count"], back["splits"]["pieces"]) == (0, 1, 2)
    assert back["splits"]["largest"][0]["cluster"] == there["merges"]["largest"][0]["cluster"]
    assert [piece["shared"] for piece in there["merges"]["largest"][0]["pieces"]] == [3, 3]
    assert [(there[side]["accepted"], there[side]["held"]) for side in ("from", "to")] == [(4, 1), (5, 0)]
    assert _changed(there) == [("held", "differently labelled services", "accepted", "a person's decision")]
    assert _changed(back) == [("accepted", "a person's decision", "held", "differently labelled services")]
    (whole,) = running.get("btc/runs/diff", dataset="btc", **_pairs((1, 3))[0])["answers"]
    assert (whole["diff"]["same_partition"], _changed(whole["diff"])) == (True, []), "it was held, and is held again"
    out = types("cluster", "diff", 1, 2, "--dataset", "btc")[1]
    assert "held -> accepted (a person's decision)" in out
    for wrong, status in (((2, 2), 422), ((3, 1), 422), ((0, 1), 422), ((1, 9), 404)):
        running.problem(status, "btc/runs/diff", dataset="btc", **_pairs(wrong)[0])
    running.problem(404, "btc/runs/diff", dataset="none", **_pairs((1, 2))[0])


def _pairs(*pairs: tuple[int, int]) -> list[dict[str, int]]:
    return [{"from": first, "to": last} for first, last in pairs]


def _changed(diff: Any) -> list[tuple[str | None, ...]]:
    names = ("status_before", "reason_before", "status_after", "reason_after")
    return [tuple(link[name] for name in names) for link in diff["changed_links"]]


def _refused_and_paged(running: Running, types: Types, chain: Story) -> None:
    """An accepted link can be refused as well; the list is paged, and a page belongs to its run."""
    a0, a2 = chain.address("acme", 0), chain.address("acme", 2)
    (shown,) = running.get(f"btc/addresses/{a0}/transactions", limit=9)["answers"]
    first = next(
        item["txid"]
        for item in reversed(shown["items"])
        if any({a0, a2} == set(link["addresses"]) for link in _links(running, item["txid"]))
    )
    decide(types, "refuse", (first, a2, a0))
    assert types("cluster", "update")[0] == 0
    page = running.get("btc/held", limit=1)
    (refused,) = page["answers"][0]["items"]
    assert (refused["txid"], refused["status"], refused["reason"]) == (first, "refused", "a person's decision")
    assert [each["decided_by"] for each in refused["decisions"]] == ["A. Clerk"]
    rest = running.get("btc/held", limit=1, cursor=page["next"])
    assert [item["txid"] for item in rest["answers"][0]["items"]] == [chain.txid]
    assert rest["next"] is None
    assert "there are more than 1" in types("cluster", "held", "--limit", 1)[2]
    assert set(_events(running, a2)[4]) == {"split", "held"}
    (told,) = _events(running, a2)[4]["held"]["links"]
    assert (told["status"], told["reason"]) == ("refused", "a person's decision")
    decide(types, "withdraw", (first, a0, a2))
    assert types("cluster", "update")[0] == 0
    assert running.problem(410, "btc/held", limit=1, cursor=page["next"])["type"].endswith("#cursor-expired")
    (listed,) = asked(types, "cluster", "decisions")["answers"]
    assert [(row["decision"], row["in_force"], row["counted"]) for row in listed["items"]] == [
        ("withdraw", False, True), ("refuse", False, True), ("withdraw", False, True), ("accept", False, True),
    ]  # fmt: skip
    code, out, _ = types("cluster", "decisions")
    assert (code, "accept by A. Clerk" in out, "accept: file 12 (not in force)" in out) == (0, True, True)


def _links(running: Running, txid: str) -> list[Any]:
    links: list[Any] = running.get(f"btc/transactions/{txid}")["answers"][0]["links"]
    return links


def test_a_decision_on_what_does_not_stand_is_refused_and_nothing_is_written(instance: Instance, types: Types) -> None:
    chain = story()
    txid, a, b = chain.link
    asyncio.run(load(instance, "btc", chain.sample.blocks))
    said = ("--by", "me", "--reason", "why")
    assert types("cluster", "decide", "accept", txid, a, b, *said)[0] == 1, "no run yet"
    asyncio.run(update(instance, "btc"))
    other = chain.address("acme", 2)
    wrong: list[tuple[int, str, tuple[str, ...]]] = [
        (1, "no co-spend link between", ("accept", txid, a, other, *said)),
        (1, "no same key link between", ("accept", txid, a, b, *said, "--rule", "same key")),
        (1, "no co-spend link between", ("refuse", "00" * 32, a, b, *said)),
        (1, "no decision to withdraw", ("withdraw", txid, a, b, *said)),
        (2, "two different addresses", ("accept", txid, a, a, *said)),
        (2, "no such rule", ("accept", txid, a, b, *said, "--rule", "guess")),
        (2, "64 hex digits", ("accept", "12", a, b, *said)),
        (2, "between 1 and 200", ("accept", txid, a, b, "--by", " ", "--reason", "why")),
        (2, "between 1 and 2000", ("accept", txid, a, b, "--by", "me", "--reason", "x" * 2001)),
        (2, "cannot be printed", ("accept", txid, a, b, "--by", "me\n", "--reason", "why")),
        (2, "", ("forget", txid, a, b, *said)),
        (2, "", ("accept", txid, a, "nonsense", *said)),
    ]
    for expected, message, words in wrong:
        code, _, err = types("cluster", "decide", *words)
        assert (code, message in err) == (expected, True), (words, err)
    assert asked(types, "cluster", "decisions")["answers"][0]["items"] == []
    asyncio.run(load(instance, "other", chain.sample.blocks))
    asyncio.run(update(instance, "other"))
    code, _, err = types("cluster", "decide", "accept", txid, a, b, *said)
    assert (code, "several datasets have this link: btc, other" in err) == (2, True)
    assert decide(types, "refuse", (txid, b, a), "--dataset", "other")["dataset"] == "other"
    asyncio.run(update(instance, "other"))
    assert [each["held"] for each in asked(types, "cluster", "held")["answers"]] == [0, 1]


# The same end, whatever the order of arrival


Standing = list[tuple[int, int, int, int, int, int]]


async def end_state(instance: Instance, name: str) -> tuple[str, int, int, Standing]:
    async with connected(instance.url) as connection:
        dataset, links = await LedgerStore(connection).dataset(name), LinkStore(connection)
        run = await links.last_run(dataset)
        assert run is not None
        rows = await links.standing(dataset, run.run_id)
    arrays = (rows.tx, rows.rule, rows.u, rows.v, rows.status, rows.reason)
    return (
        run.partition_sha256,
        run.link_count,
        run.held_count,
        list(zip(*(each.tolist() for each in arrays), strict=True)),
    )


async def refuse_within(instance: Instance, chain: Story, name: str, *, accept: bool) -> None:
    """Refuse the link between bexco's first and third address, or accept the one between the services."""
    keys = {each: chain.sample.wallet(each).keys for each in SERVICES}
    async with connected(instance.url) as connection:
        dataset, links = await LedgerStore(connection).dataset(name), LinkStore(connection)
        if accept:
            a, b = sorted((keys["acme"][0], keys["bexco"][0]))
            given = Decision(chain.joint.txid, Rule.COSPEND, a, b, "accept", "me", "why")
        else:
            run = await links.last_run(dataset)
            assert run is not None
            txid = await connection.fetchval(
                "select t.txid from link l join tx t using (dataset_id, tx_id) join address a on "
                "a.dataset_id = l.dataset_id and a.address_id = l.u join address b on b.dataset_id = l.dataset_id and "
                "b.address_id = l.v where l.dataset_id = $1 and l.to_run is null and a.payload = any($2) "
                "and b.payload = any($2)",
                dataset.dataset_id,
                [key[1:] for key in keys["bexco"][::2]],
            )
            a, b = sorted(keys["bexco"][::2])
            given = Decision(bytes(txid), Rule.COSPEND, a, b, "refuse", "me", "why")
        await links.decide(dataset, given)


@pytest.mark.parametrize("accept", [True, False], ids=["accepted", "refused"])
def test_the_end_is_the_same_whatever_came_first(instance: Instance, tmp_path: Path, accept: bool) -> None:
    """Blocks at once or in several loads, labels and decisions before or after: partition and statuses are equal."""
    chain = story()
    blocks, path = chain.sample.blocks, label_file(tmp_path, chain)

    async def work() -> list[tuple[str, int, int, Standing]]:
        await load(instance, "whole", blocks)  # blocks, a run, the decision, then the labels
        await update(instance, "whole")
        await refuse_within(instance, chain, "whole", accept=accept)
        for end in (5, 6, 7, chain.before, chain.before + 1):  # a run after each load, then the labels
            await load(instance, "parts", blocks[:end])
            await update(instance, "parts")
        await label(instance, path)
        await update(instance, "parts")
        await refuse_within(instance, chain, "parts", accept=accept)
        await update(instance, "parts")
        await load(instance, "parts", blocks)
        await load(instance, "late", blocks[: chain.before])  # labels, blocks up to the joint spend, the decision
        await update(instance, "late")
        await refuse_within(instance, chain, "late", accept=accept)
        await load(instance, "late", blocks)
        for name in ("whole", "parts", "late"):
            await update(instance, name)
        assert not (await update(instance, "whole")).new, "nothing has come since"
        return [await end_state(instance, name) for name in ("whole", "parts", "late")]

    whole, parts, late = asyncio.run(work())
    assert parts == whole
    assert late == whole
    statuses = sorted(row[4] for row in whole[3])
    assert statuses == ([ACCEPTED] * 5 if accept else [ACCEPTED] * 3 + [HELD, REFUSED])


def test_two_large_clusters_are_held_and_a_person_can_join_them(
    instance: Instance, types: Types, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = story()
    monkeypatch.setattr(guards, "QUARANTINE_SIZE", EACH)
    asyncio.run(load(instance, "btc", chain.sample.blocks))
    assert asyncio.run(update(instance, "btc")).held_links == 1
    (item,) = asked(types, "cluster", "held")["answers"][0]["items"]
    assert (item["reason"], [side["services"] for side in item["sides"]]) == ("two large clusters", [[], []])
    decide(types, "accept", chain.link)
    assert asyncio.run(update(instance, "btc")).largest == 2 * EACH
    decide(types, "withdraw", chain.link)
    monkeypatch.setattr(guards, "QUARANTINE_SIZE", EACH + 1)
    report = asyncio.run(update(instance, "btc"))
    assert (report.held_links, report.largest) == (0, 2 * EACH), "a run judges by the bound that it records"
    (answer,) = asked(types, "cluster", "diff", 2, 3, "--dataset", "btc")["answers"]
    assert answer["diff"]["grounds"] == ["rule guards", "decisions"]
    assert _changed(answer["diff"]) == [("accepted", "a person's decision", "accepted", None)]


def test_a_decision_outlives_a_reorganisation_that_takes_its_transaction(
    instance: Instance, types: Types, tmp_path: Path
) -> None:
    chain = story()
    below = chain.sample.blocks[: chain.before]
    asyncio.run(load(instance, "btc", chain.sample.blocks))
    asyncio.run(label(instance, label_file(tmp_path, chain)))
    asyncio.run(update(instance, "btc"))
    assert [answer["held"] for answer in asked(types, "cluster", "held")["answers"]] == [1]
    decide(types, "accept", chain.link)

    without = Sample(blocks=list(below))
    for _ in range(5):
        without.mine("forker")
    asyncio.run(load(instance, "btc", without.blocks))
    (answer,) = asked(types, "cluster", "held")["answers"]
    assert (answer["clustering"], answer["items"]) == (None, [])
    assert answer["note"].startswith("no clustering of this dataset fits its ledger")
    report = asyncio.run(update(instance, "btc"))
    assert (report.held_links, report.largest) == (0, EACH)
    (listed,) = asked(types, "cluster", "decisions")["answers"]
    assert [(row["decision"], row["in_force"], row["counted"]) for row in listed["items"]] == [("accept", True, True)]
    (history,) = asked(types, "cluster", "history", chain.address("acme", 0))["answers"]
    assert [item["size"] for item in history["items"]] == [EACH, None]
    assert history["items"][1]["note"].startswith("not looked at: the ledger was rolled back")
    code, _, err = types("cluster", "diff", 1, 2, "--dataset", "btc")
    assert (code, "rolled back" in err) == (1, True)
    said = ("--by", "me", "--reason", "why")
    assert types("cluster", "decide", "refuse", *chain.link, *said)[0] == 1, "it does not stand now"

    again = Sample(blocks=[*below], waiting=[chain.joint], fees=2_000)
    for _ in range(8):
        again.mine("other forker")
    asyncio.run(load(instance, "btc", again.blocks))
    report = asyncio.run(update(instance, "btc"))
    assert (report.held_links, report.largest) == (0, 2 * EACH), "its transaction is back, and so is the decision"
    assert types("cluster", "decide", "withdraw", *chain.link, *said)[0] == 0
    report = asyncio.run(update(instance, "btc"))
    assert (report.held_links, report.largest) == (1, EACH)
