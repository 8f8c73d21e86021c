"""The measured section of docs/methods.md, and what answers tell: written by `measure clustering --write`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from api.measure.owned import BLOCKSCI, L0, NAIVE
from chain.errors import StoreError
from clustering import rates
from clustering.bitcoin.coinjoin import CLASSES, ClassFacts
from clustering.levels import upper_bound
from clustering.rates import percent

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

DOCUMENT = Path(__file__).parents[2] / "docs" / "methods.md"

COMMAND = "headwater measure clustering --write"


def write(body: dict[str, Any]) -> list[Path]:
    """Renew rates.json and the section of methods.md; the files. StoreError where they are not there to be written.

    An origin that was not measured leaves nothing of its own behind: what the files say was measured by one run.
    """
    for path in (DOCUMENT, rates.PATH):
        if not path.exists():
            raise StoreError(f"{path} is not there: --write is for a checkout of the source")
    text = DOCUMENT.read_text()
    if BEGIN not in text or END not in text:
        raise StoreError(f"{DOCUMENT.name} has not the two marks {BEGIN} and {END}")
    rates.PATH.write_text(json.dumps(body, indent=1) + "\n")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{section(body)}{END}{after}")
    return [DOCUMENT, rates.PATH]


def section(body: dict[str, Any]) -> str:
    """The section in Markdown."""
    return "\n".join(_lines(body)) + "\n"


def _lines(body: dict[str, Any]) -> Iterator[str]:
    yield f"Written by `{COMMAND}`; `clustering/rates.json` has the same figures. Bounds are one-sided, 95 %,"
    yield "of Clopper and Pearson. Simulated rates test this code and are no error rates of the field."
    yield ""
    for origin, reason in sorted(body["not_measured"].items()):
        yield f"Not measured: {origin} ({reason})."
        yield ""
    yield from _classes()
    yield from _rules(body)
    if "field" in body:
        yield from _field(body["field"])
    for chain in [*body.get("emulated", []), *([body["simulated"]] if "simulated" in body else [])]:
        yield from _chain(chain)
    if "simulated" in body:
        yield from _kinds(body)


def _table(header: str, rows: Iterator[str]) -> Iterator[str]:
    yield header
    yield "|" + "---|" * (header.count("|") - 1)
    yield from rows
    yield ""


def _classes() -> Iterator[str]:
    yield "### Classes that are decided before co-spend"
    yield ""
    yield from _table(
        "| class | kind | form | parameters | source | how it fails |",
        (
            f"| {facts.name}{_lineage(facts)} | {facts.kind.value} | {facts.form} | {facts.parameters or '-'} "
            f"| {facts.source} | {facts.fails} |"
            for facts in CLASSES.values()
        ),
    )


def _lineage(facts: ClassFacts) -> str:
    return "" if facts.lineage is None else f" ({facts.lineage.split(':')[0]})"


def _rules(body: dict[str, Any]) -> Iterator[str]:
    yield "### Rules that join at L0"
    yield ""
    yield "A trial is a transaction that a rule links on, with the owners of its addresses known."
    yield ""
    yield from _table(
        "| rule | measured | trials | wrong | error rate at most |",
        (
            f"| {rule} | {row['origin']}: {row['where']} | {row['trials']:,} | {row['errors']} | {_bound(row)} |"
            for rule, rows in body["rules"].items()
            for row in rows
        ),
    )


def _bound(row: dict[str, Any]) -> str:
    if not row["trials"]:
        return "never tried"
    return percent(upper_bound(row["errors"], row["trials"]))


def _field(field: dict[str, Any]) -> Iterator[str]:
    whole = field["whole_blocks"]
    yield "### Field: the lists of another tool"
    yield ""
    yield f"{field['transactions']:,} real transactions. The lists are another tool's opinion, not truth."
    yield ""
    yield from _table(
        "| list | transactions | of an agreeing class | recall at least |",
        (
            f"| `{label}` | {row['listed']:,} | {row['agreeing']:,} | {_percent_down(row['recall_at_least_ppm'])} |"
            for label, row in field["lists"].items()
        ),
    )
    yield "Where list and class differ:"
    yield ""
    yield from _table(
        "| list | class | transactions | why | to look at |",
        (
            f"| `{row['list']}` | {row['class']} | {row['transactions']} | {row['why']} "
            f"| {', '.join(f'`{txid}`' for txid in row['look_at'])} |"
            for row in field["disagreements"]
        ),
    )
    called = sum(len(txids) for txids in whole["called_coinjoin"].values())
    yield f"Of {whole['transactions']:,} transactions of whole blocks outside the lists {called} are called a coinjoin:"
    for name, txids in whole["called_coinjoin"].items():
        yield f"{name}: {', '.join(f'`{txid}`' for txid in txids)}."
    yield ""
    yield "Those of them that spend from several known addresses, by class:"
    yield ""
    yield from _table(
        "| class | transactions |",
        (f"| {name} | {count} |" for name, count in whole["spend_from_several_addresses"].items()),
    )


def _chain(chain: dict[str, Any]) -> Iterator[str]:
    origin = "Simulated" if "seed" in chain else "Emulated"
    yield f"### {origin}: {chain['name']}"
    yield ""
    yield f"{chain['transactions']:,} transactions, of which {chain['several_owners']} spend from several owners."
    yield ""
    yield from _table(
        "| rules | false unions | pairs: precision | pairs: recall | B-cubed: precision | B-cubed: recall "
        "| services collapsed | largest cluster |",
        (
            f"| {name} | {row['false_unions']} | {_precision(row)} "
            f"| {_percent_down(row['pair_recall_ppm'])} | {_percent_down(row['bcubed_precision_ppm'])} "
            f"| {_percent_down(row['bcubed_recall_ppm'])} "
            f"| {_maybe(row['collapse_ppm'])} | {percent(row['largest_ppm'])} |"
            for name, row in ((each, chain["scores"][each]) for each in (L0, NAIVE, BLOCKSCI))
        ),
    )


def _kinds(body: dict[str, Any]) -> Iterator[str]:
    simulated, hidden = body["simulated"], body["hidden_payjoins"]
    yield from _table(
        "| generated | made | given its class | joined though several made it |",
        (
            f"| {kind} | {row['made']} | {row['found']} | {row['joined_though_several']} |"
            for kind, row in simulated["kinds"].items()
        ),
    )
    apart = simulated["kept_apart"]
    named = ", ".join(f"{name} {count:,}" for name, count in apart["by_class"].items() if count)
    yield f"Of {apart['one_owner_several_addresses']:,} transactions that one owner made from several addresses"
    yield f"classes keep apart: {named}."
    yield ""
    joined = (
        f"joins payer and payee in {hidden['joined']}, which makes {hidden['false_unions']} clusters of several owners"
    )
    yield f"**Payjoins that avoid every form** (`--hidden-payjoins`): of {hidden['made']} made co-spend"
    yield f"{joined}. No rule can tell them from a payment."
    yield ""
    yield "Leads of the change model against the generator's truth:"
    yield ""
    yield from _table(
        "| stratum | from milli-nats | change known | right | wrong | precision at least |",
        (
            f"| {row['stratum']} | {row['threshold_milli_nats']:,} | {row['known']:,} | {row['right']:,} "
            f"| {row['wrong']} | {_percent_down(row['precision_at_least_ppm'])} |"
            for row in simulated["change_leads"]
        ),
    )


def _precision(row: dict[str, Any]) -> str:
    return _percent_down(row["pair_precision_ppm"]) if row["joined_pairs"] else "nothing joined"


def _maybe(ppm: int | None) -> str:
    return "-" if ppm is None else percent(ppm)


def _percent_down(ppm: int) -> str:
    """Parts per million as percent, rounded down: for what must be at least so."""
    hundredths = ppm // 100
    return f"{hundredths // 100}.{hundredths % 100:02d} %"
