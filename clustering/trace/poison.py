"""Poison: whatever was touched is reached whole. An upper end of where money can have gone, of each seed apart.

Seeds are bits, 64 to a word, and many words go through one pass, so that thousands of seeds cost a few passes over what
they touch together (multi-source reach: Then et al., VLDB 2014; one pass in order of time: Wu et al., VLDB 2014).

How it fails. It keeps no sum: a seed of one coin can reach a million. Within years it reaches most of a chain. It says
only where a seed's money cannot have gone: to all that it does not reach.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from chain.model import I64, Bool
from clustering.trace.movements import Side
from clustering.trace.selection import CONVERTED
from clustering.trace.touched import Part, Points, Touched

U64s = npt.NDArray[np.uint64]

WORDS = 16
"""Words of a pass: 1,024 seeds, 128 bytes a reached holding."""

BITS = 64


@dataclass(frozen=True, slots=True)
class Reached:
    """What poison reaches of a touched part."""

    holdings: I64
    """[seeds] how many followed holdings each seed reaches"""
    union: Bool
    """[n] holdings that any seed reaches"""
    carried: Bool
    """[c] credits that came from a reached debit"""
    stopped: Bool
    """[t] movements that ended what came in, by a rule of their own"""


def poison(found: Touched, seeds: int, cancelled: Callable[[], bool] = lambda: False) -> Reached:
    """What the seeds of a touched part reach; stops early, with what it has, where `cancelled` says so."""
    part = found.part
    counts = np.zeros(-(-seeds // BITS) * BITS, np.int64)
    union = np.zeros(len(part.end), np.bool_)
    carried, stopped = np.zeros(len(part.credit), np.bool_), np.zeros(len(part.movement), np.bool_)
    for low in range(0, len(counts) // BITS, WORDS):
        if cancelled():
            break
        words = min(WORDS, len(counts) // BITS - low)
        mask = np.zeros((len(part.end), words), np.uint64)
        lit, flow = np.zeros(len(part.end), np.bool_), np.zeros(words, np.uint64)
        spread(part, low * BITS, mask, lit, flow, carried, stopped)
        count_bits(mask, counts[low * BITS :], union)
    return Reached(counts[:seeds], union, carried, stopped)


@njit(cache=True, nogil=True, _nrt=False)
def spread(part: Part, first_seed: int, mask: U64s, lit: Bool, flow: U64s, carried: Bool, stopped: Bool) -> None:
    """One pass in chain order for the seeds from `first_seed` on that `mask` [n, words] has bits for.

    `lit` [n] says which rows of the mask are not empty, so that the others need not be read; `flow` [words] is scratch.
    """
    words = mask.shape[1]
    for m in range(len(part.movement)):
        hit = False
        for d in range(part.first[m, 0], part.first[m + 1, 0]):
            h = part.debit[d, 1]
            if h < 0:
                continue
            _light(part, h, m, 1, first_seed, mask, lit)
            if lit[h]:
                for w in range(words):
                    flow[w] = mask[h, w] | (flow[w] if hit else np.uint64(0))
                hit = True
        if hit and part.stop[m] > 0 and part.stop[m] != CONVERTED:
            stopped[m] = True
            hit = False
        for c in range(part.first[m, 1], part.first[m + 1, 1]):
            h = part.credit[c, 1]
            if hit:
                carried[c] = True
            if h < 0 or part.end[h] > 0:
                continue
            if hit:
                lit[h] = True
                for w in range(words):
                    mask[h, w] |= flow[w]
            _light(part, h, m, 0, first_seed, mask, lit)


@njit(cache=True, nogil=True, forceinline=True)
def _light(part: Part, h: int, m: int, debit: int, first_seed: int, mask: U64s, lit: Bool) -> None:
    """Light the bits of the seeds that claim at this holding now."""
    for p in range(part.first_point[h], part.first_point[h + 1]):
        seed, now = part.point[p, 0] - first_seed, part.point[p, 1] <= part.movement[m] < part.point[p, 2]
        if now and 0 <= seed < 64 * mask.shape[1] and part.point[p, 3] == debit:
            mask[h, seed >> 6] |= np.uint64(1) << np.uint64(seed & 63)
            lit[h] = True


@njit(cache=True, nogil=True)
def count_bits(mask: U64s, counts: I64, union: Bool) -> None:
    """Add the holdings of each seed to `counts`, and mark those of any."""
    for h in range(len(mask)):
        for w in range(mask.shape[1]):
            left = mask[h, w]
            if left != 0:
                union[h] = True
            place = 64 * w
            while left != 0:
                if left & np.uint64(1) == 1:
                    counts[place] += 1
                left >>= np.uint64(1)
                place += 1


def reference(found: Touched, points: Points) -> tuple[list[set[int]], set[int], set[int]]:
    """The readable twin: the seeds that reach each holding, the credits that were carried, the movements that stop."""
    part = found.part
    reach: list[set[int]] = [set() for _ in part.end]
    carried: set[int] = set()
    stopped: set[int] = set()

    def lit(holding: int, movement: int, *, debit: bool) -> set[int]:
        here = (points.holding == found.holding[holding]) & (points.debit == debit)
        here &= (points.start <= movement) & (movement < points.end)
        return set(points.seed[here].tolist())

    for place, movement in enumerate(part.movement.tolist()):
        flow: set[int] = set()
        for d in range(part.first[place, 0], part.first[place + 1, 0]):
            holding = int(part.debit[d, 1])
            if holding >= 0:
                reach[holding] |= lit(holding, movement, debit=True)
                flow |= reach[holding]
        if flow and part.stop[place] not in (0, CONVERTED):
            stopped.add(place)
            flow = set()
        for c in range(part.first[place, 1], part.first[place + 1, 1]):
            holding = int(part.credit[c, 1])
            if flow:
                carried.add(c)
            if holding > Side.ELSEWHERE and not part.end[holding]:
                reach[holding] |= flow | lit(holding, movement, debit=False)
    return reach, carried, stopped
