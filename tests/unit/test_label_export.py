"""What is exported is read again as the same labels, whatever their texts are."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

import orjson
import yaml
from hypothesis import given
from hypothesis import strategies as st

from api.labels import actorpack, exporting, tagpack
from chain.store.labels import Actor, Claim, Source
from clustering.labels import CONFIDENCE

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
AWKWARD = st.sampled_from(
    ["01", "no", "~", "null", "2021-11-12", "=cmd()", "a: b", "- x", "#", "'", '"', " x ", "\u2028", "*a"]
)
WORD = TEXT | AWKWARD
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | WORD | st.floats(-1e9, 1e9).filter(math.isfinite),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=3),
    max_leaves=5,
)
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)) | st.dates().map(
    lambda day: datetime(day.year, day.month, day.day)
)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def json_text(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


CLAIMS = st.builds(
    Claim,
    label=WORD, currency=WORD, network=optional(WORD), category=optional(WORD),
    concepts=st.lists(WORD, max_size=3).map(tuple), abuse=optional(WORD), actor=optional(WORD),
    confidence=optional(st.sampled_from(list(CONFIDENCE))), is_cluster_definer=optional(st.booleans()),
    lastmod=optional(MOMENTS), valid_from=optional(st.dates(max_value=date(2000, 1, 1))),
    valid_until=optional(st.dates(min_value=date(2000, 1, 1))), source=optional(WORD), context=JSON.map(json_text),
)  # fmt: skip


def source(title: str = "t", creator: str = "c", description: str | None = None, licence: str | None = None) -> Source:
    return Source(
        7, title, creator, description, "https://x", licence, "tagpack", "main", "a.yaml", bytes(32), 1, 1, 0, 0,
        datetime(2026, 1, 1, tzinfo=UTC), 1, None, None, None, None,
    )  # fmt: skip


@given(st.lists(st.tuples(WORD, CLAIMS), min_size=1, max_size=4), WORD, WORD, optional(WORD), optional(WORD))
def test_a_pack_comes_out_as_it_went_in(
    labels: list[tuple[str, Claim]], title: str, creator: str, description: str | None, licence: str | None
) -> None:
    rows = [{"address": address, "place": 1, **asdict(claim)} for address, claim in labels]
    given_by = source(title, creator, description, licence)
    pack = tagpack.read("a.yaml", exporting.tagpack(exporting.source_header(given_by), rows))
    assert not pack.rejects
    assert pack.address == [address for address, _ in labels]
    assert [pack.claims[number] for number in pack.claim] == [claim for _, claim in labels]
    assert (pack.title, pack.creator, pack.description, pack.licence) == (title, creator, description, licence)
    assert pack.uri == "https://x"


ACTORS = st.builds(
    Actor,
    actor_id=WORD, label=WORD, uri=optional(WORD), categories=st.lists(WORD, max_size=2).map(tuple),
    jurisdictions=st.lists(WORD, max_size=2).map(tuple), aliases=st.lists(WORD, max_size=2).map(tuple),
    lastmod=optional(MOMENTS), context=JSON.map(json_text),
)  # fmt: skip


@given(st.lists(ACTORS, min_size=1, max_size=4, unique_by=lambda actor: actor.actor_id))
def test_actors_come_out_as_they_went_in(actors: list[Actor]) -> None:
    pack = actorpack.read("a.yaml", exporting.actorpack(source(), actors))
    assert not pack.rejects
    assert pack.actors == actors


def test_what_all_tags_say_alike_stands_in_the_header() -> None:
    one = {"address": "a", "place": 1, **asdict(Claim("x", "BTC", confidence="forensic", context="[1]"))}
    other = {"address": "b", "place": 2, **asdict(Claim("y", "BTC", confidence="forensic", context="[1.0]"))}
    body = yaml.safe_load(exporting.tagpack({"title": "t", "uri": None}, [one, other]))
    assert body == {
        "title": "t",
        "currency": "BTC",
        "confidence": "forensic",
        "tags": [{"address": "a", "label": "x", "context": [1]}, {"address": "b", "label": "y", "context": [1.0]}],
    }


def test_a_joint_pack_names_the_sources_and_their_licences() -> None:
    header = exporting.joint_header(4, [source(licence="MIT"), source("u", "d")], "BTC")
    assert header["title"] == "Headwater label set 4, BTC"
    assert "7: t by c; licence MIT; sha256 " + "00" * 32 in header["description"]
    assert "7: u by d; licence not stated" in header["description"]
