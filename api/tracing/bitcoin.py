"""Bitcoin datasets for tracing: columns, labels and clusters of one generation."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from api.answers.opening import open_views
from api.answers.text import ASSET
from api.answers.view import DatasetView
from api.labels.column import label_column
from api.tracing.ground import Board, Ground, Place, Unusable
from api.tracing.labelled import labelled
from api.tracing.request import Stops
from api.tracing.seeds import Seed
from chain.bitcoin import address as codec
from chain.errors import AddressError
from chain.model import I64, UNKNOWN, Bool, hash_bytes
from chain.store.postgres import Connection
from clustering.bitcoin import coinjoin
from clustering.bitcoin.coinjoin import CLASSES, Kind
from clustering.bitcoin.ledger import Ledger
from clustering.labels import LabelColumn
from clustering.trace.bitcoin import address_holdings, address_movements, output_movements
from clustering.trace.ends import End
from clustering.trace.stops import ends_of, hubs

_MIXES = np.array([CLASSES[kind].kind == Kind.COINJOIN for kind in sorted(CLASSES)])


async def bitcoin_grounds(
    connection: Connection, url: str, home: Path, stops: Stops, dataset: str | None
) -> list[Ground]:
    """Every dataset of btc, or the one of that name."""
    grounds: list[Ground] = []
    for view in await open_views(connection, url, home, "btc", dataset):
        labels = await label_column(connection, home, view.dataset, view.columns)
        grounds.append(await asyncio.to_thread(BitcoinGround, view, labels, stops))
    return grounds


class BitcoinGround(Ground):
    """Outputs as holdings; `stops` decides what of services, coinjoins and hubs ends a trace."""

    chain = "btc"

    def __init__(self, view: DatasetView, labels: LabelColumn | None, stops: Stops) -> None:
        self.view, self.labels = view, labels
        self.dataset, self.network = view.name, view.network.name
        ledger = Ledger.of(view.columns)
        self.base = output_movements(ledger)
        mixing = mixes(ledger, view.columns.tx_count)
        if stops.coinjoins:
            self.base.stop[mixing & (self.base.stop == 0)] = End.COINJOIN
        self.times = view.columns.block_time[view.columns.tx_block]
        self.addresses = view.columns.address_count
        self._owner = view.columns.output_address.astype(np.int64)
        clusters = None if view.clustering is None else np.asarray(view.clustering.labels).astype(np.int64)
        self._labelled = labelled(labels, view.columns.address_count, stops, clusters)
        self._hubs = np.empty(0, np.int64)
        if stops.hubs:
            found = hubs(self.base, self._owner, view.columns.address_count, stops.hub_recipients)
            self._hubs = found[self._labelled.ends[found] == 0]
        self.about = self._about()

    def _about(self) -> Mapping[str, Any]:
        frame = self.view.frame(self.view.now())
        return {
            "chain": self.chain,
            "dataset": self.dataset,
            "as_of": frame["as_of"],
            "clustering": frame["clustering"],
            "coverage": frame["coverage"],
            "label_set": None if self.labels is None else self.labels.version,
            "high_degree_addresses": len(self._hubs),
        }

    def board(self, *, by_address: bool) -> Board:
        owner, movements = self._owner, self.base
        if not by_address:
            ends = ends_of(owner, self._labelled.ends, np.isin(owner, self._hubs))
            return Board(movements, owner, np.zeros(len(owner), np.int64), ends, np.ones(len(owner), np.bool_))
        count = self.view.columns.address_count
        of_base = address_holdings(self.view.columns.output_address, count)
        size = count + len(owner)
        by = np.arange(size, dtype=np.int64)
        by[count:] = -1
        ends = ends_of(by, self._labelled.ends, np.isin(by, self._hubs))
        netted = address_movements(movements, of_base, size)
        return Board(netted, by, np.zeros(size, np.int64), ends, by < 0, of_base)

    def find(self, number: int, seed: Seed) -> Place:
        start, end = self.window(seed)
        if seed.address:
            return Place(number, self._address_id(seed.address), (), start, end, -1)
        rows = self._rows(seed)
        return Place(number, -1, rows, 0, self.base.size, -1)

    def _address_id(self, text: str) -> int:
        network, key = codec.decode_any(text)
        try:
            key = codec.decode(text, self.view.network)
        except AddressError:
            raise Unusable(f"it is an address of the network {network.name}, not of {self.dataset}'s") from None
        found = self.view.address_id(key)
        if found < 0:
            raise Unusable("not observed")
        return found

    def _rows(self, seed: Seed) -> tuple[int, ...]:
        digest = np.frombuffer(hash_bytes(seed.txid), np.uint8).reshape(1, 32)
        tx = int(self.view.columns.find_txids(digest)[0])
        if tx < 0:
            raise Unusable("not observed")
        first, count = int(self.view.columns.tx_first_output[tx]), int(self.view.columns.tx_output_count[tx])
        if seed.index >= count:
            raise Unusable(f"the transaction has {count} outputs")
        wanted = range(count) if seed.index < 0 else [seed.index]
        values = self.view.columns.output_value
        row = int(self.base.first_credit[tx])
        good = [place for place in wanted if values[first + place] > 0 and self.base.credit_holding[row + place] >= 0]
        if not good:
            unstated = any(int(values[first + place]) == UNKNOWN for place in wanted)
            raise Unusable("its value is not stated" if unstated else "nothing of it can be spent")
        return tuple(row + place for place in good)

    def address(self, address: int) -> str:
        return self.view.address(address)

    def output(self, holding: int) -> str:
        return self.view.outpoint(holding)[0]

    def txid(self, tx: int) -> str:
        return self.view.txid(tx)

    def asset_name(self, asset: int) -> str:  # noqa: ARG002 (there is one)
        return ASSET

    def label(self, address: int) -> str:
        return self._labelled.name(address)

    def speaker(self, address: int) -> int:
        return int(self._labelled.speaker[address])

    def key(self, address: int) -> bytes:
        return self.view.columns.address_key(address)

    def parties(self) -> I64:
        found = np.arange(self.addresses, dtype=np.int64)
        if self.view.clustering is not None:
            clusters = np.asarray(self.view.clustering.labels).astype(np.int64)
            known = self._labelled.ends[: len(clusters)] == 0  # a service's addresses are many people's
            found[: len(clusters)][known] = clusters[known]
        return found

    def members(self, address: int) -> list[int]:
        clustering = self.view.clustering
        if clustering is None or address >= len(clustering.labels):
            return [address]
        return [int(each) for each in clustering.cluster_of(address)]

    def cluster(self, address: int) -> str:
        clustering = self.view.clustering
        if clustering is None or address >= len(clustering.labels):
            return ""
        basis = clustering.basis
        return f"{self.dataset}/{basis.level}/{self.address(int(clustering.labels[address]))}@{basis.run_id}"


def mixes(ledger: Ledger, tx_count: int) -> Bool:
    """Which transactions have a coinjoin's form: several parties spend together."""
    found: Bool = _MIXES[coinjoin.classify(ledger, 0, tx_count)]
    return found
