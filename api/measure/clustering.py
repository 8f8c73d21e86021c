"""`headwater measure clustering`: everything that is measured, as one body; the same input gives the same bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from api.measure.emulated import measure_emulated
from api.measure.field import Field, measure_field
from api.measure.owned import L0, Compared
from api.measure.simulated import Simulated, measure_simulated
from clustering.bitcoin.change.measure import stratum
from clustering.levels import Origin
from clustering.links import RULES
from clustering.measure import Scores, Trials

HIDDEN_TRANSACTIONS = 25_000
"""Length of the chain whose payjoins avoid every form."""


def measure(data: Path | None, origins: Collection[Origin], seed: int, transactions: int) -> dict[str, Any]:
    """Measure what can be measured; `not_measured` names the origins for which nothing is at hand."""
    body: dict[str, Any] = {"not_measured": {}}
    bitcoin = None if data is None else data / "bitcoin"
    archives = sorted((bitcoin / "emulated").glob("*.zip")) if bitcoin is not None else []
    with tempfile.TemporaryDirectory(prefix="headwater-measure-") as scratch:
        folder = Path(scratch)
        if Origin.FIELD in origins:
            if bitcoin is not None and (bitcoin / "coinjoin_labels.csv.xz").exists():
                body["field"] = _field(measure_field(bitcoin, folder))
            else:
                body["not_measured"]["field"] = f"no bitcoin/coinjoin_labels.csv.xz in {data}"
        if Origin.EMULATED in origins:
            if archives:
                body["emulated"] = [_compared(each) for path in archives for each in measure_emulated(path, folder)]
            else:
                body["not_measured"]["emulated"] = f"no bitcoin/emulated/*.zip in {data}"
        if Origin.SIMULATED in origins:
            body["simulated"] = _simulated(measure_simulated(folder / "plain", seed, transactions))
            hidden = measure_simulated(folder / "hidden", seed, HIDDEN_TRANSACTIONS, hidden_payjoins=True)
            body["hidden_payjoins"] = {
                "made": hidden.found["PAYJOIN"]["made"],
                "joined": hidden.found["PAYJOIN"]["joined_though_several"],
                "false_unions": hidden.compared.scores[L0].mixed_clusters,
            }
    body["rules"] = _rules(body)
    return body


def _rules(body: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The trials of each joining rule at L0, by origin."""
    found: dict[str, list[dict[str, Any]]] = {facts.name: [] for facts in RULES.values()}
    tagged = body.get("field", {}).get("tagged")
    if tagged is not None:
        where = f"{tagged['addresses']} addresses that others label with an actor in the extract of real transactions"
        found["co-spend"].append({"origin": "field", "where": where, **_counts(tagged)})
    owned = {"emulated": body.get("emulated", []), "simulated": [body["simulated"]] if "simulated" in body else []}
    for origin, chains in owned.items():
        for name, rows in found.items():
            if chains:
                counts = [chain["trials"][L0][name] for chain in chains]
                total = {key: sum(count[key] for count in counts) for key in ("trials", "errors")}
                rows.append({"origin": origin, "where": ", ".join(chain["name"] for chain in chains), **total})
    return found


def _counts(of: dict[str, Any]) -> dict[str, int]:
    return {"trials": of["trials"], "errors": of["errors"]}


def _trials(of: Trials) -> dict[str, int]:
    return {
        "trials": of.trials, "errors": of.errors, "error_rate_at_most_ppm": of.at_most,
        "precision_at_least_ppm": of.precision_at_least,
    }  # fmt: skip


def _scores(of: Scores) -> dict[str, int | None]:
    return {
        "addresses": of.addresses, "owners": of.owners, "clusters": of.clusters, "false_unions": of.mixed_clusters,
        "pair_precision_ppm": of.pair_precision, "pair_recall_ppm": of.pair_recall, "true_pairs": of.true_pairs,
        "joined_pairs": of.joined_pairs, "right_pairs": of.right_pairs, "bcubed_precision_ppm": of.bcubed_precision,
        "bcubed_recall_ppm": of.bcubed_recall, "largest_ppm": of.largest, "collapse_ppm": of.collapse,
    }  # fmt: skip


def _compared(of: Compared) -> dict[str, Any]:
    names = {facts.rule.name: facts.name for facts in RULES.values()}
    return {
        "name": of.name,
        "transactions": of.transactions,
        "several_owners": of.several_owners,
        "scores": {rules: _scores(scores) for rules, scores in of.scores.items()},
        "trials": {
            rules: {names[rule]: _trials(each) for rule, each in by_rule.items()}
            for rules, by_rule in of.trials.items()
        },
    }


def _field(of: Field) -> dict[str, Any]:
    tagged = of.tagged
    return {
        "transactions": of.transactions,
        "lists": {
            label: {
                "listed": each.trials,
                "agreeing": each.trials - each.errors,
                "recall_at_least_ppm": each.precision_at_least,
            }
            for label, each in of.recall.items()
        },
        "disagreements": [
            {
                "list": each.label, "class": each.found, "transactions": each.count, "why": each.why,
                "look_at": each.txids,
            }
            for each in of.disagreements
        ],
        "whole_blocks": {
            "transactions": of.whole,
            "called_coinjoin": of.alarms,
            "spend_from_several_addresses": of.linkable,
        },
        "tagged": None if tagged is None else {
            "addresses": tagged.addresses, "actors": tagged.actors, **_trials(tagged.links),
        },
    }  # fmt: skip


def _simulated(of: Simulated) -> dict[str, Any]:
    return {
        "seed": of.seed,
        **_compared(of.compared),
        "kinds": of.found,
        "kept_apart": {"one_owner_several_addresses": of.linkable, "by_class": of.alarms},
        "change_leads": [
            {
                "stratum": str(stratum(rate.stratum)), "threshold_milli_nats": rate.threshold, "known": rate.trials,
                "right": rate.right, "wrong": rate.wrong, "precision_at_least_ppm": rate.lower_ppm,
            }
            for rate in of.change
        ],
    }  # fmt: skip
