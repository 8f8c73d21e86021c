"""A contest of a stored link, out of the material that stands now."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

from api.linking.material import gather
from chain.errors import NotFound
from chain.store.cases import CaseStore
from chain.store.postgres import Connection
from clustering.link.contest import Contest, contest
from clustering.link.evidence import Role


async def contest_of(connection: Connection, url: str, home: Path, link: uuid.UUID) -> Contest:
    """NotFound where there is no such link, or where it does not stand any more."""
    row = await CaseStore(connection).link(link)
    gathered = await gather(connection, url, home, row["case_id"])
    key = str(row["company_id"]), (row["chain"], row["address"]), Role(row["role"])
    try:
        return await asyncio.to_thread(contest, gathered.material, key)
    except KeyError:
        raise NotFound(f"link {link} does not stand any more: what was said stays readable") from None
