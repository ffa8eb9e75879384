"""Commands of the rehearsal: demo, rehearse, faults."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from subprocess import TimeoutExpired
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from proofbook import paths
from proofbook.cli.app import AsJson, Faults, Jobs, app, coloured, console, plain, print_result, say
from proofbook.cli.run_commands import deploy_with
from proofbook.errors import EXIT_CODES, CouldNotLook, UnknownName, UsageError

if TYPE_CHECKING:
    from proofbook.rehearsal.faults import Fault


@app.command()
def faults(as_json: AsJson = False) -> None:
    """List the faults and the healthy variants of the rehearsal, with the expected verdict of each."""
    from proofbook.rehearsal.faults import FAULTS, HEALTHY

    if as_json:
        names = ("name", "what", "verdict", "finding", "why", "miss", "miss_because")
        told = [{name: getattr(fault, name) for name in names} for fault in FAULTS.values()]
        told += [{name: getattr(well, name) for name in names[:3]} for well in HEALTHY.values()]
        print(json.dumps(told, indent=2))
        return
    console().print(_table_of_faults(FAULTS))
    well = Table("healthy variant", "difference", "verdict", box=None, padding=(0, 2, 0, 0))
    for variant in HEALTHY.values():
        well.add_row(variant.name, variant.what, coloured(variant.verdict))
    console().print()
    console().print(well)


def _table_of_faults(faults: Mapping[str, Fault]) -> Table:
    """What each fault does, and which finding says so."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("fault", "effect", "verdict", "finding", "why", "chance to miss it"):
        # Names are what people copy from here: never cut.
        table.add_column(title, overflow="fold", no_wrap=title in ("fault", "verdict", "finding"))
    for fault in faults.values():
        table.add_row(
            fault.name,
            fault.what,
            coloured(fault.verdict),
            "\n".join(fault.finding),
            plain(fault.why),
            f"{_chance(fault.miss)}: {fault.miss_because}",
        )
    return table


def _up(base: Path) -> Path:
    """The folder with the files that `environments/rehearsal.toml` names, wherever runs are kept."""
    return paths.home(base) / "outputs" / "rehearsal" / "up"


@app.command()
def rehearse(
    fault: Faults = None,
    hold: Annotated[
        bool, typer.Option("--hold", help="Keep the build without the fix until --deploy.")
    ] = False,
    deploy: Annotated[
        bool, typer.Option("--deploy", help="Deploy the fix in the running rehearsal and wait for it.")
    ] = False,
) -> None:
    """Run a staging stack on this machine until Ctrl-C: 15 s with two defects, then with their fix."""
    names = _known_faults(fault)
    base = paths.root()
    up = _up(base)
    if deploy:
        stack = _rehearsal()
        print(f"deployed {stack.request_deployment(up, faults=names)}")
        return
    if (up / "pid").exists() and _alive(int((up / "pid").read_text() or 0)):
        raise UsageError(
            f"a rehearsal is already running (process {(up / 'pid').read_text()}); end it first, or deploy the fix with: proofbook rehearse --deploy"
        )
    _rehearsal()
    from proofbook.rehearsal import lifeline

    if os.environ.pop(lifeline.VARIABLE, ""):
        lifeline.end_with_parent(grace_s=3.0)
    asyncio.run(_keep_up(up, names, hold=hold))


@app.command()
def demo(fault: Faults = None, jobs: Jobs = 2, as_json: AsJson = False) -> None:
    """Deploy a fix on a staging stack on this machine and validate it, in about a minute."""
    from proofbook.pipeline import steps
    from proofbook.pipeline import validate as runs
    from proofbook.runs import object_store
    from proofbook.runs.folders import new_folder
    from proofbook.validation import Validation

    _known_faults(fault)
    base = paths.root()
    up = _up(base)
    program = [sys.executable, "-m", "proofbook.cli", "rehearse"]
    chosen = [part for name in fault or [] for part in ("--fault", name)]
    with _rehearsal_process([*program, "--hold", *chosen], up):
        folder = new_folder("rehearsal", base=base)
        asked = Validation.load("rehearsal", base=base)
        steps.collect(asked, "before", folder=folder, say=say)
        steps.collect(
            asked,
            "rollout",
            folder=folder,
            during=deploy_with(shlex.join([*program, "--deploy", *chosen]), base),
            say=say,
        )
        steps.collect(asked, "after", folder=folder, say=say)
    folder, found = runs.validate(asked, run=str(folder), options=steps.Options(jobs=jobs, say=say))
    object_store.send(base=base, environment="rehearsal")
    if as_json:
        print(json.dumps({"folder": str(folder), **found.to_json()}, indent=2))
    else:
        print_result(folder, found)
    raise typer.Exit(EXIT_CODES[found.verdict.value])


class _rehearsal_process:
    """A rehearsal in a process of its own; leaving the context ends it."""

    def __init__(self, command: list[str], up: Path) -> None:
        self._command, self._up = command, up

    def __enter__(self) -> None:
        import subprocess

        from proofbook.rehearsal import lifeline

        pid_file, state = self._up / "pid", self._up / "state.json"
        if pid_file.exists() and _alive(int(pid_file.read_text() or 0)):
            raise UsageError("a rehearsal is already running; end it first, since the demo starts its own")
        state.unlink(missing_ok=True)
        say("rehearsal · starting the build without the fix")
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,  # which ends with this process, and the rehearsal with it
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, lifeline.VARIABLE: "1"},
        )
        try:
            while not state.exists():
                if self._process.poll() is not None:
                    raise CouldNotLook("the rehearsal ended while it started; to see why: proofbook rehearse")
                time.sleep(0.1)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except TimeoutExpired:
            self._process.kill()  # what it started ends with it
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


async def _keep_up(up: Path, faults: list[str], *, hold: bool) -> None:
    stack = _rehearsal().Stack(up)
    stopped = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stopped.set)
    try:
        await stack.start()
        print(f"running: addresses and tokens are in {paths.shown(up)}; Ctrl-C ends it", flush=True)
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


def _rehearsal() -> Any:
    try:
        from proofbook.rehearsal import stack
    except ImportError as error:
        raise UsageError(
            f"the rehearsal needs {error.name}, which is not installed; install it with: pip install 'proofbook[rehearsal]'"
        ) from None
    return stack


def _known_faults(names: list[str] | None) -> list[str]:
    from proofbook.rehearsal.faults import FAULTS, HEALTHY

    for name in names or []:
        if name not in FAULTS | HEALTHY:
            raise UnknownName("fault", name, FAULTS | HEALTHY)
    return names or []


def _alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, and is somebody else's
    return True


def _chance(share: float) -> str:
    return "none" if share == 0 else f"below {share:.2g}" if share < 0.0001 else f"{share:.2%}"
