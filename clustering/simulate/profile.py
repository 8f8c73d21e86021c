"""What the generated chain is to look like, and the mix that reaches it.

TARGETS are the figures of Bitcoin up to June 2021 (height 689,255) of Moeser and Narayanan, Resurrecting Address
Clustering in Bitcoin, Financial Cryptography 2022, and its published notebooks; addresses, entities and edges per
transaction are GraphSense's of November 2021 (Haslhofer et al.). Percent, but for the last three. `marginals.py` says
what each name means. The shares below were set by hand until a chain reached them (docs/generator.md has the table).
"""

from __future__ import annotations

from clustering.simulate.keys import Form
from clustering.simulate.kinds import Kind
from clustering.simulate.wallet import FINAL, LOCKING, REPLACEABLE, Make, Order, Policy, Selection

TARGETS = {
    "outputs_1": 13.96,
    "outputs_2": 75.78,
    "outputs_3": 10.26,
    "op_return_1": 0.43,
    "op_return_2": 5.70,
    "op_return_3": 29.3,
    "reuse_1": 0.66,
    "reuse_2": 20.9,
    "reuse_3": 13.5,
    "revealed_1": 2.5,
    "revealed_2": 10.8,
    "revealed_3": 13.9,
    "unspent_1": 3.4,
    "unspent_2": 3.9,
    "unspent_3": 6.6,
    "rest_inputs_1": 78.8,
    "rest_inputs_2": 13.6,
    "rest_inputs_3": 7.6,
    "rest_version_1": 80.7,
    "rest_lock_time": 24.6,
    "rest_replaceable": 6.2,
    "rest_segwit": 27.1,
    "payee_fresh": 42.5,
    "addresses_per_transaction": 1.31,
    "entities_per_address": 0.461,
    "edges_per_transaction": 8.5,
}

TOLERANCE = 3.0
"""Percentage points; a hundredth of it for RATIOS."""
RATIOS = ("addresses_per_transaction", "entities_per_address")
REPORTED = ("edges_per_transaction",)
"""Measured and told, not promised: its mean is made by the giant transactions of the real chain."""

# Shares of the transactions, in hundredths of a percent. Three outputs and more: what is left of 1026 are the kinds of
# EVENTS and the payouts of pools.
MIX: dict[str, int] = {
    "pay_fresh": 4560,
    "pay_reuse": 1390,
    "pay_static": 870,
    "token_2": 432,
    "token_3": 301,
    "withdrawal": 110,
    "gambling": 150,
    "peel": 40,
    "pay_all": 972,
    "sweep": 280,
    "merchant_sweep": 100,
    "consolidate_join": 28,
    "consolidate_reuse": 8,
    "burn": 6,
    "batch_reuse": 139,
    "batch_join": 140,
    "batch_chain": 190,
    "pay_two": 190,
    "pool_payout": 15,
}

EVENTS: dict[Kind, int] = {
    Kind.JOINMARKET: 80,
    Kind.WASABI_1_0: 20,
    Kind.WASABI_1_1: 20,
    Kind.WASABI_2: 10,
    Kind.WHIRLPOOL: 160,
    Kind.WHIRLPOOL_TX0: 80,
    Kind.STONEWALL: 40,
    Kind.PAYJOIN: 80,
    Kind.DUST_ATTACK: 20,
    Kind.IMPORT_SWEEP: 40,
    Kind.INSCRIPTION_SALE: 50,
    Kind.COLD_STORAGE: 40,
}
"""Rare kinds: how many per 100,000 transactions; two of each at least, however short the chain."""

STOCK = {Policy.FRESH: 1650, Policy.REUSE: 300, Policy.STATIC: 150, Policy.TOKEN: 60}
"""Coins that the wallets of each policy hold, per 100,000 transactions so far: nearly everything is spent."""
STOCK_AT_FIRST = {Policy.FRESH: 100, Policy.REUSE: 30, Policy.STATIC: 20, Policy.TOKEN: 10}
COINS_PER_WALLET = {Policy.FRESH: 3, Policy.REUSE: 2, Policy.STATIC: 3, Policy.TOKEN: 1}

NEW_DEPOSIT_ADDRESS, NEW_DEPOSIT_BY_SERVICE = 33, 50
"""Percent of deposits for which an exchange shows the customer a new address: paid by himself, paid by a service."""
SAVED = 25
"""Thousandths of the payments of whole coins that go to an address of one's own and stay there."""
TO_MERCHANT, TO_GAMBLING = 17, 12
"""Percent of payments to services; the rest are deposits at an exchange."""
TO_CONSUMER, BATCH_TO_CONSUMER = 42, 58
"""Percent of payments that go to a consumer's wallet, from a consumer and from a service."""

_P = Form.P2PKH
_N = Form.NESTED
_W = Form.P2WPKH

MAKES = (
    Make("core-0.12", _P, 1, True, LOCKING, False, Order.RANDOM, Selection.NEAREST, 170, 26),
    Make("core-0.21", _W, 2, True, LOCKING, True, Order.RANDOM, Selection.NEAREST, 0, 86),
    Make("core-0.16-rbf", _N, 2, True, REPLACEABLE, False, Order.RANDOM, Selection.NEAREST, 0, 50),
    Make("core-0.15", _P, 2, True, LOCKING, False, Order.RANDOM, Selection.NEAREST, 40, 54),
    Make("electrum-3", _W, 2, True, REPLACEABLE, True, Order.BIP69, Selection.OLDEST, 0, 46),
    Make("electrum-2", _P, 1, False, FINAL, False, Order.BIP69, Selection.OLDEST, 70, 40, 120),
    Make("ledger", _N, 1, False, FINAL, False, Order.LAST, Selection.OLDEST, 0, 70, 150),
    Make("trezor", _N, 1, False, FINAL, False, Order.BIP69, Selection.LARGEST, 0, 60, 130),
    Make("exodus", _P, 1, False, FINAL, False, Order.LAST, Selection.LARGEST, 30, 82, 200),
    Make("blockchain", _P, 1, False, FINAL, False, Order.RANDOM, Selection.LARGEST, 450, 316),
    Make("bitcoinj", _P, 1, False, FINAL, False, Order.RANDOM, Selection.OLDEST, 180, 70, 80),
    Make("bitpay", _N, 1, False, FINAL, False, Order.LAST, Selection.RANDOM, 20, 50),
    Make("wasabi", _W, 1, False, FINAL, True, Order.RANDOM, Selection.LARGEST, 10, 14),
    Make("samourai", _W, 2, False, REPLACEABLE, True, Order.BIP69, Selection.RANDOM, 10, 16),
    Make("joinmarket", _N, 2, True, LOCKING, True, Order.RANDOM, Selection.RANDOM, 20, 20),
)
"""Wallets with a fresh address each time; the shares sum to 1,000 at both ends."""

OLD = Make("paper", _P, 1, False, FINAL, False, Order.LAST, Selection.OLDEST, 0, 0)
WEB = Make("web", _P, 1, False, FINAL, False, Order.RANDOM, Selection.LARGEST, 0, 0)
PHONE = Make("phone", _N, 1, False, FINAL, False, Order.FIRST, Selection.OLDEST, 0, 0)
STATICS = ((WEB, 700), (PHONE, 300))
REUSERS = ((OLD, 600), (WEB, 300), (PHONE, 100))
TOKENS = ((OLD, 1000),)
SERVICE = Make("service", _P, 1, False, FINAL, False, Order.LAST, Selection.LARGEST, 0, 0)
SERVICE_NESTED = Make("service-nested", _N, 2, False, FINAL, True, Order.LAST, Selection.LARGEST, 0, 0)
SERVICE_SEGWIT = Make("service-segwit", _W, 2, False, REPLACEABLE, True, Order.BIP69, Selection.LARGEST, 0, 0)
