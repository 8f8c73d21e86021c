"""Cases over a real chain and service: what links a company to an address, what does not, and how it changes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api.answers.links import LIKELIHOOD_IS
from chain.store.cases import CaseStore
from chain.store.companies import CompanyStore
from tests.integration.casework import FLAG, Office, write_companies

SIGNED, PAPER = "signed message", "white paper"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    made = Office(tmp_path_factory.mktemp("office"))
    yield made
    made.close()


def standing(link: Any) -> tuple[str, str, str]:
    return link["role"], link["grade"], link["standing"]


def test_what_a_company_controls_reaches_the_wallet_s_cluster_and_no_investor(office: Office) -> None:
    case = office.case("acme")
    office.claim(case, "acme", office.address("sale", 0), "controls", SIGNED, "message of May")
    (link,) = [each for each in office.links(case) if each["role"] == "controls"]
    assert link["cluster"].startswith("btc/L0/")
    assert link["grade"] == "B"  # one authenticated item, and a fact on the chain that is consistent
    fact = next(each for each in link["evidence"] if not each["off_chain"])
    assert fact["rule"] == "co-spend"
    assert fact["transactions"]
    assert fact["rate"]
    assert link["likelihood_is"] == LIKELIHOOD_IS
    member = office.get(f"btc/addresses/{office.address('sale', 3)}", case=case)["company_links"]
    assert [each["link"] for each in member["items"]] == [link["link"]]
    wallets = office.service.sample.wallets
    investors = [name for name in wallets if name.startswith("investor")]
    assert len(investors) > 3
    for name in investors:
        answer = office.get(f"btc/addresses/{office.address(name, 0)}", case=case)
        assert answer["company_links"]["items"] == []
        assert answer["company_links"]["coverage"] == "reviewed, no indication"


def test_a_published_address_at_a_service_links_the_address_alone(office: Office) -> None:
    case = office.case("acme", "bexco")
    place = office.address("exchange", 0)
    office.claim(case, "acme", place, "controls", "website", "site")
    office.claim(case, "acme", place, "controls", PAPER, "paper")
    office.claim(case, "bexco", place, "controls", "website", "bexco's site")
    links = {each["company_name"]: each for each in office.links(case) if each["address"] == place}
    customer, own = links["Acme Tokens Ltd"], links["Bexco Exchange Ltd"]
    assert (customer["role"], customer["grade"], customer["cluster"]) == ("customer of a service", "C", None)
    assert any("looks like a service" in each for each in customer["notes"])
    assert own["role"] == "controls"  # the service itself, by the id that its label names
    assert own["cluster"] is None


def test_items_of_one_document_count_once_and_four_eyes_are_two_persons(office: Office) -> None:
    case = office.case("acme")
    place = office.address("collector", 0)
    office.claim(case, "acme", place, "received proceeds", PAPER, "paper")
    office.claim(case, "acme", place, "received proceeds", "website", "paper")

    def link() -> Any:
        return next(each for each in office.links(case) if each["address"] == place)

    assert standing(link()) == ("received proceeds", "lead", "proposed")
    office.claim(case, "acme", place, "received proceeds", SIGNED, "message")
    assert standing(link()) == ("received proceeds", "A", "proposed")
    assert link()["version"] == 2
    named = f"companies/actor:acme/links/{link()['link']}/decision"
    decided = office.post(named, {"decision": "confirm", "reason": "seen"}, case=case)
    assert decided["items"][0]["standing"] == "confirmed by one"
    office.post(named, {"decision": "confirm", "reason": "seen again"}, case=case)
    assert link()["standing"] == "confirmed by one"  # the same person twice is one
    second = office.key("B. Inspector")
    key_id = office.asked(_newest_key)
    office.asked(lambda connection: CaseStore(connection).add_member(_uuid(case), key_id))
    office.post(named, {"decision": "confirm", "reason": "too"}, case=case, token=second)
    assert link()["standing"] == "confirmed"
    office.claim(case, "acme", place, "received proceeds", "report", "answer of the company", against=True)
    found = link()
    assert found["grade"] == "C"  # an open contradiction
    assert found["evidence"][0]["against"]  # and shown first
    assert found["standing"] == "proposed"  # a new form is to be looked at again
    assert len(found["decisions"]) == 3


async def _newest_key(connection: Any) -> Any:
    return await connection.fetchval("select key_id from access_key order by created_at desc limit 1")


def _uuid(text: str) -> uuid.UUID:
    return uuid.UUID(text)


def test_a_flag_that_is_withdrawn_counts_no_more_at_once_and_stays(office: Office) -> None:
    case = office.case("bexco")
    place = office.address("exchange", 0)
    office.claim(case, "bexco", place, "controls", "website", "site")
    (link,) = office.links(case)
    (flag,) = office.get("companies/actor:bexco/flags", case=case)["flags"]
    path = f"companies/actor:bexco/flags/{flag['flag']}/statuses"
    office.post(path, {"status": "withdrawn", "since": "2024-02-01", "note": "a mistake"}, case=case)
    (told,) = office.get(f"cases/{case}")["changed_since_shown"]
    assert (told["link"], told["shown_version"], told["version"]) == (link["link"], 1, 2)
    (gone,) = office.links(case)
    assert gone["standing"] == "not linked"
    assert "no flag of the company counts" in gone["statement"]
    assert office.get("companies/actor:bexco/links", case=case)["coverage"] == "reviewed, no indication"
    versions = office.get(f"companies/actor:bexco/links/{link['link']}/versions", case=case)["versions"]
    assert [bool(each["body"].get("gone")) for each in versions] == [False, True]
    assert versions[0]["body"]["grade"] == link["grade"]
    (flag,) = office.get("companies/actor:bexco/flags", case=case)["flags"]
    assert [each["status"] for each in flag["history"]] == ["alleged", "withdrawn"]
    assert not flag["counts"]
    office.post(path, {"status": "under inquiry", "since": "2024-03-01"}, case=case)
    (again,) = office.links(case)
    assert (again["standing"], again["version"]) == ("proposed", 3)


def test_who_was_shown_a_form_that_changed_can_be_told(office: Office) -> None:
    case = office.case("acme")
    place = office.address("sale", 0)
    number = office.claim(case, "acme", place, "controls", PAPER, "paper")
    office.links(case)
    office.claim(case, "acme", place, "controls", "website", "site")
    other = office.key("C. Inspector")
    key_id = office.asked(_newest_key)
    office.asked(lambda connection: CaseStore(connection).add_member(_uuid(case), key_id))
    office.links(case, token=other)
    told = office.get(f"cases/{case}")["changed_since_shown"]
    assert {(each["reader"], each["shown_version"], each["version"]) for each in told} == {("A. Inspector", 1, 2)}
    office.post(f"cases/{case}/claims/{number}/withdrawal", {"reason": "a forgery"})
    (claim, _) = office.get(f"cases/{case}")["claims"]
    assert claim["withdrawn_reason"] == "a forgery"
    assert office.links(case)[0]["grade"] == "lead"


def test_a_shared_registered_address_or_officer_links_nobody_and_nobody_unflagged_is_proposed(office: Office) -> None:
    case = office.case("acme", "bexco", "quiet")
    office.claim(case, "acme", office.address("sale", 0), "controls", PAPER, "paper")
    office.claim(case, "quiet", office.address("sale", 1), "controls", SIGNED, "message")
    assert {each["company_name"] for each in office.links(case)} == {"Acme Tokens Ltd"}
    quiet = office.get("companies/actor:quiet", case=case)
    assert quiet["flags"] == []
    assert "no evidence" in quiet["statement"]
    assert office.get("companies/actor:quiet/links", case=case)["items"] == []


def test_where_nothing_is_linked_the_answer_is_one_of_four(office: Office) -> None:
    case = office.case("acme")
    assert office.get(f"cases/{case}/links")["coverage"] == "no on-chain data"
    unseen = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
    body = office.get(f"btc/addresses/{unseen}", case=case)
    tip, answer = body["asked"][0]["as_of"]["height"], body["company_links"]
    assert answer["coverage"] == f"not observed as of block {tip}"
    office.claim(case, "acme", unseen, "named as payee", PAPER, "paper")
    (link,) = office.links(case)
    assert link["coverage"] == f"not observed as of block {tip}"
    assert link["observed_in"] == []
    assert office.links(case, headers={"Accept-Language": "zh-CN"})[0]["coverage"] == f"截至区块{tip}未观察到"


def test_a_contest_tells_what_a_link_hangs_on(office: Office) -> None:
    case = office.case("acme")
    place = office.address("exchange", 0)
    office.claim(case, "acme", place, "controls", "website", "site")
    office.claim(case, "acme", place, "controls", PAPER, "paper")
    (link,) = office.links(case)
    body = office.get(f"companies/actor:acme/links/{link['link']}/contest", case=case)
    assert body["before"] == "role customer of a service, grade C"
    assert body["smallest"] is not None
    assert len(body["smallest"]) == 1
    assert {tuple(each["without"]) for each in body["changes"]} >= {("document paper",), ("document site",)}
    label = next(each for each in body["changes"] if each["without"][0].startswith("label of"))
    assert label["outcome"] == "role controls, grade C"  # without the label that names the service


def test_a_closed_case_takes_nothing_and_an_erased_one_tells_nothing(office: Office) -> None:
    case = office.case("acme")
    office.post(f"cases/{case}/notes", {"body": "a secret of the desk"})
    place = office.address("sale", 0)
    office.claim(case, "acme", place, "controls", PAPER, "paper")
    office.links(case)
    answer = office.send(
        "POST", f"cases/{case}/exhibits?name=a.txt&collector=me&method=by%20hand&date=2024-01-02", content=b"bytes"
    )
    assert answer.status_code == 201, answer.text
    exhibit = office.send("GET", f"cases/{case}/exhibits/1")
    assert exhibit.content == b"bytes"
    assert exhibit.headers["content-disposition"].startswith("attachment")
    office.asked(lambda connection: CaseStore(connection).close(_uuid(case)))
    body = {"body": "more"}
    assert office.problem(409, "POST", f"cases/{case}/notes", json=body)["type"].endswith("case-closed")
    office.asked(lambda connection: _erase(connection, case))
    told = str(office.get(f"cases/{case}")) + str(office.links(case))
    assert "secret" not in told
    assert "a.txt" not in told
    assert office.send("GET", f"cases/{case}/exhibits/1").content == b""


async def _erase(connection: Any, case: str) -> None:
    async with connection.transaction():
        await CaseStore(connection).erase(_uuid(case))


def test_rows_of_a_company_file_are_taken_or_rejected_one_by_one(office: Office, tmp_path: Path) -> None:
    rows = [
        {"name_zh": "深圳市騰訊計算機系統有限公司", "uscc": "9144030071526726XG", "jurisdiction": "CN"},
        {"name": "Wrong Digit", "uscc": "91440300715267261G"},
        {"name": "=cmd()|'/c calc'!A1"},
        {"name": "<script>alert(1)</script>"},
        {"name": "x" * 10_000_000},
        {"name": "Twin One", "registry": "HK-CR:1"},
        {"name": "Twin Two", "registry": "HK-CR:1"},
        {"name": "", "registry": "HK-CR:2"},
        {"name": "Right-to-left \u202e mark"},
        {"name": "Same Name"},
        {"name": "Same Name", "phone": "1"},
    ]
    done = office.take(write_companies(tmp_path / "rows.csv", rows))
    taken = {each.row for each in done.outcomes if each.outcome == "new"}
    assert taken == {2, 4, 5, 7, 11, 12}
    reasons = {each.row: each.reason for each in done.outcomes if each.reason}
    assert "check digit" in reasons[3]
    assert "more than 500" in reasons[6]
    assert "HK-CR:1 stands in line 7 with another name" in reasons[8]
    again = office.take(tmp_path / "rows.csv")
    assert [each.outcome for each in again.outcomes if each.outcome != "rejected"] == ["known"] * 6
    case = office.case()
    for written in ("腾讯", "shenzhenshi", "騰訊計算機"[:0] or "深圳市腾讯", "深圳市騰訊"):
        found = office.get("companies", case=case, params={"name": written})["items"]
        assert [each["name"] for each in found] == ([] if written == "腾讯" else ["深圳市騰訊計算機系統有限公司"]), (
            written
        )
    same = office.get("companies", case=case, params={"name": "same name"})["items"]
    assert len({each["company"] for each in same}) == 2  # one name, two companies
    formula = office.get("companies", case=case, params={"name": "=cmd()"})["items"]
    assert formula[0]["name"] == "=cmd()|'/c calc'!A1"  # raw in JSON; escaped where a spreadsheet reads it


def test_lists_of_companies_go_on_where_they_were(office: Office, tmp_path: Path) -> None:
    office.take(write_companies(tmp_path / "many.csv", [{"name": f"Page {n:03}", "phone": str(n)} for n in range(25)]))
    case = office.case()
    names: list[str] = []
    cursor = None
    while True:
        query = {"name": "page", "limit": "10", **({"cursor": cursor} if cursor else {})}
        body = office.get("companies", case=case, params=query)
        names += [each["name"] for each in body["items"]]
        cursor = body["next"]
        if cursor is None:
            break
    assert names == [f"Page {n:03}" for n in range(25)]


def test_bad_fields_are_named(office: Office) -> None:
    case = office.case("acme")
    flag = {**FLAG, "activity": "theft"}
    problem = office.problem(422, "POST", "companies/actor:acme/flags", json=flag, case=case)
    assert problem["errors"][0]["pointer"] == "activity"
    extra = {**FLAG, "tenant": "x"}
    assert "tenant" in office.problem(422, "POST", "companies/actor:acme/flags", json=extra, case=case)["detail"]
    claim = {"company": "actor:acme", "chain": "btc", "address": office.address("sale", 0)[:-1] + "q",
             "role": "controls", "kind": PAPER, "root": "r", "statement": "s"}  # fmt: skip
    assert office.problem(422, "POST", f"cases/{case}/claims", json=claim)["type"].endswith("invalid-address")
    chain = {**claim, "chain": "doge"}
    assert office.problem(422, "POST", f"cases/{case}/claims", json=chain)["errors"][0]["pointer"] == "chain"
    decided = {**FLAG, "document": "No. 9", "status": "decided"}
    assert "instrument" in office.problem(422, "POST", "companies/actor:acme/flags", json=decided, case=case)["detail"]
    for raw in (b"{", b"\xff", b"[" * 100_000, b'{"decision": "\\ud800"}'):
        assert office.problem(422, "POST", "cases", content=raw)["type"].endswith("invalid-parameter")
    assert office.problem(404, "GET", "companies/actor:nobody", case=case)["type"].endswith("not-found")
    lei = "companies/529900T8BM49AURSDO55"
    assert office.problem(404, "GET", lei, case=case)
    assert office.problem(422, "GET", "companies/529900T8BM49AURSDO54", case=case)


def test_an_idempotency_key_names_one_request(office: Office) -> None:
    headers = {"Idempotency-Key": "once"}
    body = {"title": "t", "question": "q", "reason": "r"}
    first = office.send("POST", "cases", json=body, headers=headers)
    second = office.send("POST", "cases", json=body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert second.headers["idempotency-replayed"] == "true"
    assert second.headers["location"] == first.headers["location"]
    other = office.problem(422, "POST", "cases", json={**body, "title": "u"}, headers=headers)
    assert other["type"].endswith("idempotency-key-reused")
    stranger = office.send("POST", "cases", json=body, headers=headers, token=office.key("D"))
    assert stranger.json()["case"] != first.json()["case"]


def test_history_of_a_flag_is_numbered(office: Office) -> None:
    async def flags(connection: Any) -> Any:
        store = CompanyStore(connection)
        company = await store.find(("actor", "acme"))
        return (await store.company(company)).flags

    (flag,) = office.asked(flags)
    assert [each.version for each in flag.history] == [1]
    assert flag.history[0].by == "A. Inspector"
    assert flag.history[0].at <= datetime.now(UTC)
