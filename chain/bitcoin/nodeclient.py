"""The connection to a bitcoin node: JSON-RPC by python-bitcoinlib, and REST on the same port.

Whatever goes wrong is a NodeError that names the node and the call, never the password. What may
pass (the node starts up, its work queue is full, a connection broke) is tried again with full
jitter (M. Brooker, "Exponential Backoff And Jitter", 2015) until `patience` seconds are over.
Numbers with a decimal point are parsed as Decimal; no amount ever is a float.
"""

from __future__ import annotations

import base64
import http.client
import random
import threading
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from bitcoin.rpc import InWarmupError, JSONRPCError, RawProxy

from chain.bitcoin.network import SATOSHI_PER_BITCOIN
from chain.errors import NodeError

DEFAULT_PORT = 8332
"""Bitcoin Core's RPC port on the main network (chainparamsbase.cpp)."""

TIMEOUT = 60.0
"""Seconds that one answer may take; a full block with all spent outputs as JSON takes some."""

PATIENCE = 60.0
"""Seconds after which a call is given up that could pass when tried again."""

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
"""Seconds: the upper bounds of the first and of the longest random pause."""

MAX_ANSWER = 256 << 20
"""Bytes of an answer. The largest block is 8 MB as hex, and under 100 MB with all its details."""

OUT_OF_RANGE = -8
"""RPC_INVALID_PARAMETER: `getblockhash` of a height above the tip."""

_Answer = TypeVar("_Answer")


class _BusyError(Exception):
    """The node says that it cannot answer now."""


class _RefusedError(Exception):
    """The node refused the request itself."""


class _Response(http.client.HTTPResponse):
    """An answer of bounded size."""

    def read(self, amt: int | None = None) -> bytes:
        if self.length is not None and self.length > MAX_ANSWER:
            raise _RefusedError(f"the answer has {self.length:,} bytes, over the bound of {MAX_ANSWER:,}")
        if amt is not None or self.length is not None:
            return super().read(amt)
        data = super().read(MAX_ANSWER + 1)
        if len(data) > MAX_ANSWER:
            raise _RefusedError(f"the answer has over {MAX_ANSWER:,} bytes")
        return data


class _Connection(http.client.HTTPConnection):
    """One connection, which adds the credentials and reads the status of each answer."""

    response_class = _Response

    def __init__(self, host: str, port: int, timeout: float, credentials: str | None) -> None:
        super().__init__(host, port, timeout=timeout)
        self._headers: dict[str, str] = {}
        if credentials is not None:
            self._headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, Any] | None = None,
        *,
        encode_chunked: bool = False,
    ) -> None:
        kept = {name: value for name, value in (headers or {}).items() if name != "Authorization"}
        super().request(method, url, body, {**kept, **self._headers}, encode_chunked=encode_chunked)

    def getresponse(self) -> http.client.HTTPResponse:
        response = super().getresponse()
        if response.status == http.HTTPStatus.UNAUTHORIZED:
            raise _RefusedError("HTTP 401: the user or the password is wrong")
        if response.status == http.HTTPStatus.FORBIDDEN:
            raise _RefusedError("HTTP 403: this address or user is not allowed (rpcallowip, rpcwhitelist)")
        if response.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            raise _BusyError("HTTP 503: " + response.read().decode("utf-8", "replace").strip()[:200])
        return response


class RpcError(NodeError):
    """The node answered a call with an error."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code
        """As Bitcoin Core's rpc/protocol.h numbers them."""


class _Line:
    """One thread's connection and the proxy that speaks JSON-RPC over it."""

    def __init__(self, connection: _Connection, address: str) -> None:
        self.connection = connection
        self.proxy = RawProxy(service_url=address, connection=connection)


class NodeClient:
    """Calls to one node from any number of threads; each thread has a connection of its own.

    `url` is `http://user:password@host:port`; reserved characters of user and password are
    percent-encoded. `cookie` is the node's `.cookie` file, read at each new connection, for a URL
    without them.
    """

    def __init__(
        self, url: str, cookie: Path | None = None, timeout: float = TIMEOUT, patience: float = PATIENCE
    ) -> None:
        self._host, self._port, self._credentials = _parts(url)
        self.name = f"node {self._host}:{self._port}"
        """For messages; it holds no secret."""
        self._cookie = cookie
        self._timeout = timeout
        self._patience = patience
        self._local = threading.local()
        self._lock = threading.Lock()
        self._lines: list[_Line] = []

    def call(self, method: str, *params: Any) -> Any:
        """The result of a JSON-RPC call; NodeError where the node answers with an error."""

        def ask(line: _Line) -> Any:
            try:
                return getattr(line.proxy, method)(*params)
            except (
                AttributeError,
                TypeError,
                UnicodeDecodeError,
            ) as error:  # what the proxy takes for granted
                raise _RefusedError(f"no JSON-RPC answer: {error}") from error

        return self._retried(method, ask)

    def rest(self, path: str) -> bytes | None:
        """The body at `/rest/` + `path`; None where the node has no such thing (HTTP 404)."""

        def ask(line: _Line) -> bytes | None:
            line.connection.request("GET", f"/rest/{path}")
            response = line.connection.getresponse()
            body = response.read()
            if response.status == http.HTTPStatus.NOT_FOUND:
                return None
            if response.status != http.HTTPStatus.OK:
                raise _RefusedError(f"HTTP {response.status}: {body.decode('utf-8', 'replace').strip()[:200]}")
            return body

        return self._retried(f"/rest/{path}", ask)

    def close(self) -> None:
        """Close all connections; a later call opens new ones."""
        with self._lock:
            for line in self._lines:
                line.connection.close()
            self._lines.clear()
        self._local = threading.local()

    def _retried(self, what: str, ask: Callable[[_Line], _Answer]) -> _Answer:
        deadline = time.monotonic() + self._patience
        pause = FIRST_PAUSE
        while True:
            line, fresh = self._line()
            try:
                return ask(line)
            except InWarmupError as error:
                problem = _text(error)
            except JSONRPCError as error:
                raise RpcError(f"{self.name}: {what}: {_text(error)}", error.error["code"]) from None
            except _RefusedError as error:
                self._drop(line)
                raise NodeError(f"{self.name}: {what}: {error}") from None
            except (OSError, http.client.HTTPException, _BusyError) as error:
                self._drop(line)
                problem = str(error) or type(error).__name__
                if not fresh and not isinstance(error, _BusyError):
                    continue  # the node closed a connection that was idle
            if time.monotonic() + pause > deadline:
                raise NodeError(f"{self.name}: {what}: {problem} (given up after {self._patience:g} s)")
            time.sleep(random.uniform(0, pause))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _line(self) -> tuple[_Line, bool]:
        """This thread's connection, and whether it is a new one."""
        line: _Line | None = getattr(self._local, "line", None)
        if line is not None:
            return line, False
        connection = _Connection(self._host, self._port, self._timeout, self._secret())
        line = _Line(connection, f"http://{self._host}:{self._port}/")
        self._local.line = line
        with self._lock:
            self._lines.append(line)
        return line, True

    def _drop(self, line: _Line) -> None:
        line.connection.close()
        self._local.line = None
        with self._lock:
            if line in self._lines:
                self._lines.remove(line)

    def _secret(self) -> str | None:
        if self._credentials is not None or self._cookie is None:
            return self._credentials
        try:
            return self._cookie.read_text("utf-8").strip()
        except OSError as error:
            raise NodeError(f"{self.name}: cookie file {self._cookie}: {error.strerror}") from error


def satoshi(value: object) -> int:
    """An amount in bitcoin, as a JSON number parsed exactly, in satoshi; ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"not an exact amount: {value!r}")
    amount = Decimal(value) * SATOSHI_PER_BITCOIN
    if not amount.is_finite() or amount != amount.to_integral_value():
        raise ValueError(f"not a whole number of satoshi: {value}")
    return int(amount)


def _parts(url: str) -> tuple[str, int, str | None]:
    """Host, port and `user:password` of `url`; the message of an error does not repeat the URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORT
    except ValueError:  # its text can hold a part of the password
        raise NodeError("the node's URL cannot be read: is the password percent-encoded?") from None
    if parts.scheme != "http" or not parts.hostname:
        raise NodeError("the node's URL must be of the form http://user:password@host:port")
    secret = None
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return parts.hostname, port, secret


def _text(error: JSONRPCError) -> str:
    return f"{error.error.get('message')} ({error.error.get('code')})"
