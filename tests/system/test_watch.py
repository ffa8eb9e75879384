"""Watching: what was counted is never counted again, interruptions cost a look at most, and a decision ends it."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from conftest import Rehearsal, proofbook

from proofbook.errors import UsageError
from proofbook.evidence.store import read
from proofbook.pipeline import rounds, watch

pytestmark = pytest.mark.waits

PLAN = rounds.Plan(
    environment="rehearsal", case="watched", asked="abc", every_s=60, for_s=3600, started="2026-01-01T00:00:00+00:00"
)  # fmt: skip


@pytest.fixture(scope="module")
def watched_case(rehearsal: Rehearsal) -> str:
    """The rehearsal's case with targets that a few looks can decide."""
    cases = rehearsal.base / "notebooks" / "cases"
    text = (cases / "ssot-fixes.toml").read_text(encoding="utf-8")
    text = (
        text.partition("# What the fix must not cost")[0] + "[[message]]" + text.partition("[[message]]")[2]
    )
    targets = "[targets]\nhealth = 0.9\nconnection = 0.9\ndelivery = 0.9\nauthentication = 0.9\n\n"
    (cases / "watched.toml").write_text(text.replace("[budgets]", f"{targets}[budgets]"), encoding="utf-8")
    return "watched"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--every", "soon"],
            "--every: expected a duration, a number and a unit such as 90s, 5m, 24h or 7d, got 'soon'",
        ),
        (
            ["--every", "0s"],
            "--every: expected a duration, a number and a unit such as 90s, 5m, 24h or 7d, got '0s'",
        ),
        (["--every", "1s"], "--every must be at least 5s, the time that a round takes, got 1s"),
        (["--every", "10m", "--for", "5m"], "--for must be at least --every (600s), got 300s"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_in_one_sentence(
    arguments: list[str], words: str, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "where.toml").write_text('[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n')
    done = proofbook("watch", str(tmp_path / "where.toml"), *arguments, cwd=workspace, workspace=workspace)
    assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_a_watch_goes_on_only_by_the_plan_that_it_began_with(tmp_path: Path) -> None:
    assert rounds.start_or_continue(tmp_path, PLAN) == PLAN
    assert rounds.start_or_continue(tmp_path, PLAN) == PLAN
    changes: list[tuple[dict[str, Any], str]] = [
        ({"case": "another"}, f"this watch was started with case {PLAN.case}, got another"),
        (
            {"asked": "def"},
            f"environment {PLAN.environment} or its case changed since this watch started; restore the files",
        ),
        ({"every_s": 61.0}, "this watch was started with --every 60s, got 61s"),
        (
            {"environment": "staging"},
            f"this watch was started with environment {PLAN.environment}, got staging",
        ),
    ]
    for change, sentence in changes:
        with pytest.raises(UsageError) as raised:
            rounds.start_or_continue(tmp_path, replace(PLAN, **change))
        assert str(raised.value) == f"{sentence}; to start a new watch, leave out --run"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 1}', '{"schema_version": 9}'])
def test_a_state_that_was_cut_or_altered_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / rounds.STATE).write_text(text, encoding="utf-8")
    with pytest.raises(
        UsageError,
        match=r"watch.json (is not the plan of a watch; it was edited or written by another version|has schema version 9, expected 1); start a new watch without --run",
    ):
        rounds.start_or_continue(tmp_path, PLAN)


@pytest.mark.parametrize("days", [3, -3])
def test_a_clock_that_is_set_meanwhile_costs_no_round_and_adds_none(
    days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = dt.datetime.fromisoformat(PLAN.started)
    told = iter([began])
    passed_s = [0.0]

    class Clock(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]  # typed as Self
            return next(told, began + dt.timedelta(days=days, seconds=passed_s[0]))

    def sleep(seconds: float) -> None:
        passed_s[0] += seconds

    monkeypatch.setattr(watch, "dt", SimpleNamespace(datetime=Clock, timedelta=dt.timedelta, UTC=dt.UTC))
    monkeypatch.setattr(watch, "_ticks_s", lambda: passed_s[0])
    monkeypatch.setattr(watch, "time", SimpleNamespace(sleep=sleep))
    at = [(number, passed_s[0]) for number in watch._due(PLAN, first=0)]
    assert at == [(number, 60.0 * number) for number in range(60)]


@pytest.mark.extended
@pytest.mark.rehearsal
def test_a_watch_that_is_interrupted_goes_on_counts_nothing_twice_and_stops_when_decided(
    rehearsal: Rehearsal, watched_case: str
) -> None:
    base = rehearsal.base
    rehearsal.deploy()
    folder = base / "outputs" / "rehearsal" / "20260101T000000Z-aaaa"
    shutil.copytree(rehearsal.trial.shared, folder / "evidence")
    command = [
        "watch",
        "rehearsal",
        "--case",
        watched_case,
        "--every",
        "8s",
        "--for",
        "4m",
        "--run",
        folder.name,
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "proofbook.cli", *command],
        cwd=base,
        env={**os.environ, "PROOFBOOK_WORKSPACE": str(base)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("round 1 of 30"):
            break
    # In the middle of the second look, or of the wait for it.
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    assert process.wait(300) == 130
    process.stderr.close()
    left = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert left["verdict"] == "error" and f"--run {folder.name}" in left["sentence"]
    half = folder / "looks" / ".00001"
    half.mkdir(exist_ok=True)
    (half / "half-written.parquet").write_bytes(b"PAR1")
    other = proofbook("watch", "rehearsal", *command[4:], cwd=base, workspace=base)
    assert other.returncode == 2 and "this watch was started with" in other.stderr
    done = proofbook(*command, cwd=base, workspace=base)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "clear verdict after round" in done.stderr
    recorded = read(folder / "evidence")
    looks, journeys = recorded.table("looks"), recorded.table("websocket")
    assert looks is not None and journeys is not None
    assert 2 <= len(looks) < 30 and looks["look"].is_unique
    assert len(journeys) == 20 * len(looks) and not journeys.duplicated(["timestamp"]).any()
    # The log is one file that every look read again.
    rhythm = recorded.table("log_rhythm")
    lines = (rehearsal.trial.stack.up / "logs" / "backend.jsonl").read_text(encoding="utf-8").splitlines()
    assert rhythm is not None
    first, last = int(looks["started"].min().timestamp()), int(looks["ended"].max().timestamp())
    written = Counter(int(pd.Timestamp(json.loads(line)["timestamp"]).timestamp()) for line in lines)
    counted = rhythm.groupby("bucket")["entries"].sum()
    for second in range(first, last):
        assert counted.get(second, 0) == written[second], second
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "While watching" in report and "Wald" in report
    again = proofbook("replay", folder.name, cwd=base, workspace=base)
    assert again.returncode == 0, again.stdout


@pytest.mark.extended
@pytest.mark.rehearsal
def test_a_run_that_is_finished_is_not_watched_and_not_touched(
    rehearsal: Rehearsal, finished_run: Path
) -> None:
    base = rehearsal.base
    run = shutil.copytree(finished_run, base / "outputs" / "rehearsal" / finished_run.name)
    before = (run / "run.json").read_bytes()
    done = proofbook("watch", "rehearsal", "--run", run.name, cwd=base, workspace=base)
    assert done.returncode == 2 and "already holds the phase `after` and is not a watch" in done.stderr, (
        done.stderr
    )
    assert (run / "run.json").read_bytes() == before
    assert not (run / rounds.STATE).exists()


@pytest.mark.rehearsal
def test_a_watch_of_a_broken_service_fails_early(rehearsal: Rehearsal, watched_case: str) -> None:
    base = rehearsal.base
    rehearsal.deploy("recursion-not-fixed")
    done = proofbook(
        "watch", "rehearsal", "--case", watched_case, "--every", "8s", "--for", "2m", "--json", cwd=base, workspace=base
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    content = json.loads(done.stdout)[0]
    assert content["verdict"] == "fail"
    looks = read(Path(content["folder"]) / "evidence").table("looks")
    assert looks is not None and len(looks) == 1
