"""Keys, scopes, row security, rate limits and the audit log, attacked over a real service and database."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from api.access import audit_log, keys
from api.access.guard import Requires, anonymous_scopes, refuse_open_routes
from api.access.limits import MAX_BUCKETS, Limits, TooMany
from api.access.role import role_name, service_url
from api.access.scopes import CHAIN_READ, COMPANY_READ, SCOPES
from api.answers.view import InvalidParameter
from api.cli import app as cli
from chain.errors import StoreError
from chain.store.access import AuditStore, KeyStore, role_faults
from chain.store.postgres import connect, connected
from tests.integration.casework import Office

CLOSED = {
    "GET companies": "company:read", "GET companies/actor:acme": "company:read",
    "GET companies/actor:acme/flags": "company:read", "POST companies/actor:acme/flags": "company:write",
    "GET companies/actor:acme/links": "company:read", "GET cases": "case:read", "POST cases": "case:write",
    "GET cases/{case}": "case:read", "GET cases/{case}/links": "case:read", "POST cases/{case}/notes": "case:write",
    "POST cases/{case}/claims": "case:write", "POST cases/{case}/candidates": "case:write",
    "GET cases/{case}/exhibits/1": "case:read", "POST companies/actor:acme/links/{link}/decision": "decide",
    "GET companies/actor:acme/links/{link}/contest": "company:read",
    "GET companies/actor:acme/links/{link}/versions": "company:read",
    "POST cases/{case}/claims/1/withdrawal": "case:write",
}  # fmt: skip


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = Office(tmp_path_factory.mktemp("access"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def case(office: Office) -> tuple[str, str]:
    """A case of the office's key with an exhibit, a note and a link: its id and the link's."""
    made = office.case("acme")
    office.claim(made, "acme", office.address("sale", 0), "controls", "white paper", "paper")
    office.post(f"cases/{made}/notes", {"body": "the desk's secret"})
    answer = office.send("POST", f"cases/{made}/exhibits?name=a&collector=b&method=c&date=2024-01-01", content=b"x")
    assert answer.status_code == 201
    return made, office.links(made)[0]["link"]


def written(path: str, case: tuple[str, str]) -> tuple[str, str]:
    method, _, rest = path.partition(" ")
    return method, rest.replace("{case}", case[0]).replace("{link}", case[1])


@pytest.mark.parametrize("path", CLOSED)
def test_without_a_good_key_nothing_of_a_company_is_told(office: Office, case: tuple[str, str], path: str) -> None:
    method, route = written(path, case)
    assert office.problem(401, method, route, token=None, case=case[0])["type"].endswith("unauthenticated")
    answer = office.send(method, route, token="hw_12345678_" + "x" * 49, case=case[0])
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    others = [each for each in SCOPES if each != CLOSED[path]]
    wrong = office.key("W", *others)
    assert office.problem(403, method, route, token=wrong, case=case[0])["type"].endswith("forbidden")


@pytest.mark.parametrize("path", [each for each in CLOSED if "{case}" in each or "{link}" in each])
def test_of_another_s_case_not_even_its_existence_shows(office: Office, case: tuple[str, str], path: str) -> None:
    other = office.key("Other desk")
    mine = office.post("cases", {"title": "t", "question": "q", "reason": "r"}, token=other)["case"]
    method, route = written(path, case)
    bodies = {"notes": {"body": "b"}, "candidates": {"companies": []}, "withdrawal": {"reason": "r"},
              "decision": {"decision": "confirm", "reason": "r"},
              "claims": {"company": "actor:acme", "chain": "btc", "address": office.address("sale", 1),
                         "role": "controls", "kind": "report", "root": "r", "statement": "s"}}  # fmt: skip
    body = bodies.get(route.rpartition("/")[2])
    named = {"case": mine} if "{link}" in path else {}
    theirs = office.send(method, route, json=body, token=other, **named)
    nowhere = route.replace(case[0], str(uuid.uuid4())).replace(case[1], str(uuid.uuid4()))
    nothing = office.send(method, nowhere, json=body, token=other, **named)
    assert theirs.status_code == nothing.status_code == 404
    unnamed = [re.sub(r"[0-9a-f-]{36}", "ID", each.text) for each in (theirs, nothing)]
    assert unnamed[0] == unnamed[1]
    assert case[0] not in [each["case"] for each in office.get("cases", token=other)["items"]]


def test_naming_another_s_case_in_the_header_opens_nothing(office: Office, case: tuple[str, str]) -> None:
    other = office.key("Header desk")
    assert office.problem(404, "GET", "companies/actor:acme", token=other, case=case[0])
    mine = office.post("cases", {"title": "t", "question": "q", "reason": "r"}, token=other)["case"]
    assert office.get("companies/actor:acme/links", token=other, case=mine)["items"] == []
    assert office.problem(422, "GET", f"cases/{mine}", token=other, case=case[0])["errors"][0]["pointer"] == (
        "Headwater-Case"
    )
    at = f"btc/addresses/{office.address('sale', 0)}"
    assert office.problem(404, "GET", at, token=other, case=case[0])
    assert office.get(at, token=other)["company_links"] is None
    assert office.problem(401, "GET", at, token=None, case=case[0])
    assert office.problem(403, "GET", at, token=office.key("R", "case:read"), case=case[0])


def test_purpose_and_case_are_asked_for_by_name(office: Office, case: tuple[str, str]) -> None:
    def pointer(**more: Any) -> Any:
        return office.problem(422, "GET", "companies/actor:acme", **more)["errors"][0]["pointer"]

    assert pointer(purpose="", case=case[0]) == "Headwater-Purpose"
    assert pointer() == "Headwater-Case"
    assert pointer(case="mine") == "Headwater-Case"
    assert pointer(case=case[0], purpose="x" * 501) == "Headwater-Purpose"
    assert office.problem(422, "GET", f"cases/{case[0]}", purpose="")["errors"][0]["pointer"] == "Headwater-Purpose"


def test_an_expired_and_a_revoked_key_are_refused_at_once(office: Office) -> None:
    soon = datetime.now(UTC) + timedelta(milliseconds=200)
    token = office.key("E", expires=soon)
    office.service.loop.run_until_complete(asyncio.sleep(0.3))
    assert office.problem(401, "GET", "cases", token=token)
    token = office.key("V")
    assert office.get("cases", token=token)["items"] == []
    key_id = office.asked(lambda connection: connection.fetchval("select key_id from access_key where person = 'V'"))
    office.asked(lambda connection: KeyStore(connection).revoke(key_id))
    assert office.problem(401, "GET", "cases", token=token)
    with pytest.raises(InvalidParameter):
        office.key("P", expires=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(InvalidParameter):
        office.key("P", "everything")


def test_a_mistyped_key_is_none_and_a_stored_one_cannot_be_read_back(office: Office) -> None:
    token = office.token
    for bad in (token[:-1] + ("0" if token[-1] != "0" else "1"), token[:-1], token + "0", token.upper(), "", "hw_"):
        assert (
            office.service.request("GET", "/v1/health", headers={"Authorization": f"Bearer {bad}"}).status_code == 401
        )
    rows = office.asked(lambda connection: connection.fetch("select * from access_key"))
    assert token not in str([dict(row) for row in rows])
    assert token[12:] not in str([dict(row) for row in rows])


@pytest.mark.parametrize("where", ["/v1/health?x={}", "/v1/{}", "/v1/health?access_token=abc", "/{}/x", "/?%74oken=1"])
def test_a_key_in_a_url_is_refused_and_not_repeated(office: Office, where: str) -> None:
    answer = office.service.request("GET", where.format(office.token))
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("key-in-url")
    assert office.token not in answer.text


def test_open_routes_need_no_key_unless_the_setting_says_so(office: Office) -> None:
    assert office.send("GET", "health", token=None).status_code == 200
    running = office.service.app.state.service
    before, running.anonymous = running.anonymous, frozenset()
    try:
        assert office.problem(401, "GET", "health", token=None)
        assert office.send("GET", "health").status_code == 200
        assert office.problem(403, "GET", "jobs", token=office.key("C", CHAIN_READ))
    finally:
        running.anonymous = before
    with pytest.raises(InvalidParameter):
        anonymous_scopes(["chain:read", COMPANY_READ])
    assert anonymous_scopes([""]) == frozenset()


def test_a_route_that_declares_no_scope_keeps_the_service_from_starting() -> None:
    bare = FastAPI()

    @bare.get("/open")
    async def nothing() -> None: ...

    with pytest.raises(RuntimeError, match="/open declares 0 scopes"):
        refuse_open_routes(bare)
    assert Requires(CHAIN_READ).scope in SCOPES


def test_a_caller_that_asks_too_often_is_told_when_to_come_again(office: Office) -> None:
    now = 0.0
    limits = Limits(2, 3, lambda: now)
    for _ in range(3):
        limits.take("a")
    with pytest.raises(TooMany):
        limits.take("a")
    limits.take("b")
    now = 0.5
    limits.take("a")
    with pytest.raises(TooMany):
        limits.take("a")
    for number in range(MAX_BUCKETS + 5):
        limits.take(f"c{number}")
    assert len(limits._buckets) == MAX_BUCKETS
    running = office.service.app.state.service
    before, running.limits = running.limits, Limits(0.5, 1)
    try:
        assert office.send("GET", "health").status_code == 200
        refused = office.send("GET", "health")
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert office.send("GET", "health", token=None).status_code == 200  # another caller
        assert office.send("GET", "health", token="hw_").status_code == 429  # bad keys count for the address
    finally:
        running.limits = before


def test_the_service_s_role_sees_no_case_by_itself_and_changes_no_entry(office: Office, case: tuple[str, str]) -> None:
    """With the application's own conditions out of the way: row security alone must hold."""
    instance = office.service.instance

    async def attack() -> None:
        async with connected(await service_url(instance)) as connection:
            for table in ("case_file", "exhibit", "case_entry", "claim", "company_link", "company_link_version",
                          "company_decision", "case_candidate", "link_shown", "case_member", "posted"):  # fmt: skip
                assert await connection.fetchval(f"select count(*) from {table}") == 0, table
            stranger = str(uuid.uuid4())
            async with connection.transaction():
                await connection.execute(
                    "select set_config('headwater.key', $1, true), set_config('headwater.case', $2, true)",
                    stranger, case[0],
                )  # fmt: skip
                assert await connection.fetchval("select count(*) from claim") == 0
            for refused in (
                f"insert into case_member values ('{case[0]}', '{stranger}')",
                "update audit_entry set person = 'x'",
                "delete from audit_entry",
                "truncate audit_batch",
                "delete from claim",
                "drop table claim",
                "alter table claim disable row level security",
                "create table mine (a int)",
                "update company_decision set decision = 'confirm'",
                "update flag_status set status = 'withdrawn'",
                "insert into access_key select * from access_key",
                "set role postgres",
            ):
                with pytest.raises(asyncpg.PostgresError):
                    await connection.execute(refused)

    office.service.loop.run_until_complete(attack())
    assert office.get(f"cases/{case[0]}")["entries"][0]["body"] == "the desk's secret"


def test_two_keys_on_one_connection_never_see_each_other_s_rows(office: Office) -> None:
    instance = office.service.instance
    made = [(office.key(f"K{n}"), "") for n in range(2)]
    made = [(token, office.post("cases", {"title": f"t{n}", "question": "q", "reason": "r"}, token=token)["case"])
            for n, (token, _) in enumerate(made)]  # fmt: skip

    async def take_turns() -> None:
        connection = await connect(await service_url(instance))
        try:
            stored = [await keys.find(connection, token) for token, _ in made]
            for turn in range(6):
                mine, other = turn % 2, 1 - turn % 2
                found = stored[mine]
                assert found is not None
                async with connection.transaction():
                    await AuditStore(connection).work_as(found.key_id, uuid.UUID(made[mine][1]))
                    rows = await connection.fetch("select case_id from case_file")
                    assert [str(row["case_id"]) for row in rows] == [made[mine][1]]
                    await AuditStore(connection).work_as(found.key_id, uuid.UUID(made[other][1]))
                    assert await connection.fetch("select case_id from case_file") == []
                assert await connection.fetch("select case_id from case_file") == []
        finally:
            await connection.close()

    office.service.loop.run_until_complete(take_turns())


def test_a_role_for_which_row_security_would_not_hold_is_refused(office: Office) -> None:
    instance = office.service.instance

    async def name() -> tuple[str, list[str]]:
        async with connected(instance.url) as connection:
            mine = await role_name(instance, connection)
            return mine, await role_faults(connection, mine)

    mine, faults = office.service.loop.run_until_complete(name())
    assert faults == []
    assert (office.home / "service.password").stat().st_mode & 0o777 == 0o600
    for word in ("superuser", "bypassrls"):
        _alter(office, mine, word)
        with pytest.raises(StoreError, match="row security would not hold"):
            office.service.loop.run_until_complete(service_url(instance))
        _alter(office, mine, f"no{word}")
    (office.home / "service.password").unlink()
    office.service.loop.run_until_complete(service_url(instance))  # made anew


def _alter(office: Office, role: str, word: str) -> None:
    office.asked(lambda connection: connection.execute(f'alter role "{role}" {word}'))


def test_each_read_is_an_entry_and_none_is_answered_without(office: Office, case: tuple[str, str]) -> None:
    purpose = f"complaint {uuid.uuid4()}"
    office.get("companies/actor:acme/links", case=case[0], purpose=purpose)
    (entry,) = [each for each in _listed(office) if each["purpose"] == purpose]
    assert (entry["person"], str(entry["case_id"])) == ("A. Inspector", case[0])
    assert (entry["action"], entry["object"]) == ("GET", "/v1/companies/actor:acme/links")
    assert entry["result_rows"] >= 1
    office.asked(lambda connection: connection.execute("alter table audit_entry rename to hidden"))
    try:
        answer = office.problem(503, "GET", "companies/actor:acme", case=case[0])
        assert answer["type"].endswith("audit-unavailable")
        body = {"body": "never kept"}
        assert office.problem(503, "POST", f"cases/{case[0]}/notes", json=body)
    finally:
        office.asked(lambda connection: connection.execute("alter table hidden rename to audit_entry"))
    assert "never kept" not in str(office.get(f"cases/{case[0]}"))


def _listed(office: Office) -> list[dict[str, Any]]:
    return office.asked(lambda connection: AuditStore(connection).listed(None, 10_000))


TAMPERED = {
    "an edited entry": ("update audit_entry set person = 'Nobody' where seq = {seq}", "was changed"),
    "an edited time": ("update audit_entry set at = at + interval '1 hour' where seq = {seq}", "was changed"),
    "a removed entry": (
        "delete from audit_text where seq = {seq}; delete from audit_entry where seq = {seq}", "are there"
    ),
    "an added entry": (
        "insert into audit_entry overriding system value select {gap}, at, key_id, person, case_id, purpose_hash, "
        "action, object, query_hash, result_rows, result_hash, rests_on, client from audit_entry where seq = {seq}",
        "are there",
    ),
    "reordered entries": (
        "update audit_entry set purpose_hash = (select purpose_hash from audit_entry order by seq limit 1) "
        "where seq = {seq}", "was changed",
    ),
    "an edited purpose": ("update audit_text set purpose = 'other' where seq = {seq}", "purpose were changed"),
    "an edited batch": ("update audit_batch set root = sha256('x') where batch = {batch}", "changed"),
    "a removed batch": ("delete from audit_batch where batch = {batch}", "is not there"),
    "a cut tail": (
        "delete from audit_batch where batch >= {batch}; delete from audit_text where seq >= {seq}; "
        "delete from audit_entry where seq >= {seq}", "the database does not",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", TAMPERED)
def test_what_is_tampered_with_is_found(office: Office, case: tuple[str, str], kind: str) -> None:
    burned = "select nextval(pg_get_serial_sequence('audit_entry', 'seq'))"
    gap = office.asked(lambda connection: connection.fetchval(burned))  # as an entry that was rolled back leaves it
    for _ in range(3):
        office.get("companies/actor:acme", case=case[0])
    change, word = TAMPERED[kind]
    home = office.home

    async def attack(connection: Any) -> tuple[str | None, str | None]:
        await audit_log.seal(connection, home)
        batch = await AuditStore(connection).last_batch()
        assert batch is not None
        before = await audit_log.verify(connection, home)
        transaction = connection.transaction()
        await transaction.start()
        try:
            number = batch.batch - (kind == "a removed batch")
            await connection.execute(change.format(seq=batch.first_seq, batch=number, gap=gap))
            return before, await audit_log.verify(connection, home)
        finally:
            await transaction.rollback()

    before, after = office.asked(attack)
    assert before is None
    assert after is not None
    assert word in after


def test_a_file_that_differs_or_was_cut_is_found_or_completed(office: Office, case: tuple[str, str]) -> None:
    office.get("companies/actor:acme", case=case[0])
    home = office.home
    office.asked(lambda connection: audit_log.seal(connection, home))
    path = audit_log.roots_file(home)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(whole.replace(lines[-1], lines[-1].replace(lines[-1].split()[4], b"0" * 64)))
    assert "another root" in str(office.asked(lambda connection: audit_log.verify(connection, home)))
    path.write_bytes(whole + b"999999 1 1 1 00 00\n")
    assert "the database does not" in str(office.asked(lambda connection: audit_log.verify(connection, home)))
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])  # a crash in the middle of a line
    assert office.asked(lambda connection: audit_log.verify(connection, home)) is None
    office.asked(lambda connection: audit_log.publish(AuditStore(connection), home))
    assert path.read_bytes() == whole


def test_sealers_at_once_write_each_batch_to_the_file_once(office: Office, case: tuple[str, str]) -> None:
    """The service seals each second, and a command seals too."""
    url, home = office.service.instance.url, office.home

    async def race() -> None:
        async with contextlib.AsyncExitStack() as stack:
            connections = [await stack.enter_async_context(connected(url)) for _ in range(4)]
            for turn in range(5):
                async with connections[0].transaction():
                    await _record(connections[0], f"turn {turn}")
                await asyncio.gather(*(audit_log.seal(each, home) for each in connections))
            assert await audit_log.verify(connections[0], home) is None

    office.service.loop.run_until_complete(race())
    numbers = [int(line.split()[0]) for line in audit_log.roots_file(home).read_text().splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert case


def test_erased_purposes_leave_the_log_verifiable(office: Office, case: tuple[str, str]) -> None:
    purpose = f"a name that must go {uuid.uuid4()}"
    office.get("companies/actor:acme", case=case[0], purpose=purpose)
    later = datetime.now(UTC) + timedelta(hours=1)

    async def erase(connection: Any) -> str | None:
        await audit_log.seal(connection, office.home)
        assert await AuditStore(connection).erase_texts(uuid.UUID(case[0]), later) >= 1
        return await audit_log.verify(connection, office.home)

    assert office.asked(erase) is None
    assert purpose not in str(_listed(office))


def test_entries_that_commit_late_are_sealed_in_their_order(office: Office) -> None:
    """An entry whose transaction is open holds the sealer up; none is left behind a batch."""
    url, home = office.service.instance.url, office.home

    async def race() -> None:
        async with connected(url) as late, connected(url) as sealer:
            transaction = late.transaction()
            await transaction.start()
            await _record(late, "late")
            sealing = asyncio.create_task(audit_log.seal(sealer, home))
            await asyncio.sleep(0.3)
            async with connected(url) as other, other.transaction():
                blocked = asyncio.create_task(_record(other, "early"))
                await asyncio.sleep(0.1)
                await transaction.commit()
                await blocked
            await sealing
            await audit_log.seal(sealer, home)
            assert await audit_log.verify(sealer, home) is None
            assert not await AuditStore(sealer).unsealed()

    office.service.loop.run_until_complete(race())


async def _record(connection: Any, what: str) -> None:
    await audit_log.record(
        connection, key_id=None, person="p", case_id=None, purpose=what, action="a", asked_of=what, query="",
        told=audit_log.Told(0, bytes(32)), client="c",
    )  # fmt: skip


def test_the_merkle_root_is_rfc_6962_s() -> None:
    """Leaves and nodes are hashed apart, and a tree splits at the greatest power of two below its size."""
    entries = [{"seq": number} for number in range(5)]
    leaf = [hashlib.sha256(b"\x00" + f'{{"seq": {number}}}'.encode()).digest() for number in range(5)]

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\x01" + left + right).digest()

    four = node(node(leaf[0], leaf[1]), node(leaf[2], leaf[3]))
    assert audit_log.root_of(entries) == node(four, leaf[4])
    assert audit_log.root_of(entries[:1]) == leaf[0]


def test_commands_make_list_revoke_and_verify(office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEADWATER_HOME", str(office.home))
    run = CliRunner()

    def typed(*words: str) -> Any:
        return run.invoke(cli, list(words))

    made = typed("key", "create", "desk", "--scope", "case:read", "--person", "P", "--expires", "2100-01-01")
    assert made.exit_code == 0, made.output
    token = made.stdout.strip().splitlines()[0]
    assert re.fullmatch(r"hw_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}", token)
    listed = typed("key", "list", "--format", "csv").stdout
    assert token[:11] in listed
    assert token not in listed
    key_id = next(line for line in listed.splitlines() if token[:11] in line).split(",")[0]
    assert typed("key", "revoke", key_id).exit_code == 0
    assert office.send("GET", "cases", token=token).status_code == 401
    assert typed("company", "list").exit_code == 0
    assert "company list" in typed("audit-log", "list", "--format", "csv").stdout
    verified = typed("audit-log", "verify")
    assert (verified.exit_code, "as it was sealed" in verified.stdout) == (0, True)
    office.asked(lambda connection: connection.execute("update audit_entry set client = 'x' where seq = 2"))
    found = typed("audit-log", "verify")
    assert found.exit_code == 1
    assert "was changed" in found.stderr
