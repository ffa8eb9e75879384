"""The whole way through the command line: run, replay, plain Papermill, the report, and what happens when things break."""

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
import pandas as pd
import pytest
from conftest import Rehearsal, proofbook

from proofbook.execution.document import findings_in
from proofbook.execution.executor import Executed, Executor
from proofbook.pipeline.replay import compare_findings

SECRET = "correct-horse-battery-staple"


@pytest.mark.rehearsal
def test_a_run_keeps_everything_that_was_promised(finished_run: Path) -> None:
    content = json.loads((finished_run / "run.json").read_text())
    assert content["verdict"] == "pass" and content["schema_version"] == 2
    assert {path.name for path in finished_run.iterdir()} == {
        "run.json",
        "report.html",
        "junit.xml",
        "summary.md",
        "evidence",
        "notebooks",
        "inputs",
    }
    for item in content["findings"]:
        if item["verdict"] == "pass":
            assert any(control["held"] for control in item["controls"]), item["id"]
            assert item["severity"] is not None, item["id"]
    suite = ET.parse(finished_run / "junit.xml").getroot()[0]
    assert (int(suite.get("tests", 0)), suite.get("failures")) == (len(content["findings"]), "0")


@pytest.mark.rehearsal
def test_replay_finds_the_same_findings_and_names_an_altered_file(
    finished_run: Path, workspace: Path, tmp_path: Path
) -> None:
    same = proofbook("replay", str(finished_run), cwd=workspace, workspace=workspace)
    assert same.returncode == 0 and same.stdout.startswith("identical"), same.stdout + same.stderr
    copy = tmp_path / "copy"
    shutil.copytree(finished_run, copy)
    file = copy / "evidence" / "after" / "websocket.parquet"
    table = pd.read_parquet(file)
    table.loc[0, "close_code"] = 1011
    table.to_parquet(file, index=False)
    other = proofbook("replay", str(copy), cwd=workspace, workspace=workspace)
    assert other.returncode == 1 and "after/websocket.parquet" in other.stdout and "altered" in other.stdout


def test_a_difference_names_the_finding_the_fields_and_both_values() -> None:
    first = {"id": "a-gone", "verdict": "fail", "reason": "still-there", "statement": "seen"}
    lines = compare_findings(
        [first, {**first, "id": "b"}], [{**first, "verdict": "pass", "reason": ""}, {**first, "id": "c"}]
    )
    assert lines == [
        "b: only in the run",
        "c: only in the replay",
        "a-gone: verdict, reason differ: fail → pass",
    ]
    assert compare_findings([first], [first]) == []


@pytest.mark.rehearsal
def test_plain_papermill_gives_the_findings_of_the_run(
    finished_run: Path, workspace: Path, tmp_path: Path
) -> None:
    out = tmp_path / "papermill" / "02-websocket.ipynb"
    out.parent.mkdir()
    command = [
        sys.executable,
        "-m",
        "papermill",
        str(workspace / "notebooks" / "02-websocket.ipynb"),
        str(out),
        "-p",
        "environment",
        "rehearsal",
        "-p",
        "evidence",
        str(finished_run / "evidence"),
    ]
    subprocess.run(
        command,
        check=True,
        capture_output=True,
        cwd=workspace,
        env={**os.environ, "PROOFBOOK_WORKSPACE": str(workspace)},
        timeout=600,
    )
    kept = {item["id"]: item for item in json.loads((finished_run / "run.json").read_text())["findings"]}
    found = findings_in(out.parent)
    assert len(found) >= 8
    assert all(item.to_json() == kept[item.id] for item in found)


@pytest.mark.rehearsal
def test_plain_papermill_works_alone_while_a_rehearsal_is_up(rehearsal: Rehearsal, tmp_path: Path) -> None:
    rehearsal.deploy()
    command = [
        sys.executable,
        "-m",
        "papermill",
        str(rehearsal.base / "notebooks" / "02-websocket.ipynb"),
        str(tmp_path / "out.ipynb"),
        "-p",
        "environment",
        "rehearsal",
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=rehearsal.base,
        env={**os.environ, "PROOFBOOK_WORKSPACE": str(rehearsal.base)},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found = {item.id: item for item in findings_in(tmp_path)}
    assert found["websocket-connection"].verdict.value == "pass"
    # Nothing was recorded before: absent at best, never fixed.
    assert found["websocket-1011-gone"].reason in ("absent", "too-early")
    client_secret = (rehearsal.trial.stack.up / "client-secret").read_text().strip()
    token = (rehearsal.trial.stack.up / "token").read_text().strip()
    text = (tmp_path / "out.ipynb").read_text()
    assert client_secret not in text and token not in text


@pytest.mark.rehearsal
def test_a_partial_run_is_inconclusive(workspace: Path, healthy_evidence: Path) -> None:
    done = proofbook(
        "run",
        "rehearsal",
        "--evidence",
        str(healthy_evidence),
        "--notebook",
        "06-contracts",
        cwd=workspace,
        workspace=workspace,
    )
    assert done.returncode == 3 and "PARTIAL" in done.stdout, done.stdout + done.stderr


# Notebooks that break ------------------------------------------------------------------------------------------------


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
@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("1 / 0", "raised ZeroDivisionError"),
        ("import sys; sys.exit(0)", "code cell"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "the kernel died"),
        ("import time; time.sleep(600)", "did not end within 12 s"),
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
        ended = f"the process that executes notebooks ended with {0 if sign is signal.SIGTERM else -sign}"
        assert executing.result(300).problem == ended
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


# Wrong input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "stagin"], "there is no environment 'stagin'"),
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
    (environments / "gone.toml").write_text(
        'hint = "start it first"\n[[service]]\nname = "a"\nurl = { file = "outputs/rehearsal/nowhere.url" }\n'
    )
    (environments / "guarded.toml").write_text(
        'protected = true\n[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n'
    )
    done = proofbook(*arguments, cwd=place, workspace=place)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 2, said
    assert sentence in said and "Traceback" not in said
    assert not (place / "outputs").exists()


def test_an_output_folder_that_cannot_be_written_is_named(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    environment = tmp_path / "dead.toml"
    environment.write_text('[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n')
    done = proofbook(
        "run",
        str(environment),
        cwd=tmp_path,
        workspace=workspace,
        PROOFBOOK_OUTPUTS=str(tmp_path / "file" / "x"),
    )
    assert (
        done.returncode == 2
        and "expected to be able to write to" in done.stderr
        and "Traceback" not in done.stderr
    )


def test_an_unreachable_service_fails_and_an_unknown_host_is_an_error(
    workspace: Path, tmp_path: Path
) -> None:
    for name, url, code in (("dead", "http://127.0.0.1:1", 1), ("unknown", "http://no-such-host.invalid", 4)):
        environment = tmp_path / f"{name}.toml"
        environment.write_text(
            f'[pace]\nper_s = 500\nconcurrency = 20\n[[service]]\nname = "a"\nurl = "{url}"\n'
        )
        done = proofbook(
            "run",
            str(environment),
            "--json",
            cwd=tmp_path,
            workspace=workspace,
            PROOFBOOK_OUTPUTS=str(tmp_path / "outputs"),
        )
        assert done.returncode == code, done.stdout + done.stderr
        [folder] = (tmp_path / "outputs" / name).iterdir()
        content = json.loads((folder / "run.json").read_text())
        # Only a notebook with something to judge is executed.
        executed = {"dead": ["01-service-health", "00-validation-report"], "unknown": []}
        assert [item["name"] for item in content["notebooks"]] == executed[name]
        assert all(item["problem"] == "" for item in content["notebooks"])
        assert content["verdict"] == {1: "fail", 4: "error"}[code]


def test_a_logs_only_environment_is_judged_by_its_log(workspace: Path, tmp_path: Path) -> None:
    start = pd.Timestamp("2026-01-01T00:00:00Z")
    lines = [
        json.dumps(
            {"timestamp": (start + pd.Timedelta(seconds=index)).isoformat(), "textPayload": "[INFO] fine"}
        )
        for index in range(1000)
    ]
    (tmp_path / "export.jsonl").write_text("\n".join(reversed(lines)))
    environment = tmp_path / "only-logs.toml"
    environment.write_text(f'[[log]]\nname = "export"\nfile = "{tmp_path}/export.jsonl"\n')
    names = sorted(path.stem for path in (workspace / "notebooks").glob("0[1-9]*.ipynb"))
    done = proofbook(
        "run",
        str(environment),
        *(word for name in names for word in ("--notebook", name)),
        "--json",
        cwd=tmp_path,
        workspace=workspace,
        PROOFBOOK_OUTPUTS=str(tmp_path / "outputs"),
    )
    assert done.returncode == 3, done.stdout + done.stderr
    [content] = json.loads(done.stdout)
    assert "exactly 1,000 entries, newest first," in content["sentence"]
    # Every notebook reads well on a system that has nothing for it to show.
    assert [item["problem"] for item in content["notebooks"]] == [""] * 7


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
    [kept] = tmp_path.glob("outputs/slow/*/run.json")
    assert json.loads(kept.read_text())["reason"] == "interrupted"


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


@pytest.mark.skipif(
    not os.environ.get("PROOFBOOK_REAL_LOGS"),
    reason="PROOFBOOK_REAL_LOGS does not name the folder of real exports",
)
def test_real_exports_through_a_logs_only_environment(workspace: Path, tmp_path: Path) -> None:
    folder = Path(os.environ["PROOFBOOK_REAL_LOGS"]) / "netra-staging"
    names = ("cloud-logging-2025-09-07", "cloud-logging-2025-09-16-last-hour", "jwt-rejections-2025-09-07")
    environment = tmp_path / "exports.toml"
    environment.write_text(
        "".join(
            f'[[log]]\nname = "log-{index}"\nfile = "{folder}/{name}.json"\n'
            for index, name in enumerate(names)
        )
    )
    done = proofbook(
        "run",
        str(environment),
        "--notebook",
        "03-logs",
        "--json",
        cwd=tmp_path,
        workspace=workspace,
        PROOFBOOK_OUTPUTS=str(tmp_path / "outputs"),
    )
    assert done.returncode == 3, done.stdout + done.stderr
    found = {item["id"]: item for item in json.loads(done.stdout)[0]["findings"]}
    for index, count in enumerate((2002, 1000, 20)):
        assert f"{count:,} entries read" in found[f"log-coverage-log-{index}"]["statement"]
    last_hour = found["log-coverage-log-1"]
    assert (last_hour["verdict"], last_hour["reason"]) == ("inconclusive", "log-cut")
    assert "exactly 1,000 entries, newest first, and they span 106.9 s" in last_hour["statement"]


MISSING = "ModuleNotFoundError: No module named 'backend.monitoring'"
CLAIM = f"""title = "The monitoring module is there again"
[deployment]
service = "backend"
[[fix]]
id = "monitoring"
title = "The monitoring module was not in the image"
[[fix.symptom]]
id = "missing"
log = "ModuleNotFoundError: No module named '[a-z_.]*monitoring'"
examples = ["{MISSING}"]
near_misses = ["ModuleNotFoundError: No module named 'backend.metrics'"]
"""


def served_by(revision: str, first_s: int, *, crashes: bool, seconds: int = 600) -> list[dict[str, object]]:
    """Ten minutes of a service's log, two requests a second; with crashes, one in ten of them."""
    start = pd.Timestamp("2026-01-01T00:00:00Z") + pd.Timedelta(seconds=first_s)
    labels = {"labels": {"service_name": "backend", "revision_name": revision}}
    entries: list[dict[str, object]] = []
    for number in range(2 * seconds):
        at = {"timestamp": (start + pd.Timedelta(seconds=number / 2)).isoformat(), "resource": labels}
        trace = f"projects/p/traces/{revision}-{number}"
        entries.append({**at, "trace": trace, "httpRequest": {"status": 200}})
        entries.append({**at, "trace": trace, "severity": "INFO", "textPayload": f"[INFO] served {number}"})
        if crashes and number % 10 == 0:
            entries.append({**at, "trace": trace, "severity": "ERROR", "textPayload": MISSING})
    return entries


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("gone", 0, ""), ("still there", 1, "still-there"), ("not covered", 3, "log-ends-early"), ("never seen", 3, "never-seen"),
        ("of no known side", 3, "no-deployment"), ("in unread lines", 1, "still-there"), ("in undated lines", 3, "log-unread"),
        ("beside many unread lines", 3, "log-unread"),
    ],
)  # fmt: skip
def test_a_claim_from_a_log_alone_is_what_the_log_supports(
    name: str, code: int, reason: str, workspace: Path, tmp_path: Path
) -> None:
    old = served_by("r-1", 0, crashes=name != "never seen")
    new = served_by("r-2", 600, crashes=name == "still there")
    if name == "of no known side":
        for item in (*old, *new):
            item["resource"] = {"labels": {"service_name": "backend"}}
    if name == "not covered":
        # The new revision fell silent after two minutes; another service shows that time went on.
        other = {"labels": {"service_name": "frontend", "revision_name": "f-1"}}
        late = {"timestamp": "2026-01-01T00:20:00Z", "resource": other, "textPayload": "[INFO] fine"}
        new = [*new[:480], late]
    # Lines of no entry: the process's own output among the entries from after, or between the last of before and the first of after.
    raw = {"in unread lines": (1000, [MISSING]), "in undated lines": (0, [MISSING]), "beside many unread lines": (1000, ["Segfault"] * 130)}  # fmt: skip
    place, unread = raw.get(name, (0, []))
    written = [json.dumps(item) for item in [*old, *new]]
    written[len(old) + place : len(old) + place] = unread
    (tmp_path / "log.jsonl").write_text("\n".join(written) + "\n")
    (tmp_path / "claim.toml").write_text(CLAIM)
    (tmp_path / "where.toml").write_text('[[log]]\nname = "backend"\nfile = "log.jsonl"\n'.replace("log.jsonl", str(tmp_path / "log.jsonl")))  # fmt: skip
    done = proofbook(
        "run",
        str(tmp_path / "where.toml"),
        "--case",
        str(tmp_path / "claim.toml"),
        "--notebook",
        "03-logs",
        "--json",
        cwd=tmp_path,
        workspace=workspace,
        PROOFBOOK_OUTPUTS=str(tmp_path / "outputs"),
    )
    [content] = json.loads(done.stdout)
    found = {item["id"]: item for item in content["findings"]}["log-missing-gone"]
    verdict = {0: "pass", 1: "fail", 3: "inconclusive"}[code]
    assert found["verdict"] == verdict, found
    if name == "not covered":
        assert "log-" in found["reason"] or found["reason"] == "control-liveness", found
    else:
        assert found["reason"] == reason, found
    assert done.returncode == code, content["sentence"]
    if unread:
        share = f"{len(unread)} of {2400 + len(unread):,} lines ("
        assert share in found["statement"] and "not read" in content["sentence"] + found["statement"]
