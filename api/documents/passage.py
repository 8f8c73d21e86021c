"""A stretch of text with its place, and its characters made plain without losing where each one stood."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MAX_PASSAGE = 4 << 20
"""Characters of a passage; longer text comes in several."""

LOOK_ALIKES = dict(
    zip("АВЕЅІЈКМНОРСТУХаеорсухіјѕԁһԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧοχ", "ABESIJKMHOPCTYXaeopcyxijsdhwABEZHIKMNOPTYXox", strict=True)
)
"""Cyrillic and Greek letters that print like Latin ones."""

LINE_BREAK = re.compile(r"(?<=[0-9A-Za-z])[ \t\r-]{0,20}\n[ \t\r-]{0,20}(?=[0-9A-Za-z])")

ALTERED, HIDDEN, WIDE = "look-alike letters", "hidden characters", "full-width characters"
BROKEN = "broken over lines"


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document that belongs together."""

    text: str
    page: int | None = None
    line: int = 1
    """Of the document or page, on which the passage begins"""
    part: str = ""
    """Where in the document, in words: `attribute href`, `script`, `message 12`"""
    sender: str = ""
    time: str = ""
    forwarded_from: str = ""


@dataclass(frozen=True, slots=True)
class Plain:
    """A passage's characters in one form. `at[i]` is where in the passage character i of `text` stood."""

    text: str
    at: list[int]
    altered: dict[int, str]
    """Place in `text` -> what was done to a character there, or before it"""


def plain(text: str) -> Plain:
    """One width, no characters that cannot be seen, no look-alikes."""
    out: list[str] = []
    at: list[int] = []
    altered: dict[int, str] = {}
    if text.isascii():
        return Plain(text, list(range(len(text))), altered)
    for place, character in enumerate(text):
        if character.isascii():
            out.append(character)
            at.append(place)
            continue
        if unicodedata.category(character) == "Cf":
            altered[len(out)] = HIDDEN
            continue
        if character in LOOK_ALIKES:
            altered[len(out)] = f"{ALTERED} (U+{ord(character):04X} for {LOOK_ALIKES[character]})"
            out.append(LOOK_ALIKES[character])
            at.append(place)
            continue
        folded = unicodedata.normalize("NFKC", character)
        if folded != character and folded.isascii():
            if "\uff00" < character < "\uff5f":
                altered[len(out)] = WIDE
        else:
            folded = character
        out.extend(folded)
        at.extend([place] * len(folded))
    return Plain("".join(out), at, altered)


def joined(text: Plain) -> Plain:
    """The same without line breaks, and the blanks and hyphens about them, between two letters or digits."""
    out: list[str] = []
    at: list[int] = []
    altered: dict[int, str] = {}
    start = 0
    places = sorted(text.altered)
    for found in [*LINE_BREAK.finditer(text.text), None]:
        end = len(text.text) if found is None else found.start()
        while places and places[0] < end:
            place = places.pop(0)
            altered[len(at) + place - start] = text.altered[place]
        out.append(text.text[start:end])
        at += text.at[start:end]
        if found is not None:
            altered[len(at)] = BROKEN
            start = found.end()
    return Plain("".join(out), at, altered)
