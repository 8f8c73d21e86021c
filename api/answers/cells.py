"""Cells of CSV that go to people: names come from strangers, and spreadsheets evaluate what looks like a formula."""

from __future__ import annotations

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")
"""First characters that make a spreadsheet take a cell for a formula (OWASP ASVS 5.0, 1.2.10)."""


def safe_cell(value: object) -> str:
    """A CSV cell that no spreadsheet evaluates; numbers stay numbers."""
    text = "" if value is None else str(value)
    if text.startswith(_FORMULA) and not _is_number(text):
        return "'" + text
    return text


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal()
