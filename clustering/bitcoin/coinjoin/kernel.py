"""The classes of many transactions, compiled; `reference.py` is the readable twin.

A transaction is looked at once: its inputs' addresses and its outputs' values are sorted, and the forms ask the
sorted arrays. Most transactions have one input, or no value twice, and need a form or two.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from chain.model import I32, I64, U8, UNKNOWN, Bool, OutputType, Signing
from clustering.bitcoin.coinjoin import parameters as p
from clustering.bitcoin.coinjoin.classes import CoinjoinClass
from clustering.bitcoin.ledger import Ledger, sort_few, take_addresses

_NONE = int(CoinjoinClass.NONE)
_STRUCTURAL = int(CoinjoinClass.STRUCTURAL)
_JOINMARKET = int(CoinjoinClass.JOINMARKET)
_WASABI_1_0 = int(CoinjoinClass.WASABI_1_0)
_WASABI_1_1 = int(CoinjoinClass.WASABI_1_1)
_WABISABI = int(CoinjoinClass.WABISABI)
_WHIRLPOOL = int(CoinjoinClass.WHIRLPOOL)
_WHIRLPOOL_LINEAGE = int(CoinjoinClass.WHIRLPOOL_LINEAGE)
_TX0 = int(CoinjoinClass.TX0)
_STONEWALL = int(CoinjoinClass.STONEWALL)
_PAYJOIN = int(CoinjoinClass.PAYJOIN)
_POSSIBLE = int(CoinjoinClass.POSSIBLE)
_ANYONECANPAY = int(CoinjoinClass.ANYONECANPAY)

_SIGNED_OPEN = int(Signing.ANYONECANPAY)
_OP_RETURN, _P2WPKH, _P2TR = int(OutputType.OP_RETURN), int(OutputType.P2WPKH), int(OutputType.P2TR)
_UNSTATED = int(OutputType.UNSTATED)
_DENOMINATIONS, _POOLS = p.WABISABI_DENOMINATIONS, p.WHIRLPOOL_POOLS
_BAND_A, _BAND_B = p.WASABI_1_BANDS
_DUST_A, _DUST_B = p.DUST_VALUES
_NOTHING = np.zeros(0, np.int64)


@njit(cache=True, nogil=True)
def classes_of(ledger: Ledger, input_start: I64, first_tx: int) -> U8:
    """[N] the class of each of the N transactions from `first_tx` on, whose inputs `input_start` [N + 1] delimits."""
    classes = np.zeros(len(input_start) - 1, np.uint8)
    widest_in, widest_out = 1, 1
    for row in range(len(classes)):
        widest_in = max(widest_in, input_start[row + 1] - input_start[row])
        widest_out = max(widest_out, ledger.tx_output_count[first_tx + row])
    address, brought = np.empty(widest_in, np.int32), np.empty(widest_in, np.int64)
    value = np.empty(widest_out, np.int64)
    for row in range(len(classes)):
        spends = ledger.input_spends[input_start[row] : input_start[row + 1]]
        classes[row] = _class_of(ledger, first_tx + row, spends, address, brought, value)
    return classes


@njit(cache=True, nogil=True)
def blocksci_forms(ledger: Ledger, input_start: I64, first_tx: int) -> Bool:
    """[N] which transactions BlockSci's `isCoinjoin` as published leaves out of co-spend: what others use."""
    found = np.zeros(len(input_start) - 1, np.bool_)
    for row in range(len(found)):
        spends = ledger.input_spends[input_start[row] : input_start[row + 1]]
        address = np.empty(len(spends), np.int32)
        addresses = take_addresses(spends, ledger.output_address, address)
        first, outputs = ledger.tx_first_output[first_tx + row], ledger.tx_output_count[first_tx + row]
        values = ledger.output_value[first : first + outputs]
        if addresses > 1:
            found[row] = _is_structural(values, addresses, _NOTHING, 0, False)
    return found


@njit(cache=True, nogil=True)
def _class_of(ledger: Ledger, tx: int, spends: I64, address: I32, brought: I64, value: I64) -> int:
    """The class of one transaction; `address`, `brought` and `value` are room to work in."""
    first, outputs = ledger.tx_first_output[tx], ledger.tx_output_count[tx]
    spendable, known = _take_values(ledger, first, outputs, value)
    values, returns = value[:known], outputs - spendable
    addresses = take_addresses(spends, ledger.output_address, address) if len(spends) > 1 else len(spends)
    if addresses > 1 and known > 1:
        sort_few(values)
    repeated = addresses > 1 and _most_frequent(values) > 1
    if repeated and returns == 0:
        form = _segwit_form(ledger, first, outputs, spends, values, addresses)
        if form != _NONE:
            return int(form)
    if addresses > 1 and ledger.tx_signing[tx] == _SIGNED_OPEN:
        return _ANYONECANPAY
    if returns == 1 and len(spends) > 0 and _enters_pool(ledger, first, outputs, values, 0):
        return _TX0
    if addresses < 2 or (returns == 0 and not repeated and outputs != p.PAYJOIN_OUTPUTS):
        return _NONE
    if repeated and returns == 0 and _is_joinmarket(ledger, tx, values, len(spends), addresses):
        return _JOINMARKET
    groups = _take_groups(ledger, spends, address[:addresses], brought)
    fee = brought[:groups].sum() - ledger.output_value[first : first + outputs].sum()
    every_known = _all_known(ledger, spends, first, outputs)
    if repeated and _is_stonewall(ledger, first, outputs, values, spendable, brought[:groups], fee, every_known):
        return _STONEWALL
    if _is_structural(ledger.output_value[first : first + outputs], addresses, brought[:groups], fee, every_known):
        return _STRUCTURAL
    if spendable == p.PAYJOIN_OUTPUTS and every_known and _is_payjoin(values, brought[:groups], fee):
        return _PAYJOIN
    if repeated and _is_possible(ledger, first, outputs, address[:addresses], brought[:groups], fee, every_known):
        return _POSSIBLE
    return _NONE


@njit(cache=True, nogil=True)
def _segwit_form(ledger: Ledger, first: int, outputs: int, spends: I64, values: I64, addresses: int) -> int:
    """Which of the forms of equal outputs that Whirlpool and Wasabi make a transaction has."""
    pool = _mix_pool(ledger, first, outputs, spends)
    if pool:
        return _WHIRLPOOL_LINEAGE if _has_lineage(ledger, spends, pool) else _WHIRLPOOL
    if len(spends) < p.WASABI_1_INPUTS or len(values) < p.WABISABI_REPEATED:
        return _NONE
    types = _types(ledger, first, outputs, spends)
    if types < 0 or not _different_addresses(ledger, first, outputs):
        return _NONE
    if _is_wabisabi(values, outputs, addresses):
        return _WABISABI
    return _wasabi_1(values, outputs, addresses) if types == _P2WPKH else _NONE


# What is taken from the columns


@njit(cache=True, nogil=True, forceinline=True)
def _take_values(ledger: Ledger, first: int, outputs: int, value: I64) -> tuple[int, int]:
    """Put the known values of the spendable outputs into `value`; how many are spendable, how many known."""
    spendable = known = 0
    for output in range(first, first + outputs):
        if ledger.output_type[output] != _OP_RETURN:
            spendable += 1
            if ledger.output_value[output] != UNKNOWN:
                value[known] = ledger.output_value[output]
                known += 1
    return spendable, known


@njit(cache=True, nogil=True)
def _take_groups(ledger: Ledger, spends: I64, address: I32, brought: I64) -> int:
    """Put what each address brings into `brought`, behind them each input without one; how many they are."""
    groups = len(address)
    brought[:groups] = 0
    for output in spends:
        owner = ledger.output_address[output] if output >= 0 else -1
        value = ledger.output_value[output] if output >= 0 else UNKNOWN
        if owner >= 0:
            brought[np.searchsorted(address, owner)] += value
        else:
            brought[groups] = value
            groups += 1
    return groups


@njit(cache=True, nogil=True)
def _all_known(ledger: Ledger, spends: I64, first: int, outputs: int) -> bool:
    for output in spends:
        if output < 0 or ledger.output_value[output] == UNKNOWN:
            return False
    for output in range(first, first + outputs):  # noqa: SIM110  (kernels know no generators)
        if ledger.output_value[output] == UNKNOWN:
            return False
    return True


@njit(cache=True, nogil=True)
def _types(ledger: Ledger, first: int, outputs: int, spends: I64) -> int:
    """_P2WPKH where all types are that, _P2TR where some are P2TR, -1 where one is another; not stated is neither."""
    found = _P2WPKH
    for place in range(len(spends) + outputs):
        output = spends[place] if place < len(spends) else first + place - len(spends)
        kind = _UNSTATED if output < 0 else int(ledger.output_type[output])
        if kind == _P2TR:
            found = _P2TR
        elif kind not in (_P2WPKH, _UNSTATED):
            return -1
    return found


@njit(cache=True, nogil=True)
def _different_addresses(ledger: Ledger, first: int, outputs: int) -> bool:
    """Whether no known address takes two of the spendable outputs."""
    taken, count = np.empty(outputs, np.int32), 0
    for output in range(first, first + outputs):
        if ledger.output_type[output] != _OP_RETURN and ledger.output_address[output] >= 0:
            taken[count] = ledger.output_address[output]
            count += 1
    taken[:count].sort()
    for place in range(1, count):  # noqa: SIM110
        if taken[place] == taken[place - 1]:
            return False
    return True


# Questions to sorted values


@njit(cache=True, nogil=True, forceinline=True)
def _run_end(values: I64, start: int) -> int:
    """Behind the last of the sorted `values` that equals the one at `start`."""
    end = start + 1
    while end < len(values) and values[end] == values[start]:
        end += 1
    return end


@njit(cache=True, nogil=True, forceinline=True)
def _most_frequent(values: I64) -> int:
    most = start = 0
    while start < len(values):
        end = _run_end(values, start)
        most, start = max(most, end - start), end
    return most


@njit(cache=True, nogil=True)
def _count(values: I64, value: int) -> int:
    return int(np.searchsorted(values, value, side="right") - np.searchsorted(values, value))


@njit(cache=True, nogil=True)
def _two_can_pay(brought: I64, least: int, every_known: bool) -> bool:
    if not every_known or brought.max() < least:
        return True
    return bool(brought.sum() - brought.max() >= least)


# The forms


@njit(cache=True, nogil=True)
def _mix_pool(ledger: Ledger, first: int, outputs: int, spends: I64) -> int:
    """The denomination of the Whirlpool pool that a mix is of, 0 where it is none."""
    if len(spends) != outputs or outputs < p.WHIRLPOOL_LEAST or outputs > p.WHIRLPOOL_MOST:
        return 0
    denomination = ledger.output_value[first]
    for output in range(first, first + outputs):
        if ledger.output_value[output] != denomination or ledger.output_type[output] == _OP_RETURN:
            return 0
    entrants = 0
    for place in range(outputs):
        spent = spends[place]
        more = ledger.output_value[spent] - denomination if spent >= 0 else -1
        if more != 0 and (more < p.PREMIX_LEAST or more > p.PREMIX_MOST):
            return 0
        entrants += more != 0
        for other in range(place):
            both = ledger.output_address[spent], ledger.output_address[spends[other]]
            if both[0] == both[1] and both[0] >= 0:
                return 0
    known = (_POOLS[:, 0] == denomination).any()
    return denomination if known and entrants and _different_addresses(ledger, first, outputs) else 0


@njit(cache=True, nogil=True)
def _has_lineage(ledger: Ledger, spends: I64, pool: int) -> bool:
    """Whether new entrants come from a Tx0 of the pool and all others from a mix of it."""
    for spent in spends:
        tx = np.searchsorted(ledger.tx_first_output, spent, side="right") - 1
        first, outputs = ledger.tx_first_output[tx], ledger.tx_output_count[tx]
        if tx < 0 or spent >= first + outputs:
            return False  # an outside output: its transaction is not at hand
        if ledger.output_value[spent] != pool:
            values = np.empty(outputs, np.int64)
            _, known = _take_values(ledger, first, outputs, values)
            if not _enters_pool(ledger, first, outputs, values[:known], pool):
                return False
        else:
            start = ledger.tx_first_input[tx]
            behind = tx + 1 < len(ledger.tx_first_input)
            end = ledger.tx_first_input[tx + 1] if behind else len(ledger.input_spends)
            if _mix_pool(ledger, first, outputs, ledger.input_spends[start:end]) != pool:
                return False
    return True


@njit(cache=True, nogil=True)
def _enters_pool(ledger: Ledger, first: int, outputs: int, values: I64, pool: int) -> bool:
    """Whether a transaction with the spendable `values` is a Tx0 of `pool` (0: of any)."""
    returns = 0
    for output in range(first, first + outputs):
        kind = ledger.output_type[output]
        returns += kind == _OP_RETURN
        if kind not in (_OP_RETURN, _P2WPKH, _UNSTATED):
            return False
    if returns != 1:
        return False
    for row in range(len(_POOLS)):
        denomination, fee = _POOLS[row]
        if pool not in (0, denomination):
            continue
        # All but two values are the premix's, so it is among any three.
        for place in range(min(p.TX0_OTHERS + 1, len(values))):
            premix = values[place]
            if premix < denomination + p.PREMIX_LEAST or premix > denomination + p.PREMIX_MOST:
                continue
            count = paid = 0
            for value in values:
                count += value == premix
                paid += value != premix and fee // p.TX0_FEE_HALF <= value <= fee * p.TX0_FEE_TIMES
            if paid and count <= p.TX0_PREMIX_MOST and count >= outputs - 1 - p.TX0_OTHERS:
                return True
    return False


@njit(cache=True, nogil=True)
def _is_wabisabi(values: I64, outputs: int, addresses: int) -> bool:
    if addresses < p.WABISABI_ADDRESSES or values[0] < p.WABISABI_LEAST:
        return False
    standard = repeated = odd = start = 0
    while start < len(values):
        end = _run_end(values, start)
        at = np.searchsorted(_DENOMINATIONS, values[start])
        if at < len(_DENOMINATIONS) and _DENOMINATIONS[at] == values[start]:
            standard += end - start
            repeated += end - start > 1
            odd += end - start > 1 and values[start] % p.WABISABI_LEAST != 0
        start = end
    return 2 * standard >= outputs - 1 and repeated >= p.WABISABI_REPEATED and odd > 0


@njit(cache=True, nogil=True)
def _wasabi_1(values: I64, outputs: int, addresses: int) -> int:
    start = 0
    while start < len(values):
        end = _run_end(values, start)
        value, parties = values[start], end - start
        start = end
        if not (_BAND_A[0] <= value <= _BAND_A[1] or _BAND_B[0] <= value <= _BAND_B[1]):
            continue
        if parties < p.WASABI_1_PARTIES or not parties <= addresses <= p.WASABI_1_ADDRESSES_EACH * parties:
            continue
        mixed, level = parties, 2 * value
        while level <= values[-1]:
            count = _count(values, level)
            mixed += count if count > 1 else 0
            level *= 2
        if 2 * mixed >= outputs - 1 or mixed >= outputs - addresses - 1:
            return _WASABI_1_1 if mixed > parties else _WASABI_1_0
    return _NONE


@njit(cache=True, nogil=True)
def _is_joinmarket(ledger: Ledger, tx: int, values: I64, inputs: int, addresses: int) -> bool:
    if ledger.block_time[ledger.tx_block[tx]] < p.JOINMARKET_START:
        return False
    first, outputs = ledger.tx_first_output[tx], ledger.tx_output_count[tx]
    start, fits = 0, False
    while start < len(values):
        end = _run_end(values, start)
        value, parties = values[start], end - start
        start = end
        if value <= p.JOINMARKET_DUST or parties < p.JOINMARKET_PARTIES or parties > addresses:
            continue
        few_each = inputs <= p.JOINMARKET_INPUTS_EACH * parties
        enough_outputs = 10 * outputs >= p.JOINMARKET_TENTHS_OUTPUTS_EACH * parties
        if outputs <= 2 * parties < 2 * outputs:
            fits = fits or inputs < p.JOINMARKET_MANY_INPUTS or (few_each and enough_outputs)
    return bool(fits and _different_addresses(ledger, first, outputs))


@njit(cache=True, nogil=True)
def _is_stonewall(
    ledger: Ledger, first: int, outputs: int, values: I64, spendable: int, brought: I64, fee: int, every_known: bool
) -> bool:
    if spendable not in p.STONEWALL_OUTPUTS or len(values) != spendable or _most_frequent(values) != 2:
        return False
    twice, start = 0, 0
    pairs = 0
    while start < len(values):
        end = _run_end(values, start)
        if end - start == 2:
            pairs += 1
            twice = values[start]
        start = end
    if pairs != 1 or twice <= p.STONEWALL_LEAST or not _different_addresses(ledger, first, outputs):
        return False
    return bool(_two_can_pay(brought, twice - fee, every_known))


@njit(cache=True, nogil=True)
def _is_structural(values: I64, addresses: int, brought: I64, fee: int, every_known: bool) -> bool:
    """BlockSci's rule, over all outputs, where two sides can pay."""
    participants = (len(values) + 1) // 2
    if len(values) < p.MIN_OUTPUTS or participants > addresses:
        return False
    ordered = values.copy()
    sort_few(ordered)
    start = 0
    while start < len(ordered):
        end = _run_end(ordered, start)
        value = ordered[start]
        equal = end - start == participants and value != UNKNOWN and value not in (_DUST_A, _DUST_B)
        if equal and _two_can_pay(brought, value - fee, every_known):
            return True
        start = end
    return False


@njit(cache=True, nogil=True)
def _is_payjoin(values: I64, brought: I64, fee: int) -> bool:
    return bool(brought.sum() - brought.min() >= values.max() + fee)


@njit(cache=True, nogil=True)
def _is_possible(
    ledger: Ledger, first: int, outputs: int, address: I32, brought: I64, fee: int, every_known: bool
) -> bool:
    paid, count = np.empty(outputs, np.int64), 0
    for output in range(first, first + outputs):
        at = np.searchsorted(address, ledger.output_address[output])
        own = at < len(address) and address[at] == ledger.output_address[output]
        if not own and ledger.output_type[output] != _OP_RETURN and ledger.output_value[output] != UNKNOWN:
            paid[count] = ledger.output_value[output]
            count += 1
    values = paid[:count]
    values.sort()
    start = 0
    while start < count:
        end = _run_end(values, start)
        if end - start > 1 and _two_can_pay(brought, values[start] - fee, every_known):
            return True
        start = end
    return False
