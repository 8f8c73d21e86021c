"""A real Ethereum development node for tests: anvil, found or fetched, started on a free port, stopped.

It is HEADWATER_ANVIL, else `anvil` on PATH, else the one that npm unpacks into HEADWATER_TEST_CACHE (default:
~/.cache/headwater). Where none can be had, the tests that need it are skipped with the reason.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

PACKAGE = "@foundry-rs/anvil"
VERSION = "1.7.1"
FETCH_SECONDS = 180
START_SECONDS = 20
ACCOUNTS = 45
ETHER = 10**18
FUNDS = 10_000 * ETHER
"""What each account has from the start."""

CONTRACTS: dict[str, str] = json.loads((Path(__file__).parent / "sale.json").read_text())["contracts"]
"""Bytecode of a sale with its token, and of a call that reverts."""


@cache
def find_anvil() -> tuple[str | None, str]:
    """The program of a node, or None and why there is none."""
    named = os.environ.get("HEADWATER_ANVIL") or shutil.which("anvil")
    if named:
        return named, ""
    folder = Path(os.environ.get("HEADWATER_TEST_CACHE", Path.home() / ".cache" / "headwater")) / "anvil"
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    program = folder / f"node_modules/{PACKAGE}-{platform.system().lower()}-{machine}/bin/anvil"
    if not program.exists():
        if shutil.which("npm") is None:
            return None, "no anvil, and no npm to fetch it with"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(
                ["npm", "install", "--silent", "--ignore-scripts", "--prefix", str(folder), f"{PACKAGE}@{VERSION}"],
                capture_output=True, check=True, timeout=FETCH_SECONDS,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            return None, f"anvil could not be fetched: {error}"
    return (str(program), "") if program.exists() else (None, "npm brought no anvil for this machine")


class Anvil:
    """A running node; blocks are mined when a test says so."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(timeout=30)

    def call(self, method: str, *parameters: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}
        answer = self._client.post(self.url, json=body).json()
        assert "error" not in answer, answer
        return answer["result"]

    def close(self) -> None:
        self._client.close()

    def send(self, sender: str, to: str | None, value: int, data: str = "0x") -> str:
        """Send a transaction of an unlocked account; its hash."""
        body = {"from": sender, "value": hex(value), "data": data, "gas": hex(3_000_000)}
        found: str = self.call("eth_sendTransaction", body if to is None else {**body, "to": to})
        return found

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.call("evm_mine")

    def deploy(self, sender: str, name: str, arguments: str = "") -> str:
        """Deploy one of `CONTRACTS`; its address."""
        digest = self.send(sender, None, 0, "0x" + CONTRACTS[name].removeprefix("0x") + arguments)
        self.mine()
        receipt = self.call("eth_getTransactionReceipt", digest)
        assert receipt["status"] == "0x1"
        return str(receipt["contractAddress"])


@contextlib.contextmanager
def running_anvil(*options: str) -> Iterator[Anvil]:
    """A node of a chain of its own, killed at the end; pytest.skip where there is none."""
    program, reason = find_anvil()
    if program is None:
        pytest.skip(reason)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command: Sequence[str] = (
        program, "--host", "127.0.0.1", "--port", str(port), "--accounts", str(ACCOUNTS), "--no-mining", *options,
    )  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    node = Anvil(f"http://127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                node.call("eth_chainId")
                break
            except httpx.TransportError:
                if time.monotonic() > deadline or process.poll() is not None:
                    pytest.skip("anvil does not start")
                time.sleep(0.05)
        yield node
    finally:
        node.close()
        process.kill()
        process.wait()
