"""No float touches money: modules that handle amounts have no float, no true division, no float literal."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

NOT_MONEY = {
    "api/access/limits.py": "requests a second",
    "clustering/simulate/documents.py": "chances of a document",
    "chain/load.py": "seconds of a load",
    "chain/dictionary.py": "how full a table may be",
    "chain/threads.py": "seconds of waiting",
    "chain/bitcoin/rpc.py": "seconds of waiting for a node",
    "chain/bitcoin/nodeclient.py": "seconds of waiting for a node",
    "chain/store/postgres.py": "seconds of waiting for a server",
    "chain/settings.py": "no amounts",
    "chain/compressed.py": "no amounts",
    "chain/bitcoin/records.py": "no amounts",
    "chain/store/embedded.py": "no amounts",
    "api/answers/opening.py": "seconds between looks at the ledger",
    "api/demo.py": "seconds and rates of the demo",
    "api/clusterings.py": "seconds of a run",
    "api/relations.py": "seconds of a run",
    "api/labels/importing.py": "seconds of an import",
    "api/labels/yamlnodes.py": "numbers of other people's label files, kept as written",
    "chain/ethereum/load.py": "seconds of a load",
    "chain/ethereum/calls.py": "seconds of waiting for a node",
    "chain/ethereum/node.py": "seconds of waiting for a node",
    "chain/ethereum/pacing.py": "seconds, and a window that grows by parts of a request",
    "clustering/detect/legs.py": "amounts for order and rates; sums are exact",
    "clustering/detect/parameters.py": "thresholds of rates",
    "clustering/detect/presale.py": "amounts for ranks; sums are exact",
    "clustering/detect/prices.py": "rates that are compared; a tier's exact rate is that of its sums",
    "clustering/measure.py": "fractions of whole counts, rounded down",
    "clustering/levels.py": "bounds of a binomial share, rounded to integers towards caution",
    "clustering/bitcoin/change/measure.py": "weights while they are fitted; the result is integers",
    **{
        f"clustering/simulate/{name}.py": "chances of a made-up chain; its amounts are whole"
        for name in ("coinjoins", "consumers", "economy", "marginals", "profile", "services", "trades", "world")
    },
    "api/cli/ingest.py": "seconds of a load",
    "api/jobs/worker.py": "seconds between two looks",
    "api/routes/jobs.py": "seconds between two looks",
}
"""Modules with floats, each with what they are for."""


def _modules() -> list[str]:
    found = [path for layer in ("chain", "clustering", "api") for path in (ROOT / layer).rglob("*.py")]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def _floats(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
        name = isinstance(node, ast.Name) and node.id == "float"
        dtype = isinstance(node, ast.Attribute) and node.attr.startswith("float")
        division = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and not _is_path(node)
        if literal or name or dtype or division:
            yield getattr(node, "lineno", 0)


def _is_path(node: ast.BinOp) -> bool:
    """`folder / "name"`: a join of paths, not a division."""
    right = node.right
    text = isinstance(right, ast.JoinedStr) or (isinstance(right, ast.Constant) and isinstance(right.value, str))
    return text or (isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Div)) or _names_a_path(node)


def _names_a_path(node: ast.BinOp) -> bool:
    left = node.left
    name = left.attr if isinstance(left, ast.Attribute) else left.id if isinstance(left, ast.Name) else ""
    call = isinstance(node.right, ast.Call) and isinstance(node.right.func, ast.Name) and node.right.func.id == "str"
    paths = ("folder", "home", "_HERE", "target", "part", "base", "path", "data", "FALLBACK_BASE", "_folder")
    return call or name in paths


@pytest.mark.parametrize("module", [module for module in _modules() if module not in NOT_MONEY])
def test_no_float_in_a_module_that_may_handle_amounts(module: str) -> None:
    assert list(_floats(ast.parse((ROOT / module).read_text()))) == [], module


@pytest.mark.parametrize("text", ["x = 0.5", "y = a / b", "z = float(v)", "w = np.float64(v)"])
def test_the_search_finds_floats(text: str) -> None:
    assert list(_floats(ast.parse(text)))
