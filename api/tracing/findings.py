"""A token sale that `detect` found, as the wallets of a scheme: its contract and where its proceeds were collected."""

from __future__ import annotations

import json

from api.answers.view import InvalidParameter
from api.tracing.seeds import Seed, read_address
from chain.errors import NotFound
from chain.store.postgres import Connection, queries

SHORTEST = 8


async def finding_wallets(connection: Connection, name: str, dataset: str | None) -> list[Seed]:
    """Seeds of a finding's addresses, in order. `name`: its ID, or eight first digits or more that are its alone.

    NotFound where there is no such finding, InvalidParameter `finding` where several begin so.
    """
    found: set[str] = set()
    named = set()
    rows = await connection.fetch(queries("ethereum")["findings"], "eth", dataset, None)
    for row in rows:
        if row["finding_id"].startswith(name) and len(name) >= SHORTEST:
            named.add(row["finding_id"])
            body = json.loads(row["body"])
            found |= {body[part] for part in ("contract", "collector") if body.get(part)}
            found |= {flow["address"] for flow in body.get("collected", [])}
    if len(named) > 1:
        raise InvalidParameter("finding", f"{len(named)} findings begin with {name}; give more of it")
    if not found:
        raise NotFound(f"there is no finding {name}: `headwater detect token-sales` finds and keeps them")
    return sorted(Seed("eth", read_address("eth", each), "", -1, -1, -1, "") for each in found)
