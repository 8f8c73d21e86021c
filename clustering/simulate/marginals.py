"""The figures that describe a chain as a whole, by which a generated one is compared with Bitcoin.

Definitions, after Moeser and Narayanan (2022); coinbases are left out everywhere. Classes 1, 2 and 3 are transactions
with one, two, and three or more outputs, an OP_RETURN output counted. Each figure but the last three is in percent.

outputs_n        share of class n among all transactions
op_return_n      of class n: those with an OP_RETURN output
reuse_n          of class n: those of the rest (no OP_RETURN) with an output to an address of their own inputs
revealed_n       of class n: those of the rest (no OP_RETURN, no reuse) in which exactly one output pays an address of
                 the inputs' cluster, the clusters being those of co-spend over the whole chain, coinjoins left out
unspent_n        of class n: those with an output that can be spent and is not, at the chain's end
rest_*           of the transactions of class 2 with none of OP_RETURN, reuse, revealed change (62.6 % of the class on
                 Bitcoin, where the others are 5.7, 20.9 and 10.8 %: together the whole class, so the figures exclude
                 each other, and transactions with unspent outputs are among the rest)
rest_inputs_n    with one, two, three or more inputs
rest_version_1   of version 1
rest_lock_time   with a lock time above 0
rest_replaceable with an input that signals replacement (BIP 125: a sequence below 0xfffffffe)
rest_segwit      with a witness
payee_fresh      of the transactions of class 2 with revealed change, all outputs spent and the change's address
                 first seen in this very transaction: those whose other address is too
addresses_per_transaction, entities_per_address (clusters, lone addresses among them, by addresses),
edges_per_transaction (distinct pairs of an input's and an output's address, by transactions)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chain.model import I32, I64, U8, Array, BlockBatch, Bool, OutputType
from clustering.components import relabel

REPLACEABLE_BELOW = 0xFFFFFFFE


@dataclass(frozen=True, slots=True)
class Flows:
    """A whole chain as arrays: T transactions, I inputs, O outputs, A addresses; coinbases have no inputs."""

    first_input: I64
    """[T + 1]"""
    spends: I64
    """[I] the output that an input spends"""
    sequence: I64
    """[I]"""
    first_output: I64
    """[T + 1]"""
    address: I32
    """[O] id, -1 where an output pays no address"""
    is_data: Bool
    """[O] whether it is an OP_RETURN output"""
    coinbase: Bool
    """[T]"""
    version: I64
    lock_time: I64
    segwit: Bool
    """[T]"""
    address_count: int

    @property
    def tx_count(self) -> int:
        return len(self.coinbase)


def flows_of(batch: BlockBatch) -> Flows:
    """The arrays of a batch that is a whole chain. ValueError where an input spends what is not in it."""
    rows = np.repeat(np.arange(batch.tx_count), np.diff(batch.tx_first_output))
    outpoints = np.empty((batch.output_count, 36), np.uint8)
    outpoints[:, :32] = batch.txid[rows]
    place = np.arange(batch.output_count) - batch.tx_first_output[rows]
    outpoints[:, 32:] = place.astype("<u4").view(np.uint8).reshape(-1, 4)
    spent = np.empty((batch.input_count, 36), np.uint8)
    spent[:, :32] = batch.input_prev_txid
    spent[:, 32:] = batch.input_prev_index.astype("<u4").view(np.uint8).reshape(-1, 4)
    made, wanted = _opaque(outpoints), _opaque(spent)
    order = np.argsort(made, kind="stable")
    at = np.minimum(np.searchsorted(made[order], wanted), max(len(made) - 1, 0))
    spends = order[at]
    if len(wanted) and (made[spends] != wanted).any():
        raise ValueError("an input spends an output that is not in these blocks")
    has_key = batch.output_key_size > 0
    address = np.full(batch.output_count, -1, np.int32)
    keys, ids = np.unique(_opaque(batch.output_key[has_key]), return_inverse=True)
    address[has_key] = ids
    return Flows(
        first_input=batch.tx_first_input,
        spends=spends,
        sequence=batch.input_sequence,
        first_output=batch.tx_first_output,
        address=address,
        is_data=batch.output_type == OutputType.OP_RETURN,
        coinbase=batch.tx_coinbase,
        version=batch.tx_version,
        lock_time=batch.tx_lock_time,
        segwit=batch.tx_size != batch.tx_base_size,
        address_count=len(keys),
    )


def marginals(flows: Flows, left_out: Bool) -> dict[str, float]:
    """Every figure. `left_out`: [T] the transactions that are no co-spend (the true coinjoins)."""
    inputs, outputs = np.diff(flows.first_input), np.diff(flows.first_output)
    tx_in = np.repeat(np.arange(flows.tx_count), inputs)
    tx_out = np.repeat(np.arange(flows.tx_count), outputs)
    labels = _clusters(flows, inputs, left_out)
    of_input = _pairs(tx_in, flows.address[flows.spends])
    clusters_in = _pairs(tx_in, labels[flows.address[flows.spends]])
    known = flows.address >= 0
    own = known & np.isin(_pairs(tx_out, flows.address), of_input)
    inside = known & np.isin(_pairs(tx_out, labels[flows.address]), clusters_in)
    unspent = np.ones(len(tx_out), np.bool_)
    unspent[flows.spends] = False
    unspent &= ~flows.is_data
    data = _any(flows, flows.is_data)
    reuse = _any(flows, own) & ~data
    revealed = (_sum(flows, inside) == 1) & ~data & ~reuse
    open_end = _any(flows, unspent)
    found: dict[str, float] = {}
    real = ~flows.coinbase
    for size in (1, 2, 3):
        of_class = real & (outputs == size if size < 3 else outputs >= 3)
        found[f"outputs_{size}"] = _percent(of_class, real)
        for name, mask in (("op_return", data), ("reuse", reuse), ("revealed", revealed), ("unspent", open_end)):
            found[f"{name}_{size}"] = _percent(mask & of_class, of_class)
    two = real & (outputs == 2)
    found |= _rest(flows, two & ~data & ~reuse & ~revealed, inputs, tx_in)
    found["payee_fresh"] = _payee_fresh(flows, two & revealed & ~open_end, inside, tx_out)
    transactions = max(1, int(real.sum()))
    found["addresses_per_transaction"] = flows.address_count / transactions
    found["entities_per_address"] = len(np.unique(labels)) / max(1, flows.address_count)
    found["edges_per_transaction"] = _edges(flows, inputs, outputs) / transactions
    return found


def _rest(flows: Flows, rest: Bool, inputs: I64, tx_in: I64) -> dict[str, float]:
    replaceable = np.zeros(flows.tx_count, np.bool_)
    replaceable[tx_in[flows.sequence < REPLACEABLE_BELOW]] = True
    return {
        "rest_inputs_1": _percent(rest & (inputs == 1), rest),
        "rest_inputs_2": _percent(rest & (inputs == 2), rest),
        "rest_inputs_3": _percent(rest & (inputs >= 3), rest),
        "rest_version_1": _percent(rest & (flows.version == 1), rest),
        "rest_lock_time": _percent(rest & (flows.lock_time > 0), rest),
        "rest_replaceable": _percent(rest & replaceable, rest),
        "rest_segwit": _percent(rest & flows.segwit, rest),
    }


def _payee_fresh(flows: Flows, judged: Bool, inside: Bool, tx_out: I64) -> float:
    first = np.full(flows.address_count, len(tx_out), np.int64)
    known = flows.address >= 0
    np.minimum.at(first, flows.address[known], np.flatnonzero(known))
    fresh = known & (tx_out[np.minimum(first[flows.address], len(tx_out) - 1)] == tx_out)
    change = judged[tx_out] & inside & fresh
    payee = judged[tx_out] & ~inside & fresh
    counted = np.zeros(flows.tx_count, np.bool_)
    counted[tx_out[change]] = True
    both = np.zeros(flows.tx_count, np.bool_)
    both[tx_out[payee]] = True
    return _percent(counted & both, counted)


def _clusters(flows: Flows, inputs: I64, left_out: Bool) -> I32:
    """[A] co-spend clusters: of each transaction that counts, its first input's address with every other."""
    first = np.repeat(flows.first_input[:-1], inputs)
    counts = np.repeat(~left_out, inputs)
    u, v = flows.address[flows.spends[first]], flows.address[flows.spends]
    apart = counts & (u != v) & (u >= 0) & (v >= 0)
    return relabel(flows.address_count, np.minimum(u, v)[apart], np.maximum(u, v)[apart])


def _edges(flows: Flows, inputs: I64, outputs: I64) -> int:
    """How many distinct pairs (address of an input, address of an output) there are."""
    pairs = inputs * outputs
    tx = np.repeat(np.arange(flows.tx_count), pairs)
    place = np.arange(int(pairs.sum())) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    source = flows.address[flows.spends[flows.first_input[tx] + place // outputs[tx]]]
    target = flows.address[flows.first_output[tx] + place % outputs[tx]]
    known = (source >= 0) & (target >= 0)
    return len(np.unique(_pairs(source[known], target[known])))


def _pairs(a: Array, b: Array) -> I64:
    """One number for each pair of numbers below 2^31 (b may be -1)."""
    return np.asarray(a, np.int64) * (1 << 32) + np.asarray(b, np.int64)


def _sum(flows: Flows, mask: Bool) -> I64:
    """[T] of how many outputs of a transaction it is true."""
    return np.diff(np.concatenate(([0], np.cumsum(mask)))[flows.first_output])


def _any(flows: Flows, mask: Bool) -> Bool:
    return np.asarray(_sum(flows, mask) > 0)


def _percent(part: Bool, whole: Bool) -> float:
    total = int(whole.sum())
    return 100 * int(part.sum()) / total if total else 0.0


def _opaque(rows: U8) -> Array:
    """Rows of bytes as one value each, so that they can be sorted and compared."""
    rows = np.ascontiguousarray(rows)
    return rows.view(np.dtype((np.void, rows.shape[1]))).ravel()
