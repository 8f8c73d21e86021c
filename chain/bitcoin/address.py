"""Address keys as people write them, and back.

A key is a kind byte and a payload (chain/model.py). A bare multisig has no address; it is written
`multisig:` and the SHA-256 of its script in hex. Nothing is corrected, trimmed or guessed.
"""
# mypy: disable-error-code="no-any-return"
# (compiled functions call each other through an untyped decorator)

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from chain.bitcoin import base58, bech32
from chain.bitcoin.hashes import DIGEST_SIZE, HASH160_SIZE, new_state
from chain.bitcoin.network import NETWORKS
from chain.bitcoin.script import MAX_PROGRAM, MIN_PROGRAM
from chain.errors import AddressError
from chain.model import ADDRESS_KEY_WIDTH, I64, U8, AddressKind

if TYPE_CHECKING:
    from chain.bitcoin.network import Network

MULTISIG_PREFIX = "multisig:"
MAX_TEXT = 90
"""Characters of the longest text that can be an address."""
PRIVATE_KEY_VERSIONS = (128, 239)
"""Version bytes of private keys in wallet import format, main and test."""
MAX_WITNESS_VERSION = 16

_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_MULTISIG = np.frombuffer(MULTISIG_PREFIX.encode(), np.uint8)


def encode(key: bytes, network: Network) -> str:
    """The text of an address key; ValueError where `key` is none."""
    kind, payload = AddressKind(key[0]), key[1:]
    match kind:
        case AddressKind.PUBKEY_HASH | AddressKind.SCRIPT_HASH if len(payload) == HASH160_SIZE:
            is_key = kind == AddressKind.PUBKEY_HASH
            version = network.pubkey_hash_version if is_key else network.script_hash_version
            return base58.encode(bytes([version]) + payload)
        case AddressKind.WITNESS_KEY_HASH if len(payload) == HASH160_SIZE:
            return _encode_program(network, 0, payload)
        case AddressKind.WITNESS_SCRIPT_HASH if len(payload) == DIGEST_SIZE:
            return _encode_program(network, 0, payload)
        case AddressKind.TAPROOT if len(payload) == DIGEST_SIZE:
            return _encode_program(network, 1, payload)
        case AddressKind.WITNESS_UNKNOWN if MIN_PROGRAM < len(payload) <= MAX_PROGRAM + 1:
            return _encode_program(network, payload[0], payload[1:])
        case AddressKind.MULTISIG if len(payload) == DIGEST_SIZE:
            return MULTISIG_PREFIX + payload.hex()
    raise ValueError(f"no address key: {kind.name} with {len(payload)} bytes")


def decode(text: str, network: Network) -> bytes:
    """The address key that `text` stands for on `network`.

    AddressError says what is wrong, with the 0-based `position` of the first character that cannot
    be right where there is one. The text itself is not repeated: it may be a private key.
    """
    networks, key = _parse(text)
    if network not in networks:
        names = " or ".join(each.name for each in networks)
        raise AddressError(f"it is an address of {names}, not of {network.name}", 0)
    return key


def decode_any(text: str) -> tuple[Network, bytes]:
    """The first network (in the order of NETWORKS) that has `text` as an address, and its key.

    The test networks share prefixes: theirs is named `test` whichever of them is meant.
    """
    networks, key = _parse(text)
    return networks[0], key


def encode_many(keys: U8, sizes: U8, network: Network) -> list[str | None]:
    """`encode` for each of `keys` [n, ADDRESS_KEY_WIDTH] with `sizes` [n]; None where the size is 0."""
    versions = np.array([network.pubkey_hash_version, network.script_hash_version])
    prefix = np.frombuffer(network.segwit_prefix.encode(), np.uint8)
    characters, ends = _write_all(keys, sizes, versions, prefix)
    if len(ends) and ends[-1] < 0:
        row = int(np.flatnonzero(ends < 0)[0])
        raise ValueError(f"row {row}: no address key: {keys[row, : sizes[row]].tobytes().hex()}")
    text = characters[: ends[-1] if len(ends) else 0].tobytes().decode("ascii")
    bounds = [0, *ends.tolist()]
    return [text[bounds[row] : end] or None for row, end in enumerate(bounds[1:])]


def decode_many(texts: U8, starts: I64, sizes: I64, network: Network) -> tuple[U8, U8]:
    """`decode` of each `texts[starts[i] : starts[i] + sizes[i]]`: keys [n, ADDRESS_KEY_WIDTH] and their sizes [n].

    Size 0 where the text is no address of `network`; `decode` says why.
    """
    versions = np.array([network.pubkey_hash_version, network.script_hash_version])
    prefix = np.frombuffer(network.segwit_prefix.encode(), np.uint8)
    keys: U8
    lengths: U8
    keys, lengths = _read_all(texts, starts, sizes, versions, prefix)
    return keys, lengths


def _encode_program(network: Network, version: int, program: bytes) -> str:
    form = bech32.BECH32M if version else bech32.BECH32
    return bech32.encode(network.segwit_prefix, [version, *bech32.to_five_bits(program)], form)


def _parse(text: str) -> tuple[list[Network], bytes]:
    """The networks on which `text` is an address, and its key."""
    for place, character in enumerate(text[:MAX_TEXT]):
        if not "!" <= character <= "~":
            name = unicodedata.name(character, "control character")
            raise AddressError(f"U+{ord(character):04X} ({name}) at position {place}", place)
    if len(text) > MAX_TEXT:
        raise AddressError(f"{len(text)} characters; an address has at most {MAX_TEXT}", MAX_TEXT)
    if not text:
        raise AddressError("the text is empty")
    if text.startswith(MULTISIG_PREFIX):
        return list(NETWORKS.values()), _parse_multisig(text)
    prefix = _segwit_prefix(text)
    if prefix is not None:
        return _parse_segwit(text, prefix)
    return _parse_base58(text)


def _parse_multisig(text: str) -> bytes:
    digits = text[len(MULTISIG_PREFIX) :]
    for place, character in enumerate(digits, len(MULTISIG_PREFIX)):
        if character not in "0123456789abcdef":
            raise AddressError(f"{character!r} at position {place} is no lower-case hex digit", place)
    if len(digits) != 2 * DIGEST_SIZE:
        raise AddressError(f"{MULTISIG_PREFIX} is followed by {len(digits)} hex digits, not 64")
    return bytes([AddressKind.MULTISIG]) + bytes.fromhex(digits)


def _segwit_prefix(text: str) -> str | None:
    """The human-readable part, where `text` is meant for a segwit address.

    Those of our networks are told by their letters, which begin no base58 address; another one by
    the form of what follows the separator.
    """
    lowered = text.lower()
    for prefix in sorted({network.segwit_prefix for network in NETWORKS.values()}, key=len, reverse=True):
        if lowered.startswith(prefix):
            if lowered[len(prefix) : len(prefix) + 1] != "1":
                place = len(prefix)
                raise AddressError(f"no separator '1' at position {place}, behind {prefix!r}", place)
            return prefix
    prefix, _, data = lowered.rpartition("1")
    uniform = text in (lowered, text.upper())
    is_bech32 = uniform and len(data) > bech32.CHECKSUM_SIZE and set(data) <= set(bech32.CHARSET)
    return prefix if is_bech32 and prefix.isalpha() else None


def _parse_segwit(text: str, prefix: str) -> tuple[list[Network], bytes]:
    first = len(prefix) + 1
    later = text.find("1", first)
    if later >= 0:
        raise AddressError(f"'1' at position {later} does not occur behind the separator", later)
    prefix, values, form = bech32.decode(text)
    networks = [network for network in NETWORKS.values() if network.segwit_prefix == prefix]
    if not networks:
        raise AddressError(f"the prefix {prefix!r} is of no Bitcoin network", 0)
    if not values:
        raise AddressError("there is no witness version and no program")
    version = values[0]
    if version > MAX_WITNESS_VERSION:
        raise AddressError(f"witness version {version} at position {first} is above 16", first)
    if form != (bech32.BECH32M if version else bech32.BECH32):
        used, due = ("bech32", "bech32m") if version else ("bech32m", "bech32")
        raise AddressError(f"{used} is used for witness version {version}, which takes {due} (BIP 350)")
    program = bech32.from_five_bits(values[1:])
    if program is None:
        place = first + len(values) - 1
        raise AddressError(f"the bits that pad the program at position {place} are too many or not 0", place)
    return networks, _segwit_key(version, program)


def _segwit_key(version: int, program: bytes) -> bytes:
    if not MIN_PROGRAM <= len(program) <= MAX_PROGRAM:
        raise AddressError(f"wrong length: a program of {len(program)} bytes, not 2 to 40")
    if version == 0 and len(program) == HASH160_SIZE:
        return bytes([AddressKind.WITNESS_KEY_HASH]) + program
    if version == 0 and len(program) == DIGEST_SIZE:
        return bytes([AddressKind.WITNESS_SCRIPT_HASH]) + program
    if version == 0:
        raise AddressError(f"wrong length: a version 0 program of {len(program)} bytes, not 20 or 32")
    if version == 1 and len(program) == DIGEST_SIZE:
        return bytes([AddressKind.TAPROOT]) + program
    return bytes([AddressKind.WITNESS_UNKNOWN, version]) + program


def _parse_base58(text: str) -> tuple[list[Network], bytes]:
    raw = base58.decode(text)
    if raw[:1] and raw[0] in PRIVATE_KEY_VERSIONS and len(raw) in (33, 34):
        raise AddressError("it is a private key, not an address")
    if len(raw) != 1 + HASH160_SIZE:
        raise AddressError(f"wrong length: {len(raw)} bytes without checksum, an address has 21")
    for kind, name in (
        (AddressKind.PUBKEY_HASH, "pubkey_hash_version"),
        (AddressKind.SCRIPT_HASH, "script_hash_version"),
    ):
        networks = [network for network in NETWORKS.values() if getattr(network, name) == raw[0]]
        if networks:
            return networks, bytes([kind]) + raw[1:]
    raise AddressError(f"version byte {raw[0]} is of no Bitcoin network", 0)


@njit(cache=True, nogil=True)
def _write_all(keys: U8, sizes: U8, versions: I64, prefix: U8) -> tuple[U8, I64]:
    """The texts of all keys one after another, and where each ends; from a bad key on, -1."""
    state = new_state()
    characters = np.empty(len(sizes) * MAX_TEXT, np.uint8)
    ends = np.full(len(sizes), -1, np.int64)
    end = 0
    for row in range(len(sizes)):
        if sizes[row]:
            out = characters[end : end + MAX_TEXT]
            size = _write(state, keys[row, : sizes[row]], versions, prefix, out)
            if size == 0:
                return characters, ends
            end += size
        ends[row] = end
    return characters, ends


@njit(cache=True, nogil=True)
def _write(state: U8, key: U8, versions: I64, prefix: U8, out: U8) -> int:
    """The twin of `encode`: writes the text of `key` to `out`; its length, 0 where it is no key."""
    kind, payload = key[0], key[1:]
    if kind in (AddressKind.PUBKEY_HASH, AddressKind.SCRIPT_HASH) and len(payload) == HASH160_SIZE:
        version = versions[0] if kind == AddressKind.PUBKEY_HASH else versions[1]
        return int(base58.write_hash(state, version, payload, out))
    if kind == AddressKind.WITNESS_KEY_HASH and len(payload) == HASH160_SIZE:
        return int(bech32.write_program(payload, 0, prefix, out))
    if kind == AddressKind.WITNESS_UNKNOWN and MIN_PROGRAM < len(payload) <= MAX_PROGRAM + 1:
        return int(bech32.write_program(payload[1:], np.int64(payload[0]), prefix, out))
    if len(payload) != DIGEST_SIZE:
        return 0
    if kind == AddressKind.WITNESS_SCRIPT_HASH:
        return int(bech32.write_program(payload, 0, prefix, out))
    if kind == AddressKind.TAPROOT:
        return int(bech32.write_program(payload, 1, prefix, out))
    if kind != AddressKind.MULTISIG:
        return 0
    size = len(_MULTISIG)
    out[:size] = _MULTISIG
    for byte in payload:
        out[size], out[size + 1] = _HEX[byte >> 4], _HEX[byte & 15]
        size += 2
    return size


@njit(cache=True, nogil=True)
def _read_all(texts: U8, starts: I64, sizes: I64, versions: I64, prefix: U8) -> tuple[U8, U8]:
    state = new_state()
    keys = np.zeros((len(starts), ADDRESS_KEY_WIDTH), np.uint8)
    lengths = np.zeros(len(starts), np.uint8)
    for row in range(len(starts)):
        lengths[row] = _read(state, texts[starts[row] : starts[row] + sizes[row]], versions, prefix, keys[row])
        keys[row, lengths[row] :] = 0
    return keys, lengths


@njit(cache=True, nogil=True)
def _read(state: U8, text: U8, versions: I64, prefix: U8, key: U8) -> int:
    """The twin of `decode`: writes the key of `text` to `key`; its length, 0 where it is no address."""
    version = base58.read_hash(state, text, key[1:])
    if version >= 0:
        if version == versions[0]:
            key[0] = AddressKind.PUBKEY_HASH
        elif version == versions[1]:
            key[0] = AddressKind.SCRIPT_HASH
        else:
            return 0
        return 1 + HASH160_SIZE
    size = bech32.read_program(text, prefix, key[1:])
    if size > 0:
        return _name_program(key, size)
    return _read_multisig(text, key)


@njit(cache=True, nogil=True)
def _name_program(key: U8, size: int) -> int:
    """Give the witness version and program behind the kind byte their kind; the length of the key."""
    version, program = key[1], size - 1
    if program < MIN_PROGRAM or program > MAX_PROGRAM:
        return 0
    if version == 0 and program == HASH160_SIZE:
        key[0] = AddressKind.WITNESS_KEY_HASH
    elif version == 0 and program == DIGEST_SIZE:
        key[0] = AddressKind.WITNESS_SCRIPT_HASH
    elif version == 0:
        return 0
    elif version == 1 and program == DIGEST_SIZE:
        key[0] = AddressKind.TAPROOT
    else:
        key[0] = AddressKind.WITNESS_UNKNOWN
        return 1 + size
    for place in range(program):
        key[1 + place] = key[2 + place]
    return 1 + program


@njit(cache=True, nogil=True)
def _read_multisig(text: U8, key: U8) -> int:
    if len(text) != len(_MULTISIG) + 2 * DIGEST_SIZE:
        return 0
    for place in range(len(_MULTISIG)):
        if text[place] != _MULTISIG[place]:
            return 0
    for place in range(2 * DIGEST_SIZE):
        digit = np.int64(text[len(_MULTISIG) + place])
        if ord("0") <= digit <= ord("9"):
            value = digit - ord("0")
        elif ord("a") <= digit <= ord("f"):
            value = digit - ord("a") + 10
        else:
            return 0
        byte = 1 + place // 2
        key[byte] = value << 4 if place % 2 == 0 else key[byte] | value
    key[0] = AddressKind.MULTISIG
    return 1 + DIGEST_SIZE
