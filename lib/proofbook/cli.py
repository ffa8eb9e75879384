"""The command line."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from proofbook import workspace
from proofbook.errors import (
    EXIT_CODES,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    CouldNotLook,
    ProofbookError,
    UnknownName,
    UsageError,
)

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
        "--case", help="Case: a name in notebooks/cases, or a TOML file. Default: the environment's own."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print what a program would read.")]
Yes = Annotated[bool, typer.Option("--yes", help="Probe a protected environment without asking.")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Notebooks executed at once.")]
Timeout = Annotated[float, typer.Option("--timeout-s", min=1, help="Longest time for one notebook.")]
Faults = Annotated[
    list[str] | None, typer.Option("--fault", help="Break the rehearsal on purpose; see: proofbook faults.")
]
WORST = ("pass", "inconclusive", "error", "fail")


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
    notebook: Annotated[
        list[str] | None, typer.Option("--notebook", help="Only these notebooks; the run is then partial.")
    ] = None,
    jobs: Jobs = 2,
    timeout_s: Timeout = 300.0,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Collect what is missing, judge, and write the report. The exit code is the verdict."""
    from proofbook import run as runs

    base = workspace.root()
    if run_id and len(env) > 1:
        raise UsageError("--run continues one run, so it takes one environment")
    for name in env if evidence is None else []:
        _ask(name, base, yes=yes)
    results = []
    for name in env:
        try:
            folder, content = runs.validate(
                name,
                case,
                run=run_id,
                evidence_path=evidence,
                notebooks=notebook or [],
                jobs=jobs,
                timeout_s=timeout_s,
                base=base,
                say=_say,
            )
        except CouldNotLook as error:
            # The other environments are still worth looking at.
            _say(str(error))
            results.append({"environment": name, "verdict": "error", "sentence": str(error)})
            continue
        results.append({"folder": str(folder), **content})
        if not as_json:
            _print_result(folder, content)
    if as_json:
        print(json.dumps(results, indent=2))
    raise typer.Exit(EXIT_CODES[max((content["verdict"] for content in results), key=WORST.index)])


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
    from proofbook import run as runs
    from proofbook.evidence import PHASES

    base = workspace.root()
    if phase not in PHASES:
        raise UnknownName("phase", phase, PHASES)
    if during is not None and phase != "rollout":
        raise UsageError(f"--during goes with --phase rollout, not with {phase}")
    _ask(env, base, yes=yes)
    _check_can_start(env, case, base, phase=phase)
    folder = runs.find(run_id, base=base) if run_id else runs.new_folder(Path(env).stem, base=base)
    runs.collect(
        env,
        case,
        phase,
        folder=folder,
        base=base,
        during=_deploy(during, base) if during else None,
        say=_say,
    )
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
    jobs: Jobs = 2,
    timeout_s: Timeout = 300.0,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Look again and again, with tests that allow for it, until it is decided. The exit code is the verdict."""
    from proofbook import run as runs
    from proofbook.watch import seconds

    base = workspace.root()
    every_s, for_s = seconds("--every", every), seconds("--for", length)
    _ask(env, base, yes=yes)
    folder, content = runs.watch(
        env,
        case,
        every_s=every_s,
        for_s=for_s,
        run=run_id,
        jobs=jobs,
        timeout_s=timeout_s,
        base=base,
        say=_say,
    )
    if as_json:
        print(json.dumps([{"folder": str(folder), **content}], indent=2))
    else:
        _print_result(folder, content)
    raise typer.Exit(EXIT_CODES[content["verdict"]])


@app.command()
def replay(
    run_id: Annotated[str, typer.Argument(metavar="RUN")], jobs: Jobs = 2, as_json: AsJson = False
) -> None:
    """Judge a run again from its evidence. Exit 1 and every difference if anything differs."""
    from proofbook import run as runs

    base = workspace.root()
    differences = runs.replay(runs.find(run_id, base=base), base=base, jobs=jobs, say=_say)
    if as_json:
        print(json.dumps({"identical": not differences, "differences": differences}, indent=2))
    else:
        for line in differences:
            print(line)
        print(
            f"{len(differences)} differences" if differences else "identical: every finding and every digest"
        )
    raise typer.Exit(1 if differences else 0)


@app.command()
def show(run_id: Annotated[str, typer.Argument(metavar="RUN")], as_json: AsJson = False) -> None:
    """Show a run's findings."""
    from proofbook import run as runs

    folder = runs.find(run_id, base=workspace.root())
    content = runs.read(folder)
    if as_json:
        print(json.dumps(content, indent=2))
        return
    table = Table("verdict", "claim", "what we saw", box=None, padding=(0, 2, 0, 0))
    for item in content["findings"]:
        table.add_row(_coloured(item["verdict"]), _plain(item["claim"]), _plain(item["statement"]))
    _console().print(table)
    _print_result(folder, content)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="A")],
    second: Annotated[str, typer.Argument(metavar="B")],
    as_json: AsJson = False,
) -> None:
    """Which findings differ between two runs. Exit 1 if any verdict does."""
    from proofbook import run as runs

    base = workspace.root()
    a, b = (runs.read(runs.find(name, base=base)) for name in (first, second))
    old, new = ({item["id"]: item["verdict"] for item in content["findings"]} for content in (a, b))
    changes = [
        (name, old.get(name, "—"), new.get(name, "—"))
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]
    if as_json:
        print(json.dumps([{"id": name, "first": was, "second": now} for name, was, now in changes], indent=2))
    else:
        for name, was, now in changes:
            print(f"{name}: {was} → {now}")
        if not changes:
            print(f"no verdict changed: {a['verdict']} and {b['verdict']} over {len(new)} findings")
    raise typer.Exit(1 if changes else 0)


@app.command()
def history(env: Environment, as_json: AsJson = False) -> None:
    """The runs of an environment, oldest first."""
    from proofbook import run as runs

    rows = runs.history(Path(env).stem, base=workspace.root())
    if as_json:
        print(
            json.dumps(
                [
                    {key: row[key] for key in ("run_id", "verdict", "reason", "sentence", "case", "started")}
                    for row in rows
                ],
                indent=2,
            )
        )
        return
    table = Table("run", "verdict", "in a sentence", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(row["run_id"], _coloured(row["verdict"]), _plain(row["sentence"]))
    _console().print(table if rows else f"no runs of {env} yet; start one: proofbook run {env}")


@app.command()
def logs(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A log export: a file, or a pattern such as 'logs/*.gz'.")
    ],
    before: Annotated[
        str | None, typer.Option("--before", help="A log from before, to see what changed.")
    ] = None,
    pattern: Annotated[
        list[str] | None, typer.Option("--pattern", help="Count requests that this regular expression hits.")
    ] = None,
    shape: Annotated[str, typer.Option("--shape", help="What the lines are; found out by default.")] = "auto",
    line_pattern: Annotated[
        str | None,
        typer.Option(
            "--line-pattern", help="A regular expression for lines of any other shape, with named groups."
        ),
    ] = None,
    utc_offset: Annotated[
        str | None, typer.Option("--utc-offset", help="The zone of times that name none, such as +00:00.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only from this time on, as RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Only up to this time, as RFC 3339.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read any log: its shape, what it covers, the exceptions and errors in it, and what changed."""
    from proofbook import look

    stated = {"shape": shape, "pattern": line_pattern, "utc_offset": utc_offset}
    looked = look.look_at_log(
        _log_source(file, stated),
        patterns=pattern or [],
        before=_log_source(before, stated) if before else None,
        base=Path.cwd(),
        since=_time("--since", since),
        until=_time("--until", until),
    )
    if as_json:
        print(json.dumps(_log_as_json(looked), indent=2, default=str))
    else:
        _print_log(looked)


@app.command()
def faults(as_json: AsJson = False) -> None:
    """The ways in which the rehearsal can be broken, or odd and well, and what an honest validation says of each."""
    from proofbook.rehearsal.faults import FAULTS, HEALTHY

    if as_json:
        print(
            json.dumps(
                [
                    {
                        name: getattr(fault, name)
                        for name in ("name", "what", "verdict", "finding", "why", "miss", "miss_because")
                    }
                    for fault in FAULTS.values()
                ]
                + [
                    {"name": well.name, "what": well.what, "verdict": well.verdict}
                    for well in HEALTHY.values()
                ],
                indent=2,
            )
        )
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("fault", "what it does", "verdict", "the finding that says so", "why", "chance to miss it"):
        # Names are what people copy from here: never cut.
        table.add_column(
            title, overflow="fold", no_wrap=title in ("fault", "verdict", "the finding that says so")
        )
    for fault in FAULTS.values():
        table.add_row(
            fault.name,
            fault.what,
            _coloured(fault.verdict),
            "\n".join(fault.finding),
            _plain(fault.why),
            f"{_chance(fault.miss)}: {fault.miss_because}",
        )
    _console().print(table)
    well = Table("odd but well", "what is odd", "verdict", box=None, padding=(0, 2, 0, 0))
    for variant in HEALTHY.values():
        well.add_row(variant.name, variant.what, _coloured(variant.verdict))
    _console().print()
    _console().print(well)


@app.command()
def rehearse(
    fault: Faults = None,
    hold: Annotated[
        bool, typer.Option("--hold", help="Stay with the build from before the fix until asked to deploy.")
    ] = False,
    deploy: Annotated[
        bool, typer.Option("--deploy", help="Ask the rehearsal that is up to roll out the fix, and wait.")
    ] = False,
) -> None:
    """Keep a rehearsal up until Ctrl-C: before the fix for 15 s, then with it."""
    names = _known_faults(fault)
    base = workspace.root()
    up = workspace.outputs(base) / "rehearsal" / "up"
    if deploy:
        stack = _rehearsal()
        print(f"deployed {stack.request_deployment(up, faults=names)}")
        return
    if (up / "pid").exists() and _alive(int((up / "pid").read_text() or 0)):
        raise UsageError(
            f"a rehearsal is up already (process {(up / 'pid').read_text()}); end it first, or roll out with: proofbook rehearse --deploy"
        )
    asyncio.run(_keep_up(up, names, hold=hold))


@app.command()
def demo(fault: Faults = None, jobs: Jobs = 2, as_json: AsJson = False) -> None:
    """Rehearse a deployment of the fix and validate it: the whole way in about a minute."""
    from proofbook import run as runs

    _known_faults(fault)
    base = workspace.root()
    up = workspace.outputs(base) / "rehearsal" / "up"
    program = [sys.executable, "-m", "proofbook.cli", "rehearse"]
    chosen = [part for name in fault or [] for part in ("--fault", name)]
    with _rehearsal_process([*program, "--hold", *chosen], up):
        folder = runs.new_folder("rehearsal", base=base)
        runs.collect("rehearsal", "", "before", folder=folder, base=base, say=_say)
        runs.collect(
            "rehearsal",
            "",
            "rollout",
            folder=folder,
            base=base,
            during=_deploy(shlex.join([*program, "--deploy", *chosen]), base),
            say=_say,
        )
        runs.collect("rehearsal", "", "after", folder=folder, base=base, say=_say)
    folder, content = runs.validate(
        "rehearsal",
        "",
        run=str(folder),
        evidence_path=None,
        notebooks=[],
        jobs=jobs,
        timeout_s=300.0,
        base=base,
        say=_say,
    )
    if as_json:
        print(json.dumps({"folder": str(folder), **content}, indent=2))
    else:
        _print_result(folder, content)
    raise typer.Exit(EXIT_CODES[content["verdict"]])


class _rehearsal_process:
    """A rehearsal in a process of its own, ended on leaving."""

    def __init__(self, command: list[str], up: Path) -> None:
        self._command, self._up = command, up

    def __enter__(self) -> None:
        import subprocess

        pid_file, state = self._up / "pid", self._up / "state.json"
        if pid_file.exists() and _alive(int(pid_file.read_text() or 0)):
            raise UsageError("a rehearsal is up already; end it first: the demo brings up its own")
        state.unlink(missing_ok=True)
        _say("rehearsal: starting the build from before the fix")
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + 60
        while not state.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise CouldNotLook(
                    "expected the rehearsal to come up within 60 s, but it did not; try: proofbook rehearse"
                )
            time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)


async def _keep_up(up: Path, faults: list[str], *, hold: bool) -> None:
    stack = _rehearsal().Stack(up)
    stopped = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stopped.set)
    try:
        await stack.start()
        print(f"up: addresses and tokens are in {workspace.shown(up)}; Ctrl-C ends it", flush=True)
        serving = asyncio.create_task(_serve(stack, faults, hold=hold))
        await asyncio.wait(
            {serving, asyncio.create_task(stopped.wait())}, return_when=asyncio.FIRST_COMPLETED
        )
        if serving.done():
            serving.result()
        serving.cancel()
    finally:
        await stack.stop()


async def _serve(stack: Any, faults: list[str], *, hold: bool) -> None:
    if not hold:
        await asyncio.sleep(15)
        await stack.deploy("after", faults)
        print("the fix is deployed", flush=True)
    await stack.serve()


def _log_source(file: str, stated: dict[str, Any]) -> Any:
    from pydantic import ValidationError

    from proofbook.environment import LogSource

    try:
        return LogSource.model_validate({"name": "log", "file": file, **stated})
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0] if first["loc"] else "file").replace(
            "pattern", "line-pattern"
        ).replace("_", "-")
        raise UsageError(
            f"{option}: {str(first['msg']).removeprefix('Value error, ').replace('Input should be', 'expected')}"
        ) from None


def _time(option: str, text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option}: expected a time such as 2026-11-24T09:40:00Z, got {text!r}") from None
    if found.tzinfo is None:
        raise UsageError(f"{option}: expected a time with its zone, such as {text}Z, got {text!r}")
    return found


def _print_log(looked: Any) -> None:
    console, reading = _console(), looked.reading
    counts = ", ".join(f"{name} {count:,}" for name, count in reading.counts.items())
    lost = f"; [red]{reading.unparsed:,} lines could not be parsed[/], such as {_plain(repr(reading.unparsed_sample))}"
    console.print(f"shape      {reading.shape}")
    console.print(
        f"entries    {reading.read:,} read, {reading.duplicates:,} twice, {reading.joined:,} joined to the traceback they continue, {reading.kept:,} kept"
        + (lost if reading.unparsed else ""),
        soft_wrap=True,
    )
    console.print(f"severity   {counts}")
    console.print(
        f"span       {reading.first:%Y-%m-%d %H:%M:%S} to {reading.last:%Y-%m-%d %H:%M:%S} UTC, {looked.coverage.covered_s:,.1f} s; longest silence {looked.coverage.longest_gap_s:,.1f} s, {looked.coverage.allowed_gap_s:,.1f} s would be unusual"
    )
    why = "; ".join(f"{sentence} ({code})" for code, sentence in looked.coverage.reasons)
    console.print(
        f"coverage   {'[yellow]' + _plain(why) + '[/]' if why else 'nothing speaks against it'}",
        soft_wrap=True,
    )
    if len(looked.signatures):
        _print_table(
            console,
            "Patterns",
            looked.signatures,
            [
                name
                for name in ("pattern", "affected before", "affected after", "per minute after")
                if name in looked.signatures
            ],
        )
    if looked.changes is not None:
        telling = looked.changes[~looked.changes["change"].isin(["same", "unsure"])]
        title = "What changed" if len(telling) else "Nothing changed that luck would not explain"
        _print_table(console, title, telling.head(20), ["change", "severity", "what", "before", "after", "p"])
    else:
        wrong = looked.kinds[
            (looked.kinds["kind"] == "exception") | (looked.kinds["severity"].isin(["ERROR", "CRITICAL"]))
        ]
        _print_table(
            console, "Exceptions and errors", wrong.head(20), ["severity", "what", "entries", "first", "last"]
        )


def _print_table(console: Console, title: str, rows: Any, columns: list[str]) -> None:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold" if name in ("what", "pattern") else "ellipsis")
    for row in rows[columns].itertuples(index=False):
        table.add_row(*(_plain(_cell(value)) for value in row))
    console.print()
    console.print(table)


def _cell(value: Any) -> str:
    if hasattr(value, "strftime"):
        return str(value.strftime("%H:%M:%S"))
    return (
        f"{value:.2g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )


def _log_as_json(looked: Any) -> dict[str, Any]:
    reading = looked.reading
    told = {name: getattr(reading, name) for name in reading.__slots__ if name != "path"}
    covered = {
        "covered_s": looked.coverage.covered_s,
        "longest_gap_s": looked.coverage.longest_gap_s,
        "reasons": looked.coverage.reasons,
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


def _rehearsal() -> Any:
    try:
        from proofbook.rehearsal import stack
    except ImportError as error:
        raise UsageError(
            f"the rehearsal needs {error.name}, which is not installed; install it with: pip install 'proofbook[rehearsal]'"
        ) from None
    return stack


async def _deploy(command: str, base: Path) -> None:
    """Runs the deploying command; that it fails is an error of ours, not of the service."""
    process = await asyncio.create_subprocess_exec(
        *shlex.split(command), cwd=workspace.home(base), stdin=asyncio.subprocess.DEVNULL, stdout=sys.stderr
    )
    if await process.wait() != 0:
        raise CouldNotLook(
            f"the deploying command ended with exit code {process.returncode}: {shlex.split(command)[0]}"
        )


def _known_faults(names: list[str] | None) -> list[str]:
    from proofbook.rehearsal.faults import FAULTS, HEALTHY

    for name in names or []:
        if name not in FAULTS | HEALTHY:
            raise UnknownName("fault", name, FAULTS | HEALTHY)
    return names or []


def _check_can_start(env: str, case: str, base: Path, *, phase: str) -> None:
    """Everything that can be known without the network, before a folder is made."""
    from proofbook import book
    from proofbook.collect.session import Session
    from proofbook.judge import owed

    where, what = book.load(env, case, base=base)
    owed.check_files(where, what)
    if phase == "after":
        owed.check_deployed(what, now=dt.datetime.now(dt.UTC))
    Session(where, base=base)


def _ask(env: str, base: Path, *, yes: bool) -> None:
    from proofbook import environment as environments

    where = environments.load(env, base=base)
    if not where.protected or yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"environment {env} is protected: say --yes to probe it")
    if not typer.confirm(f"{env} is protected. Probe it?"):
        raise UsageError("not probed")


def _alive(pid: int) -> bool:
    return pid > 0 and Path(f"/proc/{pid}").exists()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def _print_result(folder: Path, content: dict[str, Any]) -> None:
    console = _console()
    console.print(
        f"{_coloured(content['verdict'])} · {content['environment']} · {_plain(content['sentence'])}"
    )
    report = folder / "report.html"
    if report.exists():
        console.print(f"report: {workspace.shown(report)}", soft_wrap=True)


def _coloured(verdict: str) -> str:
    colour = {"pass": "green", "fail": "red", "inconclusive": "yellow", "error": "magenta"}[verdict]
    mark = {"pass": "✔", "fail": "✘", "inconclusive": "?", "error": "!"}[verdict]
    return f"[bold {colour}]{mark} {verdict}[/]"


def _chance(share: float) -> str:
    return "none" if share == 0 else f"below {share:.2g}" if share < 0.0001 else f"{share:.2%}"


def _plain(text: str) -> str:
    """Text from outside, so that its brackets are not taken for markup."""
    return text.replace("[", "\\[")


def main() -> None:
    """Runs a command; a user's mistake gives one sentence, never a traceback."""
    # Being ended by a scheduler is an interruption like any other: children are ended, the run is marked.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = app(standalone_mode=False)
    except ProofbookError as error:
        print(str(error), file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        show = getattr(error, "show", None)
        if show is None:
            raise
        # A usage error of the command line itself.
        show()
        sys.exit(EXIT_USAGE)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
