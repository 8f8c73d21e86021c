"""Who signed: the address that a recoverable ECDSA signature over secp256k1 belongs to."""

from __future__ import annotations

from coincurve import PublicKey

from chain.ethereum.keccak import keccak256

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of the curve's group: r and s lie below it."""


def recover(digest: bytes, parity: int, r: int, s: int) -> bytes | None:
    """The 20 bytes of the signer's address; None where the signature is none of anybody.

    A high s is accepted, as blocks before Homestead have such; forbidding it is the caller's.
    """
    key = public_key(digest, parity, r, s)
    return None if key is None else keccak256(key)[12:]


def public_key(digest: bytes, parity: int, r: int, s: int) -> bytes | None:
    """The 64 bytes of the signer's point, whose Keccak-256 ends in the address; None as above."""
    if not (0 < r < ORDER and 0 < s < ORDER and parity in (0, 1)):
        return None
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
    try:
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except Exception:  # libsecp256k1's refusal has no type of its own: r is on no point of the curve
        return None
    return key.format(compressed=False)[1:]
