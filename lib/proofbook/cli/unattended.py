"""Commands for runs that nobody looks at: whether they came, who is told, and what a scheduler needs."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proofbook import paths
from proofbook.cli.app import AsJson, app
from proofbook.cli.times import length_s
from proofbook.errors import EXIT_OVERDUE, UsageError
from proofbook.redaction.unseen import visible

if TYPE_CHECKING:
    from proofbook.runs.due import Due


@app.command()
def due(
    env: Annotated[
        list[str] | None,
        typer.Argument(metavar="ENV…", help="Environments. Default: all that state `every`."),
    ] = None,
    every: Annotated[
        str,
        typer.Option(
            "--every",
            metavar="DURATION",
            help="Expected time between runs. Default: the environment's `every`.",
        ),
    ] = "",
    grace: Annotated[
        str,
        typer.Option("--grace", metavar="DURATION", help="How late a run may be. Default: half of --every."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say which environments have had no finished run in time. Exit 5 if there is one."""
    from proofbook.runs import due as dues

    base = paths.root()
    every_s = length_s("--every", every) if every else None
    grace_s = length_s("--grace", grace) if grace else None
    now = dt.datetime.now(dt.UTC)
    found = [
        dues.of(name, every_s=_every_s(name, every_s, base), grace_s=grace_s, now=now, base=base)
        for name in _named(env, every_s, base)
    ]
    dues.note(found, base=base)
    if as_json:
        print(json.dumps([_as_json(item) for item in found], indent=2))
    else:
        for item in found:
            print(visible(item.in_words()))
    raise typer.Exit(EXIT_OVERDUE if any(item.is_overdue for item in found) else 0)


def _named(names: list[str] | None, every_s: float | None, base: Path) -> list[str]:
    """The environments that are meant: those named, else all that state `every`, else with --every all that have runs.

    Raises:
        UnknownName: one has neither a file nor a run. UsageError: nothing says which.
    """
    from proofbook.config import environment as environments
    from proofbook.runs.folders import environment_folders

    with_runs = {folder.name for folder in environment_folders(base)}
    if names:
        for name in names:
            if name not in with_runs:
                environments.find(name, base=base)
        return [name if name in with_runs else Path(name).stem for name in names]
    if every_s is not None:
        found = sorted(with_runs)
    else:
        found = [
            name for name in paths.named("environments", base) if environments.load(name, base=base).every
        ]
    if not found:
        raise UsageError(
            'expected environments, got none and none states how often it runs; name them, or write every = "1h" into their files'
        )
    return found


def _every_s(name: str, stated_s: float | None, base: Path) -> float:
    """How often a run of an environment is expected, in seconds.

    Raises:
        UsageError: neither the command nor its file says so.
    """
    from proofbook.config import durations
    from proofbook.config import environment as environments

    if stated_s is not None:
        return stated_s
    stated = environments.load(name, base=base).every
    if not stated:
        raise UsageError(
            f'expected to know how often {name} runs; say it: --every 1h, or every = "1h" in its file'
        )
    return durations.seconds(stated)


def _as_json(item: Due) -> dict[str, object]:
    last = item.last and {
        "run_id": item.last.run_id,
        "ended": item.last.ended.isoformat(),
        "verdict": item.last.verdict.value,
        "sentence": item.last.sentence,
    }
    return {
        "environment": item.environment,
        "overdue": item.is_overdue,
        "every_s": item.every_s,
        "grace_s": item.grace_s,
        "due_by": item.by and item.by.isoformat(),
        "last": last,
        "sentence": item.in_words(),
    }
