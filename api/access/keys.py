"""Keys: `hw_`, eight characters by which one is found, 43 of secret, six of checksum. Only the hash is kept.

The checksum refuses what was typed wrong without asking the database, and lets scanners of leaked secrets know a key.
The secret has 256 random bits, so that its plain SHA-256 cannot be guessed back.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import uuid
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime

from api.access.scopes import SCOPES
from api.answers.view import InvalidParameter
from api.companies.flags import text
from chain.store.access import KeyStore, StoredKey
from chain.store.postgres import Connection

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
HANDLE, SECRET, CHECKSUM = 8, 43, 6
_FORM = re.compile(rf"hw_([0-9A-Za-z]{{{HANDLE}}})_[0-9A-Za-z]{{{SECRET + CHECKSUM}}}")
MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is shown once."""

    key_id: uuid.UUID
    token: str


async def create(
    connection: Connection, name: str, person: str, scopes: list[str], expires_at: datetime | None
) -> NewKey:
    """A new key. InvalidParameter where a scope, a name or the end is not what it must be."""
    text("name", name, MAX_NAME)
    text("person", person, MAX_NAME)
    if not scopes or set(scopes) - set(SCOPES):
        raise InvalidParameter("scope", f"it is one of {', '.join(SCOPES)}")
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise InvalidParameter("expires", "it is in the past")
    key_id = uuid.uuid4()
    handle, secret = _random(HANDLE), _random(SECRET)
    body = f"hw_{handle}_{secret}"
    token = body + _checksum(body)
    await KeyStore(connection).add(key_id, handle, _digest(token), person, name, sorted(set(scopes)), expires_at)
    return NewKey(key_id, token)


async def find(connection: Connection, token: str) -> StoredKey | None:
    """What is kept of a key; None where it is none, or not one of this instance."""
    form = _FORM.fullmatch(token)
    if form is None or not _is_whole(token):
        return None
    stored = await KeyStore(connection).key(form[1])
    return stored if stored is not None and hmac.compare_digest(stored.sha256, _digest(token)) else None


def found_in(words: str) -> bool:
    """Whether a whole key stands in a text. By its checksum: a page's cursor may look like one by chance."""
    return any(_is_whole(found[0]) for found in _FORM.finditer(words))


def _is_whole(token: str) -> bool:
    return _checksum(token[:-CHECKSUM]) == token[-CHECKSUM:]


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode())
    digits = ""
    for _ in range(CHECKSUM):
        value, digit = divmod(value, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
