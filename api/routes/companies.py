"""/v1/companies: who they are, what authorities hold against them, and the links of a case. Each read is logged."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from api.access.guard import OfCompany, Requires, Work
from api.access.scopes import COMPANY_READ, COMPANY_WRITE, DECIDE
from api.answers.companies import company_body, flag_body
from api.answers.company_shapes import (
    CompaniesBody,
    CompanyBody,
    ContestBody,
    FlagBody,
    FlagsBody,
    LinksBody,
    LinkVersionsBody,
)
from api.answers.links import contest_body, versions_body
from api.answers.pages import Place
from api.answers.view import InvalidParameter
from api.companies import cases, flags, names
from api.companies.identifiers import read_handle
from api.linking.contesting import contest_of
from api.linking.reading import links_now
from api.routes.sent import body_of, schema_of
from api.routes.service import DEFAULT_LIMIT, Cursor, Limit, ServiceOf, bounded_body, problems
from chain.errors import NotFound
from chain.store.cases import CaseStore
from chain.store.companies import CompanyStore
from chain.store.postgres import Connection

router = APIRouter()

CompanyId = Annotated[str, Path(description="Its id, a USCC, a LEI, or SCHEME:VALUE", max_length=200)]
LinkId = Annotated[str, Path(description="A link's id", max_length=40)]
READ = [Depends(Requires(COMPANY_READ))]
WRITE = [Depends(Requires(COMPANY_WRITE))]
MAX_BODY = 1 << 20


class SentFlag(msgspec.Struct, forbid_unknown_fields=True):
    """A flag, and its status as of the document."""

    authority: str
    document: str
    document_date: date
    activity: str
    status: str = "alleged"
    since: date | None = None
    instrument: str = ""
    url: str = ""
    archived_sha256: str = ""
    note: str = ""


class SentStatus(msgspec.Struct, forbid_unknown_fields=True):
    """What a flag is from a day on."""

    status: str
    since: date
    instrument: str = ""
    note: str = ""


class SentDecision(msgspec.Struct, forbid_unknown_fields=True):
    """A person's word on the form of a link that stands."""

    decision: str
    reason: str


@router.get(
    "/companies",
    operation_id="list_companies",
    summary="Companies by name or identifier",
    response_model=CompaniesBody,
    responses=problems(404, 422, 503),
    dependencies=READ,
)
async def companies(
    access: OfCompany,
    service: ServiceOf,
    identifier: Annotated[str | None, Query(description="USCC, LEI or SCHEME:VALUE", max_length=200)] = None,
    name: Annotated[
        str | None, Query(description="A name or its beginning, any script, or pinyin", max_length=200)
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """By the form of their legal names. Two of one name are two companies."""
    of_list = f"companies {identifier} {name}"
    start = service.cursors.read(of_list, cursor)
    after = None
    if start is not None and start.after is not None:
        key, company, said = start.after
        after = key, uuid.UUID(company), said
    async with access.working() as work:
        store = CompanyStore(work.connection)
        one = None if identifier is None else await store.find(_handle("identifier", identifier))
        form = None if name is None else names.key(name)
        sound = None if name is None else names.pinyin(name)
        found = await store.listed(one, form, sound, after, limit + 1)
        place = None
        if len(found) > limit:
            said, company_id, _ = found[limit - 1]
            place = Place("", 0, None, None, None, [names.key(said), str(company_id), said])
        items = [{"company": str(each), "name": said, "flags": count} for said, each, count in found[:limit]]
        body = {"items": items, "next": service.cursors.write(of_list, place)}
        return work.answered(body, len(items))


@router.get(
    "/companies/{company}",
    operation_id="get_company",
    summary="Names, identifiers, facts as given, and flags with their history",
    response_model=CompanyBody,
    responses=problems(404, 422, 503),
    dependencies=READ,
)
async def company(company: CompanyId, access: OfCompany) -> Response:
    """What registers and authorities say. Shared names, addresses, officers and phones are no evidence."""
    async with access.working() as work:
        found = await _company(work.connection, company)
        return work.answered(company_body(await CompanyStore(work.connection).company(found)), 1)


@router.get(
    "/companies/{company}/flags",
    operation_id="list_flags",
    summary="What authorities hold against a company, with its history",
    response_model=FlagsBody,
    responses=problems(404, 422, 503),
    dependencies=READ,
)
async def company_flags(company: CompanyId, access: OfCompany) -> Response:
    """Dismissed and withdrawn ones too: they count for nothing and stay readable."""
    async with access.working() as work:
        found = await CompanyStore(work.connection).company(await _company(work.connection, company))
        body = {"company": str(found.company_id), "flags": [flag_body(each) for each in found.flags]}
        return work.answered(body, len(found.flags))


@router.post(
    "/companies/{company}/flags",
    operation_id="post_flag",
    summary="Keep what an authority holds against a company",
    status_code=201,
    response_model=FlagBody,
    responses=problems(404, 413, 422, 503),
    dependencies=WRITE,
    openapi_extra=schema_of(SentFlag),
)
async def post_flag(request: Request, company: CompanyId, access: OfCompany) -> Response:
    """200 where it is known: one authority's document on one activity is one flag."""
    raw = await bounded_body(request, MAX_BODY)
    sent = body_of(raw, SentFlag)
    new = flags.NewFlag(
        sent.authority, sent.document, sent.document_date, sent.activity, sent.url, sent.archived_sha256
    )
    status = flags.NewStatus(sent.status, sent.since or sent.document_date, sent.instrument, sent.note)

    async def keep(work: Work) -> Response:
        found = await _company(work.connection, company)
        named, is_new = await flags.add_flag(work.connection, found, new, status, work.person)
        return work.answered(await _flag(work.connection, found, named), 1, 201 if is_new else 200)

    return await access.post(raw, keep)


@router.post(
    "/companies/{company}/flags/{flag}/statuses",
    operation_id="post_flag_status",
    summary="A new entry of a flag's history",
    status_code=201,
    response_model=FlagBody,
    responses=problems(404, 413, 422, 503),
    dependencies=WRITE,
    openapi_extra=schema_of(SentStatus),
)
async def post_status(
    request: Request,
    company: CompanyId,
    flag: Annotated[str, Path(description="A flag's id", max_length=40)],
    access: OfCompany,
) -> Response:
    """Dismissed or withdrawn, it counts no more at once."""
    raw = await bounded_body(request, MAX_BODY)
    sent = body_of(raw, SentStatus)
    status = flags.NewStatus(sent.status, sent.since, sent.instrument, sent.note)

    async def keep(work: Work) -> Response:
        found, named = await _company(work.connection, company), _uuid(flag, "flag")
        await _flag(work.connection, found, named)
        await flags.set_status(work.connection, named, status, work.person)
        return work.answered(await _flag(work.connection, found, named), 1, 201)

    return await access.post(raw, keep)


@router.get(
    "/companies/{company}/links",
    operation_id="list_company_links",
    summary="Which addresses are linked to a company in a case, in which role and grade, by what",
    response_model=LinksBody,
    responses=problems(404, 422, 503),
    dependencies=READ,
)
async def company_links(company: CompanyId, access: OfCompany, service: ServiceOf) -> Response:
    """Inferred anew where something that they rest on changed. Evidence against comes first."""
    async with access.working() as work:
        found = await _company(work.connection, company)
        assert access.case is not None, "the header was asked for"
        body = await links_now(
            work.connection, service.views.url, service.views.home, work.language, access.case, work.person,
            company=found,
        )  # fmt: skip
        return work.answered(body, len(body["items"]))


@router.get(
    "/companies/{company}/links/{link}/contest",
    operation_id="contest_link",
    summary="What a link hangs on: it is inferred again without each of its elements, and pairs",
    response_model=ContestBody,
    responses=problems(404, 422, 503),
    dependencies=READ,
)
async def contest(company: CompanyId, link: LinkId, access: OfCompany, service: ServiceOf) -> Response:
    """Without each rule, label, document and convention; the smallest set found whose failure changes it."""
    async with access.working() as work:
        named = await _link(work.connection, company, link)
        found = await contest_of(work.connection, service.views.url, service.views.home, named)
        return work.answered(contest_body(work.language, str(named), found), 1)


@router.get(
    "/companies/{company}/links/{link}/versions",
    operation_id="list_link_versions",
    summary="Every form that a link had",
    response_model=LinkVersionsBody,
    responses=problems(404, 422, 503),
    dependencies=READ,
)
async def versions(company: CompanyId, link: LinkId, access: OfCompany) -> Response:
    """The oldest first."""
    async with access.working() as work:
        named = await _link(work.connection, company, link)
        body = versions_body(str(named), await CaseStore(work.connection).versions(named))
        return work.answered(body, len(body["versions"]))


@router.post(
    "/companies/{company}/links/{link}/decision",
    operation_id="decide_link",
    summary="Confirm, reject or dispute a link",
    status_code=201,
    response_model=LinksBody,
    responses=problems(404, 409, 413, 422, 503),
    dependencies=[Depends(Requires(DECIDE))],
    openapi_extra=schema_of(SentDecision),
)
async def decide(request: Request, company: CompanyId, link: LinkId, access: OfCompany, service: ServiceOf) -> Response:
    """By the person of the key; grade A takes two persons."""
    raw = await bounded_body(request, MAX_BODY)
    sent = body_of(raw, SentDecision)

    async def keep(work: Work) -> Response:
        assert access.case is not None, "the header was asked for"
        named = await _link(work.connection, company, link)
        await cases.decide(work.connection, access.case, named, sent.decision, sent.reason, work.person)
        body = await links_now(
            work.connection, service.views.url, service.views.home, work.language, access.case, work.person
        )
        body["items"] = [each for each in body["items"] if each["link"] == str(named)]
        return work.answered(body, 1, 201)

    return await access.post(raw, keep)


def _handle(parameter: str, written: str) -> tuple[str, str] | uuid.UUID:
    try:
        return read_handle(written)
    except ValueError as error:
        raise InvalidParameter(parameter, str(error)) from None


async def _company(connection: Connection, written: str) -> uuid.UUID:
    return await CompanyStore(connection).find(_handle("company", written))


async def _flag(connection: Connection, company: uuid.UUID, flag: uuid.UUID) -> FlagBody:
    for each in (await CompanyStore(connection).company(company)).flags:
        if each.flag_id == flag:
            return flag_body(each)
    raise NotFound(f"the company has no flag {flag}")


async def _link(connection: Connection, company: str, written: str) -> uuid.UUID:
    """A link of the company in the case that is open; NotFound, the same for one of another case."""
    named = _uuid(written, "link")
    row: Any = await CaseStore(connection).link(named)
    if row["company_id"] != await _company(connection, company):
        raise NotFound(f"the company has no link {named}")
    return named


def _uuid(written: str, what: str) -> uuid.UUID:
    try:
        return uuid.UUID(written)
    except ValueError:
        raise NotFound(f"there is no {what} {written[:40]}") from None
