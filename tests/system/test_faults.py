"""Seeded faults give the verdict that an expert would give, from the finding that should say so.

Every fault of the catalogue is collected by `benchmarks/matrix.py`; here is a part of it in which each kind of finding speaks.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Rehearsal

from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.verdict import Overall
from proofbook.rehearsal.faults import FAULTS, HEALTHY, Fault, Healthy
from proofbook.selfcheck import confusion
from proofbook.selfcheck.trial import PLAIN, judge

# The first ten are those that the rehearsal began with; the others are there for a kind of finding that none of these moves.
ALONE = (
    "intermittent-1011",
    "log-truncated",
    "slow",
)
# These show in every request, or in the course of time, so few requests are enough. Of auth-bypass, log-silent and breaking-api
# another speaks here by the same finding.
SMALL = (
    "memory-leak",
    "leak-hidden-by-restarts",
    "auth-bypass-header",
    "fix-not-deployed",
    "health-only",
    "large-message-1011",
    "fixed-for-probes-only",
    "health-for-any-path",
    "gap-1s",
    "log-of-another-environment",
    "log-severity-stripped",
)
# Faults that do not get in each other's way: one deployment shows that none hides another.
TOGETHER = (
    "expired-accepted",
    "ids-too-loose",
    "reply-of-another-user",
    "slow-tail",
    "new-error",
    "api-enum-tightened",
    "message-schema-changed",
    "certificate-expired",
    "log-forged",
)


Judged = tuple[dict[str, Finding], Overall]


def asked(
    rehearsal: Rehearsal,
    seed: Fault | Healthy,
    *,
    to: Path,
    also: tuple[str, ...] = (),
    small: bool = False,
) -> Judged:
    """The judgement of that fault, or way of being well; `also` are findings that must pass."""
    variant = seed if isinstance(seed, Healthy) else PLAIN
    # Beside other tests memory is noisier than where a rehearsal is alone.
    longer = 2.0 if isinstance(seed, Fault) and seed.grows else 1.0

    def ask(folder: Path, patience: float) -> Judged:
        evidence = rehearsal.evidence_with(seed.name, to=folder, patience=longer * patience, small=small)
        return judge(evidence, rehearsal.base, variant, small=small)

    return rehearsal.asked_again(
        ask, is_open=lambda found: confusion.left_open(seed, *found, also=also), to=to
    )


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
            assert item.severity is not None or item.sensitivity is not None, item.id


def test_both_fixes_are_seen_before_and_gone_after(healthy_evidence: Path, workspace: Path) -> None:
    findings, _ = judge(healthy_evidence, workspace)
    claims = [item for item in findings.values() if item.kind == "fix"]
    assert {item.fix for item in claims} == {"recursion", "identity"}
    for item in claims:
        kinds = {control.kind: control.held for control in item.controls}
        assert item.verdict is Verdict.PASS and kinds["positive"] and kinds["before"], told(findings)
        assert item.severity is not None and item.severity >= 0.95
        assert item.estimate is not None and item.estimate.high is not None


@pytest.mark.usual_cases(1)
@pytest.mark.parametrize("name", [*ALONE, *SMALL])
def test_the_fault_is_called_what_it_is(name: str, rehearsal: Rehearsal, tmp_path: Path) -> None:
    covered = () if name.startswith("log-") else ("log-coverage",)
    findings, verdict = asked(rehearsal, FAULTS[name], to=tmp_path, also=covered, small=name in SMALL)
    result = confusion.Result.of(FAULTS[name], findings, verdict, "test")
    assert result.outcome == confusion.RIGHT, told(findings)
    for item in covered:
        assert findings[item].verdict is Verdict.PASS, findings[item].statement


@pytest.mark.extended
def test_faults_that_come_together_are_each_called_what_they_are(
    rehearsal: Rehearsal, tmp_path: Path
) -> None:
    def ask(folder: Path, _: float) -> Judged:
        return judge(rehearsal.evidence_with(*TOGETHER, to=folder, observe_s=0), rehearsal.base)

    def is_open(judged: Judged) -> bool:
        saying = [{judged[0][item].verdict for item in FAULTS[name].finding} for name in TOGETHER]
        return any(Verdict.FAIL not in said and Verdict.INCONCLUSIVE in said for said in saying)

    findings, verdict = rehearsal.asked_again(ask, is_open=is_open, to=tmp_path)
    assert verdict.verdict is Verdict.FAIL
    for name in TOGETHER:
        assert any(findings[item].verdict is Verdict.FAIL for item in FAULTS[name].finding), (
            f"{name}\n{told(findings)}"
        )


@pytest.mark.extended
def test_what_few_requests_leave_open_is_due_to_a_fault_and_not_to_their_number(
    rehearsal: Rehearsal, tmp_path: Path
) -> None:
    wanted = {
        finding
        for name in SMALL
        if FAULTS[name].verdict == "inconclusive"
        for finding in FAULTS[name].finding
    }
    assert wanted

    def ask(folder: Path, _: float) -> Judged:
        evidence = rehearsal.evidence_with(PLAIN.name, to=folder, small=True)
        return judge(evidence, rehearsal.base, small=True)

    findings, _ = rehearsal.asked_again(
        ask,
        is_open=lambda judged: any(judged[0][item].verdict is Verdict.INCONCLUSIVE for item in wanted),
        to=tmp_path,
    )
    assert {findings[item].verdict for item in wanted} == {Verdict.PASS}, told(findings)


@pytest.mark.extended
def test_what_is_odd_and_well_is_not_called_broken(rehearsal: Rehearsal, tmp_path: Path) -> None:
    variant = HEALTHY["sockets-end-at-age"]
    findings, verdict = asked(rehearsal, variant, to=tmp_path)
    assert verdict.verdict is Verdict.PASS, told(findings)


def test_every_fault_names_findings_that_the_case_declares(workspace: Path, healthy_evidence: Path) -> None:
    findings, _ = judge(healthy_evidence, workspace)
    assert len(FAULTS) >= 32
    for fault in FAULTS.values():
        assert set(fault.finding) <= set(findings), fault.name
        assert fault.verdict in ("pass", "inconclusive", "fail") and 0 <= fault.miss < 0.5
