"""Accounts: keys from the seed, and the addresses of contracts that follow from who makes them."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
from coincurve import PrivateKey

from chain.ethereum.keccak import keccak256, keccak_each
from chain.ethereum.transactions import DYNAMIC_FEE
from chain.model import U8
from clustering.simulate.ethereum.kinds import Role


class Account:
    """An address and what is on it."""

    __slots__ = ("address", "forward", "funded", "nonce", "owner", "role", "row", "secret", "type", "wei")

    def __init__(self, address: bytes, row: int, owner: int, role: Role, secret: PrivateKey | None) -> None:
        self.address = address
        self.row = row
        """In the truth."""
        self.owner = owner
        self.role = role
        self.secret = secret
        """None of a contract."""
        self.wei = 0
        self.nonce = 0 if secret is not None else 1
        self.forward: Account | None = None
        """Where the contract passes ether on to at once."""
        self.funded = False
        """It has had ether."""
        self.type = DYNAMIC_FEE
        """Of the transactions that its wallet makes."""


class KeyMaker:
    """Keys in the order in which they are asked for."""

    def __init__(self, seed: int) -> None:
        self._seed = sha256(b"headwater ethereum keys %d" % seed).digest()
        self._made = 0

    def key(self) -> tuple[PrivateKey, bytes]:
        """A key and its address."""
        secret = PrivateKey(sha256(self._seed + self._made.to_bytes(8, "little")).digest())
        self._made += 1
        return secret, keccak256(secret.public_key.format(compressed=False)[1:])[12:]


def salted_address(maker: bytes, salt: bytes, code_hash: bytes) -> bytes:
    """The contract that CREATE2 makes (EIP-1014)."""
    return keccak256(b"\xff" + maker + salt + code_hash)[12:]


def salted_addresses(maker: bytes, code_hash: bytes, first: int, count: int) -> U8:
    """[count, 20] the contracts of the salts `first`, `first` + 1, …"""
    salts = [(first + place).to_bytes(32, "big") for place in range(count)]
    found: U8 = np.ascontiguousarray(keccak_each([b"\xff" + maker + salt + code_hash for salt in salts])[:, 12:])
    return found
