"""Address texts: the published vectors, independent codecs, and errors that name the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import base58 as base58_package
import bitcoin.segwit_addr
import numpy as np
import pytest
from embit import bech32 as embit_bech32
from hypothesis import given
from hypothesis import strategies as st

from chain.bitcoin import base58, bech32
from chain.bitcoin.address import decode, decode_any, encode, encode_many
from chain.bitcoin.network import MAINNET, NETWORKS, REGTEST, SIGNET, TESTNET3, Network
from chain.bitcoin.script import classify
from chain.errors import AddressError
from chain.model import ADDRESS_KEY_WIDTH, AddressKind

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "reference" / "addresses.json").read_text())
PAYLOAD_SIZES = {
    AddressKind.PUBKEY_HASH: 20,
    AddressKind.SCRIPT_HASH: 20,
    AddressKind.WITNESS_KEY_HASH: 20,
    AddressKind.WITNESS_SCRIPT_HASH: 32,
    AddressKind.TAPROOT: 32,
    AddressKind.MULTISIG: 32,
}
GOOD = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
LEGACY = "1FsSia9rv4NeEwvJ2GvXrX7LyxYspbN2mo"
networks = st.sampled_from(list(NETWORKS.values()))


@st.composite
def keys(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from([*PAYLOAD_SIZES, AddressKind.WITNESS_UNKNOWN]))
    if kind == AddressKind.WITNESS_UNKNOWN:
        version, program = draw(st.integers(1, 16)), draw(st.binary(min_size=2, max_size=40))
        is_taproot = version == 1 and len(program) == 32
        return bytes([AddressKind.TAPROOT]) + program if is_taproot else bytes([kind, version]) + program
    size = PAYLOAD_SIZES[kind]
    payload = draw(st.one_of(st.binary(min_size=size, max_size=size), st.just(bytes(size))))
    return bytes([kind]) + payload


def columns(rows: list[bytes]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    matrix = np.zeros((len(rows), ADDRESS_KEY_WIDTH), np.uint8)
    for row, key in enumerate(rows):
        matrix[row, : len(key)] = np.frombuffer(key, np.uint8)
    return matrix, np.array([len(key) for key in rows], np.uint8)


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda vector: vector["address"])
def test_published_addresses(vector: dict[str, str]) -> None:
    network = NETWORKS[vector["network"]]
    kind, key = classify(bytes.fromhex(vector["script"]))
    text = vector["address"]
    lowered = text.lower() if text.isupper() else text
    assert decode(text, network) == key
    assert encode(key, network) == lowered
    assert encode_many(*columns([key]), network) == [lowered]
    if lowered.startswith(network.segwit_prefix):
        assert decode(text.upper(), network) == key
    assert kind.name in {"P2PKH", "P2SH", "P2WPKH", "P2WSH", "P2TR", "WITNESS_UNKNOWN"}


@pytest.mark.parametrize("vector", VECTORS["invalid"], ids=lambda vector: vector["text"])
def test_published_invalid_addresses_say_why(vector: dict[str, Any]) -> None:
    network = TESTNET3 if vector["text"].startswith("tb") else MAINNET
    with pytest.raises(AddressError) as caught:
        decode(vector["text"], network)
    assert vector["says"] in str(caught.value)
    if vector["position"] is not None:
        assert caught.value.position == vector["position"]


@pytest.mark.parametrize("text", VECTORS["invalid_core"])
def test_what_core_refuses_is_refused_on_every_network(text: str) -> None:
    for network in NETWORKS.values():
        with pytest.raises(AddressError):
            decode(text, network)


@pytest.mark.parametrize("vector", VECTORS["superseded"], ids=lambda vector: vector["address"])
def test_bech32_for_later_versions_is_named(vector: dict[str, Any]) -> None:
    with pytest.raises(AddressError, match=f"bech32 is used for witness version {vector['version']}, .*bech32m"):
        decode(vector["address"], MAINNET)


@pytest.mark.parametrize("form", ["bech32", "bech32m"])
def test_published_bech32_texts(form: str) -> None:
    expected = {"bech32": bech32.BECH32, "bech32m": bech32.BECH32M}[form]
    for text in VECTORS["bech32"][form]:
        prefix, values, found = bech32.decode(text)
        assert found == expected, text
        assert bech32.encode(prefix, values, found) == text.lower()


@pytest.mark.parametrize("text", VECTORS["bech32_invalid"], ids=ascii)
def test_published_invalid_bech32_texts(text: str) -> None:
    with pytest.raises(AddressError):
        bech32.decode(text)


@given(st.lists(keys(), max_size=5), networks)
def test_kernels_equal_the_reference_and_decode_back(rows: list[bytes], network: Network) -> None:
    texts = [encode(key, network) for key in rows]
    assert encode_many(*columns([*rows, b""]), network) == [*texts, None]
    assert [decode(text, network) for text in texts] == rows


@given(st.binary(min_size=20, max_size=20), networks)
def test_base58_equals_the_base58_package(payload: bytes, network: Network) -> None:
    for kind, version in (
        (AddressKind.PUBKEY_HASH, network.pubkey_hash_version),
        (AddressKind.SCRIPT_HASH, network.script_hash_version),
    ):
        text = base58_package.b58encode_check(bytes([version]) + payload).decode()
        assert encode(bytes([kind]) + payload, network) == text
        assert decode(text, network) == bytes([kind]) + payload


@given(st.binary(max_size=60))
def test_base58_of_any_length(raw: bytes) -> None:
    text = base58.encode(raw)
    assert text == base58_package.b58encode_check(raw).decode()
    assert base58.decode(text) == raw


@given(st.integers(0, 16), st.binary(min_size=2, max_size=40), networks)
def test_segwit_equals_embit(version: int, program: bytes, network: Network) -> None:
    if version == 0:
        program = (program * 16)[:20]
    kind, key = classify(bytes([version + 0x50 if version else 0, len(program)]) + program)
    assert kind.name.startswith(("P2W", "P2TR", "WITNESS"))
    assert encode(key, network) == embit_bech32.encode(network.segwit_prefix, version, program)


def test_python_bitcoinlib_is_wrong_for_taproot_and_we_are_not() -> None:
    """It writes version 1 with the checksum of version 0, without an error (BIP 350 is of 2020)."""
    expected = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"
    program = decode(expected, MAINNET)[1:]
    theirs = bitcoin.segwit_addr.encode("bc", 1, program)
    assert encode(bytes([AddressKind.TAPROOT]) + program, MAINNET) == expected
    assert theirs != expected
    with pytest.raises(AddressError, match="bech32 is used for witness version 1"):
        decode(theirs, MAINNET)


@given(keys().filter(lambda key: key[0] in (3, 4, 5, 6)), st.data())
def test_one_wrong_character_of_bech32_is_located(key: bytes, data: st.DataObject) -> None:
    text = encode(key, MAINNET)
    place = data.draw(st.integers(3, len(text) - 1))
    wrong = data.draw(st.sampled_from([c for c in bech32.CHARSET if c != text[place]]))
    with pytest.raises(AddressError) as caught:
        decode(text[:place] + wrong + text[place + 1 :], MAINNET)
    # Changed between 0 and another version, the checksum may hold for the other form: never silently.
    assert place in {caught.value.position, 3}


@pytest.mark.parametrize("text", [GOOD, LEGACY])
@pytest.mark.parametrize(
    ("foreign", "name"),
    [
        (" ", "SPACE"),
        ("\n", "control character"),
        ("\u200b", "ZERO WIDTH SPACE"),
        ("\u00a0", "NO-BREAK SPACE"),
        ("\uff11", "FULLWIDTH DIGIT ONE"),
        ("\u0430", "CYRILLIC SMALL LETTER A"),
        ("\x00", "control character"),
    ],
)
def test_foreign_characters_are_refused_by_position(text: str, foreign: str, name: str) -> None:
    for place in (0, 7, len(text)):
        with pytest.raises(AddressError, match=f"{name}.* at position {place}") as caught:
            decode(text[:place] + foreign + text[place:], MAINNET)
        assert caught.value.position == place


@pytest.mark.parametrize(
    ("text", "network", "says", "position"),
    [
        ("", MAINNET, "empty", None),
        ("1" * 5000, MAINNET, "5000 characters", 90),
        (GOOD, SIGNET, "an address of main, not of signet", 0),
        (LEGACY, REGTEST, "an address of main, not of regtest", 0),
        ("mzK2FFDEhxqHcmrJw1ysqFkVyhUULo45hZ", MAINNET, "of test or testnet4 or signet or regtest, not", 0),
        ("bcrt1qdavt4j2sd7dlhqsavtnfxvzppw6k7qy97tmnu9", MAINNET, "an address of regtest, not of main", 0),
        (GOOD[:2] + GOOD[3:], MAINNET, "no separator '1' at position 2", 2),
        (GOOD[:9] + "1" + GOOD[10:], MAINNET, "'1' at position 9", 9),
        (GOOD[:9] + "B" + GOOD[10:], MAINNET, "mixed from position 9", 9),
        (GOOD[:9] + "b" + GOOD[10:], MAINNET, "'b' at position 9", 9),
        (GOOD[:6], MAINNET, "checksum is too short", None),
        (GOOD[:-1], MAINNET, "checksum does not match", None),
        (LEGACY[:9] + "0" + LEGACY[10:], MAINNET, "'0' at position 9", 9),
        (LEGACY[:9] + "2" + LEGACY[10:], MAINNET, "base58 checksum does not match", None),
        (LEGACY[:-1], MAINNET, "base58 checksum does not match", None),
        ("LKDxGDJq5TeaCjbXbCxtnCV3Q5Jj1Jx8Fj", MAINNET, "checksum does not match", None),
        (base58.encode(b"\x30" + bytes(20)), MAINNET, "version byte 48 is of no Bitcoin network", 0),
        (base58.encode(b"\x00" + bytes(19)), MAINNET, "wrong length: 20 bytes", None),
        (base58.encode(b"\x80" + bytes(32)), MAINNET, "it is a private key", None),
        ("multisig:" + "0" * 63, MAINNET, "63 hex digits", None),
        ("multisig:" + "0" * 63 + "G", MAINNET, "'G' at position 72", 72),
    ],
)
def test_errors_say_what_and_where(text: str, network: Network, says: str, position: int | None) -> None:
    with pytest.raises(AddressError) as caught:
        decode(text, network)
    assert says in str(caught.value)
    assert caught.value.position == position


def test_an_error_does_not_repeat_a_private_key() -> None:
    text = base58.encode(b"\x80" + bytes(range(32)) + b"\x01")
    with pytest.raises(AddressError) as caught:
        decode(text, MAINNET)
    assert text not in str(caught.value)


@st.composite
def changed_addresses(draw: st.DrawFn) -> str:
    text = encode(draw(keys()), draw(networks))
    place = draw(st.integers(0, len(text)))
    return text[:place] + draw(st.text(max_size=2)) + text[place + draw(st.integers(0, 2)) :]


@given(st.one_of(st.text(max_size=100), changed_addresses()))
def test_any_text_is_an_address_or_an_address_error(text: str) -> None:
    position: int | None = None
    try:
        network, key = decode_any(text)
    except AddressError as error:
        position = error.position
    else:
        assert encode(key, network) in {text, text.lower()}
    assert position is None or 0 <= position <= len(text)


def test_decode_any_names_the_network() -> None:
    assert decode_any(GOOD)[0] is MAINNET
    assert decode_any("bcrt1qdavt4j2sd7dlhqsavtnfxvzppw6k7qy97tmnu9")[0] is REGTEST
    assert decode_any("mzK2FFDEhxqHcmrJw1ysqFkVyhUULo45hZ")[0] is TESTNET3


@pytest.mark.parametrize("key", [b"\x01" + bytes(19), b"\x05" + bytes(20), b"\x06\x01\x00", b"\x63" + bytes(20)])
def test_what_is_no_key_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError):
        encode(key, MAINNET)
    with pytest.raises(ValueError, match="row 1: no address key"):
        encode_many(*columns([b"\x01" + bytes(20), key, b""]), MAINNET)


def test_encode_many_of_nothing() -> None:
    assert encode_many(*columns([]), MAINNET) == []
    assert encode_many(*columns([b"", b""]), MAINNET) == [None, None]
