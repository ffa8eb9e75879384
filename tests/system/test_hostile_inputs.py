"""What others send, through the whole command line: nothing is executed, fetched, or written outside `outputs/`.

Each input is put where a user would have it, and the commands that read it are called. What each got is printed as a table:
`pytest tests/system/test_hostile_inputs.py -s`.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import made
import pytest
import recording_server
from asking import Told, ask
from conftest import proofbook

OLD, NEW = "20260101T000000Z-0000", "20260201T000000Z-0000"
ACCEPT = ["--by", "Ada", "--until", "2999-01-01", "--why", "so"]


@dataclass
class Place:
    """A folder of somebody, two runs among its outputs, a file and a server that must not be touched."""

    folder: Path
    host: str
    fetched: list[str] = field(default_factory=list)

    @property
    def outputs(self) -> Path:
        return self.folder / "outputs"

    @property
    def run(self) -> Path:
        return self.outputs / "e" / NEW

    @property
    def victim(self) -> Path:
        return self.folder / "victim"

    @property
    def executed(self) -> Path:
        """Made by whatever of an input is executed."""
        return self.folder / "executed"

    def alter(self, **values: Any) -> None:
        """Changes fields of the newer run."""
        file = self.run / "run.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))

    def outside(self) -> dict[str, bytes]:
        """Every file that is not among the outputs."""
        return {
            str(path): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and not path.is_symlink() and not path.is_relative_to(self.outputs)
        }


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, list[str]]]:
    with recording_server.listening() as found:
        yield found


@pytest.fixture
def place(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch, server: tuple[str, list[str]]
) -> Place:
    folder = tmp_path / "place"
    for name in (OLD, NEW):
        run = folder / "outputs" / "e" / name
        made.write_run(run, [made.finding()], [], case="c", verdict="fail")
        made.write_notebook(run, "02-websocket", made.code(made.card(made.finding())))
    (folder / "victim").write_text("untouched")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PROOFBOOK_OUTPUTS", str(folder / "outputs"))
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(workspace))
    server[1].clear()
    return Place(folder, *server)


Plant = Callable[[Place], list[list[str]]]
INPUTS: dict[str, Plant] = {}


def planted(name: str) -> Callable[[Plant], Plant]:
    def enter(plant: Plant) -> Plant:
        INPUTS[name] = plant
        return plant

    return enter


# Names that lead elsewhere: of runs, environments and cases.
for _name in ("../../victim", "..", ".", "/etc", "e/../..", "-rf", "a\nb", "\x1b[2J", "a" * 300):
    INPUTS[f"a run called {_name[:20]!r}"] = lambda place, name=_name: [
        ["show", "--", name],
        ["report", "--", name],
        ["verify", "--", name],
        ["baseline", "--", name],
    ]
for _name in ("...toml", ".hidden.toml", "a\nb.toml", f"{'a' * 120}.toml", "-f.toml"):

    def _file_called(place: Place, name: str = _name) -> list[list[str]]:
        (place.folder / name).write_text('[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n')
        return [["check", f"./{name}"], ["explain", f"./{name}"]]

    INPUTS[f"an environment file called {_name[:20]!r}"] = _file_called
for _key in ("environment", "case", "run_id"):

    def _names_elsewhere(place: Place, key: str = _key) -> list[list[str]]:
        place.alter(**{key: "../../../victim"})
        return [["history"], ["show", NEW], ["report", NEW], ["prune", "--keep", "1", "--yes"]]

    INPUTS[f"run.json whose {_key} leads elsewhere"] = _names_elsewhere

# Symlinks where files are written.
for _path, _words in {
    "runs.js": ["history"],
    "index.html": ["history"],
    f"e/{NEW}/report.html": ["report", NEW],
    f"e/{NEW}/summary.md": ["report", NEW],
    f"e/{NEW}/junit.xml": ["report", NEW],
    f"e/{NEW}/mail.html": ["report", NEW, "--mail", "--no-charts"],
    "e/known-issues.json": ["accept", NEW, "x", *ACCEPT],
    "e/baseline.json": ["baseline", NEW],
}.items():

    def _link(place: Place, path: str = _path, words: list[str] = _words) -> list[list[str]]:
        # What `accept` and `baseline` need to come as far as writing.
        place.victim.write_text("[]")
        _received(place, SERVICE)
        there = place.outputs / path
        there.unlink(missing_ok=True)
        there.symlink_to(place.victim)
        return [words]

    INPUTS[f"a symlink as {_path.rpartition('/')[2]}"] = _link


@planted("a run folder that is a symlink")
def _run_elsewhere(place: Place) -> list[list[str]]:
    elsewhere = place.folder / "elsewhere"
    place.run.rename(elsewhere)
    place.run.symlink_to(elsewhere)
    return [["history"], ["prune", "--keep", "1", "--yes"]]


@planted("a folder of an environment that is a symlink")
def _environment_elsewhere(place: Place) -> list[list[str]]:
    elsewhere = place.folder / "elsewhere"
    (place.outputs / "e").rename(elsewhere)
    (place.outputs / "e").symlink_to(elsewhere)
    return [["history"], ["prune", "--keep", "1", "--yes"]]


# Archives and logs.
@planted("a log that is packed zeros, a thousandfold")
def _bomb(place: Place) -> list[list[str]]:
    (place.folder / "log.gz").write_bytes(gzip.compress(bytes(300_000_000), 1))
    return [["logs", "log.gz"]]


@planted("a log that is packed twice")
def _packed_twice(place: Place) -> list[list[str]]:
    (place.folder / "log.gz").write_bytes(gzip.compress(gzip.compress(b"2026-01-01T00:00:00Z INFO a\n" * 99)))
    return [["logs", "log.gz"]]


@planted("a zip with names that lead elsewhere")
def _zip(place: Place) -> list[list[str]]:
    with zipfile.ZipFile(place.folder / "log.zip", "w") as out:
        out.writestr("../victim", "overwritten")
    return [["logs", "log.zip"]]


@planted("a tar with names and links that lead elsewhere")
def _tar(place: Place) -> list[list[str]]:
    with tarfile.open(place.folder / "log.tar.gz", "w:gz") as out:
        item = tarfile.TarInfo("../victim")
        item.size = 11
        out.addfile(item, io.BytesIO(b"overwritten"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(place.victim)
        out.addfile(link)
    return [["logs", "log.tar.gz"]]


@planted("a log that is a device without end")
def _device(place: Place) -> list[list[str]]:
    return [["logs", "/dev/zero"]]


@planted("a log of JSON nested a hundred thousand deep")
def _nested(place: Place) -> list[list[str]]:
    (place.folder / "log.jsonl").write_text("[" * 100_000 + "\n" + '{"a":' * 100_000 + "\n")
    return [["logs", "log.jsonl"]]


@planted("a log whose messages steer the terminal")
def _terminal(place: Place) -> list[list[str]]:
    (place.folder / "log.txt").write_text(
        "".join(f"2026-01-01T00:00:{n:02}Z ERROR \x1b]0;owned\x07\x1b[2Jx{n}\u202e\n" for n in range(60))
    )
    return [["logs", "log.txt"]]


@planted("a pattern that backtracks for ever")
def _backtracks(place: Place) -> list[list[str]]:
    (place.folder / "log.txt").write_text(f"2026-01-01T00:00:00Z ERROR {'a' * 50_000}!\n" * 20)
    return [["logs", "log.txt", "--pattern", "(a+)+$"]]


# Files of others.
def _received(place: Place, environment: str, *, case: str = "", schema: str = "{}") -> None:
    """A run that somebody sent, with its evidence and its files."""
    inputs = place.run / "inputs"
    (inputs / "case" / "schemas").mkdir(parents=True)
    (inputs / "e.toml").write_text(environment)
    (inputs / "case" / "c.toml").write_text(case or 'title = "t"\n')
    (inputs / "case" / "schemas" / "reply.json").write_text(schema)
    evidence = place.run / "evidence"
    (evidence / "after").mkdir(parents=True)
    at = "2026-01-01T00:00:00Z"
    phases = {"after": {"started": at, "ended": at, "tables": {}}}
    told = {"schema_version": 3, "environment": "e", "phases": phases}
    (evidence / "manifest.json").write_text(json.dumps(told))


MESSAGE = """
title = "t"
[[message]]
id = "reply"
schema = "schemas/reply.json"
when = { type = "reply" }
"""
SERVICE = '[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n'
for _reference in ("http://{host}/a.json", "//{host}/a.json", "file:///etc/passwd", "../../../victim"):

    def _refers(place: Place, reference: str = _reference) -> list[list[str]]:
        schema = {"$ref": reference.replace("{host}", place.host)}
        _received(place, SERVICE, case=MESSAGE, schema=json.dumps(schema))
        return [
            ["replay", NEW],
            ["check", str(place.run / "inputs" / "e.toml"), str(place.run / "inputs" / "case" / "c.toml")],
        ]

    INPUTS[f"a received schema that refers to {_reference}"] = _refers


@planted("a received environment whose secret is a command")
def _command(place: Place) -> list[list[str]]:
    token = f'headers = {{ X-Key = {{ command = ["touch", "{place.executed}"] }} }}\n'
    _received(place, SERVICE + token)
    file = str(place.run / "inputs" / "e.toml")
    return [["replay", NEW], ["check", file], ["explain", file]]


@planted("a received environment that reads a file of this machine")
def _reads_files(place: Place) -> list[list[str]]:
    _received(place, '[[log]]\nname = "l"\nfile = "/etc/passwd"\n')
    return [["replay", NEW]]


@planted("a received environment whose log is a command")
def _log_command(place: Place) -> list[list[str]]:
    _received(place, f'[[log]]\nname = "l"\ncommand = ["touch", "{place.executed}"]\n')
    return [["replay", NEW], ["check", str(place.run / "inputs" / "e.toml")]]


@planted("received patterns that hide every verdict")
def _hides(place: Place) -> list[list[str]]:
    _received(place, f'redact = ["fail|pass"]\n{SERVICE}')
    return [["replay", NEW], ["check", str(place.run / "inputs" / "e.toml")]]


@planted("an executed notebook with a script, a frame and a form")
def _notebook(place: Place) -> list[list[str]]:
    html = (
        f"<script>fetch('http://{place.host}/')</script><img src=x onerror=alert(1)>"
        f"<iframe src='http://{place.host}/frame'></iframe><form action='http://{place.host}/'><input></form>"
        f"<link rel=stylesheet href='http://{place.host}/a.css'><meta http-equiv=refresh content='0;url=http://{place.host}/'>"
        "<a href='javascript:alert(1)'>a</a><svg onload=alert(1)></svg><style>@import 'http://a.invalid/'</style>"
    )
    made.write_notebook(place.run, "02-websocket", made.code(made.shown({"text/html": html})))
    return [["report", NEW], ["report", NEW, "--mail", "--no-charts"]]


@planted("an executed notebook of another format, and one that is no notebook")
def _no_notebook(place: Place) -> list[list[str]]:
    (place.run / "notebooks" / "01-x.ipynb").write_text('{"nbformat": 99, "cells": {"a": 1}}')
    (place.run / "notebooks" / "02-websocket.ipynb").write_text("[]")
    return [["report", NEW], ["verify", NEW], ["replay", NEW]]


@planted("a sentence that closes the script of the page of all runs")
def _closes(place: Place) -> list[list[str]]:
    place.alter(sentence=f"</script><script src='http://{place.host}/'></script>\u2028\x1b[2J")
    return [["history"], ["show", NEW], ["report", NEW]]


@planted("run.json nested a hundred thousand deep")
def _deep(place: Place) -> list[list[str]]:
    (place.run / "run.json").write_text('{"a":' * 100_000)
    return [["history"], ["show", NEW], ["report", NEW], ["compare", OLD, NEW]]


@planted("run.json with numbers that are none")
def _numbers(place: Place) -> list[list[str]]:
    text = (place.run / "run.json").read_text()
    (place.run / "run.json").write_text(text.replace("0.5", "1" * 5000).replace("0.4", "NaN"))
    return [["history"], ["show", NEW], ["compare", OLD, NEW]]


@planted("run.json without end")
def _endless(place: Place) -> list[list[str]]:
    (place.run / "run.json").unlink()
    (place.run / "run.json").symlink_to("/dev/zero")
    return [["history"], ["show", str(place.run)], ["report", str(place.run)]]


@planted("run.json that is a pipe")
def _pipe(place: Place) -> list[list[str]]:
    (place.run / "run.json").unlink()
    os.mkfifo(place.run / "run.json")
    return [["history"], ["show", str(place.run)], ["report", str(place.run)]]


@planted("an executed notebook that is a pipe")
def _notebook_pipe(place: Place) -> list[list[str]]:
    (place.run / "notebooks" / "02-websocket.ipynb").unlink()
    os.mkfifo(place.run / "notebooks" / "02-websocket.ipynb")
    return [["verify", NEW], ["report", NEW]]


@planted("an index without end")
def _index(place: Place) -> list[list[str]]:
    (place.outputs / "runs.js").unlink(missing_ok=True)
    (place.outputs / "runs.js").symlink_to("/dev/zero")
    return [["history"], ["show", NEW]]


@planted("a manifest that is a device without end")
def _manifest_device(place: Place) -> list[list[str]]:
    _received(place, SERVICE)
    (place.run / "evidence" / "manifest.json").unlink()
    (place.run / "evidence" / "manifest.json").symlink_to("/dev/zero")
    return [["replay", NEW], ["verify", NEW], ["baseline", NEW]]


@planted("an environment file without end")
def _environment_device(place: Place) -> list[list[str]]:
    (place.folder / "endless.toml").symlink_to("/dev/zero")
    return [["check", "endless.toml"]]


@planted("an environment file nested ten thousand deep")
def _environment_deep(place: Place) -> list[list[str]]:
    (place.folder / "deep.toml").write_text(f"redact = {'[' * 10_000}")
    return [["check", "deep.toml"]]


@planted("a report that states a digest of its own making")
def _report(place: Place) -> list[list[str]]:
    ask("report", NEW)
    sent = place.folder / "sent.html"
    sent.write_text((place.run / "report.html").read_text().replace("still-there", "restored"))
    return [["verify", "sent.html"]]


@planted("a report that is a page of somebody else")
def _foreign_report(place: Place) -> list[list[str]]:
    (place.folder / "sent.html").write_text(
        f'<script type="application/json" id="pb-run">{{"verdict": "pass"</script><img src="http://{place.host}/">'
    )
    return [["verify", "sent.html"]]


@planted("a report of binary zeros")
def _zeros(place: Place) -> list[list[str]]:
    (place.folder / "sent.html").write_bytes(bytes(1_000_000))
    return [["verify", "sent.html"]]


@planted("evidence with a table that is a symlink")
def _evidence(place: Place) -> list[list[str]]:
    _received(place, SERVICE)
    (place.run / "evidence" / "after" / "health.parquet").symlink_to("/etc/passwd")
    return [["run", "e2.toml", "--evidence", str(place.run / "evidence")]]


@planted("evidence whose manifest names files elsewhere")
def _manifest(place: Place) -> list[list[str]]:
    _received(place, SERVICE)
    file = place.run / "evidence" / "manifest.json"
    told = json.loads(file.read_text())
    told["phases"]["after"]["tables"]["../../../../victim"] = {"columns": {}, "rows": 0, "sha256": ""}
    file.write_text(json.dumps(told))
    return [["verify", NEW], ["replay", NEW], ["run", "e2.toml", "--evidence", str(place.run / "evidence")]]


# What executes notebooks is called in a process of its own.
EXECUTING = {"replay", "run"}


@pytest.mark.usual_cases(8)
@pytest.mark.parametrize("name", INPUTS)
def test_nothing_is_executed_fetched_or_written_elsewhere(name: str, place: Place, workspace: Path) -> None:
    (place.folder / "e2.toml").write_text(SERVICE)
    for words in INPUTS[name](place):
        before = place.outside()
        if words[0] in EXECUTING:
            done = proofbook(*words, cwd=place.folder, workspace=workspace, timeout_s=120)
            told = Told(done.returncode, done.stdout, done.stderr)
        else:
            told = ask(*words)
        said = f"{name}: {words[0]}: {told.code}: {told.last}"
        print(said[:230].replace("\n", " "))
        assert told.code in (
            {0, 1, 2, 3, 4} if words[0] in ("verify", "compare", "replay") else {0, 2, 3, 4}
        ), said
        assert not any(
            bad in told.out + told.err
            for bad in ("Traceback", "internal error", "\x1b]", "\x1b[2J", "\u202e", "root:x:")
        ), said
        assert place.outside() == before, said
        assert not place.executed.exists() and place.fetched == [], said
    for page in place.outputs.rglob("*.html"):
        if not page.is_symlink():
            text = page.read_text(encoding="utf-8")
            assert f"='http://{place.host}" not in text and f'="http://{place.host}' not in text


def test_there_are_enough_of_them() -> None:
    assert len(INPUTS) >= 40
