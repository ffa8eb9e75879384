"""The catalogue of servers of other make: how it is drawn, scored and published. Nothing is collected here."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def abroad(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its modules, by name; they are no part of the library."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return lambda name: importlib.import_module(f"abroad.{name}")


def result(abroad: Any, name: str, verdict: str, turn: int = 1, **more: Any) -> Any:
    trials = abroad("trials")
    outcome = trials.outcome_of(abroad("catalogue").KINDS[name], verdict)
    usual = {"make": "node", "said_by": ["health-service"], "reasons": [""], "shown": [], "seconds": 1.0, "starved": 0}  # fmt: skip
    return trials.Result(name=name, turn=turn, verdict=verdict, outcome=outcome, **{**usual, **more})


def test_it_holds_enough_kinds_and_half_of_its_servers_are_not_python(abroad: Any) -> None:
    kinds, dice = abroad("catalogue").KINDS, abroad("kinds").Dice
    states = [kind.state.value for kind in kinds.values()]
    assert states.count("broken") >= 40 and states.count("well") >= 30
    made = [kind.make(dice(f"{name} {turn}")) for name, kind in kinds.items() for turn in range(5)]
    assert sum(scene.server.make != "aiohttp" for scene in made) > len(made) / 2
    assert all(kind.why for kind in kinds.values() if kind.state.value == "beyond")


def test_a_turn_is_drawn_the_same_again_and_another_turn_is_not_the_same(abroad: Any) -> None:
    kinds, dice = abroad("catalogue").KINDS, abroad("kinds").Dice
    others = 0
    for name, kind in kinds.items():
        first, again, other = (kind.make(dice(f"{name} {turn}")) for turn in (1, 1, 2))
        if name not in (
            "signature-unverified",
            "unsigned-believed",
            "empty-key",
            "key-of-examples",
            "verifies-all",
        ):
            assert first == again, name  # those hold a time of now
        others += first != other
    assert others > 0.85 * len(kinds)


@pytest.mark.parametrize(
    ("name", "verdict", "outcome"),
    [
        ("flag-false", "fail", "right"),
        ("flag-false", "pass", "false pass"),
        ("flag-false", "inconclusive", "other"),
        ("degraded", "inconclusive", "right"),
        ("words", "pass", "right"),
        ("words", "fail", "false fail"),
        ("words", "inconclusive", "open"),
        ("words", "error", "open"),
        ("wrong-token", "inconclusive", "right"),
        ("wrong-token", "fail", "false fail"),
        ("wrong-token", "pass", "other"),
        ("ends-idle", "pass", "known"),
        ("ends-idle", "fail", "right"),
    ],
)
def test_a_verdict_is_scored_by_what_is_known_of_the_kind(
    abroad: Any, name: str, verdict: str, outcome: str
) -> None:
    assert result(abroad, name, verdict).outcome == outcome


def test_the_page_counts_what_it_was_given_and_names_what_is_wrong(abroad: Any) -> None:
    publish = abroad("publish")
    given = [("flag-false", "pass"), ("degraded", "fail"), ("words", "fail"), ("words", "pass"), ("wrong-token", "inconclusive"), ("ends-idle", "pass")]  # fmt: skip
    results = [result(abroad, name, verdict, turn) for turn, (name, verdict) in enumerate(given)]
    rates = {what: (count, among) for what, among, count, _ in publish.rates(results)}
    assert rates["broken: ✔ all the same"] == (1, 2)
    assert rates["well, however it was asked: ✘ all the same"] == (1, 3)
    assert rates["well: ✔"] == (1, 2)
    lines = publish.lines(results)
    assert "1 of 2 · broken: ✔ all the same (50.0%, at 95 % at most 97.5%; at most 2%: NOT KEPT)" in lines
    assert "false pass: flag-false, turn 0 (node), pass" in lines
    page = publish.as_markdown(results)
    assert (
        "| `flag-false` | 200, and a flag for health is false | fail | 0 of 1 | false pass: pass by `health-service` |"
        in page
    )
    assert "6 collections of 5 kinds, 6 of them of servers that are not Python." in page
    assert len(json.loads(publish.as_json(results))["collections"]) == 6
    assert publish.as_svg(results).count("<rect") == 1 + 6 + 4
