"""Merkle roots of blocks, and the weakness of that tree that lets two lists share one root.

CVE-2012-2459: a level of odd length is closed by hashing its last node with itself, so that a list
with its end repeated has the root of the list without. Core (consensus/merkle.cpp) therefore refuses
any pair of equal nodes, and so does this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from chain.bitcoin.hashes import DIGEST_SIZE, double_sha256, new_state, reference_double_sha256

if TYPE_CHECKING:
    from chain.model import I64, U8, Bool


@njit(cache=True, nogil=True)
def merkle_roots(leaves: U8, first: I64) -> tuple[U8, Bool]:
    """The root [B, 32] over `leaves[first[b]:first[b + 1]]` [T, 32], and whether the list is mutated.

    Zeros for an empty list.
    """
    state = new_state()
    roots = np.zeros((len(first) - 1, DIGEST_SIZE), np.uint8)
    mutated = np.zeros(len(first) - 1, np.bool_)
    most = 0
    for block in range(len(roots)):
        most = max(most, first[block + 1] - first[block])
    nodes = np.empty((most + 1) * DIGEST_SIZE, np.uint8)
    for block in range(len(roots)):
        count = first[block + 1] - first[block]
        if count == 0:
            continue
        for leaf in range(count):
            for byte in range(DIGEST_SIZE):
                nodes[leaf * DIGEST_SIZE + byte] = leaves[first[block] + leaf, byte]
        while count > 1:
            if _close_level(nodes, count):
                mutated[block] = True
            count = (count + 1) // 2
            for pair in range(count):
                at = pair * DIGEST_SIZE
                double_sha256(state, nodes, 2 * at, 2 * DIGEST_SIZE, nodes[at : at + DIGEST_SIZE])
        roots[block] = nodes[:DIGEST_SIZE]
    return roots, mutated


@njit(cache=True, nogil=True)
def _close_level(nodes: U8, count: int) -> bool:
    """Repeat the last of an odd number of nodes; whether two nodes of a pair were equal before."""
    equal = False
    for pair in range(count // 2):
        at = 2 * pair * DIGEST_SIZE
        byte = 0
        while byte < DIGEST_SIZE and nodes[at + byte] == nodes[at + DIGEST_SIZE + byte]:
            byte += 1
        equal = equal or byte == DIGEST_SIZE
    if count % 2:
        end = count * DIGEST_SIZE
        for byte in range(DIGEST_SIZE):
            nodes[end + byte] = nodes[end - DIGEST_SIZE + byte]
    return equal


def reference_merkle_root(leaves: list[bytes]) -> tuple[bytes, bool]:
    """The twin of `merkle_roots` for one list."""
    if not leaves:
        return bytes(DIGEST_SIZE), False
    level, mutated = leaves, False
    while len(level) > 1:
        mutated |= any(level[at] == level[at + 1] for at in range(0, len(level) - 1, 2))
        if len(level) % 2:
            level = [*level, level[-1]]
        level = [reference_double_sha256(level[at] + level[at + 1]) for at in range(0, len(level), 2)]
    return level[0], mutated
