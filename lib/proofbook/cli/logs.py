"""The command `logs`: reads any log without other files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from proofbook.cli.app import AsJson, app, console, plain, say
from proofbook.cli.times import BEFORE_END, check_moment
from proofbook.config.durations import in_words
from proofbook.errors import UsageError

if TYPE_CHECKING:
    from proofbook.config.sources import LogSource

# Keys of a log in an environment file whose option is called otherwise.
OPTIONS = {
    "pattern": "--line-pattern", "utc_offset": "--utc-offset", "time_form": "--time-form", "levels": "--level",
    "columns": "--column", "time_zone": "--time-zone",
}  # fmt: skip


def _list(wanted: bool) -> None:
    """Prints the log sources and log formats, those of other packages too, and why some cannot be used."""
    if not wanted:
        return
    from proofbook.config.log_formats import LOG_FORMATS
    from proofbook.config.log_uri import LOG_SOURCES, usages

    print("sources: " + ", ".join([*usages(), "a file", "a pattern of files", "-"]))
    print("formats: " + ", ".join(LOG_FORMATS.names()))
    for error in (*LOG_SOURCES.usable()[1], *LOG_FORMATS.usable()[1]):
        say(str(error))
    raise typer.Exit


Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="Log source: a file, a pattern such as 'logs/*.gz', or a short name such as docker:CONTAINER.",
    ),
]
BeforeSource = Annotated[
    str, typer.Option("--before", metavar="SOURCE", help="Log from before, for comparison.")
]
Patterns = Annotated[
    list[str] | None,
    typer.Option("--pattern", metavar="REGEX", help="Count requests with a match of this pattern."),
]
Format = Annotated[
    str, typer.Option("--format", "--shape", metavar="NAME", help="Log format; detected by default.")
]
LinePattern = Annotated[
    str | None,
    typer.Option("--line-pattern", metavar="REGEX", help="Pattern with named groups for other formats."),
]
TimeForm = Annotated[
    str | None,
    typer.Option("--time-form", metavar="FORM", help="Form of times, such as '%d.%m.%Y %H:%M:%S'."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="NAME=KEY", help="Key or column for a field, such as timestamp=When."),
]
Levels = Annotated[
    list[str] | None,
    typer.Option("--level", metavar="WORD=SEVERITY", help="Severity of a level, such as 7=DEBUG."),
]
Begins = Annotated[
    str | None,
    typer.Option("--begins", metavar="REGEX", help="Pattern of lines that begin an entry."),
]
UtcOffset = Annotated[
    str | None,
    typer.Option("--utc-offset", metavar="OFFSET", help="Time zone of times without one, such as +00:00."),
]
TimeZone = Annotated[
    str | None,
    typer.Option("--time-zone", metavar="NAME", help="The same by name, such as Europe/Berlin."),
]
Since = Annotated[str, typer.Option("--since", metavar="TIME", help=f"Start of the window: {BEFORE_END}.")]
Until = Annotated[str, typer.Option("--until", metavar="TIME", help=f"End of the window: {BEFORE_END}.")]
Listed = Annotated[
    bool, typer.Option("--list", is_eager=True, callback=_list, help="List log sources and log formats.")
]


@app.command()
def logs(
    source: Source,
    before: BeforeSource = "",
    pattern: Patterns = None,
    log_format: Format = "auto",
    line_pattern: LinePattern = None,
    time_form: TimeForm = None,
    column: Columns = None,
    level: Levels = None,
    begins: Begins = None,
    utc_offset: UtcOffset = None,
    time_zone: TimeZone = None,
    since: Since = "",
    until: Until = "",
    listed: Listed = False,
    as_json: AsJson = False,
) -> None:
    """Read any log: format, coverage, exceptions, errors, and changes since another log."""
    from proofbook.collect.logs.recorder import unusable_extensions
    from proofbook.notebook import quicklook

    for problem in unusable_extensions():
        say(problem)
    from proofbook.config import duckdb_text

    # Before all of a log is read.
    for item in pattern or ():
        if problem := duckdb_text.problem(item):
            raise UsageError(
                f"--pattern: expected a regular expression (RE2's: no lookaround, no backreferences), got {item!r} ({problem})"
            )
    check_moment("--since", since)
    check_moment("--until", until)
    if utc_offset is not None and time_zone is not None:
        raise UsageError("expected --utc-offset or --time-zone, got both")
    stated: dict[str, Any] = {
        "format": log_format,
        "pattern": line_pattern,
        "time_form": time_form,
        "begins": begins,
        "utc_offset": utc_offset,
        "time_zone": time_zone,
        "columns": _pairs("--column", column),
        "levels": _pairs("--level", level),
    }
    looked = quicklook.look_at_log(
        _log_source(source, stated),
        patterns=pattern or [],
        before=_log_source(before, stated) if before else None,
        base=Path.cwd(),
        since=since,
        until=until,
    )
    if as_json:
        print(json.dumps(_log_as_json(looked), indent=2, default=str))
    else:
        # Whoever states a format wants to see what becomes of it.
        is_trial = log_format != "auto" or any((line_pattern, time_form, begins, column, level))
        _print_log(looked, with_first=is_trial)


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    """What an option says, by name.

    Raises:
        UsageError: it is no NAME=VALUE.
    """
    found = {}
    for item in given or []:
        name, sign, value = item.partition("=")
        if not (name and sign and value):
            raise UsageError(f"{option}: expected NAME=VALUE, got {item!r}")
        found[name] = value
    return found


def _log_source(source: str, stated: dict[str, Any]) -> LogSource:
    from pydantic import ValidationError

    from proofbook.config.log_uri import is_file
    from proofbook.config.sources import LogSource
    from proofbook.config.wanted import wanted

    # A file may be called like a short name.
    key = "file" if is_file(source) or Path(source).exists() else "source"
    try:
        return LogSource.model_validate({"name": "log", key: source, **stated})
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        option = OPTIONS.get(key, f"--{key}")
        # The source is no option, and its sentence says what it is, as one about several keys does.
        raise UsageError(wanted(first) if key in ("", "source") else f"{option}: {wanted(first)}") from None


PATTERN_COLUMNS = (
    "pattern",
    "affected before",
    "affected after",
    "per minute after",
    "lines without a time before",
    "lines without a time after",
)


# Of the places where requests failed or were refused, so many are shown.
MOST_FAILED = 10
FIRST_COLUMNS = {
    "timestamp": "time", "severity_text": "severity", "service_name": "service", "service_instance_id": "instance", "trace_id": "trace",
    "http_status": "status", "body": "body",
}  # fmt: skip


def _print_log(looked: Any, *, with_first: bool) -> None:
    """Prints what was read, what it covers and what stands in it. with_first: also the first entries as they were understood."""
    out = console()
    _print_reading(out, looked)
    if with_first:
        _print_first(out, looked)
    if len(looked.patterns):
        columns = [name for name in PATTERN_COLUMNS if name in looked.patterns]
        _print_table(out, "Patterns", looked.patterns, columns)
    failed = _failed(looked.requests)
    if len(failed):
        _print_table(out, "Requests answered with 4xx or 5xx", failed.head(MOST_FAILED), list(failed.columns))
    if looked.changes is not None:
        telling = looked.changes[~looked.changes["change"].isin(["same", "unsure"])]
        title = "What changed" if len(telling) else "No change beyond chance"
        _print_table(out, title, telling.head(20), ["change", "severity", "what", "before", "after", "p"])
        return
    exceptions = looked.kinds["kind"] == "exception"
    errors = looked.kinds["severity"].isin(["ERROR", "CRITICAL"])
    columns = ["severity", "what", "entries", "first", "last"]
    found = looked.kinds[exceptions | errors].head(20)
    if found.empty and len(failed):
        return
    _print_table(
        out, "Exceptions and errors" if len(found) else "No exceptions and no errors", found, columns
    )


def _failed(requests: Any) -> Any:
    """The requests that were refused or failed, by status and place; those that failed first."""
    rows = requests[requests["status"] >= 400]
    rows = rows.assign(of_server=rows["status"] >= 500).sort_values(
        "of_server", ascending=False, kind="stable"
    )
    shown = rows[["status", "method", "endpoint", "requests", "first", "last"]].astype(object)
    return shown.where(rows[shown.columns].notna(), "")


def _print_first(out: Console, looked: Any) -> None:
    rows = looked.first.assign(
        timestamp=looked.first["timestamp"].dt.strftime("%Y-%m-%d %H:%M:%S.%f"),
        body=looked.first["body"].str.slice(0, 160),
    )
    held = [name for name in FIRST_COLUMNS if rows[name].notna().any()]
    shown = rows[held].astype(object).where(rows[held].notna(), "").rename(columns=FIRST_COLUMNS)
    _print_table(out, "First entries", shown, list(shown.columns))
    if looked.lost:
        out.print()
        out.print("Not understood")
        for line in looked.lost:
            out.print(f"  {plain(line)}", soft_wrap=True)


def _print_reading(out: Console, looked: Any) -> None:
    reading, coverage = looked.reading, looked.coverage
    counts = ", ".join(f"{name} {count:,}" for name, count in reading.counts.items())
    unread = coverage.unread
    lost = f"; [red]{unread.in_words}[/], such as {plain(repr(reading.unparsed_sample))}"
    why = "; ".join(f"{sentence} ({code})" for code, sentence in coverage.reasons)
    if unread.lines and not why:
        why = f"{unread.in_words}, and what they say is in no count but that of the patterns"
    for line in (
        f"format     {reading.shape}",
        f"entries    {reading.read:,} read, {reading.duplicates:,} duplicates, {reading.joined:,} joined to a traceback, {reading.kept:,} kept"
        + (f", {reading.untimed:,} without a time of their own" if reading.untimed else "")
        + (lost if reading.unparsed else ""),
        *(f"assumed    {plain(item.in_words)}" for item in reading.assumed),
        f"severity   {counts}",
        *([f"requests   {_by_status(looked.requests)}"] if len(looked.requests) else []),
        f"span       {reading.first:%Y-%m-%d %H:%M:%S} to {reading.last:%Y-%m-%d %H:%M:%S} UTC, {in_words(coverage.covered_s, decimals=1)}; longest silence {in_words(coverage.longest_gap_s, decimals=1)}, unusual from {in_words(coverage.allowed_gap_s, decimals=1)}",
        f"coverage   {'[yellow]' + plain(why) + '[/]' if why else 'no gaps found'}",
    ):
        out.print(line, soft_wrap=True)


def _by_status(requests: Any) -> str:
    counts = requests.groupby("status")["requests"].sum()
    return f"{counts.sum():,} answered: " + ", ".join(
        f"{count:,} with {status}" for status, count in counts.items()
    )


def _print_table(out: Console, title: str, rows: Any, columns: list[str]) -> None:
    if rows.empty:
        out.print(f"\n{title}")
        return
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold" if name in ("what", "pattern", "body") else "ellipsis")
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
    tables = {
        "patterns": looked.patterns,
        "kinds": looked.kinds,
        "changes": looked.changes,
        "requests": looked.requests,
        "first": looked.first,
    }
    return {
        **told,
        "coverage": covered,
        "lost": looked.lost,
        **{
            name: None if table is None else json.loads(table.to_json(orient="records", date_format="iso"))
            for name, table in tables.items()
        },
    }
