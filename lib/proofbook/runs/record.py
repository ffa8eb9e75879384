"""`run.json`: what a run leaves for other programs. Its JSON Schema is published as `docs/run.schema.json`."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, NotRequired

from pydantic import ConfigDict, TypeAdapter, with_config

# Python 3.11's own TypedDict is not enough for pydantic.
from typing_extensions import TypedDict

from proofbook import paths
from proofbook.errors import CouldNotLook
from proofbook.files import read_json, replace_text
from proofbook.judge import findings
from proofbook.judge.findings import Finding, Verdict
from proofbook.runs.json_reader import JsonObject, ObjectReader
from proofbook.runs.provenance import Source, rfc3339

SCHEMA_VERSION = 2
# Version 1 had no summary, source and report.
READABLE = (1, SCHEMA_VERSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A table of evidence: `<phase>/<table>`, its rows and its digest."""

    name: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notebook:
    """An executed notebook; `problem` is empty when it ran to its end."""

    name: str
    sha256: str
    seconds: float
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line that carries the verdict; `finding` is its id, empty where it rests on none."""

    verdict: str
    text: str
    finding: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastHeld:
    """The run in which a check that does not hold now held last.

    at: when that run ended. runs_since: how many runs between that one and this did not show it. same_settings: whether
    environment and case are the same, byte for byte; no where that is not known.
    """

    finding: str
    run_id: str
    at: str
    runs_since: int
    same_settings: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The summary. `at` and `next_review` are RFC 3339 in UTC; `command` is what to type next, empty where nothing is owed."""

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
    last_held: tuple[LastHeld, ...] = ()

    @classmethod
    def from_json(cls, content: object) -> Summary:
        """The summary from its plain values.

        Raises:
            ValueError: something in it is missing or of another kind.
        """
        given = ObjectReader(content, "summary.")
        texts = (
            "words",
            "result",
            "environment",
            "case",
            "at",
            "beside",
            "doubt",
            "advice",
            "next_review",
            "since",
        )
        return cls(
            verdict=given.verdict("verdict").value,
            facts=tuple(
                Fact(
                    verdict=item.verdict("verdict").value,
                    text=item.value("text", str),
                    finding=item.optional("finding", str) or "",
                )
                for item in given.many("facts")
            ),
            command=given.optional("command", str) or "",
            last_held=tuple(map(_last_held, given.many("last_held"))) if given.data.get("last_held") else (),
            **{name: given.value(name, str) for name in texts},
        )

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


def _summary(written: JsonObject) -> Summary | None:
    """The summary that a run.json holds; it was called `opening` before the first release."""
    found = written.get("summary") or written.get("opening")
    return Summary.from_json(found) if found else None


def _last_held(given: ObjectReader) -> LastHeld:
    return LastHeld(
        finding=given.value("finding", str),
        run_id=given.value("run_id", str),
        at=given.value("at", str),
        runs_since=given.value("runs_since", int),
        same_settings=bool(given.value("same_settings", int)),
    )


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One run, as everything that shows, compares or checks it reads it. Times are RFC 3339 in UTC.

    ended: None while the run is unfinished. summary, source, next_review and report_sha256 are None or empty where the run
        did not end, or was written by an older version. findings_json: the findings as they stand in the file, which digests
        are over and which lack the fields that came later.
    """

    schema_version: int = SCHEMA_VERSION
    run_id: str
    environment: str
    case: str
    started: str
    ended: str | None
    verdict: Verdict
    reason: str
    sentence: str
    next_review: str = ""
    summary: Summary | None = None
    findings_json: tuple[JsonObject, ...] = ()
    evidence: tuple[Recorded, ...] = ()
    notebooks: tuple[Notebook, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    source: Source | None = None
    report_sha256: str = ""

    @classmethod
    def from_json(cls, content: object) -> RunRecord:
        """The run that the content of a run.json tells of.

        Raises:
            ValueError: something in it is missing or of another kind; the sentence names it.
        """
        given = ObjectReader(content)
        found = given.many("findings")
        for item in found:
            item.verdict("verdict")
        for key in ("run_id", "environment", "case"):
            given.name(key)
        return cls(
            schema_version=given.value("schema_version", int),
            run_id=given.value("run_id", str),
            environment=given.value("environment", str),
            case=given.value("case", str),
            started=given.value("started", str),
            ended=given.optional("ended", str),
            verdict=given.verdict("verdict"),
            reason=given.value("reason", str),
            sentence=given.value("sentence", str),
            next_review=given.optional("next_review", str) or "",
            summary=_summary(given.data),
            findings_json=tuple(item.data for item in found),
            evidence=tuple(_recorded(item) for item in given.many("evidence")),
            notebooks=tuple(_notebook(item) for item in given.many("notebooks")),
            versions={name: str(value) for name, value in given.value("versions", dict).items()},
            source=_source(given.inner("source")) if given.data.get("source") else None,
            report_sha256=given.inner("report").value("sha256", str) if given.data.get("report") else "",
        )

    def to_json(self) -> JsonObject:
        """The content of run.json; what an older version or an unfinished run does not have is left out."""
        later: tuple[tuple[str, object], ...] = (
            ("next_review", self.next_review),
            ("summary", self.summary and asdict(self.summary)),
        )
        last: tuple[tuple[str, object], ...] = (
            ("source", self.source and asdict(self.source)),
            ("report", self.report_sha256 and {"sha256": self.report_sha256}),
        )
        return {
            "schema_version": self.schema_version,
            "run_id": self.run_id,
            "environment": self.environment,
            "case": self.case,
            "started": self.started,
            "ended": self.ended,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "sentence": self.sentence,
            **{name: value for name, value in later if value},
            "findings": list(self.findings_json),
            "evidence": [asdict(item) for item in self.evidence],
            "notebooks": [asdict(item) for item in self.notebooks],
            "versions": dict(self.versions),
            **{name: value for name, value in last if value},
        }

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """The findings; made when they are first asked for, since a history of many runs only counts them.

        Raises:
            CouldNotLook: one of them is none.
        """
        return tuple(
            _finding(item, f"run {self.run_id}: findings[{n}]") for n, item in enumerate(self.findings_json)
        )

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many findings have each verdict."""
        return dict(Counter(str(item["verdict"]) for item in self.findings_json))

    def to_text(self) -> str:
        """The text of run.json."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=self.ended is None) + "\n"


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
    summary: NotRequired[Summary]
    findings: list[Finding]
    evidence: list[Recorded]
    notebooks: list[Notebook]
    versions: dict[str, str]
    source: NotRequired[Source]
    report: NotRequired[dict[str, str]]


def schema() -> JsonObject:
    """The JSON Schema of run.json."""
    found = TypeAdapter(RunFile).json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Proofbook run.json",
        **{key: value for key, value in found.items() if key != "title"},
    }


def read(folder: Path) -> RunRecord:
    """A run's run.json.

    Raises:
        CouldNotLook: it is absent or not one of ours.
    """
    path = folder / "run.json"
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise CouldNotLook(
            f"expected a finished run with run.json in {paths.shown(folder)}, found none; finish it: proofbook run {folder.parent.name} --run {folder.name}"
        ) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CouldNotLook(
            f"{paths.shown(path)}: expected run.json as Proofbook writes it, got something else ({why}); judge the run again: proofbook run {folder.parent.name} --run {folder.name}"
        ) from None
    version = content.get("schema_version") if isinstance(content, dict) else type(content).__name__
    if version not in READABLE:
        raise CouldNotLook(
            f"{paths.shown(path)}: expected schema version {' or '.join(map(str, READABLE))}, got {version}"
        )
    try:
        return RunRecord.from_json(content)
    except ValueError as error:
        raise CouldNotLook(f"{paths.shown(path)}: {error}") from None


def write_unfinished(
    folder: Path, environment: str, case: str, started: dt.datetime, reason: str, sentence: str
) -> RunRecord:
    """Writes run.json of a run without findings."""
    record = unfinished(folder, environment, case, started, reason, sentence)
    replace_text(folder / "run.json", record.to_text())
    return record


def unfinished(
    folder: Path, environment: str, case: str, started: dt.datetime, reason: str, sentence: str
) -> RunRecord:
    """The record of a run without findings."""
    return RunRecord(
        run_id=folder.name,
        environment=environment,
        case=case,
        started=rfc3339(started),
        ended=None,
        verdict=Verdict.ERROR,
        reason=reason,
        sentence=sentence,
    )


def moment(text: str) -> str:
    """A time as people say it.

    >>> moment("2026-01-05T09:40:12.000Z")
    '5 Jan 2026 09:40 UTC'
    """
    return f"{dt.datetime.fromisoformat(text).astimezone(dt.UTC):%-d %b %Y %H:%M} UTC"


def _finding(written: JsonObject, place: str) -> Finding:
    try:
        return findings.from_json(written)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CouldNotLook(f"{place}: expected a finding, got something else ({error})") from None


def _recorded(given: ObjectReader) -> Recorded:
    return Recorded(
        name=given.value("name", str), rows=given.value("rows", int), sha256=given.value("sha256", str)
    )


def _notebook(given: ObjectReader) -> Notebook:
    return Notebook(
        name=given.value("name", str),
        sha256=given.value("sha256", str),
        seconds=given.number("seconds"),
        problem=given.value("problem", str),
    )


def _source(given: ObjectReader) -> Source:
    return Source(commit=given.value("commit", str), dirty=bool(given.data.get("dirty")))
