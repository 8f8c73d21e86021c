"""Hashes inside kernels, against hashlib and the published RIPEMD-160 vectors."""

from __future__ import annotations

import hashlib
import os
import string
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest
from embit import hashes as embit_hashes
from hypothesis import given
from hypothesis import strategies as st

from chain.bitcoin import hashes
from chain.errors import HeadwaterError

RIPEMD_VECTORS = {
    b"": "9c1185a5c5e9fc54612808977ee8f548b2258d31",
    b"a": "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe",
    b"abc": "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc",
    b"message digest": "5d0689ef49d2fae572b881b123a85ffa21595f36",
    b"abcdefghijklmnopqrstuvwxyz": "f71c27109c692c1b56bbdceb5b9d2865b3708dbc",
    b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": "12a053384a9c0c88e405a06c27dcf49ada62eb2b",
    (string.ascii_uppercase + string.ascii_lowercase + string.digits).encode(): (
        "b0e20b6e3116640286ed3a87a5713079b21f5189"
    ),
    b"1234567890" * 8: "9b752e45573d4b39f4dbd3323cab82bf63326bfb",
}
"""The vectors of the RIPEMD-160 paper, appendix B."""


@pytest.mark.parametrize(("message", "digest"), RIPEMD_VECTORS.items())
def test_ripemd160_vectors(message: bytes, digest: str) -> None:
    assert hashes.ripemd160_digest(message).hex() == digest


@given(st.binary(max_size=300))
def test_hash160_equals_an_independent_one(raw: bytes) -> None:
    assert hashes.hash160_digest(raw) == embit_hashes.hash160(raw)


@given(st.binary(min_size=1, max_size=300), st.integers(0, 20))
def test_double_sha256_equals_its_twin(raw: bytes, before: int) -> None:
    buffer = np.frombuffer(bytes(before) + raw + b"behind", np.uint8)
    out = np.empty(32, np.uint8)
    hashes.double_sha256(hashes.new_state(), buffer, before, len(raw), out)
    assert out.tobytes() == hashes.reference_double_sha256(raw)
    rows = hashes.double_sha256_rows(np.frombuffer(raw * 3, np.uint8).reshape(3, -1))
    assert {row.tobytes() for row in rows} == {hashes.reference_double_sha256(raw)}


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_sha256_in_parts(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    buffer, state, out = np.frombuffer(raw + b"x", np.uint8), hashes.new_state(), np.empty(32, np.uint8)
    hashes.sha256_begin(state)
    at = 0
    for part in parts:
        hashes.sha256_add(state, buffer, at, len(part))
        at += len(part)
    hashes.sha256_end(state, out)
    assert out.tobytes() == hashlib.sha256(raw).digest()


def test_kernels_that_call_libcrypto_are_cached_across_processes(tmp_path: Path) -> None:
    script = (
        "import numpy as np\n"
        "from chain.bitcoin.hashes import double_sha256_rows as rows\n"
        "print(rows(np.zeros((1, 3), np.uint8)).tobytes().hex(), sum(rows.stats.cache_hits.values()))\n"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            cwd=Path(__file__).parents[2],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        for _ in range(2)
    ]
    expected = hashes.reference_double_sha256(bytes(3)).hex()
    assert outputs == [[expected, "0"], [expected, "1"]]


def test_without_libcrypto_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise RuntimeError(name)

    monkeypatch.setattr(llvm, "load_library_permanently", refuse)
    with pytest.raises(HeadwaterError, match="libssl3"):
        hashes.load_libcrypto()
