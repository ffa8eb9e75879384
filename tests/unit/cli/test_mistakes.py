"""A mistake in what was typed gets one sentence and the exit code for it, and leaves nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from asking import ask
from conftest import proofbook
from rich.text import Text

from proofbook.cli.app import plain

GONE = 'hint = "start it first"\n[[service]]\nname = "a"\nurl = { file = "outputs/rehearsal/nowhere.url" }\n'
GUARDED = 'protected = true\n[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n'


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "stagin"], "there is no environment 'stagin'"),
        (
            ["run", "staging", "--cluster", "here"],
            "--cluster: expected the address of a Dask scheduler such as tcp://10.0.0.5:8786, got 'here'",
        ),
        (["run", "rehearsal", "--case", "ssot-fixs"], "did you mean 'ssot-fixes'?"),
        (["run", "rehearsal", "--notebook", "02-websockets"], "did you mean '02-websocket'?"),
        (["run", "rehearsal", "--run", "2026"], "there is no run '2026'"),
        (["run", "rehearsal", "--evidence", "nowhere"], "expected a folder of evidence"),
        (
            ["run", "gone"],
            "cannot read the value from file outputs/rehearsal/nowhere.url: No such file or directory; start it first",
        ),
        (["run", "guarded"], "environment guarded is protected; confirm with --yes"),
        (["collect", "rehearsal", "--phase", "befor"], "there is no phase 'befor'; did you mean 'before'?"),
        (
            ["collect", "rehearsal", "--phase", "before", "--during", "true"],
            "--during goes with --phase rollout, not with before",
        ),
        (["demo", "--fault", "slwo"], "there is no fault 'slwo'; did you mean 'slow'?"),
        (["replay", "nothing"], "there is no run 'nothing'"),
        (["verify", "a" * 300], "there is no run 'aaa"),
        (["check", f"{'a' * 300}.toml"], "there is no environment 'aaa"),
        (["run", "rehearsal", "--evidence", "a" * 300], "expected a folder of evidence"),
        (["show"], "Missing argument"),
        (["validate"], "No such command"),
    ],
)
def test_a_mistake_gets_one_sentence_exit_2_and_leaves_nothing(
    workspace: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    place = tmp_path / "w"
    shutil.copytree(workspace / "notebooks", place / "notebooks")
    environments = place / "notebooks" / "environments"
    (environments / "gone.toml").write_text(GONE)
    (environments / "guarded.toml").write_text(GUARDED)
    done = proofbook(*arguments, cwd=place, workspace=place)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 2, said
    assert sentence in said and "Traceback" not in said
    assert not (place / "outputs").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "e", "--jobs", "x"], "'--jobs': expected a whole number, got 'x'"),
        (["try", "http://127.0.0.1:1", "--jobs", "1.5"], "'--jobs': expected a whole number, got '1.5'"),
        (["run", "e", "--jobs", "-1"], "'--jobs': expected greater than or equal to 0, got '-1'"),
        (["run", "e", "--timeout-s", "soon"], "'--timeout-s': expected a number, got 'soon'"),
        (["history", "e", "--last", "all"], "'--last': expected a whole number, got 'all'"),
        (["prune", "e", "--keep", "few"], "'--keep': expected a whole number, got 'few'"),
        (["run", "e", "--assets", "x"], "'--assets': 'x' is not one of 'inline', 'shared'."),
        (["logs", "a.log", "--utc-offset", "x"], "--utc-offset: expected an offset such as +02:00, got 'x'"),
        (["logs", "a.log", "--pattern", "["], "--pattern: expected a regular expression (RE2's"),
        (["look", "a.log", "--since", "x"], "--since: not a time: 'x'"),
        (["try", "http://127.0.0.1:99999"], "expected a service URL with a port from 1 to 65535, got 'http://127.0.0.1:99999'"),
        (["try", "http://[::1"], "expected a service URL with an address in brackets such as http://[::1]:8000, got 'http://[::1'"),
    ],
)  # fmt: skip
def test_a_value_that_an_option_does_not_take_is_refused_by_what_it_wants(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = ask(*arguments)
    assert told.code == 2 and sentence in told.last, told


@pytest.mark.slow
def test_mistakes_in_several_environments_are_all_told_and_all_in_the_json(
    workspace: Path, tmp_path: Path
) -> None:
    place = tmp_path / "w"
    shutil.copytree(workspace / "notebooks", place / "notebooks")
    (place / "notebooks" / "environments" / "gone.toml").write_text(GONE)
    (place / "notebooks" / "environments" / "guarded.toml").write_text(GUARDED)
    done = proofbook("run", "gone", "guarded", "stagin", "--json", cwd=place, workspace=place)
    assert done.returncode == 2
    told = json.loads(done.stdout)
    assert [item["environment"] for item in told] == ["gone", "guarded", "stagin"]
    for item, words in zip(told, ("start it first", "confirm with --yes", "no environment"), strict=True):
        assert item["verdict"] == "error" and item["reason"] == "usage" and words in item["sentence"]
        assert f"{item['environment']}: {item['sentence']}" in done.stderr
    assert not (place / "outputs").exists()


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_terminal_that_lacks_a_sign_gets_another_one(
    encoding: str, workspace: Path, tmp_path: Path
) -> None:
    done = proofbook("faults", cwd=tmp_path, workspace=workspace, PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and "memory-leak" in done.stdout and "?" in done.stdout, done.stderr


@pytest.mark.parametrize(
    "text", [r"^\[INFO\] user=", r"\[info\]", r"[a]", r"\\[/b]", "a[0]", r"\d[^\]]+", "[[x]]"]
)
def test_brackets_and_backslashes_of_a_pattern_are_printed_as_they_are(text: str) -> None:
    assert Text.from_markup(f"[bold]{plain(text)}.[/]").plain == f"{text}."
