"""What a folder of columns holds: the arrays of a dataset, and the manifest that says how far each file counts."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chain.arrays import ArraySpec
from chain.errors import StoreError, StoreUnavailable

BITCOIN_ARRAYS = (
    ArraySpec("block_height", "i4", "block"),
    ArraySpec("block_time", "i8", "block"),
    ArraySpec("block_hash", "u1", "block", 32),
    ArraySpec("block_first_tx", "i8", "block"),
    ArraySpec("block_proof", "u1", "block"),
    ArraySpec("tx_txid", "u1", "tx", 32),
    ArraySpec("tx_block", "i4", "tx"),
    ArraySpec("tx_index", "i4", "tx"),
    ArraySpec("tx_coinbase", "u1", "tx"),
    ArraySpec("tx_version", "i4", "tx"),
    ArraySpec("tx_lock_time", "u4", "tx"),
    ArraySpec("tx_signing", "u1", "tx"),
    ArraySpec("tx_start", "i4", "tx"),
    ArraySpec("tx_size", "i4", "tx"),
    ArraySpec("tx_base_size", "i4", "tx"),
    ArraySpec("tx_first_input", "i8", "tx"),
    ArraySpec("tx_first_output", "i8", "tx"),
    ArraySpec("tx_output_count", "i4", "tx"),
    ArraySpec("tx_fee", "i8", "tx"),
    ArraySpec("input_spends", "i8", "input"),
    ArraySpec("input_sequence", "u4", "input"),
    ArraySpec("output_address", "i4", "output"),
    ArraySpec("output_value", "i8", "output"),
    ArraySpec("output_type", "u1", "output"),
    ArraySpec("outside_output", "i8", "outside"),
    ArraySpec("outside_txid", "u1", "outside", 32),
    ArraySpec("outside_index", "i8", "outside"),
    ArraySpec("address_start", "i8", "address"),
    ArraySpec("address_bytes", "u1", "address_byte", density=32),
)
"""Every array of a Bitcoin dataset. -1 stands for what is not known (heights, fees, values, addresses); version, lock
time and sequence mean nothing in blocks whose proof is STATED."""

COUNTS = ("block", "tx", "input", "output", "outside", "address", "address_byte")

DICTIONARIES = {"txid": "tx", "address": "address"}
"""Each dictionary with the count that its ids are below."""

FILE = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder holds, to the last row: the only thing that a reader believes."""

    database_id: str
    dataset: str
    epoch: int
    tip_height: int | None
    tip_hash: str | None
    """Internal byte order, hex."""
    seed: int
    """Secret seed of the dictionaries' hash, so that nobody can make keys that collide."""
    segment: int
    counts: dict[str, int]
    generations: dict[str, list[int]]
    slots: dict[str, str]
    """File of each dictionary."""
    drops: dict[str, int]
    """How often each dictionary had lost ids when this was published (chain/dictionary.py)."""
    sure: dict[str, int] | None
    """None: the dictionaries hold the keys of the counts and no more. While a writer is at work: counts below which
    they hold every key; what they hold from there on is for the next writer to put right."""
    runs: list[dict[str, int]]
    next_number: int
    """Of the files that will be made."""

    @classmethod
    def empty(cls, database_id: str, dataset: str, epoch: int, segment: int, next_number: int) -> Manifest:
        return cls(
            database_id, dataset, epoch, None, None, secrets.randbits(62), segment, dict.fromkeys(COUNTS, 0),
            {spec.name: [] for spec in BITCOIN_ARRAYS}, {}, {}, None, [], next_number,
        )  # fmt: skip

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """None where there is none; StoreError where it is no manifest of this code."""
        try:
            fields: Any = json.loads((folder / FILE).read_text())
            manifest = cls(**fields)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable(f"cannot read {folder / FILE}: {error.strerror}") from error
        except (ValueError, TypeError) as error:
            raise StoreError(f"{folder / FILE} is damaged; run headwater columns rebuild") from error
        known = set(manifest.counts) == set(COUNTS)
        if not known or set(manifest.generations) != {spec.name for spec in BITCOIN_ARRAYS}:
            raise StoreError(f"{folder / FILE} is of other code; run headwater columns rebuild")
        return manifest

    def write(self, folder: Path) -> None:
        """Put this in the place of the last manifest, durably, or leave that; StoreUnavailable then."""
        part = folder / "manifest.part"
        try:
            with open(part, "w") as handle:
                json.dump(asdict(self), handle)
                handle.flush()
                os.fsync(handle.fileno())
            os.replace(part, folder / FILE)
            directory = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise StoreUnavailable(f"cannot write {folder / FILE}: {error.strerror}") from error


def next_number(folder: Path) -> int:
    """A number above that of every file in `folder`, for one whose manifest is lost."""
    numbers = [int(part) for path in folder.iterdir() for part in path.name.split(".") if part.isdigit()]
    return max(numbers, default=-1) + 1
