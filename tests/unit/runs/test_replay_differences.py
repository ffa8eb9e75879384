"""A difference between two sets of findings names the finding, the fields and both values."""

from __future__ import annotations

from proofbook.pipeline.replay import compare_findings


def test_a_difference_names_the_finding_the_fields_and_both_values() -> None:
    first = {"id": "a-gone", "verdict": "fail", "reason": "still-there", "statement": "seen"}
    lines = compare_findings(
        [first, {**first, "id": "b"}], [{**first, "verdict": "pass", "reason": ""}, {**first, "id": "c"}]
    )
    assert lines == [
        "b: only in the run",
        "c: only in the replay",
        "a-gone: verdict, reason differ: fail → pass",
    ]
    assert compare_findings([first], [first]) == []
