"""Runs that earlier versions recorded (tests/golden/versions) are read by this one: listed, verified, rendered, compared and judged again."""

from __future__ import annotations

import json
from pathlib import Path

import asking
import pytest
import recorded
from conftest import proofbook

from proofbook.runs import record

NAMES = [path.name.removesuffix(".tar.xz") for path in sorted(recorded.VERSIONS.glob("*.tar.xz"))]


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workspace: Path) -> Path:
    monkeypatch.setenv("PROOFBOOK_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


def test_the_last_three_versions_are_there() -> None:
    assert len(NAMES) == 3
    assert sum(path.stat().st_size for path in recorded.VERSIONS.iterdir()) < 200_000


@pytest.mark.parametrize("name", NAMES)
def test_a_run_of_an_earlier_version_is_listed_verified_and_rendered_again(outputs: Path, name: str) -> None:
    run = recorded.run_of_version(name, to=outputs)
    before = record.read(run)
    [listed] = json.loads(asking.ask("history", "--json").out)
    assert (listed["run_id"], listed["verdict"], listed["case"]) == (run.name, "inconclusive", "small")
    assert asking.ask("due", "small", "--every", "1m").code == 5
    shown = json.loads(asking.ask("show", run.name, "--json").out)
    assert [item["id"] for item in shown["findings"]] == [item.id for item in before.findings]
    assert asking.ask("verify", run.name).code == 0
    report = (run / "report.html").read_bytes()
    assert asking.ask("report", run.name).code == 0
    assert (run / "report.html").read_bytes() != report, "it looks as those of this version do"
    assert asking.ask("verify", run.name).code == 0
    after = record.read(run)
    assert [(item.id, item.verdict) for item in after.findings] == [
        (item.id, item.verdict) for item in before.findings
    ]


def test_runs_of_several_versions_are_compared(outputs: Path) -> None:
    first, *_, last = [recorded.run_of_version(name, to=outputs) for name in NAMES]
    told = asking.ask("compare", first.name, last.name, "--json")
    assert told.code in (0, 1) and "log-twice-gone" in told.out, told.err
    assert len(json.loads(asking.ask("history", "--json").out)) == 3


@pytest.mark.parametrize("name", NAMES)
def test_evidence_of_an_earlier_version_is_judged_again(outputs: Path, workspace: Path, name: str) -> None:
    run = recorded.run_of_version(name, to=outputs)
    again = proofbook("replay", run.name, "--json", cwd=workspace, workspace=workspace)
    found = json.loads(again.stdout)
    # Rules grow stricter and findings say more; each claim is still there, and nothing of the evidence counts as altered.
    assert again.returncode == 1, again.stderr
    assert sorted(line.partition(":")[0] for line in found["differences"]) == ["health-backend", "log-coverage", "log-error-rate", "log-new-errors", "log-twice-gone"]  # fmt: skip
    assert "only in the" not in again.stdout and "altered" not in again.stdout
    health, *_ = [line for line in found["differences"] if line.startswith("health-backend")]
    assert "verdict" not in health
