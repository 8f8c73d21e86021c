"""Lists of seeds: what is taken, what is rejected and why."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from api.tracing import seeds
from api.tracing.seeds import read_file, read_rows, read_time
from chain.errors import LimitExceeded, MalformedData

A, B = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "12c6DSiU4Rq3P4ZxziKxzrL5LmMBrzjrJX"
E = "0x5894110995B8c8401Bd38262bA0c8EE41d4E4658"
TXID = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"


def _file(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_one_spelling_and_one_order(tmp_path: Path) -> None:
    rows = [f"btc,{A},,", f"eth,{E.lower()},2017-06-12,2017-06-13T00:00:00Z", f"ETH,{E},,1497312000", f"btc,{B},,"]
    expected = None
    for turn in range(4):
        random.Random(turn).shuffle(rows)
        found, rejected = read_file(_file(tmp_path / "seeds.csv", "chain,address,from_time,to_time", *rows))
        assert rejected == []
        assert expected in (None, found)
        expected = found
    assert [seed.name for seed in expected or []] == [
        f"btc:{B}", f"btc:{A}", f"eth:{E}@..2017-06-13T00:00:00Z", f"eth:{E}@2017-06-12T00:00:00Z..2017-06-13T00:00:00Z"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"chain": "doge", "address": A}, "no such chain"),
        ({"chain": "btc", "address": E}, "not"),
        ({"chain": "eth", "address": A}, "0x"),
        ({"chain": "eth", "address": E.replace("B8c", "b8c")}, "checksum"),
        ({"chain": "btc"}, "give one of address, txid, cluster, finding"),
        ({"chain": "btc", "address": A, "txid": TXID}, "give one of address, txid, cluster, finding"),
        ({"chain": "btc", "address": A, "index": "0"}, "goes with a txid"),
        ({"chain": "btc", "address": A, "cluster": A}, "give one of"),
        ({"chain": "eth", "cluster": E}, "only btc has clusters"),
        ({"chain": "btc", "finding": "0123456789ab"}, "findings are of eth"),
        ({"chain": "eth", "finding": "0123"}, "8 or more"),
        ({"chain": "eth", "finding": "sale number one"}, "hex digits"),
        ({"chain": "btc", "cluster": "btc/L0/nonsense@1"}, "base58"),
        ({"chain": "btc", "txid": "4a5e"}, "64 hex digits"),
        ({"chain": "btc", "txid": TXID, "index": "-1"}, "whole number"),
        ({"chain": "btc", "txid": TXID, "index": str(2**32)}, "whole number"),
        ({"chain": "btc", "address": A, "from_time": "2020-01-02", "to_time": "2020-01-01"}, "ends before it starts"),
        ({"chain": "btc", "address": A, "from_time": "yesterday"}, "no time"),
        ({"chain": "btc", "address": A, "from_time": "1960-01-01"}, "before 1970"),
        ({"chain": "btc", "address": A, "asset": "ETH"}, "only asset"),
        ({"chain": "eth", "address": E, "asset": "BNT"}, "0x"),
    ],
)
def test_a_bad_row_is_rejected_with_its_reason(row: dict[str, str], reason: str) -> None:
    found, (rejected,) = read_rows([(2, row)])
    assert found == []
    assert reason in rejected.reason
    assert rejected.row == 2


def test_a_seed_counts_once() -> None:
    rows = [(2, {"chain": "btc", "address": A}), (3, {"chain": " BTC ", "address": A, "asset": ""})]
    found, (rejected,) = read_rows(rows)
    assert len(found) == 1
    assert (rejected.row, rejected.reason) == (3, "the same seed as in line 2")


def test_too_many_rows_are_refused_with_the_limits_name() -> None:
    rows = ((number, {"chain": "btc", "address": A}) for number in range(seeds.MAX_SEEDS + 1))
    with pytest.raises(LimitExceeded, match="seeds: a trace takes at most 100000 rows"):
        read_rows(rows)


@pytest.mark.parametrize("header", ["address", "chain", "chain,address,wallet", ""])
def test_a_file_of_other_columns_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(MalformedData):
        read_file(_file(tmp_path / "seeds.csv", header, f"btc,{A}"))


def test_times() -> None:
    assert read_time("1497272344") == read_time("2017-06-12T12:59:04Z") == read_time("2017-06-12T14:59:04+02:00")
    assert read_time("2017-06-12") == 1497225600
    assert read_time("") == -1


def test_a_cluster_is_named_by_its_handle_or_an_address_of_it() -> None:
    seeds, rejected = read_rows(
        enumerate([{"chain": "btc", "cluster": f"btc/L0/{A}@7"}, {"chain": "btc", "cluster": A}], 2)
    )
    assert [seed.name for seed in seeds] == [f"btc:cluster:{A}"]
    assert [row.reason for row in rejected] == ["the same seed as in line 2"]
