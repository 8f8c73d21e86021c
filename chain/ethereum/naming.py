"""Asking a node what tokens say of themselves, behind the load: names are words, on which nothing that is loaded rests.

Each contract of a dataset's assets is asked once, as of the node's newest block; one that answers nothing, reverts or
answers nonsense is kept with empty words, so that it is not asked again. What is stored so far stays when the node
fails, and the next load goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from chain.ethereum.tokens import TokenFacts
from chain.store.ethereum import EthereumDataset, EthereumStore

ASKED = 256
"""Contracts that are asked about, and stored, in one go."""


class TokenWords(Protocol):
    """Whoever can ask contracts."""

    def words_of(self, contracts: Sequence[bytes]) -> list[TokenFacts]:
        """What each contract says of itself, in their order."""


async def name_tokens(store: EthereumStore, dataset: EthereumDataset, source: TokenWords) -> AsyncIterator[int]:
    """Ask every token that has not been asked; gives how many were, as it goes on. Errors of the source."""
    asked = 0
    while contracts := await store.unnamed_tokens(dataset, ASKED):
        await store.keep_tokens(dataset, await asyncio.to_thread(source.words_of, contracts))
        asked += len(contracts)
        yield asked
