"""The tree of headers that a source holds, and the chain of most work to take from it.

Blocks lie in files in the order of their arrival, with duplicates, stale branches and gaps. Their
headers name their parents, so they form one tree for each block whose parent is not there (a
*root*). Work is Bitcoin Core's: a block counts 2^256 / (target + 1) (chain.cpp, GetBlockProof).
A header that does not meet its own target counts 1: it cannot outweigh an honest branch, and on a
chain without branches it is still taken, so that verification refuses it by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chain.bitcoin.network import NETWORKS, Network
from chain.bitcoin.parse import Headers
from chain.errors import IntegrityError
from chain.model import UNKNOWN, hash_text
from chain.source import Tip

NO_BLOCK = -1

HELP = "declare the height of the first block with --from, or load the blocks as an extract with --dataset NAME"


@dataclass(frozen=True, slots=True)
class Chain:
    """Blocks of a `BlockTree` one after another; `blocks[0]` has height `start`."""

    start: int
    blocks: list[int]
    root: int


class BlockTree:
    """n distinct headers, numbered as given, each with its parent, root, depth and total work."""

    def __init__(self, headers: Headers) -> None:
        self.hashes: list[bytes] = [row.tobytes() for row in headers.hash]
        self.parents: list[bytes] = [row.tobytes() for row in headers.parent]
        self._numbers = {digest: number for number, digest in enumerate(self.hashes)}
        self.above = [self._numbers.get(parent, NO_BLOCK) for parent in self.parents]
        self.root = [NO_BLOCK] * len(self.hashes)
        self.depth = [0] * len(self.hashes)
        self.total = [work(digest, bits) for digest, bits in zip(self.hashes, headers.bits.tolist(), strict=True)]
        self._connect()

    def _connect(self) -> None:
        """Fill root and depth, and sum up the work from each root on."""
        for leaf in range(len(self.hashes)):
            path, number = [], leaf
            while number != NO_BLOCK and self.root[number] == NO_BLOCK:
                path.append(number)
                number = self.above[number]
            for block in reversed(path):
                above = self.above[block]
                self.root[block] = block if above == NO_BLOCK else self.root[above]
                self.depth[block] = 0 if above == NO_BLOCK else self.depth[above] + 1
                self.total[block] += 0 if above == NO_BLOCK else self.total[above]

    def number(self, digest: bytes) -> int:
        """The block with hash `digest`, NO_BLOCK where there is none."""
        return self._numbers.get(digest, NO_BLOCK)

    @property
    def roots(self) -> list[int]:
        """The blocks whose parents are not here, in order of their numbers."""
        return [number for number, above in enumerate(self.above) if above == NO_BLOCK]

    def best(self, roots: Sequence[int], preferred: int = NO_BLOCK) -> int:
        """The block with most work above any of `roots`; of equals one that has `preferred` below
        it, else the one that came first (Core keeps the chain that it saw first)."""
        among = set(roots)
        most = max(self.total[number] for number, root in enumerate(self.root) if root in among)
        equal = [n for n, root in enumerate(self.root) if root in among and self.total[n] == most]
        return next((n for n in equal if preferred in self.path(n)), equal[0]) if len(equal) > 1 else equal[0]

    def path(self, leaf: int) -> list[int]:
        """The blocks from the root of `leaf` up to it."""
        blocks = []
        while leaf != NO_BLOCK:
            blocks.append(leaf)
            leaf = self.above[leaf]
        return blocks[::-1]

    def chain(self, start: int, leaf: int) -> Chain:
        """The chain up to `leaf`, its root at height `start`."""
        return Chain(start, self.path(leaf), self.root[leaf])


def work(digest: bytes, bits: int) -> int:
    """The work that a header with this hash and these target bits counts for."""
    target = target_of(bits)
    if target <= 0 or int.from_bytes(digest, "little") > target:
        return 1
    return (1 << 256) // (target + 1)


def target_of(bits: int) -> int:
    """The target that the compact form `bits` stands for, 0 where negative or over 256 bits."""
    size, mantissa = bits >> 24, bits & 0x7FFFFF
    target = mantissa << 8 * (size - 3) if size > 3 else mantissa >> 8 * (3 - size)
    return 0 if bits & 0x800000 or target >= 1 << 256 else target


def choose(
    tree: BlockTree,
    network: Network,
    tip: Tip | None,
    anchor_height: int | None,
    stated_height: Callable[[int], int],
) -> Chain:
    """The chain of most work that the stored chain can grow along, or be replaced from.

    In this order: the tree that has the stored tip, the trees that start right above it, and the one
    from genesis; else, for an empty dataset, the one of most work, whose first block is declared to
    be at `anchor_height`, and beside a stored chain one whose first coinbase states its height, so
    that a fork below the tip can be told.
    `stated_height(block)` is the BIP 34 height of a block's coinbase or UNKNOWN.
    IntegrityError("parent", …) where none of these is there, "network" where it is another genesis.
    """
    if tip is not None:
        own = tree.number(tip.hash)
        if own != NO_BLOCK:
            start = tip.height - tree.depth[own]
            return tree.chain(start, tree.best([tree.root[own]], preferred=own))
        above = [root for root in tree.roots if tree.parents[root] == tip.hash]
        if above:
            return tree.chain(tip.height + 1, tree.best(above))
    genesis = tree.number(network.genesis_hash)
    if genesis != NO_BLOCK:
        return tree.chain(0, tree.best([genesis]))
    leaf = tree.best(tree.roots)
    start = anchor_height or UNKNOWN if tip is None else stated_height(tree.root[leaf])
    if start == UNKNOWN or (tip is not None and start > tip.height + 1):
        raise _unconnected(tree, tree.root[leaf], network)
    chain = tree.chain(start, leaf)
    _check_heights(tree, chain, stated_height)
    return chain


def _check_heights(tree: BlockTree, chain: Chain, stated_height: Callable[[int], int]) -> None:
    """The declared heights must be those that the first and the last coinbase state."""
    for place in (0, len(chain.blocks) - 1):
        block, height = chain.blocks[place], chain.start + place
        stated = stated_height(block)
        if stated not in (UNKNOWN, height):
            raise IntegrityError(
                "height",
                f"block {hash_text(tree.hashes[block])}",
                f"its height would be {height}, but its coinbase states {stated} (BIP 34)",
            )


def _unconnected(tree: BlockTree, root: int, network: Network) -> IntegrityError:
    place = f"block {hash_text(tree.hashes[root])}"
    if not any(tree.parents[root]):
        known = [other.name for other in NETWORKS.values() if other.genesis_hash == tree.hashes[root]]
        whose = f"the genesis block of {known[0]}" if known else "the first block of an unknown network"
        return IntegrityError("network", place, f"it is {whose}, not of {network.name}")
    missing = hash_text(tree.parents[root])
    return IntegrityError("parent", place, f"its parent {missing} is neither the stored tip nor in these files; {HELP}")
