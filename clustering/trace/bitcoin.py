"""Bitcoin as movements: each transaction is one, over outputs, or over addresses where a convention asks for balances.

An output is a holding used once. The fee is the last credit. A coinbase is paid by new money and is clean: that
fees were traced says nothing about who mined them. What is paid to OP_RETURN is burned. A transaction of which some
amount is not stated, or whose inputs do not pay its outputs, stops a trace: nobody can say what went where.

How it fails. A coin that a pool pays out of fees is clean here, whatever the fees were. Over addresses, an address is
taken for one purse; who uses a new address for each payment has no balance to fall, and the convention becomes FIFO.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chain.model import I32, I64, U8, Bool, OutputType
from clustering.bitcoin.ledger import Ledger
from clustering.trace.ends import End
from clustering.trace.movements import Movements, Side

_FEE, _BURNED, _ISSUED, _UNKNOWN = int(Side.FEE), int(Side.BURNED), int(Side.ISSUED), int(Side.UNKNOWN)
_RETURN = int(OutputType.OP_RETURN)
_UNSTATED = int(End.UNKNOWN_AMOUNT)


def output_movements(ledger: Ledger) -> Movements:
    """T movements over O outputs."""
    bounds = np.append(ledger.tx_first_input, np.int64(len(ledger.input_spends)))
    inputs = np.diff(bounds)
    first_debit = _starts(np.maximum(inputs, 1))
    first_credit = _starts(ledger.tx_output_count.astype(np.int64) + (inputs > 0))
    debit_holding, credit_holding = np.empty(int(first_debit[-1]), np.int64), np.empty(int(first_credit[-1]), np.int64)
    debit_amount, credit_amount = np.empty_like(debit_holding), np.empty_like(credit_holding)
    stop = np.zeros(len(inputs), np.uint8)
    _fill(
        ledger, bounds, first_debit, debit_holding, debit_amount, first_credit, credit_holding, credit_amount, stop
    )  # fmt: skip
    time = ledger.block_time[ledger.tx_block] if len(inputs) else np.empty(0, np.int64)
    return Movements(
        first_debit, debit_holding, debit_amount, first_credit, credit_holding, credit_amount,
        np.maximum.accumulate(time), np.arange(len(inputs), dtype=np.int64), stop, len(ledger.output_value),
    )  # fmt: skip


def _starts(counts: I64) -> I64:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)))


@njit(cache=True, nogil=True)
def _fill(
    ledger: Ledger, bounds: I64, first_debit: I64, debit_holding: I64, debit_amount: I64, first_credit: I64,
    credit_holding: I64, credit_amount: I64, stop: U8,
) -> None:  # fmt: skip
    """Write the rows of every transaction, and mark those whose amounts do not add up for want of being stated."""
    for tx in range(len(stop)):
        at, paid, stated = first_credit[tx], np.int64(0), True
        for output in range(ledger.tx_first_output[tx], ledger.tx_first_output[tx] + ledger.tx_output_count[tx]):
            value = ledger.output_value[output]
            stated = stated and value >= 0
            credit_holding[at] = _BURNED if ledger.output_type[output] == _RETURN else output
            credit_amount[at] = max(value, 0)
            paid += credit_amount[at]
            at += 1
        row, brought = first_debit[tx], np.int64(0)
        if bounds[tx] == bounds[tx + 1]:
            debit_holding[row], debit_amount[row] = _ISSUED, paid
            continue
        for place in range(bounds[tx], bounds[tx + 1]):
            output = ledger.input_spends[place]
            value = ledger.output_value[output] if output >= 0 else -1
            stated = stated and value >= 0
            debit_holding[row] = output if output >= 0 else _UNKNOWN
            debit_amount[row] = max(value, 0)
            brought += debit_amount[row]
            row += 1
        credit_holding[at], credit_amount[at] = _FEE, np.maximum(brought - paid, 0)
        if not stated or brought < paid:
            stop[tx] = _UNSTATED


def address_holdings(output_address: I32, address_count: int) -> I64:
    """[O] the holding of each output where balances are kept by address; an output without one is its own."""
    own = address_count + np.arange(len(output_address), dtype=np.int64)
    return np.where(output_address >= 0, output_address.astype(np.int64), own)


def address_movements(outputs: Movements, holding: I64, holding_count: int) -> Movements:
    """The movements over `holding` [O] of each output, an address' debits and credits of one transaction netted.

    `holding` may name clusters as well: the smallest address id of each.
    """
    known_debit, known_credit = outputs.debit_holding >= 0, outputs.credit_holding >= 0
    debit, credit = outputs.debit_holding.copy(), outputs.credit_holding.copy()
    debit[known_debit] = holding[debit[known_debit]]
    credit[known_credit] = holding[credit[known_credit]]
    debit_amount, credit_amount = outputs.debit_amount.copy(), outputs.credit_amount.copy()
    _net(outputs.first_debit, debit, debit_amount, outputs.first_credit, credit, credit_amount)
    kept_debit, kept_credit = debit_amount > 0, credit_amount > 0
    return outputs._replace(
        first_debit=_starts_of(outputs.first_debit, kept_debit),
        debit_holding=debit[kept_debit],
        debit_amount=debit_amount[kept_debit],
        first_credit=_starts_of(outputs.first_credit, kept_credit),
        credit_holding=credit[kept_credit],
        credit_amount=credit_amount[kept_credit],
        holding_count=holding_count,
    )


def _starts_of(first: I64, kept: Bool) -> I64:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(kept, dtype=np.int64)))[first]


@njit(cache=True, nogil=True)
def _net(first_debit: I64, debit: I64, debit_amount: I64, first_credit: I64, credit: I64, credit_amount: I64) -> None:
    """Take what comes back to a debited holding off both sides, row by row."""
    for movement in range(len(first_debit) - 1):
        for c in range(first_credit[movement], first_credit[movement + 1]):
            if credit[c] < 0:
                continue
            for d in range(first_debit[movement], first_debit[movement + 1]):
                if debit[d] == credit[c]:
                    back = np.minimum(debit_amount[d], credit_amount[c])
                    debit_amount[d] -= back
                    credit_amount[c] -= back
