"""Links in words: role, grade, evidence against and for, what persons decided, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from api.answers import text
from api.answers.company_shapes import (
    ContestBody,
    ContestRow,
    DecisionRow,
    LinkBody,
    LinkItem,
    LinkVersion,
    LinkVersionsBody,
)
from api.words import Language, say
from chain.store.cases import LinkDecision, StoredLink
from clustering.link.contest import Contest, Element, Outcome

LIKELIHOOD_IS = "declared weights in hundredths of a nat, not measured; the grade follows from conditions alone"
PEOPLE_FOR_A = 2
"""Persons that have to confirm a link of grade A (four eyes)."""


def link_body(
    language: Language, case: str, company_name: str, link: StoredLink, decisions: Sequence[LinkDecision]
) -> LinkBody:
    """A link in the form that stands, in a language."""
    body = link.body
    role = say(language, f"role.{link.role}")
    gone = body.get("gone")
    grade = body.get("grade", "lead")
    statement = (
        say(language, "not linked", reason=say(language, f"reason.{gone}"))
        if gone
        else say(language, "statement", role=role, grade=say(language, f"grade.{grade}"))
    )
    return {
        "link": str(link.link_id),
        "case": case,
        "company": str(link.company_id),
        "company_name": company_name,
        "chain": link.chain,
        "address": link.address,
        "role": link.role,
        "grade": grade,
        "version": link.version,
        "at": str(text.stamp(link.at)),
        "standing": standing(body, link.version, decisions),
        "cluster": body.get("cluster"),
        "conditions": body.get("conditions", {}),
        "log_likelihood_ratio_centinats": body.get("log_likelihood_ratio_centinats", 0),
        "likelihood_is": LIKELIHOOD_IS,
        "evidence": [_item(language, case, link.chain, each) for each in body.get("items", [])],
        "notes": [_told(language, each) for each in body.get("notes", [])],
        "agents": [
            say(language, "agent", address=each["address"], count=each["paid_for"]) for each in body.get("agents", [])
        ],
        "observed_in": body.get("observed_in", []),
        "coverage": ""
        if gone or body.get("observed_in")
        else unseen(language, [each["as_of"] or {} for each in body.get("as_of", [])]),
        "conduct": [
            _conduct(language, sale["day"], rule) for sale in body.get("conduct", []) for rule in sale["rules"]
        ],
        "convention": body.get("convention", ""),
        "candidates": body.get("candidates", 0),
        "decisions": [_decision(each) for each in decisions],
        "as_of": body.get("as_of", []),
        "statement": statement,
    }


def unseen(language: Language, as_of: Sequence[Mapping[str, Any]]) -> str:
    """Why nothing is seen of an address (EVIDENCE 20): nothing of its chain is loaded, or not until some block."""
    heights = [each["height"] for each in as_of if each.get("height") is not None]
    if not as_of or not heights:
        return say(language, "coverage.none")
    return say(language, "coverage.unseen", height=max(heights))


def standing(body: Mapping[str, Any], version: int, decisions: Sequence[LinkDecision]) -> str:
    """How a link stands: by the newest word of each person on this version; a new version is to be looked at again."""
    if body.get("gone") or body.get("erased"):
        return "not linked"
    newest = {each.by: each.decision for each in decisions if each.version == version}
    if "reject" in newest.values():
        return "rejected"
    if "dispute" in newest.values():
        return "disputed"
    confirmed = len(newest)
    if confirmed and body["grade"] == "A" and confirmed < PEOPLE_FOR_A:
        return "confirmed by one"
    return "confirmed" if confirmed else "proposed"


def _item(language: Language, case: str, chain: str, item: Mapping[str, Any]) -> LinkItem:
    exhibit = item["exhibit"]
    return {
        "kind": item["kind"],
        "says": _told(language, item["says"]),
        "root": item["root"],
        "against": item["against"],
        "authenticated": item["authenticated"],
        "off_chain": item["off_chain"],
        "claim": item["claim"],
        "exhibit": exhibit,
        "exhibit_href": None if exhibit is None else f"/v1/cases/{case}/exhibits/{exhibit}",
        "rule": item["rule"],
        "rate": item["rate"],
        "weight_centinats": item["weight_centinats"],
        "transactions": item["transactions"],
        "transaction_hrefs": [f"/v1/{chain}/transactions/{each}" for each in item["transactions"]],
    }


def _told(language: Language, message: Mapping[str, Any]) -> str:
    return say(language, message["name"], **message["values"])


def _conduct(language: Language, day: str, rule: Mapping[str, Any]) -> str:
    return say(language, "law.in force" if rule["in_force"] else "law.predates", day=day, rule=rule["rule"])


def _decision(decision: LinkDecision) -> DecisionRow:
    return {
        "version": decision.version,
        "decision": decision.decision,
        "reason": decision.reason,
        "by": decision.by,
        "at": str(text.stamp(decision.at)),
    }


def versions_body(link: str, versions: Sequence[Mapping[str, Any]]) -> LinkVersionsBody:
    """Every form that a link had, the oldest first."""
    rows: list[LinkVersion] = [
        {"version": each["version"], "at": str(text.stamp(each["at"])), "body": each["body"]} for each in versions
    ]
    return {"link": link, "versions": rows}


def contest_body(language: Language, link: str, found: Contest) -> ContestBody:
    """A contest in words."""
    changes: list[ContestRow] = []
    for elements, outcome in found.tried:
        names = [_element(language, each) for each in elements]
        after = _outcome(language, outcome)
        said = say(language, "contest.changed", element=" + ".join(names), outcome=after)
        changes.append({"without": names, "outcome": after, "text": said})
    held = [_element(language, each) for each in found.held]
    smallest = None if found.smallest is None else [_element(language, each) for each in found.smallest]
    every = len(held) * (len(held) - 1) // 2
    told = (
        say(language, "contest.not computed")
        if smallest is None
        else say(language, "contest.smallest", elements=" + ".join(smallest))
    )
    lines = [each["text"] for each in changes if len(each["without"]) == 1]
    lines += [say(language, "contest.same", element=each) for each in held]
    lines += [each["text"] for each in changes if len(each["without"]) > 1]
    return {
        "link": link,
        "before": _outcome(language, found.before),
        "changes": changes,
        "same_without": held,
        "smallest": smallest,
        "pairs_tried": found.pairs,
        "pairs": every,
        "text": [*lines, say(language, "contest.pairs", pairs=found.pairs, all=every), told],
    }


def _element(language: Language, element: Element) -> str:
    return f"{say(language, f'element.{element.sort}')} {element.name}"


def _outcome(language: Language, outcome: Outcome) -> str:
    if not outcome.found:
        return say(language, "contest.gone")
    role, grade = say(language, f"role.{outcome.role}"), say(language, f"grade.{outcome.grade}")
    return say(language, "contest.outcome", role=role, grade=grade)
