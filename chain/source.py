"""What a source of blocks is: the one shape that files, dumps and nodes are read through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from chain.model import BlockBatch

if TYPE_CHECKING:
    from chain.bitcoin.network import Network


@dataclass(frozen=True, slots=True)
class Tip:
    """A block in its chain; `hash` in internal byte order."""

    height: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Reject:
    """One row or record that was not loaded, where it stands, and why."""

    source: str
    place: str
    """For a person: `line 17`, `byte 1048576`, `transaction 4a5e1e…`."""
    reason: str


class ChainSource(Protocol):
    """The blocks of one chain, in order of height: what a full dataset is loaded from."""

    network: Network
    rejects: list[Reject]

    def connect(self, tip: Tip | None, anchor_height: int | None) -> None:
        """Choose the chain of most work that the stored chain can grow along.

        `tip` is the stored tip, None for an empty dataset. `anchor_height` is the height that the
        caller declares for the first block of an empty dataset; None means that it must be genesis.
        IntegrityError("parent", ...) where no block of the source connects.
        """

    def tip(self) -> Tip | None:
        """The highest block of the chosen chain; None where the source has no block."""

    def hash_at(self, height: int) -> bytes | None:
        """The chosen chain's block hash at `height`, None where the source does not reach it."""

    def batches(self, first: int, last: int | None) -> Iterator[BlockBatch]:
        """The chosen chain's blocks from `first` to `last` (None: to the tip), heights set."""


class ExtractSource(Protocol):
    """Whole blocks or parts of blocks in any order: what an extract is loaded from."""

    network: Network
    rejects: list[Reject]

    def all_batches(self) -> Iterator[BlockBatch]:
        """Everything the source has; heights set where the source states or proves them."""
