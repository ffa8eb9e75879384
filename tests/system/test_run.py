"""The whole way through the command line: run, replay, plain Papermill, the report, and what happens when things break."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import Rehearsal, proofbook

from proofbook.collect import phases
from proofbook.errors import EXIT_CODES
from proofbook.evidence import store
from proofbook.execution.document import findings_in, joined, read_all
from proofbook.judge.verdict import overall
from proofbook.report import chart_fallbacks
from proofbook.validation import Validation


@pytest.mark.rehearsal
def test_a_chart_says_in_words_what_it_shows_where_no_chart_is_drawn(finished_run: Path) -> None:
    charts = [
        output
        for notebook in read_all(finished_run / "notebooks").values()
        for cell in notebook.cells
        for output in cell.outputs
        if chart_fallbacks.MIME in output
    ]
    assert len(charts) >= 8
    for chart in charts:
        figure = chart[chart_fallbacks.MIME]
        assert isinstance(figure, dict)
        assert joined(chart["text/plain"]) == chart_fallbacks.in_words(figure) != "Chart."


@pytest.mark.rehearsal
def test_a_run_keeps_everything_that_was_promised(finished_run: Path) -> None:
    content = json.loads((finished_run / "run.json").read_text())
    assert content["verdict"] == "pass" and content["schema_version"] == 2
    assert {path.name for path in finished_run.iterdir()} == {
        "run.json",
        "report.html",
        "junit.xml",
        "summary.md",
        "evidence",
        "notebooks",
        "inputs",
    }
    for item in content["findings"]:
        if item["verdict"] == "pass":
            assert any(control["held"] for control in item["controls"]), item["id"]
            assert item["severity"] is not None or item["sensitivity"] is not None, item["id"]
    suite = ET.parse(finished_run / "junit.xml").getroot()[0]
    assert (int(suite.get("tests", 0)), suite.get("failures")) == (len(content["findings"]), "0")


@pytest.mark.rehearsal
def test_replay_finds_the_same_findings_and_names_an_altered_file(
    finished_run: Path, workspace: Path, tmp_path: Path
) -> None:
    same = proofbook("replay", str(finished_run), cwd=workspace, workspace=workspace)
    assert same.returncode == 0 and same.stdout.startswith("identical"), same.stdout + same.stderr
    copy = tmp_path / "copy"
    shutil.copytree(finished_run, copy)
    file = copy / "evidence" / "after" / "websocket.parquet"
    table = pd.read_parquet(file)
    table.loc[0, "close_code"] = 1011
    table.to_parquet(file, index=False)
    other = proofbook("replay", str(copy), cwd=workspace, workspace=workspace)
    assert other.returncode == 1 and "after/websocket.parquet" in other.stdout and "altered" in other.stdout


@pytest.mark.rehearsal
def test_plain_papermill_gives_the_findings_of_the_run(
    finished_run: Path, workspace: Path, tmp_path: Path
) -> None:
    out = tmp_path / "papermill" / "02-websocket.ipynb"
    out.parent.mkdir()
    command = [
        sys.executable,
        "-m",
        "papermill",
        str(workspace / "notebooks" / "02-websocket.ipynb"),
        str(out),
        "-p",
        "environment",
        "rehearsal",
        "-p",
        "evidence",
        str(finished_run / "evidence"),
    ]
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        cwd=workspace,
        env={**os.environ, "PROOFBOOK_WORKSPACE": str(workspace)},
        timeout=600,
    )
    kept = {item["id"]: item for item in json.loads((finished_run / "run.json").read_text())["findings"]}
    found = findings_in(out.parent)
    assert len(found) >= 8
    assert all(item.to_json() == kept[item.id] for item in found)


@pytest.mark.extended
@pytest.mark.rehearsal
def test_plain_papermill_works_alone_while_a_rehearsal_is_up(rehearsal: Rehearsal, tmp_path: Path) -> None:
    rehearsal.deploy()
    command = [
        sys.executable,
        "-m",
        "papermill",
        str(rehearsal.base / "notebooks" / "02-websocket.ipynb"),
        str(tmp_path / "out.ipynb"),
        "-p",
        "environment",
        "rehearsal",
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=rehearsal.base,
        env={**os.environ, "PROOFBOOK_WORKSPACE": str(rehearsal.base)},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found = {item.id: item for item in findings_in(tmp_path)}
    assert found["websocket-connection"].verdict.value == "pass"
    # Nothing was recorded before: absent at best, never fixed.
    assert found["websocket-1011-gone"].reason in ("absent", "too-early")
    client_secret = (rehearsal.trial.stack.up / "client-secret").read_text().strip()
    token = (rehearsal.trial.stack.up / "token").read_text().strip()
    text = (tmp_path / "out.ipynb").read_text()
    assert client_secret not in text and token not in text


@pytest.mark.rehearsal
def test_a_partial_run_is_inconclusive(workspace: Path, healthy_evidence: Path) -> None:
    done = proofbook(
        "run",
        "rehearsal",
        "--evidence",
        str(healthy_evidence),
        "--notebook",
        "06-contracts",
        cwd=workspace,
        workspace=workspace,
    )
    assert done.returncode == 3 and "PARTIAL" in done.stdout, done.stdout + done.stderr


# Notebooks that break ------------------------------------------------------------------------------------------------


# Wrong input ---------------------------------------------------------------------------------------------------------


def test_an_output_folder_that_cannot_be_written_is_named(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    environment = tmp_path / "dead.toml"
    environment.write_text('[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n')
    done = proofbook(
        "run",
        str(environment),
        cwd=tmp_path,
        workspace=workspace,
        PROOFBOOK_OUTPUTS=str(tmp_path / "file" / "x"),
    )
    assert (
        done.returncode == 2
        and "expected to be able to write to" in done.stderr
        and "Traceback" not in done.stderr
    )


def test_an_unreachable_service_fails_and_an_unknown_host_is_an_error(
    workspace: Path, tmp_path: Path
) -> None:
    for name, url, code in (("dead", "http://127.0.0.1:1", 1), ("unknown", "http://no-such-host.invalid", 4)):
        environment = tmp_path / f"{name}.toml"
        environment.write_text(
            f'[pace]\nper_s = 500\nconcurrency = 20\n[[service]]\nname = "a"\nurl = "{url}"\n'
        )
        done = proofbook(
            "run",
            str(environment),
            "--json",
            cwd=tmp_path,
            workspace=workspace,
            PROOFBOOK_OUTPUTS=str(tmp_path / "outputs"),
        )
        assert done.returncode == code, done.stdout + done.stderr
        # Beside runs lies what tells whether two of them sent the same.
        [folder] = (entry for entry in (tmp_path / "outputs" / name).iterdir() if entry.is_dir())
        content = json.loads((folder / "run.json").read_text())
        # Only a notebook with something to judge is executed.
        executed = {"dead": ["01-service-health", "00-validation-report"], "unknown": []}
        assert [item["name"] for item in content["notebooks"]] == executed[name]
        assert all(item["problem"] == "" for item in content["notebooks"])
        assert content["verdict"] == {1: "fail", 4: "error"}[code]


def test_a_logs_only_environment_is_judged_by_its_log(workspace: Path, tmp_path: Path) -> None:
    start = pd.Timestamp("2026-01-01T00:00:00Z")
    lines = [
        json.dumps(
            {"timestamp": (start + pd.Timedelta(seconds=index)).isoformat(), "textPayload": "[INFO] fine"}
        )
        for index in range(1000)
    ]
    (tmp_path / "export.jsonl").write_text("\n".join(reversed(lines)))
    environment = tmp_path / "only-logs.toml"
    environment.write_text(f'[[log]]\nname = "export"\nfile = "{tmp_path}/export.jsonl"\n')
    names = sorted(path.stem for path in (workspace / "notebooks").glob("0[1-9]*.ipynb"))
    done = proofbook(
        "run",
        str(environment),
        *(word for name in names for word in ("--notebook", name)),
        "--json",
        cwd=tmp_path,
        workspace=workspace,
        PROOFBOOK_OUTPUTS=str(tmp_path / "outputs"),
    )
    assert done.returncode == 3, done.stdout + done.stderr
    [content] = json.loads(done.stdout)
    assert "exactly 1,000 entries, newest first," in content["sentence"]
    # Every notebook reads well on a system that has nothing for it to show.
    assert [item["problem"] for item in content["notebooks"]] == [""] * 7


@pytest.mark.skipif(
    not os.environ.get("PROOFBOOK_REAL_LOGS"),
    reason="PROOFBOOK_REAL_LOGS does not name the folder of real exports",
)
def test_real_exports_through_a_logs_only_environment(workspace: Path, tmp_path: Path) -> None:
    folder = Path(os.environ["PROOFBOOK_REAL_LOGS"]) / "netra-staging"
    names = ("cloud-logging-2025-09-07", "cloud-logging-2025-09-16-last-hour", "jwt-rejections-2025-09-07")
    environment = tmp_path / "exports.toml"
    environment.write_text(
        "".join(
            f'[[log]]\nname = "log-{index}"\nfile = "{folder}/{name}.json"\n'
            for index, name in enumerate(names)
        )
    )
    done = proofbook(
        "run",
        str(environment),
        "--notebook",
        "03-logs",
        "--json",
        cwd=tmp_path,
        workspace=workspace,
        PROOFBOOK_OUTPUTS=str(tmp_path / "outputs"),
    )
    assert done.returncode == 3, done.stdout + done.stderr
    found = {item["id"]: item for item in json.loads(done.stdout)[0]["findings"]}
    for index, count in enumerate((2002, 1000, 20)):
        assert f"{count:,} entries read" in found[f"log-coverage-log-{index}"]["statement"]
    last_hour = found["log-coverage-log-1"]
    assert (last_hour["verdict"], last_hour["reason"]) == ("inconclusive", "log-cut")
    assert "exactly 1,000 entries, newest first, and they span 106.9 s" in last_hour["statement"]


MISSING = "ModuleNotFoundError: No module named 'backend.monitoring'"
CLAIM = f"""title = "The monitoring module is there again"
[deployment]
service = "backend"
[[fix]]
id = "monitoring"
title = "The monitoring module was not in the image"
[[fix.symptom]]
id = "missing"
log = "ModuleNotFoundError: No module named '[a-z_.]*monitoring'"
examples = ["{MISSING}"]
near_misses = ["ModuleNotFoundError: No module named 'backend.metrics'"]
"""


def served_by(revision: str, first_s: int, *, crashes: bool, seconds: int = 600) -> list[dict[str, object]]:
    """Ten minutes of a service's log, two requests a second; with crashes, one in ten of them."""
    start = pd.Timestamp("2026-01-01T00:00:00Z") + pd.Timedelta(seconds=first_s)
    labels = {"labels": {"service_name": "backend", "revision_name": revision}}
    entries: list[dict[str, object]] = []
    for number in range(2 * seconds):
        at = {"timestamp": (start + pd.Timedelta(seconds=number / 2)).isoformat(), "resource": labels}
        trace = f"projects/p/traces/{revision}-{number}"
        entries.append({**at, "trace": trace, "httpRequest": {"status": 200}})
        entries.append({**at, "trace": trace, "severity": "INFO", "textPayload": f"[INFO] served {number}"})
        if crashes and number % 10 == 0:
            entries.append({**at, "trace": trace, "severity": "ERROR", "textPayload": MISSING})
    return entries


# One of each verdict; the others differ from these in what is found, and not in what a command does with it.
BY_THE_COMMAND = ("gone", "in unread lines", "not covered")


def by_the_command(place: Path, workspace: Path, code: int) -> tuple[dict[str, Any], str]:
    """The finding about the claim, and the sentence of the run, which must end with that exit code."""
    words = (
        "run",
        str(place / "where.toml"),
        "--case",
        str(place / "claim.toml"),
        "--notebook",
        "03-logs",
        "--json",
    )
    done = proofbook(*words, cwd=place, workspace=workspace, PROOFBOOK_OUTPUTS=str(place / "outputs"))
    [content] = json.loads(done.stdout)
    assert done.returncode == code, content["sentence"]
    return {item["id"]: item for item in content["findings"]}["log-missing-gone"], content["sentence"]


def by_the_library(place: Path, workspace: Path, code: int) -> tuple[dict[str, Any], str]:
    """The same without notebooks and a report."""
    asked = Validation.load(str(place / "where.toml"), str(place / "claim.toml"), base=place)
    evidence = place / "evidence"
    asyncio.run(
        phases.record(asked.environment, asked.case, "after", folder=evidence, base=place, say=lambda _: None)
    )
    judged = asked.over(store.read(evidence)).judge_all()
    verdict = overall(judged)
    assert EXIT_CODES[verdict.verdict.value] == code, verdict.sentence
    return {item.id: item.to_json() for item in judged}["log-missing-gone"], verdict.sentence


@pytest.mark.usual_cases(2)
@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("gone", 0, ""), ("still there", 1, "still-there"), ("not covered", 3, "log-ends-early"), ("never seen", 3, "never-seen"),
        ("of no known side", 3, "no-deployment"), ("in unread lines", 1, "still-there"), ("in undated lines", 3, "log-unread"),
        ("beside many unread lines", 3, "log-unread"),
    ],
)  # fmt: skip
def test_a_claim_from_a_log_alone_is_what_the_log_supports(
    name: str, code: int, reason: str, workspace: Path, tmp_path: Path
) -> None:
    old = served_by("r-1", 0, crashes=name != "never seen")
    new = served_by("r-2", 600, crashes=name == "still there")
    if name == "of no known side":
        for item in (*old, *new):
            item["resource"] = {"labels": {"service_name": "backend"}}
    if name == "not covered":
        # The new revision fell silent after two minutes; another service shows that time went on.
        other = {"labels": {"service_name": "frontend", "revision_name": "f-1"}}
        late = {"timestamp": "2026-01-01T00:20:00Z", "resource": other, "textPayload": "[INFO] fine"}
        new = [*new[:480], late]
    # Lines of no entry: the process's own output among the entries from after, or between the last of before and the first of after.
    raw = {"in unread lines": (1000, [MISSING]), "in undated lines": (0, [MISSING]), "beside many unread lines": (1000, ["Segfault"] * 130)}  # fmt: skip
    place, unread = raw.get(name, (0, []))
    written = [json.dumps(item) for item in [*old, *new]]
    written[len(old) + place : len(old) + place] = unread
    (tmp_path / "log.jsonl").write_text("\n".join(written) + "\n")
    (tmp_path / "claim.toml").write_text(CLAIM)
    (tmp_path / "where.toml").write_text('[[log]]\nname = "backend"\nfile = "log.jsonl"\n'.replace("log.jsonl", str(tmp_path / "log.jsonl")))  # fmt: skip
    found, said = (by_the_command if name in BY_THE_COMMAND else by_the_library)(tmp_path, workspace, code)
    verdict = {0: "pass", 1: "fail", 3: "inconclusive"}[code]
    assert found["verdict"] == verdict, found
    if name == "not covered":
        assert "log-" in found["reason"] or found["reason"] == "control-liveness", found
    else:
        assert found["reason"] == reason, found
    if unread:
        share = f"{len(unread)} of {2400 + len(unread):,} lines ("
        assert share in found["statement"] and "not read" in said + found["statement"]
