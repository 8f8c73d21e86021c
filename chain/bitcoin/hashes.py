"""SHA-256, double SHA-256, RIPEMD-160 and HASH160, callable inside Numba kernels.

SHA-256 is the system's libcrypto (it uses the processor's SHA instructions), called by symbol, so
that compiled kernels can be cached. RIPEMD-160 is written out here: OpenSSL 3 no longer offers it
by default. Kernels take a `state` array from `new_state`; it is overwritten and may be shared by
any number of calls of one thread.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import hashlib
from typing import TYPE_CHECKING

import llvmlite.binding as llvm
import numpy as np
from numba import njit, types

from chain.errors import HeadwaterError

if TYPE_CHECKING:
    from chain.model import I64, U8

DIGEST_SIZE = 32
HASH160_SIZE = 20

STATE_SIZE = 128
"""At least sizeof(SHA256_CTX), 112 bytes in every OpenSSL (openssl/sha.h)."""

LIBRARY_NAMES = ("libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.3.dylib", "libcrypto.so")
SYMBOLS = ("SHA256_Init", "SHA256_Update", "SHA256_Final")


def load_libcrypto() -> str:
    """Make libcrypto's symbols known to compiled kernels; the name that it was found under.

    The name that Python's own `hashlib` is linked to comes first: it is then loaded once.
    HeadwaterError where no libcrypto with these symbols is installed.
    """
    found = ctypes.util.find_library("crypto")
    for name in (*LIBRARY_NAMES, *((found,) if found else ())):
        with contextlib.suppress(RuntimeError):
            llvm.load_library_permanently(name)
            if all(llvm.address_of_symbol(symbol) for symbol in SYMBOLS):
                return str(name)
    raise HeadwaterError(
        "OpenSSL's libcrypto was not found (tried " + ", ".join(LIBRARY_NAMES) + "): "
        "install Debian's package libssl3 (Debian 13: libssl3t64) or your system's OpenSSL 3"
    )


LIBCRYPTO = load_libcrypto()

_address = types.int64
_sha256_init = types.ExternalFunction("SHA256_Init", types.int32(_address))
_sha256_update = types.ExternalFunction("SHA256_Update", types.int32(_address, _address, types.int64))
_sha256_final = types.ExternalFunction("SHA256_Final", types.int32(_address, _address))


@njit(cache=True, nogil=True)
def new_state() -> U8:
    """Working memory for the kernels below."""
    return np.empty(STATE_SIZE, np.uint8)


@njit(cache=True, nogil=True)
def sha256_begin(state: U8) -> None:
    _sha256_init(np.int64(state.ctypes.data))


@njit(cache=True, nogil=True)
def sha256_add(state: U8, raw: U8, start: int, size: int) -> None:
    """Hash `raw[start:start + size]`, which the caller has bounds-checked."""
    _sha256_update(np.int64(state.ctypes.data), np.int64(raw.ctypes.data) + start, size)


@njit(cache=True, nogil=True)
def sha256_end(state: U8, out: U8) -> None:
    """Write the 32 bytes of the digest to `out`."""
    _sha256_final(np.int64(out.ctypes.data), np.int64(state.ctypes.data))


@njit(cache=True, nogil=True)
def sha256_end_double(state: U8, out: U8) -> None:
    """Write the SHA-256 of the digest to `out`."""
    sha256_end(state, out)
    sha256_begin(state)
    sha256_add(state, out, 0, DIGEST_SIZE)
    sha256_end(state, out)


@njit(cache=True, nogil=True)
def sha256(state: U8, raw: U8, start: int, size: int, out: U8) -> None:
    """SHA-256 of `raw[start:start + size]`."""
    sha256_begin(state)
    sha256_add(state, raw, start, size)
    sha256_end(state, out)


@njit(cache=True, nogil=True)
def double_sha256(state: U8, raw: U8, start: int, size: int, out: U8) -> None:
    """SHA-256 of the SHA-256 of `raw[start:start + size]`: what Bitcoin hashes blocks with."""
    sha256_begin(state)
    sha256_add(state, raw, start, size)
    sha256_end_double(state, out)


@njit(cache=True, nogil=True)
def double_sha256_rows(rows: U8) -> U8:
    """[n, 32] the double SHA-256 of each row of `rows` [n, w]."""
    state = new_state()
    out = np.empty((rows.shape[0], DIGEST_SIZE), np.uint8)
    for row in range(rows.shape[0]):
        double_sha256(state, rows[row], 0, rows.shape[1], out[row])
    return out


def reference_double_sha256(raw: bytes) -> bytes:
    """The twin of `double_sha256`."""
    return hashlib.sha256(hashlib.sha256(raw).digest()).digest()


# RIPEMD-160, after Dobbertin, Bosselaers, Preneel: "RIPEMD-160, a strengthened version of RIPEMD"
# (1996), appendix A. Words are int64 below 2**32: no mixing of signed and unsigned.

WORD = 0xFFFFFFFF
MESSAGE_BLOCK = 64

INITIAL = np.array([0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0])
LEFT_CONSTANT = np.array([0, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E])
RIGHT_CONSTANT = np.array([0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0])
_RHO = [7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8]
_SHIFTS = (
    [11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8],
    [12, 13, 11, 15, 6, 9, 9, 7, 12, 15, 11, 13, 7, 8, 7, 7],
    [13, 15, 14, 11, 7, 7, 6, 8, 13, 14, 13, 12, 5, 5, 6, 9],
    [14, 11, 12, 14, 8, 6, 5, 5, 15, 12, 15, 14, 9, 9, 8, 6],
    [15, 12, 13, 13, 9, 5, 8, 6, 14, 11, 12, 11, 8, 6, 5, 5],
)


def _word_order(first: list[int]) -> list[int]:
    """The order of message words in five rounds: `first`, then rho of the round before."""
    rounds = [first]
    for _ in range(4):
        rounds.append([_RHO[word] for word in rounds[-1]])
    return [word for words in rounds for word in words]


_LEFT = _word_order(list(range(16)))
_RIGHT = _word_order([(9 * word + 5) % 16 for word in range(16)])
LEFT_WORD = np.array(_LEFT)
RIGHT_WORD = np.array(_RIGHT)
LEFT_SHIFT = np.array([_SHIFTS[step // 16][word] for step, word in enumerate(_LEFT)])
RIGHT_SHIFT = np.array([_SHIFTS[step // 16][word] for step, word in enumerate(_RIGHT)])


@njit(cache=True, nogil=True)
def _mix(function: int, x: int, y: int, z: int) -> int:
    if function == 0:
        return x ^ y ^ z
    if function == 1:
        return (x & y) | (~x & WORD & z)
    if function == 2:
        return (x | (~y & WORD)) ^ z
    if function == 3:
        return (x & z) | (y & ~z & WORD)
    return x ^ (y | (~z & WORD))


@njit(cache=True, nogil=True)
def _line(chain: I64, words: I64, right: bool) -> I64:
    """One of the two parallel lines of 80 steps; the five words that it ends with."""
    order = RIGHT_WORD if right else LEFT_WORD
    shifts = RIGHT_SHIFT if right else LEFT_SHIFT
    constants = RIGHT_CONSTANT if right else LEFT_CONSTANT
    a, b, c, d, e = chain[0], chain[1], chain[2], chain[3], chain[4]
    for step in range(80):
        part = step // 16
        total = (a + _mix(4 - part if right else part, b, c, d) + words[order[step]] + constants[part]) & WORD
        shift = shifts[step]
        turned = (((total << shift) & WORD) | (total >> (32 - shift))) + e
        a, e, d, c, b = e, d, ((c << 10) & WORD) | (c >> 22), b, turned & WORD
    return np.array([a, b, c, d, e])


@njit(cache=True, nogil=True)
def _compress(chain: I64, message: U8, at: int) -> None:
    words = np.empty(16, np.int64)
    for word in range(16):
        words[word] = 0
        for byte in range(4):
            words[word] |= np.int64(message[at + 4 * word + byte]) << (8 * byte)
    left = _line(chain, words, False)
    right = _line(chain, words, True)
    old = chain.copy()
    for word in range(5):
        chain[word] = (old[(word + 1) % 5] + left[(word + 2) % 5] + right[(word + 3) % 5]) & WORD


@njit(cache=True, nogil=True)
def ripemd160(raw: U8, start: int, size: int, out: U8) -> None:
    """RIPEMD-160 of `raw[start:start + size]`, 20 bytes to `out`."""
    padded_size = (size + 8) // MESSAGE_BLOCK * MESSAGE_BLOCK + MESSAGE_BLOCK
    message = np.zeros(padded_size, np.uint8)
    message[:size] = raw[start : start + size]
    message[size] = 0x80
    for byte in range(8):
        message[padded_size - 8 + byte] = ((8 * size) >> (8 * byte)) & 0xFF
    chain = INITIAL.copy()
    for at in range(0, padded_size, MESSAGE_BLOCK):
        _compress(chain, message, at)
    for byte in range(HASH160_SIZE):
        out[byte] = (chain[byte // 4] >> (8 * (byte % 4))) & 0xFF


@njit(cache=True, nogil=True)
def hash160(state: U8, raw: U8, start: int, size: int, out: U8) -> None:
    """RIPEMD-160 of SHA-256: what an address commits to a key or script by; 20 bytes to `out`."""
    digest = np.empty(DIGEST_SIZE, np.uint8)
    sha256(state, raw, start, size, digest)
    ripemd160(digest, 0, DIGEST_SIZE, out)


def ripemd160_digest(raw: bytes) -> bytes:
    """RIPEMD-160 of `raw`."""
    out = np.empty(HASH160_SIZE, np.uint8)
    ripemd160(np.frombuffer(raw, np.uint8), 0, len(raw), out)
    return out.tobytes()


def hash160_digest(raw: bytes) -> bytes:
    """HASH160 of `raw`."""
    return ripemd160_digest(hashlib.sha256(raw).digest())
