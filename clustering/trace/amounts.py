"""Exact amounts in kernels: one 64-bit word on Bitcoin, four of them (chain/uint256.py) on Ethereum.

In an array an amount is a row: of [n] int64 or of [n, 4] uint64 limbs, the least significant first. In a kernel it is a
tuple of one word or of four. Which of the two a function is compiled for follows from the length of the tuple and the
dimensions of the array, so that kernels are written once. No amount is ever negative.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Amount = Any
"""A tuple of one or four words."""

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_DIGITS = 8
"""32-bit digits of 256 bits."""


@njit(cache=True, nogil=True, forceinline=True)
def get(rows: Any, at: int) -> Amount:
    """The amount in row `at`."""
    if rows.ndim == 1:
        return (rows[at],)
    return (rows[at, 0], rows[at, 1], rows[at, 2], rows[at, 3])


@njit(cache=True, nogil=True, forceinline=True)
def put(rows: Any, at: int, x: Amount) -> None:
    """Write an amount into row `at`."""
    if rows.ndim == 1:
        rows[at] = x[0]
    else:
        rows[at, 0], rows[at, 1], rows[at, 2], rows[at, 3] = x[0], x[1], x[2], x[3]


@njit(cache=True, nogil=True, forceinline=True)
def zero(rows: Any) -> Amount:
    """Nothing, in the form of the amounts of `rows`."""
    if rows.ndim == 1:
        return (rows.dtype.type(0),)
    return (np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0))


@njit(cache=True, nogil=True, forceinline=True)
def is_zero(x: Amount) -> bool:
    if len(x) == 1:
        return x[0] == 0  # type: ignore[no-any-return]
    return (x[0] | x[1] | x[2] | x[3]) == 0  # type: ignore[no-any-return]


@njit(cache=True, nogil=True, forceinline=True)
def less(x: Amount, y: Amount) -> bool:
    if len(x) == 1:
        return x[0] < y[0]  # type: ignore[no-any-return]
    if x[3] != y[3]:
        return x[3] < y[3]  # type: ignore[no-any-return]
    if x[2] != y[2]:
        return x[2] < y[2]  # type: ignore[no-any-return]
    if x[1] != y[1]:
        return x[1] < y[1]  # type: ignore[no-any-return]
    return x[0] < y[0]  # type: ignore[no-any-return]


@njit(cache=True, nogil=True, forceinline=True)
def add(x: Amount, y: Amount) -> Amount:
    """The sum; amounts of one asset do not exceed 256 bits together."""
    if len(x) == 1:
        return (x[0] + y[0],)
    a = x[0] + y[0]
    carry = np.uint64(a < x[0])
    b = x[1] + y[1]
    over = np.uint64(b < x[1])
    b += carry
    carry = over | np.uint64(b < carry)
    c = x[2] + y[2]
    over = np.uint64(c < x[2])
    c += carry
    carry = over | np.uint64(c < carry)
    return (a, b, c, x[3] + y[3] + carry)


@njit(cache=True, nogil=True, forceinline=True)
def sub(x: Amount, y: Amount) -> Amount:
    """x - y, where y is not greater."""
    if len(x) == 1:
        return (x[0] - y[0],)
    a = x[0] - y[0]
    borrow = np.uint64(x[0] < y[0])
    b = x[1] - y[1]
    under = np.uint64(x[1] < y[1])
    under |= np.uint64(b < borrow)
    b -= borrow
    c = x[2] - y[2]
    deep = np.uint64(x[2] < y[2])
    deep |= np.uint64(c < under)
    c -= under
    return (a, b, c, x[3] - y[3] - deep)


@njit(cache=True, nogil=True)
def share(amount: Amount, part: Amount, whole: Amount) -> tuple[Amount, Amount]:
    """amount * part // whole and the remainder, exact; `part` is at most `whole`, which is not 0."""
    if len(amount) == 1:
        quotient, remainder = _share_word(np.uint64(amount[0]), np.uint64(part[0]), np.uint64(whole[0]))
        return (np.int64(quotient),), (np.int64(remainder),)
    return _share_limbs(amount, part, whole)  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
def _share_word(x: np.uint64, y: np.uint64, d: np.uint64) -> tuple[np.uint64, np.uint64]:
    """x * y divided by d, all below 2^63 and y at most d: 128 bits divided in two steps of 32 (Knuth 4.3.1 D)."""
    a, b, c, e = x >> _HALF, x & _LOW, y >> _HALF, y & _LOW
    middle = a * e + ((b * e) >> _HALF)
    cross = (middle & _LOW) + b * c
    high = a * c + (middle >> _HALF) + (cross >> _HALF)
    low = x * y
    if high == 0:
        return low // d, low % d
    shift = np.uint64(0)
    while (d << shift) >> np.uint64(63) == 0:
        shift += np.uint64(1)
    d <<= shift
    high = (high << shift) | ((low >> np.uint64(1)) >> (np.uint64(63) - shift))
    low <<= shift
    first, rest = _digit(high, low >> _HALF, d)
    second, rest = _digit(rest, low & _LOW, d)
    return (first << _HALF) + second, rest >> shift


@njit(cache=True, nogil=True)
def _digit(high: np.uint64, low: np.uint64, d: np.uint64) -> tuple[np.uint64, np.uint64]:
    """(high * 2^32 + low) divided by a normalised d, where high is below d and low has 32 bits."""
    top, bottom = d >> _HALF, d & _LOW
    guess, rest = high // top, high % top
    while guess > _LOW or guess * bottom > ((rest << _HALF) | low):
        guess -= np.uint64(1)
        rest += top
        if rest > _LOW:
            break
    return guess, (high << _HALF) + low - guess * d


@njit(cache=True, nogil=True, _nrt=True)
def _share_limbs(x: Amount, y: Amount, d: Amount) -> tuple[Amount, Amount]:
    """The same of 256 bits: a product of sixteen 32-bit digits and a long division (Knuth 4.3.1 M, D)."""
    size = _DIGITS
    while size > 0 and (d[(size - 1) >> 1] >> np.uint64(32 * ((size - 1) & 1))) & _LOW == 0:
        size -= 1
    a, b, v = np.zeros(_DIGITS, np.uint64), np.zeros(_DIGITS, np.uint64), np.zeros(_DIGITS, np.uint64)
    rows = ((x[0], y[0], d[0]), (x[1], y[1], d[1]), (x[2], y[2], d[2]), (x[3], y[3], d[3]))
    for place, (p, q, r) in enumerate(rows):
        a[2 * place], a[2 * place + 1] = p & _LOW, p >> _HALF
        b[2 * place], b[2 * place + 1] = q & _LOW, q >> _HALF
        v[2 * place], v[2 * place + 1] = r & _LOW, r >> _HALF
    product = np.zeros(2 * _DIGITS + 1, np.uint64)
    for i in range(_DIGITS):
        carry = np.uint64(0)
        for j in range(_DIGITS):
            carry += product[i + j] + a[i] * b[j]
            product[i + j] = carry & _LOW
            carry >>= _HALF
        product[i + _DIGITS] = carry
    quotient = np.zeros(2 * _DIGITS + 1, np.uint64)
    if size == 1:
        rest = np.uint64(0)
        for place in range(2 * _DIGITS - 1, -1, -1):
            rest = (rest << _HALF) | product[place]
            quotient[place] = rest // v[0]
            rest %= v[0]
        product[:] = 0
        product[0] = rest
    else:
        _long_division(product, v, size, quotient)
    return _limbs(quotient), _limbs(product)


@njit(cache=True, nogil=True)
def _limbs(digits: Any) -> Amount:
    return (
        digits[0] | (digits[1] << _HALF), digits[2] | (digits[3] << _HALF),
        digits[4] | (digits[5] << _HALF), digits[6] | (digits[7] << _HALF),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _long_division(u: Any, v: Any, size: int, quotient: Any) -> None:
    """Divide the 17 digits of `u` by the `size` >= 2 digits of `v`; `u` becomes the remainder, `v` is normalised."""
    shift = np.uint64(0)
    while (v[size - 1] << shift) >> np.uint64(31) == 0:
        shift += np.uint64(1)
    _shift_left(u, shift)
    _shift_left(v, shift)
    for j in range(2 * _DIGITS - size, -1, -1):
        both = (u[j + size] << _HALF) | u[j + size - 1]
        guess, rest = both // v[size - 1], both % v[size - 1]
        while guess > _LOW or guess * v[size - 2] > ((rest << _HALF) | u[j + size - 2]):
            guess -= np.uint64(1)
            rest += v[size - 1]
            if rest > _LOW:
                break
        borrow, carry = np.int64(0), np.uint64(0)
        for i in range(size):
            carry += guess * v[i]
            left = np.int64(u[i + j]) - np.int64(carry & _LOW) + borrow
            u[i + j] = np.uint64(left) & _LOW
            borrow = left >> np.int64(32)
            carry >>= _HALF
        left = np.int64(u[j + size]) - np.int64(carry) + borrow
        u[j + size] = np.uint64(left) & _LOW
        if left < 0:
            guess -= np.uint64(1)
            carry = np.uint64(0)
            for i in range(size):
                carry += u[i + j] + v[i]
                u[i + j] = carry & _LOW
                carry >>= _HALF
            u[j + size] = (u[j + size] + carry) & _LOW
        quotient[j] = guess
    for i in range(len(u)):
        above = u[i + 1] if i + 1 < len(u) else np.uint64(0)
        u[i] = ((u[i] >> shift) | (above << (_HALF - shift))) & _LOW


@njit(cache=True, nogil=True)
def _shift_left(digits: Any, shift: np.uint64) -> None:
    carry = np.uint64(0)
    for place in range(len(digits)):
        both = (digits[place] << shift) | carry
        digits[place] = both & _LOW
        carry = both >> _HALF
