"""Ethereum datasets for tracing: movements read from Postgres, labels by address."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np

from api.answers.ethereum import ETHER, coverage_of, ethereum_state, open_datasets
from api.detections import read_ledger
from api.labels.ethereum import LABEL_NETWORK, ethereum_labels
from api.relations import is_whole, token_faults
from api.tracing.findings import findings_of
from api.tracing.ground import Board, Ground, Place, Unusable
from api.tracing.labelled import labelled
from api.tracing.request import Stops
from api.tracing.seeds import Seed
from chain.ethereum import address as codec
from chain.ethereum.model import Movement, Standard
from chain.model import U8, Bool
from chain.store.ethereum import EthereumStore
from chain.store.postgres import Connection
from clustering.ethereum.faithful import TOLD, Fault
from clustering.ethereum.ledger import EthereumLedger
from clustering.labels import LabelColumn
from clustering.trace.ethereum import account_movements
from clustering.trace.stops import ends_of, hubs


async def ethereum_grounds(connection: Connection, stops: Stops, dataset: str | None) -> list[Ground]:
    """Every dataset of eth, or the one of that name."""
    grounds: list[Ground] = []
    for each in await open_datasets(connection, dataset):
        ledger, hashes, keys = await read_ledger(EthereumStore(connection), each)
        labels = await ethereum_labels(connection, each, keys, ledger.tx_time)
        wrong = await asyncio.to_thread(token_faults, ledger, keys, await is_whole(EthereumStore(connection), each))
        state = await ethereum_state(connection, each)
        findings = await findings_of(connection, each.name)
        about = {"as_of": state["tip"], "coverage": await coverage_of(EthereumStore(connection), each)}
        grounds.append(
            await asyncio.to_thread(
                EthereumGround, each.name, ledger, hashes, keys, labels, about, stops, findings, wrong
            )
        )
    return grounds


class EthereumGround(Ground):
    """(address, asset) as holdings."""

    chain, network = "eth", LABEL_NETWORK

    def __init__(
        self, name: str, ledger: EthereumLedger, hashes: U8, keys: U8, labels: LabelColumn | None,
        about: Mapping[str, Any], stops: Stops, findings: Mapping[str, list[str]], wrong: Mapping[bytes, int],
    ) -> None:  # fmt: skip
        """`findings`: addresses by ID.

        `wrong`: tokens that are not true to their logs, by contract (`Fault`); nothing of them is traced.
        """
        self.dataset, self.labels = name, labels
        self._ledger, self._hashes, self._keys = ledger, hashes, keys
        self._ids = {key.tobytes(): place for place, key in enumerate(keys)}
        self._wrong = self._untraced(wrong)
        self._findings = findings
        named = sorted({codec.decode(address) for each in findings.values() for address in each})
        # contracts and collectors of findings are no hubs (EVIDENCE 11), and no markets
        spared = np.array([address for address in map(self._address_of, named) if address >= 0], np.int64)
        left_out = np.array(sorted(self._wrong), np.int64)
        found = account_movements(ledger, left_out, spared=spared, convert=stops.conversions)
        self.base, self._holdings, self._row = found.movements, found.holdings, found.row
        self.times, self.addresses = self.base.time, len(keys)
        owner = self._holdings.address.astype(np.int64)
        self._labelled = labelled(labels, len(keys), stops)
        hub = np.zeros(len(owner), np.bool_)
        if stops.hubs:
            each = np.arange(len(owner), dtype=np.int64)
            hub[hubs(self.base, each, len(owner), stops.hub_recipients)] = True
            hub &= (self._labelled.ends[owner] == 0) & ~np.isin(owner, spared)
        self._board = Board(
            self.base, owner, self._holdings.asset.astype(np.int64), ends_of(owner, self._labelled.ends, hub),
            np.zeros(len(owner), np.bool_),
        )  # fmt: skip
        self.about = {
            "chain": self.chain, "dataset": name, **about, "clustering": None,
            "label_set": None if labels is None else labels.version,
            "high_degree_addresses": len(np.unique(owner[hub])),
            "not_traced": {self.asset_name(asset): told for asset, told in sorted(self._wrong.items())},
        }  # fmt: skip

    def _untraced(self, wrong: Mapping[bytes, int]) -> dict[int, str]:
        """The assets of tokens that are not true to their logs, and why."""
        contracts = {self._ids[contract]: TOLD[Fault(fault)] for contract, fault in wrong.items()}
        each = enumerate(self._ledger.asset_contract.tolist())
        return {asset: contracts[contract] for asset, contract in each if contract in contracts}

    def board(self, *, by_address: bool) -> Board:  # noqa: ARG002 (accounts are addresses)
        return self._board

    def _address_of(self, key: bytes) -> int:
        return self._ids.get(key, -1)

    def find(self, number: int, seed: Seed) -> Place:
        start, end = self.window(seed)
        asset = self._asset(seed)
        if not seed.address:
            return Place(number, -1, self._rows(seed, asset), 0, self.base.size, asset)
        address = self._address_of(codec.decode(seed.address))
        if address < 0:
            raise Unusable("not observed")
        return Place(number, address, (), start, end, asset)

    def finding(self, name: str) -> list[str]:
        found = [each for each in self._findings if each.startswith(name)]
        if len(found) != 1:
            raise Unusable(f"{len(found) or 'no'} findings here begin with {name}")
        return self._findings[found[0]]

    def _asset(self, seed: Seed) -> int:
        """The id of the seed's asset, -1 for every one."""
        if not seed.asset:
            return -1
        native = self._ledger.asset_standard == Standard.ETHER
        if seed.asset == ETHER:
            found = np.flatnonzero(native)
        else:
            contract = self._address_of(codec.decode(seed.asset))
            found = np.flatnonzero((self._ledger.asset_contract == contract) & ~native & (contract >= 0))
        fungible = [asset for asset in found.tolist() if self._ledger.asset_standard[asset] <= Standard.ERC20]
        if len(found) and not fungible:
            raise Unusable("collectibles are no amounts")
        if not fungible:
            raise Unusable("the asset was not observed")
        if fungible[0] in self._wrong:
            raise Unusable(f"its amounts cannot be followed: {self._wrong[fungible[0]]}")
        return int(fungible[0])

    def _rows(self, seed: Seed, asset: int) -> tuple[int, ...]:
        """The credits of a transaction, or of its movement `index`, counted as `tx show` lists them; fees are none."""
        digest = np.frombuffer(bytes.fromhex(seed.txid), np.uint8)
        txs = np.flatnonzero((self._hashes == digest).all(axis=1))
        if not len(txs):
            raise Unusable("not observed")
        low, high = np.searchsorted(self._ledger.move_tx, (txs[0], txs[0] + 1))
        if seed.index >= high - low:
            raise Unusable(f"the transaction has {high - low} movements")
        wanted = np.arange(low, high) if seed.index < 0 else np.array([low + seed.index])
        kind = self._ledger.move_kind[wanted]
        wanted = wanted[(kind != Movement.FEE_BURNED) & (kind != Movement.FEE_PAID)]
        rows = np.flatnonzero(np.isin(self._row, wanted) & (self.base.credit_holding >= 0))
        if asset >= 0:
            rows = rows[self._board.asset[self.base.credit_holding[rows]] == asset]
        if not len(rows):
            raise Unusable("it moved nothing that can be followed")
        return tuple(rows.tolist())

    def address(self, address: int) -> str:
        return codec.encode(self._keys[address].tobytes())

    def output(self, holding: int) -> str:  # noqa: ARG002 (accounts have none)
        return ""

    def txid(self, tx: int) -> str:
        return "" if tx < 0 else f"0x{self._hashes[tx].tobytes().hex()}"

    def asset_name(self, asset: int) -> str:
        contract = int(self._ledger.asset_contract[asset])
        return ETHER if contract < 0 else self.address(contract)

    def label(self, address: int) -> str:
        return self._labelled.name(address)

    def gas(self) -> Bool:
        kind = self._ledger.move_kind[self._row]
        paid: Bool = (kind == Movement.FEE_BURNED) | (kind == Movement.FEE_PAID)
        return paid

    def speaker(self, address: int) -> int:
        return int(self._labelled.speaker[address])

    def key(self, address: int) -> bytes:
        return bytes(self._keys[address])
