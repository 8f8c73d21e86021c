"""What tokens say of themselves, asked of a node behind the load: kept raw, escaped where it is shown."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.answers.ethereum import balances_body
from api.cli import main
from api.instance import Instance, open_instance
from chain.settings import Settings
from chain.store.embedded import EmbeddedPostgres
from chain.store.postgres import connected
from tests.integration.misbehaving import FIRST, MISSING, Node, running
from tests.integration.test_ethereum_audit import COUNT, TOKEN, block
from tests.unit.ethereum_blocks import to_json

FORMULA = b"=cmd()\0\xe2\x80\xae\xff"
"""A formula, NUL, a mark that turns the direction of writing round, and a byte that is no text."""

NAME, SYMBOL, DECIMALS = "0x06fdde03", "0x95d89b41", "0x313ce567"
COLLECTIBLE, MANY = b"\x99" * 20, b"\x9a" * 20


def text(value: bytes) -> str:
    """An ABI string."""
    padded = value.ljust(-(-len(value) // 32) * 32, b"\0")
    return "0x" + ((32).to_bytes(32, "big") + len(value).to_bytes(32, "big") + padded).hex()


@pytest.fixture
def named() -> Iterator[Node]:
    """A node of blocks with four tokens: one that calls itself a formula, one of 32 bytes, one that gives up with
    words that a busy node might have used, one that is silent."""
    blocks = [block(0, b"\x01" * 32)]
    for number in range(1, COUNT):
        blocks.append(block(number, blocks[-1].hash))
    with running(blocks) as node:
        token, collectible, many = (to_json(each) for each in (TOKEN, COLLECTIBLE, MANY))
        node.words = {
            (token, NAME): text(FORMULA),
            (token, SYMBOL): text(FORMULA),
            (token, DECIMALS): to_json((6).to_bytes(32, "big")),
            (collectible, SYMBOL): to_json(b"MKR".ljust(32, b"\0")),
            (collectible, DECIMALS): to_json(b"\xff" * 32),
            **{
                (many, each): {"code": 3, "message": "execution reverted: rate limit exceeded, batch too large"}
                for each in (NAME, SYMBOL, DECIMALS)
            },
        }
        yield node


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path))
    monkeypatch.delenv("HEADWATER_DATABASE_URL", raising=False)
    try:
        yield tmp_path
    finally:
        EmbeddedPostgres(tmp_path).stop()


def headwater(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["headwater", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def ingest(monkeypatch: pytest.MonkeyPatch, node: Node) -> int:
    return headwater(monkeypatch, "ingest", "ethereum", "--rpc", node.url, "--from", str(FIRST), "--format", "json")


def opened(home: Path) -> Instance:
    return asyncio.run(open_instance(Settings(home=home, database_url=None)))


def kept(home: Path) -> dict[bytes, tuple[bytes, bytes, int | None]]:
    instance = opened(home)

    async def work() -> dict[bytes, tuple[bytes, bytes, int | None]]:
        async with connected(instance.url) as connection:
            rows = await connection.fetch("select contract, name, symbol, decimals from eth_token")
            return {row["contract"]: (row["name"], row["symbol"], row["decimals"]) for row in rows}

    return asyncio.run(work())


def test_words_are_kept_raw_and_escaped_where_they_are_shown(
    named: Node, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ingest(monkeypatch, named) == 0
    assert json.loads(capsys.readouterr().out)["tokens_asked"] == 4
    found = kept(home)
    assert found[TOKEN] == (FORMULA, FORMULA, 6)
    assert found[COLLECTIBLE] == (b"", b"MKR", None)
    assert found[MANY] == (b"", b"", None)
    assert len(found) == 4

    holder = to_json(b"\x02" * 20)
    assert headwater(monkeypatch, "cluster", "show", holder) == 0
    shown = capsys.readouterr().out
    assert r"(calls itself '=cmd()\x00\u202e\\xff')" in shown
    assert not {"\0", "\u202e"} & set(shown)

    instance = opened(home)

    async def body() -> Any:
        async with connected(instance.url) as connection:
            return await balances_body(connection, holder)

    (holding,) = [each for each in asyncio.run(body())["answers"][0]["holdings"] if each["standard"] == "ERC-20"]
    assert (holding["symbol"], holding["decimals"]) == ("=cmd()\0\u202e\\xff", 6)


def test_each_token_is_asked_once(
    named: Node, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest(monkeypatch, named)
    named.requests.clear()
    capsys.readouterr()
    assert ingest(monkeypatch, named) == 0
    assert json.loads(capsys.readouterr().out)["tokens_asked"] == 0
    assert "eth_call" not in json.dumps(named.requests)


def test_a_node_that_does_not_answer_for_contracts_costs_no_block(
    named: Node, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    named.error = lambda method: MISSING if method == "eth_call" else None
    assert ingest(monkeypatch, named) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert (report["blocks"], report["tokens_asked"]) == (COUNT, 0)
    assert "the next load goes on" in printed.err
    assert kept(home) == {}
    named.error = lambda method: None
    ingest(monkeypatch, named)
    assert len(kept(home)) == 4
