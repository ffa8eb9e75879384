"""One record of a run: what stands in run.json comes back as it was, old versions are read, and what is damaged is named."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import made
import pytest

from proofbook.errors import CouldNotLook
from proofbook.execution import document
from proofbook.judge.findings import Verdict
from proofbook.runs import diff, digests, record, verify
from proofbook.runs.record import RunFile, RunRecord


@pytest.fixture
def folder(tmp_path: Path, workspace: Path) -> Path:
    """A run's folder in a workspace."""
    return tmp_path / "outputs" / "e" / "20260105T094000Z-0000"


def written(folder: Path, **more: Any) -> dict[str, Any]:
    """The content of a run.json with something in every place."""
    content = made.run_content(folder, [made.finding("ä", "all is well ✔")], [], **more)
    content["evidence"] = [{"name": "after/health", "rows": 3, "sha256": "0" * 64}]
    content["notebooks"] = [{"name": "01-x", "sha256": "1" * 64, "seconds": 2.5, "problem": ""}]
    content["source"] = {"commit": "abc", "dirty": True}
    content["report"] = {"sha256": "2" * 64}
    found: dict[str, Any] = json.loads(json.dumps(content))
    return found


def put(folder: Path, content: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(content), encoding="utf-8")


def test_a_record_holds_every_key_of_the_published_file(folder: Path) -> None:
    assert RunFile.__annotations__.keys() == written(folder).keys()
    assert list(RunRecord.from_json(written(folder)).to_json()) == list(RunFile.__annotations__)


@pytest.mark.parametrize("version", record.READABLE)
def test_what_is_read_is_written_again_to_the_byte(version: int, folder: Path) -> None:
    content = written(folder, schema_version=version)
    for name in ("summary", "source", "report", "next_review") if version == 1 else ():
        del content[name]
    # Findings of a version that knew fewer fields stay as they are, too.
    for name in ("seen", "limits", "severity_at", "sensitivity") if version == 1 else ():
        del content["findings"][0][name]
    put(folder, content)
    assert record.read(folder).to_text() == json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def test_a_summary_under_its_old_name_is_read(folder: Path) -> None:
    content = written(folder)
    found = RunRecord.from_json({"opening": content.pop("summary"), **content}).summary
    assert found is not None and found == RunRecord.from_json(written(folder)).summary


def test_an_unfinished_run_is_written_as_ever(folder: Path) -> None:
    folder.mkdir(parents=True)
    at = dt.datetime(2026, 1, 5, 9, 40, tzinfo=dt.UTC)
    found = record.write_unfinished(folder, "e", "c", at, "unfinished", "the run did not end “yet”")
    content = {
        "schema_version": 2, "run_id": folder.name, "environment": "e", "case": "c", "started": "2026-01-05T09:40:00.000Z", "ended": None,
        "verdict": "error", "reason": "unfinished", "sentence": "the run did not end “yet”", "findings": [], "evidence": [], "notebooks": [], "versions": {},
    }  # fmt: skip
    assert (folder / "run.json").read_text() == json.dumps(content, indent=2) + "\n"
    assert record.read(folder) == found and found.findings == () and found.verdict is Verdict.ERROR


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"sentence": None}, "sentence: expected text, got nothing"),
        ({"verdict": "well"}, "verdict: expected one of pass, inconclusive, error, fail, got 'well'"),
        ({"findings": "many"}, "findings: expected a list, got str"),
        ({"findings": [{"verdict": "well"}]}, "findings[0].verdict: expected one of pass, inconclusive, error, fail, got 'well'"),
        ({"notebooks": [{"name": "x", "sha256": "", "problem": "", "seconds": "2"}]}, "notebooks[0].seconds: expected a number, got str"),
        ({"summary": {"verdict": "pass"}}, "summary.facts: expected a list, got nothing"),
        ({"source": "here"}, "source: expected an object, got str"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_named_in_one_sentence(damage: dict[str, Any], said: str, folder: Path) -> None:
    put(folder, written(folder) | damage)
    with pytest.raises(CouldNotLook) as raised:
        record.read(folder)
    assert str(raised.value).endswith(f"run.json: {said}")


def test_a_finding_that_is_none_is_named_when_it_is_needed_and_no_run_is_compared_with_it(
    folder: Path,
) -> None:
    put(folder, written(folder) | {"findings": [{"verdict": "pass", "id": "x"}]})
    found = record.read(folder)
    assert found.counts == {"pass": 1}
    with pytest.raises(CouldNotLook, match=r"findings\[0\]: expected a finding"):
        _ = found.findings
    assert diff.last_before(folder.with_name("20260106T000000Z-0000"), case="c") is None


def test_a_report_of_a_run_whose_findings_lack_later_fields_still_holds(folder: Path) -> None:
    item = made.finding("x")
    executed = [made.write_notebook(folder, "01-x", made.words("# X"), made.code(made.card(item)))]
    run = RunRecord.from_json(json.loads(json.dumps(made.run_content(folder, [item], executed))))
    for name in ("seen", "limits"):
        del run.findings_json[0][name]
    made.writer.write(folder, run=run, executed=executed, options=made.writer.Options())
    (folder / "run.json").write_text(run.to_text())
    assert all(answer.held for answer in verify.report(folder / "report.html"))
    assert digests.about(record.read(folder)) == digests.about(run)
    # The finding of the notebook, which this version wrote, is the same finding.
    assert document.findings_in(folder / "notebooks") == list(run.findings)
    altered = replace(run, findings_json=({**run.findings_json[0], "verdict": "pass"},))
    assert digests.about(altered)["findings_sha256"] != digests.about(run)["findings_sha256"]
