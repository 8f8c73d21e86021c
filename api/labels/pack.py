"""What every reader of labels gives: a file's header, its claims, and which address each row is of.

Texts of labels come from strangers. They are kept as they are within named bounds; what a database cannot hold (NUL,
half of a surrogate pair) and what passes a bound is refused, row by row, with the reason. Nothing is trimmed or mended.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from chain.errors import MalformedData
from chain.source import Reject
from chain.store.labels import Actor, Claim
from clustering.labels import CONFIDENCE

MAX_FILE = 512 << 20
"""Decompressed bytes of a file of labels; `tags_all.csv.xz` has 119 MB."""

MAX_LABEL = 4_096
"""Characters of a label, an address, an id: the longest public label has some 200."""

MAX_TEXT = 65_536
"""Characters of a description, a source, a context."""

MAX_ROWS = 5_000_000
"""Rows of one file."""

NOT_STATED = "not stated"

MANDATORY = ("address", "label", "currency")
"""What a row must have, in itself or by its header."""


class RowError(Exception):
    """A row cannot be taken; the message says why."""


@dataclass(slots=True)
class Pack:
    """One file, read. Rows are kept as columns: `address[i]` is what `claims[claim[i]]` speaks of."""

    format: str
    file: str
    title: str
    creator: str
    description: str | None = None
    uri: str | None = None
    licence: str | None = None
    place_name: str = "tag"
    """What `place` counts: `tag` or `line`."""
    claims: list[Claim] = field(default_factory=list)
    claim: list[int] = field(default_factory=list)
    address: list[str] = field(default_factory=list)
    place: list[int] = field(default_factory=list)
    actors: list[Actor] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    """Fields or columns of the file that have no place here; its bytes are archived with them."""
    _numbers: dict[Claim, int] = field(default_factory=dict)

    def number(self, claim: Claim) -> int:
        """The number of a claim; equal claims have one."""
        found = self._numbers.setdefault(claim, len(self.claims))
        if found == len(self.claims):
            self.claims.append(claim)
        return found

    def add(self, place: int, address: str, claim: int) -> None:
        self.place.append(place)
        self.address.append(address)
        self.claim.append(claim)

    def reject(self, place: int, reason: str) -> None:
        self.rejects.append(Reject(self.file, f"{self.place_name} {place}", reason))


def text_of(name: str, value: str, limit: int = MAX_LABEL) -> str:
    """A text as it is; RowError where it cannot be kept."""
    if len(value) > limit:
        raise RowError(f"{name} has {len(value):,} characters, more than {limit:,}")
    if "\0" in value:
        raise RowError(f"{name} has a NUL at character {value.index(chr(0)) + 1}, which a database cannot hold")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise RowError(f"{name} is not valid UTF-8 from character {error.start + 1} on") from None
    return value


def confidence_of(value: str) -> str:
    """A confidence id; RowError where the vocabulary does not have it."""
    if value not in CONFIDENCE:
        raise RowError(f"confidence {value[:80]!r} is not in the vocabulary: {', '.join(CONFIDENCE)}")
    return value


_TRUTH = {
    "true": True, "yes": True, "on": True, "y": True, "false": False, "no": False, "off": False, "n": False,
}  # fmt: skip
"""YAML 1.1's words, which CSV exports write with a capital."""


def truth_of(name: str, value: str) -> bool:
    """A yes or no; RowError otherwise."""
    found = _TRUTH.get(value.lower())
    if found is None:
        raise RowError(f"{name} is {value[:80]!r}, not true or false")
    return found


_ZONE = re.compile(r"\s*(?:Z|([+-]\d{1,2})(?::?(\d{2}))?)$")


def moment_of(name: str, value: str) -> datetime:
    """A day or a time as ISO 8601 writes it, in UTC without a zone; RowError otherwise."""
    try:
        if len(value) == 10:
            return datetime.combine(date.fromisoformat(value), time())
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        raise RowError(f"{name} is {value[:80]!r}, not a date (YYYY-MM-DD) or time") from None
    return found if found.tzinfo is None else found.astimezone(UTC).replace(tzinfo=None)


def day_of(name: str, value: str) -> date:
    """A day; RowError otherwise."""
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise RowError(f"{name} is {value[:80]!r}, not a date (YYYY-MM-DD)") from None


Converter = Callable[[str, str], object]

CONVERTERS: dict[str, Converter] = {
    "label": text_of,
    "currency": text_of,
    "network": text_of,
    "category": text_of,
    "abuse": text_of,
    "actor": text_of,
    "confidence": lambda _, value: confidence_of(value),
    "is_cluster_definer": truth_of,
    "lastmod": moment_of,
    "valid_from": day_of,
    "valid_until": day_of,
    "source": lambda name, value: text_of(name, value, MAX_TEXT),
    "context": lambda name, value: text_of(name, value, MAX_TEXT),
    "pack": text_of,
}
"""Fields of a claim that are one scalar -> how their text is read."""


def check_validity(claim: Claim) -> Claim:
    """RowError where a label would end before it begins."""
    if claim.valid_from and claim.valid_until and claim.valid_from > claim.valid_until:
        raise RowError(f"valid_from {claim.valid_from} is after valid_until {claim.valid_until}")
    return claim


def check_any(pack: Pack) -> None:
    """MalformedData where a file has nothing that can be taken."""
    if not pack.address and not pack.actors:
        first = f"; the first: {pack.rejects[0].place}: {pack.rejects[0].reason}" if pack.rejects else ""
        raise MalformedData(f"{pack.file}: none of {len(pack.rejects)} rows can be taken{first}")
