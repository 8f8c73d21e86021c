"""What distinguishes one Bitcoin network from another: magic, genesis, address versions, limits.

The values are those of Bitcoin Core's `kernel/chainparams.cpp`; testnet4 is BIP 94, signet BIP 325.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from chain.model import hash_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

SATOSHI_PER_BITCOIN = 100_000_000
MAX_MONEY = 21_000_000 * SATOSHI_PER_BITCOIN
"""No output and no sum of outputs may exceed this (Core, consensus/amount.h)."""

FIRST_SUBSIDY = 50 * SATOSHI_PER_BITCOIN
LAST_HALVING = 63
"""From the 64th halving on a 64-bit shift would be undefined: the subsidy is zero (BIP 42)."""


@dataclass(frozen=True, slots=True)
class Network:
    """The constants of one network."""

    name: str
    magic: bytes
    """The four bytes before each message and before each record of a blk file."""
    genesis_hash: bytes
    """Internal byte order."""
    pubkey_hash_version: int
    script_hash_version: int
    segwit_prefix: str
    """The human-readable part of its segwit addresses (BIP 173)."""
    pow_limit: int
    """The easiest target that a header may have."""
    halving_interval: int
    bip34_height: int
    """From here on every coinbase must begin with its height."""
    segwit_height: int
    """From here on witness data must be committed to (BIP 141)."""


def _easiest(leading_zero_bits: int) -> int:
    return (1 << (256 - leading_zero_bits)) - 1


MAINNET = Network(
    name="main",
    magic=bytes.fromhex("f9beb4d9"),
    genesis_hash=hash_bytes("000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"),
    pubkey_hash_version=0,
    script_hash_version=5,
    segwit_prefix="bc",
    pow_limit=_easiest(32),
    halving_interval=210_000,
    bip34_height=227_931,
    segwit_height=481_824,
)
TESTNET3 = Network(
    name="test",
    magic=bytes.fromhex("0b110907"),
    genesis_hash=hash_bytes("000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943"),
    pubkey_hash_version=111,
    script_hash_version=196,
    segwit_prefix="tb",
    pow_limit=_easiest(32),
    halving_interval=210_000,
    bip34_height=21_111,
    segwit_height=834_624,
)
TESTNET4 = Network(
    name="testnet4",
    magic=bytes.fromhex("1c163f28"),
    genesis_hash=hash_bytes("00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043"),
    pubkey_hash_version=111,
    script_hash_version=196,
    segwit_prefix="tb",
    pow_limit=_easiest(32),
    halving_interval=210_000,
    bip34_height=1,
    segwit_height=1,
)
SIGNET = Network(
    name="signet",
    magic=bytes.fromhex("0a03cf40"),
    genesis_hash=hash_bytes("00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6"),
    pubkey_hash_version=111,
    script_hash_version=196,
    segwit_prefix="tb",
    pow_limit=0x377AE << 216,
    halving_interval=210_000,
    bip34_height=1,
    segwit_height=1,
)
REGTEST = Network(
    name="regtest",
    magic=bytes.fromhex("fabfb5da"),
    genesis_hash=hash_bytes("0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"),
    pubkey_hash_version=111,
    script_hash_version=196,
    segwit_prefix="bcrt",
    pow_limit=_easiest(1),
    halving_interval=150,
    bip34_height=1,
    segwit_height=0,
)

NETWORKS: Mapping[str, Network] = MappingProxyType(
    {network.name: network for network in (MAINNET, TESTNET3, TESTNET4, SIGNET, REGTEST)}
)
"""Every network by its name."""


def subsidy(network: Network, height: int) -> int:
    """What a block at `height` may create, in satoshi."""
    halvings = height // network.halving_interval
    return FIRST_SUBSIDY >> halvings if halvings <= LAST_HALVING else 0
