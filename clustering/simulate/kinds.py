"""What the generator's truth calls its transactions and owners. The numbers are written to files: append only."""

from __future__ import annotations

from enum import IntEnum


class Kind(IntEnum):
    """What a transaction is, as its maker knows."""

    COINBASE = 0
    PAYMENT = 1
    PAY_ALL = 2
    """A payment of whole coins, without change."""
    PAY_TWO = 3
    """A payment to two payees at once."""
    TOKEN_TRANSFER = 4
    """A message of a token protocol in an OP_RETURN output."""
    BURN = 5
    """An OP_RETURN output and nothing else."""
    SWEEP = 6
    """A service gathers what it was paid."""
    BATCH = 7
    """A service pays out to many."""
    WITHDRAWAL = 8
    """A service pays out to one."""
    CONSOLIDATION = 9
    POOL_PAYOUT = 10
    GAMBLING_PAYOUT = 11
    PEEL = 12
    COLD_STORAGE = 13
    DUST_ATTACK = 14
    IMPORT_SWEEP = 15
    """A service spends the keys that customers gave it, with its own."""
    INSCRIPTION_SALE = 16
    """Seller's and buyer's inputs together, the seller's signed SIGHASH_SINGLE | ANYONECANPAY."""
    PAYJOIN = 17
    STONEWALL = 18
    """One owner's transaction in the form of a coinjoin of two."""
    WHIRLPOOL_TX0 = 19
    """One owner's preparation of coins for a mix."""
    JOINMARKET = 20
    WASABI_1_0 = 21
    WASABI_1_1 = 22
    WASABI_2 = 23
    WHIRLPOOL = 24
    SALE_DEPOSIT = 25
    SALE_SWEEP = 26
    SALE_CASH_OUT = 27
    SALE_REFUND = 28
    SAVING = 29
    """A consumer puts a coin away on a new address of his own."""


COINJOINS = (Kind.JOINMARKET, Kind.WASABI_1_0, Kind.WASABI_1_1, Kind.WASABI_2, Kind.WHIRLPOOL)
"""Kinds in which several owners mix."""

SEVERAL_OWNERS = (*COINJOINS, Kind.PAYJOIN, Kind.INSCRIPTION_SALE, Kind.IMPORT_SWEEP)
"""Kinds whose inputs have addresses of more than one owner."""


class Party(IntEnum):
    """What an owner is."""

    NETWORK = 0
    CONSUMER = 1
    EXCHANGE = 2
    MERCHANT = 3
    GAMBLING = 4
    POOL = 5
    LAUNDERER = 6
    DUST_ATTACKER = 7
    KEY_IMPORTER = 8
    COORDINATOR = 9
    TOKEN_SALE = 10
    OTC_BROKER = 11
    COLLECTOR = 12
    """A trader of inscriptions."""


NOBODY = -1
SEVERAL = -2
"""The payer of a transaction that several owners sign."""
