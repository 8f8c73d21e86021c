"""A node that refuses, stalls, breaks off or answers nonsense; a fake one, since a real one does not."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chain.bitcoin import nodeclient
from chain.bitcoin.network import MAINNET
from chain.bitcoin.nodeclient import NodeClient, RpcError
from chain.bitcoin.rpc import NodeSource
from chain.errors import IntegrityError, NodeError
from chain.model import hash_text

SECRET = "sesame"


class FaultyNode(ThreadingHTTPServer):
    """Answers each request with the next of `answers`, the last one again and again."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Callable[[_Handler], None]] = []
        self.requests: list[tuple[str, str | None]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://user:{SECRET}@{self.address}"

    def client(self, patience: float = 5, timeout: float = 5) -> NodeClient:
        return NodeClient(self.url, patience=patience, timeout=timeout)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyNode

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *args: Any) -> None:
        pass

    def _answer(self) -> None:
        answers = self.server.answers
        self.server.requests.append((self.path, self.headers.get("Authorization")))
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)


def reply(body: bytes | str, status: int = 200, length: int | None = None) -> Callable[[_Handler], None]:
    data = body.encode() if isinstance(body, str) else body

    def send(handler: _Handler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data) if length is None else length))
        handler.end_headers()
        handler.wfile.write(data)
        if length is not None:
            handler.close_connection = True

    return send


def result(value: Any) -> Callable[[_Handler], None]:
    return reply(json.dumps({"result": value, "error": None, "id": 1}))


def rpc_error(code: int, message: str) -> Callable[[_Handler], None]:
    return reply(json.dumps({"result": None, "error": {"code": code, "message": message}, "id": 1}), 500)


def hang_up(handler: _Handler) -> None:
    handler.close_connection = True


def stall(handler: _Handler) -> None:
    time.sleep(1)
    handler.close_connection = True


@pytest.fixture
def faulty() -> Iterator[FaultyNode]:
    with FaultyNode() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodeclient, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(nodeclient, "LONGEST_PAUSE", 0.02)


def asked(client: NodeClient, method: str = "getblockcount") -> Any:
    try:
        return client.call(method)
    finally:
        client.close()


@pytest.mark.parametrize(
    "trouble",
    [
        hang_up,
        reply("Work queue depth exceeded", 503),
        rpc_error(-28, "Loading block index..."),
        reply("{", length=50),
    ],
)
def test_what_may_pass_is_tried_again(faulty: FaultyNode, trouble: Callable[[_Handler], None]) -> None:
    faulty.answers = [trouble, trouble, trouble, result(7)]
    assert asked(faulty.client()) == 7
    assert len(faulty.requests) == 4


@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        (hang_up, "Remote end closed"),
        (reply("Work queue depth exceeded", 503), "HTTP 503: Work queue depth exceeded"),
        (rpc_error(-28, "Loading block index..."), r"Loading block index\.\.\. \(-28\)"),
    ],
)
def test_patience_ends(faulty: FaultyNode, trouble: Callable[[_Handler], None], text: str) -> None:
    faulty.answers = [trouble]
    with pytest.raises(NodeError, match=text + r".* \(given up after 0\.1 s\)") as caught:
        asked(faulty.client(patience=0.1))
    assert faulty.address in str(caught.value)
    assert "getblockcount" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_stalled_answer_is_a_timeout(faulty: FaultyNode) -> None:
    faulty.answers = [stall]
    with pytest.raises(NodeError, match="timed out"):
        asked(faulty.client(patience=0.1, timeout=0.05))


@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        (reply("", 401), "HTTP 401: the user or the password is wrong"),
        (reply("", 403), "HTTP 403"),
        (rpc_error(-32601, "Method not found"), "Method not found"),
        (reply("<html>"), "non-JSON HTTP response"),
        (reply(b"\xff\xfe{}"), "no JSON-RPC answer"),
        (reply('{"id": 1}'), "missing JSON-RPC result"),
        (reply("[]"), "no JSON-RPC answer"),
        (reply('"text"'), "no JSON-RPC answer"),
        (reply("", length=(256 << 20) + 1), "over the bound"),
    ],
)
def test_what_cannot_pass_is_an_error_at_once(
    faulty: FaultyNode, trouble: Callable[[_Handler], None], text: str
) -> None:
    faulty.answers = [trouble]
    with pytest.raises(NodeError, match=text) as caught:
        asked(faulty.client())
    assert len(faulty.requests) == 1
    assert SECRET not in str(caught.value)


def test_error_code_is_kept(faulty: FaultyNode) -> None:
    faulty.answers = [rpc_error(-8, "Block height out of range")]
    with pytest.raises(RpcError) as caught:
        asked(faulty.client())
    assert caught.value.code == -8


def test_rest_answers(faulty: FaultyNode) -> None:
    faulty.answers = [reply(b"\0bytes"), reply("not found", 404), reply("Invalid hash: x", 400)]
    client = faulty.client()
    assert client.rest("block/x.bin") == b"\0bytes"
    assert client.rest("block/x.bin") is None
    with pytest.raises(NodeError, match=r"/rest/block/x\.bin: HTTP 400: Invalid hash"):
        client.rest("block/x.bin")
    client.close()
    assert faulty.requests[0][0] == "/rest/block/x.bin"


def test_credentials_are_sent_decoded_and_cookies_read_anew(faulty: FaultyNode, tmp_path: Path) -> None:
    faulty.answers = [result(1)]
    asked(NodeClient(f"http://us%40er:p%2Fw@{faulty.address}"))
    cookie = tmp_path / ".cookie"
    for text in ("__cookie__:one", "__cookie__:two\n"):
        cookie.write_text(text)
        asked(NodeClient(f"http://{faulty.address}", cookie=cookie))
    asked(NodeClient(f"http://{faulty.address}"))
    sent = [base64.b64decode(header.split()[1]).decode() if header else None for _, header in faulty.requests]
    assert sent == ["us@er:p/w", "__cookie__:one", "__cookie__:two", None]


@pytest.mark.parametrize(
    "url",
    [
        "https://u:sesame@host",
        "u:sesame@host",
        "http://u:ses/ame@host:1",
        "http://",
        "http://u:sesame@h:99999",
    ],
)
def test_url_that_cannot_be_used_is_not_repeated(url: str) -> None:
    with pytest.raises(NodeError) as caught:
        NodeClient(url)
    assert "ses" not in str(caught.value)


def test_nobody_listens() -> None:
    with pytest.raises(NodeError, match=r"node 127\.0\.0\.1:1: getblockcount: .*refused"):
        asked(NodeClient("http://u:p@127.0.0.1:1", patience=0.1))


# -- the source over it


def chain_info(**fields: Any) -> Callable[[_Handler], None]:
    tip = hash_text(MAINNET.genesis_hash)
    return result({"chain": "main", "blocks": 0, "bestblockhash": tip, "pruned": False} | fields)


@pytest.mark.parametrize("info", [{"blocks": None}, {"bestblockhash": "ab"}, {"pruned": True, "pruneheight": "x"}])
def test_nonsense_about_the_chain(faulty: FaultyNode, info: dict[str, Any]) -> None:
    faulty.answers = [chain_info(**info)]
    with pytest.raises(NodeError, match="getblockchaininfo"):
        NodeSource(faulty.url)


def test_unknown_chain_and_wrong_genesis(faulty: FaultyNode) -> None:
    faulty.answers = [chain_info(chain="dogecoin")]
    with pytest.raises(IntegrityError, match=r"network: .*'dogecoin'"):
        NodeSource(faulty.url)
    faulty.answers = [chain_info(), result("ab" * 32)]
    with pytest.raises(IntegrityError, match=r"network: .*block 0 is abab"):
        NodeSource(faulty.url)


def source_on(faulty: FaultyNode, *answers: Callable[[_Handler], None], rest: bool = False) -> NodeSource:
    """A source that is connected; `answers` are what it is told from then on."""
    genesis = result(hash_text(MAINNET.genesis_hash))
    start = [chain_info(), genesis, chain_info()]
    faulty.answers = [*start, *answers]
    source = NodeSource(faulty.url, prevouts="none", rest=rest, patience=0.1)
    source.connect(None, None)
    return source


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (
            result("00" * 200),
            IntegrityError,
            "block_hash: height 0: .* sent block .* for 000000000019d6689c085ae1",
        ),
        (result("zz"), NodeError, "not hex"),
        (result(None), NodeError, "not hex"),
        (result("00"), NodeError, "1 bytes are no block"),
        (rpc_error(-1, "Block not available (pruned data)"), NodeError, "pruned data"),
    ],
)
def test_block_that_is_not_the_one_asked_for(
    faulty: FaultyNode, answer: Callable[[_Handler], None], error: type[Exception], text: str
) -> None:
    genesis = result(hash_text(MAINNET.genesis_hash))
    with source_on(faulty, genesis, answer) as source, pytest.raises(error, match=text):
        list(source.batches(0, None))


def test_pruned_node_says_from_where_it_has_blocks(faulty: FaultyNode) -> None:
    source = source_on(faulty, chain_info(pruned=True, pruneheight=700_000))
    with source, pytest.raises(NodeError, match="no blocks below 700000"):
        source.connect(None, None)
