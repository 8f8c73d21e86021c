"""What answers read from Postgres beside the columns, held to the epoch of a view's dense ids."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import asyncpg

from chain.errors import StoreBusy, StoreUnavailable
from chain.store.dataset import Dataset
from chain.store.links import LinkStore
from chain.store.postgres import LOST, Connection, queries


class Reorganised(StoreBusy):
    """The ledger was rolled back or laid again while it was read; ask again."""


class NoAnswer(StoreUnavailable):
    """The database did not answer. The message names no host and no path: it may leave the service."""


@dataclass(frozen=True, slots=True)
class State:
    """Where a dataset's ledger and clustering stand."""

    name: str
    epoch: int
    tx_count: int
    run: int | None


@dataclass(frozen=True, slots=True)
class Role:
    """What the role of a connection may do."""

    name: str
    superuser: bool
    bypasses_row_security: bool
    may_create: bool
    """Make tables in this database, which migrations need."""


@dataclass(frozen=True, slots=True)
class StoredTransaction:
    """What only Postgres knows of a transaction quickly."""

    tx: int
    spenders: dict[int, int]
    """The transaction that spends each of its outputs, by output id."""
    links: list[asyncpg.Record]
    """Links that rest on it and stand."""


OutputsOf = Callable[[int], tuple[int, int]]


@contextlib.asynccontextmanager
async def reading() -> AsyncIterator[None]:
    """Whatever the database does not answer is NoAnswer."""
    try:
        yield
    except asyncpg.QueryCanceledError as error:
        raise NoAnswer("the database did not answer within HEADWATER_STATEMENT_TIMEOUT_MS") from error
    except LOST as error:
        raise NoAnswer(f"the database does not answer: {type(error).__name__}") from error


class AnswerStore:
    """Reads one connection's database."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._sql = queries("answers")

    async def states(self) -> list[State]:
        rows = await self.connection.fetch(self._sql["states"])
        return [State(row["name"], row["epoch"], row["tx_count"], row["run"]) for row in rows]

    @contextlib.asynccontextmanager
    async def snapshot(self, dataset: Dataset, epoch: int) -> AsyncIterator[None]:
        """One snapshot of the database, in which dense ids are those of a view of that epoch; Reorganised otherwise."""
        async with self.connection.transaction(isolation="repeatable_read", readonly=True):
            if await self.connection.fetchval(self._sql["epoch"], dataset.dataset_id) != epoch:
                raise Reorganised(f"dataset {dataset.name} was rolled back or laid again meanwhile; ask again")
            yield

    async def chains(self) -> list[tuple[int, str, str, str]]:
        """(id, name, chain, network) of every dataset, by name."""
        return [tuple(row) for row in await self.connection.fetch(self._sql["chains"])]

    async def addresses_between(self, dataset: int, kind: int, low: bytes, high: bytes, limit: int) -> list[bytes]:
        """Payloads of one kind of address from `low` to `high`, both included."""
        rows = await self.connection.fetch(self._sql["addresses_between"], dataset, kind, low, high, limit)
        return [row["payload"] for row in rows]

    async def server_version(self) -> str:
        return str(await self.connection.fetchval(self._sql["server_version"]))

    async def role(self) -> Role:
        row = await self.connection.fetchrow(self._sql["role"])
        assert row is not None, "a connection has a role"
        return Role(**row)

    async def transactions(
        self, dataset: Dataset, epoch: int, tx_count: int, txid: bytes, outputs_of: OutputsOf
    ) -> list[StoredTransaction]:
        """Every transaction of one txid (internal byte order) among the first `tx_count`, in one snapshot.

        `outputs_of` gives the ids of a transaction's outputs, from and to before. Reorganised where the
        dataset is not of that epoch any more.
        """
        async with self.snapshot(dataset, epoch):
            rows = await self.connection.fetch(self._sql["txs_of_txid"], dataset.dataset_id, txid, tx_count)
            return [await self._transaction(dataset, tx_count, row["tx_id"], outputs_of(row["tx_id"])) for row in rows]

    async def _transaction(
        self, dataset: Dataset, tx_count: int, tx: int, outputs: tuple[int, int]
    ) -> StoredTransaction:
        rows = await self.connection.fetch(self._sql["spenders"], dataset.dataset_id, *outputs, tx_count)
        spenders = {row["output_id"]: row["tx_id"] for row in rows}
        return StoredTransaction(tx, spenders, await LinkStore(self.connection).of_transaction(dataset, tx))
