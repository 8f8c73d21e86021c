"""/v1/{chain}/addresses: facts, transactions; explain; look-up of many."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.access.guard import WhereAsked
from api.answers.address import LOOKUP_ADDRESSES, address_body, lookup_body, transactions_page
from api.answers.address_shapes import AddressBody, AddressTransactionsBody, LookupBody
from api.answers.cluster_shapes import ExplainBody
from api.answers.explain import explain_body
from api.answers.labels import Asker, address_labels, today
from api.answers.view import InvalidParameter
from api.routes.linked import with_links
from api.routes.service import (
    ANY_FORM,
    DEFAULT_LIMIT,
    Address,
    AsOfHeight,
    Chain,
    Cursor,
    Level,
    Limit,
    ServiceOf,
    answered,
    bounded_body,
    paged,
    problems,
    threaded,
)

router = APIRouter()

MAX_BODY = 8 << 20
"""Bytes of a request body, counted while they come in."""


@router.get(
    "/{chain}/addresses/{address}",
    operation_id="get_address",
    summary="Facts, cluster and labels of an address",
    response_model=AddressBody,
    responses=problems(404, 422, 503),
)
async def address(
    chain: Chain,
    address: Address,
    service: ServiceOf,
    access: WhereAsked,
    as_of: AsOfHeight = None,
    level: Level = None,
) -> Response:
    """In every dataset that knows it. An address never seen is `observed: false`, as of what was asked.

    With a key, a purpose and a case: the links to companies in that case, too.
    """
    views = await service.views.views(chain)
    body = await threaded(lambda: address_body(chain, views, address, as_of, level))
    async with service.connection() as connection:
        asker = Asker(connection, service.label_column, today())
        body["labels"] = await address_labels(asker, chain, views, address, as_of)
    return await with_links(service, access, body)


@router.get(
    "/{chain}/addresses/{address}/transactions",
    operation_id="list_address_transactions",
    summary="Transactions of an address, the newest first",
    response_model=AddressTransactionsBody,
    responses=problems(404, 410, 422, 503),
)
async def transactions(
    chain: Chain, address: Address, service: ServiceOf, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response:
    """What each transaction gave to the address and took from it."""
    of_list = f"transactions {chain} {address}"
    start = service.cursors.read(of_list, cursor)
    views = await service.views.views(chain)
    page = await threaded(lambda: transactions_page(chain, views, address, start, limit))
    return paged(service, of_list, page)


@router.get(
    "/{chain}/explain",
    operation_id="explain",
    summary="Why two addresses are together",
    response_model=ExplainBody,
    responses=problems(404, 422, 503),
)
async def explain(
    chain: Chain,
    service: ServiceOf,
    a: Annotated[str, Query(description=ANY_FORM, max_length=200)],
    b: Annotated[str, Query(description="The other one", max_length=200)],
    as_of: AsOfHeight = None,
) -> Response:
    """The chain of links between them, each with its transaction and rule; or where each is instead."""
    views = await service.views.views(chain)
    return answered(await threaded(lambda: explain_body(chain, views, a, b, as_of)))


class LookupRequest(msgspec.Struct, forbid_unknown_fields=True):
    addresses: list[str]
    chain: str = "btc"


_LOOKUP_SCHEMA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["addresses"],
                    "additionalProperties": False,
                    "properties": {
                        "chain": {"type": "string", "default": "btc"},
                        "addresses": {
                            "type": "array",
                            "maxItems": LOOKUP_ADDRESSES,
                            "items": {"type": "string"},
                        },
                    },
                },
                "example": {"chain": "btc", "addresses": ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"]},
            }
        },
    }
}


@router.post(
    "/lookup",
    operation_id="lookup",
    summary=f"Up to {LOOKUP_ADDRESSES} addresses at once",
    response_model=LookupBody,
    responses=problems(404, 413, 422, 503),
    openapi_extra=_LOOKUP_SCHEMA,
)
async def lookup(request: Request, service: ServiceOf) -> Response:
    """A row for each address, in order; a bad one is a row that says so and fails no other."""
    try:
        asked = msgspec.json.decode(await bounded_body(request, MAX_BODY), type=LookupRequest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidParameter("body", f"the body is not a look-up: {error}") from None
    views = await service.views.views(asked.chain)
    return answered(await threaded(lambda: lookup_body(asked.chain, views, asked.addresses)))
