"""Every command over a run with one file damaged: the right exit code, one sentence, no other file changed, no other run hurt."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from asking import ask
from conftest import made_once, on_a_disk, proofbook


@pytest.fixture(scope="module")
def two_runs(request: pytest.FixtureRequest, workspace: Path) -> Path:
    """A folder with two runs of an environment that is a log alone."""
    return made_once(request.config, "two-runs", lambda place: _make_two_runs(place, workspace))


def _make_two_runs(place: Path, workspace: Path) -> None:
    lines = [
        json.dumps({"timestamp": f"2026-01-01T00:{n // 60:02}:{n % 60:02}Z", "severity": "INFO", "textPayload": f"served {n}"})
        for n in range(600)
    ]  # fmt: skip
    (place / "log.jsonl").write_text("\n".join(lines))
    (place / "where.toml").write_text('[[log]]\nname = "backend"\nfile = "' + f'{place}/log.jsonl"\n')
    for _ in range(2):
        done = proofbook("run", "where.toml", "--notebook", "03-logs", cwd=place, workspace=workspace, PROOFBOOK_OUTPUTS="outputs")  # fmt: skip
        assert done.returncode == 0, done.stderr


@pytest.fixture
def place(two_runs: Path, tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, as the current folder."""
    copied = tmp_path / "place"
    shutil.copytree(two_runs, copied)
    monkeypatch.chdir(copied)
    monkeypatch.setenv("PROOFBOOK_OUTPUTS", "outputs")
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(workspace))
    return copied


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def commands(damaged: str, whole: str) -> dict[str, list[str]]:
    """Every command that reads a run and executes nothing, by name."""
    accepted = ["--by", "Ada", "--until", "2999-01-01", "--why", "so"]
    return {
        "history": ["history"],
        "history as JSON": ["history", "--json"],
        "show": ["show", damaged],
        "verify": ["verify", damaged],
        "compare": ["compare", damaged, whole],
        "compare with": ["compare", whole, damaged],
        "accept": ["accept", damaged, "absent", *accepted],
        "baseline": ["baseline", damaged],
        "baseline ended": ["baseline", damaged, "--end"],
        "report": ["report", damaged],
        "prune": ["prune", "--keep", "1"],
        "prune, deleting": ["prune", "--keep", "1", "--yes"],
    }


# That a difference was found is exit code 1 of these, as their help says.
COMPARING = {"verify", "compare", "compare with"}


def _vanished(file: Path) -> None:
    file.unlink()


def _half_written(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _of_another_version(file: Path) -> None:
    content = file.read_bytes()
    for old, new in ((b'"schema_version": 2', b'"schema_version": 99'), (b'"schema_version": 3', b'"schema_version": 99'), (b'"nbformat": 4', b'"nbformat": 9')):  # fmt: skip
        content = content.replace(old, new)
    file.write_bytes(content)


def _no_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00 no text" + bytes(range(256)))


def _a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "vanished": _vanished,
    "half-written": _half_written,
    "empty": _empty,
    "of another version": _of_another_version,
    "no text": _no_text,
    "a folder": _a_folder,
}
FILES = {
    "run.json": "run.json",
    "manifest": "evidence/manifest.json",
    "table": "evidence/after/log_sources.parquet",
    "notebook": "notebooks/03-logs.ipynb",
    "report": "report.html",
    "environment": "inputs/where.toml",
    "index": "../../runs.js",
    "page of all runs": "../../index.html",
}


# Nobody reads these again, so that it matters only whether they are there.
WRITTEN_ONLY = ("report", "page of all runs")


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize(
    ("file", "damage"),
    [
        (file, damage)
        for file in FILES
        for damage in DAMAGES
        if file not in WRITTEN_ONLY or damage in ("vanished", "half-written", "a folder")
    ],
)
def test_no_command_breaks_over_a_damaged_file_or_touches_another_run(
    file: str, damage: str, place: Path
) -> None:
    damaged, whole = sorted((place / "outputs" / "where").glob("2*"))
    DAMAGES[damage]((damaged / FILES[file]).resolve())
    others = content(whole)
    kept = content(damaged)
    for name, words in commands(damaged.name, whole.name).items():
        told = ask(*words)
        said = f"{name}: {told}"
        assert told.code in ({0, 1, 2, 4} if name in COMPARING else {0, 2, 4}), said
        assert "Traceback" not in told.out + told.err, said
        # Where a folder is in the way of a file, the system's own words are as good as any.
        assert "internal error" not in told.err or damage == "a folder", said
        if told.code in (2, 4):
            assert told.err.strip() and len(told.err.strip().splitlines()[-1]) < 400, said
        assert content(whole) == others, said
        if name not in ("report", "prune, deleting"):
            assert content(damaged) == kept, said
        kept = content(damaged)
    listed = json.loads(ask("history", "--json").out)
    assert whole.name in [item["run_id"] for item in listed]


@pytest.fixture(params=["read-only", "full"])
def disk(request: pytest.FixtureRequest, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The outputs on a file system where nothing more can be written."""
    with on_a_disk(place / "disk", size_kb=20_000) as there:
        shutil.copytree(place / "outputs", there / "outputs")
        if request.param == "full":
            with suppress(OSError), (there / "filler").open("wb", buffering=0) as filler:
                while filler.write(bytes(1 << 16)):
                    pass
        else:
            subprocess.run(["mount", "-o", "remount,ro", str(there)], check=True)
        monkeypatch.setenv("PROOFBOOK_OUTPUTS", str(there / "outputs"))
        yield there / "outputs"


@pytest.mark.usual_cases(1)
def test_no_command_breaks_or_calls_it_a_failure_where_nothing_can_be_written(
    disk: Path, place: Path, workspace: Path
) -> None:
    first, second = sorted((disk / "where").glob("2*"))
    before = content(disk)
    reading = commands(first.name, second.name)
    executing = {
        "run": ["run", "where.toml", "--notebook", "03-logs"],
        "run again": ["run", "where.toml", "--run", first.name, "--notebook", "03-logs"],
        "collect": ["collect", "where.toml", "--phase", "before"],
        "watch": ["watch", "where.toml", "--every", "5s", "--for", "5s"],
        "try": ["try", "http://127.0.0.1:1"],
        "replay": ["replay", first.name],
    }
    for name, words in (reading | executing).items():
        if name == "prune, deleting":
            continue
        if name in executing:
            done = proofbook(*words, cwd=place, workspace=workspace, PROOFBOOK_OUTPUTS=str(disk))
            code, told = done.returncode, done.stdout + done.stderr
        else:
            answer = ask(*words)
            code, told = answer.code, answer.out + answer.err
        assert code in (0, 2, 4) or (name == "try" and code == 3), f"{name}: {code}: {told}"
        assert "Traceback" not in told and told.strip(), name
        if name in ("run", "run again", "collect", "watch"):
            assert code in (2, 4), f"{name}: {code}: {told}"
    # What was cut short is not left behind, and nothing of the other run is another than it was.
    kept = content(disk)
    of_the_other = {name for name in before if second.name in name}
    assert {name: kept.get(name) for name in of_the_other} == {name: before[name] for name in of_the_other}
    assert [path for path in disk.rglob("*") if path.name.endswith(".new")] == []
    assert second.name in [item["run_id"] for item in json.loads(ask("history", "--json").out)]
