"""Flags out of a CSV file: an outcome for each row, and all that was taken in one transaction."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from api.answers.view import InvalidParameter
from api.companies.flags import NewFlag, NewStatus, add_flag
from api.companies.identifiers import read_handle
from api.companies.importing import Outcome
from chain.compressed import read_bytes
from chain.errors import LimitExceeded, MalformedData, NotFound
from chain.store.companies import CompanyStore
from chain.store.postgres import Connection

MAX_BYTES = 64 << 20
MAX_ROWS = 100_000
NEEDED = ("company", "authority", "document", "document_date", "activity", "status")
COLUMNS = (*NEEDED, "since", "instrument", "url", "archived_sha256", "note")


async def import_flags(connection: Connection, path: Path, by: str) -> list[Outcome]:
    """Take the flags of a file. MalformedData where its header is wrong, LimitExceeded `flags`."""
    try:
        text = read_bytes(path, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedData(f"{path}: it is not UTF-8 (byte {error.start})") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip().lower() for name in next(reader, [])]
    if set(header) - set(COLUMNS) or set(NEEDED) - set(header):
        raise MalformedData(f"{path}: line 1 names columns of {', '.join(COLUMNS)}; needed: {', '.join(NEEDED)}")
    outcomes = []
    async with connection.transaction():
        for row, cells in enumerate(reader, 2):
            if row > MAX_ROWS + 1:
                raise LimitExceeded(f"flags: a file has at most {MAX_ROWS} rows")
            if not cells:
                continue
            said = dict(zip(header, (cell.strip() for cell in cells), strict=False))
            try:
                outcomes.append(await _take(connection, row, said, by))
            except (ValueError, InvalidParameter, NotFound) as error:
                name = f"{error.name}: " if isinstance(error, InvalidParameter) else ""
                outcomes.append(Outcome(row, "rejected", "", f"{name}{error}"))
    return outcomes


async def _take(connection: Connection, row: int, said: Mapping[str, str], by: str) -> Outcome:
    company = await CompanyStore(connection).find(read_handle(said["company"]))
    day = _day("document_date", said["document_date"])
    flag = NewFlag(
        said["authority"], said["document"], day, said["activity"], said.get("url", ""),
        said.get("archived_sha256", ""),
    )  # fmt: skip
    since = _day("since", said["since"]) if said.get("since") else day
    status = NewStatus(said["status"], since, said.get("instrument", ""), said.get("note", ""))
    _, new = await add_flag(connection, company, flag, status, by)
    return Outcome(row, "new" if new else "known", str(company), "")


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name}: {text[:40]!r} is no day as 2026-11-27") from None
