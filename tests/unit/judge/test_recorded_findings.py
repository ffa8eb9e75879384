"""Findings over evidence that was recorded once are what they were, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded import NAMES, differences, evidence_of, judged_again, recorded, without_evidence


@pytest.mark.parametrize("name", NAMES)
def test_recorded_evidence_gives_the_findings_that_it_gave(name: str, tmp_path: Path) -> None:
    again = judged_again(name, evidence_of(name, to=tmp_path / "evidence"))
    assert differences(recorded(name), again) == []
    assert [without_evidence(item) for item in again] == [without_evidence(item) for item in recorded(name)]


def test_the_recorded_findings_hold_every_verdict_and_not_only_passes() -> None:
    verdicts = {name: {item["verdict"] for item in recorded(name)} for name in NAMES}
    assert verdicts["healthy"] == verdicts["logs-only"] == {"pass"}
    assert all(
        "fail" in found or "inconclusive" in found
        for name, found in verdicts.items()
        if name not in ("healthy", "logs-only")
    )
    assert set().union(*verdicts.values()) == {"pass", "fail", "inconclusive"}
