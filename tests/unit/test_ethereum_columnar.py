"""Blocks by columns: the same as by the strict reader, and never taken where that one refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain import uint256
from chain.errors import HeadwaterError, MalformedData
from chain.ethereum import fields
from chain.ethereum.block import Block, block_from_json
from chain.ethereum.columnar.encode import NO_TYPE, Item, Rows, encode_rows, nested, numbers
from chain.ethereum.columnar.prove import prove_blocks
from chain.ethereum.columnar.roots import ordered_roots
from chain.ethereum.columnar.scan import OtherForm, padded
from chain.ethereum.columnar.values import fixed, quantities, texts
from chain.ethereum.fields import Bytes, Quantity, parse_json
from chain.ethereum.trie import ordered_root
from chain.ethereum.verify import verify_block
from tests.unit.ethereum_blocks import bare_header, block_json, real_json, sealed, small_block
from tests.unit.test_ethereum_blocks import JSON_BLOCKS, flipped, leaves

CHAIN = 1


def strict(raw: bytes) -> Block:
    """By the reference; `size` is not looked at by columns."""
    body: Any = parse_json(raw)
    if isinstance(body, dict):
        body.pop("size", None)
    block = block_from_json(body, None)
    verify_block(block, CHAIN)
    return block


def assert_same(ours: Block, due: Block) -> None:
    assert ours == due
    assert ours.block_bytes == due.block_bytes
    assert ours.transactions == due.transactions
    for tx, other in zip(ours.transactions, due.transactions, strict=True):
        assert (tx.raw, tx.hash, tx.sender, tx.parity) == (other.raw, other.hash, other.sender, other.parity)
        assert tx.encode() == other.raw


@pytest.mark.parametrize("name", JSON_BLOCKS)
def test_real_blocks_are_the_same(data: Path, name: str) -> None:
    raw = json.dumps(real_json(data, name)).encode()
    (ours,) = prove_blocks([raw], CHAIN)
    assert_same(ours, strict(raw))


def test_many_blocks_at_once_are_the_same(data: Path) -> None:
    bodies = [json.dumps(real_json(data, name), separators=(",", ":")).encode() for name in JSON_BLOCKS[-4:]]
    small = [json.dumps(block_json(block)).encode() for block in (small_block(), sealed(bare_header(3), (), ()))]
    bodies = [small[0], *bodies, small[1]]
    for ours, raw in zip(prove_blocks(bodies, CHAIN), bodies, strict=True):
        assert_same(ours, strict(raw))
    assert prove_blocks([], CHAIN) == []


@pytest.mark.parametrize(
    "form", [{"indent": 1}, {"indent": "\t"}, {"separators": (",", ":")}, {"separators": (" , ", " : ")}]
)
def test_space_says_nothing(form: dict[str, Any]) -> None:
    raw = json.dumps(block_json(small_block()), **form).encode()
    assert_same(prove_blocks([b"\r\n " + raw + b" \n"], CHAIN)[0], strict(raw))


def test_every_flip_is_left_to_the_strict_reader() -> None:
    obj = block_json(small_block())
    paths = [path for path in leaves(obj) if path[0] not in ("totalDifficulty", "size")]
    assert len(paths) > 150
    for path in paths:
        with pytest.raises(OtherForm):
            prove_blocks([json.dumps(flipped(obj, path)).encode()], CHAIN)


def test_another_chain_and_text_that_goes_on_are_left_to_it() -> None:
    raw = json.dumps(block_json(small_block())).encode()
    for body, chain in (
        (raw, 5),
        (raw + b"x", CHAIN),
        (raw + raw, CHAIN),
        (b"[" + raw + b"]", CHAIN),
        (raw[:-1], CHAIN),
    ):
        with pytest.raises(OtherForm):
            prove_blocks([body], chain)


ODD: list[Any] = [
    None, True, False, 1, "", "0x", "0x0", "0x00", "0X1", "0x1", "1", "0x" + "f" * 64, "0x" + "f" * 65,
    "0x" + "AB" * 20, "0x" + "ab" * 32, "0xé", '0x1"', "0x1\\", [], {}, [[]], [None], ["0x"], [{}], "0x" + "0" * 40,
    "0x10", "0x7fffffffffffffff", "0x8000000000000000", "0x10000000000000000", "0x25", "0x1b",
]  # fmt: skip


@settings(max_examples=100)
@given(st.data())
def test_what_is_taken_the_strict_reader_takes(draw: st.DataObject) -> None:
    """One value is replaced or left out, a name is added or doubled, or bytes are cut, turned or put in."""
    obj = block_json(small_block())
    paths = [
        *leaves(obj),
        ("transactions", 3, "accessList"),
        ("uncles",),
        ("withdrawals",),
        ("transactions",),
    ]
    path = draw.draw(st.sampled_from(paths))
    holder: Any = obj
    for step in path[:-1]:
        holder = holder[step]
    way = draw.draw(st.sampled_from(["replace", "drop", "add", "double", "bytes"]))
    if way == "replace":
        holder[path[-1]] = draw.draw(st.sampled_from(ODD))
    elif way == "drop":
        del holder[path[-1]]
    elif way == "add" and isinstance(holder, dict):
        holder[
            draw.draw(st.sampled_from(["data", "extra", "yParity", "v", "to", "accessList", "size", "blockTimestamp"]))
        ] = draw.draw(st.sampled_from(ODD))
    raw = json.dumps(obj).encode()
    if way == "double":
        raw = raw.replace(
            b'"nonce":', draw.draw(st.sampled_from([b'"nonce": "0x1", "nonce":', b'"gas": "0x1", "nonce":'])), 1
        )
    if way == "bytes":
        at = draw.draw(st.integers(0, len(raw) - 1))
        cut = draw.draw(st.integers(0, 2))
        raw = raw[:at] + draw.draw(st.binary(max_size=2)) + raw[at + cut :]
    try:
        (ours,) = prove_blocks([raw], CHAIN)
    except OtherForm:
        return
    assert_same(ours, strict(raw))


TEXTS = st.one_of(
    st.text("0123456789abcdefABCDEFxX", max_size=70), st.from_regex(r"0x[0-9a-fA-F]{0,66}", fullmatch=True),
    st.text(max_size=5),
)  # fmt: skip


@given(st.lists(TEXTS, min_size=1, max_size=5), st.integers(0, 33))
def test_values_are_those_of_the_strict_reader(values: list[str], width: int) -> None:
    encoded = [value.encode() for value in values]
    raw, begins = padded(encoded)
    sizes = np.array([len(value) for value in encoded], np.int64)
    spans, places = (begins.reshape(-1, 1), sizes.reshape(-1, 1)), np.zeros(1, np.int64)

    def due(kind: Any) -> list[Any] | None:
        try:
            return [kind.from_json(value, "it") for value in values]
        except MalformedData:
            return None

    for limbs in (1, 4):
        found, good = quantities(raw, *spans, places, limbs)
        assert (uint256.to_ints(np.pad(found[0], ((0, 0), (0, 4 - limbs)))) if good else None) == due(
            Quantity(64 * limbs)
        )
    rows, good = fixed(raw, *spans, places, width)
    assert ([row.tobytes() for row in rows[0]] if good else None) == due(Bytes(width))
    flat, counts, good = texts(raw, begins, sizes)
    assert ([part.tobytes() for part in np.split(flat, np.cumsum(counts)[:-1])] if good else None) == due(Bytes())


def _rows(values: list[bytes]) -> Rows:
    sizes = np.array([len(value) for value in values], np.int64)
    return Rows(np.frombuffer(b"".join(values), np.uint8), np.cumsum(sizes) - sizes, sizes)


def _cut(rows: Rows) -> list[bytes]:
    return [
        rows.flat[at : at + size].tobytes() for at, size in zip(rows.starts.tolist(), rows.sizes.tolist(), strict=True)
    ]


@given(
    st.lists(
        st.tuples(st.binary(max_size=70), st.integers(0, uint256.MAX), st.lists(st.binary(max_size=60), max_size=4)),
        max_size=6,
    )
)
def test_rlp_is_that_of_the_reference(rows: list[tuple[bytes, int, list[bytes]]]) -> None:
    texts_of = [each for _, _, many in rows for each in many]
    parent = np.repeat(np.arange(len(rows)), [len(many) for _, _, many in rows]).astype(np.int64)
    encoded = nested(_rows([fields.encode(text) for text in texts_of]), parent, len(rows))
    items = [
        Item(_rows([text for text, _, _ in rows])), numbers(uint256.from_ints(number for _, number, _ in rows)),
        Item(encoded, encoded=True),
    ]  # fmt: skip
    types = np.array([row - 1 for row in range(len(rows))], np.int64)
    form = np.array([row % 2 for row in range(len(rows))], np.int64)
    found = _cut(encode_rows(items, [[0, 1, 2], [2, 0]], form, types))
    for row, (text, number, many) in enumerate(rows):
        whole: Any = [text, Quantity().to_rlp(number), many] if row % 2 == 0 else [many, text]
        head = b"" if types[row] == NO_TYPE else bytes([row - 1])
        assert found[row] == head + fields.encode(whole)


@pytest.mark.parametrize("size", [1, 30, 33, 700])
def test_roots_are_those_of_the_reference(size: int) -> None:
    random = np.random.default_rng(size)
    counts = [*range(20), 127, 128, 129, 144, 255, 256, 257, 300, 1000]
    lists = [[random.bytes(int(random.integers(1, size + 1))) for _ in range(count)] for count in counts]
    first = np.cumsum([0, *counts])
    found = ordered_roots(_rows([value for each in lists for value in each]), first)
    assert [row.tobytes() for row in found] == [ordered_root(each) for each in lists]


def test_an_error_is_named_by_the_strict_reader() -> None:
    raw = json.dumps(block_json(replace(small_block(), hash=bytes(32)))).encode()
    with pytest.raises(OtherForm):
        prove_blocks([raw], CHAIN)
    with pytest.raises(HeadwaterError, match="block_hash"):
        strict(raw)
