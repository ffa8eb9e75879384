"""Notebooks that break, hang, end their kernel or are interrupted are never taken for success, end, and write no secret."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import nbformat
import pytest
from conftest import on_a_disk, proofbook

from proofbook.execution.executor import Executed, Executor

SECRET = "correct-horse-battery-staple"


def notebook(folder: Path, *cells: str) -> Path:
    made = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    made.cells = [
        nbformat.v4.new_code_cell(
            'environment = ""\ncase = ""\nevidence = ""', metadata={"tags": ["parameters"]}
        ),
        *(nbformat.v4.new_code_cell(cell) for cell in cells),
    ]
    path = folder / "09-mine.ipynb"
    nbformat.write(made, path)
    return path


def execute(
    source: Path, *, folder: Path, timeout_s: float = 300, warm: bool = True, environment: str = "rehearsal"
) -> Executed:
    with Executor(warm=warm) as executor:
        [executed] = executor.execute(
            {"09-mine": source},
            folder=folder,
            parameters={"environment": environment, "case": "", "evidence": ""},
            timeout_s=timeout_s,
        )
    return executed


# Copies of a process are not made on every system.
@pytest.mark.usual_cases(2)
@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("1 / 0", "raised ZeroDivisionError"),
        ("import sys; sys.exit(0)", "code cell"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "the kernel died"),
        ("import time; time.sleep(600)", "did not end within 12 s"),
        ("import os; os.closerange(3, 4096)", "the kernel died"),
    ],
)
def test_a_notebook_that_does_not_reach_its_end_is_never_taken_for_success(
    workspace: Path, tmp_path: Path, cell: str, problem: str, warm: bool
) -> None:
    source = notebook(tmp_path, cell, "print('the end')")
    # A slow machine may start a kernel slowly.
    executed = execute(source, folder=tmp_path / "out", timeout_s=12 if "sleep" in cell else 300, warm=warm)
    assert problem in executed.problem
    assert (tmp_path / "out" / "09-mine.ipynb").is_file()


def test_a_notebook_that_fills_the_disk_is_an_error_and_leaves_nothing_half_written(
    workspace: Path, tmp_path: Path
) -> None:
    with on_a_disk(tmp_path / "small", size_kb=2_000) as small:
        fills = f"with open({str(small / 'filler')!r}, 'wb', buffering=0) as out:\n    while True: out.write(bytes(4096))"
        source = notebook(tmp_path, fills, "print('the end')")
        executed = execute(source, folder=small / "out")
        assert "No space left on device" in executed.problem
        assert not list(small.rglob("*.new"))
        for path in small.rglob("*.ipynb"):
            nbformat.read(path, as_version=4)


def pid_in(path: Path, *, within_s: float = 300) -> int:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.05)
    raise AssertionError(f"no kernel wrote {path}")


def gone(pid: int, *, within_s: float = 60) -> bool:
    deadline = time.monotonic() + within_s
    while (there := Path(f"/proc/{pid}").exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not there


@pytest.mark.extended
def test_a_kernel_that_a_cell_holds_in_one_long_call_ends_with_its_time(
    workspace: Path, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    # Matching holds the interpreter for years: no thread of the kernel can see that its parent has gone.
    endless = "import re; re.match('(a+)+$', 'a' * 60 + 'b')"
    source = notebook(tmp_path, f"import os, pathlib; pathlib.Path({str(pid)!r}).write_text(str(os.getpid()))", endless)  # fmt: skip
    for timeout_s in (8, 60, 300):
        executed = execute(source, folder=tmp_path / "out", timeout_s=timeout_s)
        if pid.exists():  # on a machine that is busy a kernel may need all of that to begin
            break
    assert executed.problem == f"did not end within {timeout_s} s"
    assert gone(pid_in(pid))


@pytest.mark.extended
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_when_the_process_that_executes_ends_so_does_every_kernel_and_it_is_said(
    workspace: Path, tmp_path: Path, sign: signal.Signals
) -> None:
    pids = tmp_path / "kernel", tmp_path / "executor"
    wrote = f"import os, pathlib; pathlib.Path({str(pids[0])!r}).write_text(str(os.getpid()))"
    found = (
        f"import psutil; pathlib.Path({str(pids[1])!r}).write_text(str(psutil.Process().parents()[1].pid))"
    )
    source = notebook(tmp_path, wrote, found, "import time; time.sleep(600)")
    with ThreadPoolExecutor() as aside:
        executing = aside.submit(execute, source, folder=tmp_path / "out")
        os.kill(pid_in(pids[1]), sign)
        how = "ended with exit code 0" if sign is signal.SIGTERM else "was killed by SIGKILL (out of memory?)"
        assert executing.result(300).problem == f"the notebook runner {how}"
    assert gone(pid_in(pids[0]))


@pytest.mark.parametrize("warm", [True, False])
def test_the_process_that_executes_ends_though_the_signal_for_it_is_not_heard(
    warm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As when it comes just before that process waits for its next order.
    with Executor(warm=warm) as executor:
        monkeypatch.setattr(executor._process, "send_signal", lambda _: None)
        monkeypatch.setattr(executor._process, "wait", partial(executor._process.wait, 300))
    assert executor._process.returncode == 0


@pytest.mark.extended
def test_whoever_reads_a_notebook_while_it_is_executed_reads_a_whole_one(
    workspace: Path, tmp_path: Path
) -> None:
    source = notebook(tmp_path, *["print('much ' * 400_000)"] * 12)
    target = tmp_path / "out" / "09-mine.ipynb"
    seen = set()
    with ThreadPoolExecutor() as aside:
        executing = aside.submit(execute, source, folder=target.parent)
        while not executing.done():
            if target.exists():
                cells = json.loads(target.read_text(encoding="utf-8"))["cells"]
                seen.add(sum(bool(cell.get("outputs")) for cell in cells))
    assert not executing.result().problem and len(seen) > 4
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_two_kernels_draw_different_numbers(workspace: Path, tmp_path: Path) -> None:
    source = notebook(tmp_path, "import numpy, random; [numpy.random.random(), random.random()]")
    drawn = set()
    with Executor() as executor:
        for executed in executor.execute(
            {"a": source, "b": source},
            folder=tmp_path / "out",
            parameters={"environment": "rehearsal", "case": "", "evidence": ""},
        ):
            assert not executed.problem
            outputs = nbformat.read(executed.path, as_version=4).cells[-1].outputs
            drawn |= set(json.loads(outputs[0]["data"]["text/plain"]))
    assert len(drawn) == 4


def test_a_notebook_that_wants_another_kernel_gets_it(workspace: Path, tmp_path: Path) -> None:
    spec = tmp_path / "jupyter" / "kernels" / "mine"
    spec.mkdir(parents=True)
    argv = [
        sys.executable,
        "-X",
        "dev",
        "-W",
        "ignore",
        "-m",
        "ipykernel_launcher",
        "-f",
        "{connection_file}",
    ]
    (spec / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "Mine", "language": "python", "env": {"MINE": "yes"}})
    )
    source = notebook(tmp_path, "import os, sys; assert os.environ['MINE'] == 'yes' and sys.flags.dev_mode")
    made = nbformat.read(source, as_version=4)
    made.metadata.kernelspec = {"name": "mine", "display_name": "Mine"}
    nbformat.write(made, source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
        executed = execute(source, folder=tmp_path / "out")
    assert not executed.problem


def test_a_secret_that_a_cell_prints_or_raises_is_never_written(workspace: Path, tmp_path: Path) -> None:
    place = tmp_path / "w"
    shutil.copytree(workspace / "notebooks", place / "notebooks")
    (place / "secret").write_text(SECRET)
    (place / "notebooks" / "environments" / "mine.toml").write_text(
        '[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\nheaders = { X-Key = { file = "secret" } }\n'
    )
    source = notebook(
        tmp_path,
        f"print('{SECRET[:14]}' + '{SECRET[14:]}')",
        f"'{SECRET[:14]}' + '{SECRET[14:]}'",
        f"raise ValueError('{SECRET[:14]}' + '{SECRET[14:]}')",
    )
    before = os.environ["PROOFBOOK_WORKSPACE"]
    os.environ["PROOFBOOK_WORKSPACE"] = str(place)
    try:
        executed = execute(source, folder=tmp_path / "out", environment="mine")
    finally:
        os.environ["PROOFBOOK_WORKSPACE"] = before
    text = executed.path.read_text()
    assert "[redacted]" in text and "raised ValueError" in executed.problem
    assert SECRET not in text and SECRET not in executed.problem


@pytest.mark.rehearsal
def test_a_broken_notebook_makes_the_run_an_error_and_the_report_says_what_happened(
    workspace: Path, healthy_evidence: Path, tmp_path: Path
) -> None:
    place = tmp_path / "w"
    shutil.copytree(workspace / "notebooks", place / "notebooks")
    path = place / "notebooks" / "06-contracts.ipynb"
    made = nbformat.read(path, as_version=4)
    next(
        cell for cell in made.cells if cell.cell_type == "code" and "openapi" in cell.source
    ).source = "import sys; sys.exit(0)"
    nbformat.write(made, path)
    done = proofbook(
        "run", "rehearsal", "--evidence", str(healthy_evidence), "--json", cwd=place, workspace=place
    )
    assert done.returncode == 4, done.stdout + done.stderr
    [content] = json.loads(done.stdout)
    assert content["verdict"] == "error" and "06-contracts" in content["sentence"]
    page = (Path(content["folder"]) / "report.html").read_text()
    assert "did not run to its end" in page and "websocket-1011-gone" in page
    suite = ET.parse(Path(content["folder"]) / "junit.xml").getroot()[0]
    assert suite.get("errors") == "1"


def test_ctrl_c_ends_the_children_and_marks_the_run(workspace: Path, tmp_path: Path) -> None:
    environment = tmp_path / "slow.toml"
    environment.write_text(
        '[pace]\nper_s = 0.5\nconcurrency = 1\n[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n'
    )
    command = [sys.executable, "-m", "proofbook.cli", "run", str(environment)]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={
            **os.environ,
            "PROOFBOOK_WORKSPACE": str(workspace),
            "PROOFBOOK_OUTPUTS": str(tmp_path / "outputs"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(tmp_path.glob("outputs/slow/*/run.json")) and process.poll() is None:
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130 and "Traceback" not in out + err
    assert err.splitlines()[-1] == "interrupted"
    [kept] = tmp_path.glob("outputs/slow/*/run.json")
    assert json.loads(kept.read_text())["reason"] == "interrupted"


@pytest.mark.extended
@pytest.mark.rehearsal
def test_ctrl_c_while_judging_ends_notebooks_and_kernels(
    workspace: Path, healthy_evidence: Path, tmp_path: Path
) -> None:
    place = tmp_path / "w"
    shutil.copytree(workspace / "notebooks", place / "notebooks")
    notebook(tmp_path, "open('started', 'w').close()\nimport time; time.sleep(900)").rename(
        place / "notebooks" / "09-mine.ipynb"
    )
    mark = f"PROOFBOOK_TEST_MARK={tmp_path.name}"
    command = [
        sys.executable,
        "-m",
        "proofbook.cli",
        "run",
        "rehearsal",
        "--evidence",
        str(healthy_evidence),
        "--notebook",
        "09-mine",
    ]
    environment = {**os.environ, "PROOFBOOK_WORKSPACE": str(place), "PROOFBOOK_TEST_MARK": tmp_path.name}
    process = subprocess.Popen(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not (place / "started").exists() and process.poll() is None:
        time.sleep(0.1)
    assert len(marked(mark)) >= 3  # the command, its worker, the kernel
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130 and "Traceback" not in out + err
    [kept] = place.glob("outputs/rehearsal/*/run.json")
    assert json.loads(kept.read_text())["reason"] == "interrupted"
    deadline = time.monotonic() + 60
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert marked(mark) == []


def marked(mark: str) -> list[str]:
    """The processes that carry a mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
        except OSError:
            continue
    return found
