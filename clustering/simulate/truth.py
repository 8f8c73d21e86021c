"""What is known of a generated chain: who holds which address, what each transaction is.

Rows of addresses are in the order in which they were made; every one of them is paid at least once but for a few that a
wallet prepared and did not come to use.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from chain.model import I32, I64, U8
from clustering.simulate.keys import KEY_WIDTH
from clustering.simulate.kinds import NOBODY, Kind, Party


class Owner(NamedTuple):
    """Somebody."""

    party: Party
    name: str
    make: str
    """The wallet program, for a consumer."""


class SaleEnd(NamedTuple):
    """Where a part of a token sale's proceeds went."""

    to: str
    """exchange, mixer or broker"""
    txid: bytes
    value: int
    """Satoshi that arrived there (for a mixer: that went in)."""
    address: int
    """Row of the address that was paid; for a mixer, of the address that the mix spent from."""


@dataclass(slots=True)
class SaleTruth:
    """The true flows of the token sale."""

    owner: int = NOBODY
    deposits: list[tuple[int, int]] = field(default_factory=list)
    """(row of the deposit address, owner of the investor that it was shown to)"""
    payments: list[tuple[bytes, int, int]] = field(default_factory=list)
    """(txid, investor, satoshi) of each payment into the sale"""
    sweeps: list[bytes] = field(default_factory=list)
    refunds: list[tuple[bytes, int, int]] = field(default_factory=list)
    """(txid, investor, satoshi)"""
    collectors: list[int] = field(default_factory=list)
    """Rows of the addresses that the proceeds were gathered on."""
    ends: list[SaleEnd] = field(default_factory=list)


@dataclass(slots=True)
class Recorder:
    """The truth as it comes: compact, for it is all that stays of a chain that is written out."""

    owners: list[Owner] = field(default_factory=list)
    keys: bytearray = field(default_factory=bytearray)
    address_owner: array[int] = field(default_factory=lambda: array("i"))
    address_customer: array[int] = field(default_factory=lambda: array("i"))
    importers: dict[int, int] = field(default_factory=dict)
    txids: bytearray = field(default_factory=bytearray)
    kinds: bytearray = field(default_factory=bytearray)
    changes: array[int] = field(default_factory=lambda: array("h"))
    payers: array[int] = field(default_factory=lambda: array("i"))
    sale: SaleTruth = field(default_factory=SaleTruth)

    def owner(self, party: Party, name: str = "", make: str = "") -> int:
        self.owners.append(Owner(party, name or f"{party.name.lower()} {len(self.owners)}", make))
        return len(self.owners) - 1

    def address(self, key: bytes, owner: int, customer: int) -> int:
        """The row of a new address."""
        self.keys += key.ljust(KEY_WIDTH, b"\0")
        self.address_owner.append(owner)
        self.address_customer.append(customer)
        return len(self.address_owner) - 1

    def transaction(self, txid: bytes, kind: int, change: int, payer: int) -> None:
        self.txids += txid
        self.kinds.append(kind)
        self.changes.append(change)
        self.payers.append(payer)

    def truth(self) -> Truth:
        """What is known so far, as arrays."""
        importer = np.full(len(self.address_owner), NOBODY, np.int32)
        for row, service in self.importers.items():
            importer[row] = service
        return Truth(
            owners=list(self.owners),
            address_key=np.frombuffer(bytes(self.keys), np.uint8).reshape(-1, KEY_WIDTH),
            address_owner=np.array(self.address_owner, np.int32),
            address_customer=np.array(self.address_customer, np.int32),
            address_importer=importer,
            txid=np.frombuffer(bytes(self.txids), np.uint8).reshape(-1, 32),
            kind=np.frombuffer(bytes(self.kinds), np.uint8),
            change=np.array(self.changes, np.int16),
            payer=np.array(self.payers, np.int32),
            sale=self.sale,
        )


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a chain with A addresses and T transactions, coinbases among them, in chain order."""

    owners: list[Owner]
    address_key: U8
    """[A, 33]: kind byte and payload, zero-padded."""
    address_owner: I32
    """[A] who made the key."""
    address_customer: I32
    """[A] for whom a service made it; NOBODY where it is for no one's deposits."""
    address_importer: I32
    """[A] the service that was given the key later; NOBODY for nearly all."""
    txid: U8
    """[T, 32] internal byte order."""
    kind: U8
    """[T] `Kind`"""
    change: I64
    """[T] index of the change output, -1 where there is none or several owners have theirs."""
    payer: I32
    """[T] owner who signed, SEVERAL where there were several, NOBODY of a coinbase."""
    sale: SaleTruth

    def key(self, row: int) -> bytes:
        """The address key of a row, without padding."""
        kind = int(self.address_key[row, 0])
        size = 33 if kind in (4, 5) else 21
        return self.address_key[row, :size].tobytes()

    def rows_of(self, kind: Kind) -> I64:
        """The transactions of a kind."""
        return np.flatnonzero(self.kind == kind)
