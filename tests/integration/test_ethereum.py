"""Ethereum tables into a real Postgres: exact amounts, opening lots, any subset in any order, bad rows by name."""

from __future__ import annotations

import asyncio
import csv
import lzma
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from api.answers.ethereum import address_body, balances_body
from api.answers.ethereum_tx import transaction_body
from api.answers.findings import findings_body, sales_body
from api.instance import Instance
from chain import faults, uint256
from chain.errors import AddressError, HeadwaterError, IntegrityError, MalformedData, NotFound, SourceError
from chain.ethereum.etl import EtlFolder
from chain.ethereum.load import EthereumReport, load_extract
from chain.ethereum.model import Movement
from chain.store.ethereum import EthereumStore
from chain.store.postgres import connected

BNT = "0x1F573D6Fb3F13d689FF844B4cE37794d79a7FF1C"
BANCOR_COLLECTOR = "0x5894110995b8c8401bd38262ba0c8ee41d4e4658"
BANCOR_FIRST = "0x5a9c1306ce7346e7540dae4dbf98a74ad5f7e1a65913112e4a35bc68a277a8f0"
BANCOR_GROSS = "396619891803711283883108"

A, B, C, T = (f"0x{letter * 40}" for letter in "abcd")
TX = [f"0x{number:064x}" for number in range(1, 9)]

TRANSACTIONS = "hash,block_number,transaction_index,block_timestamp,from_address,to_address,value,receipt_status"
TRANSFERS = "token_address,from_address,to_address,value,transaction_hash,log_index,block_number"
TRACES = "block_number,transaction_hash,from_address,to_address,value,trace_type,call_type,trace_address,status"


def _load(instance: Instance, folder: Path, name: str) -> EthereumReport:
    async def work() -> EthereumReport:
        async with connected(instance.url) as connection:
            return await load_extract(connection, EtlFolder(folder, 1), name)

    return asyncio.run(work())


def _tables(folder: Path, **tables: Sequence[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")
    return folder


async def _nets(instance: Instance, name: str) -> dict[tuple[str, str], int]:
    """Received - spent of every (address, asset contract), by the rows that are stored."""
    async with connected(instance.url) as connection:
        store = EthereumStore(connection)
        dataset = await store.dataset(name)
        moves = await store.read(dataset, "movements")
        keys = (await store.read(dataset, "addresses"))["payload"]
        contracts = (await store.read(dataset, "assets"))["contract"]
    nets: dict[tuple[str, str], int] = defaultdict(int)
    values = uint256.to_ints(moves["value"])
    for asset, source, target, value in zip(
        moves["asset"].tolist(), moves["from"].tolist(), moves["to"].tolist(), values, strict=True
    ):
        contract = "ETH" if contracts[asset] < 0 else f"0x{keys[contracts[asset]].tobytes().hex()}"
        if source >= 0:
            nets[f"0x{keys[source].tobytes().hex()}", contract] -= value
        if target >= 0:
            nets[f"0x{keys[target].tobytes().hex()}", contract] += value
    return nets


def test_bancor_to_the_last_wei(instance: Instance, data: Path) -> None:
    report = _load(instance, data / "ethereum" / "bancor", "bancor")
    assert (report.transactions, report.rejects) == (13_373, [])

    async def work() -> None:
        async with connected(instance.url) as connection:
            body = await address_body(connection, BANCOR_COLLECTOR, dataset="bancor")
            (holding,) = body["answers"][0]["holdings"]
            assert (holding["asset"], holding["received"], holding["spent"]) == ("ETH", BANCOR_GROSS, "0")
            assert holding["balance"] is None  # an extract may lack movements: net is what it holds
            tx = await transaction_body(
                connection, "0x5a9c1306ce7346e7540dae4dbf98a74ad5f7e1a65913112e4a35bc68a277a8f0"
            )
            moves = [(move["kind"], move["asset"], move["value"]) for move in tx["answers"][0]["movements"]]
            assert moves == [
                ("value", "ETH", "19999990000000000000000"),
                ("internal", "ETH", "19999990000000000000000"),
                ("token", BNT, "1999999000000000000000000"),
            ]

    asyncio.run(work())
    again = _load(instance, data / "ethereum" / "bancor", "bancor")
    assert (again.transactions, again.movements, again.addresses) == (0, 0, 0)
    nets = asyncio.run(_nets(instance, "bancor"))
    ether = {address: value for (address, asset), value in nets.items() if asset == "ETH"}
    assert sum(1 for value in ether.values() if value < 0) == 10_887  # each needs an opening lot


def test_the_dao_without_the_rows_that_no_chain_can_hold(instance: Instance, data: Path) -> None:
    report = _load(instance, data / "ethereum" / "thedao", "thedao")
    assert report.transactions == 22_598 - 18
    assert len(report.rejects) == 18  # negative amounts
    assert report.rejects[0].place == "line 1934"
    assert "-909090909090909000" in report.rejects[0].reason


def test_both_public_sales_in_one_dataset(instance: Instance, data: Path) -> None:
    _load(instance, data / "ethereum" / "bancor", "sales")
    _load(instance, data / "ethereum" / "thedao", "sales")

    async def work() -> None:
        async with connected(instance.url) as connection:
            body, evidence = await sales_body(connection, "sales")
            (answer,) = body["answers"]
            dao, bancor = answer["findings"]
            assert answer["rejected"] == []
            assert (bancor["contributions"], bancor["contributors"]) == (13_373, 10_887)
            assert bancor["received_gross"] == [{"asset": "ETH", "amount": BANCOR_GROSS}]
            assert [tier["tokens_per_unit"] for tier in bancor["price_tiers"]] == ["100"]
            (flow,) = bancor["collected"]
            assert (flow["address"].lower(), flow["amount"]) == (BANCOR_COLLECTOR, BANCOR_GROSS)
            assert bancor["retained_in_contract"] == [{"asset": "ETH", "amount": "0"}]
            assert dao["contributions"] == 22_598 - 18  # rows of negative amounts are rejects
            # six more name the contract itself as the owner: a transfer to itself moves nothing; two are of nothing
            assert (dao["purchases"], dao["payer_is_not_buyer"]) == (22_572, 8_370)
            assert len(dao["price_tiers"]) == 10
            assert sum(tier["purchases"] for tier in dao["price_tiers"]) == dao["purchases"]
            assert [agent["beneficiaries"] for agent in dao["agents"]][:2] == [2_388, 1_153]
            assert dao["purchases_with_traces"] == 0
            assert dao["net_of_recycling_and_refunds"] == dao["retained_in_contract"] == []  # not covered, not zero
            assert bancor["net_of_recycling_and_refunds"] == bancor["received_gross"]
            assert len(evidence) == bancor["purchases"] + dao["purchases"]
            paid = sum(int(row["paid"]) for row in evidence if row["finding"] == bancor["finding"])
            assert str(paid) == BANCOR_GROSS
            assert len(answer["in_several_sales"]) == len(set(answer["in_several_sales"])) > 70
            kept = await findings_body(connection, "eth", "sales", "token-sales")
            assert {found["finding"] for found in kept["answers"][0]["findings"]} == {dao["finding"], bancor["finding"]}
            assert kept["answers"][0]["current"] is True
            assert (await sales_body(connection, "sales"))[0] == body

    asyncio.run(work())


def test_traced_ether_is_what_the_tables_say(instance: Instance, data: Path) -> None:
    """Against a plain reading of the same tables: calls that moved value, rewards, fees."""
    folder = data / "ethereum" / "tokens_traced"
    report = _load(instance, folder, "tokens-traced")
    refused = {int(reject.place.removeprefix("line ")) for reject in report.rejects}
    with lzma.open(folder / "transactions.csv.xz", "rt") as text:
        transactions = list(csv.DictReader(text))
    dropped = {row["txHash"] for line, row in enumerate(transactions, 2) if line in refused}
    with lzma.open(folder / "traces.csv.xz", "rt") as text:
        traces = [row for row in csv.DictReader(text) if row["txHash"] not in dropped]
    with lzma.open(folder / "blocks.csv.xz", "rt") as text:
        miners = {row["blockId"]: row["miner"] for row in csv.DictReader(text)}
    due: dict[str, int] = defaultdict(int)
    dead = {row["traceId"] for row in traces if row["status"] == "0"}
    for row in traces:
        path = row["traceId"].split("_")
        if any("_".join(path[:end]) in dead or "_".join(path[:end]) + "_" in dead for end in range(2, len(path) + 1)):
            continue
        if row["callType"] in ("call", ""):
            value = int(Decimal(row["value"]))
            if row["fromAddress"]:
                due[row["fromAddress"]] -= value
            due[row["toAddress"]] += value
    traced = {row["txHash"] for row in traces}
    for row in transactions:
        if row["txHash"] in dropped:
            continue
        fee = int(row["gasPrice"]) * int(row["receiptGasUsed"])
        due[row["fromAddress"]] -= fee
        due[miners[row["blockId"]]] += fee
        if row["txHash"] not in traced:
            due[row["fromAddress"]] -= int(row["value"])
            due[row["toAddress"]] += int(row["value"])
    nets = asyncio.run(_nets(instance, "tokens-traced"))
    ether = {address: value for (address, asset), value in nets.items() if asset == "ETH" and value}
    assert ether == {address: value for address, value in due.items() if value}
    by_token: dict[str, int] = defaultdict(int)
    for (_, asset), value in nets.items():
        by_token[asset] += value
    assert {value for asset, value in by_token.items() if asset not in ("ETH", _WETH)} == {0}


_WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
"""Wrapping makes it and unwrapping ends it."""


def _sample(folder: Path) -> Path:
    return _tables(
        folder,
        transactions=[
            TRANSACTIONS, f"{TX[0]},10,0,100,{A},{B},50,1", f"{TX[1]},10,1,100,{A},{B},7,0",
            f"{TX[2]},11,0,115,{B},{C},20,1",
        ],
        token_transfers=[TRANSFERS, f"{T},{C},{B},{2**256 - 1},{TX[2]},4,11"],
        traces=[
            TRACES, f"11,{TX[2]},{B},{C},20,call,call,,1", f"11,{TX[2]},{C},{A},20,call,call,0,1",
            f"11,{TX[2]},{C},{T},9,call,call,1,0", f"11,{TX[2]},{T},{A},9,call,call,\"1,0\",1",
            f"11,{TX[2]},{C},{T},20,call,delegatecall,2,1",
        ],
    )  # fmt: skip


def test_failed_calls_and_transactions_move_nothing(instance: Instance, tmp_path: Path) -> None:
    _load(instance, _sample(tmp_path / "all"), "sample")
    nets = asyncio.run(_nets(instance, "sample"))
    assert {name: value for name, value in nets.items() if value} == {
        (A, "ETH"): -50 + 20, (B, "ETH"): 50 - 20, (B, T): 2**256 - 1, (C, T): -(2**256 - 1),
    }  # fmt: skip


def test_any_subset_in_any_order_makes_the_same_dataset(instance: Instance, tmp_path: Path) -> None:
    whole = _sample(tmp_path / "whole")
    parts = []
    for table in ("transactions", "token_transfers", "traces"):
        parts.append(tmp_path / table)
        parts[-1].mkdir()
        (parts[-1] / f"{table}.csv").write_text((whole / f"{table}.csv").read_text())
    _tables(tmp_path / "token_transfers", blocks=["number,timestamp", "11,115"])
    _tables(tmp_path / "traces", blocks=["number,timestamp", "11,115"])
    _load(instance, whole, "whole")
    for number, order in enumerate([(0, 1, 2), (2, 1, 0), (1, 0, 2)]):
        for place in order:
            _load(instance, parts[place], f"parts{number}")
        assert asyncio.run(_nets(instance, f"parts{number}")) == asyncio.run(_nets(instance, "whole"))


def test_holdings_at_a_height_with_the_opening_that_they_need(instance: Instance, tmp_path: Path) -> None:
    _load(instance, _sample(tmp_path), "held")

    async def work() -> None:
        async with connected(instance.url) as connection:
            now = (await balances_body(connection, A))["answers"]
            (mine,) = [answer for answer in now if answer["dataset"] == "held"]
            (ether,) = mine["holdings"]
            assert (ether["received"], ether["spent"], ether["net"], ether["opening"]) == ("20", "50", "-30", "50")
            then = (await balances_body(connection, A, 10))["answers"]
            (mine,) = [answer for answer in then if answer["dataset"] == "held"]
            assert mine["holdings"][0]["net"] == "-50"
            word = {asked["dataset"]: asked for asked in (await balances_body(connection, A, 9))["asked"]}["held"]
            assert word["observed"] is None
            with pytest.raises(NotFound):
                await transaction_body(connection, TX[7])
            with pytest.raises(AddressError):
                await balances_body(connection, A[:-1])

    asyncio.run(work())


GOOD = f"{TX[0]},10,0,100,{A},{B},50,1"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"{TX[1]},10,1,100,{A},{B},{2**256},1", "not an amount below 2^256"),
        (f"{TX[1]},10,1,100,{A},{B},-1,1", "not an amount below 2^256"),
        (f"{TX[1]},10,1,100,{A},{B},1.5,1", "not an amount below 2^256"),
        (f"{TX[1][:-1]},10,1,100,{A},{B},1,1", "not hex behind 0x"),
        (f"{TX[1]},10,1,100,{A[:-2]},{B},1,1", "not 20 bytes"),
        (f"{TX[1]},10,1,100,,{B},1,1", "from_address is empty"),
        (f"{TX[1]},10,1,100,{A},{B},1,2", "not 0 or 1"),
        (f"{TX[1]},10,1,101,{A},{B},1,1", "block_timestamp is 101, that of block 10 is 100"),
        (f"{TX[1]},10,0,100,{A},{B},1,1", "another transaction has index 0 of block 10"),
        (f"{TX[0]},10,0,100,{A},{B},50,1", "stands at line 2 already"),
        (f"{TX[1]},{2**63},1,100,{A},{B},1,1", "not a number below 2^63"),
    ],
)
def test_a_bad_row_is_told_and_takes_its_transaction_with_it(
    instance: Instance, tmp_path: Path, row: str, reason: str
) -> None:
    keep = f"{TX[2]},12,0,130,{A},{C},5,1"
    report = _load(
        instance, _tables(tmp_path, transactions=[TRANSACTIONS, GOOD, row, keep]), "bad-" + tmp_path.name[-3:]
    )
    assert report.rejects[0].place == "line 3"
    assert reason in report.rejects[0].reason
    assert report.transactions == (1 if row.startswith(TX[0]) else 2)


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ({"transactions": ["hash,block_number,from_address,to_address", f"{TX[0]},1,{A},{B}"]}, "no column value"),
        ({"transactions": [TRANSACTIONS, f"{TX[0]},1"]}, "line 2: 2 fields, the header has 8"),
        ({"transactions": [TRANSACTIONS, f"{TX[0]},1,0,,{A},{B},1,1"]}, "block 1 has no time"),
        ({"transactions": [TRANSACTIONS, f"{TX[0]},1,0,9,{A},{B},{2**256},1"]}, "nothing else can be taken"),
        ({"logs": ["block_number", "1"]}, "no column transaction_hash"),
    ],
)
def test_tables_that_cannot_be_read_store_nothing(
    instance: Instance, tmp_path: Path, tables: dict[str, list[str]], reason: str
) -> None:
    with pytest.raises(MalformedData, match=reason):
        _load(instance, _tables(tmp_path, **tables), "nothing")

    async def work() -> None:
        async with connected(instance.url) as connection:
            assert (await EthereumStore(connection).dataset("nothing")).counts["block"] == 0

    asyncio.run(work())


def test_a_folder_without_tables_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no file"):
        EtlFolder(tmp_path, 1)


def test_two_sources_that_contradict_each_other_are_refused_whole(instance: Instance, tmp_path: Path) -> None:
    _load(instance, _tables(tmp_path / "one", transactions=[TRANSACTIONS, GOOD]), "contradicted")
    before = asyncio.run(_nets(instance, "contradicted"))
    for name, row in (
        ("value", f"{TX[0]},10,0,100,{A},{B},51,1"),
        ("height", f"{TX[0]},11,0,115,{A},{B},50,1"),
        ("place", f"{TX[3]},10,0,100,{A},{B},50,1"),
        ("time", f"{TX[3]},10,1,101,{A},{B},50,1"),
    ):
        with pytest.raises(IntegrityError, match=r"conflict|place"):
            _load(instance, _tables(tmp_path / name, transactions=[TRANSACTIONS, row]), "contradicted")
    assert asyncio.run(_nets(instance, "contradicted")) == before


@pytest.mark.parametrize("point", ["during_rollback", "after_copy", "before_commit"])
def test_what_fails_in_the_middle_leaves_what_was_there(
    instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    name = "cut-" + point.replace("_", "-")
    _load(instance, _tables(tmp_path / "one", transactions=[TRANSACTIONS, GOOD]), name)
    before = asyncio.run(_nets(instance, name))

    def reach(here: str, pid: int) -> None:
        if here == point:
            raise OSError(f"no room at {pid}")

    with monkeypatch.context() as patched:
        patched.setattr(faults, "reach", reach)
        with pytest.raises(HeadwaterError, match="no room"):
            _load(instance, _sample(tmp_path / "more"), name)
    assert asyncio.run(_nets(instance, name)) == before
    _load(instance, _sample(tmp_path / "more"), name)
    assert asyncio.run(_nets(instance, name))[C, T] == -(2**256 - 1)


def test_a_dataset_of_one_chain_takes_no_other(instance: Instance, tmp_path: Path) -> None:
    _load(instance, _tables(tmp_path, transactions=[TRANSACTIONS, GOOD]), "chained")

    async def work() -> None:
        async with connected(instance.url) as connection:
            await load_extract(connection, EtlFolder(tmp_path, 5), "chained")

    with pytest.raises(HeadwaterError, match="network"):
        asyncio.run(work())


def test_every_kind_of_movement_has_its_place_in_a_transaction() -> None:
    from chain.ethereum.extract import _RANK  # noqa: PLC0415

    assert len(_RANK) == len(Movement)


def test_presales_are_kept_as_findings(instance: Instance, tmp_path: Path) -> None:
    senders = [f"0x{number:040x}" for number in range(1, 61)]
    rows, gifts = [TRANSACTIONS], [TRANSFERS]
    for number, sender in enumerate(senders):
        paid = (1 + number % 9) * 10**17
        for place, collector in enumerate((B, C)):
            digest = f"0x{100 + 2 * number + place:064x}"
            rows.append(f"{digest},{number + 1},{place},{1_500_000_000 + number},{sender},{collector},{paid},1")
        rows.append(f"0x{900 + number:064x},{number + 90},0,{1_500_000_900 + number},{A},{T},0,1")
        gifts.append(f"{T},{A},{sender},{7 * paid},0x{900 + number:064x},0,{number + 90}")
    # the first collector hands the issuer what it collected; the second never had to do with it
    rows.append(f"{TX[0]},400,0,1500009000,{B},{A},{10**18},1")
    assert _load(instance, _tables(tmp_path, transactions=rows, token_transfers=gifts), "presale").rejects == []

    async def work() -> None:
        async with connected(instance.url) as connection:
            (answer,) = (await sales_body(connection, "presale"))[0]["answers"]
            assert answer["findings"] == []
            (found,), (lead,) = answer["presales"], answer["leads"]
            assert (found["collector"].lower(), lead["collector"].lower()) == (B, C)
            assert (found["kind"], found["served"], lead["kind"], lead["served"]) == ("presale", 60, "lead", 60)
            assert found["token"] == lead["token"] is not None
            kept = await findings_body(connection, "eth", "presale", None)
            assert [each["finding"] for each in kept["answers"][0]["findings"]] == [found["finding"]]

    asyncio.run(work())
