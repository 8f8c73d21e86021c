"""What is known of a generated Ethereum: who holds which address, what each transaction is, who was sold and done what.

Rows of addresses are in the order in which they were made, transactions in chain order. Amounts are base units.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from chain.model import I32, I64, U8
from clustering.simulate.ethereum.kinds import NOBODY, Kind, Party, Relation, Role

ETHER = -1
"""In the place of a token's number."""


class Owner(NamedTuple):
    """Somebody."""

    party: Party
    name: str


class TokenTruth(NamedTuple):
    """A token: what it calls itself, and how it misbehaves."""

    address: int
    """Row."""
    name: str
    symbol: str
    decimals: int
    traits: tuple[str, ...]
    """counterfeit, fee-on-transfer, rebasing, collectible"""


class Purchase(NamedTuple):
    tx: int
    payer: int
    """Row of the address whose money it was."""
    beneficiary: int
    """Row of who was given the tokens."""
    asset: int
    """Number of the token that was paid with, or ETHER."""
    paid: int
    got: int
    tier: int


class End(NamedTuple):
    """Where a part of the proceeds went."""

    to: str
    """exchange, mixer or broker"""
    tx: int
    """The transaction in which it arrived."""
    address: int
    """Row of the address that it arrived at."""
    asset: int
    amount: int
    path: tuple[int, ...]
    """Rows from the collector on, the end left out."""


@dataclass(slots=True)
class SaleTruth:
    """A sale of a token."""

    form: str
    """crowdsale, presale or stablecoin sale"""
    issuer: int
    """Owner."""
    contract: int
    """Row of the contract that sells; of a presale, of the address that collects."""
    token: int
    """Number."""
    collectors: list[int] = field(default_factory=list)
    """Rows."""
    purchases: list[Purchase] = field(default_factory=list)
    tiers: list[tuple[int, int]] = field(default_factory=list)
    """Tokens for each unit paid, as a fraction of base units."""
    refunds: list[tuple[int, int, int]] = field(default_factory=list)
    """(transaction, row of who was paid back, amount)"""
    recycled: list[tuple[int, int, int]] = field(default_factory=list)
    """(transaction, row of the payer, amount) of purchases with the issuer's own money"""
    agents: list[int] = field(default_factory=list)
    """Rows of those who paid for several others."""
    ends: list[End] = field(default_factory=list)


@dataclass(slots=True)
class Harm:
    """What an offender did to people who have nothing else in common."""

    form: str
    """shared deposit address, drained ether, drained tokens, drained by authorisation, look-alike paid"""
    offender: int
    """Owner."""
    address: int
    """Row of where the money went."""
    victims: list[int] = field(default_factory=list)
    """Rows."""
    txs: list[int] = field(default_factory=list)


class Recorder:
    """The truth as it comes."""

    def __init__(self) -> None:
        self.owners: list[Owner] = []
        self.tokens: list[TokenTruth] = []
        self.sales: list[SaleTruth] = []
        self.harms: list[Harm] = []
        self.no_sales: list[tuple[str, int, int]] = []
        self._keys = bytearray()
        self._columns = {name: array("i") for name in ("owner", "role", "customer")}
        self._hashes = bytearray()
        self._kinds = bytearray()
        self._actors = array("i")
        self._relations: list[tuple[int, int, int, int, int]] = []

    def owner(self, party: Party, name: str = "") -> int:
        self.owners.append(Owner(party, name or f"{party.name.lower()} {len(self.owners)}"))
        return len(self.owners) - 1

    def address(self, key: bytes, owner: int, role: Role, customer: int = NOBODY) -> int:
        """The row of a new address."""
        self._keys += key
        for column, value in zip(self._columns.values(), (owner, role, customer), strict=True):
            column.append(value)
        return len(self._columns["owner"]) - 1

    def customer_of(self, row: int) -> int:
        return self._columns["customer"][row]

    @property
    def tx_count(self) -> int:
        return len(self._kinds)

    def transaction(self, digest: bytes, kind: Kind, actor: int) -> None:
        self._hashes += digest
        self._kinds.append(kind)
        self._actors.append(actor)

    def relate(self, kind: Relation, source: int, target: int, via: int = NOBODY) -> None:
        """A relation that the next transaction makes."""
        self._relations.append((kind, source, target, self.tx_count, via))

    def truth(self) -> Truth:
        """What is known so far, as arrays."""
        columns = {f"address_{name}": np.array(column, np.int32) for name, column in self._columns.items()}
        relations = np.array(self._relations, np.int64).reshape(-1, 5)
        return Truth(
            owners=list(self.owners),
            tokens=list(self.tokens),
            address_key=np.frombuffer(bytes(self._keys), np.uint8).reshape(-1, 20),
            tx_hash=np.frombuffer(bytes(self._hashes), np.uint8).reshape(-1, 32),
            tx_kind=np.frombuffer(bytes(self._kinds), np.uint8),
            tx_actor=np.array(self._actors, np.int32),
            relations=relations,
            sales=self.sales,
            harms=self.harms,
            no_sales=self.no_sales,
            **columns,
        )


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a chain with A addresses, T transactions and R relations."""

    owners: list[Owner]
    tokens: list[TokenTruth]
    address_key: U8
    """[A, 20]"""
    address_owner: I32
    """[A] who holds it: of a deposit address, the service."""
    address_role: I32
    """[A] `Role`"""
    address_customer: I32
    """[A] for whom a service made it; NOBODY else."""
    tx_hash: U8
    """[T, 32]"""
    tx_kind: U8
    """[T] `Kind`"""
    tx_actor: I32
    """[T] who wanted it: not the bundler or sponsor who sent it; of a bundle, the first."""
    relations: I64
    """[R, 5] `Relation`, row of the source, row of the target, transaction, row of what it went through (or NOBODY)."""
    sales: list[SaleTruth]
    harms: list[Harm]
    no_sales: list[tuple[str, int, int]]
    """Forms that are no sale: what it is, row of the contract, number of the token or ETHER."""

    def key(self, row: int) -> bytes:
        """The 20 bytes of an address."""
        key: bytes = self.address_key[row].tobytes()
        return key

    def rows_of(self, role: Role) -> I64:
        """The addresses of a role."""
        return np.flatnonzero(self.address_role == role)
