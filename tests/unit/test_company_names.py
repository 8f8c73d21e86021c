"""Forms of names, and identifiers with their check digits."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.companies import names
from api.companies.identifiers import company_id, identifier, read_handle
from api.companies.law import RULES, standing


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ＡＣＭＥ　Ｌｔｄ．", "Acme Limited"),
        ("Acme Pte. Ltd.", "ACME"),
        ("Café Zürich GmbH", "cafe zurich"),
        ("騰訊計算機系統有限公司", "腾讯计算机系统"),
        ("Bprotocol\u200b Foundation", "bprotocol"),
        ("Jo's (Holdings) Co., Ltd", "JO S HOLDINGS"),
    ],
)
def test_one_name_in_two_spellings_has_one_form(one: str, other: str) -> None:
    assert names.key(one) == names.key(other)


@pytest.mark.parametrize(("one", "other"), [("Acme", "Acne"), ("Ltd", "Inc"), ("公司", "集团"), ("ACME 1", "ACME 2")])
def test_different_names_have_different_forms(one: str, other: str) -> None:
    assert names.key(one) != names.key(other)


def test_pinyin_finds_han_names() -> None:
    assert names.pinyin("深圳市騰訊") == "shenzhenshitengxun"
    assert names.pinyin("Acme Ltd") == names.key("Acme Ltd")


@given(st.text(max_size=60))
def test_a_form_has_letters_and_digits_alone(text: str) -> None:
    assert all(c.isalnum() for c in names.key(text))


@pytest.mark.parametrize(
    ("scheme", "text", "value"),
    [
        ("cn-uscc", " 9144030071526726xg ", "9144030071526726XG"),
        ("cn-uscc", "９１４４０３００７１５２６７２６ＸＧ", "9144030071526726XG"),
        ("lei", "529900t8bm49aursdo55", "529900T8BM49AURSDO55"),
        ("registry", "hk-cr: 2412345", "HK-CR:2412345"),
        ("actor", "bancor", "bancor"),
    ],
)
def test_identifiers_have_one_spelling(scheme: str, text: str, value: str) -> None:
    assert identifier(scheme, text) == (scheme, value)


@pytest.mark.parametrize(
    ("scheme", "text", "reason"),
    [
        ("cn-uscc", "91440300715267261G", "check digit is wrong"),
        ("cn-uscc", "9144", "18 characters, not 4"),
        ("cn-uscc", "I" * 18, "USCC"),
        ("lei", "529900T8BM49AURSDO54", "check digit is wrong"),
        ("registry", "2412345", "AUTHORITY:NUMBER"),
        ("registry", ":", "AUTHORITY:NUMBER"),
        ("actor", "a\x00b", "can be printed"),
        ("actor", "a" * 201, "1 to 200"),
        ("tax", "1", "scheme"),
    ],
)
def test_a_wrong_identifier_is_told_what_is_wrong(scheme: str, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        identifier(scheme, text)


@given(st.integers(0, 16), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_any_one_wrong_character_of_a_uscc_is_found(place: int, character: str) -> None:
    right = "9144030071526726XG"
    wrong = right[:place] + character + right[place + 1 :]
    if wrong == right:
        return
    with pytest.raises(ValueError):
        identifier("cn-uscc", wrong)


def test_a_company_is_its_strongest_identifier_and_never_its_name() -> None:
    weak, strong = ("actor", "acme"), ("cn-uscc", "9144030071526726XG")
    assert company_id([weak, strong], "a") == company_id([strong], "b")
    assert company_id([], "name=Acme") != company_id([], "name=Acme\x1fphone=1")


def test_handles() -> None:
    named = uuid.uuid4()
    assert read_handle(str(named)) == named
    assert read_handle("ACTOR:x") == ("actor", "x")
    assert read_handle("529900T8BM49AURSDO55") == ("lei", "529900T8BM49AURSDO55")
    with pytest.raises(ValueError, match="no id of a company"):
        read_handle("Acme Ltd")


def test_conduct_before_a_rule_predates_it() -> None:
    day = RULES[0].since
    before, on = (standing("CN-44", frozenset({"token sale"}), each) for each in (day.replace(day=3), day))
    assert [each.in_force for each in before] == [False, False]
    assert [each.in_force for each in on] == [True, False]
    assert standing("US", frozenset({"token sale"}), day) == []
    assert standing("CN", frozenset(), day) == []
