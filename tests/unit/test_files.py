"""Blocks in files: what is found, what is refused and where, and which chain is chosen."""

from __future__ import annotations

import gzip
import itertools
import lzma
import random
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from bitcoin.core import CBlock
from bitcoin.core.script import CScript
from hypothesis import given
from hypothesis import strategies as st

from chain.bitcoin.blockindex import BlockTree, target_of, work
from chain.bitcoin.files import BlkFolder, BlockFiles
from chain.bitcoin.network import MAINNET, REGTEST, SIGNET
from chain.bitcoin.parse import scan_headers
from chain.errors import IntegrityError, LimitExceeded, MalformedData, SourceError, TruncatedData
from chain.model import UNKNOWN, Proof, hash_bytes, hash_text
from chain.source import ChainSource, ExtractSource, Tip

EASY_BITS = 0x207FFFFF
HARDER_BITS = 0x201FFFFF
"""A quarter of the easiest target: such a block counts four times as much."""

GENESIS = bytes.fromhex(
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617f"
    "c81bc3888a51323a9fb8aa4b1e5e4adae5494dffff7f200200000001010000000100000000000000000000000000000000000000000000"
    "00000000000000000000ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72"
    "206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678a"
    "fdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a"
    "4c702b6bf11d5fac00000000"
)
"""Regtest's first block."""


def digest(header: bytes) -> bytes:
    return sha256(sha256(header[:80]).digest()).digest()


def block_on(parent: bytes, height: int, salt: int = 0, bits: int = EASY_BITS, version: int = 2) -> bytes:
    """A block of one coinbase transaction that states `height`, mined at `bits`."""
    script = bytes(CScript([height])) + salt.to_bytes(4, "little")
    coinbase = (
        b"\1\0\0\0\1" + bytes(32) + b"\xff" * 4 + bytes([len(script)]) + script + b"\xff" * 4
        + b"\1" + (50 * 10**8).to_bytes(8, "little") + b"\1\x51" + bytes(4)
    )  # fmt: skip
    root = sha256(sha256(coinbase).digest()).digest()
    start = version.to_bytes(4, "little") + parent + root + (1_600_000_000 + height).to_bytes(4, "little")
    for nonce in itertools.count():
        header = start + bits.to_bytes(4, "little") + nonce.to_bytes(4, "little")
        if int.from_bytes(digest(header), "little") <= target_of(bits):
            return header + b"\1" + coinbase
    raise AssertionError


def grow(parent: bytes, height: int, count: int, salt: int = 0, bits: int = EASY_BITS) -> list[bytes]:
    """`count` blocks one above the other, the first on the block `parent` at `height`."""
    blocks: list[bytes] = []
    for place in range(count):
        blocks.append(block_on(digest(blocks[-1]) if blocks else digest(parent), height + place, salt, bits))
    return blocks


MAIN_BRANCH = [GENESIS, *grow(GENESIS, 70_000, 8)]
# The heights that these coinbases state are far above: regtest's genesis decides.


def record(block: bytes, magic: bytes = REGTEST.magic) -> bytes:
    return magic + len(block).to_bytes(4, "little") + block


def blk(folder: Path, *parts: bytes, name: str = "blk00000.dat") -> BlkFolder:
    (folder / name).write_bytes(b"".join(parts))
    return BlkFolder(folder, REGTEST)


def connected(source: BlockFiles) -> BlockFiles:
    source.connect(None, None)
    return source


def loaded(source: BlkFolder | BlockFiles) -> list[bytes]:
    """The hashes of the chosen chain as its batches give them, in order of height."""
    hashes: list[bytes] = []
    for batch in source.batches(0, None):
        hashes += [row.tobytes() for row in batch.block_hash]
    return hashes


def hashes_of(blocks: Sequence[bytes]) -> list[bytes]:
    return [digest(block) for block in blocks]


# -- records


def test_folder_of_records_is_a_chain_from_genesis(tmp_path: Path) -> None:
    source = blk(tmp_path, *map(record, MAIN_BRANCH))
    as_chain: ChainSource = source
    as_extract: ExtractSource = source
    as_chain.connect(None, None)
    assert loaded(source) == hashes_of(MAIN_BRANCH)
    assert source.tip() == Tip(8, digest(MAIN_BRANCH[8]))
    assert source.hash_at(0) == REGTEST.genesis_hash
    assert source.hash_at(9) is None
    batch = next(as_extract.all_batches())
    assert batch.proof is Proof.BYTES
    assert batch.block_height.tolist() == list(range(9))
    assert batch.raw.tobytes() == b"".join(MAIN_BRANCH)
    assert source.rejects == []


def test_batches_from_and_to(tmp_path: Path) -> None:
    source = blk(tmp_path, *map(record, MAIN_BRANCH))
    source.connect(None, None)
    assert [batch.block_height.tolist() for batch in source.batches(3, 5)] == [[3, 4, 5]]
    assert [batch.block_height.tolist() for batch in source.batches(7, None)] == [[7, 8]]
    assert list(source.batches(9, None)) == []


def test_order_duplicates_padding_and_several_files(tmp_path: Path) -> None:
    shuffled = MAIN_BRANCH[::-1]
    blk(tmp_path, *map(record, shuffled[:3]), bytes(1000), *map(record, shuffled[2:6]), bytes(3_000_000))
    (tmp_path / "blk00001.dat.xz").write_bytes(lzma.compress(b"".join(map(record, shuffled[6:])) + bytes(77)))
    (tmp_path / "blk00002.dat").write_bytes(bytes(5000))
    (tmp_path / "rev00000.dat").write_bytes(b"not read")
    source = BlkFolder(tmp_path, REGTEST)
    source.connect(None, None)
    assert loaded(source) == hashes_of(MAIN_BRANCH)
    assert source.rejects == []


def test_last_record_cut_is_a_reject_at_every_length(tmp_path: Path) -> None:
    whole = b"".join(map(record, MAIN_BRANCH[:3]))
    last = record(MAIN_BRANCH[3])
    for length in range(4, len(last)):
        source = blk(tmp_path, whole, last[:length])
        source.connect(None, None)
        assert source.tip() == Tip(2, digest(MAIN_BRANCH[2]))
        assert [(reject.source, reject.place) for reject in source.rejects] == [
            (str(tmp_path / "blk00000.dat"), f"byte {len(whole)}")
        ]


def test_record_that_the_node_was_still_writing(tmp_path: Path) -> None:
    begun = REGTEST.magic + (300).to_bytes(4, "little") + bytes(10_000)
    source = blk(tmp_path, *map(record, MAIN_BRANCH[:3]), begun)
    source.connect(None, None)
    assert loaded(source) == hashes_of(MAIN_BRANCH[:3])
    assert "not written to its end" in source.rejects[0].reason


def test_garbage_between_records_is_named_by_its_range(tmp_path: Path) -> None:
    first = record(MAIN_BRANCH[0])
    source = blk(tmp_path, first, b"\1\2\3" * 500_000, *map(record, MAIN_BRANCH[1:]))
    source.connect(None, None)
    assert loaded(source) == hashes_of(MAIN_BRANCH)
    assert [reject.place for reject in source.rejects] == [f"byte {len(first)}"]
    assert source.rejects[0].reason.startswith(f"bytes {len(first)} to {len(first) + 1_499_999} are no record")


def test_too_many_damaged_records_end_the_load(tmp_path: Path) -> None:
    source = blk(tmp_path, record(MAIN_BRANCH[0]), (REGTEST.magic + b"\xff" * 4) * 10_001)
    with pytest.raises(LimitExceeded, match="10,000"):
        source.connect(None, None)


@pytest.mark.parametrize(
    ("size", "reason"),
    [(1 << 30, "more than a block can have"), (4_000_001, "more than a block can have"),
     (80, "fewer than a block has"), (0, "fewer than a block has"), (3_999_999, "the file has only")],
)  # fmt: skip
def test_length_that_cannot_be_is_refused_and_the_rest_read(tmp_path: Path, size: int, reason: str) -> None:
    wrong = REGTEST.magic + size.to_bytes(4, "little") + MAIN_BRANCH[1]
    source = blk(tmp_path, record(MAIN_BRANCH[0]), wrong, *map(record, MAIN_BRANCH[1:]))
    source.connect(None, None)
    assert loaded(source) == hashes_of(MAIN_BRANCH)
    assert len(source.rejects) == 1
    assert reason in source.rejects[0].reason


def test_file_with_nothing_but_a_refused_record_is_an_error(tmp_path: Path) -> None:
    source = blk(tmp_path, REGTEST.magic, (1 << 30).to_bytes(4, "little"), bytes(1000))
    with pytest.raises(MalformedData, match=r"byte 0: the record states 1,073,741,824 bytes"):
        source.connect(None, None)


def test_record_of_another_network_is_named(tmp_path: Path) -> None:
    source = blk(tmp_path, *map(record, MAIN_BRANCH), record(b"x" * 100, SIGNET.magic))
    with pytest.raises(IntegrityError, match=r"network: .*blk00000\.dat: byte \d+: .*signet, not of regtest"):
        source.connect(None, None)


def test_folder_without_blk_files_and_absent_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no blk\*\.dat file"):
        BlkFolder(tmp_path, REGTEST).connect(None, None)
    with pytest.raises(SourceError, match="absent"):
        BlkFolder(tmp_path / "absent", REGTEST).connect(None, None)


def test_file_that_shrinks_or_changes_between_index_and_load(tmp_path: Path) -> None:
    source = blk(tmp_path, *map(record, MAIN_BRANCH))
    source.connect(None, None)
    path = tmp_path / "blk00000.dat"
    whole = path.read_bytes()
    path.write_bytes(whole + record(b"x" * 100))
    assert loaded(source) == hashes_of(MAIN_BRANCH)
    path.write_bytes(whole[:-1])
    with pytest.raises(TruncatedData, match="became shorter"):
        loaded(source)
    path.write_bytes(whole[: -len(MAIN_BRANCH[8])] + block_on(digest(MAIN_BRANCH[7]), 70_007, salt=9))
    with pytest.raises(SourceError, match="changed while it was read"):
        loaded(source)


# -- obfuscation


def xored(data: bytes, key: bytes) -> bytes:
    return bytes(byte ^ key[place % 8] for place, byte in enumerate(data))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_obfuscated_files_with_preallocated_zeros(tmp_path: Path, seed: int, pack: Callable[[bytes], bytes]) -> None:
    # Seed 0 is a key that turns the first magic byte into zero.
    key = random.Random(seed).randbytes(8) if seed else REGTEST.magic[:1] + b"1234567"
    content = xored(b"".join(map(record, MAIN_BRANCH)), key) + bytes(20_000)
    name = "blk00000.dat.gz" if pack is gzip.compress else "blk00000.dat"
    (tmp_path / name).write_bytes(pack(content))
    (tmp_path / "xor.dat").write_bytes(key)
    source = BlkFolder(tmp_path, REGTEST)
    source.connect(None, None)
    assert loaded(source) == hashes_of(MAIN_BRANCH)
    assert source.rejects == []


def test_key_that_is_absent_wrong_or_of_a_wrong_size(tmp_path: Path) -> None:
    source = blk(tmp_path, xored(b"".join(map(record, MAIN_BRANCH)), b"headwate"))
    with pytest.raises(MalformedData, match=r"xor\.dat must be in the same folder"):
        source.connect(None, None)
    (tmp_path / "xor.dat").write_bytes(b"HEADWATE")
    with pytest.raises(MalformedData, match=r"the key of xor\.dat does not fit"):
        BlkFolder(tmp_path, REGTEST).connect(None, None)
    (tmp_path / "xor.dat").write_bytes(b"short")
    with pytest.raises(MalformedData, match=r"xor\.dat: 5 bytes"):
        BlkFolder(tmp_path, REGTEST).connect(None, None)


# -- which chain


def test_the_branch_of_most_work_wins_not_the_longest(tmp_path: Path) -> None:
    heavy = grow(MAIN_BRANCH[4], 70_004, 3, salt=1, bits=HARDER_BITS)
    source = blk(tmp_path, *map(record, MAIN_BRANCH), *map(record, heavy))
    source.connect(None, None)
    assert loaded(source) == hashes_of([*MAIN_BRANCH[:5], *heavy])
    assert source.rejects == []  # the stale branch is no fault of the files
    assert sum(batch.block_count for batch in source.all_batches()) == 12


def test_of_equal_branches_the_stored_one_stays(tmp_path: Path) -> None:
    other = grow(MAIN_BRANCH[7], 70_007, 1, salt=1)
    first, second = MAIN_BRANCH[8], other[0]
    source = blk(tmp_path, *map(record, [*MAIN_BRANCH, *other]))
    for stored in (first, second):
        source.connect(Tip(8, digest(stored)), None)
        assert source.tip() == Tip(8, digest(stored))
    source.connect(None, None)
    assert source.tip() == Tip(8, digest(first))


def test_branch_with_a_false_target_cannot_outweigh_an_honest_one(tmp_path: Path) -> None:
    claimed = bytearray(block_on(digest(MAIN_BRANCH[7]), 70_007, salt=5))
    claimed[72:76] = (0x1D00FFFF).to_bytes(4, "little")  # mainnet's first difficulty, not met
    source = blk(tmp_path, *map(record, MAIN_BRANCH[:8]), record(bytes(claimed)), record(MAIN_BRANCH[8]))
    source.connect(None, None)
    assert source.tip() == Tip(8, digest(MAIN_BRANCH[8]))
    alone = blk(tmp_path, *map(record, MAIN_BRANCH[:8]), record(bytes(claimed)))
    alone.connect(None, None)
    assert alone.tip() == Tip(8, digest(bytes(claimed)))  # for verification to refuse by name


def test_reorganisation_deeper_than_the_stored_tip(tmp_path: Path) -> None:
    branch = grow(MAIN_BRANCH[4], 70_004, 6, salt=2)
    source = blk(tmp_path, *map(record, [*MAIN_BRANCH, *branch]))
    source.connect(Tip(8, digest(MAIN_BRANCH[8])), None)
    assert source.tip() == Tip(10, digest(branch[-1]))
    agrees = [source.hash_at(height) == digest(MAIN_BRANCH[height]) for height in range(9)]
    assert agrees == [True] * 5 + [False] * 4


def test_block_on_the_stored_tip_connects(tmp_path: Path) -> None:
    path = tmp_path / "next.raw"
    path.write_bytes(MAIN_BRANCH[8])
    source = BlockFiles([path], REGTEST)
    source.connect(Tip(7, digest(MAIN_BRANCH[7])), None)
    assert source.tip() == Tip(8, digest(MAIN_BRANCH[8]))
    assert source.hash_at(7) == digest(MAIN_BRANCH[7])
    assert source.hash_at(6) is None
    assert [batch.block_height.tolist() for batch in source.batches(8, None)] == [[8]]


def test_block_beside_the_stored_tip_tells_where_it_forks(tmp_path: Path) -> None:
    stated = grow(GENESIS, 1, 5)  # these coinbases state their true heights
    fork = grow(stated[2], 4, 1, salt=3)
    path = tmp_path / "fork.raw"
    path.write_bytes(fork[0])
    source = BlockFiles([path], REGTEST)
    source.connect(Tip(5, digest(stated[4])), None)
    assert source.tip() == Tip(4, digest(fork[0]))
    assert source.hash_at(3) == digest(stated[2])


def test_declared_anchor_and_its_check_against_the_coinbase(tmp_path: Path) -> None:
    source = blk(tmp_path, *map(record, grow(MAIN_BRANCH[3], 500, 4)))
    source.connect(None, 500)
    assert source.tip() is not None
    assert [batch.block_height.tolist() for batch in source.batches(0, None)] == [[500, 501, 502, 503]]
    with pytest.raises(IntegrityError, match=r"height: block .* would be 501, but its coinbase states 500"):
        source.connect(None, 501)


def test_missing_parent_is_named_with_what_to_do(tmp_path: Path) -> None:
    source = blk(tmp_path, *map(record, MAIN_BRANCH[3:]))
    missing = hash_text(digest(MAIN_BRANCH[2]))
    for tip, anchor in ((None, None), (None, 0), (Tip(1, bytes(32)), None)):
        with pytest.raises(IntegrityError, match=r"--from.*--dataset NAME") as caught:
            source.connect(tip, anchor)
        assert caught.value.check == "parent"
        assert missing in caught.value.detail


def test_genesis_of_another_network_is_named(tmp_path: Path) -> None:
    path = tmp_path / "block.raw"
    path.write_bytes(GENESIS)
    with pytest.raises(IntegrityError, match=r"network: block .*genesis block of regtest, not of main"):
        BlockFiles([path], MAINNET).connect(None, None)


def test_gap_in_the_files_ends_the_chain_and_is_told(tmp_path: Path) -> None:
    source = blk(tmp_path, *map(record, MAIN_BRANCH[:4]), *map(record, MAIN_BRANCH[5:]))
    for _ in range(2):  # the second call repeats no reject
        source.connect(None, None)
        assert source.tip() == Tip(3, digest(MAIN_BRANCH[3]))
        assert len(source.rejects) == 1
        assert hash_text(digest(MAIN_BRANCH[4])) in source.rejects[0].reason
        assert "and 3 above it" in source.rejects[0].reason


def test_extract_heights_come_from_genesis_or_the_coinbase(tmp_path: Path) -> None:
    lone = grow(MAIN_BRANCH[2], 4242, 2, salt=4)
    old = block_on(bytes(32), 17, version=1)  # states no height: its version is too low
    source = blk(tmp_path, record(lone[1]), record(old), *map(record, MAIN_BRANCH[3:]))
    (batch,) = source.all_batches()
    assert batch.block_height.tolist() == [4243, UNKNOWN, *range(70_002, 70_008)]
    with_genesis = blk(tmp_path, record(lone[1]), *map(record, MAIN_BRANCH))
    (batch,) = with_genesis.all_batches()
    assert batch.block_height.tolist() == [4243, *range(9)]


@given(st.randoms(use_true_random=False), st.integers(1, 30))
def test_tree_equals_a_search_of_all_paths(chance: random.Random, count: int) -> None:
    parents: list[bytes] = []
    headers: list[bytes] = []
    for place in range(count):
        above = chance.choice([bytes([255, place]) + bytes(30), *map(digest, headers)])
        bits = chance.choice([EASY_BITS, HARDER_BITS, 0x1D00FFFF])
        headers.append(bytes(4) + above + bytes(32) + bytes(4) + bits.to_bytes(4, "little") + bytes([place, 0, 0, 0]))
        parents.append(above)
    shuffled = chance.sample(headers, count)
    tree = BlockTree(scan_headers(np.frombuffer(b"".join(shuffled), np.uint8).reshape(-1, 80)))
    by_hash = {digest(header): header for header in headers}
    for number, header in enumerate(shuffled):
        path = [header]
        while (above := path[-1][4:36]) in by_hash:
            path.append(by_hash[above])
        assert [shuffled[n] for n in tree.path(number)] == path[::-1]
        assert shuffled[tree.root[number]] == path[-1]
        assert tree.total[number] == sum(work(digest(one), int.from_bytes(one[72:76], "little")) for one in path)


def test_targets_of_compact_bits() -> None:
    assert target_of(0x1D00FFFF) == 0xFFFF << 208
    assert target_of(EASY_BITS) == 0x7FFFFF << 232
    assert target_of(0x03123456) == 0x123456
    assert target_of(0x01123456) == 0x12
    assert target_of(0x04923456) == 0  # negative
    assert target_of(0xFF123456) == 0  # over 256 bits


# -- single blocks


@pytest.mark.parametrize("form", ["raw", "hex", "hex.gz", "raw.xz"])
def test_single_block_in_every_form(tmp_path: Path, form: str) -> None:
    data = MAIN_BRANCH[0].hex().encode() + b"\n" if form.startswith("hex") else MAIN_BRANCH[0]
    packs: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "xz": lzma.compress, "": bytes}
    pack = packs[form.partition(".")[2]]
    path = tmp_path / f"block.{form}"
    path.write_bytes(pack(data))
    source = BlockFiles([path], REGTEST)
    source.connect(None, None)
    (batch,) = source.batches(0, None)
    assert batch.raw.tobytes() == MAIN_BRANCH[0]


def test_file_of_records_given_as_a_block(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    path.write_bytes(b"".join(map(record, MAIN_BRANCH)))
    source = BlockFiles([path], REGTEST)
    source.connect(None, None)
    assert loaded(source) == hashes_of(MAIN_BRANCH)
    with pytest.raises(IntegrityError, match="regtest, not of main"):
        BlockFiles([path], MAINNET).connect(None, None)


def test_block_cut_anywhere_is_an_error_that_names_file_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "cut.raw"
    for length in (0, 1, 80, 81, 100, len(GENESIS) - 1):
        path.write_bytes(GENESIS[:length])
        with pytest.raises((TruncatedData, MalformedData), match=r"cut\.raw: byte 0"):
            list(connected(BlockFiles([path], REGTEST)).batches(0, None))


def test_extract_leaves_out_what_cannot_be_cut(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path, data in zip(paths, (GENESIS, MAIN_BRANCH[1][:-3], MAIN_BRANCH[2]), strict=True):
        path.write_bytes(data)
    source = BlockFiles(paths, REGTEST)
    (batch,) = source.all_batches()
    assert [row.tobytes() for row in batch.block_hash] == hashes_of([GENESIS, MAIN_BRANCH[2]])
    assert batch.block_height.tolist()[0] == 0
    assert [(reject.source, reject.place) for reject in source.rejects] == [(str(paths[1]), "byte 0")]


def test_file_larger_than_any_block_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(b"\1" * 4_000_001)
    with pytest.raises(MalformedData, match="4,000,001 bytes"):
        BlockFiles([path], REGTEST).connect(None, None)
    (tmp_path / "big.gz").write_bytes(gzip.compress(b"\1" * 20_000_000))
    with pytest.raises(LimitExceeded, match=r"big\.gz"):
        BlockFiles([tmp_path / "big.gz"], REGTEST).connect(None, None)


# -- real data


def test_first_blocks_of_mainnet(data: Path) -> None:
    source = BlkFolder(data / "bitcoin" / "raw", MAINNET)
    source.connect(None, None)
    tip = Tip(4312, hash_bytes("00000000a9da635727dce622d78361b153ce3334e6a60d4377fad529abfc7863"))
    assert source.tip() == tip
    heights = [height for batch in source.batches(0, None) for height in batch.block_height.tolist()]
    assert heights == list(range(4313))
    assert source.rejects == []


def test_real_single_blocks_equal_an_independent_reader(data: Path) -> None:
    paths = sorted((data / "bitcoin" / "raw").glob("mainnet_*.raw.xz"))
    source = BlockFiles(paths, MAINNET)
    stated = {int(path.name.split("_")[1].split(".")[0]) for path in paths}
    seen = 0
    for batch in source.all_batches():
        known = [height for height in batch.block_height.tolist() if height != UNKNOWN]
        assert set(known) <= stated
        for block in range(batch.block_count):
            start = batch.block_start[block]
            raw = batch.raw[start : start + batch.block_size[block]].tobytes()
            assert CBlock.deserialize(raw).GetHash() == batch.block_hash[block].tobytes()
        seen += batch.block_count
    assert seen == len(paths) == 12
