"""A slower endpoint fails; a slower machine, which slows the health endpoint too, does not."""

from __future__ import annotations

import builders
import numpy as np
import pandas as pd
import pytest

from proofbook.evidence.schema import LATENCY_CONTROL
from proofbook.judge.checks.latency import not_slower, tail_kept
from proofbook.judge.findings import Verdict
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.judge.window import Windows


def timed(median_ms: float, *, count: int, seed: int, path: str) -> pd.DataFrame:
    spread = np.random.default_rng(seed).gamma(4.0, 1.0, count)
    times = pd.date_range("2026-01-01", periods=count, freq="12ms", tz="UTC")
    rows = [
        {"service": "backend", "path": path, "beside": "/api", "timestamp": at, "total_s": (median_ms - 3.67 + more) / 1000}
        for at, more in zip(times, spread, strict=True)
    ]  # fmt: skip
    return builders.table_of(LATENCY_CONTROL, *rows)


@pytest.mark.parametrize(
    ("before_ms", "after_ms", "health_ms", "verdict"),
    [
        (45, 46, (6, 6), Verdict.PASS),
        (45, 62, (6, 6), Verdict.FAIL),
        (45, 60, (6, 20), Verdict.INCONCLUSIVE),
        (45, 76, (6, 20), Verdict.FAIL),
        # A machine that was slow before must not hide what is slow now.
        (54, 62, (15, 6), Verdict.FAIL),
    ],
)
def test_what_the_health_endpoint_lost_is_not_held_against_the_endpoint(
    before_ms: float, after_ms: float, health_ms: tuple[float, float], verdict: Verdict
) -> None:
    tables = {
        ("before", "latency"): timed(before_ms, count=600, seed=1, path="/api"),
        ("after", "latency"): timed(after_ms, count=600, seed=2, path="/api"),
        ("before", "latency_control"): timed(health_ms[0], count=150, seed=3, path="/health"),
        ("after", "latency_control"): timed(health_ms[1], count=150, seed=4, path="/health"),
    }
    view = builders.view(tables, alpha_fail_once=0.002)
    found = not_slower("backend", "/api", ratio=1.2).judge(view)
    assert found.verdict is verdict, found.statement


@pytest.mark.parametrize(
    ("before_ms", "after_ms", "health_ms"),
    # Taking off what the machine cost would leave nothing, or less, of the slower side.
    # The last was measured on a busy machine, with a service that was as quick as before.
    [(100, 45, (95, 6)), (45, 100, (6, 95)), (46, 78, (4, 32))],
)
def test_a_machine_that_changed_more_than_a_third_of_what_is_compared_decides_nothing(
    before_ms: float, after_ms: float, health_ms: tuple[float, float]
) -> None:
    tables = {
        ("before", "latency"): timed(before_ms, count=600, seed=1, path="/api"),
        ("after", "latency"): timed(after_ms, count=600, seed=2, path="/api"),
        ("before", "latency_control"): timed(health_ms[0], count=150, seed=3, path="/health"),
        ("after", "latency_control"): timed(health_ms[1], count=150, seed=4, path="/health"),
    }
    view = View(
        tables=lambda name, phase: tables.get((phase, name)), windows=Windows(before=None, after=None)
    )
    with pytest.raises(InsufficientEvidence) as raised:
        not_slower("backend", "/api", ratio=1.2).judge(view)
    assert raised.value.reason == "control-comparability" and "more than a third" in raised.value.statement


@pytest.mark.parametrize(
    ("slow_share", "late_share", "fails"),
    [
        (0.08, 0.0, True),
        (0.08, 0.02, True),
        (0.08, 0.08, False),
        # Measured where the machine was so busy that every other answer was late, for whatever was asked.
        (0.57, 0.46, False),
    ],
)
def test_a_tail_that_the_health_endpoint_has_too_is_the_machines(
    slow_share: float, late_share: float, fails: bool
) -> None:
    tables = {
        (phase, name): timed(median_ms, count=count, seed=seed, path=path)
        for phase, seed in (("before", 1), ("after", 2))
        for name, median_ms, count, path in (
            ("latency", 45, 600, "/api"),
            ("latency_control", 6, 150, "/health"),
        )
    }
    for name, share in (("latency", slow_share), ("latency_control", late_share)):
        slow = np.arange(len(tables["after", name])) < share * len(tables["after", name])
        tables["after", name]["total_s"] += 0.4 * slow
    view = builders.view(tables, alpha_fail_once=0.002)
    found = tail_kept("backend", "/api", times=5, share=0.01).judge(view)
    assert found.verdict is Verdict.FAIL
    [control] = [item for item in found.controls if item.guards == ("fail",) and "health" in item.name]
    assert control.held is fails, control.got


def test_a_tail_is_not_held_against_a_before_that_the_machine_made_slow() -> None:
    tables = {
        (phase, name): timed(median_ms, count=count, seed=seed, path=path)
        for phase, seed, medians in (("before", 1, (193, 142)), ("after", 2, (45, 6)))
        for name, median_ms, count, path in (
            ("latency", medians[0], 600, "/api"),
            ("latency_control", medians[1], 150, "/health"),
        )
    }
    tables["after", "latency"].loc[::20, "total_s"] = 0.4
    view = View(
        tables=lambda name, phase: tables.get((phase, name)), windows=Windows(before=None, after=None)
    )
    with pytest.raises(InsufficientEvidence, match="136 ms faster than before"):
        tail_kept("backend", "/api", times=5, share=0.01).judge(view)
