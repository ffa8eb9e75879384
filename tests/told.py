"""Runs of an environment made by hand, one after the other, and a workspace in which they lie."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import made

from proofbook.judge.findings import Finding, Verdict
from proofbook.runs import record
from proofbook.runs.provenance import rfc3339

SERVICE = '[[service]]\nname = "api"\nurl = "http://127.0.0.1:9"\n'
START = dt.datetime(2026, 1, 5, 10, 0, tzinfo=dt.UTC)


def state_environment(base: Path, name: str, text: str = "") -> Path:
    """An environment file of a workspace."""
    path = base / "notebooks" / "environments" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    # Tables come after the keys of the top level.
    keys, _, tables = text.partition("[")
    path.write_text(f"{keys}\n{SERVICE}\n{'[' if tables else ''}{tables}", encoding="utf-8")
    return path


def add_run(
    base: Path,
    environment: str,
    at: dt.datetime,
    verdict: str = "pass",
    *,
    case: str = "c",
    found: list[Finding] | None = None,
    **more: Any,
) -> Path:
    """The folder of a run that ended at a moment, as quickly as many are made; it has no report."""
    folder = base / "outputs" / environment / f"{at:%Y%m%dT%H%M%SZ}-0000"
    folder.mkdir(parents=True)
    items = found if found is not None else [made.finding("x", f"it is {verdict}", Verdict(verdict))]
    given = {
        "case": case,
        "verdict": verdict,
        "sentence": f"{verdict.upper()}: it is {verdict}",
        "started": rfc3339(at - dt.timedelta(minutes=2)),
        "ended": rfc3339(at),
        **more,
    }
    run = record.RunRecord.from_json(made.run_content(folder, items, [], **given))
    (folder / "run.json").write_text(run.to_text(), encoding="utf-8")
    return folder
