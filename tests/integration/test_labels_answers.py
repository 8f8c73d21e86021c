"""What people and machines are told of labels: direct, inherited with the rule, conflicts, and where they come from."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.answers import labels as answers
from api.instance import Instance, open_instance
from chain.bitcoin import address as codec
from chain.bitcoin.network import MAINNET, REGTEST
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from tests.integration.loaded import load_sample
from tests.integration.services import Types, types_into
from tests.integration.test_rest import Running

MAIN = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
ETHER = "0xbe0eb53f46cd790cd13851d5eff43d12404d33e8"
EVIL = "=cmd()|'x'!A1\u202e\x1b[31m"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The sample on regtest in an instance of its own, with a service over it."""
    home = tmp_path_factory.mktemp("labels")
    instance: Instance = asyncio.run(open_instance(Settings(home=home, database_url=None)))
    sample = asyncio.run(load_sample(instance, home, "btc"))
    service = Running(instance, sample)
    yield service
    service.close()
    EmbeddedPostgres(home).stop()


@pytest.fixture
def types(running: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Types:
    """Type a command; exit code, stdout and stderr."""
    return types_into(running.instance, monkeypatch, capsys)


def pack(folder: Path, title: str, *tags: dict[str, Any], **head: Any) -> Path:
    path = folder / f"{title}.yaml"
    body = {
        "title": title,
        "creator": "me",
        "currency": "BTC",
        "confidence": "service_data",
        **head,
        "tags": list(tags),
    }
    path.write_text(yaml.safe_dump(body))
    return path


def test_nothing_was_imported_is_an_answer(running: Running, types: Types) -> None:
    body = running.get("labels", address=MAIN)
    assert (body["label_set"], body["direct"], body["conflicts"]) == (None, [], [])
    assert body["statement"].startswith("no source that was imported labels it")
    assert running.get(f"btc/addresses/{running.address('sale', 0)}")["labels"]["label_set"] is None
    code, out, _ = types("labels", "show", MAIN)
    assert (code, "none imported" in out) == (0, True)
    assert types("labels", "list")[0] == 0
    assert types("labels", "export", "--out", running.instance.home / "x.yaml")[0] == 1


def test_an_import_names_what_it_did_and_what_it_did_not_take(running: Running, types: Types, tmp_path: Path) -> None:
    sale = running.sample.wallet("sale").keys
    texts = [codec.encode(key, REGTEST) for key in sale[:4]]
    path = pack(
        tmp_path, "Sale",
        {"address": texts[1], "label": "Acme", "actor": "acme", "category": "exchange", "is_cluster_definer": True},
        {"address": texts[2], "label": "Acme deposit", "actor": "acme", "category": "exchange"},
        {"address": texts[3], "label": "Acme deposit", "actor": "acme", "category": "exchange", "context": {"a": 1}},
        {"address": "nonsense", "label": EVIL},
        lastmod="2023-01-02", source="https://acme.example",
    )  # fmt: skip
    code, out, err = types("labels", "import", path, "--network", "regtest", "--licence", "MIT", "--print", "json")
    [row] = json.loads(out)
    assert code == 3
    assert (row["state"], row["labels"], row["rejected"], row["format"]) == ("added", 3, 1, "tagpack")
    assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"1 rejected, listed in {row['rejects_file']}" in err
    with open(row["rejects_file"], newline="") as handle:
        [rejected] = list(csv.DictReader(handle))
    assert (rejected["source"], rejected["place"]) == (str(path), "tag 4")
    assert rejected["reason"].startswith("address: ")
    code, out, _ = types("labels", "import", path, "--network", "regtest", "--print", "json")
    assert (code, json.loads(out)[0]["state"]) == (0, "already there")
    code, out, err = types("labels", "import", tmp_path / "none", path, "--network", "regtest", "--print", "jsonl")
    assert (code, [json.loads(line)["state"] for line in out.splitlines()]) == (1, ["refused", "already there"])
    assert "none: No such file" in err


def test_direct_labels_carry_source_date_confidence_licence_and_digest(running: Running) -> None:
    body = running.get("labels", address=running.address("sale", 1))
    [label] = body["direct"]
    assert (label["label"], label["entity"], label["category"]) == ("Acme", "actor:acme", "exchange")
    assert (label["confidence"], label["level"], label["date"]) == ("service_data", 50, "2023-01-02")
    assert (label["origin"], label["in_force"], label["is_cluster_definer"]) == ("https://acme.example", True, True)
    given = label["given_by"]
    assert (given["title"], given["licence"], given["since_version"]) == ("Sale", "MIT", 1)
    assert len(given["sha256"]) == 64
    assert body["statement"].endswith("this is not a finding of ownership or illegality")


def test_inherited_labels_show_the_rule_and_via_which_address(running: Running) -> None:
    body = running.get("labels", address=running.address("sale", 0))
    assert body["direct"] == []
    [cluster] = body["clusters"]
    assert (cluster["dataset"], cluster["cluster"]["size"], cluster["labelled"]) == ("btc", 12, 3)
    definer, member = cluster["inherited"]
    assert (definer["rule"], definer["via"], definer["addresses"]) == ("cluster definer", running.address("sale", 1), 1)
    assert (member["rule"], member["via"], member["addresses"]) == ("member", running.address("sale", 2), 2)
    assert "its source does not say that it stands for the cluster" in member["wording"]
    assert cluster["conflicts"] == []
    other = running.get("labels", address=running.address("investor 1", 0))
    assert [each["inherited"] for each in other["clusters"]] == [[]]
    at_first = running.get("labels", address=running.address("sale", 0), as_of=1)
    assert [each["labelled"] for each in at_first["clusters"]] in ([], [0]), "nothing was joined yet"


def test_conflicts_are_listed_and_never_hidden(running: Running, types: Types, tmp_path: Path) -> None:
    first, second = running.address("sale", 1), running.address("sale", 4)
    path = pack(
        tmp_path, "Doubt",
        {"address": first, "label": "Bravo", "category": "exchange"},
        {"address": second, "label": "Crawled", "category": "gambling", "confidence": "web_crawl"},
        {"address": second, "label": "Acme hack", "actor": "acme", "category": "exchange", "abuse": "service_hack"},
    )  # fmt: skip
    assert types("labels", "import", path, "--network", "regtest")[0] == 0
    body = running.get("labels", address=first)
    [conflict] = body["conflicts"]
    assert (conflict["entities"], conflict["settled_as"]) == (["actor:acme", "label:bravo"], None)
    assert [side["source"] for side in conflict["between"]] == [1, 2]
    assert len(body["direct"]) == 2
    [cluster] = running.get("labels", address=running.address("sale", 0))["clusters"]
    [conflict] = cluster["conflicts"]
    assert conflict["entities"] == ["actor:acme", "label:bravo", "label:crawled"]
    [own] = [each for each in running.get("labels", address=second)["direct"] if each["label"] == "Acme hack"]
    assert own["names_service"] is False
    code, out, _ = types("labels", "show", first)
    assert code == 0
    assert "conflict     labels in force of equal confidence name several services" in out
    assert "  actor:acme: Acme (level 50, source 1, " in out


def test_an_address_s_page_has_its_labels(running: Running, types: Types) -> None:
    address = running.address("sale", 1)
    body = running.get(f"btc/addresses/{address}")
    labels = running.get("labels", address=address)
    assert body["labels"] == {name: labels[name] for name in labels if name not in ("chain", "address")}
    code, out, _ = types("cluster", "show", address, "--format", "json")
    assert (code, json.loads(out)) == (0, body)
    _, out, _ = types("labels", "show", address, "--format", "json")
    assert json.loads(out) == labels
    _, out, _ = types("cluster", "show", address)
    assert "labels       2 labels of the address (label set 2)" in out
    assert "member, via " in out


def test_limits_that_cut_an_answer_are_named(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MEMBERS", 1)
    monkeypatch.setattr(answers, "DIRECT", 1)
    body = running.get("labels", address=running.address("sale", 1))
    assert [(each["limit"], each["value"]) for each in body["limits_hit"]] == [("direct_labels", 1)]
    [cluster] = body["clusters"]
    assert cluster["labelled"] == 3
    assert [(each["limit"], each["value"]) for each in cluster["limits_hit"]] == [("labelled_members", 1)]
    monkeypatch.setattr(answers, "MEMBER_LABELS", 1)
    monkeypatch.setattr(answers, "MEMBERS", 10)
    [cluster] = running.get("labels", address=running.address("sale", 0))["clusters"]
    assert [each["limit"] for each in cluster["limits_hit"]] == ["member_labels"]


def test_other_chains_are_looked_up_by_key_or_by_text(running: Running, types: Types, tmp_path: Path) -> None:
    path = pack(
        tmp_path, "Others",
        {"address": ETHER, "label": "Reserve", "currency": "ETH", "valid_until": "2020-01-01"},
        {"address": ETHER, "label": "Token", "currency": "USDT"},
        {"address": "TBHTJqAy4DhHhmT3dNceJYNRz4SdLofLre", "label": EVIL, "currency": "TRX"},
        {"address": MAIN, "label": "Genesis"},
    )  # fmt: skip
    assert types("labels", "import", path)[0] == 0
    checksummed = "0xBE0eB53F46cd790Cd13851d5EFf43D12404d33E8"
    for text in (ETHER, checksummed):
        body = running.get("labels", address=text, chain="eth")
        assert [(each["label"], each["asset"], each["in_force"]) for each in body["direct"]] == [
            ("Reserve", "ETH", False), ("Token", "USDT", True),
        ]  # fmt: skip
        assert body["covered"] is True
    body = running.get("labels", address="TBHTJqAy4DhHhmT3dNceJYNRz4SdLofLre", chain="other")
    assert ([each["label"] for each in body["direct"]], body["covered"]) == ([EVIL], False)
    assert body["statement"].startswith("addresses of this chain are not read")
    _, out, _ = types("labels", "show", "TBHTJqAy4DhHhmT3dNceJYNRz4SdLofLre", "--chain", "other")
    assert "=cmd()|'x'!A1\\x202e\\x1b[31m" in out, "what could steer a terminal is made visible"
    main_key = running.get("labels", address=MAIN)
    assert ([each["label"] for each in main_key["direct"]], main_key["clusters"]) == (["Genesis"], [])
    same_key = codec.encode(codec.decode(MAIN, MAINNET), REGTEST)
    assert running.get("labels", address=same_key)["direct"] == [], "a label is of its network"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"address": "nonsense"}, "invalid-address"),
        ({"address": ETHER}, "invalid-address"),
        ({"address": MAIN, "chain": "eth"}, "invalid-address"),
        ({"address": MAIN, "chain": "doge"}, "invalid-parameter"),
        ({}, "invalid-parameter"),
        ({"address": MAIN, "adress": MAIN}, "invalid-parameter"),
        ({"address": "1sale", "as_of": "-1"}, "invalid-address"),
    ],
)
def test_what_is_asked_wrongly_is_a_problem(running: Running, query: dict[str, str], name: str) -> None:
    assert running.problem(422, "labels", **query)["type"].endswith(f"#{name}")


def test_sources_are_listed_withdrawn_and_exported(running: Running, types: Types, tmp_path: Path) -> None:
    _, out, _ = types("labels", "list", "--format", "json")
    rows = json.loads(out)
    assert [(row["source_id"], row["title"], row["to_version"]) for row in rows] == [
        (1, "Sale", None), (2, "Doubt", None), (3, "Others", None),
    ]  # fmt: skip
    out_file = tmp_path / "out.yaml"
    assert types("labels", "export", "--source", 1, "--out", out_file)[0] == 0
    exported = out_file.read_text()
    body = yaml.safe_load(exported)
    assert (body["title"], body["licence"], body["category"], len(body["tags"])) == ("Sale", "MIT", "exchange", 3)
    assert types("labels", "export", "--currency", "BTC", "--out", out_file)[0] == 0
    body = yaml.safe_load(out_file.read_text())
    assert (body["title"], len(body["tags"])) == ("Headwater label set 3, BTC", 7)
    assert types("labels", "export", "--source", 1, "--original", "--out", out_file)[0] == 0
    assert hashlib.sha256(out_file.read_bytes()).hexdigest() == rows[0]["sha256"]
    assert types("labels", "export", "--source", 1)[1] == exported
    assert types("labels", "export", "--original", "--out", out_file)[0] == 2
    assert types("labels", "export", "--source", 99, "--out", out_file)[0] == 1
    assert types("labels", "export", "--source", 1, "--out", tmp_path / "no" / "folder")[0] == 1
    assert types("labels", "withdraw", 2, "--reason", " ")[0] == 2
    assert types("labels", "withdraw", 2, "--reason", "hoax")[0] == 0
    assert types("labels", "withdraw", 2, "--reason", "again")[0] == 1
    assert running.get("labels", address=running.address("sale", 1))["conflicts"] == []
    _, out, _ = types("labels", "list", "--versions", "--format", "json")
    assert [row["change"] for row in json.loads(out)][-1] == "withdrew source 2: hoax"


@pytest.mark.parametrize(
    "words",
    [
        ("--network", "moon"),
        ("--replace", "--beside"),
        ("--valid-from", "2021-01-02", "--valid-until", "2021-01-01"),
        ("--valid-from", "soon"),
        ("--format", "pdf"),
    ],
)
def test_what_is_typed_wrongly_is_a_usage_error(types: Types, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert types("labels", "import", tmp_path / "x", *words)[0] == 2
