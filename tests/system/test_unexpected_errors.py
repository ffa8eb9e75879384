"""What nobody foresaw, through the whole command line: exit code 4, one sentence, a traceback in a file, and run.json says error."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import made
import pytest
from conftest import on_a_disk, proofbook

from proofbook import errors
from proofbook.redaction.scrubbing import Secret
from proofbook.runs import unexpected


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with an environment that is a log alone, so that nothing is asked over the network."""
    lines = [
        json.dumps(
            {
                "timestamp": f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z",
                "severity": "INFO",
                "textPayload": f"served {number}",
            }
        )
        for number in range(600)
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    (tmp_path / "where.toml").write_text(f'[[log]]\nname = "backend"\nfile = "{tmp_path}/log.jsonl"\n')
    return tmp_path


def called(place: Path, workspace: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command, with outputs of its own."""
    outputs = {"PROOFBOOK_OUTPUTS": str(place / "outputs"), **more}
    return proofbook(*arguments, cwd=place, workspace=workspace, **outputs)


def assert_told(done: subprocess.CompletedProcess[str], *words: str) -> str:
    """The traceback that a command kept, after it ended as an internal error should: one sentence and exit code 4."""
    assert done.returncode == 4, done.stdout + done.stderr
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("internal error: ")]
    assert sentence == done.stderr.splitlines()[-1]
    assert all(word in sentence for word in words), sentence
    assert "Traceback" not in done.stdout + done.stderr
    kept = Path(sentence.partition("its traceback is in ")[2])
    text = kept.read_text()
    assert text.startswith("Traceback") and kept.stat().st_mode & 0o077 == 0
    return text


def recorded(place: Path, workspace: Path) -> Path:
    """A run that holds evidence from before, and nothing else."""
    done = called(place, workspace, "collect", "where.toml", "--phase", "before", "--json")
    assert done.returncode == 0, done.stderr
    return Path(json.loads(done.stdout)["folder"])


def test_a_run_that_breaks_is_an_error_with_its_reason_and_keeps_its_traceback(
    place: Path, workspace: Path
) -> None:
    run = recorded(place, workspace)
    (run / "summary.md").mkdir()
    done = called(place, workspace, "run", "where.toml", "--run", run.name, "--notebook", "03-logs")
    assert "IsADirectoryError" in assert_told(
        done, "Is a directory", "summary.md", str(run / unexpected.FILE)
    )
    content = json.loads((run / "run.json").read_text())
    assert (content["verdict"], content["reason"]) == ("error", "internal-error")
    assert content["sentence"] in done.stderr
    assert '"reason":"internal-error"' in (place / "outputs" / "runs.js").read_text()
    assert json.loads(called(place, workspace, "history", "--json").stdout)[0]["reason"] == "internal-error"
    # Once the cause is gone the run goes on, and nothing of the mishap stays.
    (run / "summary.md").rmdir()
    again = called(place, workspace, "run", "where.toml", "--run", run.name, "--notebook", "03-logs")
    assert again.returncode == 0 and not (run / unexpected.FILE).exists(), again.stderr


def test_a_run_is_on_the_page_of_all_runs_from_its_beginning_whatever_ends_it(
    place: Path, workspace: Path
) -> None:
    listed = place / "outputs" / "runs.js"
    run = recorded(place, workspace)
    assert f'"run_id":"{run.name}"' in listed.read_text() and '"reason":"not-judged"' in listed.read_text()
    variables = {"PROOFBOOK_OUTPUTS": str(place / "outputs"), "PROOFBOOK_WORKSPACE": str(workspace)}
    process = subprocess.Popen(
        [sys.executable, "-m", "proofbook.cli", "run", "where.toml", "--run", run.name, "--notebook", "03-logs"],
        cwd=place, env={**os.environ, **variables}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while process.poll() is None and '"reason":"unfinished"' not in listed.read_text():
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    assert '"reason":"unfinished"' in listed.read_text()


def test_collecting_that_breaks_is_an_error_of_the_run_that_it_adds_to(place: Path, workspace: Path) -> None:
    run = recorded(place, workspace)
    (run / "evidence" / "after").write_text("no folder")
    done = called(place, workspace, "collect", "where.toml", "--phase", "after", "--run", run.name)
    assert_told(done, "evidence/after", str(run / unexpected.FILE))
    content = json.loads((run / "run.json").read_text())
    assert (content["verdict"], content["reason"], content["case"]) == ("error", "internal-error", "")


def test_a_watch_that_breaks_is_an_error_with_its_reason(place: Path, workspace: Path) -> None:
    run = recorded(place, workspace)
    (run / "looks").write_text("no folder")
    done = called(place, workspace, "watch", "where.toml", "--every", "5s", "--for", "5s", "--run", run.name)
    assert_told(done, "looks", str(run / unexpected.FILE))
    assert json.loads((run / "run.json").read_text())["reason"] == "internal-error"


@pytest.mark.extended
def test_what_breaks_in_one_environment_leaves_the_others_to_be_judged(place: Path, workspace: Path) -> None:
    (place / "outputs" / "broken" / "known-issues.json").mkdir(parents=True)
    (place / "broken.toml").write_text((place / "where.toml").read_text())
    done = called(place, workspace, "run", "broken.toml", "where.toml", "--notebook", "03-logs", "--json")
    first, second = json.loads(done.stdout)
    assert done.returncode == 4 and first["verdict"] == "error" and second["verdict"] == "pass"


def test_a_run_whose_folder_somebody_removes_meanwhile_says_so(place: Path, workspace: Path) -> None:
    with ThreadPoolExecutor() as pool:
        running = pool.submit(called, place, workspace, "run", "where.toml")
        while not running.done():
            for folder in (place / "outputs" / "where").glob("2*"):
                # What was written meanwhile goes with the next turn.
                shutil.rmtree(folder, ignore_errors=True)
            time.sleep(0.01)
        done = running.result()
    assert done.returncode == 4 and "internal error" not in done.stderr, done.stderr
    assert "was removed while this run was at work" in done.stderr
    assert not list((place / "outputs").glob("traceback*"))


def test_a_part_of_a_run_that_was_removed_is_said_as_such_and_a_file_that_it_lacks_is_not(
    tmp_path: Path,
) -> None:
    gone = FileNotFoundError(2, "No such file or directory", str(tmp_path / "evidence" / "after" / "0"))
    assert "was removed while" in str(unexpected.keep(gone, folder=tmp_path, base=tmp_path))
    for lacking in (tmp_path / "logs.parquet", tmp_path.parent / "elsewhere" / "a.log"):
        error = FileNotFoundError(2, "No such file or directory", str(lacking))
        assert "internal error" in str(unexpected.keep(error, folder=tmp_path, base=tmp_path))


def test_what_an_engine_finds_missing_in_a_run_that_was_removed_is_said_as_such(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()

    def told(error: BaseException) -> str:
        return str(unexpected.keep(error, folder=run, base=tmp_path))

    def broken(sql: str) -> duckdb.Error:
        with pytest.raises(duckdb.Error) as raised:
            duckdb.execute(sql)
        return raised.value

    part = broken(f"COPY (SELECT 1) TO '{run}/evidence/after/.logs.parquet' (FORMAT parquet)")
    lacking = broken(f"SELECT * FROM '{run}/logs.parquet'")
    assert "was removed while" in told(part) and "internal error" in told(lacking)
    shutil.rmtree(run)
    assert "was removed while" in told(lacking) and "internal error" in told(ValueError("anything"))


def test_a_command_without_a_run_keeps_its_traceback_among_the_outputs(place: Path, workspace: Path) -> None:
    runs = place / "outputs" / "e"
    made.write_run(runs / "20260101T000000Z-0000", [made.finding()], [], case="c", verdict="fail")
    (runs / "known-issues.json").mkdir()
    accept = ("accept", "20260101T000000Z-0000", "x", "--by", "Ada", "--until", "2999-01-01", "--why", "so")
    told = assert_told(
        called(place, workspace, *accept), "known-issues.json", str(place / "outputs" / "traceback-")
    )
    assert "Is a directory" in told


@pytest.mark.parametrize("command", [["history"], ["prune", "--keep", "1"]])
def test_who_may_not_write_the_index_sees_the_runs_all_the_same(
    command: list[str], place: Path, workspace: Path
) -> None:
    made.write_run(
        place / "outputs" / "e" / "20260101T000000Z-0000", [made.finding()], [], case="c", verdict="fail"
    )
    (place / "outputs" / "index.html").mkdir()
    done = called(place, workspace, *command)
    assert done.returncode == 0 and ("20260101T000000Z-0000" in done.stdout or "1 runs" in done.stdout)


@pytest.mark.extended
def test_an_index_that_cannot_be_written_does_not_change_the_verdict_of_a_run(
    place: Path, workspace: Path
) -> None:
    (place / "outputs" / "index.html").mkdir(parents=True)
    done = called(place, workspace, "run", "where.toml", "--notebook", "03-logs", "--json")
    [content] = json.loads(done.stdout)
    assert (done.returncode, content["verdict"]) == (0, "pass")
    assert json.loads((Path(content["folder"]) / "run.json").read_text())["verdict"] == "pass"
    assert "internal error: Is a directory" in done.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a run's first files."""
    with on_a_disk(tmp_path / "small", size_kb=64) as folder:
        yield folder


def test_a_full_disk_is_an_error_and_run_json_says_so(place: Path, workspace: Path, small_disk: Path) -> None:
    done = called(
        place, workspace, "run", "where.toml", "--notebook", "03-logs", PROOFBOOK_OUTPUTS=str(small_disk)
    )
    assert done.returncode == 4 and done.stderr.splitlines()[-1].startswith(
        "there is no room to write: No space left on device: "
    )
    [path] = small_disk.glob("where/*/run.json")
    content = json.loads(path.read_text())
    assert (content["verdict"], content["reason"]) == ("error", "no-room")
    assert "No space left on device" in content["sentence"]


@pytest.mark.parametrize("command", ["schema", "faults"])
def test_output_that_cannot_be_written_is_an_error_and_no_failure(command: str, place: Path) -> None:
    program = [sys.executable, "-m", "proofbook.cli", command]
    outputs = {**os.environ, "PROOFBOOK_OUTPUTS": str(place / "outputs")}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, env=outputs, cwd=place)
    assert done.returncode == 4 and done.stderr.startswith(
        "there is no room to write: No space left on device"
    ), done


def test_a_command_ends_as_ever_where_nobody_reads_what_it_prints(place: Path) -> None:
    program = [sys.executable, "-m", "proofbook.cli", "schema"]
    outputs = {**os.environ, "PROOFBOOK_OUTPUTS": str(place / "outputs")}
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(program, stdout=write, stderr=write, env=outputs, cwd=place)
    os.close(write)
    never = subprocess.run(program, env=outputs, cwd=place, preexec_fn=lambda: os.closerange(0, 3))
    assert (ended.returncode, never.returncode) == (0, 0)
    assert not list(place.glob("outputs/traceback-*"))


def test_a_command_that_cannot_be_loaded_is_told_in_a_sentence(place: Path) -> None:
    source = "import sys; sys.modules['rich.table'] = None; from proofbook.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", source, "schema"],
        capture_output=True,
        text=True,
        cwd=place,
        env={**os.environ, "PROOFBOOK_OUTPUTS": str(place / "outputs")},
    )
    assert "rich.table" in assert_told(done, "ModuleNotFoundError", "rich.table")


def test_where_not_even_the_sentence_can_be_made_the_exit_code_is_that_of_an_error(place: Path) -> None:
    source = (
        "from proofbook.runs import unexpected\n"
        "def broken(*_, **__): raise MemoryError\n"
        "unexpected.keep = broken\n"
        "import sys; sys.modules['rich.table'] = None\n"
        "from proofbook.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", source, "schema"], capture_output=True, text=True, cwd=place)
    assert done.returncode == 4
    assert done.stderr == "internal error: MemoryError, and no more could be said of it\n"


def test_a_command_that_nobody_put_into_the_order_comes_last_and_stops_nothing(place: Path) -> None:
    source = (
        "from proofbook.cli.app import app\n"
        "@app.command()\n"
        "def added() -> None:\n    print('of a stranger')\n"
        "from proofbook.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", source, "added"], capture_output=True, text=True, cwd=place)
    assert (done.returncode, done.stdout) == (0, "of a stranger\n"), done.stderr
    shown = subprocess.run(
        [sys.executable, "-c", source, "--help"], capture_output=True, text=True, cwd=place
    )
    assert shown.stdout.index("schema") < shown.stdout.index("added")


def test_a_traceback_and_its_sentence_hold_no_secret(tmp_path: Path) -> None:
    secret = Secret("correct-horse-battery-staple")
    try:
        raise RuntimeError(f"no answer to {secret.reveal()}")
    except RuntimeError as error:
        broken = unexpected.keep(error, folder=tmp_path)
    text = (tmp_path / unexpected.FILE).read_text()
    for said in (str(broken), text):
        assert "no answer to [redacted]" in said and secret.reveal() not in said
    assert "test_unexpected_errors.py" in str(broken) and "test_unexpected_errors.py" in text
    assert (broken.exit_code, broken.reason) == (4, "internal-error")
    assert isinstance(broken, errors.CouldNotLook)


def test_a_traceback_that_can_be_kept_nowhere_is_no_second_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PROOFBOOK_OUTPUTS", str(tmp_path / "file" / "outputs"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    broken = unexpected.keep(KeyError("degraded"), folder=tmp_path / "nowhere")
    assert str(broken) == "internal error: KeyError: 'degraded'; its traceback could not be written anywhere"
