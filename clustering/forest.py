"""The history forest: which link joined whom, as of every link, forwards and back.

Union by size without path compression. A node keeps its parent, its size and the *ordinal* (place
in canonical order) of the link that attached it, 16 bytes an address. Nodes are attached at roots
only, so ordinals grow along every climb: stopping a climb at an ordinal shows the forest as it
was then, the node last climbed on the way between two addresses names the link that joined them,
and the newest links can be undone exactly. A climb takes at most log2(n) steps.

The forest is an index over the accepted links and can be rebuilt from them. Evidence that
completes late, or is retracted, rolls it back to that place and replays; since every decision
follows from the order of the links alone, the result is the same bytes as a forest built afresh.
`clustering/reference.py` has the readable twin.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numba import njit

from chain.errors import IntegrityError, StoreError
from chain.model import I32, I64
from clustering.components import relabel
from clustering.links import check_addresses

NODE = np.dtype([("parent", "<i4"), ("size", "<i4"), ("ordinal", "<i8")])
"""`parent`: -1 for a root. `size`: addresses at and below; what it was when the node was attached.
`ordinal`: of the link that attached the node, NEVER for a root."""

Nodes = npt.NDArray[np.void]
"""[n] of NODE"""

NEVER = int(np.iinfo(np.int64).max)
"""The ordinal of what has not happened: later than every link."""

SAME = -1
"""`connected_at` of an address and itself: before every link."""

_NOBODY = -1
_APART = -2
FILE_NAME = "forest.npy"


class Forest:
    """A history forest over address ids 0..n-1.

    `before` is an ordinal everywhere: the answer is that of the links with a smaller ordinal; None
    takes all links. An address id outside the forest is an IndexError.
    """

    __slots__ = ("_next", "nodes")

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self._next: int | None = None

    @classmethod
    def empty(cls, address_count: int) -> Forest:
        """Every address by itself."""
        return cls(_roots(address_count))

    @classmethod
    def open(cls, folder: Path) -> Forest:
        """The forest saved in `folder`, mapped read-only; the first change copies it to memory.

        StoreError where there is none, or where the file is something else.
        """
        path = folder / FILE_NAME
        try:
            nodes = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise StoreError(f"{path}: no forest can be opened: {error}") from error
        if nodes.dtype != NODE or nodes.ndim != 1:
            raise StoreError(f"{path}: not a forest: {nodes.ndim} dimensions of {nodes.dtype}")
        return cls(np.asarray(nodes))

    def save(self, folder: Path) -> Path:
        """Write the forest into `folder` (which exists) in one atomic step; returns the file's path."""
        path = folder / FILE_NAME
        beside = path.with_name(f"{FILE_NAME}.{os.getpid()}.tmp")
        try:
            with beside.open("wb") as file:
                np.save(file, self.nodes, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise StoreError(f"{path}: the forest cannot be written: {error}") from error
        _sync_folder(folder)
        return path

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def next_ordinal(self) -> int:
        """The smallest ordinal that `attach` takes: beyond every link that attached a node."""
        if self._next is None:
            self._next = int(_last_ordinal(self.nodes)) + 1
        return self._next

    def grow(self, address_count: int) -> None:
        """Add addresses, each by itself, up to `address_count`; a full copy, so once a batch."""
        if address_count < len(self):
            raise ValueError(f"a forest of {len(self)} addresses does not shrink to {address_count}")
        if address_count > len(self):
            self.nodes = np.concatenate((self.nodes, _roots(address_count - len(self))))

    def fitted(self, address_count: int) -> Forest:
        """A forest of `address_count` addresses with the same links: none of them may be on an address that goes."""
        fitted = Forest(np.array(self.nodes[:address_count]))
        fitted.grow(address_count)
        return fitted

    def attach(self, u: I32, v: I32, first_ordinal: int) -> int:
        """Join u[i] and v[i] by the link with ordinal first_ordinal + i; returns how many joined.

        ValueError where the ordinals do not come after all that are in the forest, or a link names
        no address; nothing is changed then.
        """
        check_addresses(len(self), u, v)
        if first_ordinal < self.next_ordinal:
            raise ValueError(f"ordinal {first_ordinal} is not after the last one: {self.next_ordinal - 1}")
        self.own()
        joined = int(_attach(self.nodes, np.asarray(u, np.int32), np.asarray(v, np.int32), first_ordinal))
        self._next = first_ordinal + len(u)
        return joined

    def rollback(self, ordinal: int) -> None:
        """Undo all links with ordinals from `ordinal` on: the forest is as it was before them."""
        self.own()
        _rollback(self.nodes, ordinal)
        self._next = min(self.next_ordinal, max(ordinal, 0))

    def replay(self, from_ordinal: int, u: I32, v: I32) -> int:
        """Put `u`, `v` in the place of all links from `from_ordinal` on; returns how many joined.

        This is how late evidence and retractions come in: the links after the change, once more.
        """
        check_addresses(len(self), u, v)
        self.rollback(from_ordinal)
        return self.attach(u, v, from_ordinal)

    def root(self, address: int, before: int | None = None) -> int:
        """The root above `address`: equal for two addresses of one cluster, and not a stable label."""
        self._check(address)
        return int(node_root(self.nodes, address, _limit(before)))

    def roots(self, addresses: I32, before: int | None = None) -> I32:
        """`root` of each of many addresses, for instance to tell which members of a cluster were in it."""
        if len(addresses):
            self._check(int(addresses.min()), int(addresses.max()))
        roots: I32 = _roots_of(self.nodes, np.asarray(addresses, np.int32), _limit(before))
        return roots

    def same(self, a: int, b: int, before: int | None = None) -> bool:
        """Whether links lead from a to b."""
        joined = self.connected_at(a, b)
        return joined is not None and joined < _limit(before)

    def connected_at(self, a: int, b: int) -> int | None:
        """The ordinal of the link that joined a and b; None where none did, SAME where a is b."""
        self._check(a, b)
        child, _ = _connection(self.nodes, a, b)
        if child == _APART:
            return None
        return SAME if child == _NOBODY else int(self.nodes[child]["ordinal"])

    def explain(self, a: int, b: int, u: I32, v: I32, before: int | None = None) -> I64 | None:
        """Why a and b are together: ordinals of links that lead from a to b, in the order of the way.

        `u`, `v`: all links by ordinal. Each link of the chain was the one that first joined its two
        sides, and the chain is the only one among those. Empty where a is b, None where no chain
        leads there.
        """
        if not self.same(a, b, before):
            return None
        _, ordinals = self.explain_many(np.array([[a, b]], np.int32), u, v, before)
        return ordinals

    def explain_many(self, pairs: I32, u: I32, v: I32, before: int | None = None) -> tuple[I64, I64]:
        """The chains of P pairs: (offsets [P + 1], ordinals).

        `pairs`: [P, 2] address ids. Pair i's chain is `ordinals[offsets[i]:offsets[i + 1]]`, empty
        where the pair is one address, or apart.
        IntegrityError("forest-links", ...) where `u`, `v` are not the links that made the forest.
        """
        if len(pairs):
            self._check(int(pairs.min()), int(pairs.max()))
        pairs = np.ascontiguousarray(pairs, np.int32)
        links = np.asarray(u, np.int32), np.asarray(v, np.int32)
        offsets, ordinals, foreign = _chains(self.nodes, *links, pairs, _limit(before))
        if foreign >= 0:
            raise IntegrityError("forest-links", f"link {foreign}", "it is not the link that made the forest")
        return offsets, ordinals

    def labels(self, before: int | None = None) -> I32:
        """[n] the smallest address id of each address's cluster."""
        labels: I32 = _labels(self.nodes, _limit(before))
        return labels

    def own(self) -> Nodes:
        """The nodes, in memory that may be written; whoever attaches to them says so with `attached`."""
        if not self.nodes.flags.writeable:
            self.nodes = self.nodes.copy()
        return self.nodes

    def attached(self, next_ordinal: int) -> None:
        """Ordinals below `next_ordinal` were given to links."""
        self._next = next_ordinal

    def _check(self, *addresses: int) -> None:
        for address in addresses:
            if not 0 <= address < len(self):
                raise IndexError(f"address id {address} is outside 0..{len(self) - 1}")


def verify_partition(forest: Forest, u: I32, v: I32) -> None:
    """Check the forest's partition against the bulk relabelling of the same links.

    `u`, `v`: every link that the forest holds. IntegrityError("partition", ...) at the first address
    whose labels differ: one of the two algorithms, or the forest's file, is wrong.
    """
    stated, computed = forest.labels(), relabel(len(forest), u, v)
    differs = stated != computed
    if bool(differs.any()):
        address = int(np.argmax(differs))
        raise IntegrityError(
            "partition",
            f"address id {address}",
            f"the forest has it with {int(stated[address])}, relabelling with {int(computed[address])}; "
            f"{int(np.count_nonzero(differs))} of {len(forest)} addresses differ",
        )


def _limit(before: int | None) -> int:
    return NEVER if before is None else before


def _roots(count: int) -> Nodes:
    nodes = np.empty(count, NODE)
    nodes["parent"], nodes["size"], nodes["ordinal"] = -1, 1, NEVER
    return nodes


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@njit(cache=True, nogil=True)
def node_root(nodes: Nodes, address: int, before: int) -> int:
    """The root above `address` by links with ordinals below `before`; for kernels."""
    while nodes[address].ordinal < before:
        address = nodes[address].parent
    return address


@njit(cache=True, nogil=True)
def _roots_of(nodes: Nodes, addresses: I32, before: int) -> I32:
    roots = np.empty(len(addresses), np.int32)
    for place in range(len(addresses)):
        roots[place] = node_root(nodes, addresses[place], before)
    return roots


@njit(cache=True, nogil=True, forceinline=True)
def attach_roots(nodes: Nodes, a: int, b: int, ordinal: int) -> int:
    """Attach one of two roots to the other by the link `ordinal`; the root of both. For kernels.

    The greater side keeps its root; of two equal sides the root with the smaller id.
    """
    if nodes[b].size > nodes[a].size or (nodes[b].size == nodes[a].size and b < a):
        a, b = b, a
    nodes[b].parent = a
    nodes[b].ordinal = ordinal
    nodes[a].size += nodes[b].size
    return a


@njit(cache=True, nogil=True)
def _attach(nodes: Nodes, u: I32, v: I32, first_ordinal: int) -> int:
    joined = 0
    for link in range(len(u)):
        above, below = node_root(nodes, u[link], NEVER), node_root(nodes, v[link], NEVER)
        if above == below:
            continue
        attach_roots(nodes, above, below, first_ordinal + link)
        joined += 1
    return joined


@njit(cache=True, nogil=True)
def _last_ordinal(nodes: Nodes) -> int:
    last = -1
    for node in range(len(nodes)):
        if last < nodes[node].ordinal < NEVER:
            last = nodes[node].ordinal
    return last


@njit(cache=True, nogil=True)
def _rollback(nodes: Nodes, ordinal: int) -> None:
    """Sizes are read before any is changed, so that the order of undoing does not matter."""
    count = 0
    for node in range(len(nodes)):
        count += ordinal <= nodes[node].ordinal < NEVER
    undone, sizes = np.empty(count, np.int32), np.empty(count, np.int32)
    count = 0
    for node in range(len(nodes)):
        if ordinal <= nodes[node].ordinal < NEVER:
            undone[count], sizes[count] = node, nodes[node].size
            count += 1
    for place in range(count):
        node = undone[place]
        nodes[nodes[node].parent].size -= sizes[place]
        nodes[node].parent = -1
        nodes[node].ordinal = NEVER


@njit(cache=True, nogil=True)
def _connection(nodes: Nodes, a: int, b: int) -> tuple[int, bool]:
    """The node whose attaching joined a and b, and whether it stands above a.

    The side whose next step is the older one climbs, until both are at one node; the last step was
    the youngest. _NOBODY where a is b, _APART where both end at roots.
    """
    child, above_a = _NOBODY, False
    while a != b:
        next_a, next_b = nodes[a].ordinal, nodes[b].ordinal
        if next_a == next_b:
            return _APART, False
        above_a = next_a < next_b
        if above_a:
            child, a = a, nodes[a].parent
        else:
            child, b = b, nodes[b].parent
    return child, above_a


@njit(cache=True, nogil=True)
def _sides(nodes: Nodes, u: I32, v: I32, child: int) -> tuple[int, int]:
    """The ends of the link that attached `child`, first the one at `child`; (-1, -1) where the link that
    was given does not join these two sides (a climb through wrong links need not end).
    """
    link, above = nodes[child].ordinal, nodes[child].parent
    if link >= len(u):
        return -1, -1
    a, b = u[link], v[link]
    if min(a, b) < 0 or max(a, b) >= len(nodes):
        return -1, -1
    root_a, root_b = node_root(nodes, a, link), node_root(nodes, b, link)
    if root_a == child and root_b == above:
        return a, b
    if root_a == above and root_b == child:
        return b, a
    return -1, -1


@njit(cache=True, nogil=True)
def _chains(nodes: Nodes, u: I32, v: I32, pairs: I32, before: int) -> tuple[I64, I64, int]:
    """Offsets, chains, and -1 or the ordinal of a link that does not fit.

    Each pair splits at the link that joined it: the way to its near end, the link, the way from its
    far end. Both ways are of older links, so it ends. The stack holds what is still to be written:
    pairs, and links as (-1, ordinal).
    """
    offsets = np.zeros(len(pairs) + 1, np.int64)
    chain, used = np.empty(16 + 4 * len(pairs), np.int64), 0
    stack, depth = np.empty((64, 2), np.int64), 0
    for pair in range(len(pairs)):
        child, _ = _connection(nodes, pairs[pair, 0], pairs[pair, 1])
        if child >= 0 and nodes[child].ordinal < before:
            stack[0], depth = pairs[pair], 1
        while depth:
            depth -= 1
            x, y = stack[depth]
            if x < 0:
                if used == len(chain):
                    chain = np.concatenate((chain, np.empty_like(chain)))
                chain[used] = y
                used += 1
                continue
            child, above_x = _connection(nodes, x, y)
            if child < 0:
                continue
            link = nodes[child].ordinal
            near, far = _sides(nodes, u, v, child)
            if near < 0:
                return offsets, chain[:0], link
            if not above_x:
                near, far = far, near
            if depth + 3 > len(stack):
                stack = np.concatenate((stack, np.empty_like(stack)))
            stack[depth, 0], stack[depth, 1] = far, y
            stack[depth + 1, 0], stack[depth + 1, 1] = -1, link
            stack[depth + 2, 0], stack[depth + 2, 1] = x, near
            depth += 3
        offsets[pair + 1] = used
    return offsets, chain[:used], -1


@njit(cache=True, nogil=True)
def _labels(nodes: Nodes, before: int) -> I32:
    """In ascending order, the first address that reaches a root labels it; a climb ends early at a
    smaller address, whose label is known.
    """
    labels = np.full(len(nodes), -1, np.int32)
    for address in range(len(nodes)):
        x = address
        while x >= address and nodes[x].ordinal < before:
            x = nodes[x].parent
        if labels[x] < 0:
            labels[x] = address
        labels[address] = labels[x]
    return labels
