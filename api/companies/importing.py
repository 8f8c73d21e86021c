"""Companies out of a CSV file: an outcome for each row, and all that was taken in one transaction.

A row is the company that one of its identifiers names already; without a known identifier it is a new one, and the same
row again is the same company. Never by its name. Names, identifiers and facts of a known company are added to it.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from api.companies import names
from api.companies.identifiers import company_id, identifier
from chain.compressed import read_bytes
from chain.errors import LimitExceeded, MalformedData
from chain.store.companies import CompanyStore, Identifier, StatedCompany
from chain.store.postgres import Connection

MAX_BYTES = 1 << 30
MAX_ROWS = 2_000_000
MAX_CELL = 32 << 20
"""Characters of a cell that is still read, to be rejected by its row."""

MAX_FACT = 1_000
MAX_LISTED = 100
"""Names, officers and the like of one cell, parted by `;`."""

BATCH = 20_000
"""Rows that go to the database together."""

NAMES = {"name": "legal", "name_zh": "legal", "name_en": "translated", "trading_names": "trading",
         "former_names": "former"}  # fmt: skip
IDENTIFIERS = {"uscc": "cn-uscc", "lei": "lei", "registry": "registry", "actor": "actor"}
FACTS = {"officers": "officer", "registered_address": "registered address", "phone": "phone", "agent": "agent",
         "domains": "domain", "parent": "parent"}  # fmt: skip
LISTS = frozenset({"trading_names", "former_names", "registry", "officers", "domains", "actor"})
COLUMNS = (*NAMES, *IDENTIFIERS, "jurisdiction", *FACTS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row."""

    row: int
    """Line of the file on which it begins"""
    outcome: str
    """`new`, `known` or `rejected`"""
    company: str
    reason: str


@dataclass(slots=True)
class CompanyImport:
    """What became of a file."""

    file: str
    sha256: str
    outcomes: list[Outcome] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        return sum(each.outcome == outcome for each in self.outcomes)


async def import_companies(connection: Connection, path: Path, by: str) -> CompanyImport:
    """Take the companies of a file, all or none. MalformedData where its header is wrong, LimitExceeded `companies`."""
    data = read_bytes(path, MAX_BYTES)
    done = CompanyImport(path.name, hashlib.sha256(data).hexdigest())
    store = CompanyStore(connection)
    seen: dict[Identifier, tuple[int, str]] = {}
    async with connection.transaction():
        await store.lock()
        batch: list[tuple[int, StatedCompany]] = []
        for row, said in _rows(path, data):
            if len(done.outcomes) + len(batch) >= MAX_ROWS:
                raise LimitExceeded(f"companies: a file has at most {MAX_ROWS} rows")
            try:
                stated = _company(said)
                _alone_in_file(row, stated, seen)
            except ValueError as error:
                done.outcomes.append(Outcome(row, "rejected", "", str(error)))
                continue
            batch.append((row, stated))
            if len(batch) == BATCH:
                await _take(store, batch, done)
                batch = []
        await _take(store, batch, done)
        rejected = done.count("rejected")
        await store.add_import(done.file, bytes.fromhex(done.sha256), len(done.outcomes) - rejected, rejected, by)
    done.outcomes.sort(key=lambda each: each.row)
    return done


async def _take(store: CompanyStore, batch: list[tuple[int, StatedCompany]], done: CompanyImport) -> None:
    """Settle which company each row is, and add what it says."""
    named = await store.named([pair for _, each in batch for pair in each.identifiers])
    taken = []
    for row, each in batch:
        owners = {named[pair] for pair in each.identifiers if pair in named}
        if len(owners) > 1:
            those = " and ".join(":".join(pair) for pair in each.identifiers if pair in named)
            done.outcomes.append(Outcome(row, "rejected", "", f"{those} name different companies that are known"))
            continue
        each.company_id = next(iter(owners), each.company_id)
        named.update(dict.fromkeys(each.identifiers, each.company_id))
        taken.append((row, each))
    known = await store.known([each.company_id for _, each in taken])
    for row, each in taken:
        outcome = "known" if each.company_id in known else "new"
        known.add(each.company_id)
        done.outcomes.append(Outcome(row, outcome, str(each.company_id), ""))
    await store.add([each for _, each in taken], f"{done.file} ({done.sha256[:16]})")


def _alone_in_file(row: int, stated: StatedCompany, seen: dict[Identifier, tuple[int, str]]) -> None:
    """ValueError where an identifier stands with another legal name in an earlier row of the file."""
    key = stated.names[0][2]
    for pair in stated.identifiers:
        earlier, other = seen.get(pair, (row, key))
        if other != key:
            raise ValueError(f"{':'.join(pair)} stands in line {earlier} with another name")
    for pair in stated.identifiers:
        seen.setdefault(pair, (row, key))


def _rows(path: Path, data: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, cells by column); MalformedData where the file is no such CSV."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedData(f"{path}: it is not UTF-8 (byte {error.start})") from error
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        unknown = [name for name in header if name not in COLUMNS]
        if unknown or not {"name", "name_zh"} & set(header) or len(set(header)) != len(header):
            raise MalformedData(
                f"{path}: line 1 names each column once, of {', '.join(COLUMNS)}; name or name_zh is needed"
            )
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) > len(header):
                yield line, {"": "more cells than columns"}
            elif cells:
                yield line, dict(zip(header, (cell.strip() for cell in cells), strict=False))
            line = reader.line_num + 1
    except csv.Error as error:
        raise MalformedData(f"{path}: line {reader.line_num}: {error}") from error


def _company(said: Mapping[str, str]) -> StatedCompany:
    """What a row says; ValueError tells what is wrong with it."""
    if "" in said:
        raise ValueError(said[""])
    stated = []
    for column, kind in NAMES.items():
        stated += [(each, kind, names.key(each), names.pinyin(each)) for each in _texts(said, column, names.MAX_NAME)]
    stated.sort(key=lambda each: each[1] != "legal")
    if not stated or stated[0][1] != "legal":
        raise ValueError("there is no name")
    if not stated[0][2]:
        raise ValueError("the name has no letter or digit")
    identifiers = [
        identifier(scheme, each) for column, scheme in IDENTIFIERS.items() for each in _texts(said, column, MAX_FACT)
    ]
    jurisdiction = said.get("jurisdiction", "").upper()
    if len(jurisdiction) > 10 or not all(part.isalnum() for part in jurisdiction.split("-") if jurisdiction):
        raise ValueError(f"jurisdiction {jurisdiction[:20]!r} is no code as CN or US-DE")
    facts = [(kind, each) for column, kind in FACTS.items() for each in _texts(said, column, MAX_FACT)]
    whole = "\x1f".join(f"{name}={said[name]}" for name in sorted(said) if said[name])
    return StatedCompany(company_id(identifiers, whole), jurisdiction, stated, identifiers, facts)


def _texts(said: Mapping[str, str], column: str, most: int) -> list[str]:
    """The texts of a cell; ValueError where one is too long or cannot be printed."""
    cell = said.get(column, "")
    if len(cell) > most * (MAX_LISTED if column in LISTS else 1):
        raise ValueError(f"{column} has {len(cell):,} characters, more than {most}")
    texts = [each.strip() for each in cell.split(";")] if column in LISTS else [cell]
    if len(texts) > MAX_LISTED:
        raise ValueError(f"{column} lists {len(texts):,} texts, more than {MAX_LISTED}")
    for text in texts:
        if len(text) > most:
            raise ValueError(f"{column} has {len(text):,} characters, more than {most}")
        if not text.isprintable():
            raise ValueError(f"{column} has characters that cannot be printed")
    return list(dict.fromkeys(text for text in texts if text))
