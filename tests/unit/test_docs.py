"""Everything a user can touch is documented."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from api import openapi
from api.app import create_app
from api.cli import app
from chain import errors
from chain.bitcoin.verify import CHECKS
from chain.ethereum.verify import CHECKS as ETHEREUM_CHECKS
from chain.settings import Settings
from chain.store.postgres import migrations
from clustering.ethereum.relations import RELATIONS, RelationFacts
from clustering.links import RULES

DOCS = Path(__file__).parents[2] / "docs"


def _text(name: str) -> str:
    return (DOCS / name).read_text()


def _commands(group: Any, path: str = "headwater") -> Iterator[tuple[str, Any]]:
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(_commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    text = _text("commands.md")
    heading = f"## `{name}`"
    assert heading in text, name
    section = text.split(heading, 1)[1].split("\n## ", 1)[0]
    for parameter in COMMANDS[name].params:
        for option in parameter.opts:
            if option.startswith("--") and option not in ("--help", "--format"):
                assert option in section, f"{name} {option}"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    assert f"`HEADWATER_{name.upper()}`" in _text("settings.md")


@pytest.mark.parametrize("check", [*CHECKS, *ETHEREUM_CHECKS], ids=lambda check: check.name)
def test_every_check_is_documented(check: object) -> None:
    assert f"| `{check.name}` | {check.meaning} |" in _text("verification.md")  # type: ignore[attr-defined]


@pytest.mark.parametrize("facts", RULES.values(), ids=lambda facts: facts.name)
def test_every_rule_is_documented(facts: object) -> None:
    assert f"| {facts.name} |" in _text("methods.md")  # type: ignore[attr-defined]


@pytest.mark.parametrize("facts", RELATIONS.values(), ids=lambda facts: facts.name)
def test_every_relation_is_documented(facts: RelationFacts) -> None:
    assert f"| {facts.name} |" in _text("methods.md")


def _tree(kind: type[errors.HeadwaterError]) -> Iterator[type[errors.HeadwaterError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


@pytest.mark.parametrize("kind", list(_tree(errors.HeadwaterError)), ids=lambda kind: kind.__name__)
def test_every_problem_type_is_documented(kind: type[errors.HeadwaterError]) -> None:
    assert f"| `{kind.problem_type}` | {kind.status} |" in _text("errors.md")


def test_every_table_is_documented() -> None:
    tables = {
        line.split()[2]
        for _, text in migrations()
        for line in text.splitlines()
        if line.startswith("create table ") and line.rstrip().endswith("(")
    }
    assert {"block", "link"} < tables
    assert [table for table in sorted(tables) if f"`{table}`" not in _text("storage.md")] == []


def test_every_route_is_documented() -> None:
    text = _text("rest.md")
    paths = create_app().openapi()["paths"]
    routes = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    assert len(routes) >= 11
    assert [route for route in routes if f"| `{route}` |" not in text] == []


def test_the_committed_openapi_is_the_service_s() -> None:
    assert openapi.PATH.read_text() == openapi.description(), "run python -m api.openapi"
