"""Identifiers of companies: the Chinese uniform social credit code and the LEI by check digits, registry numbers."""

from __future__ import annotations

import unicodedata
import uuid

import stdnum.lei
from stdnum.cn import uscc
from stdnum.exceptions import InvalidChecksum, InvalidLength, ValidationError

SCHEMES = ("cn-uscc", "lei", "registry", "actor")
"""Strongest first. `registry` is AUTHORITY:NUMBER, `actor` the id of an ActorPack."""

MAX_VALUE = 200
NAMESPACE = uuid.UUID("8f0e4a52-6c1d-5b7e-9a38-2f40c5d7e913")
"""Of the UUIDs that companies, flags and links get from what they are."""


def identifier(scheme: str, text: str) -> tuple[str, str]:
    """(scheme, value) in its one spelling; ValueError says what is wrong with it."""
    value = "".join(unicodedata.normalize("NFKC", text).split())
    if scheme == "cn-uscc":
        return scheme, _checked(uscc, "USCC", value.upper(), 18)
    if scheme == "lei":
        return scheme, _checked(stdnum.lei, "LEI", value.upper(), 20)
    if scheme not in SCHEMES:
        raise ValueError(f"the scheme of an identifier is one of {', '.join(SCHEMES)}")
    if not value or len(value) > MAX_VALUE or not value.isprintable():
        raise ValueError(f"{scheme}: it has 1 to {MAX_VALUE} characters that can be printed")
    if scheme == "registry":
        authority, colon, number = value.partition(":")
        if not (authority and colon and number):
            raise ValueError(f"registry: {value[:40]!r} is not AUTHORITY:NUMBER, as HK-CR:2412345")
        return scheme, f"{authority.upper()}:{number.upper()}"
    return scheme, value


def _checked(module: object, name: str, value: str, length: int) -> str:
    shown = value[:40]
    try:
        return str(module.validate(value))  # type: ignore[attr-defined]
    except InvalidLength:
        raise ValueError(f"{name} {shown!r}: it has {length} characters, not {len(value)}") from None
    except InvalidChecksum:
        raise ValueError(f"{name} {shown!r}: its check digit is wrong") from None
    except ValidationError as error:
        raise ValueError(f"{name} {shown!r}: {str(error).rstrip('.').lower()}") from None


def read_handle(text: str) -> tuple[str, str] | uuid.UUID:
    """What names a company: its id, or SCHEME:VALUE, or a bare USCC or LEI. ValueError where it is neither."""
    try:
        return uuid.UUID(text)
    except ValueError:
        pass
    scheme, colon, value = text.partition(":")
    if colon and scheme.lower() in SCHEMES:
        return identifier(scheme.lower(), value)
    for scheme in ("cn-uscc", "lei"):
        try:
            return identifier(scheme, text)
        except ValueError:
            continue
    raise ValueError(f"{text[:60]!r} is no id of a company, SCHEME:VALUE, USCC or LEI with a right check digit")


def company_id(identifiers: list[tuple[str, str]], said: str) -> uuid.UUID:
    """The id of a company: by its strongest identifier; without one by all that its row says."""
    for scheme in SCHEMES:
        for each, value in identifiers:
            if each == scheme:
                return uuid.uuid5(NAMESPACE, f"{scheme}:{value}")
    return uuid.uuid5(NAMESPACE, f"row:{said}")
