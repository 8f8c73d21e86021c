"""A service over the sample chain with companies, flags, keys and a case, for tests that work in it."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from api.access import keys
from api.access.scopes import SCOPES
from api.companies.importing import CompanyImport, import_companies
from api.instance import Instance, open_instance
from api.labels.importing import Options, import_file
from chain.bitcoin.network import REGTEST
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.postgres import Connection, connected
from tests.integration.loaded import load_sample
from tests.integration.test_rest import Running

T = TypeVar("T")
COMPANIES = [
    {"name": "Acme Tokens Ltd", "actor": "acme", "registered_address": "1 High Street", "officers": "Jo Doe"},
    {"name": "Bexco Exchange Ltd", "actor": "bexco", "registered_address": "1 High Street", "officers": "Jo Doe"},
    {"name": "Quiet Ltd", "actor": "quiet", "registered_address": "1 High Street"},
]
FLAG = {"authority": "FSA", "document": "No. 1", "document_date": "2023-12-01", "activity": "token sale"}


def write_companies(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, sorted({name for row in rows for name in row}), restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


class Office:
    """A running service, its companies, and a person's key."""

    def __init__(self, home: Path) -> None:
        self.home = home

        async def prepare() -> tuple[Instance, Any]:
            instance = await open_instance(Settings(home=home, database_url=None))
            return instance, await load_sample(instance, home, "btc")

        self.service = Running(*asyncio.run(prepare()))
        self.take(write_companies(home / "companies.csv", COMPANIES))
        self._label()
        self.token = self.key("A. Inspector")
        for name in ("acme", "bexco"):
            case = self.post("cases", {"title": "flags", "question": "q", "reason": "r"})["case"]
            self.post(f"companies/actor:{name}/flags", FLAG, case=case)

    def close(self) -> None:
        self.service.close()
        EmbeddedPostgres(self.home).stop()

    def _label(self) -> None:
        tag = {"address": self.address("exchange", 0), "label": "Bexco", "actor": "bexco", "category": "exchange"}
        head = {"title": "services", "creator": "me", "currency": "BTC", "confidence": "service_data"}
        path = self.home / "services.yaml"
        path.write_text(yaml.safe_dump({**head, "tags": [tag]}))
        self.asked(lambda connection: import_file(connection, path, Options(network=REGTEST, licence="MIT")))

    def asked(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Work of the owner of the tables, past row security."""

        async def run() -> T:
            async with connected(self.service.instance.url) as connection:
                return await work(connection)

        return self.service.loop.run_until_complete(run())

    def take(self, path: Path) -> CompanyImport:
        return self.asked(lambda connection: import_companies(connection, path, "me"))

    def key(self, person: str, *scopes: str, **more: Any) -> str:
        made = self.asked(
            lambda connection: keys.create(connection, "desk", person, list(scopes or SCOPES), more.get("expires"))
        )
        return made.token

    def address(self, wallet: str, number: int) -> str:
        return self.service.address(wallet, number)

    def send(
        self, method: str, path: str, *, token: str | None = "", case: str = "", purpose: str = "a test", **more: Any
    ) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.token}"
        if purpose:
            headers["Headwater-Purpose"] = purpose
        if case:
            headers["Headwater-Case"] = case
        return self.service.request(method, f"/v1/{path}", headers=headers, **more)

    def get(self, path: str, **more: Any) -> Any:
        answer = self.send("GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any, **more: Any) -> Any:
        answer = self.send("POST", path, json=body, **more)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def problem(self, status: int, method: str, path: str, **more: Any) -> Any:
        answer = self.send(method, path, **more)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        return answer.json()

    def case(self, *companies: str) -> str:
        body = {"title": "A sale", "question": "Which wallets?", "reason": "the court's default"}
        found: str = self.post("cases", {**body, "companies": [f"actor:{each}" for each in companies]})["case"]
        return found

    def claim(self, case: str, company: str, address: str, role: str, kind: str, root: str, **more: Any) -> int:
        body = {
            "company": f"actor:{company}", "chain": "btc", "address": address, "role": role, "kind": kind,
            "root": root, "statement": f"by {root}", **more,
        }  # fmt: skip
        return len(self.post(f"cases/{case}/claims", body)["claims"])

    def links(self, case: str, **more: Any) -> list[Any]:
        found: list[Any] = self.get(f"cases/{case}/links", **more)["items"]
        return found
