"""Cursors: opaque, signed, and good only for the list and the snapshot that they were made for.

A cursor holds the list (route and parameters, hashed) and a place by durable names: no dense id, no secret.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
from dataclasses import asdict
from pathlib import Path

import msgspec

from api.answers.pages import Place
from api.answers.view import InvalidParameter
from chain.errors import StoreError, StoreUnavailable

KEY_SIZE = 32
TAG_SIZE = 16
MAX_LENGTH = 2_048
"""Characters of a cursor that are looked at."""


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    list: str
    place: Place


class Cursors:
    """Writes and reads the cursors of one instance."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def of_instance(cls, home: Path) -> Cursors:
        """With the key in the home folder, made at first use; cursors outlive a restart."""
        path = home / "cursor.key"
        try:
            if not path.exists():
                _make_key(path)
            key = path.read_bytes()
        except OSError as error:
            raise StoreUnavailable(f"cannot read or make {path}: {error}") from error
        if len(key) != KEY_SIZE:
            raise StoreError(f"{path} is damaged; remove it, and a new one is made")
        return cls(key)

    def write(self, of_list: str, place: Place | None) -> str | None:
        """The cursor of a place in a list; None at its end."""
        if place is None:
            return None
        content = msgspec.json.encode({"list": _digest(of_list), "place": asdict(place)})
        return base64.urlsafe_b64encode(self._tag(content) + content).decode().rstrip("=")

    def read(self, of_list: str, cursor: str | None) -> Place | None:
        """The place in a list; InvalidParameter where the cursor was not made here, or for another list."""
        if cursor is None:
            return None
        refusal = InvalidParameter("cursor", "this is no cursor of this list; take it from `next`, unchanged")
        try:
            raw = base64.b64decode(cursor[:MAX_LENGTH] + "=" * (-len(cursor) % 4), b"-_", validate=True)
            content = msgspec.json.decode(raw[TAG_SIZE:], type=_Content)
        except (binascii.Error, ValueError, msgspec.MsgspecError):
            raise refusal from None
        is_ours = hmac.compare_digest(raw[:TAG_SIZE], self._tag(raw[TAG_SIZE:]))
        if not is_ours or content.list != _digest(of_list):
            raise refusal
        return content.place

    def _tag(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")[:TAG_SIZE]


def _make_key(path: Path) -> None:
    """A key in one atomic step; where another process was first, its key stands."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_SIZE))
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(part, path)
    part.unlink()


def _digest(of_list: str) -> str:
    return hashlib.sha256(of_list.encode()).hexdigest()[:16]
