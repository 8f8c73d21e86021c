"""Dictionaries on disk: from a key (a txid, an address) to its dense id.

The keys themselves are columns; a dictionary is the hash table over them: a file of slots with linear probing,
each slot an id + 1, or 0 where it is empty. Ids are only ever added in rising order, so removing all ids from n on
leaves exactly the table that stood before n was added: that is how a rollback and a crash are undone.
A key may have several ids (BIP 30: two transactions with one txid); the greatest below a limit is found.

The table may run ahead of what is committed: a reader skips every id that it does not know yet. A rollback takes ids
out under the eyes of readers that pinned the rows of before; `drops` counts that, and such a reader looks through the
keys from `floor` on itself.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numba import njit

from chain.errors import StoreError, StoreUnavailable
from chain.model import I32, I64, U8

SMALLEST = 1 << 16
"""Slots of a new table."""

FULLEST = 0.6
"""Share of slots in use at which the table is doubled: linear probing looks at 2 slots for a hit then."""

NEW_TABLE = 0.45
"""Share of slots in use that a new table is made for at most: doubling a full table gives 0.3."""

HEADER = 8
"""Words before the slots; the first two are `drops` and `floor`."""

_NO_FLOOR = 1 << 62

_FNV_PRIME = 0x100000001B3
"""Prime of the 64-bit FNV-1a hash (Fowler, Noll, Vo); the seed of a folder stands for its offset basis."""


class Slots:
    """The slot file of one dictionary; `ids` is the mapped array (int64). StoreError where the file is cut short."""

    def __init__(self, path: Path, *, writable: bool) -> None:
        self.path = path
        size = path.stat().st_size // 8 - HEADER
        if size < SMALLEST or size & (size - 1):
            raise StoreError(f"{path} is damaged: {size} slots are no power of two")
        self._words = np.memmap(path, np.int64, "r+" if writable else "r", shape=(size + HEADER,))
        self.ids: I64 = np.asarray(self._words)[HEADER:]

    @classmethod
    def create(cls, path: Path, size: int) -> Slots:
        """An empty table of `size` slots (a power of two); its room on disk is taken now."""
        try:
            with open(path, "wb") as handle:
                os.posix_fallocate(handle.fileno(), 0, (size + HEADER) * 8)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise StoreUnavailable(f"no room for {path} ({size * 8} bytes): {error.strerror}") from error
        slots = cls(path, writable=True)
        slots._words[1] = _NO_FLOOR
        return slots

    @property
    def drops(self) -> int:
        """How often ids were taken out that a reader may have known."""
        return int(self._words[0])

    @property
    def floor(self) -> int:
        """The least id that was ever taken out so."""
        return int(self._words[1])

    def note_drop(self, first: int) -> None:
        """To be said before ids from `first` on, which readers may know, are taken out."""
        self._words[1] = min(self.floor, first)
        self._words[0] = self.drops + 1

    def must_grow(self, keys: int) -> bool:
        return keys > FULLEST * len(self.ids)

    def flush(self) -> None:
        self._words.flush()


def slots_for(keys: int) -> int:
    """Size of a table that `keys` keys fill to `NEW_TABLE` at most."""
    size = SMALLEST
    while keys > NEW_TABLE * size:
        size *= 2
    return size


@njit(cache=True, nogil=True)
def _hash(key: U8, size: int, seed: int) -> int:
    value = np.int64(seed)
    for i in range(size):
        value = (value ^ np.int64(key[i])) * np.int64(_FNV_PRIME)
    value ^= (value >> 32) & 0xFFFFFFFF
    value *= np.int64(_FNV_PRIME)
    return value ^ ((value >> 29) & 0x7FFFFFFFF)  # type: ignore[return-value]


@njit(cache=True, nogil=True)
def _same(a: U8, b: U8, size: int) -> bool:
    for i in range(size):  # noqa: SIM110 (a generator is no kernel)
        if a[i] != b[i]:
            return False
    return True


@njit(cache=True, nogil=True)
def drop_from(slots: I64, first: int) -> int:
    """Empty every slot that holds an id >= `first`; how many there were."""
    dropped = 0
    for slot in range(len(slots)):
        if slots[slot] > first:
            slots[slot] = 0
            dropped += 1
    return dropped


@njit(cache=True, nogil=True)
def _remove(slots: I64, hashed: int, old_id: int) -> None:
    mask = len(slots) - 1
    slot = hashed & mask
    while slots[slot] != 0:
        if slots[slot] == old_id + 1:
            slots[slot] = 0
            return
        slot = (slot + 1) & mask


@njit(cache=True, nogil=True)
def _add(slots: I64, hashed: int, new_id: int) -> None:
    mask = len(slots) - 1
    slot = hashed & mask
    while slots[slot] != 0:
        slot = (slot + 1) & mask
    slots[slot] = new_id + 1


@njit(cache=True, nogil=True)
def add_txids(slots: I64, seed: int, txids: U8, first: int) -> None:
    """Give `txids` [n, 32] the ids from `first` on."""
    for i in range(len(txids)):
        _add(slots, _hash(txids[i], 32, seed), first + i)


@njit(cache=True, nogil=True)
def remove_txids(slots: I64, seed: int, txids: U8, first: int) -> None:
    """Take out the ids from `first` on, the last ones of the table: those of `txids` [n, 32].

    In falling order: the way to an id leads past ids below it alone, which still stand then.
    """
    for i in range(len(txids) - 1, -1, -1):
        _remove(slots, _hash(txids[i], 32, seed), first + i)


@njit(cache=True, nogil=True)
def find_txids(slots: I64, seed: int, known: U8, fresh: U8, queries: U8, limit: I64) -> I64:
    """The greatest id below `limit[q]` of each query [n, 32], -1 where there is none.

    Keys of ids below len(known) stand in `known` [k, 32], those after it in `fresh`.
    """
    found = np.full(len(queries), -1, np.int64)
    mask = len(slots) - 1
    for q in range(len(queries)):
        slot = _hash(queries[q], 32, seed) & mask
        while slots[slot] != 0:
            candidate = slots[slot] - 1
            if found[q] < candidate < limit[q]:
                key = known[candidate] if candidate < len(known) else fresh[candidate - len(known)]
                if _same(key, queries[q], 32):
                    found[q] = candidate
            slot = (slot + 1) & mask
    return found


@njit(cache=True, nogil=True)
def _find_address(
    slots: I64,
    seed: int,
    starts: I64,
    blob: U8,
    keys: U8,
    sizes: U8,
    rows: I64,
    key: U8,
    size: int,
    limit: int,
) -> int:
    """Id of an address key below `limit`, -1 where there is none; ids from len(starts) on are in keys[rows]."""
    mask = len(slots) - 1
    slot = _hash(key, size, seed) & mask
    while slots[slot] != 0:
        candidate = slots[slot] - 1
        if candidate < len(starts):
            start = starts[candidate]
            end = starts[candidate + 1] if candidate + 1 < len(starts) else len(blob)
            if candidate < limit and end - start == size and _same(blob[start:end], key, size):
                return candidate  # type: ignore[no-any-return]
        elif candidate < limit:
            row = rows[candidate - len(starts)]
            if sizes[row] == size and _same(keys[row], key, size):
                return candidate  # type: ignore[no-any-return]
        slot = (slot + 1) & mask
    return -1


@njit(cache=True, nogil=True)
def find_addresses(slots: I64, seed: int, starts: I64, blob: U8, keys: U8, sizes: U8) -> I32:
    """The id of each address key [n, W], -1 where it is not known (or has size 0)."""
    found = np.full(len(keys), -1, np.int32)
    none = np.zeros(0, np.int64)
    for i in range(len(keys)):
        if sizes[i] > 0:
            found[i] = _find_address(slots, seed, starts, blob, keys, sizes, none, keys[i], sizes[i], len(starts))
    return found


@njit(cache=True, nogil=True)
def add_addresses(slots: I64, seed: int, starts: I64, blob: U8, keys: U8, sizes: U8) -> tuple[I32, I64]:
    """The id of each address key [n, W]; new ones are added in order. Also the row that each new id came from.

    The caller appends keys[rows] to the key columns; until then the table runs ahead of them.
    """
    ids = np.full(len(keys), -1, np.int32)
    rows = np.empty(len(keys), np.int64)
    known = len(starts)
    added = 0
    for i in range(len(keys)):
        size = sizes[i]
        if size == 0:
            continue
        found = _find_address(slots, seed, starts, blob, keys, sizes, rows, keys[i], size, known + added)
        if found < 0:
            found = known + added
            rows[added] = i
            added += 1
            _add(slots, _hash(keys[i], size, seed), found)
        ids[i] = found
    return ids, rows[:added].copy()


@njit(cache=True, nogil=True)
def readd_addresses(slots: I64, seed: int, starts: I64, blob: U8, first: int) -> None:
    """Add the addresses from `first` on to a table that lacks them, in order."""
    for i in range(first, len(starts)):
        end = starts[i + 1] if i + 1 < len(starts) else len(blob)
        _add(slots, _hash(blob[starts[i] : end], end - starts[i], seed), i)


@njit(cache=True, nogil=True)
def remove_addresses(slots: I64, seed: int, starts: I64, blob: U8, first: int) -> None:
    """Take out the ids from `first` on, the last ones of the table, in falling order."""
    for i in range(len(starts) - 1, first - 1, -1):
        end = starts[i + 1] if i + 1 < len(starts) else len(blob)
        _remove(slots, _hash(blob[starts[i] : end], end - starts[i], seed), i)


@njit(cache=True, nogil=True)
def pack_keys(keys: U8, sizes: U8, first_byte: int) -> tuple[I64, U8]:
    """Keys [n, W] laid one after another: where each starts (from `first_byte` on), and the bytes."""
    starts = np.empty(len(keys), np.int64)
    total = 0
    for i in range(len(keys)):
        starts[i] = first_byte + total
        total += sizes[i]
    packed = np.empty(total, np.uint8)
    for i in range(len(keys)):
        at = starts[i] - first_byte
        for byte in range(sizes[i]):
            packed[at + byte] = keys[i, byte]
    return starts, packed


@njit(cache=True, nogil=True)
def unpack_keys(starts: I64, blob: U8, ids: I64, width: int) -> tuple[U8, U8]:
    """The keys of address ids as rows [n, width], padded with zeros, and their sizes; size 0 for id -1."""
    keys = np.zeros((len(ids), width), np.uint8)
    sizes = np.zeros(len(ids), np.uint8)
    for i in range(len(ids)):
        if ids[i] < 0:
            continue
        start = starts[ids[i]]
        end = starts[ids[i] + 1] if ids[i] + 1 < len(starts) else len(blob)
        for byte in range(end - start):
            keys[i, byte] = blob[start + byte]
        sizes[i] = end - start
    return keys, sizes
