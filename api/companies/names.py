"""Forms of a company's name that can be compared: one spelling of width, script, case, punctuation and legal suffix.

Two names of one form are a lead to look at. Nothing is merged by it: many companies have one name.

How it fails. A suffix that is part of the trading name goes too; pinyin of characters with several readings takes the
most frequent one, and simplified characters stand for several traditional ones.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

MAX_NAME = 500
"""Characters of a name."""

SUFFIXES = (
    "股份有限责任公司", "有限责任公司", "股份有限公司", "控股有限公司", "集团有限公司", "有限公司", "有限合伙",
    "株式会社", "合同会社", "股份公司", "公司", "集团", "基金会",
    "incorporated", "corporation", "limitedliabilitycompany", "privatelimited", "limited", "company", "foundation",
    "stiftung", "pteltd", "ptyltd", "pvtltd", "coltd", "gmbh", "sarl", "corp", "ltd", "llc", "llp", "plc", "inc", "pte",
    "pty", "ltda", "srl", "spa", "oü", "ag", "sa", "bv", "nv", "kk", "co", "ou", "oy", "ab", "as",
)  # fmt: skip
"""Legal forms, longest first within a script; taken off the end while something is left."""

_WORDS = re.compile(r"[^\W_]+")
_HAN = re.compile(r"[㐀-鿿豈-﫿\U00020000-\U0003ffff]")


def folded(name: str) -> str:
    """One width, one script, one case, no accents and no marks that cannot be seen; words apart."""
    text = unicodedata.normalize("NFKC", name)
    text = "".join(_bare(c) for c in text if unicodedata.category(c) not in ("Cf", "Cc", "Mn"))
    if _HAN.search(text):
        text = _simplified()(text)
    return " ".join(_WORDS.findall(text.casefold()))


def _bare(character: str) -> str:
    """A Latin letter without its accent; all others as they are, for theirs are letters of their own."""
    if character.isascii() or not unicodedata.name(character, "").startswith("LATIN "):
        return character
    return unicodedata.normalize("NFD", character)[0]


def key(name: str) -> str:
    """What searches compare: `folded`, without spaces and legal suffixes; the whole where nothing else is left."""
    words = folded(name).split(" ")
    while len(words) > 1:
        if words[-1] in SUFFIXES:
            words = words[:-1]
        elif len(words) > 2 and "".join(words[-2:]) in SUFFIXES:
            words = words[:-2]
        else:
            break
    text = "".join(words)
    for suffix in SUFFIXES:
        if text == suffix:
            return text
        if _HAN.match(suffix) and text.endswith(suffix):
            return text.removesuffix(suffix)
    return text


def pinyin(name: str) -> str:
    """`key` in Latin letters: each Han character by its most frequent reading, without tones."""
    text = key(name)
    return "".join(_read()(text)) if _HAN.search(text) else text


@cache
def _simplified() -> Callable[[str], str]:
    import opencc  # noqa: PLC0415 (its tables take a tenth of a second, which few commands need)

    convert: Callable[[str], str] = opencc.OpenCC("t2s").convert
    return convert


@cache
def _read() -> Callable[[str], Any]:
    import pypinyin  # noqa: PLC0415 (four tenths)

    return pypinyin.lazy_pinyin
