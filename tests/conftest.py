"""Real parts for the tests: a workspace of its own, and the practice stack on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeVar

import anew
import command_line
import compiled
import disks
import guard
import machine
import pytest
import side_by_side
import trying
from hypothesis import HealthCheck, settings

from proofbook.config.json_schema import skip_iri_grammar
from proofbook.judge.findings import Verdict
from proofbook.judge.verdict import Overall
from proofbook.rehearsal.faults import FAULTS, HEALTHY
from proofbook.selfcheck.trial import Trial, judge

# Every process compiles what it imports, and a worker every test with its assertions, unless one before it wrote that down.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Nothing that is collected is garbage: `pytest_collection_finish` goes on.
gc.disable()

ROOT = Path(__file__).parent.parent
# Whole runs, kernels, browsers, engines and servers of others: all of it is slow.
SYSTEM = ROOT / "tests" / "system"
Judged = TypeVar("Judged")
# As small as a case may be.
SHORT_CASE = """
[[fix]]
title = "Recursion in asyncio.sleep"
deployed = "auto"
before = "auto"
[[fix.symptom]]
log = "RecursionError"
[[fix.symptom]]
close_code = 1011
"""


WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
GUARD = guard.Guard() if not WORKER else None
HEALTHY_LOCK = pytest.StashKey[TextIO]()


# Before a test module imports what loads it: Proofbook does without, and it takes two seconds.
skip_iri_grammar()


# How long examples take says how busy the machine is, and nothing about the code.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")
# Of `--fast`: a tenth of the examples that a property has in `make test`.
settings.register_profile("fast", settings.default, max_examples=settings.default.max_examples // 10)
# The processor time beyond which a test is named there, so that its author sees that it is slow; an idle machine takes half of it.
FAST_S = 0.6
TOOK = "seconds of the processor"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast",
        action="store_true",
        help="no test that is slow, a tenth of the examples of a property, and one case of a test that has more",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--fast"):
        settings.load_profile("fast")
        # None of its commands executes notebooks or writes a report.
        command_line.MODULES[:] = [
            name for name in command_line.MODULES if name not in ("nbconvert", "loaded")
        ]
    if not WORKER and config.getoption("numprocesses", None) and not config.getoption("--fast"):
        compiled.ahead(config, ROOT)
    if WORKER:
        # Workers ignore Ctrl-C, and so would every program that a test starts.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if WORKER not in side_by_side.REHEARSING:
            os.nice(side_by_side.NICE)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.INTERRUPTED:
        # Whoever interrupts wants the prompt, not what was slow and which of a thousand tests were skipped.
        session.config.option.durations = None
        told: Any = session.config.pluginmanager.get_plugin("terminalreporter")
        if told is not None:
            told.reportchars = ""


def pytest_keyboard_interrupt() -> None:
    if GUARD is not None:
        GUARD.interrupted()


def pytest_unconfigure(config: pytest.Config) -> None:
    command_line.end()
    if machine.ROOM in config.stash:
        config.stash[machine.ROOM].close()
        config.stash[anew.STOOD].close()
    if GUARD is not None:
        GUARD.leave()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return side_by_side.scheduler(config, log)


def shares(item: pytest.Item) -> bool:
    """Whether it has a fixture that is made once for its module."""
    found = getattr(item, "_fixtureinfo", None)
    return bool(found) and any(made.scope == "module" for made_by in found.name2fixturedefs.values() for made in made_by)  # fmt: skip


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """None of tests/system with `--fast`: every worker would import it to leave it out."""
    return True if collection_path == SYSTEM and config.getoption("--fast") else None


def needs(item: pytest.Item, fixture: str) -> bool:
    return fixture in getattr(item, "fixturenames", ())


def lasts_s(item: pytest.Item) -> float:
    """How long a test takes that says so; a minute where it says only that it is long."""
    marker = item.get_closest_marker("long")
    return 0.0 if marker is None else float(*marker.args or (60,))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests with a rehearsal come first; of the others what takes longest, then what needs the evidence that a rehearsal records, and last what is fast."""
    for item in beyond_usual_cases(items):
        item.add_marker("extended")
    for item in items:
        if needs(item, "rehearsal") or needs(item, "healthy_evidence"):
            item.add_marker("rehearsal")
        if (
            SYSTEM in item.path.parents
            or needs(item, "start")
            or any(item.get_closest_marker(name) for name in ("rehearsal", "long", "browser"))
        ):
            item.add_marker("slow")
            # What they reach is not counted: counting makes them slower, and most of it is reached by other processes.
            item.add_marker("no_cover")
    items.sort(
        key=lambda item: (
            not needs(item, "rehearsal"),
            item.get_closest_marker("slow") is None,
            -lasts_s(item),
            needs(item, "healthy_evidence"),
        )
    )
    if config.getoption("--fast"):
        left_out = ("slow", "extended")
        kept = sampled([item for item in items if not any(map(item.get_closest_marker, left_out))])
        chosen = {id(item) for item in kept}
        config.hook.pytest_deselected(items=[item for item in items if id(item) not in chosen])
        items[:] = kept


def sampled(items: list[pytest.Item]) -> list[pytest.Item]:
    """Of the cases of each test the first, in the order of the items."""
    chosen = {id(cases[0]) for cases in by_test(items)}
    return [item for item in items if id(item) in chosen]


def beyond_usual_cases(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    """The cases of tests that say how many of theirs are usual, but for as many."""
    for cases in by_test(items):
        if marker := cases[0].get_closest_marker("usual_cases"):
            usual = {id(item) for item in evenly(cases, *marker.args)}
            yield from (item for item in cases if id(item) not in usual)


def by_test(items: list[pytest.Item]) -> list[list[pytest.Item]]:
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    return list(cases.values())


def evenly(cases: list[pytest.Item], count: int) -> list[pytest.Item]:
    """Of some cases the first, the last where more than one is wanted, and what lies evenly between."""
    return [cases[round(number * (len(cases) - 1) / max(1, count - 1))] for number in range(count)]


# Before pytest-xdist's own, which tells the process that shares out that it may begin.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    session.config.stash[machine.ROOM] = machine.Room(shared_folder(session.config))
    session.config.stash[anew.STOOD] = anew.Stood()
    if WORKER:
        ids = [item.nodeid for item in session.items if needs(item, "rehearsal")]
        side_by_side.tell(
            rehearsing=ids,
            waiting=[item.nodeid for item in session.items if item.get_closest_marker("waits")],
            together={item.nodeid: item.location[0] for item in session.items if shares(item)},
        )
        if ids and side_by_side.REHEARSING[0] == WORKER:
            # Held until it has recorded what is healthy, so that no other worker brings up a rehearsal for that.
            session.config.stash[HEALTHY_LOCK] = locked(session.config)
            session.config.stash[machine.ROOM].leave()
    # Thousands of tests and the modules that they are in live to the end, and looking through them for garbage takes as long
    # as ten tests, also once.
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    room = item.config.stash[machine.ROOM]
    room.enter()
    try:
        # With a rehearsal a test asks anew by itself, with more patience each time.
        turns = 1 if needs(item, "rehearsal") else anew.TURNS
        anew.run(item, nextitem, stood=item.config.stash[anew.STOOD], room=room, turns=turns)
    finally:
        room.leave()
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    before = time.process_time()
    try:
        return (yield)
    finally:
        if item.config.getoption("--fast"):
            item.user_properties.append((TOOK, time.process_time() - before))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Names the tests that a machine which stood still had to run anew, and those of `--fast` that are not."""
    told = [report for kind in ("passed", "failed", "error", "skipped") for report in terminalreporter.getreports(kind)]  # fmt: skip
    properties = [pair for report in told for pair in getattr(report, "user_properties", ())]
    if anew_for := list(dict.fromkeys(said for name, said in properties if name == anew.RAN_ANEW)):
        terminalreporter.section("failed while the machine stood still, and ran anew")
        for said in anew_for:
            terminalreporter.line(said)
    took = {
        report.nodeid: dict(report.user_properties).get(TOOK, 0.0)
        for report in terminalreporter.getreports("passed")
    }
    if long := sorted((name for name in took if took[name] > FAST_S), key=lambda name: -took[name]):
        terminalreporter.section(f"more than {FAST_S} s of processor time: mark them slow")
        for name in long:
            terminalreporter.line(f"{took[name]:.1f} s  {name}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    try:
        return (yield)
    finally:
        up = item.config.stash.get(UP, None)
        if up is not None and needs(item, "rehearsal") and not (nextitem and needs(nextitem, "rehearsal")):
            # Its users would go on to ask while all other tests run.
            del item.config.stash[UP]
            up.wait(up.trial.stop(), timeout_s=60)


def shared_folder(config: pytest.Config) -> Path:
    """Of all workers of this run."""
    own: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    return own.parent if WORKER else own


def locked(config: pytest.Config) -> TextIO:
    """The lock on recording the healthy evidence, once no other worker has it; closing it gives it back, and so does the end."""
    file = (shared_folder(config) / "healthy.lock").open("w")
    with config.stash[machine.ROOM].outside():
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def made_once(config: pytest.Config, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that one worker makes for all of them, whole or not at all; nobody may alter it."""
    folder = shared_folder(config) / name
    whole = folder / ".whole"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            whole.touch()
    return folder


def publish(config: pytest.Config, evidence: Path) -> None:
    """Gives the evidence to all workers, whole or not at all."""
    folder = shared_folder(config) / "healthy"
    if not folder.exists():
        copied = folder.with_name("copied")
        shutil.copytree(evidence, copied)
        copied.rename(folder)


def release(config: pytest.Config) -> None:
    lock = config.stash.get(HEALTHY_LOCK, None)
    if lock is not None:
        del config.stash[HEALTHY_LOCK]
        lock.close()


def with_notebooks(base: Path) -> Path:
    """The folder, with a copy of the notebooks, environments and cases."""
    shutil.copytree(
        ROOT / "notebooks", base / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints")
    )
    return base


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the notebooks, environments and cases, with outputs of its own; PROOFBOOK_WORKSPACE points there."""
    base = with_notebooks(tmp_path_factory.mktemp("workspace"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROOFBOOK_WORKSPACE", str(base))
        patch.setenv("PLOTLY_RENDERER", "plotly_mimetype")
        yield base


@dataclass
class Rehearsal:
    """The practice stack, up on a loop of its own, with its phases before and rollout recorded."""

    base: Path
    trial: Trial
    loop: asyncio.AbstractEventLoop
    room: machine.Room
    healthy: Path = Path()

    def wait(self, work: Coroutine[Any, Any, Any], timeout_s: float = 900.0) -> Any:
        """What it gives. What it waits for is told at once when a process ends, so the limit is for what nobody thought of."""
        waiting = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return waiting.result(timeout_s)
        finally:
            waiting.cancel()

    def deploy(self, *faults: str) -> None:
        self.wait(self.trial.stack.deploy("after", faults))

    def record(self, phase: str, folder: Path, *, observe_s: float | None = None) -> None:
        self.wait(self.trial.record(phase, folder, observe_s=observe_s))

    def evidence_with(
        self,
        *faults: str,
        to: Path,
        observe_s: float | None = None,
        patience: float = 1.0,
        small: bool = False,
    ) -> Path:
        """Evidence of a deployment with all of these faults; small: of one of them, asked as few times as a verdict needs."""
        if len(faults) == 1:
            seed = (FAULTS | HEALTHY)[faults[0]]
            self.wait(self.trial.collect(seed, to=to, patience=patience, small=small))
        else:
            shutil.copytree(self.trial.shared, to)
            self.deploy(*faults)
            self.record("after", to, observe_s=observe_s)
        return to

    def asked_again(
        self,
        ask: Callable[[Path, float], Judged],
        *,
        is_open: Callable[[Judged], bool],
        to: Path,
    ) -> Judged:
        """What it finds; where the machine left that open, what it finds the next time, or one of the times after that.

        ask: collects into a folder, with so much more patience than usual, and judges. is_open: whether something is
        inconclusive that should not be, and nothing is wrong: a wrong verdict is an answer, which no second one mends.
        """

        def turn(number: int) -> Judged:
            if number >= machine.TURNS - 2:
                # What was recorded before may be what the machine disturbed.
                self.renew(to / f"shared-{number + 1}")
            return ask(to / f"turn-{number + 1}", min(2.0**number, 4.0))

        return machine.asked_again(turn, is_open=is_open, pids=self.pids, room=self.room)

    def renew(self, shared: Path) -> None:
        """Brings the stack up anew, and records again what all collections share."""
        self.wait(self.trial.stop())
        self.trial = Trial(self.base, shared=shared)
        self.wait(self.trial.start())

    def pids(self) -> list[int]:
        """The processes whose waiting shows in what is collected."""
        return [os.getpid(), *self.trial.stack.pids()]


# The rehearsal of this worker, as long as one of its tests needs it.
UP = pytest.StashKey[Rehearsal]()


@pytest.fixture(scope="session")
def rehearsal(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Rehearsal]:
    """The stack, and the fix deployed without a fault: judged, so that what was recorded before is fit to compare with.

    Its workspace is its own: in that of the other tests no address may be found that only some workers have.
    """
    config = request.config
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    place = tmp_path_factory.mktemp("rehearsal")
    base = with_notebooks(tmp_path_factory.mktemp("workspace-of-rehearsal"))
    nothing = place / "none"
    room = config.stash[machine.ROOM]
    up = Rehearsal(base=base, trial=Trial(base, shared=nothing), loop=loop, room=room)

    def ask(folder: Path, _: float) -> Overall:
        if up.trial.shared.parent != place or up.trial.shared == nothing:  # else renewed already
            up.renew(folder / "shared")
        up.healthy = folder / "evidence"
        up.wait(up.trial.collect(to=up.healthy))
        return judge(up.healthy, base)[1]

    try:
        try:
            told = up.asked_again(ask, is_open=lambda told: told.verdict is Verdict.INCONCLUSIVE, to=place)
            if told.verdict is Verdict.INCONCLUSIVE:
                pytest.fail(f"no healthy deployment could be judged, so nothing can: {told.sentence}")
            if HEALTHY_LOCK in config.stash:
                publish(config, up.healthy)
        finally:
            release(config)
        config.stash[UP] = up
        yield up
    finally:
        if UP in config.stash:  # the last test of a worker was one of its users
            del config.stash[UP]
        with contextlib.suppress(Exception):
            up.wait(up.trial.stop(), timeout_s=60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="session")
def healthy_evidence(request: pytest.FixtureRequest) -> Path:
    """Evidence of a deployment that restored everything, recorded by one of the workers for all."""
    config = request.config
    folder = shared_folder(config) / "healthy"
    if HEALTHY_LOCK not in config.stash:
        config.stash[HEALTHY_LOCK] = locked(config)
    try:
        if not folder.exists():
            up: Rehearsal = request.getfixturevalue("rehearsal")
            publish(config, up.healthy)
    finally:
        release(config)
    return folder


def proofbook(
    *arguments: str, cwd: Path, workspace: Path, timeout_s: float = 900, **variables: str
) -> subprocess.CompletedProcess[str]:
    """What the command printed. A variable of Python itself says how a process begins, so such a command has a new one;
    the folders of PYTHONPATH can be added later too."""
    environment = {**os.environ, "PROOFBOOK_WORKSPACE": str(workspace), **variables}
    if not any(name.startswith("PYTHON") for name in variables.keys() - {"PYTHONPATH"}):
        return command_line.run(arguments, cwd=cwd, environment=environment, timeout_s=timeout_s)
    return subprocess.run(
        [sys.executable, "-m", "proofbook.cli", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env=environment,
    )


@pytest.fixture(scope="session")
def original_run(healthy_evidence: Path, request: pytest.FixtureRequest) -> Path:
    """A run judged from healthy evidence by the whole command line, once for all workers, in a workspace of its own: not to be altered."""

    def make(folder: Path) -> None:
        # Where it will lie: what a run writes says where it was.
        base = with_notebooks(folder)
        done = proofbook("run", "rehearsal", "--evidence", str(healthy_evidence), cwd=base, workspace=base)
        assert done.returncode == 0, done.stdout + done.stderr

    (run,) = made_once(request.config, "finished", make).glob("outputs/rehearsal/2*")
    return run


@pytest.fixture(scope="session")
def finished_run(workspace: Path, original_run: Path) -> Path:
    """A copy of that run in the workspace."""
    copy = workspace / "outputs" / "rehearsal" / original_run.name
    shutil.copytree(original_run, copy)
    done = proofbook("history", cwd=workspace, workspace=workspace)
    assert done.returncode == 0, done.stderr
    return copy


@pytest.fixture(scope="session")
def node_modules(request: pytest.FixtureRequest) -> Path:
    """Packages of Node from their registry, installed once for all workers."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node.js and npm are not installed and could not be: sudo apt-get install nodejs npm")

    def make(folder: Path) -> None:
        packages = ("ws@8", "socket.io@4", "graphql@16", "graphql-ws@6")
        command = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(folder), *packages]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr

    return made_once(request.config, "node", make) / "node_modules"


@pytest.fixture(scope="session")
def wheel(request: pytest.FixtureRequest) -> Path:
    """The package as others install it, built once for all workers."""

    def make(folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel", "--no-deps", "--wheel-dir", folder, ROOT]  # fmt: skip
        built = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert built.returncode == 0, built.stderr

    (made,) = made_once(request.config, "wheel", make).glob("proofbook-*.whl")
    return made


@contextlib.contextmanager
def on_a_disk(folder: Path, *, size_kb: int) -> Iterator[Path]:
    """A new folder on a file system of that size; skips where none can be mounted."""
    if disks.MISSING:
        pytest.skip(disks.MISSING)
    with contextlib.ExitStack() as held:
        try:
            there = held.enter_context(disks.mounted(folder, size_kb=size_kb))
        except OSError as error:
            pytest.skip(f"a file system of its own cannot be mounted here: {error}")
        yield there


@pytest.fixture
def in_folder(tmp_path: Path) -> Iterator[Path]:
    """The test runs in a folder of its own."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


# Of a module and not of the session: its event loop runs as long as it is there, and other modules run loops of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed and could not be: sudo apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = [
            "--disable-gpu",
            "--disable-background-networking",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
        ]
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., tuple[Any, list[str]]]]:
    """Opens a page from file:// with the network cut off; gives it and everything that went wrong on it."""
    contexts = []

    def opened(path: Path, *, script: bool = True, width: int = 1440, **more: Any) -> tuple[Any, list[str]]:
        context = browser.new_context(
            offline=True, java_script_enabled=script, viewport={"width": width, "height": 900}, **more
        )
        contexts.append(context)
        page = context.new_page()
        wrong: list[str] = []
        page.on(
            "console",
            lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(f"dialog {dialog.message}"))
        page.on(
            "request",
            lambda request: (
                wrong.append(request.url) if not request.url.startswith(("file:", "blob:", "data:")) else None
            ),
        )
        page.goto(path.as_uri())
        return page, wrong

    yield opened
    for context in contexts:
        context.close()


# Starts programs that listen, and ends them with the test.
start = trying.start
