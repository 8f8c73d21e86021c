"""The numbers of the forms; `classes.py` says where each form is from. Amounts in satoshi."""

from __future__ import annotations

import numpy as np

from chain.model import I64

DUST_VALUES = (546, 2730)
"""The dust limits of a P2PKH output (182 bytes, three times the relay fee) at relay fees of 1,000 and 5,000 satoshi a
kilobyte (Bitcoin Core's defaults; the latter of 0.11.1): sent so often for their own sake that equal ones mean
nothing. BlockSci's exclusion."""

MIN_OUTPUTS = 3
"""Of the structural form."""

JOINMARKET_PARTIES = 3
JOINMARKET_DUST = 2730
JOINMARKET_MANY_INPUTS = 50
JOINMARKET_INPUTS_EACH = 20
JOINMARKET_TENTHS_OUTPUTS_EACH = 17
JOINMARKET_START = 1_420_070_400
"""2015-01-01: JoinMarket was announced in that month. Before, the form is only structural."""

WASABI_1_INPUTS = 5
WASABI_1_PARTIES = 3
WASABI_1_ADDRESSES_EACH = 7
WASABI_1_BANDS = ((4_500_000, 5_500_000), (8_000_000, 12_000_000))

WABISABI_ADDRESSES = 10
"""Coordinators set the least number of inputs: 50 in theory, 15 in real rounds, 13 in emulated ones."""
WABISABI_REPEATED = 3
WABISABI_LEAST = 5_000
"""The smallest denomination; a round's own values are seldom all multiples of it, a person's always."""
WABISABI_MOST = 137_438_953_472
"""2^37, the greatest denomination within the wallet's bound of 1,343.75 BTC is below it."""


def _denominations() -> I64:
    powers = {step * base**k for base, step in ((2, 1), (3, 1), (3, 2), (10, 1), (10, 2), (10, 5)) for k in range(38)}
    return np.array(sorted(value for value in powers if WABISABI_LEAST <= value <= WABISABI_MOST), np.int64)


WABISABI_DENOMINATIONS = _denominations()
"""Ascending."""

WHIRLPOOL_POOLS = np.array(
    [
        (100_000, 5_000), (1_000_000, 50_000), (2_500_000, 87_500), (5_000_000, 175_000), (25_000_000, 875_000),
        (50_000_000, 1_750_000),
    ],
    np.int64,
)  # fmt: skip
"""[pools, 2]: denomination and fee of entering. The fees of the pools of 2025 are taken to be in proportion."""
WHIRLPOOL_LEAST, WHIRLPOOL_MOST = 5, 8
"""Inputs of a mix."""
PREMIX_LEAST, PREMIX_MOST = 100, 110_000
"""What an entrant brings above the denomination: its share of the miners' fees."""
TX0_PREMIX_MOST = 70
TX0_OTHERS = 2
"""Outputs of a Tx0 beside premix and OP_RETURN: the fee and the change."""
TX0_FEE_HALF, TX0_FEE_TIMES = 2, 3
"""A fee is between the pool's divided by the one and multiplied with the other (discounts, address reuse fines)."""

STONEWALL_OUTPUTS = (3, 4)
STONEWALL_LEAST = 5_000
"""The equal value is greater."""

PAYJOIN_OUTPUTS = 2
