"""What is said of companies: the same sentences in both languages, and none that finds anybody guilty."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.companies.flags import ACTIVITIES, STATUSES
from api.linking.recompute import body_of
from api.words import BANNED, CATALOGUES, Language, preferred, say
from clustering.link.evidence import Role
from clustering.link.grade import Letter

ROOT = Path(__file__).parents[2]
GENERATED = (
    "measure",
    "simulate",
    "simulate.py",
    "simulate_ethereum.py",
    "simulated_files.py",
    "demo_ethereum.py",
    "words",
)
"""What speaks of generated chains, whose every key has a known holder, and the list of banned words itself."""

ENGLISH = re.compile(rf"\b({'|'.join(BANNED[Language.EN])})s?\b", re.IGNORECASE)
CHINESE = re.compile("|".join(BANNED[Language.ZH]))


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_both_catalogues_say_the_same_sentences_of_the_same_things() -> None:
    english, chinese = CATALOGUES[Language.EN], CATALOGUES[Language.ZH]
    assert list(english) == list(chinese)
    assert {name: fields(said) for name, said in english.items()} == {
        name: fields(said) for name, said in chinese.items()
    }
    assert all(said.strip() for said in (*english.values(), *chinese.values()))


@pytest.mark.parametrize("language", Language)
def test_every_role_grade_status_and_activity_has_a_word(language: Language) -> None:
    for group, names in (("role", Role), ("grade", Letter), ("status", STATUSES), ("activity", ACTIVITIES)):
        for name in names:
            assert say(language, f"{group}.{name}")


def test_a_link_is_said_to_be_no_finding_of_ownership() -> None:
    said = say(Language.EN, "statement", role="controls", grade="B")
    assert said == (
        "linked in role controls, grade B, by these items; this is not a finding of ownership or illegality"
    )
    assert "不认定" in say(Language.ZH, "statement", role="控制", grade="B")


@pytest.mark.parametrize("language", Language)
def test_no_sentence_has_a_banned_word(language: Language) -> None:
    for name, said in CATALOGUES[language].items():
        assert not ENGLISH.search(said), name
        assert not CHINESE.search(said), name


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """Texts of a module that are no docstrings."""
    tree = ast.parse(path.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


def test_no_message_of_the_product_has_a_banned_word() -> None:
    files = [
        path for layer in ("api", "clustering") for path in sorted((ROOT / layer).rglob("*.py"))
        if not set(path.relative_to(ROOT).parts) & set(GENERATED)
    ]  # fmt: skip
    assert len(files) > 150
    found = [
        (str(path.relative_to(ROOT)), line, text)
        for path in files
        for line, text in literals(path)
        if ENGLISH.search(text) or CHINESE.search(text)
    ]
    assert found == []


def test_the_scanner_sees_what_it_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text('"""the owner"""\nsaid = f"the owner of {1}"\nother = "被盗"\n')
    hits = [text for _, text in literals(path) if ENGLISH.search(text) or CHINESE.search(text)]
    assert sorted(hits) == ["the owner of ", "被盗"]


def test_every_message_that_rules_make_is_in_the_catalogues() -> None:
    """Names of messages stand in the rules as literals."""
    made = {
        text
        for path in [*(ROOT / "clustering" / "link").glob("*.py")]
        for _, text in literals(path)
        if re.fullmatch(r"(fact|note|label)\.[a-z ]+|claim", text)
    }
    assert {"fact.sale", "note.service", "claim"} < made
    assert made <= set(CATALOGUES[Language.EN])
    assert body_of.__doc__


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, Language.EN),
        ("zh-CN,zh;q=0.9", Language.ZH),
        ("en-GB", Language.EN),
        ("ZH", Language.ZH),
        ("", Language.EN),
    ],
)
def test_the_language_of_a_request(header: str | None, language: Language) -> None:
    assert preferred(header) == language
