"""One collection: a server is made, somebody tries it who knows its manual, and what the summary says is kept."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from abroad.catalogue import KINDS
from abroad.kinds import FAIL, OPEN, PASS, Asked, Dice, Kind, Scene, State
from abroad.servers import Stage
from proofbook.collect import phases
from proofbook.concurrency import sync
from proofbook.errors import ProofbookError
from proofbook.pipeline import quickstart, steps, try_options
from proofbook.runs.record import Summary
from proofbook.validation import Validation

TOKEN = "ABROAD_TOKEN"
ENDS_AFTER_S = 300
# A machine that does not let a process run for so long also keeps the servers from answering: that says nothing of either, so
# the collection does not count, whatever came of it, and is made anew.
LONGEST_WAIT_S, WATCHED_EVERY_S, MOST_STARVED = 1.5, 0.05, 2
RIGHT, FALSE_PASS, FALSE_FAIL, OPENED, OTHER, KNOWN = "right", "false pass", "false fail", "open", "other", "known"  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One collection, judged once: its kind, turn, make of server, verdict, outcome, and what a person reads; how often it was made anew."""

    name: str
    turn: int
    make: str
    verdict: str
    outcome: str
    said_by: list[str]
    reasons: list[str]
    shown: list[str]
    seconds: float
    starved: int


class Starved:
    """How long at most this machine kept a process waiting that wanted to run, while something else went on."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while True:
            began = time.monotonic()
            if self._over.wait(WATCHED_EVERY_S):
                return
            self.longest_s = max(self.longest_s, time.monotonic() - began - WATCHED_EVERY_S)

    def __enter__(self) -> Starved:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def outcome_of(kind: Kind, verdict: str) -> str:
    """How right a verdict is about a kind."""
    if kind.state is State.BEYOND:
        return KNOWN if verdict == PASS else RIGHT if verdict in (*kind.right, OPEN, FAIL) else OTHER
    if verdict in kind.right:
        return RIGHT
    if kind.state is State.BROKEN:
        return FALSE_PASS if verdict == PASS else OTHER
    if verdict == FAIL:
        return FALSE_FAIL
    return OPENED if kind.state is State.WELL else OTHER


def collect(name: str, turn: int, folder: Path, modules: Path) -> Result:
    """A collection of a kind, kept in the folder; one that was kept is not collected again."""
    kept = folder / "result.json"
    if kept.is_file():
        return Result(**json.loads(kept.read_text(encoding="utf-8")))
    shutil.rmtree(folder, ignore_errors=True)
    kind = KINDS[name]
    scene = kind.make(Dice(f"{name} {turn}"))
    for again in range(MOST_STARVED + 1):
        began, starved = time.monotonic(), Starved()
        with starved:
            told = _told(scene, folder, modules)
        if starved.longest_s <= LONGEST_WAIT_S or again == MOST_STARVED:
            break
        shutil.rmtree(folder)
    result = Result(
        name=name,
        turn=turn,
        make=_make(scene),
        outcome=outcome_of(kind, told["verdict"]),
        seconds=round(time.monotonic() - began, 1),
        starved=again,
        **told,
    )
    kept.write_text(json.dumps(asdict(result), indent=1, ensure_ascii=False), encoding="utf-8")
    return result


def _make(scene: Scene) -> str:
    name = {"bare": "node", "grpc": "grpcio", "ws": "node ws", "faye": "node faye-websocket"}.get(scene.server.make, scene.server.make)  # fmt: skip
    return f"{name} behind nginx" if scene.server.front else name


def _told(scene: Scene, folder: Path, modules: Path) -> dict[str, Any]:
    """The verdict, and what a person reads, of the last time that it was asked."""
    stage = Stage(folder / "stage", modules=modules)
    base = folder / "workspace"
    base.mkdir(parents=True)
    try:
        with _in_time(), _token(scene.asked.token):
            told: dict[str, Any] = {}
            for server in (scene.server, scene.later):
                if server is not None:
                    with stage.standing(server):
                        told = _asked(scene.asked, stage, base, server.words.get("address", "127.0.0.1"))
            return told
    except ProofbookError as error:
        # Of what could not be looked at the command says so in one sentence, and ends with 4.
        reason = type(error).__name__
        return {"verdict": "error", "said_by": [], "reasons": [reason], "shown": [str(error)]}
    except Exception as error:
        return {
            "verdict": "error",
            "said_by": [],
            "reasons": [type(error).__name__],
            "shown": [str(error)[:600]],
        }


def _asked(asked: Asked, stage: Stage, base: Path, address: str) -> dict[str, Any]:
    host = f"[{address}]" if ":" in address else address
    url = f"{asked.scheme or 'http'}://{host}:{stage.port}{asked.path}"
    said: list[str] = []
    files = None
    if asked.environment:
        place = base / "environments" / "service.toml"
        place.parent.mkdir(exist_ok=True)
        place.write_text(asked.environment.replace("URL", url), encoding="utf-8")
        case = base / "case.toml"
        case.write_text('title = "Is it well?"\n', encoding="utf-8")
        validation = Validation.load(str(place), str(case), base=base)
    else:
        options = _options(asked, stage, url)
        try_options.check(options, token=asked.token, now=dt.datetime.now(dt.UTC))
        files = quickstart.prepare(options, base=base, say=said.append)
        validation = Validation.load(str(files.environment), str(files.case), base=base)
    folder = base / "outputs" / validation.environment.name / f"run-{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    sync.run(phases.record(validation.environment, validation.case, "after", folder=folder / "evidence", base=base, say=said.append))  # fmt: skip
    found, summary = steps.first_findings(folder, validation)
    if files is not None:
        quickstart.note_held(files, found)
    telling = [item for item in found if item.verdict.value == summary.verdict and item.required]
    return {
        "verdict": summary.verdict,
        "said_by": [item.id for item in telling],
        "reasons": [str(item.reason) for item in telling],
        "shown": [
            *(line for line in said if line.startswith(("found", "differs", "note"))),
            *_screen(summary),
        ],
    }


def _options(asked: Asked, stage: Stage, url: str) -> try_options.Options:
    shown: dict[str, Any] = dict(asked.options)
    if asked.scheme == "https" and asked.trusts:
        shown["ca_file"] = str(stage.folder / "ca.pem")
    if asked.has_certificate:
        certificate, key = stage.authority.issue("client", days=30)
        shown |= {"cert_file": str(certificate), "key_file": str(key)}
    if asked.token and asked.ws:
        shown["token_env"] = TOKEN
    return try_options.Options(url=url, ws=asked.ws, **shown)


def _screen(summary: Summary) -> list[str]:
    facts = [fact.text for fact in summary.facts]
    return [summary.words, *facts, summary.beside, f"Could we be wrong? {summary.doubt}", f"Do: {summary.advice}", summary.command]  # fmt: skip


@contextlib.contextmanager
def _token(token: str) -> Iterator[None]:
    os.environ[TOKEN] = token
    try:
        yield
    finally:
        del os.environ[TOKEN]


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    """Whatever hangs is over in time."""

    def over(*_: object) -> None:
        raise TimeoutError(f"not over within {ENDS_AFTER_S} s")

    usual = signal.signal(signal.SIGALRM, over)
    signal.alarm(ENDS_AFTER_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, usual)
