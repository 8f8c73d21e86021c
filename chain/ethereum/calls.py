"""Calls to an Ethereum node: JSON-RPC in batches over web3.py's provider, at the pace that the node bears.

web3.py keeps the connections; its decoding and its formatters are left out, and each result is handed on as the raw
JSON that it came in. What may pass (429, 5xx, a timeout, a broken connection, an answer that is cut or of other ids,
null for what must exist) is asked for again with full jitter (M. Brooker, "Exponential Backoff And Jitter", 2015), and
only what is still missing. What the node says is too much is asked for in smaller batches. Anything else is a NodeError
that names the node and the call, never the URL, which may hold a key.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
import requests
from eth_typing import URI
from urllib3.exceptions import HTTPError
from web3 import HTTPProvider

from chain.errors import NodeError
from chain.ethereum.pacing import BatchSize, Breaker, Window
from chain.ethereum.refusals import Refusal, Verdict, judge

MAX_ANSWER = 1 << 30
"""Bytes of one answer; traces of a full block take some hundred megabytes."""

LONGEST_PAUSE = 5.0
"""Seconds: the upper bound of the longest random pause; each is twice the one before."""

CHUNK = 1 << 16

NULL = b"null"

NOTHING = b'"0x"'
"""What a call answers that has no answer."""

_SHORTEST = 0.01
"""Seconds of a request that begins at its deadline."""

_OK, _TOO_LARGE, _TOO_MANY, _SERVER_ERROR = 200, 413, 429, 500
"""HTTP statuses; from the last one on it is the server that fails."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How a node is asked: upper bounds, within which its answers set the pace."""

    timeout: float = 60.0
    """Seconds that one answer may take from the first to the last byte; traces of full blocks take some."""
    patience: float = 60.0
    """Seconds without any answer after which a call is given up that could pass when tried again."""
    deadline: float = 300.0
    """Seconds that one block may take, all its calls and tries together."""
    workers: int = 8
    """Requests at once: enough to hide the way to the node."""
    batch: int = 32
    """Calls in one request."""
    pause: float = 0.2
    """Seconds: the upper bound of the first random pause."""


class Call(NamedTuple):
    method: str
    parameters: tuple[Any, ...]
    may_be_null: bool = False
    """Whether null is an answer; else it is a node behind its own word, and asked again."""
    may_revert: bool = False
    """Whether it is an answer, and an empty one, that the contract which is called gives up."""


class MethodMissing(NodeError):
    """The node does not have a method."""


class NodeGone(NodeError):
    """The reading was stopped."""


class _Answer(msgspec.Struct):
    id: int | str | None = None
    result: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b""))
    error: Any = None


class _Unanswered(Exception):
    """A request came to nothing, which may pass; `pause` are the seconds that the node asks for."""

    def __init__(self, reason: str, verdict: Verdict, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.verdict = verdict
        self.pause = pause


class _Provider(HTTPProvider):
    """web3.py's provider, whose session of each thread is used for answers of bounded size and time."""

    def __init__(self, url: str) -> None:
        super().__init__(url, exception_retry_configuration=None)
        self._uri = URI(url)

    def post(self, body: bytes, timeout: float) -> tuple[int, bytes, float]:
        """Status, body and the seconds of `Retry-After`; a request error of `requests` where there is no answer."""
        ends = time.monotonic() + timeout
        with self._request_session_manager.get_response_from_post_request(
            self._uri, data=body, headers=self.get_request_headers(), timeout=timeout, stream=True,
            allow_redirects=False,
        ) as response:  # fmt: skip
            parts, size = [], 0
            # what has come, not what was asked for: a body that drips is no reason to wait longer
            while chunk := response.raw.read1(CHUNK, decode_content=True):
                size += len(chunk)
                if size > MAX_ANSWER:
                    raise NodeError(f"an answer has more than {MAX_ANSWER:,} bytes")
                if time.monotonic() > ends:
                    raise requests.Timeout
                parts.append(chunk)
            after = response.headers.get("Retry-After", "")
            return response.status_code, b"".join(parts), float(after) if after.isdecimal() else 0.0


class NodeCalls:
    """Calls to one node from any number of threads."""

    def __init__(self, url: str, limits: Limits) -> None:
        try:
            parts = urlsplit(url)
            self.name = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        except ValueError:
            raise NodeError("the node's URL cannot be read") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NodeError("the node's URL must be of the form http://host:port")
        self.limits = limits
        self.window = Window(limits.workers)
        self.batch = BatchSize(limits.batch)
        self.breaker = Breaker()
        self._provider = _Provider(url)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let every call that still waits end with NodeGone."""
        self._stopped.set()

    def one(self, method: str, *parameters: Any, may_be_null: bool = False) -> bytes:
        """The raw JSON of one result. Errors as of `ask`."""
        (found,) = self.ask([Call(method, parameters, may_be_null)], self.limits.deadline)
        return found

    def ask(self, calls: Sequence[Call], seconds: float) -> list[bytes]:
        """The raw JSON of the result of each call, in their order, within so many seconds.

        MethodMissing where the node lacks a method, NodeError where it refuses, does not answer or answers nonsense.
        """
        ends = time.monotonic() + seconds
        quiet = time.monotonic() + self.limits.patience
        found: dict[int, bytes] = {}
        pause, reason = self.limits.pause, "no answer"
        while len(found) < len(calls):
            part = [place for place in range(len(calls)) if place not in found][: self.batch.size]
            asked = 0.0
            try:
                got, reason = self._request([calls[place] for place in part], min(ends, quiet), reason)
            except _Unanswered as error:
                got, reason, asked = {}, str(error), error.pause
                if error.verdict is Verdict.SMALLER:
                    continue
            found.update({part[place]: raw for place, raw in got.items()})
            if got:
                quiet, pause = time.monotonic() + self.limits.patience, self.limits.pause
            if len(got) < len(part):
                self._pause(calls[part[0]].method, max(asked, random.uniform(0, pause)), min(ends, quiet), reason)
                pause = min(LONGEST_PAUSE, 2 * pause)
        return [found[place] for place in range(len(calls))]

    def _pause(self, method: str, seconds: float, ends: float, reason: str) -> None:
        if time.monotonic() + seconds > ends:
            raise NodeError(f"{self.name}: {method}: {reason}; given up after {self.limits.patience:g} s without more")
        if self._stopped.wait(seconds):
            raise NodeGone(f"{self.name}: {method}: stopped")

    def _request(self, calls: list[Call], ends: float, reason: str) -> tuple[dict[int, bytes], str]:
        """What came of one request: results by place among `calls`, and why the others are missing."""
        while wait := self.breaker.permit(time.monotonic()):
            self._pause(calls[0].method, wait, ends, f"{reason} (and so it is asked rarely)")
        with self.window.turn() as begun:
            try:
                answers = self._post(calls, ends)
            except _Unanswered as error:
                self._slow_down(error.verdict, begun, len(calls))
                raise
            except NodeError:
                self.breaker.succeeded()
                raise
        self.breaker.succeeded()
        return self._sorted(calls, answers, begun)

    def _slow_down(self, verdict: Verdict, begun: int, calls: int) -> None:
        if verdict is Verdict.DOWN:
            self.breaker.failed(time.monotonic())
        else:
            self.breaker.succeeded()
        if verdict in (Verdict.SMALLER, Verdict.DOWN):
            self.batch.shrink(calls)
        if verdict is not Verdict.SMALLER:
            self.window.shrink(begun)

    def _post(self, calls: list[Call], ends: float) -> list[_Answer]:
        """The answers that a request got, in any order; what came instead is an _Unanswered or a NodeError."""
        bodies = [
            {"jsonrpc": "2.0", "id": place, "method": call.method, "params": call.parameters}
            for place, call in enumerate(calls)
        ]
        text = msgspec.json.encode(bodies if len(bodies) > 1 else bodies[0])
        timeout = max(_SHORTEST, min(self.limits.timeout, ends - time.monotonic()))
        try:
            status, body, after = self._provider.post(text, timeout)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _Unanswered(type(error).__name__, Verdict.DOWN) from None
        except NodeError as error:
            if len(calls) > 1:
                raise _Unanswered(str(error), Verdict.SMALLER) from None
            raise NodeError(f"{self.name}: {calls[0].method}: {error}") from None
        if status == _TOO_MANY:
            raise _Unanswered(f"HTTP {status}", Verdict.LATER, after)
        if status >= _SERVER_ERROR:
            raise _Unanswered(f"HTTP {status}", Verdict.DOWN, after)
        return self._batch(status, body) if len(calls) > 1 else self._single(calls[0], status, body)

    def _single(self, call: Call, status: int, body: bytes) -> list[_Answer]:
        answer = _decoded(body)
        if isinstance(answer, _Answer):
            return [answer]
        if status == _OK:
            raise _Unanswered("the answer is no JSON-RPC, or cut", Verdict.LATER)
        raise NodeError(f"{self.name}: {call.method}: HTTP {status}")

    def _batch(self, status: int, body: bytes) -> list[_Answer]:
        """Where one answer stands for a whole batch, the pace, its size, or that there are batches was too much."""
        answers = _decoded(body)
        if isinstance(answers, list) and status == _OK:
            return answers
        if status == _TOO_LARGE:
            raise _Unanswered(f"HTTP {status}", Verdict.SMALLER)
        if answers is None and status == _OK:
            raise _Unanswered("the answer is no JSON-RPC, or cut", Verdict.LATER)
        if isinstance(answers, _Answer) and answers.error is not None:
            refusal = judge(answers.error)
            if refusal.verdict in (Verdict.LATER, Verdict.SMALLER):
                raise _Unanswered(refusal.text, refusal.verdict)
        self.batch.refuse()
        raise _Unanswered("batches are refused", Verdict.SMALLER)

    def _sorted(self, calls: list[Call], answers: list[_Answer], begun: int) -> tuple[dict[int, bytes], str]:
        """Results by the ids that they name; an id that was not asked for, or twice, spoils them all."""
        ids = [answer.id for answer in answers]
        if len(set(ids)) < len(ids) or not set(ids) <= set(range(len(calls))):
            if not (len(calls) == 1 and answers[0].error is not None):
                return {}, "an answer to another question"
            answers[0].id = 0
        found: dict[int, bytes] = {}
        reason = "a part of the batch was not answered"
        for answer in answers:
            assert isinstance(answer.id, int), "compared with the ids above"
            call, raw = calls[answer.id], bytes(answer.result)
            refusal = None if answer.error is None else judge(answer.error)
            if refusal is not None and refusal.verdict is Verdict.REVERTED and call.may_revert:
                found[answer.id] = NOTHING
            elif refusal is not None:
                reason = self._refused(call, refusal, len(calls), begun)
            elif not raw:
                reason = "neither a result nor an error"
            elif raw == NULL and not call.may_be_null:
                reason = "null for what must exist"
            else:
                found[answer.id] = raw
        if len(found) == len(calls):
            self.window.grow()
            self.batch.grow(len(calls))
        return found, reason

    def _refused(self, call: Call, refusal: Refusal, calls: int, begun: int) -> str:
        """Why a call is asked again; NodeError where that is of no use."""
        if refusal.verdict is Verdict.MISSING:
            raise MethodMissing(f"{self.name} has no {call.method}: {refusal.text}")
        if refusal.verdict is Verdict.PRUNED:
            raise NodeError(
                f"{self.name}: {call.method} {_shown(call)}: the node has pruned what is asked for ({refusal.text}); "
                "an archive node has it"
            )
        if refusal.verdict in (Verdict.REFUSED, Verdict.REVERTED) or (
            refusal.verdict is Verdict.SMALLER and calls == 1
        ):
            raise NodeError(f"{self.name}: {call.method} {_shown(call)}: {refusal.text}")
        if refusal.verdict is Verdict.SMALLER:
            self.batch.shrink(calls)
        else:
            self.window.shrink(begun)
        return refusal.text


def _shown(call: Call) -> str:
    return str(call.parameters[0])[:80] if call.parameters else ""


def _decoded(body: bytes) -> _Answer | list[_Answer] | None:
    try:
        return msgspec.json.decode(body, type=_Answer | list[_Answer])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
