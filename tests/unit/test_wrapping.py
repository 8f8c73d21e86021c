"""One key in several scripts: the published vectors, the kernel against its twin, and what is found when."""

from __future__ import annotations

import numpy as np
import pytest
from embit import ec
from embit import script as embit_script
from hypothesis import given
from hypothesis import strategies as st

from chain.bitcoin import address as codec
from chain.bitcoin.network import MAINNET
from chain.model import ADDRESS_KEY_WIDTH, I32, I64, U8, AddressKind
from clustering.bitcoin.wrapping import Find, links, pairs, reference
from clustering.links import Rule

KINDS = [
    AddressKind.PUBKEY_HASH, AddressKind.WITNESS_KEY_HASH, AddressKind.SCRIPT_HASH, AddressKind.WITNESS_SCRIPT_HASH,
    AddressKind.MULTISIG,
]  # fmt: skip


def table(keys: list[bytes]) -> tuple[I64, U8, Find]:
    starts = np.cumsum([0, *map(len, keys)], dtype=np.int64)[:-1]
    blob = np.frombuffer(b"".join(keys), np.uint8)

    def find(rows: U8, sizes: U8) -> I32:
        assert rows.shape == (len(sizes), ADDRESS_KEY_WIDTH)
        wanted = [row[:size].tobytes() for row, size in zip(rows, sizes.tolist(), strict=True)]
        return np.array([keys.index(key) if key in keys else -1 for key in wanted], np.int32)

    return starts, blob, find


def found(keys: list[bytes], first_new: int = 0) -> list[tuple[int, int]]:
    u, v = pairs(*table(keys)[:2], first_new, table(keys)[2])
    return list(zip(u.tolist(), v.tolist(), strict=True))


def test_the_forms_of_a_key_equal_embit_s() -> None:
    key = ec.PrivateKey(bytes([1] * 32)).get_public_key()
    pkh, wpkh = embit_script.p2pkh(key), embit_script.p2wpkh(key)
    scripts = [pkh, wpkh, embit_script.p2sh(wpkh), embit_script.p2sh(pkh), embit_script.p2wsh(pkh)]
    scripts.append(embit_script.p2sh(scripts[-1]))
    keys = [codec.decode(each.address(), MAINNET) for each in scripts]
    assert set(reference(keys[0])) == set(keys) - {keys[0]}
    assert set(reference(keys[1])) == {keys[0], *keys[2:]}
    everything = {(0, n) for n in range(1, 6)} | {(1, n) for n in range(2, 6)}
    assert set(found(keys)) == everything


@st.composite
def address_keys(draw: st.DrawFn) -> list[bytes]:
    """Keys of few hashes in all their forms, in any order, and others."""
    keys: list[bytes] = []
    for seed in range(3):
        plain = bytes([AddressKind.PUBKEY_HASH]) + bytes([seed]) * 20
        keys += [plain, *reference(plain)]
    keys += [bytes([kind]) + bytes([200]) * 20 for kind in KINDS]
    return draw(st.permutations(draw(st.lists(st.sampled_from(keys), unique=True))))


@given(address_keys(), st.data())
def test_the_kernel_equals_its_readable_twin(keys: list[bytes], data: st.DataObject) -> None:
    expected = {
        tuple(sorted((keys.index(key), keys.index(other)))) for key in keys for other in reference(key) if other in keys
    }
    assert set(found(keys)) == expected
    assert len(found(keys)) == len(expected)
    cut = data.draw(st.integers(0, len(keys)))
    later = [pair for pair in found(keys) if max(pair) >= cut]
    assert found(keys, cut) == later
    before = found(keys[:cut]) if cut else []
    assert sorted(before + later) == sorted(found(keys)), "in two runs as in one"


@pytest.mark.parametrize("kind", [AddressKind.SCRIPT_HASH, AddressKind.MULTISIG, AddressKind.TAPROOT])
def test_scripts_of_other_keys_are_not_unwrapped(kind: AddressKind) -> None:
    assert reference(bytes([kind]) + bytes(20)) == []


def test_links_rest_on_the_later_appearance() -> None:
    heights = np.arange(50, 60, dtype=np.int32)
    batch = links(np.array([3, 0], np.int32), np.array([9, 4], np.int32), np.array([7, 2]), heights)
    assert (batch.u.tolist(), batch.v.tolist(), batch.tx.tolist()) == ([0, 3], [4, 9], [2, 7])
    assert batch.height.tolist() == [52, 57]
    assert set(batch.rule.tolist()) == {Rule.SAME_KEY}
