"""What the commands share: the application, their common options, and how they print."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from proofbook import paths
from proofbook.redaction.unseen import visible

if TYPE_CHECKING:
    from proofbook.report import writer
    from proofbook.runs.record import RunRecord, Summary

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Did the fix really restore it? A check counts only if it could have failed.",
)

Environment = Annotated[
    str, typer.Argument(metavar="ENV", help="Environment: a name in notebooks/environments, or a TOML file.")
]
Case = Annotated[
    str,
    typer.Option(
        "--case",
        metavar="CASE",
        help="Case: a name in notebooks/cases, or a TOML file. Default: the environment's own.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Probe a protected environment without asking.")]
Jobs = Annotated[
    int, typer.Option("--jobs", metavar="N", min=0, help="Notebooks executed in parallel; 0 for one a core.")
]
Timeout = Annotated[
    float,
    typer.Option("--timeout-s", metavar="SECONDS", min=1, help="Time limit of one notebook, in seconds."),
]
Faults = Annotated[
    list[str] | None,
    typer.Option("--fault", metavar="FAULT", help="Inject this fault; list: proofbook faults."),
]
Before = Annotated[
    str,
    typer.Option(
        "--before",
        metavar="RUN",
        help="Run with the evidence from before, or `last`, `last-passed`, `last-failed`; RUN/after for what it found itself. Default: the case's, else the baseline.",
    ),
]
Assets = Annotated[
    Literal["inline", "shared"],
    typer.Option("--assets", help="Chart library: in each report, or one file for all reports."),
]
InconclusiveAs = Annotated[
    Literal["failure", "skipped"],
    typer.Option("--junit-inconclusive", help="Result of a required inconclusive check in junit.xml."),
]
_BEFORE_NO_TAG = re.compile(r"\\(?=\[(?![a-z#/@][^\[]*?\]))")
COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow", "error": "magenta"}


def say(line: str) -> None:
    """Prints a line of progress."""
    # Late, so that help is there at once.
    from proofbook.redaction import log_lines

    log_lines.say(line)


def console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def options(
    assets: Literal["inline", "shared"], inconclusive_as: Literal["failure", "skipped"]
) -> writer.Options:
    """How a run's files are written."""
    from proofbook.report import writer

    return writer.Options(shares_assets=assets == "shared", inconclusive_as=inconclusive_as)


def print_summary(summary: Summary) -> None:
    """The summary."""
    out = console()
    first, *others = summary.lines()
    out.print(f"[bold {COLOURS[summary.verdict]}]{plain(first)}[/]", soft_wrap=True)
    for line in others:
        out.print(plain(line), soft_wrap=True)


def print_result(folder: Path, found: RunRecord) -> None:
    """The summary, and where the report is."""
    from proofbook.report import summary

    print_summary(summary.of_run(found))
    print_report(folder)


def print_report(folder: Path) -> None:
    """Where the report is."""
    out = console()
    report = folder / "report.html"
    if report.exists():
        out.print(f"report: {paths.shown(report)}", soft_wrap=True)


def coloured(verdict: str) -> str:
    colour = COLOURS[verdict]
    mark = {"pass": "✔", "fail": "✘", "inconclusive": "?", "error": "!"}[verdict]
    return f"[bold {colour}]{mark} {verdict}[/]"


def plain(text: str) -> str:
    """Text from outside, so that its brackets are not taken for markup and nothing of it steers the terminal."""
    # Rich drops a backslash before any bracket, and doubles only those before what looks like a tag.
    return escape(_BEFORE_NO_TAG.sub(r"\\\\", visible(text)))
