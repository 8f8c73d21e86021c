"""A folder of ethereum-etl tables as parts of blocks: any subset of transactions, token transfers, traces, logs,
blocks, contracts and tokens.

Such rows prove nothing, so blocks are `Proof.STATED`, and each says which parts its source had. What is missing stays
missing: a fee without gas, a recipient of a creation, a success that no receipt and no trace tells (the value is then
`Basis.ASSUMED`). A transaction that only transfers, traces or logs name is known by them alone.

A row that cannot be taken is a reject with its reason, and takes its whole transaction with it: half a transaction
would move money from nowhere. Logs, where there are any, count instead of token transfers: they say which standard a
transfer is of.
"""

from __future__ import annotations

import contextlib
import gc
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from chain.errors import LimitExceeded, MalformedData
from chain.ethereum.builder import NOTHING, BatchBuilder, BlockFacts, MovementFacts, TransactionFacts
from chain.ethereum.etl_rows import Row, RowError, find_tables, rows
from chain.ethereum.logs import log_movements
from chain.ethereum.model import Basis, EthereumBatch, Movement, Part, Standard, Status
from chain.ethereum.tokens import LONGEST, MOST_DECIMALS, TokenFacts
from chain.model import UNKNOWN, Proof
from chain.source import Reject

GENESIS_TIME = 0
"""The timestamp in the main network's genesis header."""

_MOVING_CALLS = ("call", "")
"""`delegatecall` and `staticcall` move nothing, `callcode` moves to itself; a creation has no call type."""

MAX_REJECTS = 100_000
"""Rows that may be refused before the load is: these are then other files than they should be."""

TracePath = tuple[int, ...]


@dataclass(slots=True)
class _Trace:
    path: TracePath
    kind: str
    call: str
    failed: bool
    sender: bytes
    recipient: bytes
    value: int


@dataclass(slots=True)
class _Transaction:
    """What the tables say of one transaction."""

    hash: bytes
    height: int
    facts: TransactionFacts | None = None
    time: int | None = None
    row: Row | None = None
    """Of the table of transactions."""
    traces: list[_Trace] = field(default_factory=list)
    logs: list[MovementFacts] = field(default_factory=list)


class EtlFolder:
    """PartSource over a folder; all of it is in memory."""

    def __init__(self, folder: Path, chain_id: int) -> None:
        self.chain_id = chain_id
        self.rejects: list[Reject] = []
        self._files = find_tables(folder)
        self._txs: dict[bytes, _Transaction] = {}
        self._blocks: dict[int, BlockFacts] = {}
        self._times: dict[int, int] = {0: GENESIS_TIME}
        self._places: dict[tuple[int, int], bytes] = {}
        self._own: dict[int, list[MovementFacts]] = defaultdict(list)
        self._collections: set[bytes] = set()
        self._tokens: dict[bytes, TokenFacts] = {}
        self._parts = Part(0)
        self._refused: set[bytes] = set()

    def tokens(self) -> list[TokenFacts]:
        """What the table of tokens says, where there is one; to be asked for after the batches."""
        return list(self._tokens.values())

    def all_batches(self) -> Iterator[EthereumBatch]:
        """Everything the folder has, as one batch. MalformedData where a column is missing or no row can be taken."""
        # Rows make millions of small objects and no cycles: looking for these is a fifth of the time.
        gc.disable()
        try:
            batch = self._batch()
        finally:
            gc.enable()
        yield batch

    def _batch(self) -> EthereumBatch:
        self._read()
        self._settle_times()
        builder = BatchBuilder(self.chain_id)
        by_block: dict[int, list[_Transaction]] = defaultdict(list)
        for tx in self._txs.values():
            if tx.hash not in self._refused:
                by_block[tx.height].append(tx)
        if not by_block and self.rejects:
            first = self.rejects[0]
            raise MalformedData(f"{first.source}, {first.place}: {first.reason}; nothing else can be taken either")
        for height in sorted(by_block.keys() | self._own.keys() | self._blocks.keys()):
            txs = sorted(by_block[height], key=_order)
            builder.add_block(self._block(height, txs))
            for tx in txs:
                builder.add_transaction(*self._transaction(tx))
            builder.add_block_movements(self._own[height])
        return builder.build()

    def _read(self) -> None:
        readers = (
            ("contracts", Part(0), self._read_contract),
            ("tokens", Part(0), self._read_token),
            ("blocks", Part(0), self._read_block),
            ("transactions", Part.TRANSACTIONS, self._read_transaction),
            ("traces", Part.TRACES, self._read_trace),
            ("logs", Part.LOGS | Part.TOKENS, self._read_log),
            ("token_transfers", Part.TOKENS, self._read_transfer),
        )
        for table, part, read in readers:
            if table == "token_transfers" and "logs" in self._files:
                continue
            if table in self._files:
                self._parts |= part
                for row in rows(table, self._files[table]):
                    try:
                        read(row)
                    except RowError as error:
                        self._reject(row, error.reason)

    def _reject(self, row: Row, reason: str) -> None:
        """Leave a row out, and the transaction that it is of."""
        if len(self.rejects) == MAX_REJECTS:
            raise LimitExceeded(f"{row.path}: more than {MAX_REJECTS:,} rows cannot be taken; the last: {reason}")
        self.rejects.append(Reject(str(row.path), f"line {row.line}", reason))
        with contextlib.suppress(RowError):
            self._refused.add(row.octets("transaction_hash", 32) or row.octets("hash", 32))

    def _settle_times(self) -> None:
        """A block has one time: that of the table of blocks, else of its first transaction."""
        told = [tx for tx in self._txs.values() if tx.row is not None and tx.time is not None]
        for tx in sorted(told, key=_order):
            assert tx.row is not None, "chosen so"
            assert tx.time is not None, "chosen so"
            if tx.height not in self._times:
                self._times[tx.height] = tx.time
            elif self._times[tx.height] != tx.time:
                self._reject(
                    tx.row, f"block_timestamp is {tx.time}, that of block {tx.height} is {self._times[tx.height]}"
                )

    def _read_contract(self, row: Row) -> None:
        if row.text("is_erc721").lower() in ("true", "1"):
            self._collections.add(row.must("address", 20))

    def _read_token(self, row: Row) -> None:
        decimals = row.number("decimals")
        if decimals is not None and decimals > MOST_DECIMALS:
            raise row.refuse(f"decimals is {decimals}, not a number up to {MOST_DECIMALS}")
        name, symbol = (row.text(column).encode("utf-8", "surrogateescape")[:LONGEST] for column in ("name", "symbol"))
        contract = row.must("address", 20)
        self._tokens[contract] = TokenFacts(contract, name, symbol, decimals)

    def _read_block(self, row: Row) -> None:
        height = row.needed("number")
        self._times[height] = row.needed("timestamp")
        self._blocks[height] = BlockFacts(
            height, row.octets("hash", 32), row.octets("parent_hash", 32), self._times[height], row.octets("miner", 20),
            Proof.STATED, Part(0),
        )  # fmt: skip

    def _read_transaction(self, row: Row) -> None:
        tx = self._of(row, "hash")
        if tx.facts is not None and tx.row is not None:
            raise row.refuse(f"transaction 0x{tx.hash.hex()} stands at line {tx.row.line} already")
        gas, price = row.number("receipt_gas_used"), row.number("receipt_effective_gas_price")
        price = row.number("gas_price") if price is None else price
        status = {"": Status.UNKNOWN, "0": Status.FAILED, "1": Status.SUCCEEDED}.get(row.text("receipt_status"))
        if status is None:
            raise row.refuse(f"receipt_status is {row.text('receipt_status')[:20]!r}, not 0 or 1")
        index = row.number("transaction_index")
        if index is not None and self._places.setdefault((tx.height, index), tx.hash) != tx.hash:
            raise row.refuse(f"another transaction has index {index} of block {tx.height}")
        tx.time, tx.row = row.number("block_timestamp"), row
        tx.facts = TransactionFacts(
            tx.hash, UNKNOWN if index is None else index, row.number("transaction_type"), row.must("from_address", 20),
            row.octets("to_address", 20), row.octets("receipt_contract_address", 20), row.amount("value"), status, gas,
            None if gas is None or price is None else gas * price, row.octets("input", None),
        )  # fmt: skip

    def _read_trace(self, row: Row) -> None:
        trace = _Trace(
            *_trace_place(row), row.text("call_type"), row.text("status") == "0", row.octets("from_address", 20),
            row.octets("to_address", 20), row.amount("value"),
        )  # fmt: skip
        if trace.kind in ("reward", "genesis", "daofork"):
            kind = Movement.INTERNAL if trace.kind == "daofork" else Movement.REWARD
            move = MovementFacts(kind, Basis.STATED, trace.sender, trace.recipient, trace.value)
            self._own[row.needed("block_number")].append(move)
            return
        self._of(row, "transaction_hash").traces.append(trace)

    def _read_log(self, row: Row) -> None:
        topics = row.fields.get("topics") or []
        if isinstance(topics, str):
            topics = topics.split(",") if topics else []
        words = [Row({"topic": topic}, row.path, row.line).must("topic", 32) for topic in topics]
        moves = log_movements(
            row.must("address", 20), words, row.octets("data", None), row.needed("log_index"), Basis.STATED
        )
        if moves:
            self._of(row, "transaction_hash").logs.extend(moves)

    def _read_transfer(self, row: Row) -> None:
        contract, value = row.must("token_address", 20), row.amount("value")
        is_collection = contract in self._collections
        log = row.number("log_index")
        move = MovementFacts(
            Movement.TOKEN, Basis.STATED, row.must("from_address", 20), row.must("to_address", 20),
            1 if is_collection else value, Standard.ERC721 if is_collection else Standard.ERC20, contract,
            value if is_collection else 0, UNKNOWN if log is None else log,
        )  # fmt: skip
        self._of(row, "transaction_hash").logs.append(move)

    def _of(self, row: Row, column: str) -> _Transaction:
        digest, height = row.must(column, 32), row.needed("block_number")
        tx = self._txs.setdefault(digest, _Transaction(digest, height))
        if tx.height != height:
            raise row.refuse(f"it puts transaction 0x{digest.hex()} in block {height}, another row in {tx.height}")
        return tx

    def _block(self, height: int, txs: list[_Transaction]) -> BlockFacts:
        if height not in self._times:
            raise MalformedData(
                f"block {height} has no time: give transactions with block_timestamp, or blocks with timestamp"
            )
        receipts = all(
            tx.facts is not None and (tx.facts.status != Status.UNKNOWN or tx.facts.gas_used is not None) for tx in txs
        )
        parts = self._parts | (Part.RECEIPTS if txs and receipts else Part(0))
        known = self._blocks.get(height)
        if known is not None:
            return replace(known, parts=parts)
        return BlockFacts(height, b"", b"", self._times[height], b"", Proof.STATED, parts)

    def _transaction(self, tx: _Transaction) -> tuple[TransactionFacts, list[MovementFacts]]:
        top = next((trace for trace in tx.traces if not trace.path), None)
        facts = tx.facts or _of_traces(tx, top)
        if facts.status == Status.UNKNOWN and top is not None:
            facts = replace(facts, status=Status.FAILED if top.failed else Status.SUCCEEDED)
        if not facts.to and not facts.created and top is not None and top.kind == "create":
            facts = replace(facts, created=top.recipient)
        moves = []
        if facts.fee:
            miner = self._blocks[tx.height].miner if tx.height in self._blocks else NOTHING
            moves.append(MovementFacts(Movement.FEE_PAID, Basis.STATED, facts.sender, miner, facts.fee))
        if facts.status == Status.FAILED:
            return facts, moves
        if facts.value:
            basis = Basis.ASSUMED if facts.status == Status.UNKNOWN else Basis.STATED
            end = facts.to or facts.created
            moves.append(MovementFacts(Movement.VALUE, basis, facts.sender, end, facts.value))
        moves.extend(_internal(tx.traces))
        moves.extend(sorted(tx.logs, key=lambda move: move.log))
        return facts, moves


def _order(tx: _Transaction) -> tuple[int, int, bytes]:
    """By index; those whose index is not known behind, by their first log."""
    index = UNKNOWN if tx.facts is None else tx.facts.index
    first = min([move.log for move in tx.logs]) if tx.logs else 0
    return (index if index >= 0 else 1 << 62, first, tx.hash)


def _of_traces(tx: _Transaction, top: _Trace | None) -> TransactionFacts:
    """A transaction that no table of transactions has."""
    creates = top is not None and top.kind == "create"
    return TransactionFacts(
        tx.hash, UNKNOWN, None, NOTHING if top is None else top.sender,
        NOTHING if top is None or creates else top.recipient, top.recipient if top and creates else NOTHING,
        0 if top is None else top.value, Status.UNKNOWN, None, None, b"",
    )  # fmt: skip


def _internal(traces: list[_Trace]) -> Iterator[MovementFacts]:
    """What calls, creations and self-destructs moved; nothing below a call that failed."""
    failed = {trace.path for trace in traces if trace.failed}
    for trace in sorted(traces, key=lambda each: each.path):
        if not trace.path or any(trace.path[:depth] in failed for depth in range(len(trace.path) + 1)):
            continue
        if trace.value and trace.call in _MOVING_CALLS:
            yield MovementFacts(Movement.INTERNAL, Basis.STATED, trace.sender, trace.recipient, trace.value)
        if trace.kind == "create" and trace.recipient:
            yield MovementFacts(Movement.CREATED, Basis.STATED, trace.sender, trace.recipient, 0)


def _trace_place(row: Row) -> tuple[TracePath, str]:
    """Where a trace stands in its transaction and what it is, by columns or by the id that holds both."""
    kind, address = row.text("trace_type"), row.text("trace_address")
    if not kind:
        kind, _, rest = row.text("trace_id").partition("_")
        digest, _, path = rest.partition("_")
        address = path.replace("_", ",") if digest.startswith("0x") else ""
    if not kind:
        raise row.refuse("there is neither a trace_type nor a trace_id")
    try:
        return tuple(int(part) for part in address.strip("[]").split(",") if part.strip()), kind
    except ValueError:
        raise row.refuse(f"trace_address is {address[:80]!r}, not numbers with commas") from None
