"""One dataset as one request sees it, and how its rows are named outside.

A view holds one generation of the columns and one run of the clustering; they do not change while it lives.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from api.answers import text
from api.answers.shapes import Answer, AsOf, ClusteringName, Coverage, Limit, Seen
from chain.bitcoin import address as codec
from chain.bitcoin.network import Network
from chain.columns import Columns
from chain.errors import HeadwaterError
from chain.model import ADDRESS_KEY_WIDTH, I64, AddressKind, OutputType, Proof, hash_text
from chain.store.dataset import Dataset
from clustering.clustering import Clustering, as_of_tx

FINAL_DEPTH = 6
"""Blocks above one after which a reversal is taken to be out of reach (Nakamoto 2008, section 11: below 0.1 %
from 5 on for an attacker with a tenth of the work; Bitcoin Core's wallet waits for 6)."""


class InvalidParameter(HeadwaterError):
    """A parameter is not what it must be."""

    problem_type = "invalid-parameter"
    status = 422

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True)
class Moment:
    """The first `txs` transactions of a dataset, up to the block row `block` (-1: none)."""

    txs: int
    block: int


@dataclass(slots=True)
class DatasetView:
    """A dataset's row, its columns and its newest clustering (None before the first run)."""

    dataset: Dataset
    columns: Columns
    clustering: Clustering | None
    coverage: Coverage
    _links: tuple[I64, I64] | None = field(default=None)

    @property
    def name(self) -> str:
        return self.dataset.name

    @property
    def network(self) -> Network:
        return self.dataset.params

    @property
    def epoch(self) -> int:
        return self.columns.manifest.epoch

    @property
    def run(self) -> int | None:
        """The run of the clustering; None where there is none."""
        return None if self.clustering is None else self.clustering.basis.run_id

    def with_clustering(self, clustering: Clustering) -> DatasetView:
        """The same dataset with another run."""
        return DatasetView(self.dataset, self.columns, clustering, self.coverage)

    # Moments

    def now(self) -> Moment:
        return self.moment_of(self.columns.tx_count)

    def moment_of(self, txs: int) -> Moment:
        """The first `txs` transactions."""
        return Moment(txs, int(self.columns.tx_block[txs - 1]) if txs else -1)

    def heights(self) -> tuple[int, int] | None:
        """The lowest and the highest height that is known; None where none is."""
        if self.dataset.is_full and len(self.columns.block_height):
            return int(self.columns.block_height[0]), int(self.columns.block_height[-1])
        known = self.columns.block_height[self.columns.block_height >= 0]
        return (int(known.min()), int(known.max())) if len(known) else None

    def refusal(self, height: int) -> str | None:
        """Why the dataset cannot answer as of `height`; None where it can."""
        reach = self.heights()
        if reach is None:
            return "none of its blocks has a known height"
        if height > reach[1]:
            return f"as of {height} is beyond its tip at height {reach[1]}"
        if height < reach[0]:
            return f"as of {height} is below its first block at height {reach[0]}"
        return None

    def at_height(self, height: int) -> Moment:
        """What lies up to and with a height."""
        return self.moment_of(as_of_tx(self.columns, height))

    def as_of(self, moment: Moment) -> AsOf | None:
        if moment.block < 0:
            return None
        above = len(self.columns.block_height) - 1 - moment.block
        return {
            "height": self.height(moment.block),
            "block_hash": hash_text(self.columns.block_hash[moment.block]),
            "time": text.moment(int(self.columns.block_time[moment.block])),
            "final": above >= FINAL_DEPTH if self.dataset.is_full else None,
        }

    def clustering_name(self) -> ClusteringName | None:
        if self.clustering is None:
            return None
        basis = self.clustering.basis
        block = self.moment_of(basis.tx_count).block
        return {
            "run": basis.run_id,
            "level": basis.level,
            "height": self.height(block) if block >= 0 else None,
            "transactions_behind": self.columns.tx_count - basis.tx_count,
        }

    def frame(self, moment: Moment, limits: list[Limit] | None = None) -> Answer:
        """What every answer of this dataset says of itself."""
        return {
            "dataset": self.name,
            "as_of": self.as_of(moment),
            "clustering": self.clustering_name(),
            "coverage": self.coverage,
            "limits_hit": limits or [],
        }

    # Names

    def height(self, block: int) -> int | None:
        height = int(self.columns.block_height[block])
        return None if height < 0 else height

    def txid(self, tx: int) -> str:
        return hash_text(self.columns.tx_txid[tx])

    def seen(self, tx: int) -> Seen:
        block = int(self.columns.tx_block[tx])
        return {
            "txid": self.txid(tx),
            "height": self.height(block),
            "time": text.moment(int(self.columns.block_time[block])),
        }

    def address(self, address: int) -> str:
        return codec.encode(self.columns.address_key(address), self.network)

    def address_kind(self, address: int) -> str:
        return AddressKind(self.columns.address_key(address)[0]).name.lower()

    def output_address(self, output: int) -> str | None:
        address = int(self.columns.output_address[output])
        return None if address < 0 else self.address(address)

    def output_type(self, output: int) -> str:
        return OutputType(int(self.columns.output_type[output])).name.lower()

    def proof(self, block: int) -> str:
        return Proof(int(self.columns.block_proof[block])).name.lower()

    def outpoint(self, output: int) -> tuple[str, bool]:
        """`txid:n` of an output, and whether it lies outside the dataset."""
        outside = self.columns.outside_output
        row = int(np.searchsorted(outside, output))
        if row < len(outside) and int(outside[row]) == output:
            return f"{hash_text(self.columns.outside_txid[row])}:{int(self.columns.outside_index[row])}", True
        tx = int(np.searchsorted(self.columns.tx_first_output, output, side="right")) - 1
        return f"{self.txid(tx)}:{output - int(self.columns.tx_first_output[tx])}", False

    def address_id(self, key: bytes) -> int:
        """The id of an address key, -1 where the dataset never saw it."""
        row = np.zeros((1, ADDRESS_KEY_WIDTH), np.uint8)
        row[0, : len(key)] = np.frombuffer(key, np.uint8)
        return int(self.columns.find_addresses(row, np.array([len(key)], np.uint8))[0])

    def inputs_of(self, tx: int) -> I64:
        """The output ids that a transaction spends."""
        first, spends = self.columns.tx_first_input, self.columns.input_spends
        end = int(first[tx + 1]) if tx + 1 < len(first) else len(spends)
        inputs: I64 = spends[int(first[tx]) : end]
        return inputs

    # Links of clusters

    def links_of(self, label: int) -> I64:
        """The ordinals of the links within the cluster `label`, ascending."""
        clustering = self.clustering
        assert clustering is not None, "links are asked for within a cluster"
        if self._links is None:
            rows = np.searchsorted(clustering.members.keys, clustering.labels[clustering.links.u])
            counts = np.bincount(rows, minlength=len(clustering.members))
            ends = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
            self._links = np.argsort(rows, kind="stable").astype(np.int64), ends
        order, ends = self._links
        row = clustering.members.row(label)
        return order[ends[row] : ends[row + 1]]


def coverage_of(dataset: Dataset, columns: Columns) -> Coverage:
    """Counts of what the columns hold. Values that bytes prove are known; stated ones may be missing."""
    counts = columns.manifest.counts
    proven = int(np.count_nonzero(columns.block_proof == Proof.BYTES))
    all_known = proven == counts["block"] and not counts["outside"]
    unknown = 0 if all_known else int(np.count_nonzero(columns.output_value < 0))
    return {
        "kind": "full" if dataset.is_full else "extract",
        "network": dataset.network,
        "anchor_height": dataset.anchor_height,
        "blocks": counts["block"],
        "blocks_proven_by_bytes": proven,
        "blocks_stated": counts["block"] - proven,
        "transactions": counts["tx"],
        "inputs": counts["input"],
        "inputs_from_outside": counts["outside"],
        "outputs": counts["output"] - counts["outside"],
        "unknown_values": unknown,
    }


def has_everything(view: DatasetView) -> bool:
    """Whether the dataset holds every transaction of its addresses: a full one from genesis."""
    return view.dataset.is_full and view.dataset.anchor_height == 0
