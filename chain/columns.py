"""Columns: a dataset's ledger as memory-mapped arrays, which follow Postgres.

Postgres commits first. A folder of columns has a manifest of its own (database, dataset, epoch, tip, counts, files),
is caught up from Postgres when a writer opens it, and can be thrown away and made again from Postgres alone.
The writer may *stage* rows ahead of a commit: they lie behind the published counts, where no reader looks, and are
dropped where the commit fails. A reader opens one manifest and keeps what it names for as long as it lives.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from chain import dictionary
from chain.activity import ActivityLog, Run
from chain.arrays import SEGMENT, ArraySpec, DiskArray, FileNumbers
from chain.dictionary import Slots
from chain.errors import NotFound, StoreBusy, StoreError
from chain.model import I32, I64, U8, Array
from chain.source import Tip

BITCOIN_ARRAYS = (
    ArraySpec("block_height", "i4", "block"),
    ArraySpec("block_time", "i8", "block"),
    ArraySpec("block_hash", "u1", "block", 32),
    ArraySpec("block_first_tx", "i8", "block"),
    ArraySpec("block_proof", "u1", "block"),
    ArraySpec("tx_txid", "u1", "tx", 32),
    ArraySpec("tx_block", "i4", "tx"),
    ArraySpec("tx_index", "i4", "tx"),
    ArraySpec("tx_coinbase", "u1", "tx"),
    ArraySpec("tx_version", "i4", "tx"),
    ArraySpec("tx_lock_time", "u4", "tx"),
    ArraySpec("tx_start", "i4", "tx"),
    ArraySpec("tx_size", "i4", "tx"),
    ArraySpec("tx_base_size", "i4", "tx"),
    ArraySpec("tx_first_input", "i8", "tx"),
    ArraySpec("tx_first_output", "i8", "tx"),
    ArraySpec("tx_output_count", "i4", "tx"),
    ArraySpec("tx_fee", "i8", "tx"),
    ArraySpec("input_spends", "i8", "input"),
    ArraySpec("input_sequence", "u4", "input"),
    ArraySpec("output_address", "i4", "output"),
    ArraySpec("output_value", "i8", "output"),
    ArraySpec("output_type", "u1", "output"),
    ArraySpec("outside_output", "i8", "outside"),
    ArraySpec("outside_txid", "u1", "outside", 32),
    ArraySpec("outside_index", "i8", "outside"),
    ArraySpec("address_start", "i8", "address"),
    ArraySpec("address_bytes", "u1", "address_byte", density=32),
)
"""Every array of a Bitcoin dataset. -1 stands for what is not known (heights, fees, values, addresses); version, lock
time and sequence mean nothing in blocks whose proof is STATED."""

COUNTS = ("block", "tx", "input", "output", "outside", "address", "address_byte")

Rows = Mapping[str, Array]
"""New rows, one array for each spec, in order."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder holds, to the last row: the only thing that a reader believes."""

    database_id: str
    dataset: str
    epoch: int
    tip_height: int | None
    tip_hash: str | None
    """Internal byte order, hex."""
    seed: int
    """Secret seed of the dictionaries' hash, so that nobody can make keys that collide."""
    segment: int
    files: int
    """Numbers below this one stand in names of files, past or present."""
    counts: dict[str, int]
    generations: dict[str, list[int]]
    slots: dict[str, str]
    runs: list[dict[str, Any]]
    clean: bool
    """False while a writer is at work: the dictionaries may run ahead."""

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        try:
            return cls(**json.loads((folder / "manifest.json").read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise StoreError(f"{folder / 'manifest.json'} is damaged; run headwater columns rebuild") from error

    def write(self, folder: Path) -> None:
        part = folder / "manifest.part"
        with open(part, "w") as handle:
            json.dump(asdict(self), handle)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(part, folder / "manifest.json")
        handle_fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle_fd)
        finally:
            os.close(handle_fd)


def empty_manifest(database_id: str, dataset: str, epoch: int, segment: int = SEGMENT) -> Manifest:
    return Manifest(
        database_id, dataset, epoch, None, None, secrets.randbits(62), segment, 0,
        dict.fromkeys(COUNTS, 0), {spec.name: [] for spec in BITCOIN_ARRAYS}, {}, [], True,
    )  # fmt: skip


@dataclass(slots=True)
class Columns:
    """A reader's view of one manifest: arrays as attributes, dictionaries both ways, activity of addresses."""

    folder: Path
    manifest: Manifest
    arrays: dict[str, Array]
    activity: ActivityLog
    _tx_slots: Slots | None
    _address_slots: Slots | None
    _spender: I64 | None = field(default=None)

    @classmethod
    def open(cls, folder: Path) -> Columns:
        """The newest manifest of `folder`; NotFound where nothing was ever loaded there."""
        for attempt in range(10):
            manifest = Manifest.read(folder)
            if manifest is None:
                raise NotFound(f"no columns in {folder}")
            try:
                return cls._map(folder, manifest)
            except FileNotFoundError as error:  # a writer published in between, and removed what it no longer names
                if attempt == 9:
                    raise _damaged(folder, error) from error
            except ValueError as error:
                raise _damaged(folder, error) from error
        raise AssertionError

    @classmethod
    def _map(cls, folder: Path, manifest: Manifest) -> Columns:
        arrays = {}
        for spec in BITCOIN_ARRAYS:
            disk = DiskArray(
                spec,
                folder,
                list(manifest.generations[spec.name]),
                manifest.counts[spec.rows],
                manifest.segment,
            )
            arrays[spec.name] = disk.view()
        slots = {name: Slots(folder / file, writable=False) for name, file in manifest.slots.items()}
        activity = ActivityLog.open(folder, [Run(**run) for run in manifest.runs])
        return cls(folder, manifest, arrays, activity, slots.get("txid"), slots.get("address"))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.arrays[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def tx_count(self) -> int:
        return self.manifest.counts["tx"]

    @property
    def address_count(self) -> int:
        return self.manifest.counts["address"]

    @property
    def output_count(self) -> int:
        return self.manifest.counts["output"]

    def find_txids(self, txids: U8) -> I64:
        """The id of each txid [n, 32]; of two with one txid the later (BIP 30); -1 where there is none."""
        if self._tx_slots is None:
            return np.full(len(txids), -1, np.int64)
        limit = np.full(len(txids), self.tx_count, np.int64)
        known = self.arrays["tx_txid"]
        none = np.empty((0, 32), np.uint8)
        ids = np.asarray(self._tx_slots.ids)
        return dictionary.find_txids(ids, self.manifest.seed, known, none, txids, limit)  # type: ignore[no-any-return]

    def find_addresses(self, keys: U8, sizes: U8) -> I32:
        """The id of each address key [n, W], -1 where the dataset never saw it."""
        if self._address_slots is None:
            return np.full(len(keys), -1, np.int32)
        ids = np.asarray(self._address_slots.ids)
        return dictionary.find_addresses(  # type: ignore[no-any-return]
            ids, self.manifest.seed, self.arrays["address_start"], self.arrays["address_bytes"], keys, sizes
        )

    def address_key(self, address: int) -> bytes:
        """Kind byte and payload of an address id."""
        starts, blob = self.arrays["address_start"], self.arrays["address_bytes"]
        end = int(starts[address + 1]) if address + 1 < len(starts) else len(blob)
        return bytes(blob[int(starts[address]) : end])

    def spender(self) -> I64:
        """The transaction that spends each output, -1 where none does: the inputs, replayed."""
        if self._spender is None:
            self._spender = spenders(self.arrays["tx_first_input"], self.arrays["input_spends"], self.output_count)
        return self._spender


def _damaged(folder: Path, error: Exception) -> StoreError:
    return StoreError(f"{folder} is damaged ({error}); run headwater columns rebuild")


def spenders(tx_first_input: I64, input_spends: I64, output_count: int) -> I64:
    """For each output id the transaction that spends it, -1 where none does."""
    found = np.full(output_count, -1, np.int64)
    counts = np.diff(np.append(tx_first_input, len(input_spends)))
    owner = np.repeat(np.arange(len(tx_first_input), dtype=np.int64), counts)
    known = input_spends >= 0
    found[input_spends[known]] = owner[known]
    return found


def _trusted(folder: Path, database_id: str, dataset: str) -> Manifest | None:
    """The folder's manifest where it is whole and of this database."""
    try:
        manifest = Manifest.read(folder)
    except StoreError:
        return None
    ours = manifest is not None and (manifest.database_id, manifest.dataset) == (database_id, dataset)
    return manifest if ours else None


class ColumnWriter:
    """The one writer of a folder. Use as a context manager; leaving it publishes nothing by itself."""

    def __init__(self, folder: Path, database_id: str, dataset: str, epoch: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = open(folder / "lock", "w")  # noqa: SIM115 (held until close)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise StoreBusy(f"another process writes the columns in {folder}") from None
        self._open(_trusted(folder, database_id, dataset) or empty_manifest(database_id, dataset, epoch))

    def _open(self, manifest: Manifest) -> None:
        """Take up what the manifest names; a folder with anything missing or cut short is begun anew."""
        used = [int(part) for path in self.folder.iterdir() for part in path.name.split(".") if part.isdecimal()]
        self.numbers = FileNumbers(max([manifest.files, *(number + 1 for number in used)]))
        try:
            self._map(manifest)
        except (OSError, ValueError, StoreError):
            self._map(empty_manifest(manifest.database_id, manifest.dataset, manifest.epoch, manifest.segment))
        self._open_slots(self.published)

    def _map(self, manifest: Manifest) -> None:
        self.published = manifest
        self.counts = dict(manifest.counts)
        self.disk = {
            spec.name: DiskArray(
                spec, self.folder, list(manifest.generations[spec.name]), manifest.counts[spec.rows],
                manifest.segment, self.numbers,
            )
            for spec in BITCOIN_ARRAYS
        }  # fmt: skip
        for disk in self.disk.values():
            disk.view()
        self.activity = ActivityLog.open(self.folder, [Run(**run) for run in manifest.runs], self.numbers)
        self.spent = np.zeros(0, np.bool_)

    def __enter__(self) -> ColumnWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._lock.close()

    def row_counts(self) -> dict[str, int]:
        """Counts as Postgres keeps them: without the bytes of the address keys."""
        return {name: count for name, count in self.counts.items() if name != "address_byte"}

    def array(self, name: str) -> Any:
        """All rows, staged ones included."""
        return self.disk[name].view()

    def _open_slots(self, manifest: Manifest) -> None:
        self.slots: dict[str, Slots] = {}
        for name, rows in (("txid", "tx"), ("address", "address")):
            file = manifest.slots.get(name)
            if file is not None and dictionary.is_whole(self.folder / file):
                self.slots[name] = Slots(self.folder / file, writable=True)
                if not manifest.clean:
                    dictionary.drop_from(self.slots[name].ids, manifest.counts[rows])
            else:
                self._grow_slots(name, manifest.counts[rows])
        if manifest.clean and manifest.counts["tx"]:
            self._mark_unclean()
        self._replay_spent()

    def _mark_unclean(self) -> None:
        """From here on the dictionaries may run ahead of the manifest."""
        self.published = replace(self.published, clean=False)
        self.published.write(self.folder)

    def _grow_slots(self, name: str, keys: int) -> None:
        """A table with room for `keys` keys, filled from the key columns."""
        slots = Slots.create(self.folder / f"{name}.slots.{self.numbers.take()}", dictionary.slots_for(keys))
        seed = self.published.seed
        if name == "txid":
            dictionary.add_txids(slots.ids, seed, self.array("tx_txid"), 0)
        else:
            dictionary.readd_addresses(slots.ids, seed, self.array("address_start"), self.array("address_bytes"), 0)
        self.slots[name] = slots

    def make_room(self, txs: int, addresses: int) -> None:
        """Let the dictionaries take so many more keys."""
        for name, keys in (
            ("txid", self.counts["tx"] + txs),
            ("address", self.counts["address"] + addresses),
        ):
            if self.slots[name].must_grow(keys):
                self._grow_slots(name, keys)

    def stage(self, rows: Rows, *, in_dictionaries: bool) -> None:
        """Append `rows` behind the published ones. `in_dictionaries`: their keys were added while ids were given."""
        before = dict(self.counts)
        for spec in BITCOIN_ARRAYS:
            self.disk[spec.name].append(rows[spec.name])
        for name in COUNTS:
            spec = next(s for s in BITCOIN_ARRAYS if s.rows == name)
            self.counts[name] = self.disk[spec.name].count
        if not in_dictionaries:
            self.make_room(0, 0)
            txids = np.ascontiguousarray(rows["tx_txid"])
            dictionary.add_txids(self.slots["txid"].ids, self.published.seed, txids, before["tx"])
            dictionary.readd_addresses(
                self.slots["address"].ids, self.published.seed,
                self.array("address_start"), self.array("address_bytes"), before["address"],
            )  # fmt: skip
        self._mark_spent(np.asarray(rows["input_spends"]))

    def truncate(self, counts: Mapping[str, int], epoch: int | None = None) -> None:
        """Drop every row behind `counts` (staged ones after a failed commit, published ones after a rollback)."""
        for spec in BITCOIN_ARRAYS:
            self.disk[spec.name].truncate(counts[spec.rows], self.published.counts[spec.rows])
        self.counts = dict(counts)
        for name, rows in (("txid", "tx"), ("address", "address")):
            if counts[rows] < self.published.counts[rows]:  # readers look these up: they keep the table of before
                path = self.folder / f"{name}.slots.{self.numbers.take()}"
                self.slots[name] = self.slots[name].copied(path)
            dictionary.drop_from(self.slots[name].ids, counts[rows])
        self.activity.truncate(counts["tx"])
        if epoch is not None:
            self.published = replace(self.published, epoch=epoch)
        self._replay_spent()

    def fall_back(self, counts: Mapping[str, int], epoch: int) -> None:
        """Truncate to counts that lie behind the last row in any array; nothing where none does."""
        least = {name: min(count, counts.get(name, count)) for name, count in self.counts.items()}
        if least != self.counts:
            least["address_byte"] = self._address_bytes(least["address"])
            self.truncate(least)
        if self.published.epoch != epoch:
            self.published = replace(self.published, epoch=epoch)

    def _address_bytes(self, addresses: int) -> int:
        starts = self.array("address_start")
        return int(starts[addresses]) if addresses < len(starts) else self.counts["address_byte"]

    def reset(self, epoch: int) -> None:
        """Drop everything, the dictionaries too."""
        self.truncate(dict.fromkeys(self.counts, 0), epoch)

    def publish(self, tip: Tip | None, counts: Mapping[str, int], *, clean: bool) -> Manifest:
        """Make the rows up to `counts` durable and visible (rows staged behind them stay staged).

        `clean` says that nothing is staged behind them. Files that nothing names any more are removed.
        """
        visible = {**counts, "address_byte": self._address_bytes(counts["address"])}
        self.activity.extend(visible["tx"], self)
        for disk in self.disk.values():
            disk.sync()
        for slots in self.slots.values():
            slots.flush()
        manifest = replace(
            self.published,
            tip_height=None if tip is None else tip.height,
            tip_hash=None if tip is None else tip.hash.hex(),
            counts=visible,
            generations={name: list(disk.generations) for name, disk in self.disk.items()},
            slots={name: slots.path.name for name, slots in self.slots.items()},
            files=self.numbers.next,
            runs=[asdict(run) for run in self.activity.runs],
            clean=clean,
        )
        manifest.write(self.folder)
        self.published = manifest
        self._sweep()
        return manifest

    def _sweep(self) -> None:
        """Remove the files that no manifest names; who has them mapped keeps them."""
        named = {path.name for disk in self.disk.values() for path in disk.paths()}
        named |= set(self.published.slots.values()) | {"manifest.json", "lock"}
        named |= {path.name for path in self.activity.paths()}
        for path in self.folder.iterdir():
            if path.is_file() and path.name not in named:
                path.unlink()

    def _replay_spent(self) -> None:
        self.spent = np.zeros(max(1 << 16, 2 * self.counts["output"]), np.bool_)
        spends = self.array("input_spends")
        self.spent[spends[spends >= 0]] = True

    def _mark_spent(self, spends: Array) -> None:
        if self.counts["output"] > len(self.spent):
            grown = np.zeros(2 * self.counts["output"], np.bool_)
            grown[: len(self.spent)] = self.spent
            self.spent = grown
        self.spent[spends] = True
