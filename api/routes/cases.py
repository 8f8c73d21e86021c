"""/v1/cases: what a person works in. Of a case that a key is no member of, not even its existence shows."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, TypeVar
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from api.access.audit_log import Told
from api.access.guard import Access, OfCase, Requires, Work
from api.access.scopes import CASE_READ, CASE_WRITE
from api.answers.companies import case_body
from api.answers.company_shapes import CaseBody, CasesBody, LinksBody
from api.answers.view import InvalidParameter
from api.companies import cases
from api.companies.identifiers import read_handle
from api.linking.reading import links_now
from api.linking.recompute import refresh
from api.routes.sent import body_of, schema_of
from api.routes.service import ServiceOf, bounded_body, problems
from chain.errors import NotFound
from chain.store.cases import CaseStore
from chain.store.companies import CompanyStore
from chain.store.postgres import Connection

router = APIRouter()

T = TypeVar("T", bound=msgspec.Struct)

CaseId = Annotated[str, Path(description="A case's id", max_length=40)]
READ = [Depends(Requires(CASE_READ))]
WRITE = [Depends(Requires(CASE_WRITE))]
MAX_BODY = 1 << 20
MAX_EXHIBIT = 64 << 20
"""Bytes of an exhibit that comes over REST; the command line takes larger ones."""


class SentCase(msgspec.Struct, forbid_unknown_fields=True):
    """A case: its question, and its convention with the reason, before anything is looked for."""

    title: str
    question: str
    reason: str
    convention: str = "fifo"
    companies: list[str] = []


class SentCandidates(msgspec.Struct, forbid_unknown_fields=True):
    """More companies that the case asks of."""

    companies: list[str]


class SentNote(msgspec.Struct, forbid_unknown_fields=True):
    """A note, or the name of a trace's run or of a finding."""

    body: str
    kind: str = "note"


class SentClaim(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody says of a company and an address."""

    company: str
    chain: str
    address: str
    role: str
    kind: str
    statement: str
    root: str = ""
    exhibit: int | None = None
    against: bool = False


class SentWithdrawal(msgspec.Struct, forbid_unknown_fields=True):
    """Why a claim counts no more."""

    reason: str


@router.get(
    "/cases",
    operation_id="list_cases",
    summary="Cases that the key is a member of",
    response_model=CasesBody,
    responses=problems(422, 503),
    dependencies=READ,
)
async def listed(access: OfCase) -> Response:
    """Their ids; each is read by itself."""
    async with access.working() as work:
        ids = await CaseStore(work.connection).memberships()
        body = {"items": [{"case": str(each), "href": f"/v1/cases/{each}"} for each in ids], "next": None}
        return work.answered(body, len(ids))


@router.post(
    "/cases",
    operation_id="post_case",
    summary="Open a case",
    status_code=201,
    response_model=CaseBody,
    responses=problems(404, 413, 422, 503),
    dependencies=WRITE,
    openapi_extra=schema_of(SentCase),
)
async def post_case(request: Request, access: OfCase) -> Response:
    """The key is its first member."""
    raw = await bounded_body(request, MAX_BODY)
    sent, case = body_of(raw, SentCase), access.new_case()
    headers = {"Location": f"/v1/cases/{case}"}

    async def do(work: Work) -> Response:
        connection = work.connection
        await cases.open_case(connection, sent.title, sent.question, sent.convention, sent.reason, work.person, case)
        await cases.add_candidates(connection, case, await _companies(connection, sent.companies), work.person)
        return work.answered(await case_body(connection, case), 1, 201, headers)

    return await access.post(raw, do, case=case, opening=True, headers=headers)


@router.get(
    "/cases/{case}",
    operation_id="get_case",
    summary="A case with its candidates, exhibits, claims and notes",
    response_model=CaseBody,
    responses=problems(404, 422, 503),
    dependencies=READ,
)
async def get_case(case: CaseId, access: OfCase, service: ServiceOf) -> Response:
    """And who was shown a form of a link that changed since."""
    named = _case(case)
    async with access.working(named) as work:
        await refresh(work.connection, service.views.url, service.views.home, named)
        return work.answered(await case_body(work.connection, named), 1)


@router.get(
    "/cases/{case}/links",
    operation_id="list_case_links",
    summary="All links of a case",
    response_model=LinksBody,
    responses=problems(404, 422, 503),
    dependencies=READ,
)
async def links(case: CaseId, access: OfCase, service: ServiceOf) -> Response:
    """Inferred anew where something that they rest on changed."""
    named = _case(case)
    async with access.working(named) as work:
        body = await links_now(
            work.connection, service.views.url, service.views.home, work.language, named, work.person
        )
        return work.answered(body, len(body["items"]))


@router.post(
    "/cases/{case}/candidates",
    operation_id="post_candidates",
    summary="More companies that a case asks of",
    status_code=201,
    response_model=CaseBody,
    responses=problems(404, 409, 413, 422, 503),
    dependencies=WRITE,
    openapi_extra=schema_of(SentCandidates),
)
async def post_candidates(request: Request, case: CaseId, access: OfCase) -> Response:
    """Named by id, USCC, LEI or SCHEME:VALUE."""

    async def change(work: Work, named: uuid.UUID, sent: SentCandidates) -> None:
        found = await _companies(work.connection, sent.companies)
        await cases.add_candidates(work.connection, named, found, work.person)

    return await _post(request, access, case, SentCandidates, change)


@router.post(
    "/cases/{case}/exhibits",
    operation_id="post_exhibit",
    summary="Add a file as it was collected: the body is its bytes",
    status_code=201,
    response_model=CaseBody,
    responses=problems(404, 409, 413, 422, 503),
    dependencies=WRITE,
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}},
)
async def post_exhibit(
    request: Request,
    case: CaseId,
    access: OfCase,
    name: Annotated[str, Query(description="The file's name", max_length=300)],
    collector: Annotated[str, Query(description="Who collected it", max_length=300)],
    method: Annotated[str, Query(description="How", max_length=300)],
    day: Annotated[date, Query(alias="date", description="When")],
    root: Annotated[str, Query(description="The document that it descends from; else itself", max_length=300)] = "",
) -> Response:
    """Kept byte for byte, with its SHA-256."""
    raw = await bounded_body(request, MAX_EXHIBIT)
    named = _case(case)

    async def do(work: Work) -> Response:
        await cases.add_exhibit(work.connection, named, name, raw, root, collector, method, day, work.person)
        return work.answered(await case_body(work.connection, named), 1, 201)

    return await access.post(raw, do, case=named)


@router.get(
    "/cases/{case}/exhibits/{number}",
    operation_id="get_exhibit",
    summary="An exhibit's bytes",
    response_class=Response,
    responses={
        200: {"description": "The file", "content": {"application/octet-stream": {}}},
        **problems(404, 422, 503),
    },
    dependencies=READ,
)
async def get_exhibit(
    case: CaseId, number: Annotated[int, Path(description="Within the case", ge=1, le=2**31 - 1)], access: OfCase
) -> Response:
    """As they were given; `Repr-Digest` is their SHA-256."""
    named = _case(case)
    async with access.working(named) as work:
        name, data, digest = await cases.exhibit_bytes(work.connection, named, number)
        work.told = Told(1, bytes.fromhex(digest))
        headers = {
            "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(digest)).decode()}:",
            "X-Content-Type-Options": "nosniff",
            "Content-Disposition": f"attachment; filename*=utf-8''{quote(name, safe='')}",
        }
        return Response(data, 200, headers, "application/octet-stream")


@router.post(
    "/cases/{case}/notes",
    operation_id="post_note",
    summary="Add a note, or the name of a trace or a finding",
    status_code=201,
    response_model=CaseBody,
    responses=problems(404, 409, 413, 422, 503),
    dependencies=WRITE,
    openapi_extra=schema_of(SentNote),
)
async def post_note(request: Request, case: CaseId, access: OfCase) -> Response:
    """Notes are not changed afterwards."""

    async def change(work: Work, named: uuid.UUID, sent: SentNote) -> None:
        await cases.add_entry(work.connection, named, sent.kind, sent.body, work.person)

    return await _post(request, access, case, SentNote, change)


@router.post(
    "/cases/{case}/claims",
    operation_id="post_claim",
    summary="Say that a company has to do with an address",
    status_code=201,
    response_model=CaseBody,
    responses=problems(404, 409, 413, 422, 503),
    dependencies=WRITE,
    openapi_extra=schema_of(SentClaim),
)
async def post_claim(request: Request, case: CaseId, access: OfCase) -> Response:
    """In a role, by a kind of evidence, of a root: the exhibit's, where none is given."""

    async def change(work: Work, named: uuid.UUID, sent: SentClaim) -> None:
        (company,) = await _companies(work.connection, [sent.company])
        root = sent.root or await cases.root_of(work.connection, named, sent.exhibit)
        claim = cases.NewClaim(
            company, sent.chain, sent.address, sent.role, sent.kind, root, sent.statement, sent.exhibit, sent.against
        )
        await cases.add_claim(work.connection, named, claim, work.person)

    return await _post(request, access, case, SentClaim, change)


@router.post(
    "/cases/{case}/claims/{number}/withdrawal",
    operation_id="withdraw_claim",
    summary="A claim counts no more",
    status_code=201,
    response_model=CaseBody,
    responses=problems(404, 409, 413, 422, 503),
    dependencies=WRITE,
    openapi_extra=schema_of(SentWithdrawal),
)
async def post_withdrawal(
    request: Request,
    case: CaseId,
    number: Annotated[int, Path(description="The claim's", ge=1, le=2**31 - 1)],
    access: OfCase,
) -> Response:
    """It stays readable."""

    async def change(work: Work, named: uuid.UUID, sent: SentWithdrawal) -> None:
        await cases.withdraw_claim(work.connection, named, number, sent.reason)

    return await _post(request, access, case, SentWithdrawal, change)


async def _post(
    request: Request, access: Access, case: str, kind: type[T],
    change: Callable[[Work, uuid.UUID, T], Awaitable[None]],
) -> Response:  # fmt: skip
    """Change a case as a body asks, and answer with how it is then."""
    raw = await bounded_body(request, MAX_BODY)
    sent, named = body_of(raw, kind), _case(case)

    async def do(work: Work) -> Response:
        await change(work, named, sent)
        return work.answered(await case_body(work.connection, named), 1, 201)

    return await access.post(raw, do, case=named)


async def _companies(connection: Connection, written: list[str]) -> list[uuid.UUID]:
    found = []
    for each in written:
        try:
            handle = read_handle(each)
        except ValueError as error:
            raise InvalidParameter("companies", str(error)) from None
        found.append(await CompanyStore(connection).find(handle))
    return found


def _case(written: str) -> uuid.UUID:
    try:
        return uuid.UUID(written)
    except ValueError:
        raise NotFound(f"there is no case {written[:40]}") from None
