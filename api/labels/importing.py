"""Import of label files: told apart by what they contain, read, checked row by row, and added whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from api.labels import actorpack, ofac, table, tagpack
from api.labels.addresses import keyed
from api.labels.pack import MAX_FILE, Pack
from chain import compressed
from chain.bitcoin.network import MAINNET, Network
from chain.errors import LimitExceeded, MalformedData, SourceError
from chain.source import Reject
from chain.store.labels import MAX_ARCHIVE, NOT_COVERED, Claim, LabelRows, LabelStore, NewSource, Source
from chain.store.postgres import Connection

FORMATS = ("tagpack", "actorpack", "ofac", "csv")

SNIFFED = 1 << 18
"""Bytes at the start of a file by which its format is told."""

_YAML_KEYS = {
    "tagpack": re.compile(rb"(?m)(?:^|[{,]\s*)[\"']?tags[\"']?\s*:"),
    "actorpack": re.compile(rb"(?m)(?:^|[{,]\s*)[\"']?actors[\"']?\s*:"),
}
_ONE_WORD = re.compile(rb"[0-9A-Za-z:.]{20,128}")
_JSON_TEXTS = re.compile(rb"\[\s*(?:\"|\])")


@dataclass(frozen=True, slots=True)
class Options:
    """What an import says that the files do not."""

    format: str | None = None
    licence: str | None = None
    asset: str | None = None
    title: str | None = None
    creator: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    network: Network = MAINNET
    replace: bool = False
    beside: bool = False


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of one file."""

    file: str
    state: str
    """added, or already there"""
    source: int
    version: int
    """Of the label set, with this source in it."""
    format: str
    title: str
    creator: str
    sha256: str
    labels: int
    not_covered: int
    """Of these labels, those of chains that are not covered: their addresses are kept as text."""
    actors: int
    rejected: int
    not_read: list[str]
    """Fields or columns that have no place here."""
    seconds: float


async def import_file(connection: Connection, path: Path, options: Options) -> tuple[ImportReport, list[Reject]]:
    """Add one file as a source. HeadwaterError where it cannot be used as a whole; nothing of it is then stored.

    A file whose source is open changes nothing; one that was withdrawn is added again with `replace` only.
    """
    started = time.monotonic()
    data = await asyncio.to_thread(_given, path)
    store = LabelStore(connection)
    form = await asyncio.to_thread(detect, path, data) if options.format is None else options.format
    if form != ofac.FORMAT:  # whose asset its name says
        for known in await store.of_file(hashlib.sha256(data).digest(), options.network.name):
            if known.is_open:
                return _report(path, known, started, added=False), []
    pack, rows = await asyncio.to_thread(_read_keyed, path, data, form, options)
    source, added = await store.add(
        _source(path, data, pack, options), pack.claims, rows, pack.actors, len(pack.rejects),
        replace=options.replace, beside=options.beside,
    )  # fmt: skip
    not_covered = int((rows.chain == NOT_COVERED).sum())
    return _report(path, source, started, added, not_covered, sorted(pack.unread)), pack.rejects if added else []


def _given(path: Path) -> bytes:
    """The file as it is on the disk."""
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_ARCHIVE + 1)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    if len(data) > MAX_ARCHIVE:
        raise LimitExceeded(f"{path}: more than {MAX_ARCHIVE:,} bytes")
    return data


def _source(path: Path, data: bytes, pack: Pack, options: Options) -> NewSource:
    return NewSource(
        pack.title, pack.creator, pack.description, pack.uri, options.licence or pack.licence, pack.format,
        options.network.name, path.name, data,
    )  # fmt: skip


def _read_keyed(path: Path, data: bytes, form: str, options: Options) -> tuple[Pack, LabelRows]:
    pack = read_file(path, data, form, options)
    rows = keyed(pack, options.network)
    if not len(rows) and not pack.actors:
        first = pack.rejects[0]
        raise MalformedData(f"{path}: none of its rows can be taken; the first: {first.place}: {first.reason}")
    return pack, rows


def read_file(path: Path, data: bytes, form: str, options: Options) -> Pack:
    """The pack that a file of a format is, with what the options say put over it."""
    if form == "csv":
        with compressed.open_given(path, data) as handle:
            pack = table.read(str(path), handle)
    else:
        with compressed.open_given(path, data) as handle:
            content = compressed.read_bounded(path, handle, MAX_FILE)
        if form == "tagpack":
            pack = tagpack.read(str(path), content)
        elif form == "actorpack":
            pack = actorpack.read(str(path), content)
        else:
            pack = ofac.read(str(path), content, options.asset)
    pack.title, pack.creator = options.title or pack.title, options.creator or pack.creator
    if options.valid_from or options.valid_until:
        pack.claims[:] = [_bounded(each, options) for each in pack.claims]
    return pack


def _bounded(claim: Claim, options: Options) -> Claim:
    """A claim with the validity of the import where it states none of its own."""
    valid_from, valid_until = claim.valid_from or options.valid_from, claim.valid_until or options.valid_until
    if valid_from and valid_until and valid_from > valid_until:
        raise MalformedData(f"a label would be valid from {valid_from} until {valid_until}")
    return replace(claim, valid_from=valid_from, valid_until=valid_until)


def detect(path: Path, data: bytes) -> str:
    """The format of a file, by what it contains; MalformedData where it is none of FORMATS."""
    with compressed.open_given(path, data) as handle:
        start = handle.read(SNIFFED).removeprefix(b"\xef\xbb\xbf")
    lines = [line.strip() for line in start.split(b"\n") if line.strip()]
    if lines and table.columns_of(lines[0].decode("utf-8", "replace")):
        return "csv"
    for name, form in _YAML_KEYS.items():
        if form.search(start):
            return name
    words = lines[:-1] if len(start) == SNIFFED else lines
    like_addresses = sum(_ONE_WORD.fullmatch(word) is not None for word in words)
    if _JSON_TEXTS.match(start.lstrip()) or 2 * like_addresses > len(words):
        return "ofac"
    raise MalformedData(
        f"{path}: neither a TagPack (tags:), an ActorPack (actors:), a list of addresses, nor a table with the columns"
        " address and label"
    )


def _report(
    path: Path, source: Source, started: float, added: bool, not_covered: int = 0, unread: list[str] | None = None
) -> ImportReport:
    return ImportReport(
        str(path), "added" if added else "already there", source.source_id, source.from_version, source.format,
        source.title, source.creator, source.sha256.hex(), source.label_count, not_covered, source.actor_count,
        source.rejected_count, unread or [], time.monotonic() - started,
    )  # fmt: skip
