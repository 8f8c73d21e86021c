"""Serialized blocks, cut into the columns of `BlockBatch`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chain.bitcoin.network import Network
    from chain.model import I64, U8, BlockBatch


def scan(raw: U8, block_start: I64, block_size: I64, network: Network) -> BlockBatch:
    """Cut the blocks at `raw[block_start[b]:block_start[b] + block_size[b]]` into columns.

    Heights are UNKNOWN and nothing is said of the outputs spent. TruncatedData or MalformedData
    names the block's number in the batch, the byte offset in it and what was being read.
    """
    raise NotImplementedError


def bip34_height(batch: BlockBatch) -> I64:
    """[B] the height that each coinbase states (BIP 34), UNKNOWN where none is stated reliably."""
    raise NotImplementedError
