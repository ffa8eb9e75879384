"""Commands that probe a system and judge it: run, try, collect, watch, replay."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
import os
import re
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proofbook import paths
from proofbook.cli import environments, results
from proofbook.cli import run_options as given
from proofbook.cli.app import (
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
    print_report,
    print_result,
    print_summary,
    say,
)
from proofbook.cli.results import Result, end_with_worst
from proofbook.errors import EXIT_CODES, CouldNotLook, UnknownName, UsageError
from proofbook.execution import loading
from proofbook.redaction.unseen import visible

if TYPE_CHECKING:
    from proofbook.cli.cluster import Cluster
    from proofbook.execution.executor import Orders
    from proofbook.pipeline.steps import Options as RunOptions
    from proofbook.pipeline.try_options import Options
    from proofbook.validation import Validation


@app.command()
def run(
    env: given.Environments = None,
    tag: given.Tags = None,
    case: Case = "",
    run_id: given.Continue = None,
    evidence: given.Evidence = None,
    before: Before = "",
    notebook: given.Notebooks = None,
    jobs: Jobs = 0,
    timeout_s: Timeout = 300.0,
    run_timeout: given.RunTimeout = "",
    total_timeout: given.TotalTimeout = "",
    cluster: given.ClusterAddress = "",
    yes: Yes = False,
    assets: Assets = "inline",
    inconclusive_as: InconclusiveAs = "failure",
    metrics: given.MetricsFile = "",
    as_json: AsJson = False,
) -> None:
    """Collect missing evidence, judge it and write the report. The exit code is the verdict."""
    with loading.quickly():
        from proofbook.pipeline import steps

    base = paths.root()
    limits = given.limits(jobs, run_timeout=run_timeout, total_timeout=total_timeout)
    names = environments.chosen(env or (), tags=tag or (), base=base)
    if run_id and len(names) > 1:
        raise UsageError("--run continues one run, so it takes one environment")
    files = options(assets, inconclusive_as)
    how = steps.Options(
        notebooks=notebook or (), jobs=jobs, timeout_s=timeout_s, files=files, to_job=len(names) == 1
    )
    asked = _Asked(
        base=base, case=case, yes=yes, run=run_id, evidence=evidence, before=before, metrics=given.from_here(metrics), options=how,
    )  # fmt: skip
    asked.check()
    if cluster:
        more = {"jobs": jobs, "timeout-s": timeout_s, "run-timeout": run_timeout, "assets": assets, "junit-inconclusive": inconclusive_as}  # fmt: skip
        there = asked.elsewhere(cluster, more, command_s=limits.command_s)
    many = results.Many(
        base=base,
        as_json=as_json,
        limits=limits,
        loads_first=evidence is not None,
        cluster=there if cluster else None,
    )
    found = many.results(names, asked.prepare, asked.execute)
    if len(names) > 1:
        results.write_all(
            dict(zip(names, found, strict=True)), base=base, inconclusive_as=inconclusive_as, say=say
        )
    end_with_worst(found, as_json=as_json)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Asked:
    """What `run` asks of each of its environments."""

    base: Path
    case: str
    yes: bool
    run: str | None
    evidence: str | None
    before: str
    metrics: str
    options: RunOptions

    def check(self) -> None:
        """Finds what is wrong for every environment alike.

        Raises:
            UsageError: there is no such notebook or evidence.
        """
        from proofbook.execution import selection
        from proofbook.pipeline import steps

        if self.evidence is not None:
            steps.evidence_of(self.evidence, base=self.base)
        selection.select(self.options.notebooks, base=self.base)

    def elsewhere(self, address: str, more: dict[str, object], *, command_s: float | None) -> Cluster:
        """The cluster that does the same. more: the options of `run` that are nothing but handed on.

        Raises:
            UsageError: a run that is there already cannot be continued on a cluster.
        """
        from proofbook.cli.cluster import Cluster, words_of
        from proofbook.pipeline import steps

        if not re.fullmatch(r"[a-z]+://\S+:\d+", address):
            raise UsageError(
                f"--cluster: expected the address of a Dask scheduler such as tcp://10.0.0.5:8786, got {address!r}"
            )
        if self.run:
            raise UsageError("--run continues a run on this machine, so it does not go with --cluster")
        evidence = str(steps.evidence_of(self.evidence, base=self.base)) if self.evidence else ""
        case = str(Path(self.case).resolve()) if self.case.endswith(".toml") else self.case
        same = {"case": case, "evidence": evidence, "before": self.before, "notebook": list(self.options.notebooks)}  # fmt: skip
        # Whoever was asked here about a protected environment has answered.
        words = words_of({**same, **more, "yes": True})
        return Cluster(address=address, words=words, base=self.base, command_s=command_s)

    def prepare(self, name: str) -> Validation:
        if self.evidence is None:
            _confirm_protected(name, self.base, yes=self.yes)
        return _load(name, self.case, self.base)

    def execute(self, asked: Validation, orders: Orders | None, say: Callable[[str], None]) -> Result:
        from proofbook.pipeline import afterwards
        from proofbook.pipeline.validate import validate

        is_news = not (self.evidence or self.options.notebooks)
        following = afterwards.followed(
            asked, base=self.base, say=say, is_news=is_news, metrics_file=self.metrics
        )
        with following as after:
            folder, found = validate(
                asked,
                run=self.run,
                evidence_path=self.evidence,
                before=self.before,
                orders=orders,
                options=dataclasses.replace(self.options, say=say),
            )
        return Result.of(folder, found).not_stored(after.not_stored)


@app.command("try")
def try_url(
    url: given.Url,
    ws: given.WebSocketPath = "",
    dialect: given.Dialect = "",
    header: given.Headers = None,
    query: given.Query = None,
    origin: given.Origin = "",
    subprotocol: given.Subprotocols = None,
    token_env: given.TokenVariable = "",
    logs: given.Logs = "",
    gone: given.Gone = None,
    since: given.Since = "",
    within: given.Within = "",
    ca_file: given.CaFile = "",
    cert: given.Certificate = "",
    key: given.Key = "",
    server_name: given.ServerName = "",
    jobs: Jobs = 0,
    as_json: AsJson = False,
) -> None:
    """Validate any service without a configuration file. The exit code is the verdict."""
    # Before anything heavy is loaded, so that it is there at once.
    # Nothing was checked yet: what stands before an @ may be a password, and what follows a ? or # a secret.
    page, *rest = re.split(r"[?#]", url, maxsplit=1)
    say(f"probing · {'the service' if '@' in ''.join(rest) else page.rpartition('@')[2]}")
    from proofbook.cli.times import length_s, moment
    from proofbook.config.log_uri import is_file
    from proofbook.paths import from_here
    from proofbook.pipeline import try_options

    base, now = paths.root(), dt.datetime.now(dt.UTC)
    wanted = try_options.Options(
        url=url,
        ws=ws,
        dialect=dialect,
        headers=tuple(header or ()),
        query=tuple(query or ()),
        origin=origin,
        subprotocols=tuple(subprotocol or ()),
        token_env=token_env,
        logs=from_here(logs, base=base) if is_file(logs) else logs,
        gone=tuple(gone or ()),
        ca_file=from_here(ca_file, base=base),
        cert_file=from_here(cert, base=base),
        key_file=from_here(key, base=base),
        server_name=server_name,
        since=moment("--since", since, now=now) if since else None,
        within_s=length_s("--within", within) if within else None,
    )
    try_options.check(wanted, token=os.environ.get(token_env, "") if token_env else "", now=now)
    _end_with_quickstart(wanted, base=base, jobs=jobs, as_json=as_json)


def _end_with_quickstart(wanted: Options, *, base: Path, jobs: int, as_json: bool) -> None:
    """Validates by the two files that `try` writes, and ends the command with the exit code of the verdict."""
    from proofbook.evidence import store
    from proofbook.pipeline import quickstart, steps
    from proofbook.pipeline.validate import validate
    from proofbook.runs import object_store

    until = None if wanted.within_s is None else time.monotonic() + wanted.within_s
    files = quickstart.prepare(wanted, base=base, say=say)

    def answer(folder: Path) -> Validation:
        quickstart.propose_examples(wanted, files, store.read(folder / "evidence"))
        # With the examples that were just written into the case.
        asked = _load(str(files.environment), str(files.case), base)
        found, summary = steps.first_findings(folder, asked)
        quickstart.note_held(files, found)
        if not as_json:
            print_summary(summary)
            say("writing the report")
        return asked

    try:
        asked = _load(str(files.environment), str(files.case), base)
        how = steps.Options(jobs=jobs, until=until, say=say)
        folder, judged = validate(asked, once_recorded=answer, options=how)
    finally:
        quickstart.drop_passing(files)
    object_store.send(base=base, environment=asked.environment.name)
    if as_json:
        print(json.dumps({"folder": str(folder), **judged.to_json()}, indent=2))
    else:
        print_report(folder)
    raise typer.Exit(EXIT_CODES[judged.verdict.value])


@app.command()
def collect(
    env: Environment,
    phase: given.Phase,
    case: Case = "",
    run_id: given.AddTo = None,
    during: given.During = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Record one phase of evidence, such as before a deployment, and print the run's id."""
    from proofbook.evidence.store import PHASES
    from proofbook.pipeline import steps
    from proofbook.runs import object_store
    from proofbook.runs.folders import find, new_folder

    base = paths.root()
    if phase not in PHASES:
        raise UnknownName("phase", phase, PHASES)
    if during is not None and phase != "rollout":
        raise UsageError(f"--during goes with --phase rollout, not with {phase}")
    _confirm_protected(env, base, yes=yes)
    asked = _check_can_start(env, case, base, phase=phase)
    folder = find(run_id, base=base) if run_id else new_folder(Path(env).stem, base=base)
    steps.collect(asked, phase, folder=folder, during=deploy_with(during, base) if during else None, say=say)
    object_store.send(base=base, environment=asked.environment.name)
    print(
        json.dumps({"run": folder.name, "folder": str(folder)})
        if as_json
        else f"recorded {phase} in run {folder.name}; go on with: proofbook run {env} --run {folder.name}"
    )


@app.command()
def watch(
    env: Environment,
    case: Case = "",
    every: given.Every = "5m",
    length: given.For = "24h",
    run_id: given.ContinueWatch = None,
    before: Before = "",
    jobs: Jobs = 0,
    timeout_s: Timeout = 300.0,
    yes: Yes = False,
    assets: Assets = "inline",
    inconclusive_as: InconclusiveAs = "failure",
    as_json: AsJson = False,
) -> None:
    """Validate in rounds until the verdict is clear. The exit code is the verdict."""
    from proofbook.cli.times import length_s
    from proofbook.pipeline import afterwards, steps
    from proofbook.pipeline import watch as watching

    base = paths.root()
    every_s, for_s = length_s("--every", every), length_s("--for", length)
    _confirm_protected(env, base, yes=yes)
    how = steps.Options(jobs=jobs, timeout_s=timeout_s, files=options(assets, inconclusive_as), say=say)
    asked = _load(env, case, base)
    with afterwards.followed(asked, base=base, say=say) as after:
        folder, found = watching.watch(
            asked, every_s=every_s, for_s=for_s, run=run_id, before=before, options=how
        )
    if not as_json:
        print_result(folder, found)
    end_with_worst([Result.of(folder, found).not_stored(after.not_stored)], as_json=as_json)


@app.command()
def replay(
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", help="A run: its id, the beginning of one, `last`, or its folder.")
    ],
    jobs: Jobs = 0,
    as_json: AsJson = False,
) -> None:
    """Judge a run again from its evidence and print every difference. Exit 1 on any difference."""
    from proofbook.pipeline import replay as replays
    from proofbook.runs.folders import match

    base = paths.root()
    differences = replays.replay(match(run_id, base=base), base=base, jobs=jobs, say=say)
    if as_json:
        print(json.dumps({"identical": not differences, "differences": differences}, indent=2))
    else:
        for line in differences:
            print(visible(line))
        print(
            f"{len(differences)} differences" if differences else "identical: every finding and every digest"
        )
    raise typer.Exit(1 if differences else 0)


async def deploy_with(command: str, base: Path) -> None:
    """Runs the deploy command; its failure is an error of the run, not of the service."""
    process = await asyncio.create_subprocess_exec(
        *shlex.split(command), cwd=paths.home(base), stdin=asyncio.subprocess.DEVNULL, stdout=sys.stderr
    )
    if await process.wait() != 0:
        raise CouldNotLook(
            f"the deploy command {shlex.split(command)[0]} ended with exit code {process.returncode}"
        )


def _check_can_start(env: str, case: str, base: Path, *, phase: str) -> Validation:
    """The validation, once everything is checked that needs no network; no folder is made yet."""
    from proofbook.collect.session import Session
    from proofbook.config import consistency

    asked = _load(env, case, base)
    if phase == "after":
        consistency.check_deployed(asked.case, now=dt.datetime.now(dt.UTC))
    Session(asked.environment, base=base)
    return asked


def _load(env: str, case: str, base: Path) -> Validation:
    """The validation of an environment and a case, loaded late."""
    from proofbook.validation import Validation

    return Validation.load(env, case, base=base)


def _confirm_protected(env: str, base: Path, *, yes: bool) -> None:
    """Asks before a protected environment is probed.

    Raises:
        UsageError: nobody can be asked, or the answer is no.
    """
    from proofbook.config import environment as environments

    if yes or not environments.load(env, base=base).protected:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"environment {env} is protected; confirm with --yes")
    if not typer.confirm(f"{env} is protected. Probe it?"):
        raise UsageError(f"aborted: you declined to probe the protected environment {env}")
