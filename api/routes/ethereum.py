"""/v1/eth and /v1/findings. Included before the routes of any chain, whose paths the first are too."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from api.access.guard import WhereAsked
from api.answers.ethereum import address_body, balances_body
from api.answers.ethereum_explain import explain_body
from api.answers.ethereum_shapes import (
    BalancesBody,
    EthereumAddressBody,
    EthereumExplainBody,
    EthereumTransactionBody,
)
from api.answers.ethereum_tx import transaction_body
from api.answers.finding_shapes import FindingsBody
from api.answers.findings import findings_body
from api.answers.labels import Asker, address_labels, today
from api.routes.linked import with_links
from api.routes.service import DATASET, AsOfHeight, ServiceOf, answered, problems

router = APIRouter()

EthereumAddress = Annotated[
    str,
    Path(
        description="0x and 40 hex digits; mixed case is a checksum (EIP-55)",
        max_length=200,
        examples=["0xBB9bc244D798123fDe783fCc1C72d3Bb8C189413"],
    ),
]


@router.get(
    "/eth/addresses/{address}",
    operation_id="get_ethereum_address",
    summary="Holdings, relations and labels of an Ethereum address",
    response_model=EthereumAddressBody,
    responses=problems(404, 422, 503),
)
async def address(
    address: EthereumAddress, service: ServiceOf, access: WhereAsked, as_of: AsOfHeight = None
) -> Response:
    """In every dataset that knows it. An address never seen is `observed: false`, as of what was asked.

    With a key, a purpose and a case: the links to companies in that case, too.
    """
    async with service.connection() as connection:
        body = await address_body(connection, address, as_of)
        body["labels"] = await address_labels(
            Asker(connection, service.label_column, today()), "eth", [], address, None
        )
    return await with_links(service, access, body)


@router.get(
    "/eth/addresses/{address}/balances",
    operation_id="get_ethereum_balances",
    summary="What an Ethereum address holds as of a height",
    response_model=BalancesBody,
    responses=problems(404, 422, 503),
)
async def balances(
    address: EthereumAddress,
    service: ServiceOf,
    height: Annotated[int | None, Query(description="As of this height; left out: now")] = None,
) -> Response:
    """Per asset what came and went, and the least that must have been there before the dataset begins."""
    async with service.connection() as connection:
        return answered(await balances_body(connection, address, height))


@router.get(
    "/eth/explain",
    operation_id="explain_ethereum",
    summary="What two Ethereum addresses have to do with each other",
    response_model=EthereumExplainBody,
    responses=problems(404, 422, 503),
)
async def explain(
    service: ServiceOf,
    a: Annotated[str, Query(description="An address", max_length=200)],
    b: Annotated[str, Query(description="Another one", max_length=200)],
    as_of: AsOfHeight = None,
) -> Response:
    """Their relations and what both have the same relation to. None of it joins them."""
    async with service.connection() as connection:
        return answered(await explain_body(connection, a, b, as_of))


@router.get(
    "/eth/transactions/{txid}",
    operation_id="get_ethereum_transaction",
    summary="Status and movements of an Ethereum transaction",
    response_model=EthereumTransactionBody,
    responses=problems(404, 422, 503),
)
async def transaction(
    service: ServiceOf, txid: Annotated[str, Path(description="0x and 64 hex digits", max_length=200)]
) -> Response:
    """Fee, value, internal transfers and token transfers, each with what it rests on, in every dataset that has it."""
    async with service.connection() as connection:
        return answered(await transaction_body(connection, txid))


@router.get(
    "/findings",
    operation_id="list_findings",
    summary="What detectors found",
    response_model=FindingsBody,
    responses=problems(422, 503),
)
async def findings(
    service: ServiceOf,
    chain: Annotated[str | None, Query(description="eth; left out, every chain", max_length=16)] = None,
    dataset: Annotated[str | None, Query(description=DATASET, max_length=63)] = None,
    detector: Annotated[str | None, Query(description="token-sales", max_length=32)] = None,
) -> Response:
    """As of the last run of each detector on each dataset; `current` says whether the dataset is still the same."""
    async with service.connection() as connection:
        return answered(await findings_body(connection, chain, dataset, detector))
