"""What a newcomer does, through the installed command: demo, look, ask, load bad files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chain.bitcoin import address as codec
from chain.bitcoin.network import REGTEST
from chain.store.embedded import EmbeddedPostgres
from clustering.simulate.sample import Sample, sample_chain

HEADWATER = Path(sys.executable).parent / "headwater"


class Newcomer:
    """A person with a home folder and a terminal."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def types(self, *words: str, code: int = 0, data: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADWATER_")}
        environment |= {"HEADWATER_HOME": str(self.home)} | ({} if data is None else {"HEADWATER_DATA": str(data)})
        done = subprocess.run(
            [HEADWATER, *words], env=environment, cwd=self.home, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def asks(self, *words: str) -> Any:
        return json.loads(self.types(*words, "--format", "json").stdout)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    home = tmp_path_factory.mktemp("newcomer")
    yield Newcomer(home)
    EmbeddedPostgres(home).stop()


@pytest.fixture(scope="module")
def demo(newcomer: Newcomer) -> str:
    return newcomer.types("demo").stdout


@pytest.fixture(scope="module")
def sample() -> Sample:
    return sample_chain()


def _address(sample: Sample, wallet: str, number: int) -> str:
    return codec.encode(sample.wallet(wallet).keys[number], REGTEST)


def test_the_demo_finds_the_sale_and_leaves_the_investors_apart(demo: str) -> None:
    assert "0 addresses of others in the sale's cluster" in demo
    assert "apart from the sale" in demo
    assert "5 clusters, none joined" in demo
    assert "received 126.00000000 BTC" in demo


def test_the_demo_finds_the_generated_sales_and_leaves_the_victims_apart(demo: str) -> None:
    for form in ("crowdsale", "presale", "stablecoin sale"):
        (line,) = (line for line in demo.splitlines() if f"truth       {form}: " in line)
        right, _, made = line.split(": ")[1].split()[:3]
        assert right == made, line
        assert line.endswith("gross right")
    assert "truth       0 findings of 13 forms that are no sale" in demo
    assert "none joined with anybody, 0 named as a party by a finding" in demo


def test_a_second_demo_adds_nothing(newcomer: Newcomer, demo: str) -> None:
    again = newcomer.types("demo").stdout
    assert "nothing new (tip 39)" in again
    assert "loaded      before: an extract is whole when it is there" in again


def test_the_demo_on_real_data(newcomer: Newcomer, demo: str, data: Path) -> None:
    said = newcomer.types("demo", data=data).stdout
    assert "4,371 transactions" in said
    assert "60,407 inputs spend outputs from outside" in said


def test_chain_status_shows_the_demo(newcomer: Newcomer, demo: str) -> None:
    status = newcomer.asks("chain", "status")
    assert "demo" in json.dumps(status)


def test_cluster_show_names_exactly_the_sale(newcomer: Newcomer, demo: str, sample: Sample) -> None:
    body = newcomer.asks("cluster", "show", _address(sample, "sale", 3))
    (answer,) = body["answers"]
    assert answer["dataset"] == "demo"
    assert answer["cluster"]["size"] == 12
    assert answer["cluster"]["id"] == f"demo/L0/{_address(sample, 'sale', 0)}@1"


def test_as_of_a_height_before_the_sweep_the_deposits_stand_alone(
    newcomer: Newcomer, demo: str, sample: Sample
) -> None:
    body = newcomer.asks("cluster", "show", _address(sample, "sale", 3), "--as-of", "29")
    (answer,) = body["answers"]
    assert answer["cluster"]["size"] == 1


def test_explain_gives_the_transaction_that_spends_from_both(newcomer: Newcomer, demo: str, sample: Sample) -> None:
    body = newcomer.asks("cluster", "explain", _address(sample, "sale", 0), _address(sample, "sale", 5))
    (answer,) = body["answers"]
    assert answer["connected"] is True
    shown = newcomer.asks("tx", "show", "btc", answer["links"][0]["txid"])
    debits = shown["answers"][0]["movements"][0]["debits"]
    assert {_address(sample, "sale", 0), _address(sample, "sale", 5)} <= {debit["address"] for debit in debits}


def test_a_broken_checksum_is_a_usage_error_with_its_reason(newcomer: Newcomer, demo: str) -> None:
    said = newcomer.types("cluster", "show", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", code=2).stderr
    assert "checksum" in said


def test_an_address_never_seen_is_an_answer(newcomer: Newcomer, demo: str) -> None:
    body = newcomer.asks("cluster", "show", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080")
    assert body["observed"] is False


def test_a_bad_line_is_rejected_by_name_and_the_rest_is_loaded(newcomer: Newcomer, tmp_path: Path) -> None:
    rows = [
        {
            "hash": f"{number:064x}", "block_hash": f"{number + 100:064x}", "block_number": number + 1,
            "block_timestamp": 1_600_000_000 + number, "index": 0, "is_coinbase": True, "inputs": [],
            "outputs": [{"index": 0, "value": 5_000_000_000, "addresses": [], "type": "nonstandard"}],
        }
        for number in range(3)
    ]  # fmt: skip
    lines = [json.dumps(rows[0]), '{"hash": "cut off', json.dumps(rows[2])]
    path = tmp_path / "transactions.json"
    path.write_text("\n".join(lines) + "\n")
    done = newcomer.types("ingest", "bitcoin", "--etl", str(path), "--dataset", "bad-line", "--format", "json", code=3)
    report = json.loads(done.stdout)
    assert report["transactions"] == 2
    assert "line 2" in Path(report["rejects_file"]).read_text()


def test_a_wrong_source_is_one_line_and_no_trace(newcomer: Newcomer, tmp_path: Path) -> None:
    said = newcomer.types("ingest", "bitcoin", "--blk-dir", str(tmp_path), code=1).stderr
    assert said.startswith("error: ")
    assert "Traceback" not in said
