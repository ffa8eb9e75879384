"""Findings over evidence that was recorded once are what they were, to the byte."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from recorded import NAMES, differences, evidence_of, judged_again, recorded, without_evidence

BOUND = re.compile(r"[(]at most|at least [0-9.]+% at|% confidence|luck alone|down for at most")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_recorded_evidence_gives_the_findings_that_it_gave_and_shows_no_bound_at_first(
    name: str, tmp_path: Path
) -> None:
    again = judged_again(name, evidence_of(name, to=tmp_path / "evidence"))
    assert differences(recorded(name), again) == []
    assert [without_evidence(item) for item in again] == [without_evidence(item) for item in recorded(name)]
    check_summary(again)


def check_summary(found: list[dict[str, Any]]) -> None:
    """What a summary shows of findings has no bound, and says where a threshold allows something."""
    assert not [item["seen"] for item in found if BOUND.search(item["seen"])]
    assert any(BOUND.search(item["statement"]) for item in found)
    allowing = [item["id"] for item in found if item["threshold"].startswith(("none", "at most"))]
    assert [item["id"] for item in found if item["limits"]] == allowing


def test_the_recorded_findings_hold_every_verdict_and_not_only_passes() -> None:
    verdicts = {name: {item["verdict"] for item in recorded(name)} for name in NAMES}
    assert verdicts["healthy"] == verdicts["logs-only"] == {"pass"}
    assert all(
        "fail" in found or "inconclusive" in found
        for name, found in verdicts.items()
        if name not in ("healthy", "logs-only")
    )
    assert set().union(*verdicts.values()) == {"pass", "fail", "inconclusive"}
