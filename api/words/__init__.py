"""What is said of companies, links and contests, in English and Simplified Chinese (EVIDENCE 18 to 20).

Every sentence stands in both catalogues; a test holds that, and looks for banned words in both.
"""

from __future__ import annotations

from enum import StrEnum

from api.words import en, zh_hans
from clustering.link.evidence import Message


class Language(StrEnum):
    EN = "en"
    ZH = "zh"


CATALOGUES = {Language.EN: en.WORDS, Language.ZH: zh_hans.WORDS}

BANNED = {
    Language.EN: ("owner", "owned", "criminal", "stolen", "clean", "verdict", "guilty", "fraudster", "launderer"),
    Language.ZH: ("所有者", "拥有者", "罪犯", "犯罪", "赃款", "被盗", "清白", "判决", "有罪", "洗钱者"),
}
"""Words that no output says of anybody: Headwater links in a role, by items, and finds nobody guilty."""


def say(language: Language, name: str, **values: object) -> str:
    """A sentence by its name."""
    return CATALOGUES[language][name].format(**values)


def told(language: Language, message: Message) -> str:
    """A message with what goes into it."""
    return CATALOGUES[language][message.name].format(**dict(message.values))


def preferred(accept: str | None) -> Language:
    """The language of an Accept-Language header: Chinese where it comes first, else English."""
    first = (accept or "").split(",")[0].strip().lower()
    return Language.ZH if first.startswith("zh") else Language.EN
