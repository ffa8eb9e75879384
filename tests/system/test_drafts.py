"""A case that is drafted from a look at an incident judges the fix: it fails while the fault is there, and passes when it has gone.

`benchmarks/drafts.py` tries every fault that shows in the log; here is one that shows as a message, and one that shows as a status.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Rehearsal

from proofbook.judge.findings import Verdict
from proofbook.selfcheck import drafting
from proofbook.selfcheck.drafting import FIXED, UNFIXED, Tried

OBSERVE_S = 15.0


def is_open(tried: Tried) -> bool:
    """Whether the machine left something open, and nothing is wrong."""
    wanted = {UNFIXED: Verdict.FAIL, FIXED: Verdict.PASS}
    return tried.verdicts is not None and all(
        found in (wanted[name], Verdict.INCONCLUSIVE) for name, found in tried.verdicts.items()
    )


@pytest.mark.extended
@pytest.mark.parametrize(
    ("fault", "symptom"), [("recursion-not-fixed", "RecursionError"), ("health-only", "503 at /ws")]
)
def test_a_draft_fails_on_the_fault_and_passes_on_the_fix(
    fault: str, symptom: str, rehearsal: Rehearsal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(rehearsal.base))

    def ask(folder: Path, patience: float) -> Tried:
        rehearsal.wait(drafting.collect(rehearsal.trial, fault, folder, observe_s=patience * OBSERVE_S))
        return drafting.attempt(fault, folder, rehearsal.base)

    tried = rehearsal.asked_again(ask, is_open=lambda found: not found.right and is_open(found), to=tmp_path)
    assert not tried.problem
    assert len(tried.symptoms) == 1 and symptom in tried.symptoms[0], tried.symptoms
    assert tried.right, tried
