"""The confusion table counts what it says it counts."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from proofbook.judge.findings import Estimate, Finding, Verdict
from proofbook.judge.verdict import Overall
from proofbook.rehearsal.faults import FAULTS, HEALTHY, Fault, Healthy
from proofbook.selfcheck import confusion
from proofbook.selfcheck.confusion import ADMITTED, ALARM, MISSED, OPEN, OTHER, RIGHT, Result
from proofbook.selfcheck.rule_error_rates import Rate

PASS, FAIL, INCONCLUSIVE, ERROR = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.ERROR


def stated(name: str, verdict: Verdict, *, high: float = 0.0) -> Finding:
    return Finding(
        id=name,
        kind="guard",
        claim="it holds",
        required=True,
        verdict=verdict,
        reason="",
        statement="seen",
        estimate=Estimate(value=0.0, high=high),
    )


def result(seed: Fault | Healthy, overall: Verdict, finding: Verdict, *, high: float = 0.0) -> Result:
    names = seed.finding if isinstance(seed, Fault) else ("websocket-delivery",)
    found = {name: stated(name, finding, high=high) for name in names}
    told = Overall(verdict=overall, reason="", headline="SO", detail="it is", blocking=tuple(names))
    return Result.of(seed, found, told, "pass-1")


@pytest.mark.parametrize(
    ("name", "overall", "finding", "high", "outcome"),
    [
        ("half-open", FAIL, FAIL, 0.0, RIGHT),
        # The right verdict from another finding is not the right answer.
        ("half-open", FAIL, PASS, 0.0, OTHER),
        ("half-open", INCONCLUSIVE, INCONCLUSIVE, 0.0, OTHER),
        ("half-open", PASS, PASS, 1.0, MISSED),
        ("log-silent", INCONCLUSIVE, INCONCLUSIVE, 0.0, RIGHT),
        ("log-silent", PASS, PASS, 0.0, MISSED),
        ("log-duplicated", PASS, PASS, 0.0, RIGHT),
        ("log-duplicated", FAIL, FAIL, 0.0, OTHER),
        # Rarer than the plan sees: a pass is honest as long as its bound admits it.
        ("rare-1011", PASS, PASS, 0.008, ADMITTED),
        ("rare-1011", PASS, PASS, 0.002, MISSED),
        ("intermittent-1011", PASS, PASS, 0.008, MISSED),
        ("healthy", PASS, PASS, 0.0, RIGHT),
        ("healthy", FAIL, FAIL, 0.0, ALARM),
        ("healthy", INCONCLUSIVE, INCONCLUSIVE, 0.0, OPEN),
        ("healthy", ERROR, INCONCLUSIVE, 0.0, OPEN),
        ("low-traffic", INCONCLUSIVE, INCONCLUSIVE, 0.0, RIGHT),
        ("low-traffic", FAIL, FAIL, 0.0, ALARM),
    ],
)
def test_an_outcome_needs_the_verdict_and_the_finding_that_should_say_it(
    name: str, overall: Verdict, finding: Verdict, high: float, outcome: str
) -> None:
    assert result((FAULTS | HEALTHY)[name], overall, finding, high=high).outcome == outcome


@pytest.mark.parametrize(
    ("name", "overall", "finding", "open_"),
    [
        # Could not tell, where it should have said so: the machine may have stood still.
        ("slow", INCONCLUSIVE, INCONCLUSIVE, True),
        ("healthy", INCONCLUSIVE, INCONCLUSIVE, True),
        ("log-duplicated", INCONCLUSIVE, INCONCLUSIVE, True),
        # The run does not require it, so it passes.
        ("slow", PASS, INCONCLUSIVE, True),
        # Right is right.
        ("slow", FAIL, FAIL, False),
        ("log-silent", INCONCLUSIVE, INCONCLUSIVE, False),
        # Wrong stays wrong: missed, a false alarm, said by another finding, or broken.
        ("slow", PASS, PASS, False),
        ("slow", INCONCLUSIVE, PASS, False),
        ("slow", FAIL, INCONCLUSIVE, False),
        ("healthy", FAIL, FAIL, False),
        ("log-silent", FAIL, FAIL, False),
        ("slow", ERROR, ERROR, False),
    ],
)
def test_only_what_could_not_be_told_is_asked_again(
    name: str, overall: Verdict, finding: Verdict, open_: bool
) -> None:
    seed = (FAULTS | HEALTHY)[name]
    names = seed.finding if isinstance(seed, Fault) else ("websocket-delivery",)
    found = {item: stated(item, finding) for item in names}
    told = Overall(verdict=overall, reason="", headline="SO", detail="it is", blocking=tuple(names))
    assert confusion.left_open(seed, found, told) is open_


@pytest.mark.parametrize(
    ("coverage", "open_"), [(PASS, False), (INCONCLUSIVE, True), (FAIL, False), (ERROR, False)]
)
def test_a_gap_in_the_log_of_a_right_answer_is_asked_again(coverage: Verdict, open_: bool) -> None:
    seed = FAULTS["slow"]
    found = {item: stated(item, FAIL) for item in seed.finding} | {
        "log-coverage": stated("log-coverage", coverage)
    }
    told = Overall(verdict=FAIL, reason="", headline="SO", detail="it is", blocking=seed.finding)
    assert confusion.left_open(seed, found, told, also=("log-coverage",)) is open_


def test_the_page_counts_collections_with_their_bounds_and_hides_nothing() -> None:
    results = [
        *(result(FAULTS["half-open"], FAIL, FAIL) for _ in range(3)),
        result(FAULTS["slow"], PASS, PASS),
        *(result(HEALTHY["healthy"], PASS, PASS) for _ in range(59)),
        result(HEALTHY["noisy-log"], FAIL, FAIL),
        Result.of_problem(FAULTS["crash-loop"], "nothing answered", "pass-1"),
    ]
    rates = [Rate(rule="a rule", boundary="b", false_pass=0.04, alternative="a", power=0.9, simulations=100)]
    page = confusion.as_markdown(results, rates)
    assert "should say it | 5 | 3 | 60.0%, at least 18.9% |" in page
    assert "**missed** | 5 | 1 | 20.0%, at most 65.7% |" in page
    assert "**false alarm** (`fail`) | 60 | 1 | 1.7%, at most 7.7% |" in page
    assert "| `half-open` |" in page and "3 of 3" in page and "1 missed" in page
    assert "| a rule | b | 4.00% | a | 90.0% | 100 |" in page
    told = json.loads(confusion.as_json(results, rates))
    assert len(told["collections"]) == len(results) and told["simulated"][0]["power"] == 0.9
    picture = ElementTree.fromstring(confusion.as_svg(results))
    squares = [item for item in picture.iter() if item.tag.endswith("rect") and item.get("rx")]
    assert len(squares) == len(results) + 4
    assert sum(line.lstrip().startswith("missed") for line in confusion.lines(results)) == 1


def test_the_page_names_what_the_catalogue_holds_and_nobody_collected() -> None:
    some = [result(seed, FAIL, FAIL) for name, seed in FAULTS.items() if name != "queue-full"]
    well = [result(seed, PASS, PASS) for seed in HEALTHY.values()]
    assert "Not collected yet, of which this page says nothing: `queue-full`." in confusion.as_markdown([*some, *well], [])  # fmt: skip
    whole = [*some, result(FAULTS["queue-full"], FAIL, FAIL), *well]
    assert "Not collected" not in confusion.as_markdown(whole, [])
