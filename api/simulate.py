"""A generated chain as files: blk files that `headwater ingest bitcoin --blk-dir` loads, and the truth beside them.

blk00000.dat ...   the blocks, as a node keeps them (128 MiB a file at most)
owners.csv         owner, party, name, make
addresses.npz      key [A, 33] (kind byte and payload, zero-padded), owner, customer, importer [A]
transactions.npz   txid [T, 32], kind, change, payer [T]
sale.json          the true flows of the token sale
manifest.json      seed, length, counts, tip, size and SHA-256 of every file
"""

from __future__ import annotations

import csv
import gc
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from api.simulated_files import checked_manifest, new_folder, write_csv, write_json, write_manifest
from chain.bitcoin.build import block_hash
from chain.bitcoin.network import REGTEST
from chain.errors import MalformedData, SourceError
from chain.model import hash_bytes, hash_text
from clustering.simulate.generator import VERSION, generate
from clustering.simulate.kinds import Kind, Party
from clustering.simulate.truth import Owner, SaleEnd, SaleTruth, Truth

BLK_FILE_SIZE = 128 << 20
"""Bytes (Bitcoin Core, MAX_BLOCKFILE_SIZE)."""
OWNER_COLUMNS = ("owner", "party", "name", "make")
TRUTH_FILES = ("owners.csv", "addresses.npz", "transactions.npz", "sale.json")


class BlkWriter:
    """Blocks into numbered blk files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._handle = open(folder / "blk00000.dat", "wb")  # noqa: SIM115 (closed by close)
        self.blocks = 0
        self.tip = bytes(32)

    def __call__(self, block: bytes) -> None:
        if self._handle.tell() + len(block) + 8 > BLK_FILE_SIZE:
            self._handle.close()
            self._number += 1
            self._handle = open(self._folder / f"blk{self._number:05}.dat", "wb")  # noqa: SIM115
        self._handle.write(REGTEST.magic + len(block).to_bytes(4, "little") + block)
        self.blocks += 1
        self.tip = block_hash(block)

    def close(self) -> None:
        self._handle.close()


def simulate(seed: int, transactions: int, folder: Path, *, hidden_payjoins: bool = False) -> dict[str, Any]:
    """Generate a chain into a folder that does not exist yet or is empty; returns its manifest.

    StoreError where there is something in it or where it cannot be written; ValueError as `generate`.
    """
    with new_folder(folder) as part:
        return _write(seed, transactions, part, hidden_payjoins)


def _write(seed: int, transactions: int, folder: Path, hidden_payjoins: bool) -> dict[str, Any]:
    writer = BlkWriter(folder)
    # The generator makes many small tuples and no cycles: looking for these is a seventh of its time.
    gc.disable()
    try:
        truth = generate(seed, transactions, writer, hidden_payjoins=hidden_payjoins)
    finally:
        gc.enable()
        writer.close()
    rows = [(row, owner.party.name, owner.name, owner.make) for row, owner in enumerate(truth.owners)]
    write_csv(folder / "owners.csv", OWNER_COLUMNS, rows)
    np.savez(
        folder / "addresses.npz", key=truth.address_key, owner=truth.address_owner,
        customer=truth.address_customer, importer=truth.address_importer,
    )  # fmt: skip
    np.savez(
        folder / "transactions.npz", txid=truth.txid, kind=truth.kind, change=truth.change, payer=truth.payer
    )  # fmt: skip
    write_json(folder / "sale.json", _sale_body(truth.sale))
    kinds = np.bincount(truth.kind, minlength=len(Kind)).tolist()
    facts = {
        "generator": VERSION,
        "seed": seed,
        "transactions": transactions,
        "hidden_payjoins": hidden_payjoins,
        "network": REGTEST.name,
        "blocks": writer.blocks,
        "tip": hash_text(writer.tip),
        "addresses": len(truth.address_owner),
        "owners": len(truth.owners),
        "kinds": {kind.name: kinds[kind] for kind in Kind},
    }
    return write_manifest(folder, facts)


def open_truth(folder: Path) -> Truth:
    """The truth of a folder that `simulate` wrote.

    SourceError where it is not there, MalformedData where it is not whole or not as it was written.
    """
    try:
        checked_manifest(folder, TRUTH_FILES)
        with open(folder / "owners.csv", newline="", encoding="utf-8") as handle:
            owners = [Owner(Party[row["party"]], row["name"], row["make"]) for row in csv.DictReader(handle)]
        with np.load(folder / "addresses.npz") as addresses, np.load(folder / "transactions.npz") as transactions:
            return Truth(
                owners=owners,
                address_key=addresses["key"],
                address_owner=addresses["owner"],
                address_customer=addresses["customer"],
                address_importer=addresses["importer"],
                txid=transactions["txid"],
                kind=transactions["kind"],
                change=transactions["change"],
                payer=transactions["payer"],
                sale=_sale_of(json.loads((folder / "sale.json").read_text())),
            )
    except OSError as error:
        raise SourceError(f"{folder} holds no generated chain: {error.strerror or error}") from error
    except (KeyError, ValueError) as error:
        raise MalformedData(f"{folder} holds no generated chain: {error}") from error


def _sale_body(sale: SaleTruth) -> dict[str, Any]:
    body = asdict(sale)
    body["payments"] = [[hash_text(txid), investor, value] for txid, investor, value in sale.payments]
    body["refunds"] = [[hash_text(txid), investor, value] for txid, investor, value in sale.refunds]
    body["sweeps"] = [hash_text(txid) for txid in sale.sweeps]
    body["ends"] = [[end.to, hash_text(end.txid), end.value, end.address] for end in sale.ends]
    return body


def _sale_of(body: dict[str, Any]) -> SaleTruth:
    return SaleTruth(
        owner=body["owner"],
        deposits=[(row, investor) for row, investor in body["deposits"]],
        payments=[(hash_bytes(txid), investor, value) for txid, investor, value in body["payments"]],
        sweeps=[hash_bytes(txid) for txid in body["sweeps"]],
        refunds=[(hash_bytes(txid), investor, value) for txid, investor, value in body["refunds"]],
        collectors=body["collectors"],
        ends=[SaleEnd(to, hash_bytes(txid), value, address) for to, txid, value, address in body["ends"]],
    )
