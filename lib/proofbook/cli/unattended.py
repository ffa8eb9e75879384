"""Commands for unattended runs: due, notify, schedule, push."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proofbook import paths
from proofbook.cli.app import AsJson, app, say
from proofbook.cli.environments import chosen
from proofbook.cli.times import length_s
from proofbook.errors import (
    EXIT_CODES,
    EXIT_OVERDUE,
    ConfigurationError,
    CouldNotLook,
    UnknownName,
    UsageError,
)
from proofbook.redaction.unseen import visible

if TYPE_CHECKING:
    from proofbook.config.environment import Environment as LoadedEnvironment
    from proofbook.notify.deliver import Desk
    from proofbook.runs.due import Due


Environments = Annotated[
    list[str] | None,
    typer.Argument(metavar="ENV", help="Environments. Default: all that state `every`."),
]
Every = Annotated[
    str,
    typer.Option(
        "--every", metavar="DURATION", help="Time between runs. Default: the environment's `every`."
    ),
]
Grace = Annotated[
    str,
    typer.Option("--grace", metavar="DURATION", help="How late a run may be. Default: half of --every."),
]
TellsOfSilence = Annotated[
    bool, typer.Option("--notify", help="Tell the receivers of an overdue environment, once.")
]


@app.command()
def due(
    env: Environments = None,
    every: Every = "",
    grace: Grace = "",
    notify: TellsOfSilence = False,
    as_json: AsJson = False,
) -> None:
    """Say which environments have had no finished run in time. Exit 5 if there is one."""
    from proofbook.runs import due as dues
    from proofbook.runs import object_store

    base = paths.root()
    object_store.refresh(base=base)
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
    if notify:
        _tell_of(found, base)
        _send(base)
    raise typer.Exit(EXIT_OVERDUE if any(item.is_overdue for item in found) else 0)


def _send(base: Path) -> None:
    """Sends what was told to the object store; that it could not be changes no exit code."""
    from proofbook.runs import object_store

    try:
        object_store.send(base=base)
    except CouldNotLook as error:
        say(str(error))


def _tell_of(found: list[Due], base: Path) -> None:
    from proofbook.pipeline import afterwards

    for item in found:
        afterwards.tell_of_due(item, base=base, say=say)


@app.command()
def notify(
    env: Annotated[
        list[str] | None,
        typer.Argument(metavar="ENV", help="Environments. Default: all that name a receiver."),
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Send again what could not be delivered.")] = False,
    test: Annotated[bool, typer.Option("--test", help="Send a test message to every receiver.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what was told of an environment and what waits to be delivered. Exit 4 if something could not be delivered."""
    from proofbook.notify import deliver
    from proofbook.runs import object_store

    base, now = paths.root(), dt.datetime.now(dt.UTC)
    object_store.refresh(base=base)
    desks = _desks(env, base)
    if retry:
        for at in desks:
            deliver.retry(at, now=now)
        _send(base)
    answers = {at.environment.name: deliver.test(at, now=now) if test else {} for at in desks}
    found = [deliver.standing(at) for at in desks]
    if as_json:
        print(json.dumps([{**item.to_json(), "test": answers[item.environment]} for item in found], indent=2))
    else:
        for item in found:
            tried = [f"  {name}: {why or 'told'}" for name, why in answers[item.environment].items()]
            print(visible("\n".join([*item.lines(), *tried])))
    failed = any(why for answer in answers.values() for why in answer.values())
    raise typer.Exit(EXIT_CODES["error"] if failed or (retry and any(item.waits for item in found)) else 0)


def _desks(names: list[str] | None, base: Path) -> list[Desk]:
    """The desks of these environments, else of all that have one.

    Raises:
        UsageError: one has none, or there is none at all.
    """
    from proofbook.config import environment as environments
    from proofbook.notify import deliver

    meant = chosen(names, tags=(), base=base) if names else []
    loaded_all = {name: environments.load(name, base=base) for name in meant} if names else _all(base)
    found = []
    for name, loaded in loaded_all.items():
        at = deliver.desk(loaded, base=base, say=say)
        if at is not None:
            environments.keep_private(loaded, base=base)
            found.append(at)
        elif names:
            raise UsageError(
                f"environment {name} names nobody to tell; add [notify] with a receiver to its file"
            )
    if not found:
        raise UsageError(
            "expected an environment that names somebody to tell, found none; add [notify] with a receiver to a file"
        )
    return found


def _all(base: Path) -> dict[str, LoadedEnvironment]:
    """Every environment of the workspace that can be used; a mistake in the file of one is said, and hides no other."""
    from proofbook.config import environment as environments

    found = {}
    for name in chosen(["*"], tags=(), base=base) if paths.named("environments", base) else ():
        try:
            found[name] = environments.load(name, base=base)
        except ConfigurationError as error:
            say(str(error))
    return found


def _named(names: list[str] | None, every_s: float | None, base: Path) -> list[str]:
    """The environments that are meant: those named, else all that state `every`, else with --every all that have runs.

    Raises:
        UnknownName: one has neither a file nor a run. UsageError: nothing says which.
    """
    from proofbook.config import environment as environments
    from proofbook.runs.folders import environment_folders

    with_runs = {folder.name for folder in environment_folders(base)}
    if names:
        meant = [
            name
            for text in names
            for name in ([text] if text in with_runs else chosen([text], tags=(), base=base))
        ]
        for name in meant:
            if name not in with_runs:
                environments.find(name, base=base)
        return list(dict.fromkeys(name if name in with_runs else Path(name).stem for name in meant))
    if every_s is not None:
        found = sorted(with_runs)
    else:
        found = [name for name, loaded in _all(base).items() if loaded.every]
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


@app.command()
def schedule(
    env: Annotated[list[str], typer.Argument(metavar="ENV", help="One or more environments.")],
    form: Annotated[
        str,
        typer.Option(
            "--for", metavar="SCHEDULER", help="cron, systemd, github, gitlab, kubernetes or airflow."
        ),
    ],
    every: Every = "",
) -> None:
    """Print what a scheduler needs to run environments again and again. Installs nothing."""
    from proofbook.config import environment as environments
    from proofbook.schedule import plan
    from proofbook.schedule.forms import FORMS

    if form not in FORMS:
        raise UnknownName("scheduler", form, FORMS)
    base = paths.root()
    named = chosen(env, tags=(), base=base)
    loaded = [environments.load(name, base=base) for name in named]
    print(FORMS[form](plan.of(loaded, named, every=every, base=base)), end="")


@app.command()
def push(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN", help="Runs, also folders of runs elsewhere. Default: all that wait."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also over what somebody else wrote into the store meanwhile.")
    ] = False,
) -> None:
    """Send runs to the object store that keeps them, where that failed before. Exit 4 if something could not be sent."""
    from proofbook.runs import object_store
    from proofbook.runs.folders import find

    base = paths.root()
    if not paths.store():
        raise UsageError(
            "expected an object store to send runs to, found none; name it: PROOFBOOK_OUTPUTS=s3://BUCKET/PREFIX"
        )
    if force and not runs:
        raise UsageError("--force replaces what somebody else wrote, so it takes the runs that are meant")
    meant = [object_store.copied(find(run, base=base), base=base) for run in runs or ()]
    sent = object_store.send(base=base, runs=meant, force=force)
    for run in sent:
        print(f"sent {run}")
    if not sent:
        print(f"nothing waits: {paths.store()} has all runs that are here")
