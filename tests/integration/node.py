"""A real bitcoin node on regtest for tests: found or fetched, started on free ports, stopped.

It is HEADWATER_BITCOIND, else `bitcoind` on PATH, else the one that tests/tools/fetch_bitcoind.sh
unpacks into HEADWATER_TEST_CACHE (default: ~/.cache/headwater). Where none can be had, the tests
that need it are skipped with the reason.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from chain.bitcoin.nodeclient import FIRST_PAUSE, NodeClient
from chain.errors import NodeError

SCRIPT = Path(__file__).parents[1] / "tools" / "fetch_bitcoind.sh"
FETCH_SECONDS = 300
START_SECONDS = 30
MEMORY = Path("/dev/shm")
USER, PASSWORD = "headwater", "p@ss/word#1"
URL_SECRET = "headwater:p%40ss%2Fword%231"


@cache
def find_bitcoind() -> tuple[str | None, str]:
    """The program of a node, or None and why there is none."""
    named = os.environ.get("HEADWATER_BITCOIND") or shutil.which("bitcoind")
    if named:
        return named, ""
    cache_folder = Path(os.environ.get("HEADWATER_TEST_CACHE", Path.home() / ".cache" / "headwater"))
    fetched = cache_folder / "bitcoind" / "bitcoind"
    if not fetched.exists():
        try:
            done = subprocess.run(
                [str(SCRIPT), str(fetched.parent)],
                capture_output=True,
                text=True,
                timeout=FETCH_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return None, f"no bitcoin node could be fetched: {error}"
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            return None, f"no bitcoin node could be fetched: {why}"
    return str(fetched), ""


class Node:
    """One running node with its datadir; `call` asks it, `wallet` asks one of its wallets."""

    def __init__(self, program: str, folder: Path, *options: str) -> None:
        self.folder = folder
        self._program = program
        self._options = options
        self._ports = _free_ports(2)
        self.url = f"http://{URL_SECRET}@127.0.0.1:{self._ports[0]}"
        self._client = NodeClient(self.url, patience=START_SECONDS)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def blocks(self) -> Path:
        """The folder of its blk files."""
        return self.folder / "regtest" / "blocks"

    @property
    def cookieless_url(self) -> str:
        return f"http://127.0.0.1:{self._ports[0]}"

    def start(self) -> None:
        command = [
            self._program, "-regtest", f"-datadir={self.folder}", "-server", "-txindex=1",
            f"-rpcport={self._ports[0]}", "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1",
            f"-rpcuser={USER}", f"-rpcpassword={PASSWORD}", f"-port={self._ports[1]}", "-listen=0",
            "-dnsseed=0", "-connect=0", "-fallbackfee=0.0001", "-printtoconsole=0", *self._options,
        ]  # fmt: skip
        log = self.folder / "output.txt"
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        while not self._answers():
            if self._process.poll() is not None:
                raise AssertionError(f"the node ended at its start: {log.read_text()[-500:]}")

    def _answers(self) -> bool:
        asking = NodeClient(self.url, patience=FIRST_PAUSE)
        with contextlib.closing(asking), contextlib.suppress(NodeError):
            asking.call("getblockchaininfo")
            return True
        return False

    def stop(self) -> None:
        """End the node; its files stay."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        self._client.close()

    def call(self, method: str, *params: Any) -> Any:
        return self._client.call(method, *params)

    def mine(self, count: int, address: str) -> list[str]:
        """The hashes of `count` new blocks that pay `address`."""
        hashes: list[str] = self.call("generatetoaddress", count, address)
        return hashes

    def put_in_block(
        self,
        inputs: list[dict[str, Any]],
        outputs: list[tuple[Decimal, str]],
        pay: str,
        keys: list[str] | None = None,
    ) -> str:
        """Sign a transaction with outputs (bitcoin, script in hex), by the wallet or with `keys`, and
        mine it past relay rules; its id."""
        raw = raw_transaction(inputs, outputs)
        if keys is None:
            signed = self.call("signrawtransactionwithwallet", raw)["hex"]
        else:
            signed = self.call("signrawtransactionwithkey", raw, keys)["hex"]
        self.call("generateblock", pay, [signed])
        txid: str = self.call("decoderawtransaction", signed)["txid"]
        return txid


def raw_transaction(inputs: list[dict[str, Any]], outputs: list[tuple[Decimal, str]]) -> str:
    """An unsigned transaction with any output scripts, which the node's own call cannot make."""
    parts = [b"\2\0\0\0", bytes([len(inputs)])]
    for spent in inputs:
        parts += [bytes.fromhex(spent["txid"])[::-1], spent["vout"].to_bytes(4, "little"), b"\0", b"\xff" * 4]
    parts.append(bytes([len(outputs)]))
    for value, script in outputs:
        satoshi = int(value * 10**8)
        parts += [satoshi.to_bytes(8, "little"), bytes([len(script) // 2]), bytes.fromhex(script)]
    return b"".join([*parts, bytes(4)]).hex()


@contextlib.contextmanager
def running_node(*options: str) -> Iterator[Node]:
    """A node in a folder of its own, in memory where the system has /dev/shm."""
    program, reason = find_bitcoind()
    if program is None:
        pytest.skip(reason)
    parent = MEMORY if os.access(MEMORY, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="headwater-node-", dir=parent))
    node = Node(program, folder, *options)
    try:
        node.start()
        yield node
    finally:
        node.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
