"""What each fix of a case changed, recorded into the run when it is made: a report shows the same wherever it is rendered."""

from __future__ import annotations

import subprocess
from pathlib import Path

from proofbook.config.case import Case
from proofbook.config.fixes import Fix
from proofbook.files import replace_text
from proofbook.redaction.scrubbing import scrub

TIMEOUT_S = 20


def record(case: Case, *, inputs: Path) -> None:
    """Keeps the diff of every git range that the case names; patches are kept as files of the case.

    A range that git cannot show here leaves what was recorded earlier.
    """
    for fix in case.fixes:
        text = _shown(fix, case.folder) if fix.git and not fix.patch else ""
        if text:
            path = _path(fix, inputs)
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_text(path, scrub(text))


def read(folder: Path, case: Case) -> dict[str, str]:
    """The diffs that a run holds, by the id of their fix; nothing outside the run is read."""
    inputs = folder / "inputs"
    paths = {
        fix.id: inputs / "case" / fix.patch if fix.patch else _path(fix, inputs)
        for fix in case.fixes
        if fix.patch or fix.git
    }
    return {
        name: path.read_text(encoding="utf-8", errors="replace")
        for name, path in paths.items()
        if path.is_file()
    }


def _path(fix: Fix, inputs: Path) -> Path:
    return inputs / "diffs" / f"{fix.id}.diff"


def _shown(fix: Fix, repository: Path) -> str:
    """Plain text, whatever the user's git is set to; empty where git cannot show it."""
    words = ["git", "diff", "--no-color", "--no-ext-diff", "--end-of-options", fix.git or "", "--"]
    try:
        done = subprocess.run(
            [*words, *([fix.file] if fix.file else [])],
            cwd=repository,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
