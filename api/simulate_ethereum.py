"""A generated Ethereum as files: blocks that `headwater ingest ethereum --rlp` loads, and the truth beside them.

blocks-00000.json ...  lists of {header, body, receipts: RLP in hex; traces: as callTracer would answer}, 500 each
owners.csv             owner, party, name
tokens.json            what each token calls itself, and how it misbehaves
addresses.npz          key [A, 20], owner, role, customer [A]
transactions.npz       hash [T, 32], kind, actor [T]
relations.npz          relation [R, 5]: kind, source, target, transaction, via
sales.json             each sale: purchases, tiers, refunds, agents, collectors, and where the proceeds went
harms.json             each offender's victims
no_sales.json          forms that resemble a sale and are none
manifest.json          seed, length, counts, tip, size and SHA-256 of every file

Amounts of JSON are decimal strings in base units.
"""

from __future__ import annotations

import csv
import gc
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from api.simulated_files import checked_manifest, new_folder, write_csv, write_json, write_manifest
from chain.errors import MalformedData, SourceError
from chain.ethereum.keccak import keccak256
from clustering.simulate.ethereum.blocks import MadeBlock
from clustering.simulate.ethereum.generator import VERSION, generate
from clustering.simulate.ethereum.kinds import Kind, Party, Relation
from clustering.simulate.ethereum.signing import CHAIN_ID
from clustering.simulate.ethereum.truth import End, Harm, Owner, Purchase, SaleTruth, TokenTruth, Truth

BLOCKS_IN_FILE = 500
OWNER_COLUMNS = ("owner", "party", "name")
ARRAYS = {
    "addresses.npz": ("address_key", "address_owner", "address_role", "address_customer"),
    "transactions.npz": ("tx_hash", "tx_kind", "tx_actor"),
    "relations.npz": ("relations",),
}
TRUTH_FILES = ("owners.csv", "tokens.json", "sales.json", "harms.json", "no_sales.json", *ARRAYS)


class _BlockWriter:
    """Blocks into numbered files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: list[dict[str, Any]] = []
        self.blocks = 0
        self.tip = bytes(32)

    def __call__(self, block: MadeBlock) -> None:
        parts = {name: f"0x{getattr(block, name).hex()}" for name in ("header", "body", "receipts")}
        self._waiting.append({**parts, "traces": block.traces})
        self.blocks += 1
        self.tip = keccak256(block.header)
        if len(self._waiting) == BLOCKS_IN_FILE:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            number = (self.blocks - 1) // BLOCKS_IN_FILE
            lines = b",\n".join(orjson.dumps(entry) for entry in self._waiting)
            (self._folder / f"blocks-{number:05}.json").write_bytes(b"[" + lines + b"]\n")
            self._waiting = []


def simulate_ethereum(seed: int, transactions: int, folder: Path) -> dict[str, Any]:
    """Generate a chain into a folder that does not exist yet or is empty; returns its manifest.

    StoreError where there is something in it or where it cannot be written; ValueError as `generate`.
    """
    with new_folder(folder) as part:
        return _write(seed, transactions, part)


def block_files(folder: Path) -> list[Path]:
    """The files of blocks, in order."""
    return sorted(folder.glob("blocks-*.json"))


def _write(seed: int, transactions: int, folder: Path) -> dict[str, Any]:
    writer = _BlockWriter(folder)
    # as for Bitcoin: many small tuples and no cycles
    gc.disable()
    try:
        truth = generate(seed, transactions, writer)
    finally:
        gc.enable()
    writer.flush()
    rows = [(row, owner.party.name, owner.name) for row, owner in enumerate(truth.owners)]
    write_csv(folder / "owners.csv", OWNER_COLUMNS, rows)
    for name, arrays in ARRAYS.items():
        np.savez(folder / name, **{array: getattr(truth, array) for array in arrays})
    write_json(folder / "tokens.json", [token._asdict() for token in truth.tokens])
    write_json(folder / "sales.json", [_sale_body(sale) for sale in truth.sales])
    write_json(folder / "harms.json", [asdict(harm) for harm in truth.harms])
    write_json(folder / "no_sales.json", truth.no_sales)
    kinds = np.bincount(truth.tx_kind, minlength=len(Kind)).tolist()
    relations = np.bincount(truth.relations[:, 0], minlength=len(Relation)).tolist()
    return write_manifest(
        folder,
        {
            "generator": VERSION,
            "chain": "eth",
            "seed": seed,
            "transactions": len(truth.tx_hash),
            "chain_id": CHAIN_ID,
            "blocks": writer.blocks,
            "tip": f"0x{writer.tip.hex()}",
            "addresses": len(truth.address_owner),
            "owners": len(truth.owners),
            "sales": len(truth.sales),
            "kinds": {kind.name: kinds[kind] for kind in Kind},
            "relations": {kind.name: relations[kind] for kind in Relation},
        },
    )


def open_ethereum_truth(folder: Path) -> Truth:
    """The truth of a folder that `simulate_ethereum` wrote.

    SourceError where it is not there, MalformedData where it is not whole or not as it was written.
    """
    try:
        checked_manifest(folder, TRUTH_FILES)
        with open(folder / "owners.csv", newline="", encoding="utf-8") as handle:
            owners = [Owner(Party[row["party"]], row["name"]) for row in csv.DictReader(handle)]
        arrays: dict[str, Any] = {}
        for name, names in ARRAYS.items():
            with np.load(folder / name) as found:
                arrays |= {array: found[array] for array in names}
        bodies = {name: json.loads((folder / f"{name}.json").read_text()) for name in _BODIES}
        return Truth(
            owners=owners,
            tokens=[TokenTruth(**{**each, "traits": tuple(each["traits"])}) for each in bodies["tokens"]],
            sales=[_sale_of(each) for each in bodies["sales"]],
            harms=[Harm(**each) for each in bodies["harms"]],
            no_sales=[(form, contract, token) for form, contract, token in bodies["no_sales"]],
            **arrays,
        )
    except OSError as error:
        raise SourceError(f"{folder} holds no generated chain: {error.strerror or error}") from error
    except (KeyError, ValueError, TypeError) as error:
        raise MalformedData(f"{folder} holds no generated Ethereum: {error}") from error


_BODIES = ("tokens", "sales", "harms", "no_sales")


def _sale_body(sale: SaleTruth) -> dict[str, Any]:
    body = asdict(sale)
    body["purchases"] = [{**each._asdict(), "paid": str(each.paid), "got": str(each.got)} for each in sale.purchases]
    body["ends"] = [{**each._asdict(), "amount": str(each.amount)} for each in sale.ends]
    for name in ("refunds", "recycled"):
        body[name] = [[tx, row, str(amount)] for tx, row, amount in getattr(sale, name)]
    return body


def _sale_of(body: dict[str, Any]) -> SaleTruth:
    purchases = [Purchase(**{**each, "paid": int(each["paid"]), "got": int(each["got"])}) for each in body["purchases"]]
    ends = [End(**{**each, "amount": int(each["amount"]), "path": tuple(each["path"])}) for each in body["ends"]]
    lists = {name: [(tx, row, int(amount)) for tx, row, amount in body[name]] for name in ("refunds", "recycled")}
    tiers = [(got, paid) for got, paid in body["tiers"]]
    return SaleTruth(**{**body, **lists, "purchases": purchases, "ends": ends, "tiers": tiers})
