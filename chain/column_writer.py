"""The one writer of a folder of columns.

It may *stage* rows ahead of a commit: they lie behind the published counts, where no reader looks. What it does to the
published rows (a rollback) goes into new files. So whatever happens to it, the last manifest still holds, and opening
the folder again (`reopen`) is the way back from every failure, a crash among them.
"""

from __future__ import annotations

import fcntl
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from chain import dictionary
from chain.activity import ActivityLog, Run
from chain.arrays import SEGMENT, DiskArray, FileNumbers
from chain.dictionary import Slots
from chain.errors import StoreBusy, StoreError, StoreUnavailable
from chain.manifest import BITCOIN_ARRAYS, COUNTS, DICTIONARIES, FILE, Manifest, next_number
from chain.model import Array, Bool
from chain.source import Tip

LOCK = "lock"

Rows = Mapping[str, Array]
"""New rows, one array for each spec, in order."""


class ColumnWriter:
    """The columns of one folder, to be written. Use as a context manager; leaving it publishes nothing by itself.

    StoreBusy where another process writes them. A folder of another database, or one that is damaged, counts as empty.
    """

    def __init__(self, folder: Path, database_id: str, dataset: str, epoch: int, *, segment: int = SEGMENT) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = open(folder / LOCK, "w")  # noqa: SIM115 (held until close)
        except OSError as error:
            raise StoreUnavailable(f"cannot write the columns in {folder}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._open(database_id, dataset, epoch, segment)
        except BlockingIOError:
            self._lock.close()
            raise StoreBusy(f"another process writes the columns in {folder}") from None
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> ColumnWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._lock.close()

    def reopen(self) -> None:
        """Forget everything since the last manifest."""
        published = self.published
        self._open(published.database_id, published.dataset, published.epoch, published.segment)

    def row_counts(self) -> dict[str, int]:
        """Counts as Postgres keeps them: without the bytes of the address keys."""
        return {name: count for name, count in self.counts.items() if name != "address_byte"}

    def array(self, name: str) -> Any:
        """All rows, staged ones included."""
        return self.disk[name].view()

    def _open(self, database_id: str, dataset: str, epoch: int, segment: int) -> None:
        try:
            manifest = Manifest.read(self.folder)
            if manifest is not None and (manifest.database_id, manifest.dataset) == (database_id, dataset):
                self._load(manifest)
                return
        except StoreUnavailable:
            raise
        except (StoreError, FileNotFoundError):
            pass  # damaged: made again from Postgres
        self._load(Manifest.empty(database_id, dataset, epoch, segment, next_number(self.folder)))

    def _load(self, manifest: Manifest) -> None:
        self.published = manifest
        """The manifest as it is on disk."""
        self.epoch = manifest.epoch
        """That of the rows as they are here."""
        self.seed = manifest.seed
        self.counts = dict(manifest.counts)
        self._spent: Bool | None = None
        self._numbers = FileNumbers(manifest.next_number)
        self.disk = {
            spec.name: DiskArray(
                spec, self.folder, list(manifest.generations[spec.name]), manifest.counts[spec.rows],
                manifest.segment, self._numbers,
            )
            for spec in BITCOIN_ARRAYS
        }  # fmt: skip
        for disk in self.disk.values():
            disk.view()  # which finds out whether every file is there and whole
        self.activity = ActivityLog.open(self.folder, [Run(**run) for run in manifest.runs], self._numbers)
        self.slots = {name: Slots(self.folder / file, writable=True) for name, file in manifest.slots.items()}
        if manifest.sure is not None:
            for name, rows in DICTIONARIES.items():
                sure = manifest.sure[rows]
                if sure < manifest.counts[rows]:
                    self.slots[name].note_drop(sure)
                dictionary.drop_from(self.slots[name].ids, sure)
                self._add_keys(name, sure)
        for name in DICTIONARIES.keys() - self.slots.keys():
            self._grow_slots(name, self.counts[DICTIONARIES[name]])

    def _unsure(self, counts: Mapping[str, int]) -> None:
        """To be said before dictionaries are touched at ids from `counts` on: after a crash those are put right."""
        held = self.published.sure or self.published.counts
        sure = {rows: held[rows] for rows in DICTIONARIES.values()}
        mine = [name for name in DICTIONARIES if self._is_published(name)]  # no manifest names the others yet
        sure |= {DICTIONARIES[name]: min(held[DICTIONARIES[name]], counts[DICTIONARIES[name]]) for name in mine}
        if mine and sure != self.published.sure:
            manifest = replace(self.published, sure=sure)
            manifest.write(self.folder)
            self.published = manifest

    def _add_keys(self, name: str, first: int) -> None:
        """Add the keys of the ids from `first` on, which stand in the key columns, to a dictionary."""
        ids = self.slots[name].ids
        if name == "txid":
            dictionary.add_txids(ids, self.seed, self.array("tx_txid")[first:], first)
        else:
            starts, blob = self.array("address_start"), self.array("address_bytes")
            dictionary.readd_addresses(ids, self.seed, starts, blob, first)

    def _remove_keys(self, name: str, first: int) -> None:
        ids = self.slots[name].ids
        if name == "txid":
            dictionary.remove_txids(ids, self.seed, self.array("tx_txid")[first:], first)
        else:
            starts, blob = self.array("address_start"), self.array("address_bytes")
            dictionary.remove_addresses(ids, self.seed, starts, blob, first)

    def _grow_slots(self, name: str, keys: int) -> None:
        """A table with room for `keys` keys, filled from the key columns."""
        path = self.folder / f"{name}.slots.{self._numbers.take()}"
        self.slots[name] = Slots.create(path, dictionary.slots_for(keys))
        self._add_keys(name, 0)

    def make_room(self, txs: int, addresses: int) -> None:
        """Let the dictionaries take so many more keys, which are then added while ids are given."""
        self._unsure(self.counts)
        for name, more in (("txid", txs), ("address", addresses)):
            keys = self.counts[DICTIONARIES[name]] + more
            if self.slots[name].must_grow(keys):
                self._grow_slots(name, keys)

    def stage(self, rows: Rows, *, in_dictionaries: bool) -> None:
        """Append `rows` behind the last ones. `in_dictionaries`: their keys were added while ids were given.

        After an error (no room) only `reopen` helps.
        """
        before = dict(self.counts)
        if not in_dictionaries:
            self.make_room(len(rows["tx_txid"]), len(rows["address_start"]))
        for spec in BITCOIN_ARRAYS:
            self.disk[spec.name].append(rows[spec.name])
        for spec in BITCOIN_ARRAYS:
            self.counts[spec.rows] = self.disk[spec.name].count
        if not in_dictionaries:
            for name, count in DICTIONARIES.items():
                self._add_keys(name, before[count])
        if self._spent is not None:
            self._mark_spent(self._spent, np.asarray(rows["input_spends"]))

    def truncate(self, counts: Mapping[str, int]) -> None:
        """Drop every row behind `counts`, staged or published."""
        self._unsure(counts)
        if self._spent is not None:
            self._spent[self.array("input_spends")[counts["input"] :]] = False
        for name, rows in DICTIONARIES.items():
            if counts[rows] < self.published.counts[rows] and self._is_published(name):
                self.slots[name].note_drop(counts[rows])
            self._remove_keys(name, counts[rows])
        for spec in BITCOIN_ARRAYS:
            self.disk[spec.name].truncate(counts[spec.rows], self.published.counts[spec.rows])
        self.counts = dict(counts)
        self.activity.truncate(counts["tx"])

    def _is_published(self, name: str) -> bool:
        return self.published.slots.get(name) == self.slots[name].path.name

    def fall_back(self, counts: Mapping[str, int]) -> None:
        """Truncate to those of `counts` that lie behind the last row; nothing where none does."""
        least = {name: min(count, counts.get(name, count)) for name, count in self.counts.items()}
        if least != self.counts:
            least["address_byte"] = self._address_bytes(least["address"])
            self.truncate(least)

    def _address_bytes(self, addresses: int) -> int:
        starts = self.array("address_start")
        return int(starts[addresses]) if addresses < len(starts) else self.counts["address_byte"]

    def reset(self) -> None:
        """Drop everything; what was published stays whole in its files, the dictionaries too."""
        for disk in self.disk.values():
            disk.truncate(0, 0)
        self.counts = dict.fromkeys(COUNTS, 0)
        self.activity.truncate(0)
        self._spent = None
        for name in DICTIONARIES:
            self._grow_slots(name, 0)

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
            epoch=self.epoch,
            tip_height=None if tip is None else tip.height,
            tip_hash=None if tip is None else tip.hash.hex(),
            counts=visible,
            generations={name: list(disk.generations) for name, disk in self.disk.items()},
            slots={name: slots.path.name for name, slots in self.slots.items()},
            drops={name: slots.drops for name, slots in self.slots.items()},
            sure=None if clean else {rows: visible[rows] for rows in DICTIONARIES.values()},
            runs=[asdict(run) for run in self.activity.runs],
            next_number=self._numbers.next,
        )
        if manifest != self.published:
            manifest.write(self.folder)
            self.published = manifest
            self._sweep()
        return manifest

    def _sweep(self) -> None:
        """Remove the files that no manifest names; who has them mapped keeps them."""
        named = {path.name for disk in self.disk.values() for path in disk.paths()}
        named |= set(self.published.slots.values()) | {FILE, LOCK}
        named |= {path.name for path in self.activity.paths()}
        for path in self.folder.iterdir():
            if path.is_file() and path.name not in named:
                path.unlink(missing_ok=True)

    @property
    def spent(self) -> Bool:
        """For each output whether it is spent, with room behind the last one: a byte for each output of the dataset."""
        if self._spent is None:
            self._spent = np.zeros(max(1 << 16, 2 * self.counts["output"]), np.bool_)
            self._mark_spent(self._spent, self.array("input_spends"))
        return self._spent

    def _mark_spent(self, spent: Bool, spends: Array) -> None:
        if self.counts["output"] > len(spent):
            self._spent = np.zeros(2 * self.counts["output"], np.bool_)
            self._spent[: len(spent)] = spent
            spent = self._spent
        spent[spends] = True
