"""What a fix changed is recorded into the run, and a report reads nothing else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from proofbook.config import case
from proofbook.pipeline import steps
from proofbook.report import diffs, sections
from proofbook.report.section_registry import Section
from proofbook.validation import Validation

CASE = """title = "A change"
[[fix]]
id = "range"
title = "By its range"
git = "HEAD~1..HEAD"
file = "app.py"
[[fix.symptom]]
log = "boom"
[[fix]]
id = "patch"
title = "By its patch"
patch = "own.patch"
[[fix.symptom]]
log = "bang"
"""


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "color.ui=always"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


@pytest.fixture
def repository(in_folder: Path) -> Path:
    """A case in a repository whose last commit is the fix."""
    git(in_folder, "init", "--quiet")
    git(in_folder, "config", "color.ui", "always")
    for line in ("old = 1", "new = 2  # Bearer abcdefghijklmnopqrstuvwxyz012345"):
        (in_folder / "app.py").write_text(line + "\n")
        git(in_folder, "add", ".")
        git(in_folder, "commit", "--quiet", "-m", line[:3])
    (in_folder / "own.patch").write_text("-before\n+after\n")
    (in_folder / "c.toml").write_text(CASE)
    (in_folder / "e.toml").write_text('[[log]]\nname = "l"\nfile = "l.jsonl"\n')
    return in_folder


def test_a_diff_is_kept_when_the_run_is_made_and_shown_without_the_repository(repository: Path) -> None:
    folder = repository / "run"
    steps.keep_inputs(Validation.load("e.toml", "c.toml", base=repository), folder=folder)
    what = case.load(str(folder / "inputs" / "case" / "c.toml"), base=repository)
    shutil.rmtree(repository / ".git")
    found = diffs.read(folder, what)
    assert found["patch"] == "-before\n+after\n"
    lines = found["range"].splitlines()
    assert "-old = 1" in lines and "+new = 2  # Bearer [redacted]" in lines  # no colours, no secret
    # Judged again where git knows nothing, it stays what it was; so does a patch that was edited meanwhile.
    steps.keep_inputs(Validation.load("e.toml", "c.toml", base=repository), folder=folder)
    (repository / "own.patch").write_text("another")
    assert diffs.read(folder, what) == found


def test_a_range_that_was_not_recorded_is_said_and_not_asked_for(repository: Path) -> None:
    what = case.load("c.toml", base=repository)
    assert diffs.read(repository / "run", what) == {}

    class Shown:
        case = what
        diffs: dict[str, str] = {}  # noqa: RUF012  # a summary of which only this is read

    part = sections.diffs(Shown())  # type: ignore[arg-type]
    told = part.html if isinstance(part, Section) else ""
    assert "no diff of HEAD~1..HEAD was recorded when the run was made" in told and "pb-diff" not in told
