"""One key in several scripts: who can spend from one of them can spend from the others.

A public key's hash stands in a P2PKH output (and here for a P2PK one), as a witness program (P2WPKH), and within the
hashes of scripts that ask for a signature of that key alone. From the key's hash h follow, without any script being
seen: P2PKH h, P2WPKH h, P2SH of P2WPKH (BIP 141, 49' wallets), P2SH of the P2PKH script, P2WSH of it, and P2SH of that
P2WSH. Where two of these occur as addresses of one dataset, they are linked.

The claim is exact as far as one key is one party: a hash of 160 bits names one serialization of one key. It is not for
multisig, whose keys co-signers share: those join nothing.

How it fails. A key that several parties hold (an imported or a shared one) joins them. It misses the other
serialization of a key (compressed and uncompressed hash differently), taproot, whose output key is tweaked, and a P2WSH
of a bare key: their keys are only seen in scripts.

What it costs. New key hashes are looked up in all addresses. New script hashes are looked for among the hashes that
follow from all key hashes, old ones too, because the dictionary goes one way only: one pass over the key hashes in each
run that has new addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256 as reference_sha256

import numpy as np
from numba import njit

from chain.bitcoin.hashes import hash160, hash160_digest, new_state, sha256
from chain.model import ADDRESS_KEY_WIDTH, I32, I64, U8, AddressKind
from clustering.links import LinkBatch, LinkStatus, Rule

CHUNK = 100_000
"""Key hashes at a time: their candidates take 21 MB."""

CANDIDATES = 5
HASH_SIZE = 20

_PUBKEY_HASH, _WITNESS_KEY_HASH = int(AddressKind.PUBKEY_HASH), int(AddressKind.WITNESS_KEY_HASH)
_SCRIPT_HASH, _WITNESS_SCRIPT_HASH = int(AddressKind.SCRIPT_HASH), int(AddressKind.WITNESS_SCRIPT_HASH)

Find = Callable[[U8, U8], I32]
"""Address keys [n, ADDRESS_KEY_WIDTH] and their sizes to ids, -1 for none (`Columns.find_addresses`)."""


def reference(key: bytes) -> list[bytes]:
    """The readable twin of the kernel: the other address keys of the key behind a P2PKH or P2WPKH address key."""
    kind, payload = AddressKind(key[0]), key[1:]
    if kind not in (AddressKind.PUBKEY_HASH, AddressKind.WITNESS_KEY_HASH):
        return []
    other = _WITNESS_KEY_HASH if kind == AddressKind.PUBKEY_HASH else _PUBKEY_HASH
    script = b"\x76\xa9\x14" + payload + b"\x88\xac"
    program = reference_sha256(script).digest()
    return [
        bytes([other]) + payload,
        bytes([_SCRIPT_HASH]) + hash160_digest(b"\x00\x14" + payload),
        bytes([_SCRIPT_HASH]) + hash160_digest(script),
        bytes([_WITNESS_SCRIPT_HASH]) + program,
        bytes([_SCRIPT_HASH]) + hash160_digest(b"\x00\x20" + program),
    ]


def pairs(starts: I64, blob: U8, first_new: int, find: Find) -> tuple[I32, I32]:
    """Pairs (u < v) of addresses of one key, at least one of which has an id from `first_new` on; each pair once.

    `starts` [n], `blob`: the address keys of all n addresses one after another (`Columns.address_start`,
    `address_bytes`). Ascending by (v, u).
    """
    found: list[I64] = []
    for first in range(0, len(starts), CHUNK):
        ids, keys, sizes = _candidates(starts, blob, first, min(first + CHUNK, len(starts)))
        other = find(keys, sizes)
        mine = np.repeat(ids, CANDIDATES)
        fits = (other >= 0) & (np.maximum(other, mine) >= first_new)
        found.append(np.sort(np.stack((mine[fits], other[fits]), axis=1).astype(np.int64), axis=1))
    table = np.unique(np.concatenate(found)[:, ::-1], axis=0) if found else np.zeros((0, 2), np.int64)
    return table[:, 1].astype(np.int32), table[:, 0].astype(np.int32)


def links(u: I32, v: I32, first_tx_of: I64, tx_height: I32) -> LinkBatch:
    """The links of `pairs`, in canonical order; `first_tx_of`: [L] the transaction in which v first appeared.

    That is the later of the two first appearances, as ids are given in that order: the latest of the evidence.
    """
    order = np.lexsort((v, u, first_tx_of))
    tx = first_tx_of[order]
    return LinkBatch(
        u=u[order],
        v=v[order],
        rule=np.full(len(u), Rule.SAME_KEY, np.uint8),
        tx=tx,
        height=np.asarray(tx_height[tx], np.int32),
        status=np.full(len(u), LinkStatus.ACCEPTED, np.uint8),
    )


@njit(cache=True, nogil=True)
def _candidates(starts: I64, blob: U8, first: int, last: int) -> tuple[I32, U8, U8]:
    """The key hashes among the addresses [first, last), and CANDIDATES other keys of each with their sizes."""
    ids = np.empty(last - first, np.int32)
    count = 0
    for address in range(first, last):
        if blob[starts[address]] in (_PUBKEY_HASH, _WITNESS_KEY_HASH):
            ids[count] = address
            count += 1
    keys = np.zeros((count * CANDIDATES, ADDRESS_KEY_WIDTH), np.uint8)
    sizes = np.full(count * CANDIDATES, 1 + HASH_SIZE, np.uint8)
    state, script, nested = new_state(), np.empty(25, np.uint8), np.empty(34, np.uint8)
    script[0], script[1], script[2], script[23], script[24] = 0x76, 0xA9, HASH_SIZE, 0x88, 0xAC
    for place in range(count):
        at, row = starts[ids[place]], place * CANDIDATES
        payload = blob[at + 1 : at + 1 + HASH_SIZE]
        keys[row, 0] = _PUBKEY_HASH if blob[at] == _WITNESS_KEY_HASH else _WITNESS_KEY_HASH
        keys[row, 1 : 1 + HASH_SIZE] = payload
        nested[0], nested[1], nested[2:22] = 0, HASH_SIZE, payload
        keys[row + 1, 0] = _SCRIPT_HASH
        hash160(state, nested, 0, 22, keys[row + 1, 1:])
        script[3:23] = payload
        keys[row + 2, 0] = _SCRIPT_HASH
        hash160(state, script, 0, 25, keys[row + 2, 1:])
        keys[row + 3, 0] = _WITNESS_SCRIPT_HASH
        sha256(state, script, 0, 25, keys[row + 3, 1:])
        sizes[row + 3] = 33
        nested[0], nested[1], nested[2:34] = 0, 32, keys[row + 3, 1:33]
        keys[row + 4, 0] = _SCRIPT_HASH
        hash160(state, nested, 0, 34, keys[row + 4, 1:])
    return ids[:count], keys, sizes
