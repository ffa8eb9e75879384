"""The command `suspects`: which service is at fault, by spans, logs and measurements."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proofbook.cli.app import AsJson, app, console, plain
from proofbook.cli.times import TIME, check_moment
from proofbook.errors import UsageError

if TYPE_CHECKING:
    from proofbook.investigation.services.suspects import Ranking

Spans = Annotated[
    list[str],
    typer.Option("--spans", metavar="FILE", help="Spans in question: OTLP, Jaeger or Zipkin JSON, or CSV; a file or a pattern."),
]  # fmt: skip
Logs = Annotated[
    list[str] | None, typer.Option("--logs", metavar="FILE", help="Log of the same time; any that `proofbook logs` reads.")
]  # fmt: skip
Metrics = Annotated[
    list[str] | None,
    typer.Option("--metrics", metavar="FILE", help="Metrics as CSV: time, instance, metric and value in columns."),
]  # fmt: skip
QuietSpans = Annotated[
    list[str] | None, typer.Option("--before", metavar="FILE", help="Spans of quiet time, for comparison.")
]
QuietLogs = Annotated[
    list[str] | None, typer.Option("--before-logs", metavar="FILE", help="Log of quiet time.")
]
QuietMetrics = Annotated[
    list[str] | None, typer.Option("--before-metrics", metavar="FILE", help="Metrics of quiet time.")
]
Since = Annotated[
    str,
    typer.Option(
        "--since", metavar="TIME", help=f"When it began: {TIME} the last trace; what lies before is quiet."
    ),
]
LONGEST_MEASURE = len("time on the way")
Shown = Annotated[int, typer.Option("--first", metavar="N", min=1, help="Number of services to show.")]


@app.command()
def suspects(
    spans: Spans,
    logs: Logs = None,
    metrics: Metrics = None,
    before: QuietSpans = None,
    before_logs: QuietLogs = None,
    before_metrics: QuietMetrics = None,
    since: Since = "",
    first: Shown = 5,
    as_json: AsJson = False,
) -> None:
    """Find the faulty service: rank services by what differs from quiet time, given what their callees do."""
    from proofbook.investigation.services import recording
    from proofbook.investigation.services.rank import rank

    check_moment("--since", since)
    if (before_logs or before_metrics) and not before:
        raise UsageError("expected --before with --before-logs and --before-metrics, got none; name the spans of quiet time")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="proofbook-") as name:
        folder = Path(name)
        given = recording.Exports(spans=tuple(spans), logs=tuple(logs or ()), measurements=tuple(metrics or ()))  # fmt: skip
        asked = recording.record(given, base=Path.cwd(), folder=folder / "looked")
        quiet = None
        if before:
            earlier = recording.Exports(spans=tuple(before), logs=tuple(before_logs or ()), measurements=tuple(before_metrics or ()))  # fmt: skip
            quiet = recording.record(earlier, base=Path.cwd(), folder=folder / "quiet")
        found = rank(asked.recorded, quiet=quiet.recorded if quiet else None, since=since or None)
    if as_json:
        print(json.dumps(dataclasses.asdict(found), indent=2, default=str))
        return
    unread = sum(part.spans.unread for part in (asked, quiet) if part)
    _print(found, unread=unread, first=first)


def _print(found: Ranking, *, unread: int, first: int) -> None:
    from proofbook.investigation.services import words

    out = console()
    out.print(plain(words.of_extent(found)), soft_wrap=True)
    if unread:
        out.print(f"[yellow]{unread:,} spans were not read: they have no readable id, service, start or length.[/]", soft_wrap=True)  # fmt: skip
    shown = found.suspects[:first]
    if not shown:
        out.print("No service differs from quiet time.")
    for place, suspect in enumerate(shown, start=1):
        service = plain(suspect.service).ljust(max(len(plain(item.service)) for item in shown))
        name = f"[bold red]{service}[/]" if suspect.called else service
        said = plain(words.of_suspect(suspect))
        out.print(f"{place:>2}  {name}  {suspect.measure.value:<{LONGEST_MEASURE}}  {suspect.score:>5.1f}  {said}", soft_wrap=True)  # fmt: skip
    out.print(plain(words.of_chance(found)), soft_wrap=True)
