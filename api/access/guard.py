"""What stands before a route: the key, its scope, its rate; and what a company-linked route works in.

A company-linked request runs in one transaction as the service's role, which sees the rows of the case that the
request names, where its key is a member; its entry in the audit log is the last thing in that transaction. Without
the entry there is no answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, FastAPI, Header, Request
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import problems
from api.access import keys
from api.access.audit_log import AuditUnavailable, Told, record
from api.access.scopes import ANONYMOUS, COMPANY_READ
from api.answers.opening import pooled
from api.answers.view import InvalidParameter
from api.companies.identifiers import NAMESPACE
from api.words import Language, preferred
from chain.errors import HeadwaterError
from chain.store.access import AuditStore
from chain.store.cases import CaseStore
from chain.store.jobs import KeyReused
from chain.store.postgres import LOST, Connection

MAX_PURPOSE = 500
"""Characters of a purpose."""

KEY_PARAMETERS = frozenset({"key", "api_key", "apikey", "token", "access_token"})
"""Parameters in which people put keys."""

_BEARER = re.compile(r"[Bb]earer +(\S+)")


class Unauthenticated(HeadwaterError):
    """The request has no key, or one that is unknown, expired or revoked."""

    problem_type = "unauthenticated"
    status = 401

    @property
    def headers(self) -> Mapping[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(HeadwaterError):
    """The key does not have the scope that this route asks for."""

    problem_type = "forbidden"
    status = 403


class KeyInUrl(HeadwaterError):
    """A key stands in the URL, where logs keep it: revoke it, and send another in the Authorization header."""

    problem_type = "key-in-url"
    status = 400


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; `key_id` is None without a key."""

    key_id: uuid.UUID | None
    person: str
    scopes: frozenset[str]


class Requires:
    """The one scope that a route asks for."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> Caller:
        """The caller. Unauthenticated, Forbidden, TooMany."""
        service = request.app.state.service
        try:
            caller = await _caller(request)
        except Unauthenticated:
            service.limits.take(_client(request))
            raise
        service.limits.take(_client(request) if caller.key_id is None else str(caller.key_id))
        if self.scope not in caller.scopes:
            if caller.key_id is None:
                raise Unauthenticated(f"this needs a key with the scope {self.scope}")
            raise Forbidden(f"this needs a key with the scope {self.scope}")
        request.state.caller = caller
        return caller


async def _caller(request: Request) -> Caller:
    service = request.app.state.service
    sent = request.headers.get("authorization")
    if sent is None:
        return Caller(None, "", service.anonymous)
    bearer = _BEARER.fullmatch(sent.strip())
    if bearer is None:
        raise Unauthenticated("Authorization is `Bearer` and a key")
    async with pooled(service.pool) as connection:
        stored = await keys.find(connection, bearer[1])
    if stored is None or stored.revoked or stored.expired:
        raise Unauthenticated("the key is unknown, expired or revoked")
    return Caller(stored.key_id, stored.person, frozenset(stored.scopes) | service.anonymous)


def _client(request: Request) -> str:
    return request.client.host if request.client else "unknown"


@dataclass(slots=True)
class Work:
    """One company-linked request's work in the database."""

    connection: Connection
    caller: Caller
    language: Language
    told: Told | None = None

    @property
    def person(self) -> str:
        return self.caller.person

    def answered(self, body: Any, rows: int, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """The response of a body, kept in the log by its number of rows and its hash."""
        data = orjson.dumps(body)
        rests = body.get("as_of", "") if isinstance(body, dict) else ""
        self.told = Told(rows, hashlib.sha256(data).digest(), orjson.dumps(rests).decode() if rests else "")
        return Response(data, status, headers, "application/json")


@dataclass(frozen=True, slots=True)
class Access:
    """What a company-linked request says of itself: its purpose, and the case in which it is asked."""

    request: Request
    purpose: str
    case: uuid.UUID | None

    @contextlib.asynccontextmanager
    async def working(
        self, case: uuid.UUID | None = None, asked: str = "", *, opening: bool = False
    ) -> AsyncIterator[Work]:
        """The transaction of a request. NotFound where the key is no member of the case; AuditUnavailable.

        `case`: of a path, which a header must not contradict; `opening`: it is not there yet. What is raised in the
        block undoes all of it.
        """
        if case is not None and self.case not in (None, case):
            raise InvalidParameter("Headwater-Case", "it names another case than the path")
        case = case or self.case
        request = self.request
        caller: Caller = request.state.caller
        language = preferred(request.headers.get("accept-language"))
        async with pooled(request.app.state.service.pool) as connection, connection.transaction():
            await AuditStore(connection).work_as(caller.key_id, case)
            if case is not None and not opening:
                await CaseStore(connection).case(case)
            work = Work(connection, caller, language)
            yield work
            await self._record(work, case, asked)

    async def _record(self, work: Work, case: uuid.UUID | None, asked: str) -> None:
        request = self.request
        assert work.told is not None, "a route says what it answered"
        query = {"query": request.url.query, "asked": asked}
        try:
            await record(
                work.connection, key_id=work.caller.key_id, person=work.person, case_id=case, purpose=self.purpose,
                action=request.method, asked_of=request.url.path, query=query, told=work.told, client=_client(request),
            )  # fmt: skip
        except LOST as error:
            raise AuditUnavailable() from error

    async def post(
        self, raw: bytes, do: Callable[[Work], Awaitable[Response]], *, case: uuid.UUID | None = None,
        opening: bool = False, headers: Mapping[str, str] | None = None,
    ) -> Response:  # fmt: skip
        """Do what a body asks for, once: with an Idempotency-Key, the same again gets the same answer. KeyReused."""
        digest = hashlib.sha256(f"{self.request.url.path}?{self.request.url.query}\n".encode() + raw).digest()
        async with self.working(case, digest.hex(), opening=opening) as work:
            name, key_id = _idempotency(self.request), work.caller.key_id
            if name is None or key_id is None:
                return await do(work)
            store = AuditStore(work.connection)
            known = await store.posted(key_id, name)
            if known is None:
                response = await do(work)
                await store.add_posted(key_id, name, digest, response.status_code, bytes(response.body))
                return response
            if known[0] != digest:
                raise KeyReused()
            work.told = Told(0, hashlib.sha256(known[2]).digest())
            told = {**(headers or {}), "Idempotency-Replayed": "true"}
            return Response(known[2], known[1], told, "application/json")

    def new_case(self) -> uuid.UUID:
        """The id of a case that is to be opened: the same for the same key and Idempotency-Key."""
        name = _idempotency(self.request)
        caller: Caller = self.request.state.caller
        return uuid.uuid4() if name is None else uuid.uuid5(NAMESPACE, f"case:{caller.key_id}:{name}")


def _idempotency(request: Request) -> str | None:
    name = request.headers.get("idempotency-key")
    if name is not None and not (name and len(name) <= 200 and name.isprintable()):
        raise InvalidParameter("Idempotency-Key", "it has 1 to 200 characters, all of which can be printed")
    return name


Purpose = Annotated[
    str | None,
    Header(alias="Headwater-Purpose", description=f"Why it is asked; 1 to {MAX_PURPOSE} characters, kept in the log"),
]
CaseName = Annotated[str | None, Header(alias="Headwater-Case", description="The case in which it is asked")]


def of_case(request: Request, purpose: Purpose = None, named: CaseName = None) -> Access:
    """For routes whose path names the case, or that open one. InvalidParameter naming the header."""
    return Access(request, _purpose(purpose), None if named is None else case_id("Headwater-Case", named))


def of_company(request: Request, purpose: Purpose = None, case: CaseName = None) -> Access:
    """For all other company-linked routes: they say in which case they are asked. InvalidParameter."""
    found = _purpose(purpose)
    if case is None:
        raise InvalidParameter("Headwater-Case", "the header is needed: the case in which it is asked")
    return Access(request, found, case_id("Headwater-Case", case))


def of_company_where_asked(request: Request, purpose: Purpose = None, case: CaseName = None) -> Access | None:
    """For open routes that tell more to who names a case: None where none is named. Unauthenticated, Forbidden."""
    if case is None:
        return None
    caller: Caller = request.state.caller
    if COMPANY_READ not in caller.scopes:
        kind = Unauthenticated if caller.key_id is None else Forbidden
        raise kind(f"Headwater-Case: this needs a key with the scope {COMPANY_READ}")
    return of_company(request, purpose, case)


def case_id(name: str, written: str) -> uuid.UUID:
    """InvalidParameter where it is no id."""
    try:
        return uuid.UUID(written)
    except ValueError:
        raise InvalidParameter(name, "it is no id of a case") from None


def _purpose(purpose: str | None) -> str:
    if purpose is None or not purpose.strip():
        raise InvalidParameter("Headwater-Purpose", "the header is needed: why it is asked")
    if len(purpose) > MAX_PURPOSE or not purpose.isprintable():
        raise InvalidParameter(
            "Headwater-Purpose", f"it has 1 to {MAX_PURPOSE} characters, all of which can be printed"
        )
    return purpose


OfCase = Annotated[Access, Depends(of_case)]
OfCompany = Annotated[Access, Depends(of_company)]
WhereAsked = Annotated[Access | None, Depends(of_company_where_asked)]


def anonymous_scopes(written: Iterable[str]) -> frozenset[str]:
    """What a caller without a key may do. InvalidParameter where that has to do with companies."""
    scopes = frozenset(each.strip() for each in written if each.strip())
    if scopes - set(ANONYMOUS):
        raise InvalidParameter("HEADWATER_ANONYMOUS_SCOPES", f"it lists some of {', '.join(ANONYMOUS)}")
    return scopes


def refuse_open_routes(app: FastAPI) -> None:
    """RuntimeError where a route declares no scope: nothing is open by forgetting."""
    for route in app.routes:
        if isinstance(route, APIRoute):
            declared = [each.call for each in route.dependant.dependencies if isinstance(each.call, Requires)]
            if len(declared) != 1:
                raise RuntimeError(f"{route.path} declares {len(declared)} scopes, not one")


class NoKeysInUrls:
    """Refuses a request whose URL holds a key, before anything of it is looked at or logged."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _holds_key(scope):
            clean = {**scope, "path": "/", "raw_path": b"/", "query_string": b""}
            error = KeyInUrl()
            answer = problems.problem(Request(clean), error.status, error.problem_type, str(error))
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _holds_key(scope: Scope) -> bool:
    query = QueryParams(scope["query_string"])
    words = [scope["path"], scope["query_string"].decode("latin-1"), *query.values()]
    named = any(name.lower() in KEY_PARAMETERS for name in query)
    return named or any(keys.found_in(each) for each in words)
