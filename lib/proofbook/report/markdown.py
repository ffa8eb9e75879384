"""A run in Markdown, for a pull request, a chat message, or the summary of a CI job."""

from __future__ import annotations

import os
import re
from pathlib import Path

from proofbook.judge import findings
from proofbook.judge.findings import Finding, Verdict
from proofbook.redaction import unseen
from proofbook.report import summary
from proofbook.runs.record import RunRecord, Summary, moment

# GitHub takes 65,536 characters in a comment.
MOST_CHARS = 60_000
LONGEST_CELL = 300


def render(run: RunRecord) -> str:
    """The summary, then every finding that does not pass; those that pass by number and folded."""
    first = summary.of_run(run)
    found = run.findings
    lines = [*_summary(first), ""]
    open_items = [item for item in found if item.verdict is not Verdict.PASS]
    passed = [item for item in found if item.verdict is Verdict.PASS]
    if open_items:
        lines += [*_table(open_items), ""]
    if passed:
        lines += [
            f"<details><summary>{len(passed)} findings pass</summary>",
            "",
            *_table(passed),
            "",
            "</details>",
            "",
        ]
    lines.append(f"Run `{run.run_id}`")
    return cut("\n".join(lines) + "\n", what=f"{len(found)} findings", see=f"proofbook show {run.run_id}")


def cut(text: str, *, what: str, see: str = "") -> str:
    """The text, cut with a sentence where it is longer than GitHub takes. see: a command that shows all."""
    if len(text) <= MOST_CHARS:
        return text
    kept = text[:MOST_CHARS].rpartition("\n")[0]
    return f"{kept}\n\nCut here: {what} do not fit{f'; see `{see}`' if see else ''}.\n"


def add_to_job_summary(text: str) -> bool:
    """Adds to the job summary where GitHub Actions runs this; says whether it did."""
    named = os.environ.get("GITHUB_STEP_SUMMARY")
    if not named:
        return False
    with Path(named).open("a", encoding="utf-8") as file:
        file.write(text)
    return True


def plain(text: str) -> str:
    """Text from outside as Markdown that shows it: no markup, no link, nobody notified.

    >>> plain("<b> [x](y) @all #1 | `c`")
    '&lt;b&gt; \\\\[x\\\\](y) &#64;all &#35;1 \\\\| \\\\`c\\\\`'
    """
    text = unseen.visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*_{}\[\]|~])", r"\\\1", text)
    return re.sub(r"\s+", " ", text.replace("#", "&#35;").replace("@", "&#64;")).strip()


def _summary(first: Summary) -> list[str]:
    mark = findings.MARKS[Verdict(first.verdict)]
    return [
        f"## {mark} {plain(first.words)} · {plain(first.environment)} · {plain(first.case)}",
        "",
        *(f"- {findings.MARKS[Verdict(fact.verdict)]} {plain(fact.text)}" for fact in first.facts),
        *([f"- {plain(first.beside)}"] if first.beside else []),
        "",
        f"**Could we be wrong?** {plain(first.doubt)}",
        "",
        f"**Do:** {plain(first.advice)} Next review {moment(first.next_review)}. {plain(first.since)}",
        *(["", "```", unseen.visible(first.command).replace("`", "'"), "```"] if first.command else []),
    ]


def _table(items: list[Finding]) -> list[str]:
    return ["| | claim | what we saw |", "|---|---|---|"] + [
        f"| {findings.MARKS[item.verdict]} {item.verdict.value} | {_cell(item.claim)} | {_cell(item.statement)} |"
        for item in items
    ]


def _cell(text: str) -> str:
    return plain(text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}…")
