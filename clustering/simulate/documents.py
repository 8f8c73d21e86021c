"""What people say of the companies behind generated sales: most of it true, some of it copied, mistaken or planted.

The shares below are assumptions, not measurements: nobody has counted how often a white paper names a wrong address.
They are chosen so that every condition of a grade is met by true and by false statements. Rates that come of them
test the rules, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from clustering.link.evidence import Role

WHITE_PAPER, WEBSITE, COPIED, SIGNED, SEIZED, COMPLAINED, DENIED, PLANTED = 0.8, 0.6, 0.4, 0.25, 0.1, 0.5, 0.1, 0.15
"""Shares of companies of which such a document is there; of a website, that it copies the white paper."""

MISSIGNED = 0.05
"""Share of companies for which a signature is shown that is another's: a contractor's, a stolen key's."""

MISTAKEN = 0.15
"""Share of complaints that name another address than their writer paid."""

COMPLAINTS = 3
"""At most so many of one company."""

DEPOSIT = 0.5
"""Share of complaints about a company with an account at an exchange that name the account's deposit address."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A company, and rows of the truth that are truly its own."""

    company: str
    contract: int
    collectors: tuple[int, ...]
    accounts: tuple[int, ...]
    """Deposit addresses that an exchange made for it"""


@dataclass(frozen=True, slots=True)
class Said:
    """One statement of one document."""

    company: str
    row: int
    """Of the truth: the address that is named"""
    role: Role
    kind: str
    root: str
    against: bool = False


def statements(subjects: list[Subject], others: list[int], seed: int) -> Iterator[Said]:
    """What is said of the companies. `others`: rows of addresses that people mistake for theirs."""
    random = np.random.default_rng(seed)
    for place, subject in enumerate(subjects):
        yield from _of_one(subject, others, random)
        if random.random() < PLANTED:  # a rival says that this sale is another company's
            victim = subjects[(place + 1 + int(random.integers(len(subjects)))) % len(subjects)]
            if victim.contract != subject.contract:
                for number, kind in enumerate(("report", "chat message")[: 1 + int(random.integers(2))]):
                    root = f"planted {number} of {subject.company}"
                    yield Said(victim.company, subject.contract, Role.PAYEE, kind, root)


def _of_one(subject: Subject, others: list[int], random: np.random.Generator) -> Iterator[Said]:
    name, contract = subject.company, subject.contract
    paper = random.random() < WHITE_PAPER
    if paper:
        yield Said(name, contract, Role.PAYEE, "white paper", f"paper of {name}")
    if random.random() < WEBSITE:
        root = f"paper of {name}" if paper and random.random() < COPIED else f"site of {name}"
        yield Said(name, contract, Role.PAYEE, "website", root)
    if subject.collectors and random.random() < SIGNED:
        yield Said(name, subject.collectors[0], Role.CONTROLS, "signed message", f"message of {name}")
    if random.random() < MISSIGNED:
        row = others[int(random.integers(len(others)))]
        yield Said(name, row, Role.CONTROLS, "signed message", f"second message of {name}")
    if random.random() < SEIZED:
        yield Said(name, contract, Role.CONTROLS, "seized record", f"records of {name}")
    if random.random() < COMPLAINED:
        for number in range(1 + int(random.integers(COMPLAINTS))):
            row = contract
            if random.random() < MISTAKEN:
                row = others[int(random.integers(len(others)))]
            elif subject.accounts and random.random() < DEPOSIT:
                row = subject.accounts[int(random.integers(len(subject.accounts)))]
            yield Said(name, row, Role.PAYEE, "complaint", f"complaint {number} of {name}")
    if random.random() < DENIED:
        yield Said(name, contract, Role.PAYEE, "report", f"answer of {name}", against=True)
