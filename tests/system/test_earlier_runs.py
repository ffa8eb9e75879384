"""Runs one after the other: what an earlier one recorded counts as before, with its age, and only where it was asked in the same way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import proofbook, with_notebooks
from talks import Talk, talks

CASE = """
title = "Calls are not dropped"
targets = { health = 0.8, connection = 0.8, authentication = 0.8, delivery = 0.8 }
[[fix]]
title = "Greetings are awaited"
[[fix.symptom]]
id = "dropped"
close_code = 1011
"""
ENVIRONMENT = """
case = "calls"
[pace]
per_s = {per_s}
[[service]]
name = "talk"
url = "{url}"
revision_path = "revision"
ws = {{ path = "/ws", greeting = {{ regex = "hello" }}, dwell_s = 0.05 }}
"""


def state(base: Path, service: Talk, *, name: str = "eu", per_s: int = 500) -> None:
    (base / "notebooks" / "cases" / "calls.toml").write_text(CASE)
    text = ENVIRONMENT.format(url=service.url, per_s=per_s)
    (base / "notebooks" / "environments" / f"{name}.toml").write_text(text)


def run(base: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, run.json of the newest run, and what was said."""
    done = proofbook("run", "eu", *words, cwd=base, workspace=base)
    newest = max((base / "outputs" / "eu").glob("*/run.json"))
    return done.returncode, json.loads(newest.read_text()), done.stdout + done.stderr


def finding(content: dict[str, Any], name: str) -> dict[str, Any]:
    return next(item for item in content["findings"] if item["id"] == name)


@pytest.mark.extended
@pytest.mark.long
def test_a_failed_run_is_before_for_the_run_after_the_fix(tmp_path: Path) -> None:
    base = with_notebooks(tmp_path)
    with talks() as service:
        state(base, service)
        done = proofbook("run", "eu", "--before", "last-failed", cwd=base, workspace=base)
        assert done.returncode == 2 and "for --before last-failed with evidence of after, found none" in done.stderr  # fmt: skip
        assert not list((base / "outputs" / "eu").glob("*/run.json"))
        service.closes = 1011
        code, broken, _ = run(base)
        assert code == 1 and finding(broken, "websocket-dropped-gone")["verdict"] == "fail"
        service.closes, service.revision = 0, "r-2"
        code, fixed, said = run(base, "--before", "last-failed")
        gone = finding(fixed, "websocket-dropped-gone")
        assert (code, gone["verdict"]) == (0, "pass"), gone["statement"]
        assert f"before · taken from after of run {broken['run_id']}\n" in said
        before = gone["before_run"]
        assert (before["run_id"], before["phase"], before["differs"]) == (broken["run_id"], "after", [])
        assert 0 < before["age_s"] < 600
        assert f"Before: run {broken['run_id']}, phase after, " in fixed["summary"]["since"]
        assert "earlier, with the same settings." in fixed["summary"]["since"]
        # The run of before is that which recorded it, however many take it from each other.
        code, again, _ = run(base, "--before", f"{fixed['run_id']}/before")
        assert code == 0 and finding(again, "websocket-dropped-gone")["before_run"]["run_id"] == broken["run_id"]  # fmt: skip
        # Asked in another way, silence shows nothing of the fix.
        state(base, service, per_s=200)
        code, other, said = run(base, "--before", "last-failed")
        gone = finding(other, "websocket-dropped-gone")
        assert (code, gone["verdict"], gone["reason"]) == (3, "inconclusive", "other-settings")
        assert "asked otherwise now: pace: per_s" in said
        assert "otherwise in pace: per_s" in gone["statement"]
    with talks() as elsewhere:
        state(base, elsewhere, name="us")
        done = proofbook("run", "us", "--before", broken["run_id"], cwd=base, workspace=base)
        assert done.returncode == 2, done.stderr
        assert f"expected a run of us as before, got {broken['run_id']}, which is of eu and asked other addresses" in done.stderr  # fmt: skip
