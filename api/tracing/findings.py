"""Token sales that `detect` found, as seeds: the contract, and where the proceeds were collected."""

from __future__ import annotations

import json

from api.answers.view import InvalidParameter
from api.tracing.seeds import SHORTEST_FINDING, Seed
from chain.errors import NotFound
from chain.store.postgres import Connection, queries


async def findings_of(connection: Connection, dataset: str | None) -> dict[str, list[str]]:
    """The addresses of each finding of a dataset (None: of all) by its ID, in order."""
    found: dict[str, set[str]] = {}
    for row in await connection.fetch(queries("ethereum")["findings"], "eth", dataset, None):
        body = json.loads(row["body"])
        mine = found.setdefault(row["finding_id"], set())
        mine |= {body[name] for name in ("contract", "collector") if body.get(name)}
        mine |= {flow["address"] for flow in body.get("collected", [])}
    return {name: sorted(each) for name, each in sorted(found.items())}


async def finding_wallets(connection: Connection, name: str, dataset: str | None) -> list[Seed]:
    """A finding's addresses as a scheme's wallets. `name`: its ID, or eight first digits or more that are its alone.

    NotFound where there is no such finding, InvalidParameter `finding` where several begin so.
    """
    found = {each: said for each, said in (await findings_of(connection, dataset)).items() if each.startswith(name)}
    if len(name) < SHORTEST_FINDING or not found:
        raise NotFound(f"there is no finding {name}: `headwater detect token-sales` finds and keeps them")
    if len(found) > 1:
        raise InvalidParameter("finding", f"{len(found)} findings begin with {name}; give more of it")
    return [Seed("eth", address, "", -1, -1, -1, "") for said in found.values() for address in said]
