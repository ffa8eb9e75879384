"""The command `look`: what went wrong in a log or run, since when, what is different about it, and who is affected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from proofbook.cli.app import AsJson, app
from proofbook.cli.times import BEFORE_END, check_moment
from proofbook.redaction.unseen import visible

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="Log, short name of a log, run (its id, the beginning of one, last), folder, or environment, whose logs are read now. Default: an incident made up for practice.",
    ),
]
Before = Annotated[
    str, typer.Option("--before", metavar="SOURCE", help="Log or run from before, to compare with.")
]
Since = Annotated[
    str,
    typer.Option("--since", metavar="TIME", help=f"Start of the window: {BEFORE_END}."),
]
Until = Annotated[str, typer.Option("--until", metavar="TIME", help=f"End of the window: {BEFORE_END}.")]
Where = Annotated[
    str,
    typer.Option(
        "--where", metavar="CONDITION", help="What is in question, such as 'status>=500'. Default: wrong."
    ),
]

Html = Annotated[str, typer.Option("--html", metavar="FILE", help="Write it as one page that opens offline.")]


@app.command()
def look(
    source: Source = "",
    before: Before = "",
    since: Since = "",
    until: Until = "",
    where: Where = "",
    as_json: AsJson = False,
    html: Html = "",
) -> None:
    """Look at a log or run: what went wrong, since when, what changed, what is different about it, who is affected."""
    check_moment("--since", since)
    check_moment("--until", until)
    if html:
        _write(html, {"source": source, "before": before, "since": since, "until": until, "where": where})
        return
    from proofbook.investigation import look as looking
    from proofbook.investigation.display import overview

    found = looking.look(source, before=before or None, since=since or None, until=until or None)
    bad = found.where(where or "wrong")
    answers = {
        "started": bad.started(),
        "changes": found.changes(),
        "differs": bad.differs(),
        "who": bad.who(),
    }
    if found.records.has_probes:
        answers["probes"] = found.probes()
    if as_json:
        told = {"look": overview.to_json(found.overview)} | {
            name: item.to_json() for name, item in answers.items()
        }
        print(json.dumps(told, indent=2))
        return
    for shown in (found, *answers.values()):
        print(_lines(repr(shown)))
        print()


def _lines(text: str) -> str:
    """Text of a log, of which nothing steers the terminal; its lines stay lines."""
    return "\n".join(visible(line) for line in text.split("\n"))


def _write(to: str, parameters: dict[str, str]) -> None:
    from proofbook import paths
    from proofbook.execution.executor import Executor
    from proofbook.investigation import page

    with Executor() as executor:
        page.write(Path(to), executor=executor, base=paths.root(), parameters=parameters)
    print(f"look: {to}")
