"""Every seeded fault gives the verdict that an expert would give, from the finding that should say so."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Rehearsal

from proofbook.book import Book, load
from proofbook.evidence import read
from proofbook.judge.findings import Finding, Overall, Verdict, overall
from proofbook.rehearsal.faults import FAULTS

pytestmark = pytest.mark.rehearsal


def judge(folder: Path, base: Path) -> tuple[dict[str, Finding], Overall]:
    where, what = load("rehearsal", "", base=base)
    found = Book(environment=where, case=what, evidence=read(folder)).judge_all()
    return {item.id: item for item in found}, overall(found)


def told(findings: dict[str, Finding]) -> str:
    """What to read when a test fails."""
    return "\n".join(
        f"{item.verdict.value:13} {item.id}: {item.statement}"
        for item in findings.values()
        if item.verdict is not Verdict.PASS
    )


def test_a_healthy_deployment_passes_and_every_pass_could_have_failed(
    healthy_evidence: Path, workspace: Path
) -> None:
    findings, verdict = judge(healthy_evidence, workspace)
    assert verdict.verdict is Verdict.PASS, told(findings)
    for item in findings.values():
        if item.verdict is Verdict.PASS:
            assert any(control.held and "pass" in control.guards for control in item.controls), item.id
            assert item.severity is not None, item.id


def test_both_fixes_are_seen_before_and_gone_after(healthy_evidence: Path, workspace: Path) -> None:
    findings, _ = judge(healthy_evidence, workspace)
    claims = [item for item in findings.values() if item.kind == "fix"]
    assert {item.fix for item in claims} == {"recursion", "identity"}
    for item in claims:
        kinds = {control.kind: control.held for control in item.controls}
        assert item.verdict is Verdict.PASS and kinds["positive"] and kinds["before"], told(findings)
        assert item.severity is not None and item.severity >= 0.95
        assert item.estimate is not None and item.estimate.high is not None


@pytest.mark.parametrize("name", list(FAULTS))
def test_the_fault_is_called_what_it_is(name: str, rehearsal: Rehearsal, tmp_path: Path) -> None:
    fault = FAULTS[name]
    # Only a leak needs the whole time of watching.
    folder = rehearsal.evidence_with(
        name, to=tmp_path / "evidence", observe_s=None if name == "memory-leak" else 0
    )
    findings, verdict = judge(folder, rehearsal.base)
    assert verdict.verdict.value == fault.verdict, told(findings)
    saying = [findings[item].verdict.value for item in fault.finding]
    assert fault.verdict in saying, told(findings)
    if not name.startswith("log-"):
        assert findings["log-coverage"].verdict is Verdict.PASS, findings["log-coverage"].statement
