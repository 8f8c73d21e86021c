"""Imports run one way: api -> clustering -> chain."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ABOVE = {
    "chain": {"clustering", "api", "tests", "bench"},
    "clustering": {"api", "tests", "bench"},
    "api": {"tests", "bench"},
}


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("layer", ABOVE)
def test_a_layer_imports_nothing_above_it(layer: str) -> None:
    files = sorted((ROOT / layer).rglob("*.py"))
    assert files
    assert {str(path): _imported(path) & ABOVE[layer] for path in files if _imported(path) & ABOVE[layer]} == {}


def test_heuristics_do_no_input_or_output() -> None:
    """Of chain/, kernels know the model, the errors and the readers of columns."""
    forbidden = {"asyncpg", "bitcoin", "aiohttp", "fastapi"}
    for path in sorted((ROOT / "clustering").rglob("*.py")):
        assert not _imported(path) & forbidden, path
