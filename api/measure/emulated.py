"""Emulated: chains that real wallet software made on a private network, with the owner of every key.

The archive of crocs-muni/pets26_coinjoin_analysis (wasabi2_10_wallets.zip) has for each scenario the blocks
`data/btc-node/block_N.json`, as `getblock` gives them with verbosity 2, and the addresses of each wallet in
`data/wasabi-client-NNN/keys.json`.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from api.measure.chains import extract_columns
from api.measure.owned import Compared, compare, owners_of
from chain.bitcoin import address as codec
from chain.bitcoin.network import REGTEST
from chain.errors import AddressError, LimitExceeded, MalformedData
from chain.model import ADDRESS_KEY_WIDTH

MOST_BYTES = 256 << 20
"""Of one archive, unpacked: a small file can claim to be anything."""

COIN = 100_000_000

_BLOCK = re.compile(r"(?P<scenario>.+)/data/btc-node/block_(?P<number>\d+)\.json")
_KEYS = re.compile(r"(?P<scenario>.+)/data/(?P<wallet>wasabi-client-\d+)/keys\.json")
_TYPES = {
    "pubkey": "p2pk", "pubkeyhash": "p2pkh", "scripthash": "p2sh", "witness_v0_keyhash": "p2wpkh",
    "witness_v0_scripthash": "p2wsh", "witness_v1_taproot": "p2tr", "nulldata": "op_return", "multisig": "multisig",
}  # fmt: skip


def measure_emulated(archive: Path, folder: Path) -> list[Compared]:
    """Every scenario of an archive, in the order of their names. MalformedData names a member that is wrong."""
    try:
        with zipfile.ZipFile(archive) as opened:
            size = sum(member.file_size for member in opened.infolist())
            if size > MOST_BYTES:
                raise LimitExceeded(f"{archive.name}: {size} bytes unpacked, at most {MOST_BYTES} are read")
            names = opened.namelist()
            scenarios = sorted({found["scenario"] for name in names if (found := _BLOCK.fullmatch(name))})
            return [_scenario(opened, names, scenario, folder) for scenario in scenarios]
    except zipfile.BadZipFile as error:
        raise MalformedData(f"{archive.name}: {error}") from error


def _scenario(archive: zipfile.ZipFile, names: list[str], scenario: str, folder: Path) -> Compared:
    blocks = {
        int(found["number"]): name
        for name in names
        if (found := _BLOCK.fullmatch(name)) and found["scenario"] == scenario
    }
    short = scenario.rsplit("/", 1)[-1]
    path = folder / f"{short}.json"
    with open(path, "w", encoding="utf-8") as lines:
        for row in _rows(_read(archive, blocks[number]) for number in sorted(blocks)):
            lines.write(json.dumps(row) + "\n")
    columns = extract_columns([path], REGTEST, folder, short)
    keys, owner = _owners(
        archive, [n for n in names if (found := _KEYS.fullmatch(n)) and found["scenario"] == scenario]
    )
    return compare(short, columns, owners_of(columns, keys, owner))


def _read(archive: zipfile.ZipFile, name: str) -> Any:
    try:
        return json.loads(archive.read(name), parse_float=Decimal)
    except ValueError as error:
        raise MalformedData(f"{name}: {error}") from error


def _rows(blocks: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Transactions in bitcoin-etl's form, each input with the output that it spends."""
    made: dict[tuple[str, int], dict[str, Any]] = {}
    for block in blocks:
        for index, tx in enumerate(block["tx"]):
            outputs = [_output(each) for each in tx["vout"]]
            made |= {(tx["txid"], output["index"]): output for output in outputs}
            coinbase = "coinbase" in tx["vin"][0]
            inputs = [] if coinbase else [
                {
                    **made[each["txid"], each["vout"]], "index": place, "sequence": each["sequence"],
                    "spent_transaction_hash": each["txid"], "spent_output_index": each["vout"],
                }
                for place, each in enumerate(tx["vin"])
            ]  # fmt: skip
            yield {
                "hash": tx["txid"], "block_hash": block["hash"], "block_number": block["height"],
                "block_timestamp": block["time"], "index": index, "is_coinbase": coinbase, "version": tx["version"],
                "lock_time": tx["locktime"], "inputs": inputs, "outputs": outputs,
            }  # fmt: skip


def _output(each: dict[str, Any]) -> dict[str, Any]:
    script = each["scriptPubKey"]
    address = script.get("address")
    return {
        "index": each["n"],
        "value": int(Decimal(each["value"]) * COIN),
        "type": _TYPES.get(script["type"], "nonstandard"),
        "addresses": [address] if address else [],
    }


def _owners(archive: zipfile.ZipFile, names: list[str]) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], Any]:
    """Address keys, zero-padded, and the wallet of each."""
    keys: list[bytes] = []
    owner: list[int] = []
    for number, name in enumerate(sorted(names)):
        for place, key in enumerate(_read(archive, name)):
            try:
                keys.append(codec.decode(key["address"], REGTEST))
            except (AddressError, KeyError, TypeError) as error:
                raise MalformedData(f"{name}: key {place}: {error}") from error
            owner.append(number)
    padded = b"".join(key.ljust(ADDRESS_KEY_WIDTH, b"\0") for key in keys)
    return np.frombuffer(padded, np.uint8).reshape(-1, ADDRESS_KEY_WIDTH), np.array(owner, np.int32)
