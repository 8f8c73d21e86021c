"""Files of whole blocks with the traces that a node gave of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chain import uint256
from chain.errors import MalformedData
from chain.ethereum.block import Block
from chain.ethereum.fields import encode
from chain.ethereum.files import EthereumFiles
from chain.ethereum.model import Basis, EthereumBatch, Movement, Part
from tests.unit.ethereum_blocks import block_json, receipts_json, small_block

A, B = "0x" + "a1" * 20, "0x" + "b2" * 20


def _call(tx: int, *calls: tuple[str, int]) -> dict[str, Any]:
    inner = [{"type": kind, "from": A, "to": B, "value": hex(value)} for kind, value in calls]
    top = {"type": "CALL", "from": B, "to": A, "value": "0x5", "calls": inner}
    return {"txHash": "0x" + small_block().transactions[tx].hash.hex(), "result": top}


def _called() -> list[dict[str, Any]]:
    block = small_block()
    found = [_call(tx) for tx in range(len(block.transactions))]
    return [_call(0, ("CALL", 7), ("DELEGATECALL", 9), ("CREATE2", 0)), *found[1:]]


def _flat() -> list[dict[str, Any]]:
    digest = "0x" + small_block().transactions[0].hash.hex()
    inner = {"callType": "call", "from": A, "to": B, "value": "0x7"}
    return [
        {"type": "call", "action": {**inner, "value": "0x5"}, "transactionHash": digest, "traceAddress": []},
        {"type": "call", "action": inner, "transactionHash": digest, "traceAddress": [0]},
    ]


def _batch(path: Path, *, rlp: bool) -> EthereumBatch:
    (batch,) = EthereumFiles([path], 1, rlp=rlp).all_batches()
    return batch


def _rlp_entry(block: Block) -> dict[str, Any]:
    body = encode([[tx.item() for tx in block.transactions], [], _withdrawals(block)])
    return {
        "header": "0x" + block.header.encode().hex(),
        "body": "0x" + body.hex(),
        "receipts": "0x" + block.receipt_bytes.hex(),
    }


def _withdrawals(block: Block) -> Any:
    return [
        [bytes([each.index]), bytes([each.validator]), each.address, bytes([each.amount])]
        for each in block.withdrawals or ()
    ]


@pytest.mark.parametrize("traces", [_called(), _flat()], ids=["callTracer", "trace_block"])
@pytest.mark.parametrize("rlp", [True, False], ids=["rlp", "json"])
def test_traces_beside_a_block_are_its_internal_transfers(tmp_path: Path, traces: Any, rlp: bool) -> None:
    block = small_block()
    entry = _rlp_entry(block) if rlp else {"block": block_json(block), "receipts": receipts_json(block)}
    (tmp_path / "blocks.json").write_text(json.dumps([entry | {"traces": traces}]))
    batch = _batch(tmp_path / "blocks.json", rlp=rlp)
    rows = np.flatnonzero(batch.move_kind == Movement.INTERNAL)
    assert uint256.to_ints(batch.move_value[rows]) == [7]
    assert batch.move_basis[rows].tolist() == [Basis.TRACED]
    assert batch.move_tx[rows].tolist() == [0]
    assert batch.block_parts[0] & Part.TRACES


def test_yaml_and_json_of_one_block_are_one(tmp_path: Path) -> None:
    entry = _rlp_entry(small_block())
    (tmp_path / "block.json").write_text(json.dumps(entry))
    (tmp_path / "block.yaml").write_text("\n".join(f"{name}: {value}" for name, value in entry.items()) + "\n")
    a, b = (_batch(tmp_path / name, rlp=True) for name in ("block.json", "block.yaml"))
    assert a.block_bytes == b.block_bytes
    assert not a.block_parts[0] & Part.TRACES


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"header": 1, "body": "0x"}', "header is no hex"),
        ('{"header": "0x", "header": "0x", "body": "0x"}', "stands twice"),
        ("{", "no JSON"),
        ('[{"body": "0x"}]', "an entry has"),
    ],
)
def test_json_that_is_no_block_of_rlp_is_told(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "block.json").write_text(text)
    with pytest.raises(MalformedData, match=why):
        EthereumFiles([tmp_path / "block.json"], 1, rlp=True)


@pytest.mark.parametrize("traces", [[], {"result": 1}, "0x", [{"txHash": "0x00", "result": {}}] * 7, _called()[1:]])
def test_traces_of_other_transactions_are_refused(tmp_path: Path, traces: Any) -> None:
    (tmp_path / "blocks.json").write_text(json.dumps(_rlp_entry(small_block()) | {"traces": traces}))
    with pytest.raises(MalformedData, match="trace"):
        EthereumFiles([tmp_path / "blocks.json"], 1, rlp=True)
