"""Columns: a dataset's ledger as memory-mapped arrays, which follow Postgres.

Postgres commits first. A folder of columns has a manifest of its own (database, dataset, epoch, tip, counts, files),
is caught up from Postgres when a writer opens it, and can be thrown away and made again from Postgres alone.
A reader opens one manifest and keeps what it names for as long as it lives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chain import dictionary
from chain.activity import ActivityLog, Run
from chain.arrays import DiskArray
from chain.dictionary import Slots
from chain.errors import NotFound, StoreError
from chain.manifest import BITCOIN_ARRAYS, Manifest
from chain.model import I32, I64, U8, Array

_ATTEMPTS = 10
"""A manifest may be replaced while its files are opened, each time by one whose files are there."""


@dataclass(slots=True)
class Columns:
    """A reader's view of one manifest: arrays as attributes, dictionaries both ways, activity of addresses."""

    folder: Path
    manifest: Manifest
    arrays: dict[str, Array]
    activity: ActivityLog
    _slots: dict[str, Slots]
    _spender: I64 | None = field(default=None)

    @classmethod
    def open(cls, folder: Path) -> Columns:
        """The newest manifest of `folder`; NotFound where there is none, StoreError where it is damaged."""
        for _ in range(_ATTEMPTS):
            manifest = Manifest.read(folder)
            if manifest is None:
                raise NotFound(f"no columns in {folder}")
            try:
                return cls._map(folder, manifest)
            except FileNotFoundError as error:  # a writer published in between, and removed what it no longer names
                damage: Exception = error
            except StoreError as error:
                raise StoreError(f"{error}; run headwater columns rebuild") from error
        raise StoreError(f"{folder} is damaged ({damage}); run headwater columns rebuild")

    @classmethod
    def _map(cls, folder: Path, manifest: Manifest) -> Columns:
        arrays = {}
        for spec in BITCOIN_ARRAYS:
            generations, count = manifest.generations[spec.name], manifest.counts[spec.rows]
            arrays[spec.name] = DiskArray(spec, folder, list(generations), count, manifest.segment).view()
        slots = {name: Slots(folder / file, writable=False) for name, file in manifest.slots.items()}
        activity = ActivityLog.open(folder, [Run(**run) for run in manifest.runs])
        return cls(folder, manifest, arrays, activity, slots)

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

    def is_at(self, database_id: str, epoch: int, counts: Mapping[str, int]) -> bool:
        """Whether these are the columns of that database, up to that cursor."""
        held = self.manifest
        same = all(held.counts[name] == count for name, count in counts.items())
        return same and (held.database_id, held.epoch) == (database_id, epoch)

    def find_txids(self, txids: U8) -> I64:
        """The id of each txid [n, 32]; of two with one txid the later (BIP 30); -1 where there is none."""
        known: U8 = self.arrays["tx_txid"]
        limit = np.full(len(txids), self.tx_count, np.int64)
        none = np.empty((0, 32), np.uint8)

        def find(ids: I64) -> I64:
            return dictionary.find_txids(ids, self.manifest.seed, known, none, txids, limit)  # type: ignore[no-any-return]

        def refill(ids: I64, first: int) -> None:
            dictionary.add_txids(ids, self.manifest.seed, known[first:], first)

        return self._find("txid", self.tx_count, find, refill)

    def find_addresses(self, keys: U8, sizes: U8) -> I32:
        """The id of each address key [n, W], -1 where the dataset never saw it."""
        starts, blob = self.arrays["address_start"], self.arrays["address_bytes"]

        def find(ids: I64) -> I64:
            found = dictionary.find_addresses(ids, self.manifest.seed, starts, blob, keys, sizes)
            return found.astype(np.int64)  # type: ignore[no-any-return]

        def refill(ids: I64, first: int) -> None:
            dictionary.readd_addresses(ids, self.manifest.seed, starts, blob, first)

        return self._find("address", self.address_count, find, refill).astype(np.int32)

    def _find(self, name: str, count: int, find: Callable[[I64], I64], refill: Callable[[I64, int], None]) -> I64:
        """Ids by the dictionary; where a rollback took ids out of it since, also by a table of those alone."""
        slots = self._slots[name]
        found = find(slots.ids)
        if slots.drops != self.manifest.drops[name] and slots.floor < count:
            lost = np.zeros(dictionary.slots_for(count - slots.floor), np.int64)
            refill(lost, slots.floor)
            found = np.maximum(found, find(lost))
        return found

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


def spenders(tx_first_input: I64, input_spends: I64, output_count: int) -> I64:
    """For each output id the transaction that spends it, -1 where none does."""
    found = np.full(output_count, -1, np.int64)
    counts = np.diff(np.append(tx_first_input, len(input_spends)))
    owner = np.repeat(np.arange(len(tx_first_input), dtype=np.int64), counts)
    known = input_spends >= 0
    found[input_spends[known]] = owner[known]
    return found
