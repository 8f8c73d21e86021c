"""Kinds of evidence, and what one item of it is.

Weights are log-likelihood ratios in hundredths of a nat, as declared in research (Fellegi and Sunter's form). They are
declared, not measured, and stand beside a grade without making it.

How it fails. A signed message shows who had the key on that day. A published address may be a customer's account at an
exchange. A complaint says what its writer saw. A label is its source's word, and sources copy each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What an address is to a company (EVIDENCE 5)."""

    CONTROLS = "controls"
    CUSTOMER = "customer of a service"
    DEPLOYED = "deployed"
    RECEIVED = "received proceeds"
    PAYEE = "named as payee"
    PAYER = "named as payer"
    EXAMPLE = "named as example"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of evidence."""

    name: str
    authenticated: bool
    """Off the chain: a signed message, a domain bound to the register, a seized record (EVIDENCE 7)"""
    weight: int
    """Hundredths of a nat"""
    off_chain: bool = True
    """Whether it is an item with a root of its own; a fact on the chain is none"""


SIGNED = Kind("signed message", True, 900)
DOMAIN = Kind("registry-bound domain", True, 600)
SEIZED = Kind("seized record", True, 700)
TEST_PURCHASE = Kind("test purchase", False, 700)
WEBSITE = Kind("website", False, 600)
WHITE_PAPER = Kind("white paper", False, 500)
COMPLAINT = Kind("complaint", False, 200)
REPORT = Kind("report", False, 200)
CHAT = Kind("chat message", False, 200)
LABEL = Kind("label", False, 200)

SALE = Kind("token-sale contract", False, 500, off_chain=False)
COLLECTOR = Kind("token-sale collector", False, 500, off_chain=False)
DEPLOYER = Kind("deployer", False, 500, off_chain=False)
CLUSTER = Kind("co-spend cluster", False, 0, off_chain=False)
SHARE = Kind("traced share", False, 200, off_chain=False)
CONFLICT = Kind("contradicting label", False, -600)

CLAIMED = {each.name: each for each in (
    SIGNED, DOMAIN, SEIZED, TEST_PURCHASE, WEBSITE, WHITE_PAPER, COMPLAINT, REPORT, CHAT, LABEL,
)}  # fmt: skip
"""What a claim can rest on."""

AGAINST_WEIGHT = -600
"""Of a claim that contradicts, whatever it rests on."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something to be said, in whatever language: its name in `api/words`, and what goes into it."""

    name: str
    values: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, name: str, **values: object) -> Message:
        return cls(name, tuple((key, str(value)) for key, value in values.items()))


@dataclass(frozen=True, slots=True)
class Item:
    """One item for or against a link."""

    kind: Kind
    root: str
    """The document or source that it descends from; items of one root count once"""
    says: Message
    against: bool = False
    claim: int | None = None
    exhibit: int | None = None
    rule: str = ""
    """The rule that a fact on the chain rests on; empty for what people say"""
    rate: str = ""
    """The measured error rate of that rule, or that there is none"""
    transactions: tuple[str, ...] = ()

    @property
    def weight(self) -> int:
        return AGAINST_WEIGHT if self.against else self.kind.weight

    @property
    def authenticated(self) -> bool:
        return self.kind.authenticated
