"""Columnar decoding of addresses, and Ethereum's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from eth_utils.address import to_checksum_address
from hypothesis import example, given
from hypothesis import strategies as st

from api.labels.addresses import EXPLAINED, keyed
from api.labels.pack import Pack
from chain.bitcoin import address as bitcoin
from chain.bitcoin.network import MAINNET, NETWORKS, REGTEST, Network
from chain.errors import AddressError
from chain.ethereum import address as ethereum
from chain.model import AddressKind
from chain.store.labels import NOT_COVERED, Claim

GENESIS = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
P2WSH = "bc1qgdjqv0av3q56jvd82tkdjpy7gdp9ut8tlqmgrpmv24sq90ecnvqqjwvw97"
MIXED = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
"""Its case is its checksum."""


def decoded(texts: list[str], network: Network = MAINNET) -> list[bytes]:
    raw = [text.encode("utf-8", "surrogatepass") for text in texts]
    sizes = np.array([len(each) for each in raw], np.int64)
    flat = np.frombuffer(b"".join(raw), np.uint8)
    keys, lengths = bitcoin.decode_many(flat, np.cumsum(sizes) - sizes, sizes, network)
    return [bytes(key[:length]) for key, length in zip(keys, lengths.tolist(), strict=True)]


def reference(text: str, network: Network) -> bytes:
    try:
        return bitcoin.decode(text, network)
    except AddressError:
        return b""


KEYS = st.one_of(
    st.builds(
        lambda kind, payload: bytes([kind]) + payload,
        st.sampled_from([AddressKind.PUBKEY_HASH, AddressKind.SCRIPT_HASH, AddressKind.WITNESS_KEY_HASH]),
        st.binary(min_size=20, max_size=20),
    ),
    st.builds(
        lambda kind, payload: bytes([kind]) + payload,
        st.sampled_from([AddressKind.WITNESS_SCRIPT_HASH, AddressKind.TAPROOT, AddressKind.MULTISIG]),
        st.binary(min_size=32, max_size=32),
    ),
    st.builds(
        lambda version, program: bytes([AddressKind.WITNESS_UNKNOWN, version]) + program,
        st.integers(2, 16),
        st.binary(min_size=2, max_size=40),
    ),
)


@given(st.lists(KEYS, max_size=6), st.sampled_from(list(NETWORKS.values())))
def test_every_address_is_decoded_to_its_key(keys: list[bytes], network: Network) -> None:
    texts = [bitcoin.encode(key, network) for key in keys]
    assert decoded(texts, network) == keys
    upper = [text.upper() if text.startswith(network.segwit_prefix) else text for text in texts]
    assert decoded(upper, network) == keys


@given(KEYS, st.data())
def test_a_changed_address_is_what_the_reference_says(key: bytes, data: st.DataObject) -> None:
    text = bitcoin.encode(key, MAINNET)
    place = data.draw(st.integers(0, len(text)))
    put = data.draw(st.sampled_from(["", "1", "q", "Q", "0", " ", "\u0131", "é", text[:1]]))
    drop = data.draw(st.integers(0, 2))
    changed = text[:place] + put + text[place + drop :]
    assert decoded([changed])[0] == reference(changed, MAINNET)


@given(st.text(max_size=95))
@example("")
@example("1" * 25)
@example("1" * 40)
@example("bc1")
@example("multisig:" + "g" * 64)
@example(GENESIS + " ")
@example("z" * 35)
def test_any_text_is_what_the_reference_says(text: str) -> None:
    assert decoded([text])[0] == reference(text, MAINNET)


def test_an_address_of_another_network_is_none() -> None:
    assert decoded([GENESIS, P2WSH], REGTEST) == [b"", b""]


@pytest.mark.parametrize("text", [MIXED, MIXED.lower(), "0x" + MIXED[2:].upper(), "0X" + MIXED[2:]])
def test_an_ethereum_address_has_twenty_bytes(text: str) -> None:
    assert ethereum.decode(text).hex() == MIXED[2:].lower()
    assert ethereum.encode(ethereum.decode(text)) == MIXED


@given(st.binary(min_size=20, max_size=20))
def test_ethereum_addresses_round_trip(key: bytes) -> None:
    assert ethereum.decode(ethereum.encode(key)) == key
    assert ethereum.encode(key) == to_checksum_address(key)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (MIXED.replace("dA", "da", 1), "EIP-55 checksum does not match: the case of 'a' at position 5"),
        (MIXED[:-1], "wrong length: 39 hex digits"),
        (MIXED + "0", "wrong length: 41 hex digits"),
        (MIXED[:-1] + "g", "'g' at position 41"),
        (MIXED[2:], "does not begin with 0x"),
        ("", "does not begin with 0x"),
        (MIXED[:-1] + "\u0665", "no hex digit"),
    ],
)
def test_what_is_no_ethereum_address_is_refused(text: str, says: str) -> None:
    with pytest.raises(AddressError, match=says):
        ethereum.decode(text)


def pack_of(rows: Sequence[tuple[str, str, str | None]]) -> Pack:
    pack = Pack("csv", "a.csv", "t", "c", place_name="line")
    for place, (address, currency, network) in enumerate(rows, 2):
        pack.add(place, address, pack.number(Claim("x", currency, network)))
    return pack


def test_the_network_or_else_the_currency_says_which_chain() -> None:
    pack = pack_of(
        [
            (GENESIS, "BTC", None), (GENESIS, "XBT", None), (GENESIS, "USDT", "BTC"), (MIXED, "ETH", None),
            (MIXED, "USDT", None), (MIXED, "USDC", "ETH"), (MIXED, "USDT", "BSC"), (MIXED, "BSC", None),
            ("TBHTJqAy4DhHhmT3dNceJYNRz4SdLofLre", "USDT", None), ("tz1N47", "XTZ", None), (MIXED, "SHIB", None),
        ]
    )  # fmt: skip
    rows = keyed(pack, MAINNET)
    assert not pack.rejects
    none = NOT_COVERED
    assert rows.chain.tolist() == [0, 0, 0, 1, 1, 1, none, none, none, none, none]
    assert rows.size.tolist() == [21, 21, 21, 20, 20, 20, 0, 0, 0, 0, 0]
    assert bytes(rows.key[0, :21]) == bitcoin.decode(GENESIS, MAINNET)
    assert bytes(rows.key[3, :20]) == ethereum.decode(MIXED)
    assert not rows.key[3, 20:].any()


def test_what_is_no_address_is_rejected_by_row_and_the_rest_is_kept() -> None:
    pack = pack_of(
        [
            (GENESIS, "BTC", None), (GENESIS[:-1] + "b", "BTC", None), (MIXED.replace("dA", "da"), "ETH", None),
            (MIXED, "BTC", None), (GENESIS, "ETH", None), ("a\0b", "XTZ", None), ("a\udc80", "XTZ", None),
            (GENESIS + "\0", "BTC", None), ("\udc80", "BTC", None), (P2WSH, "BTC", None), ("", "BTC", None),
        ]
    )  # fmt: skip
    rows = keyed(pack, MAINNET)
    assert rows.address == [GENESIS, P2WSH]
    assert rows.place.tolist() == [2, 11]
    assert rows.claim.tolist() == [0, 0]
    assert [reject.place for reject in pack.rejects] == [f"line {n}" for n in (3, 4, 5, 6, 7, 8, 9, 10, 12)]
    assert all(reject.source == "a.csv" and reject.reason.startswith("address: ") for reject in pack.rejects)
    assert "base58 checksum" in pack.rejects[0].reason
    assert "EIP-55" in pack.rejects[1].reason
    assert "NUL" in pack.rejects[4].reason


def test_many_refused_addresses_are_refused_without_the_exact_reason() -> None:
    pack = pack_of([(f"bc1q{n:06}", "BTC", None) for n in range(EXPLAINED + 3)] + [(GENESIS, "BTC", None)])
    rows = keyed(pack, MAINNET)
    assert rows.address == [GENESIS]
    assert len(pack.rejects) == EXPLAINED + 3
    assert pack.rejects[-1].reason == "address: not an address of Bitcoin's main network"
