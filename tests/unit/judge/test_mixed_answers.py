"""Answers that count as healthy and are unlike the others: what one sick instance of several says is not passed over."""

from __future__ import annotations

from typing import Any

import pytest
from builders import health, view

from proofbook.config.services import Service
from proofbook.judge.checks.mixed_answers import answers_alike, beside, unlike

OK = {"body": '{"status": "ok"}', "says": "well", "part": ""}
OLD = {"body": '{"version": "1.2", "uptime": 3}', "says": "", "part": ""}


@pytest.mark.parametrize(
    ("usual", "one", "told"),
    [
        (OK, {**OK, "part": "db = down"}, "say db = down, the others do not"),
        ({**OK, "part": "db = down"}, OK, "do not say db = down, as the others do"),
        ({**OK, "body": "OK"}, {**OK, "body": "", "says": ""}, "say nothing of their health, the others do"),
        (OLD, {**OLD, "body": ""}, "are empty, most are JSON"),
        (OLD, {**OLD, "body": "<html><title>Welcome</title>"}, "are a page for people, most are JSON"),
        (OLD, {**OLD, "body": '{"message": "hello"}'}, 'are of another make: {"message": "hello"}'),
        (
            {**OLD, "body": "<html><title>Shop</title>"},
            {**OLD, "body": "<html><title>Welcome to nginx!</title>"},
            "are of another make: <html><title>Welcome to nginx!</title>",
        ),
    ],
    ids=["a part is ill", "all but one", "empty for OK", "empty", "a page", "other JSON", "another title"],
)
def test_one_answer_of_eight_that_is_unlike_the_others_is_found_and_named(
    usual: dict[str, Any], one: dict[str, Any], told: str
) -> None:
    rows = health(*[usual] * 7, one)
    found = unlike(rows)
    assert dict(found) == {7: told}


@pytest.mark.parametrize(
    "alike",
    [
        [{**OK, "part": "db = down"}] * 4,
        [{**OLD, "body": body} for body in ('{"version": "1", "a": 1}', '{"version": "2"}', '{"b": 1, "version": "3"}')],
        [{**OLD, "body": f'{{"key{number}": 1}}'} for number in range(4)],
        [{**OLD, "body": f"<title>Shop ({number})</title>"} for number in range(4)],
        [{**OLD, "body": "a"}, {**OLD, "body": "b"}],
        [OK, OK, {**OLD, "body": "", "status": 204, "says": "well"}],
    ],
    ids=["a part that it does without", "more keys", "no two alike", "a number in the title", "text", "204"],
)  # fmt: skip
def test_answers_that_differ_as_answers_of_one_server_do_are_alike(alike: list[dict[str, Any]]) -> None:
    assert unlike(health(*alike)).empty


@pytest.mark.parametrize(
    ("expected", "ill", "held"),
    [
        (None, 12, False),
        # As many as may fail, as of a part that comes and goes.
        (None, 5, True),
        ({"json": {"status": "ok"}}, 12, False),
        # Who says which text counts has seen the rest.
        ({"regex": "ok"}, 12, True),
    ],
)
def test_more_than_may_fail_take_the_pass_away_and_call_nothing_broken(
    expected: dict[str, Any] | None, ill: int, held: bool
) -> None:
    item = Service.model_validate({"name": "s", "url": "http://a", "health_expect": expected})
    rows = health(*[OK] * (100 - ill), *[{**OK, "part": "db = down"}] * ill)
    found = answers_alike(item, target=0.95)(view({("after", "health"): rows}))
    assert all(control.held for control in found) is held
    assert all(control.guards == ("pass",) for control in found)
    assert held or found[0].got == "12 of 100 say db = down, the others do not"


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ([{"body": "OK (no database)"}] * 2, "although 2 of them say otherwise: OK (no database)"),
        ([{"body": ""}] * 2, "although 2 of them say otherwise: nothing"),
        ([{"total_s": 3.0}, {"total_s": 2.5}], "although 2 of them took 2.5 s or more, the median is 0.01 s"),
        # Each names a time of its own, or is a little slower.
        ([{"body": f"OK {number}"} for number in range(30)], ""),
        ([{"total_s": 0.2}] * 2, ""),
        ([], ""),
    ],
)
def test_what_a_few_say_or_take_otherwise_is_told_beside_a_pass(odd: list[dict[str, Any]], told: str) -> None:
    usual = {"body": "OK", "says": "well"}
    assert beside(health(*[usual] * 20, *[{**usual, **item} for item in odd])) == told


SILENT = {"clean": False, "close_s": 2.0}
