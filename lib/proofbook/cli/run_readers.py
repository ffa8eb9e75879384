"""Commands that read runs: show, report, verify, compare, history, prune, baseline, accept."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from proofbook import paths
from proofbook.cli.app import (
    AsJson,
    Assets,
    InconclusiveAs,
    app,
    coloured,
    console,
    options,
    plain,
    print_result,
)
from proofbook.cli.times import length_s
from proofbook.config.durations import UNITS_S
from proofbook.errors import CouldNotLook, UnknownName, UsageError
from proofbook.redaction.unseen import visible

Run = Annotated[
    str, typer.Argument(metavar="RUN", help="A run: its id, the beginning of one, `last`, or its folder.")
]


@app.command()
def show(run_id: Run, as_json: AsJson = False) -> None:
    """Show a run's findings."""
    from proofbook.runs import record
    from proofbook.runs.folders import match

    folder = match(run_id, base=paths.root())
    found = record.read(folder)
    if as_json:
        print(json.dumps(found.to_json(), indent=2))
        return
    table = Table("verdict", "claim", "what we saw", box=None, padding=(0, 2, 0, 0))
    for item in found.findings:
        table.add_row(coloured(item.verdict.value), plain(item.claim), plain(item.statement))
    console().print(table)
    print_result(folder, found)


@app.command()
def report(
    run_id: Run,
    mail: Annotated[
        bool,
        typer.Option("--mail", help="Also a body for a mail: no script, charts as pictures, under 100 kB."),
    ] = False,
    charts: Annotated[
        bool, typer.Option("--charts/--no-charts", help="With or without pictures in the mail.")
    ] = True,
    assets: Assets = "inline",
    inconclusive_as: InconclusiveAs = "failure",
) -> None:
    """Render a run's report again from its findings."""
    from proofbook.pipeline import steps
    from proofbook.report import mail as mails
    from proofbook.runs import object_store
    from proofbook.runs.folders import match

    base = paths.root()
    folder = match(run_id, base=base)
    found = steps.render(folder, options=options(assets, inconclusive_as), base=base)
    print(f"report: {paths.shown(folder / 'report.html')}")
    if mail:
        path, without = mails.write(folder, run=found, with_charts=charts)
        left_out = f"; left out for size: {', '.join(without)}" if without else ""
        print(
            f"mail: {paths.shown(path)} and {path.with_suffix('.eml').name}, {path.stat().st_size:,} bytes{left_out}"
        )
    object_store.send(base=base, environment=folder.parent.name)


@app.command()
def verify(
    what: Annotated[
        str, typer.Argument(metavar="RUN_OR_REPORT", help="A run, or a report that someone sent.")
    ],
    as_json: AsJson = False,
) -> None:
    """Verify the digests of a run or a report. Exit 1 on any difference.

    A digest finds what was altered by accident or carelessly; who alters a report on purpose can write a new digest into it,
    so compare it with the run.
    """
    from proofbook.runs import verify as verifying
    from proofbook.runs.folders import match

    path = Path(what)
    answers = verifying.report(path) if paths.is_file(path) else verifying.run(match(what, base=paths.root()))
    if as_json:
        print(json.dumps([{"what": answer.what, "held": answer.held} for answer in answers], indent=2))
    else:
        for answer in answers:
            console().print(
                f"{'[green]✔[/]' if answer.held else '[red]✘[/]'} {plain(answer.what)}", soft_wrap=True
            )
    raise typer.Exit(0 if all(answer.held for answer in answers) else 1)


@app.command()
def compare(
    first: Annotated[
        str,
        typer.Argument(metavar="RUN_A", help="The older run: its id, the beginning of one, or its folder."),
    ],
    second: Annotated[str, typer.Argument(metavar="RUN_B", help="The newer run.")],
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Write the comparison as a page.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the findings of two runs, with the size and significance of each difference. Exit 1 if a verdict differs."""
    from proofbook.files import replace_text
    from proofbook.report import comparison
    from proofbook.runs import diff as changing
    from proofbook.runs import record
    from proofbook.runs.folders import match

    base = paths.root()
    a, b = (record.read(match(name, base=base)) for name in (first, second))
    changes = changing.between(a.findings, b.findings)
    if html is not None:
        try:
            replace_text(Path(html), comparison.page(changes, first=a, second=b))
        except OSError as error:
            raise UsageError(
                f"--html: expected a file that can be written, got {html} ({error.strerror})"
            ) from None
    if as_json:
        print(json.dumps(comparison.as_json(changes), indent=2))
    else:
        lines = comparison.in_text(changes)
        for line in lines:
            print(visible(line))
        if not any(change.verdict_changed for change in changes):
            print(f"no verdict changed: {a.verdict.value} and {b.verdict.value} over {len(changes)} findings")
    raise typer.Exit(1 if any(change.verdict_changed for change in changes) else 0)


@app.command()
def history(
    env: Annotated[str | None, typer.Argument(metavar="ENV", help="Only this environment.")] = None,
    last: Annotated[
        int,
        typer.Option("--last", metavar="N", min=1, help="Number of newest runs to print; --json prints all."),
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest runs, oldest first, and update outputs/index.html."""
    from proofbook.report import index

    base = paths.root()
    entries = index.read(base=base)
    if env is not None:
        entries = [entry for entry in entries if entry.environment == Path(env).stem]
    if as_json:
        names = ("run_id", "environment", "case", "verdict", "reason", "sentence", "started")
        print(json.dumps([{name: getattr(entry, name) for name in names} for entry in entries], indent=2))
        return
    if not entries:
        print(f"no runs{f' of {env}' if env else ''} yet; start one: proofbook run {env or 'ENV'}")
        return
    table = Table(
        "run",
        *([] if env else ["environment"]),
        "case",
        "verdict",
        "in a sentence",
        box=None,
        padding=(0, 2, 0, 0),
    )
    for entry in entries[-last:]:
        place = [] if env else [entry.environment]
        table.add_row(entry.run_id, *place, entry.case, coloured(entry.verdict), plain(entry.sentence))
    console().print(table)
    if len(entries) > last:
        print(f"the last {last} of {len(entries)} runs; more: proofbook history --last {len(entries)}")
    print(f"page: {paths.shown(paths.outputs(base) / index.PAGE)}")


@app.command()
def prune(
    keep: Annotated[
        int,
        typer.Option(
            "--keep", metavar="N", min=1, help="Number of newest runs to keep, per environment and case."
        ),
    ],
    env: Annotated[str | None, typer.Argument(metavar="ENV", help="Only this environment.")] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="DURATION", help="Only runs older than this: 36h, 90d."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it the runs are only listed.")] = False,
) -> None:
    """Delete old runs, except the newest passed and the newest failed one."""
    from proofbook.evidence import baseline as baselines
    from proofbook.report import index
    from proofbook.runs import history as past
    from proofbook.runs import object_store

    base = paths.root()
    every = index.read(base=base)
    entries = [entry for entry in every if env is None or entry.environment == Path(env).stem]
    if env is not None and not entries:
        raise UnknownName("environment with runs", env, {entry.environment for entry in every})
    kept = {baselines.pinned(paths.outputs(base) / entry.environment) for entry in entries}
    gone = past.prunable(
        entries,
        keep=keep,
        pinned=kept,
        older_than_days=None if older_than is None else length_s("--older-than", older_than) / UNITS_S["d"],
    )
    for entry in gone:
        print(f"{entry.environment}/{entry.run_id} {entry.verdict}")
    if not gone:
        print(f"nothing to delete: {len(entries)} runs, all within --keep {keep}")
        return
    if not yes:
        print(f"{len(gone)} of {len(entries)} runs would be deleted; to do so: add --yes")
        return
    done = past.prune(gone, base=base)
    object_store.remove(base=base, runs=[f"{entry.environment}/{entry.run_id}" for entry in gone])
    index.read(base=base)
    print(f"deleted {done.runs} runs, {done.freed_bytes / 1e6:,.1f} MB")
    if done.problems:
        raise CouldNotLook("\n".join(f"not deleted: {problem}" for problem in done.problems))


@app.command()
def baseline(
    run_id: Run,
    end: Annotated[bool, typer.Option("--end", help="Unpin the baseline.")] = False,
) -> None:
    """Pin a run as the baseline: the evidence from before for later runs of its environment."""
    from proofbook.evidence import baseline as pins
    from proofbook.runs import object_store
    from proofbook.runs.folders import match

    base = paths.root()
    folder = match(run_id, base=base)
    if end:
        pins.unpin(folder.parent)
        object_store.send(base=base, environment=folder.parent.name)
        print(f"no run of {folder.parent.name} is pinned any more")
        return
    phase = pins.pin(folder)
    object_store.send(base=base, environment=folder.parent.name)
    print(
        f"{phase} of run {folder.name} counts as before for later runs of {folder.parent.name}; end that with: proofbook baseline {folder.name} --end"
    )


@app.command()
def accept(
    run_id: Run,
    finding: Annotated[str, typer.Argument(metavar="FINDING", help="The id of a finding that did not pass.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who accepts it.")],
    until: Annotated[
        dt.datetime,
        typer.Option(
            "--until", metavar="YYYY-MM-DD", formats=["%Y-%m-%d"], help="The last day on which that counts."
        ),
    ],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why it may stay for so long.")],
) -> None:
    """Accept a finding as a known issue until a date. It is still shown and changes no verdict."""
    from proofbook.runs import known_issues, object_store, record
    from proofbook.runs.folders import match

    base = paths.root()
    folder = match(run_id, base=base)
    today = dt.datetime.now(dt.UTC).date()
    item = known_issues.accept(
        record.read(folder),
        finding,
        environment=folder.parent,
        by=by,
        until=until.date(),
        why=why,
        today=today,
    )
    object_store.send(base=base, environment=folder.parent.name)
    print(f"{finding}: {item.in_words()}; its verdict stays what it is")
