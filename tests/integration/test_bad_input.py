"""Bad blocks, from a file to the database: refused by the name of a check, with the place, and nothing is stored."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bitcoin.core
import pytest

from api.instance import Instance
from chain.bitcoin.build import (
    Payment,
    Spend,
    Transaction,
    block,
    block_hash,
    coinbase,
    compact_size,
    script_for,
    with_commitment,
)
from chain.bitcoin.etl import EtlFiles
from chain.bitcoin.files import BlockFiles
from chain.bitcoin.network import MAINNET, REGTEST, Network, subsidy
from chain.errors import HeadwaterError, IntegrityError, MalformedData, SourceError
from chain.load import load_chain, load_extract
from chain.store.ledger import LedgerStore
from chain.store.postgres import connected
from clustering.simulate.sample import Coin, Sample, sample_chain
from tests.integration.state import columns_digest, rows_digest

STRANGER = Coin(b"\7" * 32, 0, 1, b"")
"""An output that no transaction made."""

HEIGHT = 30
"""Blocks that are loaded before the bad one."""


def _load(instance: Instance, paths: list[Path], name: str, network: Network = REGTEST) -> int:
    async def work() -> int:
        async with connected(instance.url) as connection:
            report = await load_chain(connection, instance.home, BlockFiles(paths, network), name)
            return report.blocks

    return asyncio.run(work())


def _state(instance: Instance, name: str) -> tuple[dict[str, str], dict[str, str]]:
    async def work() -> dict[str, str]:
        async with connected(instance.url) as connection:
            return await rows_digest(connection, await LedgerStore(connection).dataset(name))

    return asyncio.run(work()), columns_digest(instance.home, name)


def _blocks(folder: Path, blocks: list[bytes]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = []
    for number, raw in enumerate(blocks):
        path = folder / f"{number:04}.bin"
        path.write_bytes(raw)
        paths.append(path)
    return paths


class Forge:
    """The block after the first `HEIGHT` of the sample, made wrong in one way."""

    def __init__(self) -> None:
        self.sample: Sample = sample_chain()
        self.good = self.sample.blocks[:HEIGHT]
        self.next = self.sample.blocks[HEIGHT]
        self.parent = block_hash(self.good[-1])
        # The miner's last coinbase below the tip: an output of which we know that nothing has spent it.
        self.coin: Coin = next(coin for coin in reversed(self.sample.wallet("miner").coins) if self._is_loaded(coin))

    def _is_loaded(self, coin: Coin) -> bool:
        wanted = coin.txid
        return any(wanted in _coinbase_ids(raw) for raw in self.good)

    def block(self, *others: Transaction, reward: int | None = None, parent: bytes | None = None) -> bytes:
        value = subsidy(REGTEST, HEIGHT) if reward is None else reward
        first = coinbase(HEIGHT, [Payment(value, b"\x51")], b"forged")
        whole = with_commitment([first, *others])
        return block(self.parent if parent is None else parent, 1_800_000_000, whole)

    def spend(self, *values: int, coins: tuple[Coin, ...] | None = None) -> Transaction:
        chosen = (self.coin,) if coins is None else coins
        spends = tuple(Spend(coin.txid, coin.index) for coin in chosen)
        return Transaction(spends, tuple(Payment(value, b"\x51") for value in values))


def _coinbase_ids(raw: bytes) -> set[bytes]:
    return {tx.GetTxid() for tx in bitcoin.core.CBlock.deserialize(raw).vtx[:1]}


def _edit_header(raw: bytes, at: int, new: bytes) -> bytes:
    """A header with other bytes and its work done again."""
    header = bytearray(raw[:76])
    header[at : at + len(new)] = new
    for nonce in range(1 << 20):
        whole = bytes(header) + struct.pack("<I", nonce)
        if int.from_bytes(block_hash(whole), "little") < (0x7FFFFF << 232):
            return whole + raw[80:]
    raise AssertionError


def _no_work(raw: bytes) -> bytes:
    for nonce in range(1 << 20):
        whole = raw[:76] + struct.pack("<I", nonce) + raw[80:]
        if int.from_bytes(block_hash(whole), "little") > (0x7FFFFF << 232):
            return whole
    raise AssertionError


def _doubled(forge: Forge) -> bytes:
    """The last of three transactions once more: the same merkle root (CVE-2012-2459)."""
    one = forge.spend(forge.coin.value)
    two = Transaction((Spend(one.txid, 0),), (Payment(forge.coin.value, b"\x51"),))
    raw = forge.block(one, two)
    body = raw[81:]
    return raw[:80] + b"\x04" + body + two.serialize()


CASES: list[tuple[str, str | type[HeadwaterError], Callable[[Forge], bytes]]] = [
    ("truncated block", MalformedData, lambda f: f.next[:-7]),
    ("bytes after the block", SourceError, lambda f: f.next + b"\0"),
    ("wrong merkle root", "merkle_root", lambda f: _edit_header(f.next, 36, bytes(32))),
    ("wrong proof of work", "proof_of_work", lambda f: _no_work(f.next)),
    ("a target beyond the network's", "proof_of_work", lambda f: _edit_header(f.next, 72, b"\xff\xff\x7f\x21")),
    ("duplicate transactions", "merkle_mutation", _doubled),
    ("a parent that is missing", "parent", lambda f: f.block(parent=bytes(31) + b"\1")),
    ("a count of 2^63", SourceError, lambda f: f.next[:80] + b"\xff" + struct.pack("<Q", 1 << 63) + f.next[81:]),
    ("a negative value", "value_range", lambda f: f.block(f.spend(-5))),
    ("values that overflow", "value_range", lambda f: f.block(f.spend((1 << 63) - 1, (1 << 63) - 1))),
    ("more than all bitcoin", "value_range", lambda f: f.block(f.spend(2_100_000_000_000_001))),
    ("value from nothing", "value_conservation", lambda f: f.block(f.spend(f.coin.value + 1))),
    ("a coinbase that takes too much", "value_conservation", lambda f: f.block(reward=subsidy(REGTEST, HEIGHT) + 1)),
    (
        "an output that is not there",
        "prevout_missing",
        lambda f: f.block(f.spend(1, coins=(replace(f.coin, index=77),))),
    ),
    ("a transaction that is not there", "prevout_missing", lambda f: f.block(f.spend(1, coins=(STRANGER,)))),
    (
        "one output spent by two transactions of a block",
        "double_spend",
        lambda f: f.block(f.spend(f.coin.value), f.spend(f.coin.value - 1)),
    ),
    ("one output spent twice by a transaction", "duplicate_input", lambda f: f.block(f.spend(1, coins=(f.coin,) * 2))),
    ("an output that was spent before", "double_spend", lambda f: f.block(_spend_again(f))),
    ("no coinbase", "coinbase", lambda f: block(f.parent, 1_800_000_000, [f.spend(f.coin.value)])),
    ("a coinbase of another height", "coinbase_height", lambda f: block(
        f.parent, 1_800_000_000, [coinbase(HEIGHT + 9, [Payment(1, b"\x51")], b"x")])),
    ("witnesses without a commitment", "witness_commitment", lambda f: block(
        f.parent, 1_800_000_000,
        [coinbase(HEIGHT, [Payment(1, b"\x51")], b"x"),
         Transaction((Spend(f.coin.txid, f.coin.index, witness=(b"w",)),), (Payment(1, b"\x51"),))])),
]  # fmt: skip


def _spend_again(forge: Forge) -> Transaction:
    """The inputs of a transaction that stands in an earlier block."""
    for raw in reversed(forge.good):
        for tx in bitcoin.core.CBlock.deserialize(raw).vtx[1:]:
            outpoint = tx.vin[0].prevout
            return Transaction((Spend(outpoint.hash, outpoint.n),), (Payment(1, b"\x51"),))
    raise AssertionError


@pytest.fixture(scope="module")
def forge() -> Forge:
    return Forge()


@pytest.mark.parametrize(("name", "expected", "make"), CASES, ids=[case[0] for case in CASES])
def test_a_bad_block_is_refused_and_nothing_of_it_stays(
    instance: Instance,
    forge: Forge,
    tmp_path: Path,
    name: str,
    expected: object,
    make: Callable[[Forge], bytes],
) -> None:
    dataset = "bad-" + "".join(c if c.isalnum() else "-" for c in name.lower())[:40]
    good = _blocks(tmp_path / "good", forge.good)
    assert _load(instance, good, dataset) == HEIGHT
    before = _state(instance, dataset)
    bad = tmp_path / "bad.bin"
    bad.write_bytes(make(forge))
    with pytest.raises(HeadwaterError) as caught:
        _load(instance, [bad], dataset)
    if isinstance(expected, str):
        assert isinstance(caught.value, IntegrityError), caught.value
        assert caught.value.check == expected, caught.value
    else:
        assert isinstance(expected, type)
        assert isinstance(caught.value, SourceError), caught.value
        assert "bad.bin" in str(caught.value)
    assert _state(instance, dataset) == before
    after = tmp_path / "next.bin"
    after.write_bytes(forge.next)
    assert _load(instance, [after], dataset) == 1


def test_a_long_length_in_a_short_file_costs_nothing(instance: Instance, forge: Forge, tmp_path: Path) -> None:
    """A transaction count of 1 and an input whose script claims a gigabyte, in a file of a kilobyte."""
    body = forge.next[:80] + b"\x01" + struct.pack("<i", 2) + b"\x01" + bytes(36)
    raw = (body + compact_size(1 << 30)).ljust(1_000, b"\0")
    path = tmp_path / "long.bin"
    path.write_bytes(raw)
    good = _blocks(tmp_path / "good", forge.good)
    _load(instance, good, "long-length")
    with pytest.raises(SourceError, match=r"long\.bin"):
        _load(instance, [path], "long-length")


def test_blocks_of_another_network_are_refused(instance: Instance, forge: Forge, tmp_path: Path) -> None:
    _load(instance, _blocks(tmp_path / "good", forge.good), "mixed")
    with pytest.raises(IntegrityError) as caught:
        _load(instance, _blocks(tmp_path / "more", [forge.next]), "mixed", MAINNET)
    assert caught.value.check == "network"


def test_a_bad_line_is_named_and_the_rest_is_loaded(instance: Instance, tmp_path: Path) -> None:
    def row(number: int, **more: object) -> dict[str, object]:
        outputs = [
            {
                "index": 0,
                "value": 5_000_000_000,
                "addresses": ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"],
                "type": "p2pkh",
            }
        ]
        return {
            "hash": f"{number:064x}", "block_hash": f"{number + 100:064x}", "block_number": 10 + number,
            "block_timestamp": 1_600_000_000 + number, "index": 0, "is_coinbase": True, "inputs": [],
            "outputs": outputs,
        } | more  # fmt: skip

    broken = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"
    lines = [
        json.dumps(row(0)),
        "{not json",
        json.dumps(row(2)).replace("5000000000", "5000000000.5"),
        json.dumps(row(3)).replace("5000000000", "-1"),
        json.dumps(row(4)).replace("5000000000", str(1 << 70)),
        json.dumps(row(5, outputs=[{"index": 0, "value": 1, "addresses": [broken], "type": "p2pkh"}])),
        json.dumps(
            row(
                6,
                outputs=[
                    {
                        "index": 0,
                        "value": 1,
                        "addresses": ["tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"],
                        "type": "p2wpkh",
                    }
                ],
            )
        ),
        json.dumps(row(7)),
    ]
    path = tmp_path / "rows.json"
    path.write_text("\n".join(lines))

    async def work() -> tuple[int, list[str]]:
        async with connected(instance.url) as connection:
            source = EtlFiles([path], MAINNET)
            report = await load_extract(connection, instance.home, source, "bad-lines")
            return report.transactions, [reject.place for reject in report.rejects]

    assert asyncio.run(work()) == (2, [f"line {number}" for number in range(2, 8)])


def test_the_script_of_a_formula_is_only_bytes(instance: Instance, tmp_path: Path) -> None:
    """An output whose script is text that a spreadsheet would run is stored as what it is."""
    sample = sample_chain()
    first = coinbase(1, [Payment(1, b"\x6a\x08=cmd()!!"), Payment(2, script_for(b"\1" + bytes(20)))], b"x")
    raw = block(block_hash(sample.blocks[0]), 1_800_000_000, [first])
    assert _load(instance, _blocks(tmp_path / "b", [sample.blocks[0], raw]), "formula") == 2
