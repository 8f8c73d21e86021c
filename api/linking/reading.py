"""Links as they are given to a reader: brought to what stands, and kept as shown to them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from api.answers.companies import links_body
from api.answers.company_shapes import LinksBody
from api.answers.links import unseen
from api.linking.recompute import refresh
from api.words import Language
from chain.store.cases import CaseStore
from chain.store.postgres import Connection


async def links_now(
    connection: Connection, url: str, home: Path, language: Language, case: uuid.UUID, reader: str, *,
    company: uuid.UUID | None = None,
) -> LinksBody:  # fmt: skip
    """The links of a case, or of one company in it. NotFound. In a transaction."""
    await CaseStore(connection).case(case)
    await refresh(connection, url, home, case)
    return await links_body(connection, language, case, reader, company=company)


async def links_of_address(
    connection: Connection, url: str, home: Path, language: Language, case: uuid.UUID, reader: str,
    address: Mapping[str, Any],
) -> LinksBody:  # fmt: skip
    """The links of an address and of its clusters; `address` is its answer. NotFound. In a transaction."""
    await CaseStore(connection).case(case)
    await refresh(connection, url, home, case)
    place = address["chain"], address["address"]
    clusters = frozenset(_clusters(address["answers"]))
    body = await links_body(connection, language, case, reader, place=place, clusters=clusters)
    if not body["items"] and not address["observed"]:
        body["coverage"] = unseen(language, [each["as_of"] for each in address["asked"] if each["as_of"]])
    return body


def _clusters(answers: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for each in answers:
        if each.get("cluster"):
            yield str(each["cluster"]["id"]).partition("@")[0]
