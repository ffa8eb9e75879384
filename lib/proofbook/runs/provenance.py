"""Where a run comes from: the commit of its workspace, and times as RFC 3339."""

from __future__ import annotations

import datetime as dt
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The commit of the workspace, empty where it is no git repository, and whether anything in it was in no commit."""

    commit: str
    dirty: bool


def source_of(base: Path) -> Source:
    """The commit of the workspace, and whether anything in it differs from that; empty where it is no git repository."""

    def git(*arguments: str) -> str:
        try:
            done = subprocess.run(
                ["git", "-C", str(base), *arguments], capture_output=True, text=True, timeout=20
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    commit = git("rev-parse", "HEAD")
    return Source(
        commit=commit, dirty=bool(commit and git("status", "--porcelain", "--", "notebooks", "lib"))
    )


def rfc3339(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
