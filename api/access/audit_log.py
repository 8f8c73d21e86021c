"""The audit log: who read or wrote what is linked to companies, in which case and for which purpose.

An entry is inserted in the transaction of what it tells of. Entries are sealed each second into a batch: the root of
a Merkle tree over them (RFC 6962: leaves and nodes hashed apart), chained to the batch before, kept in the database
and appended to a file outside of it. `verify` computes everything again. The words of a purpose stand apart under a
salted hash, so that they can be erased.

How it fails. Entries that no batch holds yet can be changed unseen, for a second. Whoever can write the database and
the file alike can make both anew: copy the file, or its last line, to where they cannot.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import secrets
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chain.errors import HeadwaterError, StoreUnavailable
from chain.store.access import AuditStore, Batch, Entry
from chain.store.postgres import Connection

MAX_BATCH = 10_000
"""Entries of a batch."""

PAGE = 1_000
GENESIS = bytes(32)
"""What the first batch has in the place of one before."""

SALT = 16


class AuditUnavailable(HeadwaterError):
    """The audit log cannot be written, so what is linked to companies is not answered."""

    problem_type = "audit-unavailable"
    status = 503


@dataclass(frozen=True, slots=True)
class Told:
    """What an access was answered with."""

    rows: int
    digest: bytes
    rests_on: str = ""


async def record(
    connection: Connection, *, key_id: uuid.UUID | None, person: str, case_id: uuid.UUID | None, purpose: str,
    action: str, asked_of: str, query: Any, told: Told, client: str,
) -> int:  # fmt: skip
    """Add an entry: its number. In the transaction of what it tells of, as the last thing in it."""
    salt = secrets.token_bytes(SALT)
    query_hash = hashlib.sha256(json.dumps(query, sort_keys=True, default=str).encode()).digest()
    entry = Entry(
        key_id, person, case_id, _purpose_hash(salt, purpose), action, asked_of, query_hash, told.rows, told.digest,
        told.rests_on, client,
    )  # fmt: skip
    return await AuditStore(connection).add(entry, salt, purpose)


async def seal(connection: Connection, home: Path) -> int:
    """Seal every entry that no batch holds, and bring the file up; how many batches were made."""
    made = 0
    store = AuditStore(connection)
    while await store.unsealed():
        async with connection.transaction():
            await store.seal_lock()
            before = await store.last_batch()
            after = before.last_seq if before else 0
            entries = await store.entries(after, 2**62, MAX_BATCH)
            if not entries:
                break
            number = before.batch + 1 if before else 1
            previous = batch_hash(before) if before else GENESIS
            await store.add_batch(
                Batch(number, entries[0]["seq"], entries[-1]["seq"], len(entries), root_of(entries), previous)
            )
        made += 1
    await publish(store, home)
    return made


async def publish(store: AuditStore, home: Path) -> None:
    """Append to the file the batches that it lacks; StoreUnavailable where it cannot be written."""
    last = await asyncio.to_thread(_last_line, roots_file(home))
    while batches := await store.batches(last, PAGE):
        await asyncio.to_thread(_append, roots_file(home), batches)
        last = batches[-1].batch


async def keep_sealed(url_connection: Any, home: Path, seconds: int = 1) -> None:
    """Seal again and again until it is cancelled; `url_connection` gives a connection for a block."""
    while True:
        await asyncio.sleep(seconds)
        try:
            async with url_connection() as connection:
                await seal(connection, home)
        except HeadwaterError:
            continue  # the entries stand unsealed, and are sealed when the database is there again


def roots_file(home: Path) -> Path:
    return home / "audit" / "roots"


async def verify(connection: Connection, home: Path) -> str | None:
    """What is wrong first, in the order of the log; None where all of it stands as it was sealed. In a snapshot."""
    store = AuditStore(connection)
    lines = await asyncio.to_thread(_lines, roots_file(home))
    previous, after, number = GENESIS, 0, 0
    while batches := await store.batches(number, PAGE):
        for batch in batches:
            number += 1
            wrong = await _wrong(store, batch, number, previous, after)
            if wrong is None and number <= len(lines) and lines[number - 1] != _line(batch):
                wrong = f"batch {number}: the file {roots_file(home)} has another root than the database"
            if wrong is not None:
                return wrong
            previous, after = batch_hash(batch), batch.last_seq
    if len(lines) > number:
        return f"batch {number + 1}: the file {roots_file(home)} has it, and the database does not"
    return None


async def _wrong(store: AuditStore, batch: Batch, number: int, previous: bytes, after: int) -> str | None:
    """What of a batch is not as it was sealed."""
    if batch.batch != number:
        return f"batch {number}: it is not there"
    if batch.previous != previous:
        return f"batch {number}: it does not follow from the one before: that one, or this, was changed"
    entries = await store.entries(after, batch.last_seq, batch.entries + 1)
    span = f"entries {batch.first_seq} to {batch.last_seq} (batch {number})"
    if len(entries) != batch.entries:
        return f"{span}: {batch.entries} were sealed, {len(entries)} are there"
    if root_of(entries) != batch.root:
        return f"{span}: one of them was changed since they were sealed"
    texts = await store.texts(after, batch.last_seq)
    for entry in entries:
        salt, purpose = texts.get(entry["seq"], (b"", ""))
        if salt is not None and purpose is not None and _purpose_hash(salt, purpose) != entry["purpose_hash"]:
            return f"entry {entry['seq']} (batch {number}): the words of its purpose were changed"
    return None


def root_of(entries: Sequence[Mapping[str, Any]]) -> bytes:
    """The root of a Merkle tree over entries, as RFC 6962 builds it: 32 bytes."""
    return _root([hashlib.sha256(b"\x00" + _canonical(entry)).digest() for entry in entries])


def _root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + _root(leaves[:split]) + _root(leaves[split:])).digest()


def _canonical(entry: Mapping[str, Any]) -> bytes:
    return json.dumps({name: _plain(entry[name]) for name in sorted(entry)}, ensure_ascii=True).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, int | str):
        return value
    return str(value)


def batch_hash(batch: Batch) -> bytes:
    """What the next batch names this one by."""
    return hashlib.sha256(_line(batch).encode()).digest()


def _line(batch: Batch) -> str:
    return f"{batch.batch} {batch.first_seq} {batch.last_seq} {batch.entries} {batch.root.hex()} {batch.previous.hex()}"


def _purpose_hash(salt: bytes, purpose: str) -> bytes:
    return hashlib.sha256(salt + purpose.encode()).digest()


def _lines(path: Path) -> list[str]:
    """The file's whole lines; a last one that was cut off by a crash is none."""
    try:
        return list(_whole(path.read_text()))
    except FileNotFoundError:
        return []


def _whole(text: str) -> Iterator[str]:
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            yield line.rstrip("\n")


def _last_line(path: Path) -> int:
    """The number of the file's last batch; 0 where there is none."""
    lines = _lines(path)
    try:
        return int(lines[-1].split()[0]) if lines else 0
    except (ValueError, IndexError):
        raise StoreUnavailable(f"{path}: its last line is no batch; headwater audit-log verify") from None


def _append(path: Path, batches: Sequence[Batch]) -> None:
    """Add the batches that the file lacks. Under a lock: the service and a command may seal at once."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(path, "a", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            whole = sum(len(line) + 1 for line in _lines(path))
            if path.stat().st_size > whole:
                os.truncate(path, whole)  # what a crash cut off
            last = _last_line(path)
            file.write("".join(f"{_line(each)}\n" for each in batches if each.batch > last))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreUnavailable(f"cannot write {path}: {error}") from error
