"""Segment files mapped one after another into a single range of addresses.

Kernels want one array; files that are never changed want to be many. A range of addresses is reserved once
and each segment file is mapped at its place in it, so both have what they want and nothing is copied.
A mapped file lives until it is unmapped, also when its name was removed: a reader keeps what it opened.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chain.errors import StoreError, StoreUnavailable
from chain.model import Array

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
]  # fmt: skip
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

_PROT_NONE = 0
_MAP_FIXED = 0x10
_MAP_NORESERVE = 0x4000 if os.uname().sysname == "Linux" else 0x40
_MAP_FAILED = ctypes.c_void_p(-1).value


class Region:
    """`size` bytes of addresses, reserved; nothing is behind them until files are mapped there."""

    def __init__(self, size: int) -> None:
        self.size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
        address = _libc.mmap(None, self.size, _PROT_NONE, flags, -1, 0)
        if address == _MAP_FAILED:
            raise StoreUnavailable(f"cannot reserve {size} bytes of addresses: {_reason()}")
        self.address = int(address)
        weakref.finalize(self, _libc.munmap, self.address, self.size)

    def map_file(self, path: Path, offset: int, size: int, least: int) -> None:
        """Show `size` bytes of `path` (read-only, shared) at `offset`, a multiple of the page size.

        The file may be shorter and grow later, but reading behind its end would kill the process: StoreError where
        it has not even the `least` bytes that are about to be read.
        """
        with open(path, "rb") as handle:
            held = os.fstat(handle.fileno()).st_size
            if held < least:
                raise StoreError(f"{path} is damaged: {held} bytes, not {least}")
            address = _libc.mmap(
                self.address + offset, size, mmap.PROT_READ, mmap.MAP_SHARED | _MAP_FIXED, handle.fileno(), 0
            )
        if address == _MAP_FAILED:
            raise StoreUnavailable(f"cannot map {path}: {_reason()}")

    def array(self, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> Array:
        """The start of the region as an array, which keeps the region alive."""
        kind = np.dtype(dtype)
        count = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        buffer = (ctypes.c_uint8 * count).from_address(self.address)
        vars(buffer)["region"] = self  # what the array rests on must outlive it
        array: Array = np.frombuffer(memoryview(buffer).cast("B"), kind).reshape(shape)
        array.flags.writeable = False
        return array


def _reason() -> str:
    return os.strerror(ctypes.get_errno())
