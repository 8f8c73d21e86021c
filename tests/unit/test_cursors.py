"""Cursors: what comes back, and what is refused."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.answers.pages import Place
from api.answers.view import InvalidParameter
from api.cursors import Cursors
from chain.errors import StoreError

CURSORS = Cursors(bytes(range(32)))
PLACE = Place("btc", 3, 39, "ab" * 32, 7, ["txid", "block"])

places = st.builds(
    Place,
    st.text(max_size=63),
    st.integers(0, 2**31 - 1),
    st.none() | st.integers(0, 2**31 - 1),
    st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    st.none() | st.integers(1, 2**31 - 1),
    st.none() | st.lists(st.text(max_size=90), max_size=4),
)


@given(place=places, of_list=st.text())
def test_a_place_comes_back_as_it_went(place: Place, of_list: str) -> None:
    cursor = CURSORS.write(of_list, place)
    assert cursor is not None
    assert cursor.isascii()
    assert CURSORS.read(of_list, cursor) == place


def test_the_end_of_a_list_has_no_cursor() -> None:
    assert CURSORS.write("list", None) is None
    assert CURSORS.read("list", None) is None


@given(position=st.integers(0, 10_000), change=st.integers(1, 255))
def test_any_byte_changed_is_refused(position: int, change: int) -> None:
    cursor = CURSORS.write("list", PLACE)
    assert cursor is not None
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    raw[position % len(raw)] ^= change
    with pytest.raises(InvalidParameter):
        CURSORS.read("list", base64.urlsafe_b64encode(raw).decode().rstrip("="))


@given(st.text())
def test_any_text_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidParameter):
        CURSORS.read("list", cursor)


def test_another_list_and_another_instance_refuse_it() -> None:
    cursor = CURSORS.write("members of a", PLACE)
    with pytest.raises(InvalidParameter):
        CURSORS.read("members of b", cursor)
    with pytest.raises(InvalidParameter):
        Cursors(bytes(32)).read("members of a", cursor)


def test_the_key_is_made_once_and_is_ours_alone(tmp_path: Path) -> None:
    first = Cursors.of_instance(tmp_path)
    cursor = first.write("list", PLACE)
    assert Cursors.of_instance(tmp_path).read("list", cursor) == PLACE
    (key,) = tmp_path.iterdir()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_bytes()) == 32


@pytest.mark.parametrize("key", [b"", b"short"])
def test_a_damaged_key_is_never_used(tmp_path: Path, key: bytes) -> None:
    (tmp_path / "cursor.key").write_bytes(key)
    with pytest.raises(StoreError, match=r"cursor\.key is damaged"):
        Cursors.of_instance(tmp_path)
