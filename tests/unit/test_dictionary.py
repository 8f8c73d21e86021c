"""Dictionaries on disk against dicts in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain import dictionary
from chain.dictionary import Slots
from chain.errors import StoreError, StoreUnavailable
from chain.model import ADDRESS_KEY_WIDTH, I64, U8

SEED = 0x1234_5678_9ABC
KEYS = st.lists(
    st.binary(min_size=1, max_size=ADDRESS_KEY_WIDTH).map(lambda key: key[:3] if len(key) > 3 else key),
    max_size=60,
)
"""Short keys, so that there are many equal ones, and ones that differ in trailing zeros alone."""

NONE = np.zeros(0, np.int64)


def _rows(keys: list[bytes]) -> tuple[U8, U8]:
    rows = np.zeros((len(keys), ADDRESS_KEY_WIDTH), np.uint8)
    for place, key in enumerate(keys):
        rows[place, : len(key)] = np.frombuffer(key, np.uint8)
    return rows, np.array([len(key) for key in keys], np.uint8)


def _slots(size: int = 256) -> I64:
    return np.zeros(size, np.int64)


@given(first=KEYS, second=KEYS)
def test_addresses_get_ids_in_order_of_first_appearance(first: list[bytes], second: list[bytes]) -> None:
    slots, model = _slots(), dict[bytes, int]()
    starts, blob = NONE, np.zeros(0, np.uint8)
    for keys in (first, second):
        rows, sizes = _rows(keys)
        ids, fresh = dictionary.add_addresses(slots, SEED, starts, blob, rows, sizes)
        expected = [model.setdefault(key, len(model)) for key in keys]
        assert ids.tolist() == expected
        more, packed = dictionary.pack_keys(rows[fresh], sizes[fresh], len(blob))
        starts, blob = np.concatenate((starts, more)), np.concatenate((blob, packed))
    known = list(model)
    rows, sizes = _rows(known)
    assert dictionary.find_addresses(slots, SEED, starts, blob, rows, sizes).tolist() == list(range(len(known)))
    keys, lengths = dictionary.unpack_keys(starts, blob, np.arange(len(known)), ADDRESS_KEY_WIDTH)
    assert [bytes(key[:size]) for key, size in zip(keys, lengths, strict=True)] == known


@given(keys=KEYS, cut=st.integers(0, 60))
def test_dropping_ids_leaves_the_table_that_stood_before(keys: list[bytes], cut: int) -> None:
    distinct = list(dict.fromkeys(keys))
    rows, sizes = _rows(distinct)
    starts, blob = dictionary.pack_keys(rows, sizes, 0)
    whole, part = _slots(), _slots()
    dictionary.readd_addresses(whole, SEED, starts, blob, 0)
    cut = min(cut, len(distinct))
    dropped = dictionary.drop_from(whole, cut)
    assert dropped == len(distinct) - cut
    end = int(starts[cut]) if cut < len(distinct) else len(blob)
    dictionary.readd_addresses(part, SEED, starts[:cut], blob[:end], 0)
    assert (whole == part).all()


def test_an_empty_key_is_no_address() -> None:
    rows, sizes = _rows([b"", b"\1a"])
    ids, fresh = dictionary.add_addresses(_slots(), SEED, NONE, np.zeros(0, np.uint8), rows, sizes)
    assert ids.tolist() == [-1, 0]
    assert fresh.tolist() == [1]


@given(st.lists(st.integers(0, 20), max_size=60), st.integers(0, 60))
def test_of_several_ids_of_one_txid_the_last_below_the_limit_is_found(numbers: list[int], limit: int) -> None:
    txids = np.zeros((len(numbers), 32), np.uint8)
    txids[:, 0] = numbers
    slots = _slots()
    split = len(numbers) // 2
    dictionary.add_txids(slots, SEED, txids[:split], 0)
    dictionary.add_txids(slots, SEED, txids[split:], split)
    queries = np.zeros((22, 32), np.uint8)
    queries[:, 0] = np.arange(22)
    found = dictionary.find_txids(slots, SEED, txids[:split], txids[split:], queries, np.full(22, limit))
    expected = [
        max((place for place, other in enumerate(numbers) if other == number and place < limit), default=-1)
        for number in range(22)
    ]
    assert found.tolist() == expected


@given(keys=KEYS, cut=st.integers(0, 60))
def test_removing_the_last_keys_leaves_the_table_that_stood_before(keys: list[bytes], cut: int) -> None:
    distinct = list(dict.fromkeys(keys))
    starts, blob = dictionary.pack_keys(*_rows(distinct), 0)
    cut = min(cut, len(distinct))
    end = int(starts[cut]) if cut < len(distinct) else len(blob)
    whole, part = _slots(64), _slots(64)
    dictionary.readd_addresses(whole, SEED, starts, blob, 0)
    dictionary.remove_addresses(whole, SEED, starts, blob, cut)
    dictionary.readd_addresses(part, SEED, starts[:cut], blob[:end], 0)
    assert (whole == part).all()


@given(st.lists(st.integers(0, 20), max_size=60), st.integers(0, 60))
def test_removing_the_last_txids_leaves_the_table_that_stood_before(numbers: list[int], cut: int) -> None:
    txids = np.zeros((len(numbers), 32), np.uint8)
    txids[:, 0] = numbers
    cut = min(cut, len(numbers))
    whole, part = _slots(64), _slots(64)
    dictionary.add_txids(whole, SEED, txids, 0)
    dictionary.remove_txids(whole, SEED, txids[cut:], cut)
    dictionary.add_txids(part, SEED, txids[:cut], 0)
    assert (whole == part).all()


def test_slot_files_are_whole_or_not(tmp_path: Path) -> None:
    path = tmp_path / "slots"
    slots = Slots.create(path, dictionary.slots_for(100_000))
    assert not slots.must_grow(100_000)
    assert slots.must_grow(len(slots.ids))
    assert (Slots(path, writable=False).ids == 0).all()
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(StoreError, match="damaged"):
        Slots(path, writable=False)


def test_ids_that_are_taken_out_are_told_to_who_has_the_file_open(tmp_path: Path) -> None:
    writer = Slots.create(tmp_path / "slots", dictionary.SMALLEST)
    reader = Slots(tmp_path / "slots", writable=False)
    assert reader.drops == 0
    writer.note_drop(70)
    writer.note_drop(90)
    assert (reader.drops, reader.floor) == (2, 70)


def test_doubling_doubles() -> None:
    full = int(dictionary.FULLEST * dictionary.SMALLEST)
    assert dictionary.slots_for(full + 1) == 2 * dictionary.SMALLEST


def test_no_room_for_slots_is_an_expected_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(StoreUnavailable, match="no room"):
        Slots.create(tmp_path / "slots", 1 << 16)
    assert not (tmp_path / "slots").exists()
