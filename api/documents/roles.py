"""What an address seems to be in a text, by the words about it: payee, payer or example. Never more than apparent.

The nearest word counts, and one before the address more than one behind it. How it fails: irony, negation ("never
send to"), words of other languages than English and Chinese, tables whose heading is far away. A person reads the
context before making a claim.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BEFORE, BEHIND = 80, 40
"""Characters in which words are looked for."""

BEHIND_COSTS = 30
"""Characters by which a word behind the address counts as farther away."""

WORDS = {
    "payee": (
        r"(?:send(?:ing)?|sent) (?:\S+ ){0,5}to", r"pay(?:ments?)?(?: \S+){0,4} to", r"paid (?:\S+ ){0,5}to",
        r"transfer(?:red)?(?: \S+){0,5} to",
        r"deposit(?:s|ed)?(?: \w+){0,3} to", r"deposit (?:wallet|address)", r"receiving (?:wallet|address)",
        r"payment address", r"contribut(?:e|ion)s?(?: \w+){0,3}(?: to| address| wallet)", r"donat(?:e|ions?)(?: to)?",
        r"(?:crowd ?sale|token sale|ico|presale) (?:wallet|address|contract)", r"smart contract address", r"to:",
        r"recipient", r"beneficiary", r"bitcoin:", r"ethereum:",
        "收款", "充值", "充币", "打款", "打币", "打入", "收币", "转账到", "转账至", "转到", "转至", "转入", "汇入",
        "汇到", "汇至", "存入", "发送到", "发送至", "募集地址", "众筹地址", "投资地址",
    ),
    "payer": (
        r"sent (?:\S+ ){0,5}from", r"from (?:my|our|his|her|the (?:victim|investor|customer))\S*(?: \w+){0,2}",
        r"my (?:wallet|address)", r"paid from", r"sender", r"payer", r"refund(?:ed)?(?: \w+){0,2} to", r"from:",
        "付款地址", "付款方", "转出", "我的地址", "我的钱包", "本人地址", "汇款人", "发送方", "汇出", "退款",
    ),
    "example": (
        r"for example", r"\be\.g\.", r"\bexample", r"\bsample", r"such as", r"placeholder", r"test vector",
        "例如", "比如", "示例", "样例", "举例", "譬如",
    ),
}  # fmt: skip

_FORMS = {role: re.compile("|".join(words), re.IGNORECASE) for role, words in WORDS.items()}

KNOWN_EXAMPLES = {
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa": "the genesis block's",
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2": "an example of Bitcoin's documentation",
    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy": "an example of Bitcoin's documentation",
    "1BoatSLRHtKNngkdXEeobR76b53LETtpyT": "an example of Bitcoin's documentation",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4": "a test vector of BIP 173",
    "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq": "an example of Bitcoin's documentation",
    "0x0000000000000000000000000000000000000000": "the null address",
    "0x000000000000000000000000000000000000dEaD": "an address that burns",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed": "a test vector of EIP-55",
}


@dataclass(frozen=True, slots=True)
class Apparent:
    """A role, and why it is apparent; both empty where nothing tells."""

    role: str
    why: str


def apparent(value: str, text: str, start: int, end: int) -> Apparent:
    """What the address at `text[start:end]` seems to be."""
    if value in KNOWN_EXAMPLES:
        return Apparent("example", f"known: {KNOWN_EXAMPLES[value]}")
    before, behind = text[max(0, start - BEFORE) : start], text[end : end + BEHIND]
    found: list[tuple[int, str, str]] = []
    for role, form in _FORMS.items():
        found += [(len(before) - each.end(), role, each[0]) for each in form.finditer(before)]
        found += [(each.start() + BEHIND_COSTS, role, each[0]) for each in form.finditer(behind)]
    if not found:
        return Apparent("", "")
    _, role, word = min(found)
    return Apparent(role, f"“{' '.join(word.split())}”")
