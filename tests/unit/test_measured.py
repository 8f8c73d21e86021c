"""What is measured: the documents say what the command wrote, and nothing is joined falsely where owners are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.measure import page
from api.measure.clustering import measure
from api.measure.emulated import measure_emulated
from api.measure.owned import BLOCKSCI, L0, NAIVE
from chain.errors import MalformedData, StoreError
from clustering import rates
from clustering.levels import LEVEL_BOUND, Level, Origin, admitted
from clustering.links import RULES


def test_the_document_says_what_the_command_wrote() -> None:
    text = page.DOCUMENT.read_text()
    assert text.split(page.BEGIN + "\n")[1].split(page.END)[0] == page.section(rates.measured())
    assert set(rates.measured()["rules"]) == {facts.name for facts in RULES.values()}
    assert rates.measured()["not_measured"] == {}


@pytest.mark.parametrize("facts", RULES.values(), ids=lambda facts: facts.name)
def test_no_rule_is_above_l0(facts: object) -> None:
    """L1 needs 2,995 field trials without an error; until there are some, every other rule is a lead."""
    for rate in rates.rates(facts.name):  # type: ignore[attr-defined]
        assert admitted(rate.errors, rate.trials, rate.origin) is None
    assert facts.level == Level.L0  # type: ignore[attr-defined]
    assert min(LEVEL_BOUND.values()) > 900_000


def test_answers_tell_no_simulated_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"origin": "simulated", "where": "a generated chain", "trials": 5_000, "errors": 0},
        {"origin": "emulated", "where": "two chains", "trials": 30, "errors": 0},
    ]
    monkeypatch.setattr(rates, "measured", lambda: {"rules": {"co-spend": rows}})
    assert rates.told("co-spend") == "emulated: 0 of 30 wrong (95 % bound 9.51 %), two chains"
    assert rates.confidence("co-spend") == 904_966
    assert rates.told("another") == rates.NOT_MEASURED
    assert rates.confidence("another") is None
    monkeypatch.setattr(rates, "measured", lambda: {"rules": {"co-spend": rows[:1]}})
    assert rates.told("co-spend") == rates.NOT_MEASURED
    assert rates.confidence("co-spend") is None


def test_emulated_wallets_are_never_joined_falsely(data: Path, tmp_path: Path) -> None:
    for chain in measure_emulated(data / "bitcoin" / "emulated" / "wasabi2_10_wallets.zip", tmp_path):
        assert chain.several_owners == 6
        assert chain.scores[L0].mixed_clusters == 0
        assert chain.scores[NAIVE].mixed_clusters == chain.scores[BLOCKSCI].mixed_clusters == 6
        assert chain.scores[L0].owners == 10


def test_generated_owners_are_never_joined_falsely() -> None:
    body = measure(None, [Origin.SIMULATED, Origin.FIELD], 3, 5_000)
    scores = body["simulated"]["scores"]
    assert scores[L0]["false_unions"] == 0
    assert scores[NAIVE]["false_unions"] >= scores[BLOCKSCI]["false_unions"] > 0
    for kind, row in body["simulated"]["kinds"].items():
        assert row["found"] == row["made"], kind
        assert row["joined_though_several"] == 0, kind
    assert 0 < body["hidden_payjoins"]["joined"] <= body["hidden_payjoins"]["made"]
    assert set(body["not_measured"]) == {"field"}
    assert "Not measured: field" in page.section(body)
    assert measure(None, [Origin.SIMULATED, Origin.FIELD], 3, 5_000) == body, "the same input, the same answer"


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK no archive")
    with pytest.raises(MalformedData, match=r"a\.zip"):
        measure_emulated(tmp_path / "a.zip", tmp_path)


def test_nothing_is_written_where_there_is_no_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "DOCUMENT", tmp_path / "methods.md")
    with pytest.raises(StoreError, match="for a checkout"):
        page.write(rates.measured())
    (tmp_path / "methods.md").write_text("no marks")
    with pytest.raises(StoreError, match="two marks"):
        page.write(rates.measured())
