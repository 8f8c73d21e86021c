"""The built-in sample: a small regtest chain that tells the story of one token sale.

Investors, each with a wallet of several addresses, pay deposit addresses of a sale; the seller sweeps the deposits
together, pays a collector and passes most of it on to an exchange; five of the investors also take part in an
equal-output coinjoin, which must join nobody. Everything follows from a seed: the same bytes each time.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import sha256

from chain.bitcoin.build import (
    Payment,
    Spend,
    Transaction,
    block,
    block_hash,
    coinbase,
    regtest_genesis,
    script_for,
    with_commitment,
)
from chain.bitcoin.network import REGTEST, subsidy
from chain.model import AddressKind

COIN = 100_000_000
FEE = 2_000
INVESTORS = 12
BLOCK_SECONDS = 600
START = 1_700_000_000

_KINDS = (
    AddressKind.WITNESS_KEY_HASH,
    AddressKind.PUBKEY_HASH,
    AddressKind.TAPROOT,
    AddressKind.SCRIPT_HASH,
    AddressKind.WITNESS_SCRIPT_HASH,
)
_LENGTH = {AddressKind.TAPROOT: 32, AddressKind.WITNESS_SCRIPT_HASH: 32}


@dataclass(frozen=True, slots=True)
class Coin:
    """An unspent output."""

    txid: bytes
    index: int
    value: int
    key: bytes


@dataclass(slots=True)
class Wallet:
    """Addresses of one owner and the coins on them."""

    name: str
    coins: list[Coin] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)

    def address(self, kind: AddressKind | None = None) -> bytes:
        """A fresh address key."""
        number = len(self.keys)
        form = kind or _KINDS[number % len(_KINDS)]
        digest = sha256(f"headwater sample {self.name} {number}".encode()).digest()
        self.keys.append(bytes([form]) + digest[: _LENGTH.get(form, 20)])
        return self.keys[-1]


@dataclass(slots=True)
class Sample:
    """A chain under construction, and who holds which address in it."""

    blocks: list[bytes] = field(default_factory=lambda: [regtest_genesis(REGTEST)])
    wallets: dict[str, Wallet] = field(default_factory=dict)
    waiting: list[Transaction] = field(default_factory=list)
    fees: int = 0

    def wallet(self, name: str) -> Wallet:
        return self.wallets.setdefault(name, Wallet(name))

    def mine(self, miner: str) -> None:
        """A block of what waits."""
        height = len(self.blocks)
        wallet = self.wallet(miner)
        key = wallet.address(AddressKind.WITNESS_KEY_HASH)
        reward = subsidy(REGTEST, height) + self.fees
        first = coinbase(height, [Payment(reward, script_for(key))], b"sample")
        transactions = with_commitment([first, *self.waiting])
        self.blocks.append(block(block_hash(self.blocks[-1]), START + BLOCK_SECONDS * height, transactions))
        wallet.coins.append(Coin(transactions[0].txid, 0, reward, key))
        self.waiting, self.fees = [], 0

    def spend(self, coins: list[Coin], payments: list[tuple[Wallet, bytes, int]], fee: int = FEE) -> Transaction:
        """A transaction from `coins`; what is paid is a coin of its wallet at once."""
        assert sum(coin.value for coin in coins) == sum(value for _, _, value in payments) + fee
        tx = Transaction(
            tuple(Spend(coin.txid, coin.index, *_unlock(coin.key)) for coin in coins),
            tuple(Payment(value, script_for(key)) for _, key, value in payments),
        )
        for index, (wallet, key, value) in enumerate(payments):
            wallet.coins.append(Coin(tx.txid, index, value, key))
        self.waiting.append(tx)
        self.fees += fee
        return tx

    def pay(self, payer: Wallet, payee: Wallet, value: int, to: bytes | None = None) -> Transaction:
        """An ordinary payment: the payer's oldest coins, change to a fresh address."""
        chosen: list[Coin] = []
        while sum(coin.value for coin in chosen) < value + FEE:
            chosen.append(payer.coins.pop(0))
        change = sum(coin.value for coin in chosen) - value - FEE
        payments = [(payee, to or payee.address(), value)]
        if change:
            payments.append((payer, payer.address(), change))
        return self.spend(chosen, payments)


def _unlock(key: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Script and witness of the form that spends an output of this kind."""
    signature, public = b"\x30" + bytes(70) + b"\x01", b"\x02" + bytes(32)
    kind = AddressKind(key[0])
    if kind == AddressKind.PUBKEY_HASH:
        return bytes([len(signature)]) + signature + bytes([len(public)]) + public, ()
    if kind == AddressKind.TAPROOT:
        return b"", (bytes(64),)
    if kind == AddressKind.SCRIPT_HASH:
        return b"\x16\x00\x14" + bytes(20), (signature, public)
    return b"", (signature, public)


def sample_chain() -> Sample:
    """The sample: 40 blocks, and the wallets of everyone in it."""
    sample = Sample()
    for _ in range(INVESTORS + 2):
        sample.mine("miner")
    miner, seller = sample.wallet("miner"), sample.wallet("sale")
    exchange, collector = sample.wallet("exchange"), sample.wallet("collector")
    investors = [sample.wallet(f"investor {number}") for number in range(1, INVESTORS + 1)]
    for number, investor in enumerate(investors):
        for share in range(3):
            sample.pay(miner, investor, (3 + number + share) * COIN)
        sample.mine("miner")
    deposits: dict[str, bytes] = {investor.name: seller.address() for investor in investors}
    for round_number in range(2):
        for number, investor in enumerate(investors):
            value = (4 + number) * COIN + 1_000 * round_number
            sample.pay(investor, seller, value if round_number == 0 else COIN, deposits[investor.name])
        sample.mine("miner")
    _coinjoin(sample, investors[:5])
    sample.mine("miner")
    _sweep(sample, seller, collector)
    sample.mine("miner")
    for value in (20 * COIN, 30 * COIN, 15 * COIN):
        sample.pay(collector, exchange, value)
        sample.mine("miner")
    for _ in range(6):
        sample.mine("miner")
    return sample


def _coinjoin(sample: Sample, wallets: list[Wallet]) -> None:
    """One equal output and one change for each of `wallets` (the form that BlockSci's rule knows)."""
    coins = [max(wallet.coins, key=lambda coin: coin.value) for wallet in wallets]
    equal = COIN
    payments = [(wallet, wallet.address(AddressKind.WITNESS_KEY_HASH), equal) for wallet in wallets]
    for wallet, coin in zip(wallets, coins, strict=True):
        wallet.coins.remove(coin)
        payments.append((wallet, wallet.address(AddressKind.WITNESS_KEY_HASH), coin.value - equal - FEE))
    sample.spend(coins, payments, FEE * len(wallets))


def _sweep(sample: Sample, seller: Wallet, collector: Wallet) -> None:
    """The seller gathers the deposits, twelve at a time, and pays the collector."""
    by_size: dict[int, list[Coin]] = defaultdict(list)
    for place, coin in enumerate(seller.coins):
        by_size[place // INVESTORS].append(coin)
    seller.coins = []
    for coins in by_size.values():
        total = sum(coin.value for coin in coins)
        keep = COIN // 2
        payments = [(collector, collector.address(), total - keep - FEE), (seller, seller.address(), keep)]
        sample.spend(coins, payments)
