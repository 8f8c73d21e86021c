"""A small chain on which two services are spent together once, for tests of guards and of runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from api import clusterings
from api.cli import main
from api.clusterings import UpdateReport
from api.instance import Instance
from api.labels.importing import Options, import_file
from chain.bitcoin import address as codec
from chain.bitcoin.build import Transaction
from chain.bitcoin.files import BlockFiles
from chain.bitcoin.network import REGTEST
from chain.load import load_chain
from chain.model import hash_text
from chain.store.ledger import LedgerStore
from chain.store.postgres import connected
from clustering.simulate.sample import COIN, FEE, Coin, Sample, Wallet
from tests.integration.loaded import write_blocks

SERVICES = ("acme", "bexco")
EACH = 3
"""Addresses of each service."""


@dataclass(frozen=True, slots=True)
class Story:
    """The chain, the block below the joint transaction, and that transaction."""

    sample: Sample
    before: int
    """Blocks below the one with the joint transaction"""
    joint: Transaction

    @property
    def txid(self) -> str:
        return hash_text(self.joint.txid)

    def address(self, service: str, number: int) -> str:
        return codec.encode(self.sample.wallet(service).keys[number], REGTEST)

    @property
    def link(self) -> tuple[str, str, str]:
        """txid and addresses of the link between the services."""
        return self.txid, self.address("acme", 0), self.address("bexco", 0)


def story() -> Story:
    """Each service spends its addresses together, then one of each are spent together, then two blocks."""
    sample = Sample()
    for _ in range(4):
        sample.mine("miner")
    miner, shop = sample.wallet("miner"), sample.wallet("shop")
    for name in SERVICES:
        service = sample.wallet(name)
        for _ in range(EACH):
            sample.pay(miner, service, 5 * COIN)
    sample.mine("miner")
    for name in SERVICES:
        _spend_all(sample, sample.wallet(name).coins, shop)
    sample.mine("miner")
    for name in SERVICES:
        sample.pay(miner, sample.wallet(name), 2 * COIN, sample.wallet(name).keys[0])
    sample.mine("miner")
    before = len(sample.blocks)
    coins = [coin for name in SERVICES for coin in sample.wallet(name).coins]
    joint = _spend_all(sample, coins, shop)
    for _ in range(3):
        sample.mine("miner")
    return Story(sample, before, joint)


def _spend_all(sample: Sample, coins: list[Coin], to: Wallet) -> Transaction:
    """Every one of `coins` in one transaction, and out of the wallets that had them."""
    spent = list(coins)
    for wallet in sample.wallets.values():
        wallet.coins = [coin for coin in wallet.coins if coin not in spent]
    return sample.spend(spent, [(to, to.address(), sum(coin.value for coin in spent) - FEE)])


def label_file(folder: Path, chain: Story) -> Path:
    """A TagPack that names each service at one of its addresses, not at the one that is spent with the other's."""
    tags = [
        {"address": chain.address(name, 1), "label": name.title(), "actor": name, "category": "exchange"}
        for name in SERVICES
    ]
    body: dict[str, Any] = {"title": "services", "creator": "me", "currency": "BTC", "confidence": "service_data"}
    path = folder / "services.yaml"
    path.write_text(yaml.safe_dump({**body, "tags": tags}))
    return path


async def load(instance: Instance, name: str, blocks: list[bytes]) -> None:
    path = write_blocks(instance.home / f"{name}-{len(blocks)}.dat", blocks)
    async with connected(instance.url) as connection:
        await load_chain(connection, instance.home, BlockFiles([path], REGTEST), name)


async def update(instance: Instance, name: str) -> UpdateReport:
    async with connected(instance.url) as connection:
        return await clusterings.update(connection, instance.home, await LedgerStore(connection).dataset(name))


async def label(instance: Instance, path: Path) -> None:
    async with connected(instance.url) as connection:
        await import_file(connection, path, Options(network=REGTEST, licence="MIT"))


Types = Callable[..., tuple[int, str, str]]


def types_into(instance: Instance, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Types:
    """Type a command over an instance; exit code, stdout and stderr."""

    def command(*words: object) -> tuple[int, str, str]:
        monkeypatch.setenv("HEADWATER_HOME", str(instance.home))
        monkeypatch.delenv("HEADWATER_DATABASE_URL", raising=False)
        monkeypatch.setattr(sys, "argv", ["headwater", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), said.out, said.err

    return command
