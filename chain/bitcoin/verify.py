"""The checks that a batch of blocks passes before anything of it is stored.

Blocks whose bytes are there (`Proof.BYTES`) pass all of them. Blocks that a file merely states pass
those that have something to check: they may hold only some of their block's transactions, and have
no header, script or witness.

Transactions of 64 bytes are not refused. They can pass for an inner node of the merkle tree
(CVE-2017-12842), which deceives whoever is shown a branch of it. Here the whole list of transactions
is hashed, and reading inner nodes as transactions would make the first of them a coinbase of 64
chosen bytes, 32 of them zero, out of two hashes: work beyond any miner, and the `coinbase` check. The chain
has a few such transactions, the last of 2016; the rule of BIP 54 against them is only proposed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chain.bitcoin.checks import NONE, first_repeat, first_without_work, reference_target, sum_money
from chain.bitcoin.hashes import DIGEST_SIZE, reference_double_sha256
from chain.bitcoin.merkle import merkle_roots
from chain.bitcoin.network import subsidy
from chain.bitcoin.parse import bip34_height
from chain.bitcoin.reference import Reader, read_transaction
from chain.bitcoin.walk import NULL_INDEX
from chain.errors import IntegrityError
from chain.model import I64, U8, UNKNOWN, BlockBatch, Bool, Proof, hash_text

if TYPE_CHECKING:
    from chain.bitcoin.network import Network
    from chain.source import Tip

COMMITMENT_PREFIX = bytes.fromhex("6a24aa21a9ed")
"""How an output's script begins that commits to the witnesses (BIP 141); 32 bytes follow."""


class Check(NamedTuple):
    name: str
    meaning: str


CHECKS = (
    Check("network", "the blocks are of the network that they are checked for"),
    Check("proof_of_work", "a header's target is valid for its network, and its hash is not above it"),
    Check("merkle_root", "the header's merkle root is the root over the recomputed transaction ids"),
    Check("merkle_mutation", "no pair of equal nodes stands in the merkle tree (CVE-2012-2459)"),
    Check("duplicate_transaction", "no transaction stands twice in a block"),
    Check("coinbase", "the first transaction of a block, and no other input, creates coins"),
    Check("coinbase_height", "from the height of BIP 34 on, the coinbase begins with the block's height"),
    Check("empty_transaction", "every transaction has an input and an output"),
    Check("duplicate_input", "no transaction spends an output twice"),
    Check("double_spend", "no two transactions spend one output"),
    Check("value_range", "values and their sums lie between 0 and 21 million bitcoin"),
    Check("witness_commitment", "where a block has witnesses, its coinbase commits to them (BIP 141)"),
    Check("parent", "a block's parent is the block before it"),
    Check("height", "heights are known and follow one another"),
    Check("value_conservation", "no transaction pays more than it spends, no block more than it may"),
    Check("prevout_missing", "every output spent is there (checked while the ledger is laid)"),
    Check("prevout_mismatch", "what a source says of an output spent is what that output was"),
)
"""Every check, in the order in which a block meets them."""


@dataclass(frozen=True, slots=True)
class Values:
    """What `verify_values` computes."""

    fee: I64
    """[T] satoshi; 0 for a coinbase, UNKNOWN where a value spent is not known."""
    unclaimed: I64
    """[B] subsidy and fees less the coinbase's outputs; UNKNOWN where height or a fee is, or where the
    block is merely stated and may lack transactions."""


def verify_blocks(batch: BlockBatch, network: Network) -> None:
    """Every check that needs nothing but the batch. IntegrityError names the first that fails."""
    if batch.network != network.name:
        raise IntegrityError("network", "batch", f"blocks of {batch.network}, not of {network.name}")
    proven = np.flatnonzero(batch.proofs == Proof.BYTES)
    if len(proven):
        _check_work(batch, proven, network)
        _check_merkle(batch, proven)
    _check_repeated_transactions(batch)
    _check_coinbases(batch)
    if len(proven):
        _check_coinbase_heights(batch, proven, network)
    _check_empty(batch)
    _check_spends(batch)
    _check_output_values(batch)
    if len(proven):
        _check_commitments(batch, proven, network)


def verify_links(batch: BlockBatch, parent: Tip | None) -> None:
    """`height` and `parent`: the batch is a chain that goes on from `parent` (None: from anywhere).

    A stated block whose source names no parent (zeros) is taken by its height alone.
    """
    if not batch.block_count:
        return
    first = parent.height + 1 if parent else int(batch.block_height[0])
    wrong = np.flatnonzero(batch.block_height != first + np.arange(batch.block_count))
    if len(wrong) or first < 0:
        block = int(wrong[0]) if len(wrong) else 0
        raise IntegrityError("height", _block(batch, block), f"height {first + block} was expected")
    unstated = (batch.proofs != Proof.BYTES) & ~batch.block_parent.any(axis=1)
    differs = np.zeros(batch.block_count, np.bool_)
    differs[1:] = (batch.block_parent[1:] != batch.block_hash[:-1]).any(axis=1)
    if parent:
        differs[0] = bytes(batch.block_parent[0]) != parent.hash
    for block in np.flatnonzero(differs & ~unstated)[:1]:
        expected = hash_text(batch.block_hash[block - 1]) if block else hash_text(parent.hash if parent else b"")
        detail = f"its parent is {hash_text(batch.block_parent[block])}, the block before it {expected}"
        raise IntegrityError("parent", _block(batch, int(block)), detail)


def verify_values(batch: BlockBatch, network: Network, prevout_value: I64, *, stated_whole: bool = False) -> Values:
    """`value_range` and `value_conservation`, given the value [I] of every output spent.

    A transaction or block that spends an UNKNOWN value is not judged. `stated_whole`: the caller
    vouches that stated blocks hold all their transactions, so that their coinbases can be judged.
    """
    spent = _sum(batch, batch.tx_first_input, prevout_value, "the values spent")
    paid = _sum(batch, batch.tx_first_output, batch.output_value, "the outputs")
    known = (spent != UNKNOWN) & (paid != UNKNOWN) & ~batch.tx_coinbase
    fee = np.where(known, spent - paid, UNKNOWN)
    for row in np.flatnonzero(known & (spent < paid))[:1]:
        detail = f"it spends {spent[row]} and pays {paid[row]}"
        raise IntegrityError("value_conservation", _transaction(batch, int(row)), detail)
    fee[batch.tx_coinbase] = 0
    fees, bad = sum_money(batch.block_first_tx, fee)
    if bad != NONE:
        raise IntegrityError("value_range", _block(batch, int(bad)), "its fees exceed 21 million bitcoin")
    judged = (fees != UNKNOWN) & (batch.block_height != UNKNOWN)
    judged &= (batch.proofs == Proof.BYTES) | stated_whole
    return Values(fee, _unclaimed(batch, network, fees, paid, judged))


def verify_prevouts(batch: BlockBatch, value: I64, key: U8, key_size: U8) -> None:
    """`prevout_mismatch`: what the batch's source says of outputs spent, against what they were.

    `value` [I], `key` [I, ADDRESS_KEY_WIDTH] and `key_size` [I] are the outputs' own; what is
    UNKNOWN or without address on either side is not compared.
    """
    wrong = (batch.prevout_value != value) & (batch.prevout_value != UNKNOWN) & (value != UNKNOWN)
    for row in np.flatnonzero(wrong)[:1]:
        detail = f"its value is stated as {batch.prevout_value[row]}, it was {value[row]}"
        raise IntegrityError("prevout_mismatch", _input(batch, int(row)), detail)
    differs = (batch.prevout_key_size != key_size) | (batch.prevout_key != key).any(axis=1)
    for row in np.flatnonzero(differs & (batch.prevout_key_size > 0) & (key_size > 0))[:1]:
        stated, was = batch.prevout_key[row], key[row]
        detail = (
            f"its address key is stated as {stated[: batch.prevout_key_size[row]].tobytes().hex()}, "
            f"it was {was[: key_size[row]].tobytes().hex()}"
        )
        raise IntegrityError("prevout_mismatch", _input(batch, int(row)), detail)


def _check_work(batch: BlockBatch, proven: I64, network: Network) -> None:
    limit = np.frombuffer(network.pow_limit.to_bytes(DIGEST_SIZE, "little"), np.uint8)
    row = first_without_work(batch.block_hash[proven], batch.block_bits[proven], limit)
    if row == NONE:
        return
    block = int(proven[row])
    bits = int(batch.block_bits[block])
    target = reference_target(bits)
    detail = f"its hash is above its target (bits {bits:08x})"
    if not target:
        detail = f"bits {bits:08x} are no valid target"
    elif target > network.pow_limit:
        detail = f"its target (bits {bits:08x}) is easier than {network.name} allows"
    raise IntegrityError("proof_of_work", _block(batch, block), detail)


def _check_merkle(batch: BlockBatch, proven: I64) -> None:
    roots, mutated = merkle_roots(batch.txid, batch.block_first_tx)
    for block in proven[(roots != batch.block_merkle_root).any(axis=1)[proven]][:1]:
        stated, found = hash_text(batch.block_merkle_root[block]), hash_text(roots[block])
        detail = f"the header has {stated}, its transactions {found}"
        raise IntegrityError("merkle_root", _block(batch, int(block)), detail)
    for block in proven[mutated[proven]][:1]:
        detail = "two nodes of a pair are equal: transactions at the end of the list are repeated"
        raise IntegrityError("merkle_mutation", _block(batch, int(block)), detail)


def _check_repeated_transactions(batch: BlockBatch) -> None:
    block_of = np.repeat(np.arange(batch.block_count), np.diff(batch.block_first_tx))
    earlier, later = first_repeat(np.column_stack((_words(batch.txid), block_of)))
    if later != NONE:
        detail = f"it stands at {batch.tx_index[earlier]} and at {batch.tx_index[later]}"
        raise IntegrityError("duplicate_transaction", _transaction(batch, int(later)), detail)


def _check_coinbases(batch: BlockBatch) -> None:
    bare = np.flatnonzero(batch.block_first_tx[1:] == batch.block_first_tx[:-1])
    for block in bare[batch.proofs[bare] == Proof.BYTES][:1] if len(bare) else ():
        raise IntegrityError("coinbase", _block(batch, int(block)), "it has no transactions")
    wrong = np.flatnonzero(batch.tx_coinbase != (batch.tx_index == 0))
    # A dump that does not know a transaction's place states 0: there only a coinbase elsewhere is wrong.
    for row in wrong[_is_proven(batch, wrong) | batch.tx_coinbase[wrong]][:1]:
        detail = f"transaction {batch.tx_index[row]} of the block is a coinbase"
        if not batch.tx_coinbase[row]:
            detail = "the first transaction of the block is not a coinbase"
        raise IntegrityError("coinbase", _transaction(batch, int(row)), detail)
    suspects = np.flatnonzero(batch.input_prev_index == NULL_INDEX)
    for row in suspects[~batch.input_prev_txid[suspects].any(axis=1)][:1] if len(suspects) else ():
        detail = "it spends the null outpoint, as only a coinbase may"
        raise IntegrityError("coinbase", _input(batch, int(row)), detail)


def _check_coinbase_heights(batch: BlockBatch, proven: I64, network: Network) -> None:
    judged = proven[batch.block_height[proven] >= network.bip34_height]
    if not len(judged):
        return
    stated = bip34_height(batch)
    for block in judged[stated[judged] != batch.block_height[judged]][:1]:
        says = f"states height {stated[block]}" if stated[block] != UNKNOWN else "states no height"
        detail = f"its coinbase {says}, the block is taken for {batch.block_height[block]}"
        raise IntegrityError("coinbase_height", _block(batch, int(block)), detail)


def _check_empty(batch: BlockBatch) -> None:
    inputs = batch.tx_first_input[1:] - batch.tx_first_input[:-1] + batch.tx_coinbase
    empty = np.flatnonzero((inputs == 0) | (batch.tx_first_output[1:] == batch.tx_first_output[:-1]))
    for row in empty[_is_proven(batch, empty)][:1]:
        detail = "it has no outputs" if inputs[row] else "it has no inputs"
        raise IntegrityError("empty_transaction", _transaction(batch, int(row)), detail)


def _check_spends(batch: BlockBatch) -> None:
    earlier, later = first_repeat(np.column_stack((_words(batch.input_prev_txid), batch.input_prev_index)))
    if later == NONE:
        return
    first, second = (_transaction_of_input(batch, int(row)) for row in (earlier, later))
    if first == second:
        raise IntegrityError("duplicate_input", _input(batch, int(later)), "the transaction spends it twice")
    detail = f"{_transaction(batch, first)} spends it too"
    raise IntegrityError("double_spend", _input(batch, int(later)), detail)


def _check_output_values(batch: BlockBatch) -> None:
    # A stated value may be UNKNOWN, which is -1; in a block's own bytes -1 is a value, and none.
    outputs = np.flatnonzero(batch.output_value == UNKNOWN)
    rows = np.searchsorted(batch.tx_first_output, outputs, "right") - 1
    for row in rows[_is_proven(batch, rows)][:1]:
        raise IntegrityError("value_range", _transaction(batch, int(row)), "an output has the value -1")
    _sum(batch, batch.tx_first_output, batch.output_value, "the outputs")


def _check_commitments(batch: BlockBatch, proven: I64, network: Network) -> None:
    """BIP 141, as Core's CheckWitnessMalleation; a block of unknown height is judged by its witnesses."""
    has_witness = np.zeros(batch.block_count, np.bool_)
    with_witness = np.flatnonzero(batch.tx_size != batch.tx_base_size)
    has_witness[np.searchsorted(batch.block_first_tx, with_witness, "right") - 1] = True
    active = batch.block_height >= network.segwit_height
    for block in proven[(has_witness | active)[proven]]:
        _check_commitment(batch, int(block), bool(has_witness[block]))


def _check_commitment(batch: BlockBatch, block: int, has_witness: bool) -> None:
    row = int(batch.block_first_tx[block])
    start = int(batch.block_start[block] + batch.tx_start[row])
    coinbase = read_transaction(Reader(batch.raw[start : start + int(batch.tx_size[row])].tobytes()))
    scripts = [output.script for output in coinbase.outputs if output.script.startswith(COMMITMENT_PREFIX)]
    commitments = [script[6:38] for script in scripts if len(script) >= 38]
    place = _block(batch, block)
    if not commitments:
        if has_witness:
            raise IntegrityError("witness_commitment", place, "it has witnesses and does not commit to them")
        return
    reserved = coinbase.witnesses[0] if coinbase.witnesses else []
    if len(reserved) != 1 or len(reserved[0]) != DIGEST_SIZE:
        raise IntegrityError("witness_commitment", place, "its coinbase lacks the reserved value of 32 bytes")
    leaves = batch.wtxid[row : int(batch.block_first_tx[block + 1])].copy()
    leaves[0] = 0
    roots, _ = merkle_roots(leaves, np.array([0, len(leaves)]))
    if reference_double_sha256(roots[0].tobytes() + reserved[0]) != commitments[-1]:
        raise IntegrityError("witness_commitment", place, "its witnesses are not those committed to")


def _sum(batch: BlockBatch, first: I64, value: I64, what: str) -> I64:
    total, bad = sum_money(first, value)
    if bad != NONE:
        detail = f"{what} are below zero or above 21 million bitcoin, singly or together"
        raise IntegrityError("value_range", _transaction(batch, int(bad)), detail)
    return np.asarray(total, np.int64)


def _unclaimed(batch: BlockBatch, network: Network, fees: I64, paid: I64, judged: Bool) -> I64:
    """[B] what each judged block left unclaimed; `value_conservation` where it took too much."""
    unclaimed = np.full(batch.block_count, UNKNOWN, np.int64)
    for block in np.flatnonzero(judged):
        height, row = int(batch.block_height[block]), int(batch.block_first_tx[block])
        if row == batch.block_first_tx[block + 1] or not batch.tx_coinbase[row]:
            continue
        allowed = subsidy(network, height) + int(fees[block])
        unclaimed[block] = allowed - int(paid[row])
        if paid[row] > allowed:
            detail = f"its coinbase pays {paid[row]}, subsidy and fees are {allowed}"
            raise IntegrityError("value_conservation", _block(batch, int(block)), detail)
    return unclaimed


def _words(digests: U8) -> I64:
    """[n, 32] bytes as [n, 4] integers."""
    return np.ascontiguousarray(digests).view(np.int64)


def _block(batch: BlockBatch, block: int) -> str:
    height = int(batch.block_height[block])
    named = f"block {height}" if height != UNKNOWN else f"block {block} of the batch"
    return f"{named} ({hash_text(batch.block_hash[block])})"


def _is_proven(batch: BlockBatch, rows: I64) -> Bool:
    """Whether the bytes of the blocks of these transactions are there."""
    if not len(rows):
        return np.zeros(0, np.bool_)
    return np.asarray(batch.proofs[_block_of(batch, rows)] == Proof.BYTES)


def _block_of(batch: BlockBatch, rows: I64) -> I64:
    return np.searchsorted(batch.block_first_tx, rows, "right") - 1


def _transaction(batch: BlockBatch, row: int) -> str:
    return f"{_block(batch, int(_block_of(batch, np.array(row))))}, transaction {hash_text(batch.txid[row])}"


def _transaction_of_input(batch: BlockBatch, row: int) -> int:
    return int(np.searchsorted(batch.tx_first_input, row, "right")) - 1


def _input(batch: BlockBatch, row: int) -> str:
    outpoint = f"{hash_text(batch.input_prev_txid[row])}:{batch.input_prev_index[row]}"
    return f"{_transaction(batch, _transaction_of_input(batch, row))}, output spent {outpoint}"
