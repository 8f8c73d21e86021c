"""A person's word on a link: given, and listed with who gave it, when and why.

A word is kept by durable names (transaction, rule, addresses), so that it outlives a reorganisation; it is never
changed, and `withdraw` takes the earlier ones on its link back. The next run counts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from api.answers import text
from api.answers.run_shapes import DecidedBody, DecisionRow, DecisionsAnswer, DecisionsBody
from api.answers.view import DatasetView, InvalidParameter
from api.decisions import standing
from chain.bitcoin import address as codec
from chain.errors import AddressError, NotFound
from chain.model import hash_text
from chain.store.answers import AnswerStore
from chain.store.links import Decision, LinkStore, Run
from chain.store.postgres import Connection
from clustering.links import RULES, Rule

WORDS = ("accept", "refuse", "withdraw")

MAX_BY = 200
MAX_REASON = 2_000
"""Characters; the table has the same bounds."""

RECORDED = "recorded; the next headwater cluster update counts it"


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says of a link."""

    decision: str
    txid: bytes
    """Internal byte order"""
    rule: int
    a: str
    b: str
    by: str
    reason: str


def read_rule(name: str) -> int:
    """The number of a rule; InvalidParameter where there is none of that name."""
    for facts in RULES.values():
        if facts.name == name:
            return int(facts.rule)
    raise InvalidParameter("rule", f"there is no such rule; {', '.join(facts.name for facts in RULES.values())}")


def check(word: Word) -> None:
    """InvalidParameter where a part of it is not what it must be."""
    if word.decision not in WORDS:
        raise InvalidParameter("decision", f"a decision is one of {', '.join(WORDS)}")
    for name, value, most in (("by", word.by, MAX_BY), ("reason", word.reason, MAX_REASON)):
        if not value.strip() or len(value) > most:
            raise InvalidParameter(name, f"{name} has between 1 and {most} characters")
        if not value.isprintable():
            raise InvalidParameter(name, f"{name} has a character that cannot be printed")


async def decide(connection: Connection, chain: str, views: Sequence[DatasetView], word: Word) -> DecidedBody:
    """Record a word in the one dataset of `views` that has its link.

    NotFound where no dataset has it (for `withdraw`: where no word on it is in force), InvalidParameter where several
    have it or a part of the word is not what it must be. Nothing is recorded then.
    """
    check(word)
    keyed = _keyed(views, word)
    found = [(view, keys) for view, keys in keyed if await _applies(connection, view, word, keys)]
    txid = hash_text(word.txid)
    link = f"{RULES[Rule(word.rule)].name} link between {word.a} and {word.b} on transaction {txid}"
    names = ", ".join(view.name for view, _ in found or keyed)
    if not found and word.decision == "withdraw":
        raise NotFound(f"there is no decision to withdraw on a {link} in {names}")
    if not found:
        raise NotFound(f"no {link} stands in the newest run of {names}; headwater tx show lists those that do")
    if len(found) > 1:
        raise InvalidParameter("dataset", f"several datasets have this link: {names}; name one with --dataset")
    view, (a, b) = found[0]
    given = Decision(word.txid, word.rule, a, b, word.decision, word.by, word.reason)
    made = await LinkStore(connection).decide(view.dataset, given)
    row = decision_row(view, made, word.decision != "withdraw", False)
    return {"chain": chain, "dataset": view.name, "decided": row, "statement": RECORDED}


Keys = tuple[bytes, bytes]


def _keyed(views: Sequence[DatasetView], word: Word) -> list[tuple[DatasetView, Keys]]:
    """The views whose network has both addresses, with their keys in ascending order; AddressError where none has."""
    refusal: AddressError | None = None
    found: list[tuple[DatasetView, Keys]] = []
    for view in views:
        try:
            a, b = sorted(codec.decode(each, view.network) for each in (word.a, word.b))
        except AddressError as error:
            refusal = refusal or error
            continue
        if a == b:
            raise InvalidParameter("address", "a link is between two different addresses")
        found.append((view, (a, b)))
    if not found:
        assert refusal is not None, "there is a view"
        raise refusal
    return found


async def _applies(connection: Connection, view: DatasetView, word: Word, keys: Keys) -> bool:
    """Whether the link stands in the view's run; for `withdraw`, whether a word on it is in force."""
    links = LinkStore(connection)
    if word.decision == "withdraw":
        name = (word.txid, word.rule, *keys)
        return any(each.link == name for each in standing(await links.decisions(view.dataset)))
    tx = int(view.columns.find_txids(np.frombuffer(word.txid, np.uint8).reshape(1, 32))[0])
    ids = sorted(view.address_id(key) for key in keys)
    if view.run is None or tx < 0 or ids[0] < 0:
        return False
    async with AnswerStore(connection).snapshot(view.dataset, view.epoch):
        rows = await links.of_transaction(view.dataset, tx)
    return any([row["u"], row["v"]] == ids and row["rule"] == word.rule for row in rows)


async def decisions_body(connection: Connection, chain: str, views: Sequence[DatasetView]) -> DecisionsBody:
    """Every word on a link of each dataset, the newest first."""
    return {"chain": chain, "answers": [await _listed(connection, view) for view in views]}


async def _listed(connection: Connection, view: DatasetView) -> DecisionsAnswer:
    links = LinkStore(connection)
    made = await links.decisions(view.dataset)
    run: Run | None = await links.last_run(view.dataset)
    counted = 0 if run is None else run.decision_id
    in_force = {each.decision_id for each in standing(made)}
    items = [decision_row(view, each, each.decision_id in in_force, each.decision_id <= counted) for each in made]
    return {**view.frame(view.now()), "items": items}


def decision_row(view: DatasetView, decision: Decision, in_force: bool, counted: bool) -> DecisionRow:
    return {
        "number": decision.decision_id,
        "decision": decision.verdict,
        "txid": hash_text(decision.txid),
        "rule": RULES[Rule(decision.rule)].name,
        "addresses": [codec.encode(key, view.network) for key in (decision.a, decision.b)],
        "decided_by": decision.decided_by,
        "reason": decision.reason,
        "decided_at": text.stamp(decision.decided_at),
        "in_force": in_force,
        "counted": counted,
    }
