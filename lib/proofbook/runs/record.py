"""`run.json`: what a run leaves for other programs. Its JSON Schema is published as `docs/run.schema.json`."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NotRequired

from pydantic import ConfigDict, TypeAdapter, with_config

# Python 3.11's own TypedDict is not enough for pydantic.
from typing_extensions import TypedDict

from proofbook import paths
from proofbook.errors import CouldNotLook
from proofbook.files import replace_text
from proofbook.judge import findings
from proofbook.judge.findings import Finding, Verdict
from proofbook.runs.provenance import rfc3339

SCHEMA_VERSION = 2
# Version 1 had no opening, source and report.
READABLE = (1, SCHEMA_VERSION)


class Recorded(TypedDict):
    """A table of evidence: `<phase>/<table>`, its rows and its digest."""

    name: str
    rows: int
    sha256: str


class Notebook(TypedDict):
    """An executed notebook; `problem` is empty when it ran to its end."""

    name: str
    sha256: str
    seconds: float
    problem: str


class Source(TypedDict):
    """The commit of the workspace, empty where it is no git repository, and whether anything in it was in no commit."""

    commit: str
    dirty: bool


@with_config(ConfigDict(extra="forbid"))
class RunFile(TypedDict):
    """One run. Times are RFC 3339 in UTC; `ended` is null while the run is unfinished."""

    schema_version: Literal[2]
    run_id: str
    environment: str
    case: str
    started: str
    ended: str | None
    verdict: Literal["pass", "fail", "inconclusive", "error"]
    reason: str
    sentence: str
    next_review: NotRequired[str]
    opening: NotRequired[Opening]
    findings: list[Finding]
    evidence: list[Recorded]
    notebooks: list[Notebook]
    versions: dict[str, str]
    source: NotRequired[Source]
    report: NotRequired[dict[str, str]]


def schema() -> dict[str, Any]:
    """The JSON Schema of run.json."""
    found = TypeAdapter(RunFile).json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Proofbook run.json",
        **{key: value for key, value in found.items() if key != "title"},
    }


def read(folder: Path) -> dict[str, Any]:
    """A run's run.json.

    Raises:
        CouldNotLook: it is absent or not one of ours.
    """
    path = folder / "run.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise CouldNotLook(
            f"expected a finished run with run.json in {paths.shown(folder)}, found none; finish it: proofbook run {folder.parent.name} --run {folder.name}"
        ) from None
    if not isinstance(content, dict) or content.get("schema_version") not in READABLE:
        got = content.get("schema_version") if isinstance(content, dict) else type(content).__name__
        raise CouldNotLook(
            f"{paths.shown(path)}: expected schema version {' or '.join(map(str, READABLE))}, got {got}"
        )
    return content


def write_unfinished(
    folder: Path, environment: str, case: str, started: dt.datetime, reason: str, sentence: str
) -> None:
    text = unfinished(folder, environment, case, started, reason, sentence)
    replace_text(folder / "run.json", text)


def unfinished(
    folder: Path, environment: str, case: str, started: dt.datetime, reason: str, sentence: str
) -> str:
    """run.json of a run without findings."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "run_id": folder.name,
        "environment": environment,
        "case": case,
        "started": rfc3339(started),
        "ended": None,
        "verdict": "error",
        "reason": reason,
        "sentence": sentence,
        "findings": [],
        "evidence": [],
        "notebooks": [],
        "versions": {},
    }
    return json.dumps(content, indent=2) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line that carries the verdict; `finding` is its id, empty where it rests on none."""

    verdict: str
    text: str
    finding: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The first screen. `at` and `next_review` are RFC 3339 in UTC; `command` is what to type next, empty where nothing is owed."""

    verdict: str
    words: str
    result: str
    environment: str
    case: str
    at: str
    facts: tuple[Fact, ...]
    beside: str
    doubt: str
    advice: str
    next_review: str
    since: str
    command: str = ""

    def lines(self) -> list[str]:
        """The same as lines of plain text."""
        mark = findings.MARKS[Verdict(self.verdict)]
        return [
            f"{mark} {self.words} · {self.environment} · {self.case} · {moment(self.at)}",
            *(f"  {findings.MARKS[Verdict(fact.verdict)]} {fact.text}" for fact in self.facts),
            *([f"  {self.beside}"] if self.beside else []),
            f"  Could we be wrong? {self.doubt}",
            f"  Do: {self.advice} Next review {moment(self.next_review)}.",
            *([f"      {self.command}"] if self.command else []),
            *([f"  {self.since}"] if self.since else []),
        ]


def moment(text: str) -> str:
    """A time as people say it.

    >>> moment("2026-01-05T09:40:12.000Z")
    '5 Jan 2026 09:40 UTC'
    """
    return f"{dt.datetime.fromisoformat(text).astimezone(dt.UTC):%-d %b %Y %H:%M} UTC"
