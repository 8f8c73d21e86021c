"""Plain and compressed files give the same bytes and lines; cut and damaged ones are named."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from chain import compressed
from chain.errors import LimitExceeded, MalformedData, SourceError, TruncatedData

TEXT = b"".join(b'{"row": %d, "text": "%s"}\n' % (n, bytes(str(n * n), "ascii")) for n in range(20_000))

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.compress,
    ".gz": gzip.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
    ".bz2": bz2.compress,
}

each_form = pytest.mark.parametrize("suffix", sorted(PACK))


@each_form
def test_archive_gives_the_bytes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows.jsonl{suffix}"
    path.write_bytes(PACK[suffix](TEXT))
    assert compressed.read_bytes(path, len(TEXT)) == TEXT


@each_form
def test_form_is_read_off_the_first_bytes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "rows"
    path.write_bytes(PACK[suffix](TEXT))
    assert compressed.read_bytes(path, len(TEXT)) == TEXT
    assert compressed.read_bytes(path, len(TEXT), sniff=False) == path.read_bytes()


@each_form
def test_members_one_after_another_and_padding(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(PACK[suffix](TEXT) + bytes(100_000) + PACK[suffix](b"") + PACK[suffix](b"end") + bytes(4))
    assert compressed.read_bytes(path, len(TEXT) + 3) == TEXT + b"end"


@each_form
def test_cut_archive_is_truncated_data_wherever_it_is_cut(tmp_path: Path, suffix: str) -> None:
    packed = PACK[suffix](TEXT[:2000])
    path = tmp_path / f"rows{suffix}"
    for length in range(len(packed)):
        path.write_bytes(packed[:length])
        with pytest.raises(TruncatedData, match=f"rows{suffix}"):
            compressed.read_bytes(path, len(TEXT))


@each_form
def test_damaged_archive_names_the_file(tmp_path: Path, suffix: str) -> None:
    packed = bytearray(PACK[suffix](TEXT))
    packed[20:40] = bytes(20)
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(packed)
    with pytest.raises((MalformedData, TruncatedData), match=f"rows{suffix}"):
        compressed.read_bytes(path, len(TEXT))


def test_name_and_content_must_agree(tmp_path: Path) -> None:
    path = tmp_path / "rows.xz"
    path.write_bytes(gzip.compress(TEXT))
    with pytest.raises(MalformedData, match=r"named \.xz"):
        compressed.open_binary(path)


def test_bound_on_decompressed_size(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zst"
    path.write_bytes(PACK[".zst"](bytes(300 << 20)))
    assert path.stat().st_size < 50_000
    with pytest.raises(LimitExceeded, match="1,000,000 bytes"):
        compressed.read_bytes(path, 1_000_000)


def test_xz_decoder_that_wants_too_much_memory_is_refused(tmp_path: Path) -> None:
    filters = [
        {
            "id": lzma.FILTER_LZMA2,
            "dict_size": 512 << 20,
            "mode": lzma.MODE_FAST,
            "mf": lzma.MF_HC3,
            "depth": 1,
        }
    ]
    header_only = lzma.LZMACompressor(filters=filters)
    path = tmp_path / "rows.xz"
    path.write_bytes(header_only.compress(b"x") + header_only.flush())
    with pytest.raises(MalformedData, match=r"rows\.xz"):
        compressed.read_bytes(path, 10)


def test_lines_are_numbered_and_empty_ones_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.gz"
    path.write_bytes(gzip.compress(b"one\r\n\n  \ntwo\nthree"))
    assert list(compressed.lines(path)) == [(1, b"one"), (4, b"two"), (5, b"three")]


def test_line_of_exactly_the_bound_and_one_longer(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"a" * 10 + b"\n" + b"b" * 10)
    assert len(list(compressed.lines(path, limit=10))) == 2
    path.write_bytes(b"ok\n" + b"a" * 11 + b"\n")
    with pytest.raises(LimitExceeded, match="line 2 is longer than 10 bytes"):
        list(compressed.lines(path, limit=10))


def test_absent_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="absent"):
        compressed.open_binary(tmp_path / "absent")
    with pytest.raises(SourceError, match="directory"):
        compressed.open_binary(tmp_path)
