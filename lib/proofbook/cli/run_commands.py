"""Commands that look at a system and judge it."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proofbook import paths
from proofbook.cli.app import (
    WORST,
    AsJson,
    Assets,
    Before,
    Case,
    Environment,
    InconclusiveAs,
    Jobs,
    Timeout,
    Yes,
    app,
    options,
    print_opening,
    print_report,
    print_result,
    say,
)
from proofbook.errors import EXIT_CODES, CouldNotLook, UnknownName, UsageError

if TYPE_CHECKING:
    from proofbook.runs.record import JsonObject
    from proofbook.validation import Validation


@app.command()
def run(
    env: Annotated[list[str], typer.Argument(metavar="ENV…", help="One or more environments.")],
    case: Case = "",
    run_id: Annotated[
        str | None,
        typer.Option("--run", help="Continue this run: judge what was recorded, collect what is missing."),
    ] = None,
    evidence: Annotated[
        str | None, typer.Option("--evidence", help="Judge this evidence instead of collecting.")
    ] = None,
    before: Before = "",
    notebook: Annotated[
        list[str] | None, typer.Option("--notebook", help="Only these notebooks; the run is then partial.")
    ] = None,
    jobs: Jobs = 2,
    timeout_s: Timeout = 300.0,
    yes: Yes = False,
    assets: Assets = "inline",
    inconclusive_as: InconclusiveAs = "failure",
    as_json: AsJson = False,
) -> None:
    """Collect what is missing, judge, and write the report. The exit code is the verdict."""
    from proofbook.pipeline import steps
    from proofbook.pipeline import validate as runs
    from proofbook.runs import unexpected
    from proofbook.validation import Validation

    base = paths.root()
    if run_id and len(env) > 1:
        raise UsageError("--run continues one run, so it takes one environment")
    for name in env if evidence is None else []:
        _ask(name, base, yes=yes)
    how = steps.Options(
        notebooks=notebook or (),
        jobs=jobs,
        timeout_s=timeout_s,
        files=options(assets, inconclusive_as),
        say=say,
    )
    results: list[JsonObject] = []
    for name in env:
        try:
            asked = Validation.load(name, case, base=base)
            folder, found = runs.validate(
                asked, run=run_id, evidence_path=evidence, before=before, options=how
            )
        except UsageError:
            raise
        except Exception as error:
            # The other environments are still worth looking at.
            sentence = str(error if isinstance(error, CouldNotLook) else unexpected.keep(error, base=base))
            say(sentence)
            results.append({"environment": name, "verdict": "error", "sentence": sentence})
            continue
        results.append({"folder": str(folder), **found.to_json()})
        if not as_json:
            print_result(folder, found)
    if as_json:
        print(json.dumps(results, indent=2))
    raise typer.Exit(EXIT_CODES[max((str(content["verdict"]) for content in results), key=WORST.index)])


@app.command("try")
def try_url(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="The service, such as https://api.example.com; with its health path if it is unusual.",
        ),
    ],
    ws: Annotated[str, typer.Option("--ws", metavar="PATH", help="A WebSocket on it, such as /ws.")] = "",
    token_env: Annotated[
        str, typer.Option("--token-env", metavar="NAME", help="The variable that holds a token for it.")
    ] = "",
    logs: Annotated[
        str,
        typer.Option(
            "--logs",
            metavar="SOURCE",
            help="Its log: a file, -, or a short name such as gcp:PROJECT/SERVICE; all of them: proofbook logs --list.",
        ),
    ] = "",
    gone: Annotated[
        list[str] | None,
        typer.Option(
            "--gone",
            metavar="PATTERN",
            help="What the defect wrote into the log, or its close code: must be gone.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="When the fix was deployed: 2026-11-24T20:00:00Z, or 3h ago. Default: found in the log.",
        ),
    ] = None,
    within: Annotated[
        str | None,
        typer.Option(
            "--within", metavar="TIME", help="How long it may take; decides what can be shown: 2m, 10m."
        ),
    ] = None,
    ca_file: Annotated[str, typer.Option("--ca", metavar="FILE", help="A private CA.")] = "",
    jobs: Jobs = 2,
    as_json: AsJson = False,
) -> None:
    """A first answer about any service, without a file. The exit code is the verdict."""
    from proofbook.pipeline import steps

    # Before anything heavy is loaded, so that it is there at once.
    say(f"look · {url.rpartition('@')[2]}")
    from proofbook.cli.times import length_s, moment
    from proofbook.config.log_uri import is_file
    from proofbook.evidence import store as evidence
    from proofbook.paths import from_here
    from proofbook.pipeline import quickstart
    from proofbook.pipeline import validate as runs
    from proofbook.validation import Validation

    base, now = paths.root(), dt.datetime.now(dt.UTC)
    question = quickstart.Question(
        url=url,
        ws=ws,
        token_env=token_env,
        logs=from_here(logs, base=base) if is_file(logs) else logs,
        gone=tuple(gone or ()),
        ca_file=from_here(ca_file, base=base),
        since=None if since is None else moment("--since", since, now=now),
        within_s=None if within is None else length_s("--within", within),
    )
    token = os.environ.get(token_env, "") if token_env else ""
    quickstart.check(question, token=token, now=now)
    files = quickstart.prepare(question, base=base, say=say)

    def asked() -> Validation:
        return Validation.load(str(files.environment), str(files.case), base=base)

    def answer(folder: Path) -> Validation:
        quickstart.propose_examples(question, files, evidence.read(folder / "evidence"))
        # With the examples that were just written into the case.
        found = asked()
        if not as_json:
            print_opening(steps.first_screen(folder, found))
            say("writing the report")
        return found

    folder, judged = runs.validate(asked(), once_recorded=answer, options=steps.Options(jobs=jobs, say=say))
    if as_json:
        print(json.dumps({"folder": str(folder), **judged.to_json()}, indent=2))
    else:
        print_report(folder)
    raise typer.Exit(EXIT_CODES[judged.verdict.value])


@app.command()
def collect(
    env: Environment,
    phase: Annotated[str, typer.Option("--phase", help="before, rollout or after.")],
    case: Case = "",
    run_id: Annotated[
        str | None, typer.Option("--run", help="Add the phase to this run. Default: a new one.")
    ] = None,
    during: Annotated[
        str | None, typer.Option("--during", help="rollout: the command that deploys; watched until it ends.")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Record evidence, before a deployment say, and print the run to continue with."""
    from proofbook.evidence.store import PHASES
    from proofbook.pipeline import steps
    from proofbook.runs.folders import find, new_folder

    base = paths.root()
    if phase not in PHASES:
        raise UnknownName("phase", phase, PHASES)
    if during is not None and phase != "rollout":
        raise UsageError(f"--during goes with --phase rollout, not with {phase}")
    _ask(env, base, yes=yes)
    asked = _check_can_start(env, case, base, phase=phase)
    folder = find(run_id, base=base) if run_id else new_folder(Path(env).stem, base=base)
    steps.collect(asked, phase, folder=folder, during=deploy_with(during, base) if during else None, say=say)
    print(
        json.dumps({"run": folder.name, "folder": str(folder)})
        if as_json
        else f"recorded {phase} in run {folder.name}; go on with: proofbook run {env} --run {folder.name}"
    )


@app.command()
def watch(
    env: Environment,
    case: Case = "",
    every: Annotated[
        str, typer.Option("--every", help="Time from one look to the next: 90s, 5m, 1h.")
    ] = "5m",
    length: Annotated[str, typer.Option("--for", help="How long at most: 30m, 24h.")] = "24h",
    run_id: Annotated[
        str | None,
        typer.Option("--run", help="Go on with this watch, or watch after what this run recorded before."),
    ] = None,
    before: Before = "",
    jobs: Jobs = 2,
    timeout_s: Timeout = 300.0,
    yes: Yes = False,
    assets: Assets = "inline",
    inconclusive_as: InconclusiveAs = "failure",
    as_json: AsJson = False,
) -> None:
    """Look again and again, with tests that allow for it, until it is decided. The exit code is the verdict."""
    from proofbook.cli.times import length_s
    from proofbook.pipeline import steps
    from proofbook.pipeline import watch as watching
    from proofbook.validation import Validation

    base = paths.root()
    every_s, for_s = length_s("--every", every), length_s("--for", length)
    _ask(env, base, yes=yes)
    how = steps.Options(jobs=jobs, timeout_s=timeout_s, files=options(assets, inconclusive_as), say=say)
    folder, found = watching.watch(
        Validation.load(env, case, base=base),
        every_s=every_s,
        for_s=for_s,
        run=run_id,
        before=before,
        options=how,
    )
    if as_json:
        print(json.dumps([{"folder": str(folder), **found.to_json()}], indent=2))
    else:
        print_result(folder, found)
    raise typer.Exit(EXIT_CODES[found.verdict.value])


@app.command()
def replay(
    run_id: Annotated[str, typer.Argument(metavar="RUN")], jobs: Jobs = 2, as_json: AsJson = False
) -> None:
    """Judge a run again from its evidence. Exit 1 and every difference if anything differs."""
    from proofbook.pipeline import replay as replays
    from proofbook.runs.folders import find

    base = paths.root()
    differences = replays.replay(find(run_id, base=base), base=base, jobs=jobs, say=say)
    if as_json:
        print(json.dumps({"identical": not differences, "differences": differences}, indent=2))
    else:
        for line in differences:
            print(line)
        print(
            f"{len(differences)} differences" if differences else "identical: every finding and every digest"
        )
    raise typer.Exit(1 if differences else 0)


async def deploy_with(command: str, base: Path) -> None:
    """Runs the deploying command; that it fails is an error of ours, not of the service."""
    process = await asyncio.create_subprocess_exec(
        *shlex.split(command), cwd=paths.home(base), stdin=asyncio.subprocess.DEVNULL, stdout=sys.stderr
    )
    if await process.wait() != 0:
        raise CouldNotLook(
            f"the deploying command ended with exit code {process.returncode}: {shlex.split(command)[0]}"
        )


def _check_can_start(env: str, case: str, base: Path, *, phase: str) -> Validation:
    """What is asked, when everything that can be known without the network is known, before a folder is made."""
    from proofbook.collect.session import Session
    from proofbook.config import consistency
    from proofbook.validation import Validation

    asked = Validation.load(env, case, base=base)
    if phase == "after":
        consistency.check_deployed(asked.case, now=dt.datetime.now(dt.UTC))
    Session(asked.environment, base=base)
    return asked


def _ask(env: str, base: Path, *, yes: bool) -> None:
    from proofbook.config import environment as environments

    where = environments.load(env, base=base)
    if not where.protected or yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"environment {env} is protected: say --yes to probe it")
    if not typer.confirm(f"{env} is protected. Probe it?"):
        raise UsageError("not probed")
