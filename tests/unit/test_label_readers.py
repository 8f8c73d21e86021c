"""What files of labels may say, and what is refused: whole files, and single rows."""

from __future__ import annotations

import io
import json
import lzma
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.labels import actorpack, importing, ofac, table, tagpack, yamlnodes
from api.labels.importing import Options, detect, read_file
from api.labels.pack import MAX_LABEL, Pack
from chain.errors import HeadwaterError, LimitExceeded, MalformedData
from chain.store.labels import Claim

HEAD = "title: A pack\ncreator: me\n"
A, B = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "0xbe0eb53f46cd790cd13851d5eff43d12404d33e8"


def read(text: str) -> Pack:
    return tagpack.read("a.yaml", text.encode())


def claims(pack: Pack) -> list[Claim]:
    return [pack.claims[number] for number in pack.claim]


def reasons(pack: Pack) -> list[tuple[str, str]]:
    return [(reject.place, reject.reason) for reject in pack.rejects]


# TagPacks


def test_every_field_may_stand_in_the_header_and_the_tag_s_own_wins() -> None:
    pack = read(
        HEAD + "description: what it is\nlicense: MIT\nlabel: head\ncurrency: BTC\ncategory: exchange\nabuse: scam\n"
        "actor: huobi\nconfidence: service_data\nis_cluster_definer: true\nlastmod: 2021-11-12\nsource: https://h\n"
        "concepts: [hot_wallet]\ncontext: {a: 1}\nnetwork: BTC\nvalid_from: 2020-01-01\n"
        "valid_until: 2022-01-01\ntags:\n"
        f"- address: {A}\n"
        f"- address: '{B}'\n  label: own\n  currency: USDT\n  network: ETH\n  category: gambling\n  abuse: sanction\n"
        "  actor: kraken\n  confidence: web_crawl\n  is_cluster_definer: no\n  lastmod: 2022-01-02 03:04:05.5\n"
        "  source: https://t\n  concepts: []\n  context: text\n  valid_from: 2020-02-02\n  valid_until: 2020-02-03\n"
        f"- address: {A}\n  label: ~\n  actor:\n"
    )
    assert (pack.title, pack.creator, pack.description, pack.licence) == ("A pack", "me", "what it is", "MIT")
    inherited = Claim(
        "head", "BTC", "BTC", "exchange", ("hot_wallet",), "scam", "huobi", "service_data", True,
        datetime(2021, 11, 12), date(2020, 1, 1), date(2022, 1, 1), "https://h", '{"a":1}',
    )  # fmt: skip
    own = Claim(
        "own", "USDT", "ETH", "gambling", (), "sanction", "kraken", "web_crawl", False,
        datetime(2022, 1, 2, 3, 4, 5, 500_000), date(2020, 2, 2), date(2020, 2, 3), "https://t", '"text"',
    )  # fmt: skip
    assert claims(pack) == [inherited, own, inherited]
    assert (pack.address, pack.place, pack.rejects, pack.unread) == ([A, B, A], [1, 2, 3], [], set())
    assert len(pack.claims) == 2, "equal claims are kept once"


def test_texts_are_what_was_written_whatever_yaml_would_make_of_them() -> None:
    pack = read(
        HEAD
        + "currency: BTC\ntags:\n- address: 0x0123\n  label: no\n  actor: 01\n  source: 2021-11-12\n  category: 1_000\n"
        "- address: 012\n  label: 1e3\n  actor: on\n  abuse: 190:20:30\n  source: .inf\n"
        "- {address: yes, label: \"=cmd()|'x'!A1\\u202e\\x01\\t\", actor: null}\n"
    )
    assert pack.address == ["0x0123", "012", "yes"]
    first, second, third = claims(pack)
    assert (first.label, first.actor, first.source, first.category) == ("no", "01", "2021-11-12", "1_000")
    assert (second.label, second.actor, second.abuse, second.source) == ("1e3", "on", "190:20:30", ".inf")
    assert (third.label, third.actor) == ("=cmd()|'x'!A1\u202e\x01\t", None)


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ("{label: x}", "there is no address, here or in the header"),
        ("{address: a}", "there is no label"),
        ("{address: [a], label: x}", "address is a list, not a text"),
        ("{address: a, label: {x: 1}}", "label is a mapping, not a text"),
        ("{address: a, label: x, concepts: y}", "concepts is a text, not a list"),
        ("{address: a, label: x, is_cluster_definer: 1}", "is_cluster_definer is '1', not true or false"),
        ("{address: a, label: x, confidence: certain}", "confidence 'certain' is not in the vocabulary"),
        ("{address: a, label: x, lastmod: yesterday}", "lastmod is 'yesterday', not a date"),
        ("{address: a, label: x, lastmod: 2021-02-30}", "lastmod is '2021-02-30', not a date"),
        ("{address: a, label: x, valid_from: 2021-01-02, valid_until: 2021-01-01}", "is after valid_until 2021-01-01"),
        ("{address: a, label: x, label: y}", "the tag has 'label' twice"),
        ("{tx_hash: abc, label: x}", "a tag of a transaction"),
        ("just text", "the tag is a text, not a mapping"),
        ("[a, b]", "the tag is a list, not a mapping"),
        ('{address: a, label: "nul \\0"}', "label has a NUL at character 5"),
        ("{address: a, label: " + "x" * (MAX_LABEL + 1) + "}", f"label has {MAX_LABEL + 1:,} characters"),
        ("{address: a, label: x, context: {k: 1, k: 2}}", "a mapping has 'k' twice"),
        ("{address: a, label: x, context: {? [a] : b}}", "a mapping has a list as a key"),
        ("{address: a, label: x, context: " + "y" * 70_000 + "}", "context has"),
        ("{address: a, label: x, context: 99999999999999999999}", "context cannot be kept"),
    ],
)
def test_a_tag_that_cannot_be_taken_is_refused_with_its_place_and_the_rest_is_kept(tag: str, reason: str) -> None:
    pack = read(
        HEAD + f"currency: BTC\ntags:\n- {{address: {A}, label: kept}}\n- {tag}\n- {{address: b, label: kept}}\n"
    )
    assert pack.address == [A, "b"]
    [(place, said)] = reasons(pack)
    assert place == "tag 2"
    assert said.startswith("line 6: ")
    assert reason in said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a mapping at the top"),
        ("- a\n", "not a mapping at the top"),
        ("title: x\ntags: []\n", "there is no creator"),
        ("title: x\ncreator: ''\ntags: []\n", "title and creator must not be empty"),
        (HEAD, "there is no tags"),
        (HEAD + "tags: 1\n", "tags is a text, not a list"),
        (HEAD + "tags: []\n", "none of 0 rows can be taken"),
        (
            HEAD + "confidence: certain\ntags:\n- {address: a, label: x, currency: BTC}\n",
            "header: confidence 'certain'",
        ),
        (HEAD + "currency: [BTC]\ntags:\n- {address: a, label: x}\n", "header: currency is a list"),
        (HEAD + "title: again\ntags: []\n", "header: the pack has 'title' twice"),
        (
            HEAD + "tags:\n- {address: a, label: x}\n",
            "none of 1 rows can be taken; the first: tag 1: line 4: there is no cu",
        ),
        (HEAD + "x: &x [1]\ntags: *x\n", r"line 4: an alias \(\*x\)"),
        (HEAD + "tags: !!python/object/apply:os.system ['true']\n", "tag:yaml.org,2002:python/object/apply:os.system"),
        (HEAD + "tags: !!set {a}\n", "is of no plain kind"),
        (HEAD + "tags: []\n---\nx: 1\n", "a second document"),
        (HEAD + "tags:\n\t- a\n", "no YAML"),
        (HEAD + "tags: [\x01]\n", "no YAML"),
        (HEAD + 'tags: "\\ud800"\n', "no YAML"),
    ],
)
def test_a_pack_that_cannot_be_used_is_refused_whole(text: str, reason: str) -> None:
    with pytest.raises(MalformedData, match=reason):
        read(text)


def test_nesting_and_size_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("[" * 100_000, "- " * 5_000 + "x", "a: " + "{b: " * 40 + "1" + "}" * 40):
        with pytest.raises(LimitExceeded, match="within each other"):
            yamlnodes.read("a.yaml", text.encode())
    monkeypatch.setattr(yamlnodes, "MAX_YAML", 10)
    with pytest.raises(LimitExceeded, match="more than 10 bytes"):
        yamlnodes.read("a.yaml", b"a: 1234567890")


def test_bytes_that_are_no_utf_8_are_refused() -> None:
    with pytest.raises(MalformedData, match="no YAML"):
        tagpack.read("a.yaml", b"title: \xe9\n")


def test_the_python_loader_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        HEAD + "currency: BTC\ntags:\n- {address: 012, label: no,\n"
        "  context: {a: [1, 2.5, yes, ~, 2020-01-01, 0x1f, .inf, 010, 1_0]}}\n"
    )
    fast = read(text)
    monkeypatch.setattr(yamlnodes, "Loader", yaml.SafeLoader)
    assert (read(text).claims, read(text).address) == (fast.claims, fast.address)
    assert json.loads(fast.claims[0].context or "") == {
        "a": [1, 2.5, True, None, "2020-01-01", "0x1f", ".inf", "010", "1_0"]
    }


def test_fields_without_a_place_are_named() -> None:
    pack = read(HEAD + f"is_public: true\ncurrency: BTC\ntags:\n- {{address: {A}, label: x, tag_type: actor}}\n")
    assert pack.unread == {"is_public", "tag_type"}


# ActorPacks


def test_actors_have_ids_and_everything_else_they_say() -> None:
    text = (
        HEAD + "lastmod: '2023-02-17'\nactors:\n- id: 01\n  label: '01'\n  uri: 01.xyz\n  categories: [defi_dex]\n"
        "  jurisdictions: [NO, US]\n  aliases: [zero one]\n"
        "  context: {refs: [x], year_established: 2021, active: true}\n"
        "- {id: 01, label: again}\n- {id: x}\n- {id: y, label: y, lastmod: 2020-01-01, categories: exchange}\n"
        "- {id: z, label: z, lastmod: 2020-01-01, other: 1}\n"
    )
    pack = actorpack.read("a.yaml", text.encode())
    first, last = pack.actors
    assert (first.actor_id, first.label, first.uri, first.jurisdictions) == ("01", "01", "01.xyz", ("NO", "US"))
    assert (first.categories, first.aliases, first.lastmod) == (("defi_dex",), ("zero one",), datetime(2023, 2, 17))
    assert json.loads(first.context or "") == {"refs": ["x"], "year_established": 2021, "active": True}
    assert (last.actor_id, last.lastmod, last.categories) == ("z", datetime(2020, 1, 1), ())
    assert [place for place, _ in reasons(pack)] == ["actor 2", "actor 3", "actor 4"]
    assert "the id '01' stands twice" in reasons(pack)[0][1]
    assert pack.unread == {"other"}


# Lists of addresses


def test_a_list_says_addresses_and_its_name_the_asset() -> None:
    pack = ofac.read("lists/sanctioned_addresses_XBT.txt.xz", f"{A}\r\n\n {B}\n".encode(), None)
    assert (pack.address, pack.place) == ([A, B], [1, 3])
    [claim] = pack.claims
    assert (claim.currency, claim.abuse, claim.confidence) == ("XBT", "sanction", "authority_data")
    assert pack.title.endswith(", XBT")
    pack = ofac.read("list.json", json.dumps([A]).encode(), "ETH")
    assert (pack.address, pack.claims[0].currency) == ([A], "ETH")
    for data, asset in ((b"a", None), (b"a", "../x"), (b"[1]", "XBT"), (b'["a"', "XBT"), (b"", "XBT")):
        with pytest.raises(MalformedData):
            ofac.read("list.txt", data, asset)


# Tables


def rows(text: str | bytes) -> Pack:
    return table.read("a.csv", io.BytesIO(text.encode() if isinstance(text, str) else text))


def test_columns_may_stand_in_any_order_and_unknown_ones_are_named() -> None:
    pack = rows(
        "\ufefflabel,extra,address,currency,lastmod,is_cluster_definer,pack,concepts,context\r\n"
        f'"a, ""b""\n",1,{A},BTC,2023-08-16 12:18:52.619444,True,p,x;y,c\r\n'
        f"z,,{B},ETH,,,,,\r\n"
    )
    first, second = claims(pack)
    assert first == Claim(
        'a, "b"\n', "BTC", concepts=("x", "y"), is_cluster_definer=True, context='"c"', pack="p",
        lastmod=datetime(2023, 8, 16, 12, 18, 52, 619444),
    )  # fmt: skip
    assert second == Claim("z", "ETH")
    assert (pack.place, pack.unread, pack.rejects) == ([2, 4], {"extra"}, [])
    assert (pack.title, pack.creator) == ("a", "not stated")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    pack = rows(f"currency{delimiter}label{delimiter}address\nBTC{delimiter}x{delimiter}{A}\n")
    assert (pack.address, claims(pack)) == ([A], [Claim("x", "BTC")])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no columns address and label"),
        ("address,currency\n", "no columns address and label"),
        ("address,label\na,b\n", "no column currency"),
        ("address,label,currency,label\n", "the column label stands twice"),
        ("address,label,currency\n", "none of 0 rows can be taken"),
    ],
)
def test_a_table_without_its_columns_is_refused(text: str, reason: str) -> None:
    with pytest.raises(MalformedData, match=reason):
        rows(text)


def test_rows_that_cannot_be_taken_are_refused_with_their_line() -> None:
    pack = rows(
        b"address,label,currency,confidence\n"
        b"a,x,BTC,\n,x,BTC,\na,,BTC,\na,x,,\na,x,BTC,sure\na,x\n\na,\xff,BTC,\na,n\0l,BTC,\n"
        b"a," + b"y" * 200_000 + b',BTC,\nb,x,BTC,forensic\n"c,x,BTC,\n'
    )
    assert (pack.address, pack.place) == (["a", "b"], [2, 12])
    assert [place for place, _ in reasons(pack)] == [f"line {n}" for n in (3, 4, 5, 6, 7, 9, 10, 11, 13)]
    said = " ".join(reason for _, reason in reasons(pack))
    for part in (
        "no address",
        "no label",
        "no currency",
        "'sure'",
        "2 cells, the header has 4",
        "not valid UTF-8",
        "a NUL",
    ):
        assert part in said
    assert "label has 200,000 characters" in said


# Which format


def write(folder: Path, name: str, content: str) -> tuple[Path, bytes]:
    path = folder / name
    data = lzma.compress(content.encode()) if name.endswith(".xz") else content.encode()
    path.write_bytes(data)
    return path, data


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (HEAD + f"tags:\n- address: {A}\n", "tagpack"),
        ('{"title": "x", "creator": "y", "tags": []}', "tagpack"),
        ("%YAML 1.1\n---\n" + HEAD + "actors:\n- id: a\n", "actorpack"),
        (f"{A}\n{B}\n", "ofac"),
        (f"{A}\n{B}\nnot an address\n", "ofac"),
        (json.dumps([A, B]), "ofac"),
        ("pack,currency,address,label\n", "csv"),
        ("\ufefflabel;address;currency\n", "csv"),
    ],
)
def test_a_format_is_told_by_what_a_file_contains(content: str, form: str, tmp_path: Path) -> None:
    for name in ("a.csv", "b.yaml", "c", "d.xz"):
        assert detect(*write(tmp_path, name, content)) == form


@pytest.mark.parametrize("content", ["", "MIT License\n\nCopyright\n", "a,b\n", "{}", "[1, 2]", "\x7fELF"])
def test_a_file_of_no_format_is_refused(content: str, tmp_path: Path) -> None:
    with pytest.raises(MalformedData, match="neither a TagPack"):
        detect(*write(tmp_path, "a.yaml", content))


def test_an_import_gives_validity_to_labels_that_state_none(tmp_path: Path) -> None:
    text = (
        HEAD
        + f"currency: BTC\ntags:\n- {{address: {A}, label: x}}\n- {{address: {A}, label: y, valid_from: 2021-01-01}}\n"
    )
    path, data = write(tmp_path, "a.yaml", text)
    options = Options(valid_from=date(2020, 1, 1), valid_until=date(2022, 1, 1), title="T", creator="C")
    pack = read_file(path, data, "tagpack", options)
    assert [(each.valid_from, each.valid_until) for each in pack.claims] == [
        (date(2020, 1, 1), date(2022, 1, 1)), (date(2021, 1, 1), date(2022, 1, 1)),
    ]  # fmt: skip
    assert (pack.title, pack.creator) == ("T", "C")
    with pytest.raises(MalformedData, match="valid from 2021-01-01 until 2020-06-01"):
        read_file(path, data, "tagpack", Options(valid_until=date(2020, 6, 1)))


def test_archives_that_are_cut_or_not_what_they_say_are_refused(tmp_path: Path) -> None:
    path, data = write(tmp_path, "a.yaml.xz", HEAD + f"tags:\n- address: {A}\n" * 50)
    for bad in (data[:-20], b"plain text", data[:40] + b"\0" * 10 + data[50:]):
        with pytest.raises(HeadwaterError):
            read_file(path, bad, "tagpack", Options())


def test_an_unreadable_file_is_an_expected_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: Any = importing._given
    with pytest.raises(HeadwaterError, match="No such file"):
        given(tmp_path / "nothing.yaml")
    with pytest.raises(HeadwaterError, match="Is a directory"):
        given(tmp_path)
    monkeypatch.setattr(importing, "MAX_ARCHIVE", 3)
    (tmp_path / "a").write_text("four")
    with pytest.raises(LimitExceeded):
        given(tmp_path / "a")
