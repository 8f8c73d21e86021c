"""The constants of the networks, against their first blocks and Core's own numbers."""

from __future__ import annotations

import struct

import pytest

from chain.bitcoin.hashes import reference_double_sha256
from chain.bitcoin.network import MAINNET, MAX_MONEY, NETWORKS, REGTEST, SATOSHI_PER_BITCOIN, subsidy
from chain.model import hash_bytes

FIRST_ROOT = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
FIRST_BLOCKS = {
    "main": (FIRST_ROOT, 1231006505, 0x1D00FFFF, 2083236893),
    "test": (FIRST_ROOT, 1296688602, 0x1D00FFFF, 414098458),
    "testnet4": (
        "7aa0a7ae1e223414cb807e40cd57e667b718e42aaf9306db9102fe28912b7b4e",
        1714777860,
        0x1D00FFFF,
        393743547,
    ),
    "signet": (FIRST_ROOT, 1598918400, 0x1E0377AE, 52613770),
    "regtest": (FIRST_ROOT, 1296688602, 0x207FFFFF, 2),
}
"""Merkle root, time, bits and nonce of each first block (Core, kernel/chainparams.cpp; BIP 94)."""


@pytest.mark.parametrize("name", NETWORKS)
def test_first_block_hashes_to_the_genesis_hash(name: str) -> None:
    root, time, bits, nonce = FIRST_BLOCKS[name]
    header = struct.pack("<i32x32sIII", 1, hash_bytes(root), time, bits, nonce)
    network = NETWORKS[name]
    assert network.name == name
    assert reference_double_sha256(header) == network.genesis_hash
    assert int.from_bytes(network.genesis_hash, "little") <= network.pow_limit


def test_magics_differ_and_have_four_bytes() -> None:
    magics = {network.magic for network in NETWORKS.values()}
    assert len(magics) == len(NETWORKS)
    assert {len(magic) for magic in magics} == {4}


@pytest.mark.parametrize(
    ("height", "expected"),
    [
        (0, 50 * SATOSHI_PER_BITCOIN),
        (209_999, 50 * SATOSHI_PER_BITCOIN),
        (210_000, 25 * SATOSHI_PER_BITCOIN),
        (866_342, 312_500_000),
        (210_000 * 32, 1),
        (210_000 * 33, 0),
        (210_000 * 64, 0),
        (210_000 * 10_000, 0),
    ],
)
def test_subsidy(height: int, expected: int) -> None:
    assert subsidy(MAINNET, height) == expected


def test_subsidies_sum_to_less_than_21_million() -> None:
    total = sum(210_000 * subsidy(MAINNET, 210_000 * halving) for halving in range(64))
    assert total == 2_099_999_997_690_000 < MAX_MONEY
    assert subsidy(REGTEST, 150) == 25 * SATOSHI_PER_BITCOIN
