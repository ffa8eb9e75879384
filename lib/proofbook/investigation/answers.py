"""What a look answers: a sentence with what it rests on, how surely, and what it does not say; shown as a card."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field

import pandas as pd

from proofbook.judge.findings import Control, Estimate, Exposure, Finding, Method, Needed, Verdict
from proofbook.report import finding_html

# How an answer is marked: something beyond chance, nothing beyond chance, or no telling.
FOUND, NOTHING, UNSURE = "found", "nothing beyond chance", "inconclusive"
MARKS = {FOUND: "●", NOTHING: "○", UNSURE: "?"}
# Of borders alone: no colour of text is readable on white and on dark paper.
COLOURS = {
    FOUND: "var(--pb-error, #7a3e9d)",
    NOTHING: "var(--pb-pass, #1a7f4b)",
    UNSURE: "var(--pb-inconclusive, #8a5c00)",
}
MOST_ROWS = 12
# Of letters in a cell of text: a line that wraps is no row any more.
WIDEST = 120
# How a notebook's output carries an answer, so that a page can say it first.
MIME = "application/vnd.proofbook.answer+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer of a look, shaped as a finding. It judges no system, so it has no verdict.

    answer: FOUND, NOTHING or UNSURE. reason: a code where it is UNSURE. table: what there is to see, whatever the answer. more: further tables by
    their titles. notes: what was tried and left out.
    """

    claim: str
    answer: str
    statement: str
    table: pd.DataFrame
    reason: str = ""
    more: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    estimate: Estimate | None = None
    method: Method | None = None
    exposure: Exposure | None = None
    window: tuple[str, str] | None = None
    controls: tuple[Control, ...] = ()
    needed: Needed | None = None
    not_established: tuple[str, ...] = ()

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        told = {"claim": self.claim, "answer": self.answer, "statement": self.statement}
        return {"text/html": self._repr_html_(), "text/plain": repr(self), MIME: told}

    def _repr_html_(self) -> str:
        escape, colour = finding_html.escape, COLOURS[self.answer]
        badge = f"<span class='pb-badge' style='border:2px solid {colour};border-radius:4px;padding:0 .4em;font-weight:600'>{MARKS[self.answer]}&nbsp;{escape(self.answer)}</span>"
        needs = (
            f"<br><span class='pb-needed'><b>Needed:</b> {escape(finding_html.in_words(self.needed))}</span>"
            if self.needed
            else ""
        )
        head = f"{badge} <b>{finding_html.sentence(self.claim)}</b><br><span class='pb-statement'>{escape(self.statement)}</span>{needs}"
        tables = self._table_as_html() + "".join(
            f"<details><summary>{escape(title)}</summary>{as_html(rows)}</details>"
            for title, rows in self.more.items()
            if len(rows)
        )
        notes = "".join(finding_html.note(text) for text in self.notes)
        rest = f"<details><summary>What this rests on, and what it does not say</summary>{finding_html.facts(self._finding())}{finding_html.controls(self.controls)}</details>"
        return f"<div class='pb-finding tex2jax_ignore mathjax_ignore' style='border-left:4px solid {colour};padding:.3em .8em;margin:.5em 0'>{head}{tables}{notes}{rest}</div>"

    def __repr__(self) -> str:
        parts = [f"{self.answer}: {self.claim}: {self.statement}", self._table_as_text()]
        parts += [f"{title}\n{as_text(rows)}" for title, rows in self.more.items() if len(rows)]
        parts += self.notes
        if self.needed:
            parts.append(f"needed: {finding_html.in_words(self.needed)}")
        parts += [f"not established: {text}" for text in self.not_established]
        return "\n".join(part for part in parts if part)

    def _table_as_html(self) -> str:
        """What there is to see: the table, or what says it better."""
        return as_html(self.table)

    def _table_as_text(self) -> str:
        return as_text(self.table)

    def to_json(self) -> dict[str, object]:
        """The answer as plain values, a table as its rows."""
        kept = ("claim", "answer", "reason", "statement", "notes", "window", "not_established")
        facts = (self.estimate, self.method, self.exposure, self.needed)
        named = zip(("estimate", "method", "exposure", "needed"), facts, strict=True)
        return {
            **{name: getattr(self, name) for name in kept},
            **{name: None if fact is None else dataclasses.asdict(fact) for name, fact in named},
            "controls": [dataclasses.asdict(item) for item in self.controls],
            "table": rows(self.table),
            "more": {title: rows(table) for title, table in self.more.items()},
        }

    def _finding(self) -> Finding:
        """The same as a finding, by which a card shows what it rests on."""
        return Finding(
            id="look", kind="answer", claim=self.claim, required=False, critical=False,
            verdict=Verdict.INCONCLUSIVE if self.answer == UNSURE else Verdict.PASS, reason=self.reason, statement=self.statement,
            estimate=self.estimate, method=self.method, exposure=self.exposure, window={"looked at": self.window},
            controls=self.controls, needed=self.needed, not_established=self.not_established,
        )  # fmt: skip


def rows(table: pd.DataFrame) -> list[dict[str, object]]:
    """The rows of a table as plain values, times as RFC 3339."""
    found: list[dict[str, object]] = json.loads(
        table.to_json(orient="records", date_format="iso", date_unit="us")
    )
    return found


def as_html(rows: pd.DataFrame, *, most: int = MOST_ROWS) -> str:
    """A table, everything escaped, without a script; rows beyond the first behind a fold."""
    if rows.empty:
        return ""
    escape = finding_html.escape

    def cells(row: tuple[object, ...], tag: str) -> str:
        return "".join(
            f"<{tag} style='text-align:left;vertical-align:top;padding:.1em .8em .1em 0'>{escape(text(value))}</{tag}>"
            for value in row
        )

    head = f"<thead><tr>{cells(tuple(rows.columns), 'th')}</tr></thead>"
    lines = [f"<tr>{cells(row, 'td')}</tr>" for row in rows.itertuples(index=False)]
    rest = (
        f"<details><summary>{len(lines) - most} more</summary><table style='color:inherit'>{head}<tbody>{''.join(lines[most:])}</tbody></table></details>"
        if len(lines) > most
        else ""
    )
    return f"<div class='pb-scroll'><table style='color:inherit'>{head}<tbody>{''.join(lines[:most])}</tbody></table></div>{rest}"


def as_text(rows: pd.DataFrame, *, most: int = MOST_ROWS) -> str:
    """A table as text, its columns in line; of a long text its beginning."""
    if rows.empty:
        return ""
    grid = [
        [str(name) for name in rows.columns],
        *([_cut(text(value)) for value in row] for row in rows.head(most).itertuples(index=False)),
    ]
    widths = [max(len(line[column]) for line in grid) for column in range(len(grid[0]))]
    lines = [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in grid
    ]
    return "\n".join([*lines, *([f"  … {len(rows) - most} more"] if len(rows) > most else [])])


def _cut(said: str) -> str:
    return said if len(said) <= WIDEST else f"{said[: WIDEST - 1]}…"


def text(value: object) -> str:
    """A value of a table in words: times to the second, numbers with their thousands."""
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
