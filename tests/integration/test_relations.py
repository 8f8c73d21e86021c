"""Relations of Ethereum addresses in a real Postgres: found, told with their evidence, and joining nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from api import relations
from api.answers.ethereum import address_body
from api.answers.ethereum_explain import explain_body
from api.clusterings import UpdateReport
from api.instance import Instance, open_instance
from api.labels.importing import Options, import_file
from chain.bitcoin.network import MAINNET
from chain.ethereum.etl import EtlFolder
from chain.ethereum.load import load_extract
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.ethereum import EthereumStore
from chain.store.postgres import Connection, connected
from tests.integration.services import types_into
from tests.integration.test_rest import Running

T = TypeVar("T")
HOT, ACCOUNT, TOKEN, DEPLOYER = (f"0x{digit * 40}" for digit in "abcd")
VICTIMS = [f"0x{number:040x}" for number in range(0x10, 0x15)]
ETHER = 10**18
TRANSACTIONS = (
    "hash,block_number,transaction_index,block_timestamp,from_address,to_address,value,receipt_status,"
    "receipt_contract_address"
)


@pytest.fixture(scope="module")
def deposits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Five victims pay one account, each payment goes on to a labelled exchange; in an instance of its own."""
    home = tmp_path_factory.mktemp("relations")
    instance = asyncio.run(open_instance(Settings(home=home, database_url=None)))
    try:
        label(instance, home)
        load(instance, home / "one", rows(VICTIMS))
        yield instance
    finally:
        EmbeddedPostgres(home).stop()


def label(instance: Instance, home: Path) -> None:
    tags = [{"address": HOT, "label": "Acme", "category": "exchange"}]
    head = {"title": "hot", "creator": "me", "currency": "ETH", "confidence": "service_data"}
    path = home / "hot.yaml"
    path.write_text(yaml.safe_dump({**head, "tags": tags}))
    asked(instance, lambda connection: import_file(connection, path, Options(network=MAINNET, licence="MIT")))


def rows(payers: list[str], first: int = 0) -> list[str]:
    found = [f"0x{0xFFFF:064x},1,0,1500000000,{DEPLOYER},,0,1,{TOKEN}"]
    for place, payer in enumerate(payers, start=first):
        block = 10 + 2 * place
        found += [
            f"0x{0x1000 + place:064x},{block},0,{1_500_000_000 + 15 * block},{payer},{ACCOUNT},{2 * ETHER},1,",
            f"0x{0x2000 + place:064x},{block + 1},0,{1_500_000_015 + 15 * block},{ACCOUNT},{HOT},{2 * ETHER - 9},1,",
        ]
    return found


def load(instance: Instance, folder: Path, lines: list[str], name: str = "accounts", **tables: list[str]) -> None:
    """Load transactions, and whatever other `tables` of ethereum-etl with their headers."""
    folder.mkdir()
    for table, written in {"transactions": [TRANSACTIONS, *lines], **tables}.items():
        (folder / f"{table}.csv").write_text("\n".join(written) + "\n")
    asked(instance, lambda connection: load_extract(connection, EtlFolder(folder, 1), name))


def asked(instance: Instance, work: Any) -> Any:
    async def run() -> Any:
        async with connected(instance.url) as connection:
            return await work(connection)

    return asyncio.run(run())


def update(instance: Instance) -> UpdateReport:
    async def work(connection: Connection) -> UpdateReport:
        return await relations.update(connection, await EthereumStore(connection).dataset("accounts"))

    report: UpdateReport = asked(instance, work)
    return report


def related(instance: Instance, address: str) -> dict[tuple[str, str, str], int]:
    body = asked(instance, lambda connection: address_body(connection, address))
    return {
        (row["relation"], row["direction"], row["address"].lower()): row["times"]
        for row in body["answers"][0]["relations"]
    }


def test_before_the_first_run_nothing_is_said_of_relations(deposits: Instance) -> None:
    (answer,) = asked(deposits, lambda connection: address_body(connection, ACCOUNT))["answers"]
    assert (answer["clustering"], answer["cluster"], answer["relations"]) == (None, None, [])


def test_victims_have_the_account_in_common_and_are_joined_with_nobody(deposits: Instance) -> None:
    report = update(deposits)
    assert (report.new, report.links, report.accepted_links, report.largest) == (True, 0, 0, 1)
    assert report.clusters == report.addresses
    assert related(deposits, ACCOUNT) == {("paid deposit account", "from", victim): 1 for victim in VICTIMS} | {
        ("swept into", "to", HOT): 5
    }
    assert related(deposits, TOKEN) == {("deployed", "from", DEPLOYER): 1}
    body = asked(deposits, lambda connection: explain_body(connection, VICTIMS[0], VICTIMS[1]))
    (answer,) = body["answers"]
    assert (answer["connected"], answer["relations"]) == (False, [])
    assert [(each["relation"], each["address"].lower(), each["is_lead"]) for each in answer["in_common"]] == [
        ("paid deposit account", ACCOUNT, True)
    ]
    assert answer["in_common"][0]["a_txid"] == f"0x{0x1000:064x}"
    between = asked(deposits, lambda connection: explain_body(connection, VICTIMS[0], ACCOUNT))["answers"][0]
    (paid,) = between["relations"]
    assert (paid["first"]["txid"], paid["last"]["txid"]) == (f"0x{0x1000:064x}", f"0x{0x2000:064x}")


def test_as_of_a_height_only_what_had_begun_is_told(deposits: Instance) -> None:
    update(deposits)
    (answer,) = asked(deposits, lambda connection: address_body(connection, ACCOUNT, 13))["answers"]
    assert {row["address"].lower() for row in answer["relations"]} == {*VICTIMS[:2], HOT}


def test_a_run_without_news_is_none_and_one_with_news_keeps_what_still_stands(
    deposits: Instance, tmp_path: Path
) -> None:
    first = update(deposits)
    assert not update(deposits).new
    ids = asked(deposits, lambda connection: connection.fetch("select relation_id from relation where to_run is null"))
    load(deposits, tmp_path / "more", rows(["0x" + "77" * 20], len(VICTIMS)))
    assert related_or_none(deposits) is None  # the extract was laid again: ids are others now
    second = update(deposits)
    assert (second.run, second.relations) == (first.run + 1, first.relations + 1)
    assert len(related(deposits, ACCOUNT)) == len(VICTIMS) + 2
    assert len(ids) == first.relations


def related_or_none(instance: Instance) -> Any:
    (answer,) = asked(instance, lambda connection: address_body(connection, ACCOUNT))["answers"]
    return answer["clustering"]


def test_command_line_and_service_tell_the_same(
    deposits: Instance, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    types = types_into(deposits, monkeypatch, capsys)
    assert types("cluster", "update", "--chain", "eth")[0] == 0
    code, said, _ = types("cluster", "show", ACCOUNT)
    assert code == 0
    assert f"was paid, as a deposit account, by {VICTIMS[0]}, 1 time (a lead; error rate: not measured" in said
    assert f"transactions 0x{0x1000:064x}" in said
    code, said, _ = types("cluster", "explain", VICTIMS[0], VICTIMS[1])
    assert code == 0
    assert "connected    no" in said
    assert "joins them no more than customers of one bank" in said
    code, said, _ = types("cluster", "research", "--dataset", "accounts", "--format", "csv")
    assert (code, said.splitlines()[1]) == (0, "accounts,deposit-address reuse,1,6,6")
    service = Running(deposits)
    try:
        body = service.get(f"eth/addresses/{ACCOUNT}")
        assert body["answers"][0]["relation_counts"][-1] == {"relation": "swept into", "direction": "to", "count": 1}
        explained = service.get("eth/explain", a=VICTIMS[0], b=VICTIMS[1])
        assert not explained["connected"]
        assert service.request("GET", f"/v1/eth/explain?a=0x12&b={HOT}").status_code == 422
    finally:
        service.close()
