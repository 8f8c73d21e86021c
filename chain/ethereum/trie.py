"""The Merkle-Patricia root of a list: what a header commits to its transactions, receipts and withdrawals by.

The key of a value is the RLP of its place. No such key begins another one, so a branch never holds a value itself.
"""

from __future__ import annotations

from chain.ethereum.fields import Item, encode
from chain.ethereum.keccak import DIGEST_SIZE, keccak256

EMPTY_ROOT = keccak256(encode(b""))

_BRANCHES = 16


def ordered_root(values: list[bytes]) -> bytes:
    """The 32-byte root of rlp(index) -> value; the empty trie's root for no value."""
    if not values:
        return EMPTY_ROOT
    leaves = sorted((_nibbles(_key(place)), value) for place, value in enumerate(values))
    return keccak256(encode(_node(leaves, 0)))


def _key(place: int) -> bytes:
    return encode(place.to_bytes((place.bit_length() + 7) // 8, "big"))


def _nibbles(key: bytes) -> bytes:
    return bytes(half for byte in key for half in divmod(byte, 16))


def _node(leaves: list[tuple[bytes, bytes]], depth: int) -> Item:
    """The node over sorted leaves whose keys agree in their first `depth` nibbles."""
    first, last = leaves[0][0], leaves[-1][0]
    if len(leaves) == 1:
        return [_packed(first[depth:], leaf=True), leaves[0][1]]
    fork = depth
    while first[fork] == last[fork]:
        fork += 1
    if fork > depth:
        return [_packed(first[depth:fork], leaf=False), _link(_node(leaves, fork))]
    branch: list[Item] = []
    for nibble in range(_BRANCHES):
        below = [leaf for leaf in leaves if leaf[0][depth] == nibble]
        branch.append(_link(_node(below, depth + 1)) if below else b"")
    return [*branch, b""]


def _link(node: Item) -> Item:
    """How a node names its child: by hash, or the child itself where that is shorter than a hash."""
    raw = encode(node)
    return node if len(raw) < DIGEST_SIZE else keccak256(raw)


def _packed(nibbles: bytes, *, leaf: bool) -> bytes:
    """Nibbles as bytes, with a prefix that tells leaf from extension and odd from even ("hex prefix")."""
    flag = 2 * leaf + len(nibbles) % 2
    padded = bytes([flag]) + (b"" if len(nibbles) % 2 else b"\0") + nibbles
    return bytes(padded[at] * 16 + padded[at + 1] for at in range(0, len(padded), 2))
