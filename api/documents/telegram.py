"""Passages of Telegram's export (`result.json`): each message with sender, time and who it was forwarded from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from api.documents.passage import Passage
from chain.errors import MalformedData


def is_export(data: bytes) -> bool:
    """Whether bytes begin like an export of a chat, or of all chats."""
    start = data[:4096].lstrip(b"\xef\xbb\xbf \r\n\t")
    return start.startswith(b"{") and (b'"messages"' in data[: 1 << 20] or b'"chats"' in data[: 1 << 20])


def passages(name: str, data: bytes) -> Iterator[Passage]:
    """Messages in their order. MalformedData where it is no export."""
    try:
        whole = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise MalformedData(f"{name}: no JSON: {error}") from error
    for chat in _chats(whole):
        messages = chat.get("messages")
        for place, message in enumerate(messages if isinstance(messages, list) else []):
            if not isinstance(message, dict):
                raise MalformedData(f"{name}: message {place + 1} of the file is no object")
            text = _text(message)
            if text.strip():
                yield Passage(
                    text, part=_part(chat, message), sender=_words(message.get("from") or message.get("actor")),
                    time=_words(message.get("date")), forwarded_from=_words(message.get("forwarded_from")),
                )  # fmt: skip


def _chats(whole: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(whole, dict):
        return
    if isinstance(whole.get("messages"), list):
        yield whole
    for group in ("chats", "left_chats"):
        listed = whole.get(group)
        if isinstance(listed, dict) and isinstance(listed.get("list"), list):
            yield from (each for each in listed["list"] if isinstance(each, dict))


def _part(chat: dict[str, Any], message: dict[str, Any]) -> str:
    name = _words(chat.get("name"))
    return f"message {_words(message.get('id'))}" + (f" of {name}" if name else "")


def _text(message: dict[str, Any]) -> str:
    """Its words, links behind words, a poll's answers. Pieces of one text stay one: an address may be several."""
    parts = [_joined(message.get("text"))]
    parts += [each["href"] for each in _pieces(message.get("text")) if isinstance(each.get("href"), str)]
    poll = message.get("poll")
    if isinstance(poll, dict):
        parts.append(_joined(poll.get("question")))
        answers = poll.get("answers")
        parts += [
            _joined(each.get("text"))
            for each in (answers if isinstance(answers, list) else [])
            if isinstance(each, dict)
        ]
    return "\n\n".join(part for part in parts if part)


def _pieces(text: Any) -> list[dict[str, Any]]:
    return [each for each in text if isinstance(each, dict)] if isinstance(text, list) else []


def _joined(text: Any) -> str:
    if isinstance(text, str):
        return text
    if not isinstance(text, list):
        return ""
    return "".join(
        each if isinstance(each, str) else _words(each.get("text")) if isinstance(each, dict) else "" for each in text
    )


def _words(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
