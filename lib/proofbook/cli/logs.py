"""Reading any log, without other files."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from proofbook.cli.app import AsJson, app, console, plain, say
from proofbook.cli.times import moment
from proofbook.errors import UsageError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from proofbook.config.sources import LogSource

# Keys of a log in an environment file whose option is called otherwise.
OPTIONS = {"pattern": "--line-pattern", "utc_offset": "--utc-offset"}


def _list(wanted: bool) -> None:
    """Prints the log sources and log formats, those of other packages too, and why some of them cannot be used."""
    if not wanted:
        return
    from proofbook.config.log_formats import LOG_FORMATS
    from proofbook.config.log_uri import LOG_SOURCES, usages

    print("sources: " + ", ".join([*usages(), "a file", "a pattern of files", "-"]))
    print("formats: " + ", ".join(LOG_FORMATS.names()))
    for error in (*LOG_SOURCES.usable()[1], *LOG_FORMATS.usable()[1]):
        say(str(error))
    raise typer.Exit


@app.command()
def logs(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A log export: a file, or a pattern such as 'logs/*.gz'; or a short name such as docker:CONTAINER.",
        ),
    ],
    before: Annotated[
        str | None, typer.Option("--before", help="A log from before, to see what changed.")
    ] = None,
    pattern: Annotated[
        list[str] | None, typer.Option("--pattern", help="Count requests that this regular expression hits.")
    ] = None,
    log_format: Annotated[
        str,
        typer.Option("--format", "--shape", metavar="NAME", help="What the lines are; found out by default."),
    ] = "auto",
    line_pattern: Annotated[
        str | None,
        typer.Option(
            "--line-pattern", help="A regular expression for lines of any other format, with named groups."
        ),
    ] = None,
    utc_offset: Annotated[
        str | None, typer.Option("--utc-offset", help="The zone of times that name none, such as +00:00.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only from this time on, as RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Only up to this time, as RFC 3339.")] = None,
    listed: Annotated[
        bool,
        typer.Option("--list", is_eager=True, callback=_list, help="List the log sources and log formats."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read any log: its format, what it covers, the exceptions and errors in it, and what changed."""
    from proofbook.collect.logs.recorder import unusable_extensions
    from proofbook.notebook import quicklook

    for problem in unusable_extensions():
        say(problem)
    now = dt.datetime.now(dt.UTC)
    stated = {"format": log_format, "pattern": line_pattern, "utc_offset": utc_offset}
    looked = quicklook.look_at_log(
        _log_source(source, stated),
        patterns=pattern or [],
        before=_log_source(before, stated) if before else None,
        base=Path.cwd(),
        since=None if since is None else moment("--since", since, now=now),
        until=None if until is None else moment("--until", until, now=now),
    )
    if as_json:
        print(json.dumps(_log_as_json(looked), indent=2, default=str))
    else:
        _print_log(looked)


def _log_source(source: str, stated: dict[str, str | None]) -> LogSource:
    from pydantic import ValidationError

    from proofbook.config.log_uri import is_file
    from proofbook.config.sources import LogSource

    # A file may be called like a short name.
    key = "file" if is_file(source) or Path(source).exists() else "source"
    try:
        return LogSource.model_validate({"name": "log", key: source, **stated})
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else "file"
        option = OPTIONS.get(key, f"--{key}")
        # The source is no option, and its sentence says what it is.
        raise UsageError(_wanted(first) if key == "source" else f"{option}: {_wanted(first)}") from None


def _wanted(problem: ErrorDetails) -> str:
    """What a validation wanted, from its facts: the words of our own validators, or the values that may be."""
    facts = problem.get("ctx", {})
    if "error" in facts:
        return str(facts["error"])
    return f"expected {facts['expected']}" if "expected" in facts else problem["msg"]


def _print_log(looked: Any) -> None:
    out, reading = console(), looked.reading
    counts = ", ".join(f"{name} {count:,}" for name, count in reading.counts.items())
    unread = looked.coverage.unread
    lost = f"; [red]{unread.in_words}[/], such as {plain(repr(reading.unparsed_sample))}"
    out.print(f"shape      {reading.shape}")
    out.print(
        f"entries    {reading.read:,} read, {reading.duplicates:,} twice, {reading.joined:,} joined to the traceback they continue, {reading.kept:,} kept"
        + (lost if reading.unparsed else ""),
        soft_wrap=True,
    )
    out.print(f"severity   {counts}")
    out.print(
        f"span       {reading.first:%Y-%m-%d %H:%M:%S} to {reading.last:%Y-%m-%d %H:%M:%S} UTC, {looked.coverage.covered_s:,.1f} s; longest silence {looked.coverage.longest_gap_s:,.1f} s, {looked.coverage.allowed_gap_s:,.1f} s would be unusual"
    )
    why = "; ".join(f"{sentence} ({code})" for code, sentence in looked.coverage.reasons)
    if unread.lines and not why:
        why = f"{unread.in_words}, and what they say is in no count but that of the patterns"
    out.print(
        f"coverage   {'[yellow]' + plain(why) + '[/]' if why else 'nothing speaks against it'}",
        soft_wrap=True,
    )
    if len(looked.signatures):
        _print_table(
            out,
            "Patterns",
            looked.signatures,
            [
                name
                for name in (
                    "pattern",
                    "affected before",
                    "affected after",
                    "per minute after",
                    "lines without a time before",
                    "lines without a time after",
                )
                if name in looked.signatures
            ],
        )
    if looked.changes is not None:
        telling = looked.changes[~looked.changes["change"].isin(["same", "unsure"])]
        title = "What changed" if len(telling) else "Nothing changed that luck would not explain"
        _print_table(out, title, telling.head(20), ["change", "severity", "what", "before", "after", "p"])
    else:
        wrong = looked.kinds[
            (looked.kinds["kind"] == "exception") | (looked.kinds["severity"].isin(["ERROR", "CRITICAL"]))
        ]
        _print_table(
            out, "Exceptions and errors", wrong.head(20), ["severity", "what", "entries", "first", "last"]
        )


def _print_table(out: Console, title: str, rows: Any, columns: list[str]) -> None:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold" if name in ("what", "pattern") else "ellipsis")
    for row in rows[columns].itertuples(index=False):
        table.add_row(*(plain(_cell(value)) for value in row))
    out.print()
    out.print(table)


def _cell(value: Any) -> str:
    if hasattr(value, "strftime"):
        return str(value.strftime("%H:%M:%S"))
    return (
        f"{value:.2g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )


def _log_as_json(looked: Any) -> dict[str, object]:
    reading = looked.reading
    told = {name: getattr(reading, name) for name in reading.__slots__ if name != "path"}
    covered = {
        "covered_s": looked.coverage.covered_s,
        "longest_gap_s": looked.coverage.longest_gap_s,
        "reasons": looked.coverage.reasons,
        "unread_share": looked.coverage.unread.share,
    }
    tables = {"signatures": looked.signatures, "kinds": looked.kinds, "changes": looked.changes}
    return {
        **told,
        "coverage": covered,
        **{
            name: None if table is None else json.loads(table.to_json(orient="records", date_format="iso"))
            for name, table in tables.items()
        },
    }
