"""All environments of one command: a page of environments by findings, differences first; a summary, and JUnit XML of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from proofbook.files import replace_text
from proofbook.judge import findings
from proofbook.judge.findings import Finding, Verdict
from proofbook.redaction import unseen
from proofbook.report import junit, markdown, templating
from proofbook.report.junit import InconclusiveAs
from proofbook.runs.permissions import file_mode
from proofbook.runs.record import RunRecord

PAGE, JUNIT, SUMMARY = "environments.html", "environments.junit.xml", "environments.md"
WORST_FIRST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)
ABSENT = "not judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What came of an environment. run, folder: None where there is none; then `sentence` says why, and `reason` in a word."""

    environment: str
    sentence: str
    reason: str
    run: RunRecord | None = None
    folder: Path | None = None

    @property
    def verdict(self) -> Verdict:
        return Verdict.ERROR if self.run is None else self.run.verdict

    @property
    def address(self) -> str:
        """Where its report is, from the folder of all environments; empty without one."""
        if self.folder is None or not (self.folder / "report.html").is_file():
            return ""
        return f"{quote(self.folder.parent.name)}/{quote(self.folder.name)}/report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A finding over all environments, in their order; None where it was not judged."""

    id: str
    claim: str
    found: tuple[Finding | None, ...] = field(default=())

    @property
    def verdicts(self) -> list[Verdict]:
        return [item.verdict for item in self.found if item is not None]

    @property
    def differs(self) -> bool:
        """Whether the environments that judged it do not agree, or some did not judge it."""
        return len(set(self.verdicts)) > 1 or None in self.found

    @property
    def place(self) -> tuple[bool, int, int]:
        """Differences first, then the worst, then what is bad in most."""
        worst = min(map(WORST_FIRST.index, self.verdicts))
        return not self.differs, worst, -sum(verdict is WORST_FIRST[worst] for verdict in self.verdicts)


def rows(ended: Sequence[Ended]) -> list[Row]:
    """Every finding of any environment that has a run, differences first."""
    each = [{item.id: item for item in one.run.findings} for one in ended if one.run is not None]
    claims = {name: item.claim for found in reversed(each) for name, item in found.items()}
    made = [
        Row(id=name, claim=claim, found=tuple(found.get(name) for found in each))
        for name, claim in claims.items()
    ]
    return sorted(made, key=lambda row: row.place)


def write(outputs: Path, ended: Sequence[Ended], *, inconclusive_as: InconclusiveAs) -> Path:
    """Writes page, summary and JUnit XML of a command over several environments, and gives the page's path."""
    runs = [one.run for one in ended if one.run is not None]
    errors = {one.environment: (one.reason, one.sentence) for one in ended if one.run is None}
    replace_text(
        outputs / JUNIT, junit.render_all(runs, errors, inconclusive_as=inconclusive_as), mode=file_mode()
    )
    replace_text(outputs / SUMMARY, summary(ended), mode=file_mode())
    replace_text(outputs / PAGE, page(ended), mode=file_mode())
    return outputs / PAGE


def page(ended: Sequence[Ended]) -> str:
    """The page: the environments, worst first, then the findings that differ between them, then the others."""
    judged = [one for one in ended if one.run is not None]
    made = rows(ended)
    return templating.render(
        "matrix.html.j2",
        title=in_words(ended),
        ended=[_shown(one) for one in _worst_first(ended)],
        judged=[_shown(one) for one in judged],
        groups=[
            ("Findings that differ", [_row(row, judged) for row in made if row.differs]),
            ("Findings that are the same everywhere and do not pass", [_row(row, judged) for row in made if not row.differs and set(row.verdicts) != {Verdict.PASS}]),
            ("Findings that pass everywhere", [_row(row, judged) for row in made if not row.differs and set(row.verdicts) == {Verdict.PASS}]),
        ],
    )  # fmt: skip


def summary(ended: Sequence[Ended]) -> str:
    """The same in Markdown: the environments, worst first, and the findings that differ."""
    lines = [f"## {markdown.plain(in_words(ended))}", "", "| | environment | |", "|---|---|---|"]
    lines += [
        f"| {findings.MARKS[one.verdict]} {one.verdict.value} | {markdown.plain(one.environment)} | {markdown.plain(one.sentence)} |"
        for one in _worst_first(ended)
    ]
    judged = [one for one in ended if one.run is not None]
    differing = [row for row in rows(ended) if row.differs]
    if differing:
        names = " | ".join(markdown.plain(one.environment) for one in judged)
        lines += ["", f"| differs | {names} |", f"|---|{'---|' * len(judged)}"]
        lines += [
            f"| {markdown.plain(row.claim)} | {' | '.join(map(_mark, row.found))} |" for row in differing
        ]
    return markdown.cut("\n".join(lines) + "\n", what=f"{len(ended)} environments")


def in_words(ended: Sequence[Ended]) -> str:
    """How many environments have which verdict.

    >>> in_words([Ended(environment="a", sentence="", reason="")])
    '1 environment: 1 error'
    """
    counts = {verdict: sum(one.verdict is verdict for one in ended) for verdict in WORST_FIRST}
    told = ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)
    return f"{len(ended)} environment{'' if len(ended) == 1 else 's'}: {told}"


def _worst_first(ended: Sequence[Ended]) -> list[Ended]:
    return sorted(ended, key=lambda one: WORST_FIRST.index(one.verdict))


def _mark(item: Finding | None) -> str:
    return "–" if item is None else findings.MARKS[item.verdict]


def _shown(one: Ended) -> Mapping[str, str]:
    return {
        "name": unseen.visible(one.environment),
        "verdict": one.verdict.value,
        "mark": findings.MARKS[one.verdict],
        "sentence": unseen.visible(one.sentence),
        "address": one.address,
    }


def _row(row: Row, judged: Sequence[Ended]) -> Mapping[str, object]:
    cells = [
        {
            "environment": unseen.visible(one.environment),
            "verdict": item.verdict.value if item else ABSENT,
            "mark": _mark(item),
            "statement": unseen.visible(item.statement) if item else "",
            "address": f"{one.address}#finding-{quote(row.id)}" if one.address and item else "",
        }
        for one, item in zip(judged, row.found, strict=True)
    ]
    return {"id": row.id, "claim": unseen.visible(row.claim[:1].upper() + row.claim[1:]), "cells": cells}
