"""The exact words of messages that users act on."""

from __future__ import annotations

import datetime as dt
import os
import pty
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import foreign
import pytest
from asking import ask
from rich.text import Text
from typer.main import get_command

from proofbook.cli.commands import app
from proofbook.cli.run_commands import deploy_with
from proofbook.cli.times import moment
from proofbook.concurrency import sync
from proofbook.errors import CouldNotLook, UsageError
from proofbook.evidence import store
from proofbook.execution.endings import how_it_ended
from proofbook.pipeline import rounds
from proofbook.pipeline import watch as watching
from proofbook.pipeline.steps import Options
from proofbook.runs.folders import new_folder
from proofbook.runs.record import write_unfinished
from proofbook.validation import Validation


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "ended with exit code 1"),
        (-signal.SIGKILL, "was killed by SIGKILL (out of memory?)"),
        (-signal.SIGSEGV, "was killed by SIGSEGV"),
        (-127, "was killed by signal 127"),
    ],
)
def test_the_end_of_a_process_names_its_signal(code: int, words: str) -> None:
    assert how_it_ended(code) == words


def test_a_worker_that_is_killed_says_so(tmp_path: Path) -> None:
    from proofbook.execution import dispatch

    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.close(writing)
    item = dispatch.Running(name="01-a", pid=0, said=reading)
    # As os.waitpid reports a process that the kernel ended for its memory.
    assert dispatch.problem_of(item, signal.SIGKILL) == (
        "the notebook's process was killed by SIGKILL (out of memory?)"
    )
    os.close(reading)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("5 o'clock", "--since: not a time: \"5 o'clock\"; use 2026-11-24T09:40:00Z, 09:40, or a duration before now such as 3h"),
        ("09:61", "--since: not a time of day: '09:61'; use 09:40 or 09:40:30"),
    ],
)  # fmt: skip
def test_a_time_that_is_none_says_how_to_write_one(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        moment("--since", text, now=dt.datetime.now(dt.UTC))
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("schema", "foo"), "Error: Invalid value for 'KIND': 'foo' is not one of 'run', 'environment', 'case'."),
        (("run", "x", "--assets", "foo"), "Error: Invalid value for '--assets': 'foo' is not one of 'inline', 'shared'."),
        (("accept", "last", "x", "--by", "me", "--why", "x", "--until", "31.1.2026"), "Error: Invalid value for '--until': '31.1.2026' does not match the formats '%Y-%m-%d'."),
    ],
)  # fmt: skip
def test_a_value_that_an_option_does_not_take_is_told_in_one_sentence(
    words: tuple[str, ...], sentence: str
) -> None:
    told = ask(*words)
    assert (told.code, told.last) == (2, sentence)


def test_help_shows_every_bracket_of_its_text() -> None:
    texts = [
        text
        for command in get_command(app).commands.values()  # type: ignore[attr-defined]  # a group, which has commands
        for text in (command.help, *(parameter.help for parameter in command.params))
        if text
    ]
    assert len(texts) > 100
    assert [text for text in texts if Text.from_markup(text).plain != text] == []


def test_a_deploy_command_that_fails_is_named_without_its_arguments(in_folder: Path) -> None:
    with pytest.raises(CouldNotLook) as raised:
        sync.run(deploy_with(f"{sys.executable} -c 'raise SystemExit(3)' secret-word", in_folder))
    assert str(raised.value) == f"the deploy command {sys.executable} ended with exit code 3"


def test_a_run_with_evidence_from_after_is_no_watch(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    store.write_phase(
        tmp_path / "evidence",
        environment="staging",
        phase="after",
        tables={},
        recorded=store.Phase(started=now, ended=now, planned=[], done={}, problems=[]),
    )
    with pytest.raises(UsageError) as raised:
        rounds.check_can_start(tmp_path)
    assert str(raised.value) == (
        f"run {tmp_path.name} already holds the phase `after` and is not a watch; start a new one without --run"
    )


def test_a_watch_that_is_over_before_its_first_round_says_so(in_folder: Path) -> None:
    (in_folder / "live.toml").write_text('[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n')
    asked = Validation.load("live.toml", base=in_folder)
    folder = new_folder("live", base=in_folder)
    write_unfinished(folder, "live", "", dt.datetime.now(dt.UTC), "unfinished", "interrupted")
    plan = rounds.make_plan(asked, every_s=60, for_s=120)
    rounds.start_or_continue(folder, replace(plan, started="2026-01-01T00:00:00+00:00"))
    with pytest.raises(CouldNotLook) as raised:
        watching.watch(asked, every_s=60, for_s=120, run=str(folder), options=Options(say=lambda _: None))
    assert str(raised.value) == "the watch ended before its first round; make --for longer than --every"


@pytest.mark.slow
def test_declining_to_probe_a_protected_environment_is_no_error_of_ours(in_folder: Path) -> None:
    (in_folder / "live.toml").write_text(
        'protected = true\n[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n'
    )
    terminal, inner = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "proofbook.cli", "run", "live.toml"],
        stdin=inner,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=in_folder,
    ) as process:
        os.close(inner)
        os.write(terminal, b"n\n")
        _, said = process.communicate(timeout=120)
    os.close(terminal)
    assert process.returncode == 2
    assert said.splitlines()[-1] == ("aborted: you declined to probe the protected environment live.toml")


@pytest.mark.slow
def test_check_names_extensions_that_cannot_be_used_and_where_they_come_from(in_folder: Path) -> None:
    foreign.install(
        in_folder / "site",
        "broken-logs",
        entries={"proofbook.log_sources": {"cloudwatch": "broken_logs:SOURCE"}},
        modules={"broken_logs.py": "raise RuntimeError('no region')"},
    )
    (in_folder / "live.toml").write_text('[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n')
    sentence = "log source 'cloudwatch' (broken_logs:SOURCE of broken-logs): it cannot be imported (RuntimeError: no region)"
    command = [sys.executable, "-m", "proofbook.cli", "check", "live.toml"]
    about = {**os.environ, "PYTHONPATH": str(in_folder / "site")}
    for more in ([], ["--json"]):
        done = subprocess.run([*command, *more], capture_output=True, text=True, env=about)
        assert done.returncode == 0, done.stderr
        assert (f'"{sentence}"' if more else f"unusable        {sentence}") in done.stdout
