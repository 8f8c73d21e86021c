"""Opening the datasets that seeds are of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from api.tracing.bitcoin import bitcoin_grounds
from api.tracing.ethereum import ethereum_grounds
from api.tracing.ground import Ground
from api.tracing.request import TraceRequest
from api.tracing.seeds import Seed
from chain.errors import NotFound
from chain.store.postgres import Connection


async def open_grounds(
    connection: Connection, url: str, home: Path, request: TraceRequest, seeds: Sequence[Seed]
) -> list[Ground]:
    """Every dataset of the seeds' chains, or the one that is asked for. NotFound where there is none at all."""
    grounds: list[Ground] = []
    missing: NotFound | None = None
    for chain in sorted({seed.chain for seed in seeds}):
        try:
            grounds += await open_chain(connection, url, home, request, chain)
        except NotFound as error:
            missing = error
    if not grounds and missing is not None:
        raise missing
    return grounds


async def open_chain(connection: Connection, url: str, home: Path, request: TraceRequest, chain: str) -> list[Ground]:
    """Every dataset of a chain, or the one that is asked for. NotFound where there is none."""
    if chain == "btc":
        return await bitcoin_grounds(connection, url, home, request.stops, request.dataset)
    return await ethereum_grounds(connection, request.stops, request.dataset)
