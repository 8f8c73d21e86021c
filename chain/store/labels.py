"""Labels in Postgres: sources as they were given, versions of the label set, actors, claims and labelled addresses.

This module stores what readers hand it and judges none of it: which label counts is for clustering/labels.py.
A source is written as a whole in one transaction, or not at all.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from chain.errors import NotFound, StoreError
from chain.model import ADDRESS_KEY_WIDTH, I32, U8
from chain.store.copy import Bytes, Field, Integers, decode, encode
from chain.store.postgres import Connection, available, queries

CHAINS = ("btc", "eth")
"""Chains whose addresses have keys; the place is the code of a row."""

NOT_COVERED = -1
"""Code of a row whose chain is none of CHAINS: its address is kept as text."""

ARCHIVE_LEVEL = 9
"""Of zstandard, for the archived files. Most are small; one that is compressed already does not shrink."""

MAX_ARCHIVE = 1 << 29
"""Bytes of an archived file; a bytea holds less than 1 GiB."""


Row = dict[str, Any]
"""Columns of a query by name."""


class SourceStands(StoreError):
    """A source of this title and creator is open already."""

    problem_type = "source-stands"
    status = 409


@dataclass(frozen=True, slots=True)
class Claim:
    """What a source says of one address or of many, in the source's own words."""

    label: str
    currency: str
    network: str | None = None
    category: str | None = None
    concepts: tuple[str, ...] = ()
    abuse: str | None = None
    actor: str | None = None
    confidence: str | None = None
    is_cluster_definer: bool | None = None
    lastmod: datetime | None = None
    """UTC, without a zone; a day is its midnight."""
    valid_from: date | None = None
    valid_until: date | None = None
    source: str | None = None
    context: str | None = None
    """JSON"""
    pack: str | None = None


CLAIM_FIELDS = tuple(field.name for field in fields(Claim))


@dataclass(frozen=True, slots=True)
class Actor:
    """An organisation or person that labels name by an id."""

    actor_id: str
    label: str
    uri: str | None = None
    categories: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    lastmod: datetime | None = None
    context: str | None = None
    """JSON"""


ACTOR_FIELDS = tuple(field.name for field in fields(Actor))


@dataclass(frozen=True, slots=True)
class NewSource:
    """A file to be added."""

    title: str
    creator: str
    description: str | None
    uri: str | None
    licence: str | None
    format: str
    network: str
    file_name: str
    original: bytes
    """The file as it was given."""

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.original).digest()


@dataclass(frozen=True, slots=True)
class LabelRows:
    """N labels: where they stand in the file, what they say, and of which address."""

    place: I32
    claim: I32
    """Place in the list of claims."""
    chain: npt.NDArray[np.int8]
    """Code of CHAINS, or NOT_COVERED."""
    address: Sequence[str]
    key: U8
    """[N, ADDRESS_KEY_WIDTH], padded with zeros"""
    size: U8
    """[N] bytes of each key, 0 where the chain is not covered"""

    def __len__(self) -> int:
        return len(self.place)


@dataclass(frozen=True, slots=True)
class Source:
    """A row of `label_source`, without the file."""

    source_id: int
    title: str
    creator: str
    description: str | None
    uri: str | None
    licence: str | None
    format: str
    network: str
    file_name: str
    sha256: bytes
    size: int
    label_count: int
    actor_count: int
    rejected_count: int
    imported_at: datetime
    from_version: int
    to_version: int | None
    replaced_by: int | None
    withdrawn_at: datetime | None
    withdrawn_reason: str | None

    @property
    def is_open(self) -> bool:
        return self.to_version is None


@dataclass(frozen=True, slots=True)
class KeyRows:
    """The labels of one chain and network in one version, by key."""

    source_id: I32
    claim_id: I32
    key: U8
    size: U8


class LabelStore:
    """Reads and writes the labels of one connection's database."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sql = queries("labels")

    async def version(self) -> int:
        """The newest version of the label set, 0 before the first."""
        return int(await self.connection.fetchval(self._sql["version"]))

    async def versions(self) -> list[Row]:
        return await self._rows("versions")

    async def sources(self) -> list[Source]:
        return await self._sources()

    async def source(self, source_id: int) -> Source:
        """NotFound where there is none."""
        found = await self._sources(source_id)
        if not found:
            raise NotFound(f"there is no source {source_id}; headwater labels list names them")
        return found[0]

    async def of_file(self, sha256: bytes, network: str) -> list[Source]:
        """The sources that were made from a file of this digest, the first first."""
        return [each for each in await self._sources(None, sha256) if each.network == network]

    async def _sources(
        self, source_id: int | None = None, sha256: bytes | None = None, title: str | None = None, creator: str = ""
    ) -> list[Source]:
        rows = await self.connection.fetch(self._sql["sources"], source_id, sha256, title, creator)
        return [Source(**row) for row in rows]

    async def original(self, source_id: int) -> bytes:
        """The file of a source as it was given, proved by its digest."""
        row = await self.connection.fetchrow(self._sql["original"], source_id)
        if row is None:
            raise NotFound(f"there is no source {source_id}")
        data = zstandard.ZstdDecompressor().decompress(row["original"], max_output_size=row["size"])
        if hashlib.sha256(data).digest() != row["sha256"]:
            raise StoreError(f"the archived file of source {source_id} does not have its SHA-256 any more")
        return data

    # Writing

    async def add(
        self,
        new: NewSource,
        claims: Sequence[Claim],
        rows: LabelRows,
        actors: Sequence[Actor],
        rejected: int,
        *,
        replace: bool = False,
        beside: bool = False,
    ) -> tuple[Source, bool]:
        """Add a source as a new version of the label set; the source, and whether it was added: where the same file is
        open already, it is that one and nothing changes.

        A source of the same title and creator that is open: SourceStands, unless `replace` closes it at the new
        version or `beside` leaves it open. A file that was withdrawn is added again with `replace` only.
        """
        with available("the database did not take the labels"):
            async with self.connection.transaction():
                await self.connection.execute(self._sql["lock"])
                same = [each for each in await self.of_file(new.sha256, new.network) if each.title == new.title]
                for known in same:
                    if known.is_open:
                        return known, False
                if same and not replace:
                    check_withdrawn(same[-1])
                rivals = await self._sources(title=new.title, creator=new.creator)
                rivals = [each for each in rivals if each.is_open and each.network == new.network]
                check_rivals(new, rivals, replace, beside)
                source_id = int(await self.connection.fetchval(self._sql["next_source"]))
                version = await self._next(f"added source {source_id}: {new.title}")
                await self._add_source(source_id, version, new, len(rows), len(actors), rejected)
                for each in rivals if replace else []:
                    await self.connection.execute(self._sql["close_source"], each.source_id, version, source_id)
                await self._copy(source_id, claims, rows, actors)
                return await self.source(source_id), True

    async def withdraw(self, source_id: int, reason: str) -> int:
        """Close a source at a new version, with the reason; the version. NotFound where it is not open."""
        with available("the database did not take the withdrawal"):
            async with self.connection.transaction():
                await self.connection.execute(self._sql["lock"])
                source = await self.source(source_id)
                if not source.is_open:
                    raise NotFound(f"source {source_id} is closed since version {source.to_version}")
                version = await self._next(f"withdrew source {source_id}: {reason}")
                await self.connection.execute(self._sql["withdraw_source"], source_id, version, reason)
                return version

    async def _next(self, change: str) -> int:
        version = await self.version() + 1
        await self.connection.execute(self._sql["add_version"], version, change)
        return version

    async def _add_source(
        self, source_id: int, version: int, new: NewSource, labels: int, actors: int, rejected: int
    ) -> None:
        archived = zstandard.ZstdCompressor(level=ARCHIVE_LEVEL).compress(new.original)
        await self.connection.execute(
            self._sql["add_source"], source_id, new.title, new.creator, new.description, new.uri, new.licence,
            new.format, new.network, new.file_name, new.sha256, len(new.original), archived, labels, actors,
            rejected, version,
        )  # fmt: skip

    async def _copy(self, source_id: int, claims: Sequence[Claim], rows: LabelRows, actors: Sequence[Actor]) -> None:
        if actors:
            records = ((source_id, *(getattr(each, name) for name in ACTOR_FIELDS)) for each in actors)
            await self.connection.copy_records_to_table("actor", records=records, columns=["source_id", *ACTOR_FIELDS])
        if not len(rows):
            return
        claimed = (
            (source_id, place, *(getattr(each, name) for name in CLAIM_FIELDS)) for place, each in enumerate(claims)
        )
        await self.connection.copy_records_to_table(
            "label_claim", records=claimed, columns=["source_id", "claim_id", *CLAIM_FIELDS]
        )
        stream = io.BytesIO(encode(label_fields(source_id, rows)))
        await self.connection.copy_to_table("label", source=stream, format="binary")

    # Reading

    async def claims(self, network: str, version: int) -> list[Row]:
        """Every claim of a network's sources in a version, by source and claim."""
        return await self._rows("claims", network, version)

    async def actors(self, version: int, ids: Sequence[str] | None = None) -> dict[str, Row]:
        """Label and categories of actors in a version (None: of all); of two sources the later speaks."""
        rows = await self._rows("actor_categories", version, None if ids is None else list(ids))
        return {row["actor_id"]: row for row in rows}

    async def actors_of(self, source_id: int) -> list[Actor]:
        found = []
        for row in await self.connection.fetch(self._sql["actors_of_source"], source_id):
            said: Row = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
            found.append(Actor(**said))
        return found

    async def keys(self, chain: str, network: str, version: int) -> KeyRows:
        """The labels of a chain's network in a version, by key, in the order of sources and places."""
        if chain not in CHAINS or not network.isalnum():
            raise ValueError(f"no chain and network: {chain}, {network}")
        sql = self._sql["copy_keys"].format(chain=chain, network=network, version=int(version))
        buffer = io.BytesIO()
        await self.connection.copy_from_query(sql, output=buffer, format="binary")
        layout = [("source_id:i", 4), ("claim_id:i", 4), ("size:i", 4), ("key:b", ADDRESS_KEY_WIDTH)]
        rows: dict[str, npt.NDArray[Any]] = decode(buffer.getvalue(), layout)
        return KeyRows(rows["source_id"], rows["claim_id"], rows["key"], rows["size"].astype(np.uint8))

    async def of_keys(
        self, chain: str, keys: Sequence[bytes], networks: Sequence[str], version: int, limit: int
    ) -> list[Row]:
        """At most `limit` labels of some addresses, with claim and source, by key, source and place."""
        return await self._rows("of_keys", list(keys), chain, list(networks), version, limit)

    async def of_text(self, address: str, version: int, limit: int) -> list[Row]:
        """The same for an address of a chain that is not covered."""
        return await self._rows("of_text", address, version, limit)

    async def for_export(self, source_id: int | None, currency: str | None, version: int) -> list[Row]:
        """Labels of a source, or of every open one, in the order of the files."""
        return await self._rows("for_export", source_id, currency, version)

    async def _rows(self, name: str, *values: object) -> list[Row]:
        return [dict(row) for row in await self.connection.fetch(self._sql[name], *values)]


def check_withdrawn(source: Source) -> None:
    """SourceStands where a source was withdrawn."""
    if source.withdrawn_reason is not None:
        raise SourceStands(
            f"this file was withdrawn as source {source.source_id} ({source.withdrawn_reason}): --replace adds it again"
        )


def check_rivals(new: NewSource, rivals: Sequence[Source], replace: bool, beside: bool) -> None:
    """SourceStands where open sources of the same title and creator are neither to be closed nor left."""
    if rivals and not replace and not beside:
        names = ", ".join(f"source {each.source_id} ({each.file_name})" for each in rivals)
        raise SourceStands(
            f"{names} has the title {new.title!r} by {new.creator!r}: --replace closes it, --beside keeps both"
        )


def label_fields(source_id: int, rows: LabelRows) -> list[Field]:
    """The columns of `label` for a binary COPY."""
    texts = [text.encode() for text in rows.address]
    sizes = np.array([len(text) for text in texts], np.int64)
    covered = rows.chain != NOT_COVERED
    names = np.frombuffer("".join(CHAINS).encode(), np.uint8)
    width = len(CHAINS[0])
    chain = Bytes(names, np.where(covered, rows.chain.astype(np.int64) * width, 0), np.where(covered, width, -1))
    return [
        Integers(np.full(len(rows), source_id), 4), Integers(rows.place, 4), Integers(rows.claim, 4), chain,
        Bytes.packed(np.frombuffer(b"".join(texts), np.uint8), sizes),
        Bytes.rows(rows.key, np.where(covered, rows.size.astype(np.int64), -1)),
    ]  # fmt: skip
