"""Seeds: rows of `chain,address` or `chain,txid,index`, with from_time, to_time and asset where they are wanted.

A row that cannot be used is rejected with its reason and the others run. Rows are put into one order and one spelling,
so that the order of a file changes nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chain.bitcoin import address as bitcoin
from chain.compressed import read_bytes
from chain.errors import AddressError, LimitExceeded, MalformedData
from chain.ethereum import address as ethereum

MAX_SEEDS = 100_000
"""Rows of one trace."""

MAX_SEED_BYTES = 64 << 20
"""Bytes of a file of seeds."""

CHAINS = ("btc", "eth")
COLUMNS = ("chain", "address", "txid", "index", "from_time", "to_time", "asset", "cluster", "finding")
WHAT = ("address", "txid", "cluster", "finding")
"""Columns of which a row fills in one."""

SHORTEST_FINDING = 8
"""Digits of a finding's ID that are enough, where they are its alone."""

NATIVE = {"btc": "BTC", "eth": "ETH"}
_HASH_DIGITS = 64
_MAX_INDEX = (1 << 32) - 1


@dataclass(frozen=True, slots=True, order=True)
class Seed:
    """One row, in the one spelling of everything."""

    chain: str
    address: str
    """Empty where an output or a transaction is meant"""
    txid: str
    """Lower-case hex digits, no 0x; empty where an address is meant"""
    index: int
    """-1 for all of the transaction's"""
    from_time: int
    """-1 for none; both ends count"""
    to_time: int
    asset: str
    """`BTC`, `ETH` or a contract; empty for every asset"""
    cluster: str = ""
    """An address whose whole cluster is meant, as one seed"""
    finding: str = ""
    """The ID of a token sale whose contract and collectors are meant, as one seed, or its first digits"""

    @property
    def name(self) -> str:
        """As results name it."""
        place = self.address or f"{self.txid}:{self.index if self.index >= 0 else '*'}"
        if self.cluster or self.finding:
            place = f"cluster:{self.cluster}" if self.cluster else f"finding:{self.finding}"
        window = "" if self.from_time < 0 and self.to_time < 0 else f"@{_time(self.from_time)}..{_time(self.to_time)}"
        return f"{self.chain}:{place}{window}" + (f"#{self.asset}" if self.asset else "")


@dataclass(frozen=True, slots=True)
class RejectedSeed:
    """A row that is not traced, and why."""

    row: int
    """Line of the file, the first row of data being 2"""
    text: str
    reason: str


def _time(seconds: int) -> str:
    return "" if seconds < 0 else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_file(path: Path) -> tuple[list[Seed], list[RejectedSeed]]:
    """The seeds of a CSV file, which may be compressed; see `read_rows`."""
    try:
        text = read_bytes(path, MAX_SEED_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedData(f"{path}: it is not UTF-8 (byte {error.start})") from error
    return read_text(text, str(path))


def read_text(text: str, name: str) -> tuple[list[Seed], list[RejectedSeed]]:
    """The seeds of a CSV text that errors call `name`; see `read_rows`."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    if not rows:
        raise MalformedData(f"{name}: it is empty")
    names = [column.strip().lower() for column in rows[0]]
    unknown = [column for column in names if column not in COLUMNS]
    if unknown or "chain" not in names or not set(WHAT) & set(names):
        raise MalformedData(
            f"{name}: line 1 names columns of {', '.join(COLUMNS)}; chain and one of {', '.join(WHAT)} are needed"
        )
    return read_rows((number, dict(zip(names, row, strict=False))) for number, row in enumerate(rows[1:], 2) if row)


def read_rows(rows: Iterable[tuple[int, dict[str, str]]]) -> tuple[list[Seed], list[RejectedSeed]]:
    """The distinct seeds in their order, and what was rejected. LimitExceeded `seeds` above `MAX_SEEDS` rows."""
    seeds: dict[Seed, int] = {}
    rejected: list[RejectedSeed] = []
    for count, (number, row) in enumerate(rows, 1):
        if count > MAX_SEEDS:
            raise LimitExceeded(f"seeds: a trace takes at most {MAX_SEEDS} rows")
        text = ",".join(str(row.get(name) or "") for name in COLUMNS).removesuffix(",,")
        try:
            seed = _read(row)
        except (ValueError, AddressError) as error:
            rejected.append(RejectedSeed(number, text, str(error)))
            continue
        if seed in seeds:
            rejected.append(RejectedSeed(number, text, f"the same seed as in line {seeds[seed]}"))
        else:
            seeds[seed] = number
    return sorted(seeds), rejected


def _read(row: dict[str, str]) -> Seed:
    """One row; ValueError or AddressError says what is wrong with it."""
    said = {name: (row.get(name) or "").strip() for name in COLUMNS}
    chain = said["chain"].lower()
    if chain not in CHAINS:
        raise ValueError(f"there is no such chain here; {', '.join(CHAINS)} are")
    if sum(bool(said[name]) for name in WHAT) != 1:
        raise ValueError(f"give one of {', '.join(WHAT)}")
    if said["index"] and not said["txid"]:
        raise ValueError("an index goes with a txid")
    start, end = read_time(said["from_time"]), read_time(said["to_time"])
    if 0 <= end < start:
        raise ValueError("it ends before it starts")
    address = read_address(chain, said["address"]) if said["address"] else ""
    asset = _asset(chain, said["asset"])
    return Seed(
        chain, address, _txid(said["txid"]), _index(said["index"]), start, end, asset,
        _cluster(chain, said["cluster"]), _finding(chain, said["finding"]),
    )  # fmt: skip


def _cluster(chain: str, text: str) -> str:
    """The address of `dataset/level/address@run`, or of an address alone."""
    if text and chain != "btc":
        raise ValueError("only btc has clusters that hold")
    return read_address(chain, text.rpartition("/")[2].partition("@")[0]) if text else ""


def _finding(chain: str, text: str) -> str:
    if text and chain != "eth":
        raise ValueError("findings are of eth")
    if text and (len(text) < SHORTEST_FINDING or set(text.lower()) - set("0123456789abcdef")):
        raise ValueError(f"a finding's ID has hex digits, of which {SHORTEST_FINDING} or more are enough")
    return text.lower()


def read_address(chain: str, text: str) -> str:
    """An address in its one spelling; AddressError where it is none of the chain."""
    if chain == "eth":
        return ethereum.encode(ethereum.decode(text))
    network, key = bitcoin.decode_any(text)
    return bitcoin.encode(key, network)


def _txid(text: str) -> str:
    if not text:
        return ""
    digits = text.lower().removeprefix("0x")
    if len(digits) != _HASH_DIGITS or set(digits) - set("0123456789abcdef"):
        raise ValueError("a txid has 64 hex digits")
    return digits


def _index(text: str) -> int:
    if not text:
        return -1
    if not text.isascii() or not text.isdecimal() or int(text) > _MAX_INDEX:
        raise ValueError("an index is a whole number of 32 bits")
    return int(text)


def _asset(chain: str, text: str) -> str:
    if not text or text.upper() == NATIVE[chain]:
        return text.upper()
    if chain == "btc":
        raise ValueError("the only asset of btc is BTC")
    return ethereum.encode(ethereum.decode(text))


def read_time(text: str) -> int:
    """Seconds since 1970 of an ISO 8601 date or time (UTC where it names no zone) or of digits; -1 for none."""
    if not text:
        return -1
    if text.isascii() and text.isdecimal() and len(text) > 8:
        return int(text)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text[:40]!r} is no time; write 2017-06-12T14:00:00Z, 2017-06-12 or seconds since 1970"
        ) from None
    moment = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    if moment.year < 1970:
        raise ValueError("a time before 1970")
    return int(moment.timestamp())
