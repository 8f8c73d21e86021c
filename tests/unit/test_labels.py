"""Which label speaks for an address: confidence, validity, doubt."""

from __future__ import annotations

import random
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering.labels import (
    CONFIDENCE,
    SERVICE_CATEGORIES,
    Kind,
    LabelColumn,
    Statement,
    conflict,
    contested,
    identity,
    label_column,
    level_of,
    reference,
    reference_kind,
)

ON = date(2020, 6, 1)


def said(
    label: str = "Huobi.com",
    actor: str | None = None,
    category: str = "exchange",
    abuse: str | None = None,
    confidence: str | None = "service_data",
    valid: tuple[date | None, date | None] = (None, None),
) -> Statement:
    abuses = frozenset() if abuse is None else frozenset({abuse})
    return Statement(label, actor, frozenset({category}), abuses, confidence, *valid)


def column_of(labels: list[tuple[int, Statement]], count: int = 8) -> LabelColumn:
    statements = list({id(each): each for _, each in labels}.values())
    place = {id(each): number for number, each in enumerate(statements)}
    address = np.array([each for each, _ in labels], np.int32)
    which = np.array([place[id(each)] for _, each in labels], np.int32)
    return label_column(3, ON, count, address, which, statements)


def name(column: LabelColumn, address: int) -> str | None:
    entity = int(column.entity[address])
    return None if entity < 0 else column.entities[entity]


def test_an_actor_or_else_one_spelling_of_the_text_is_who_is_meant() -> None:
    assert identity("Huobi.com", "huobi") == "actor:huobi"
    assert identity("  ＨＵＯＢＩ\t.com ", None) == identity("huobi .COM", "") == "label:huobi .com"
    assert identity("Huobi.com", None) != identity("Huobi", None)


def test_the_levels_are_those_of_the_vocabulary() -> None:
    assert (CONFIDENCE["ownership"], CONFIDENCE["authority_data"], CONFIDENCE["web_crawl"]) == (100, 60, 20)
    assert level_of(None) == CONFIDENCE["unknown"] == 5
    with pytest.raises(KeyError):
        level_of("certain")


def test_the_highest_confidence_speaks_and_equal_ones_make_a_doubt() -> None:
    huobi, kraken = said(actor="huobi"), said(actor="kraken")
    crawled = said(actor="okex", confidence="web_crawl")
    column = column_of([(0, huobi), (0, crawled), (1, huobi), (1, kraken), (2, crawled), (3, kraken), (3, huobi)])
    assert name(column, 0) == "actor:huobi"
    assert name(column, 1) == contested(["actor:kraken", "actor:huobi"]) == "contested: actor:huobi | actor:kraken"
    assert name(column, 2) == "actor:okex"
    assert column.entity[1] == column.entity[3], "the same doubt is one entity"
    assert column.entity[1] not in (column.entity[0], column.entity[2])
    assert name(column, 4) is None
    assert column.entities == sorted(column.entities)
    assert column.labelled.tolist() == [0, 1, 2, 3]
    assert (column.version, column.entity.dtype.name, len(column.entity)) == (3, "int32", 8)


@pytest.mark.parametrize(
    "category", ["coinjoin", "shop", "user", "organization", "service", "defi_dex", "hot_wallet", ""]
)
def test_what_names_no_service_with_keys_of_its_own_speaks_for_nothing(category: str) -> None:
    column = column_of([(2, said(category=category))])
    assert (name(column, 2), column.entities) == (None, [])
    assert column.labelled.tolist() == [2]
    assert category not in SERVICE_CATEGORIES


def test_the_label_of_a_hack_names_its_victim() -> None:
    assert name(column_of([(0, said("upbit hack", "upbit", abuse="service_hack"))]), 0) is None
    assert name(column_of([(0, said("Blender.io", "blenderio", "mixing_service", "sanction"))]), 0) == "actor:blenderio"


def test_a_label_counts_on_the_first_and_the_last_day_of_its_validity() -> None:
    day, before, after = ON, date(2020, 5, 31), date(2020, 6, 2)
    for valid, counts in [
        ((day, day), True), ((None, day), True), ((day, None), True),
        ((None, before), False), ((after, None), False), ((before, after), True),
    ]:  # fmt: skip
        statement = said(actor="huobi", valid=valid)
        assert statement.in_force(ON) is counts, valid
        assert (name(column_of([(0, statement)]), 0) is not None) is counts


def test_an_expired_label_of_higher_confidence_leaves_the_word_to_others() -> None:
    expired = said(actor="huobi", confidence="ownership", valid=(None, date(2019, 1, 1)))
    assert name(column_of([(0, expired), (0, said(actor="kraken", confidence="heuristic"))]), 0) == "actor:kraken"


def test_a_conflict_lists_all_services_and_says_whether_one_speaks() -> None:
    huobi, kraken = said(actor="huobi"), said(actor="kraken")
    crawled = said(actor="okex", confidence="web_crawl")
    assert conflict([huobi, huobi], ON) is None
    assert conflict([huobi, said(actor="x", category="user")], ON) is None
    settled = conflict([crawled, huobi], ON)
    assert settled is not None
    assert (settled.entities, settled.settled_as) == (["actor:huobi", "actor:okex"], "actor:huobi")
    doubt = conflict([kraken, crawled, huobi], ON)
    assert doubt is not None
    assert (doubt.entities, doubt.settled_as) == (["actor:huobi", "actor:kraken", "actor:okex"], None)


STATEMENTS = st.builds(
    said,
    label=st.sampled_from(["Huobi", "huobi ", "Kraken"]),
    actor=st.sampled_from([None, "huobi", "kraken", "okex"]),
    category=st.sampled_from(["exchange", "gambling", "coinjoin", "user"]),
    abuse=st.sampled_from([None, None, "service_hack", "sanction"]),
    confidence=st.sampled_from([None, "ownership", "service_data", "forensic", "web_crawl"]),
    valid=st.sampled_from([(None, None), (None, date(2020, 1, 1)), (date(2020, 1, 1), None), (date(2021, 1, 1), None)]),
)
LABELS = st.lists(st.tuples(st.integers(-1, 7), STATEMENTS), max_size=30)


@given(LABELS)
def test_the_column_is_the_reference_of_each_address(labels: list[tuple[int, Statement]]) -> None:
    column = column_of(labels)
    for address in range(8):
        own = [each for at, each in labels if at == address]
        assert name(column, address) == reference(own, ON)
        assert int(column.kind[address]) == reference_kind(own, ON)
    assert set(range(len(column.entities))) == set(column.entity[column.entity >= 0].tolist()), "no name is unused"


@given(LABELS, st.randoms(use_true_random=False))
def test_the_order_of_labels_changes_nothing(labels: list[tuple[int, Statement]], order: random.Random) -> None:
    shuffled = list(labels)
    order.shuffle(shuffled)
    one, other = column_of(labels), column_of(shuffled)
    assert one.entity.tolist() == other.entity.tolist()
    assert one.entities == other.entities
    assert one.labelled.tolist() == other.labelled.tolist()
    assert one.kind.tolist() == other.kind.tolist()


@pytest.mark.parametrize(
    ("category", "abuse", "kind"),
    [
        ("mixing_service", None, Kind.MIXER),
        ("defi_bridge", None, Kind.BRIDGE),
        ("exchange", None, Kind.SERVICE),
        ("defi_dex", None, Kind.POOL),
        ("defi_lending", None, Kind.POOL),
        ("user", None, Kind.OTHER),
        ("exchange", "phishing", Kind.OTHER),
        ("mixing_service", "scam", Kind.OTHER),
    ],
)
def test_what_a_label_makes_of_its_address(category: str, abuse: str | None, kind: Kind) -> None:
    assert column_of([(2, said(category=category, abuse=abuse))]).kind.tolist() == [0, 0, kind, 0, 0, 0, 0, 0]


def test_a_label_that_is_not_in_force_makes_nothing_of_it() -> None:
    assert not column_of([(2, said(valid=(date(2021, 1, 1), None)))]).kind.any()
