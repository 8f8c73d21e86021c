"""Transactions and authorizations as wallets sign them (types 0, 1, 2 and 4)."""

from __future__ import annotations

from dataclasses import dataclass

from coincurve import PrivateKey

from chain.ethereum.fields import QUANTITY, Item, encode, write
from chain.ethereum.keccak import keccak256
from chain.ethereum.transactions import (
    AUTHORIZATION,
    AUTHORIZATION_MAGIC,
    FORMS,
    LEGACY,
    Access,
    Authorization,
)

CHAIN_ID = 1337
"""Of a private network, as development nodes have it: what is generated can never be taken for the main network."""

_SIGNATURE = 3
"""Fields at the end of every form."""
_PROTECTED_V = 35
"""`v` of a legacy transaction is this, and twice the chain id, and the parity (EIP-155)."""


@dataclass(slots=True)
class Draft:
    """A transaction before its signature; names as chain/ethereum/transactions.py has them, whose forms write it."""

    type: int
    nonce: int
    gas: int
    to: bytes | None
    value: int
    data: bytes
    gas_price: int = 0
    max_priority_fee: int = 0
    max_fee: int = 0
    access_list: tuple[Access, ...] = ()
    authorizations: tuple[Authorization, ...] = ()
    chain_id: int = CHAIN_ID
    v: int = 0
    r: int = 0
    s: int = 0


def sign(draft: Draft, secret: PrivateKey) -> tuple[Item, bytes]:
    """The transaction as it stands in a body, and the bytes that its hash is over."""
    form = FORMS[draft.type]
    items = write(form[:-_SIGNATURE], draft)
    legacy = draft.type == LEGACY
    head = b"" if legacy else bytes([draft.type])
    signed = [*items, QUANTITY.to_rlp(CHAIN_ID), b"", b""] if legacy else items
    parity, draft.r, draft.s = _signature(head + encode(signed), secret)
    draft.v = _PROTECTED_V + 2 * CHAIN_ID + parity if legacy else parity
    items += write(form[-_SIGNATURE:], draft)
    raw = head + encode(items)
    return (items if legacy else raw), raw


def authorize(secret: PrivateKey, delegate: bytes, nonce: int) -> Authorization:
    """The wish of an account that its code be the delegate's, for the nonce that it will have then."""
    unsigned = Authorization(CHAIN_ID, delegate, nonce, 0, 0, 0)
    parity, r, s = _signature(AUTHORIZATION_MAGIC + encode(write(AUTHORIZATION[:_SIGNATURE], unsigned)), secret)
    return Authorization(CHAIN_ID, delegate, nonce, parity, r, s)


def _signature(message: bytes, secret: PrivateKey) -> tuple[int, int, int]:
    """Parity, r and s; the nonce of the signature follows from key and message (RFC 6979)."""
    found = secret.sign_recoverable(keccak256(message), hasher=None)
    return found[64], int.from_bytes(found[:32], "big"), int.from_bytes(found[32:64], "big")
