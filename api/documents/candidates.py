"""Addresses, transaction ids and cut-off addresses in a passage, each checked and with its place.

Valid means that the checksum is right. Where a text has none (an Ethereum address in one case, a base58 word of
Solana's length) the note says so. A text that has the form and a wrong checksum is named, not dropped: somebody
mistyped it, or it was tampered with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from api.documents import foreign
from api.documents.passage import BROKEN, Passage, Plain, joined, plain
from api.documents.roles import Apparent, apparent
from chain.bitcoin import address as bitcoin
from chain.errors import AddressError
from chain.ethereum import address as ethereum

ADDRESS, TRANSACTION, PATTERN, OTHER, INVALID, SECRET = (
    "address", "transaction", "truncated", "other chain", "invalid", "private key",
)  # fmt: skip

CONTEXT = 60
"""Characters of text shown on each side."""

_NOT_BEFORE, _NOT_BEHIND = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"
_CUT = r"\s?(?:\.{2,}|…+|\*{2,}|_{3,}|-{2,}>?|⋯)\s?"
BASE58 = "1-9A-HJ-NP-Za-km-z"
BECH32 = "02-9ac-hj-np-z"
CUT_OFF = re.compile(
    rf"{_NOT_BEFORE}(?:"
    rf"(?P<eth_start>0x[0-9a-fA-F]{{2,38}}){_CUT}(?P<eth_end>[0-9a-fA-F]{{2,38}})"
    rf"|(?P<segwit_start>(?:bc1|tb1|bcrt1)[{BECH32}]{{1,60}}){_CUT}(?P<segwit_end>[{BECH32}]{{2,60}})"
    rf"|(?P<base58_start>[13mn2][{BASE58}]{{2,30}}){_CUT}(?P<base58_end>[{BASE58}]{{2,30}})"
    rf"){_NOT_BEHIND}"
)
CANDIDATE = re.compile(
    rf"{_NOT_BEFORE}(?:"
    rf"(?P<eth_tx>0x[0-9a-fA-F]{{64}})"
    rf"|(?P<eth>0[xX][0-9a-fA-F]{{40}})"
    rf"|(?P<segwit>(?:bc1|tb1|bcrt1)[{BECH32}]{{11,87}}|(?:BC1|TB1|BCRT1)[{BECH32.upper()}]{{11,87}})"
    rf"|(?P<hash>[0-9a-fA-F]{{64}})"
    rf"|(?P<wif>[5KL9c][{BASE58}]{{50,51}})"
    rf"|(?P<base58>[13mn2][{BASE58}]{{24,34}})"
    rf"){_NOT_BEHIND}"
)
LOOKS_ETHEREUM = re.compile(rf"{_NOT_BEFORE}0x[0-9a-fA-F]{{36,44}}{_NOT_BEHIND}")
"""Too short or too long by a few digits."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that stands in a document."""

    kind: str
    chain: str
    """`btc`, `eth`, the name of another chain, or empty"""
    value: str
    """In its one spelling; `start*end` of a cut-off one; empty for a private key"""
    written: str
    """As the text has it"""
    passage: Passage
    line: int
    column: int
    """1-based"""
    context: str
    role: Apparent
    notes: tuple[str, ...] = field(default=())


def find(passage: Passage) -> list[Found]:
    """What stands in a passage, in order. A thing is told once for each place at which it stands."""
    text = plain(passage.text)
    found = list(_in_one_piece(passage, text))
    taken = {place for each, start, end in found for place in range(start, end)}
    whole = joined(text)
    if len(whole.text) != len(text.text):
        found += [
            (each, start, end)
            for each, start, end in _in_one_piece(passage, whole)
            if each.kind in (ADDRESS, TRANSACTION, OTHER)
            and any(BROKEN in note for note in each.notes)
            and taken.isdisjoint(range(start, end))
        ]
    found = _redacted(passage, found)
    return [each for each, start, _ in sorted(found, key=lambda row: (row[1], row[0].kind))]


Placed = tuple[Found, int, int]
"""What was found, and from where to where of the passage."""


def _in_one_piece(passage: Passage, text: Plain) -> Iterator[Placed]:
    taken: set[int] = set()
    for form, read in (
        (CUT_OFF, _cut_off),
        (CANDIDATE, _candidate),
        (foreign.FORM, _foreign),
        (LOOKS_ETHEREUM, _short),
    ):
        for match in form.finditer(text.text):
            if not taken.isdisjoint(range(match.start(), match.end())):
                continue
            read_as = read(match)
            if read_as is not None:
                taken.update(range(match.start(), match.end()))
                yield _placed(passage, text, match, *read_as)


def _candidate(match: re.Match[str]) -> tuple[str, str, str, str] | None:
    """(kind, chain, value, note)."""
    written = match[0]
    if match["eth_tx"]:
        return TRANSACTION, "eth", written.lower(), "by its form: any hash of 32 bytes has it"
    if match["hash"]:
        return TRANSACTION, "btc", written.lower(), "by its form: any hash of 32 bytes has it"
    if match["wif"]:
        return (SECRET, "btc", "", "a private key: it is not repeated here") if foreign.private_key(written) else None
    if match["eth"]:
        return _ethereum(written)
    try:
        network, key = bitcoin.decode_any(written)
    except AddressError as error:
        if match["base58"] and not _address_like(written):
            return None
        return INVALID, "btc", written, str(error)
    note = "" if network.name == "main" else f"of the network {network.name}"
    return ADDRESS, "btc", bitcoin.encode(key, network), note


def _ethereum(written: str) -> tuple[str, str, str, str]:
    try:
        key = ethereum.decode("0x" + written[2:])
    except AddressError as error:
        return INVALID, "eth", written, str(error)
    digits = written[2:]
    unchecked = digits in (digits.lower(), digits.upper())
    return ADDRESS, "eth", ethereum.encode(key), "written without its checksum" if unchecked else ""


def _address_like(written: str) -> bool:
    """Whether a base58 word is likely meant as an address: of its length, with digits and both cases."""
    cases = written.upper() != written and written.lower() != written
    return 33 <= len(written) <= 35 and cases and any(c.isdigit() for c in written[1:])


def _foreign(match: re.Match[str]) -> tuple[str, str, str, str] | None:
    known = foreign.recognise(match)
    if known is None:
        return None
    how = "its chain is not covered" if known.checked else "its chain is not covered; by its form alone"
    return OTHER, known.chain, match[0], how


def _cut_off(match: re.Match[str]) -> tuple[str, str, str, str]:
    name = next(each for each in ("eth", "segwit", "base58") if match[f"{each}_start"])
    chain = "eth" if name == "eth" else "btc"
    start, end = match[f"{name}_start"], match[f"{name}_end"]
    known = len(start) + len(end) - (2 if chain == "eth" else 1)
    return PATTERN, chain, f"{start}*{end}", f"cut off: {known} characters are known, many addresses may have them"


def _short(match: re.Match[str]) -> tuple[str, str, str, str]:
    return INVALID, "eth", match[0], f"{len(match[0]) - 2} hex digits, an address has 40"


def _placed(
    passage: Passage, text: Plain, match: re.Match[str], kind: str, chain: str, value: str, note: str
) -> Placed:
    start, end = text.at[match.start()], text.at[match.end() - 1] + 1
    altered = {text.altered[place] for place in range(match.start(), match.end()) if place in text.altered}
    line = passage.line + passage.text.count("\n", 0, start)
    column = start - (passage.text.rfind("\n", 0, start) + 1) + 1
    role = (
        apparent(value, text.text, match.start(), match.end())
        if kind in (ADDRESS, PATTERN, OTHER)
        else Apparent("", "")
    )
    context = " ".join(passage.text[max(0, start - CONTEXT) : end + CONTEXT].split())
    notes = tuple(each for each in (note, *sorted(altered)) if each)
    written = "" if kind == SECRET else passage.text[start:end]
    return Found(kind, chain, value, written, passage, line, column, context, role, notes), start, end


def _redacted(passage: Passage, found: list[Placed]) -> list[Placed]:
    """Private keys out of every context."""
    secrets = [passage.text[start:end] for each, start, end in found if each.kind == SECRET]
    if not secrets:
        return found
    shown = passage.text
    for secret in secrets:
        shown = shown.replace(secret, "•" * len(secret))
    return [
        (replace(each, context=" ".join(shown[max(0, start - CONTEXT) : end + CONTEXT].split())), start, end)
        for each, start, end in found
    ]
