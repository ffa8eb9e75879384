"""Several environments in one command: a result for each, the worst exit code, and notebooks as ordinary kernels make them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
import recorded
from conftest import ROOT, proofbook

from proofbook import paths
from proofbook.execution.executor import Executor

CASE = str(recorded.GOLDEN / "files" / "cases" / "ssot-fixes.toml")
ENVIRONMENT = recorded.GOLDEN / "files" / "environments" / "rehearsal.toml"


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    return recorded.evidence_of("healthy", to=tmp_path / "evidence")


def environments(folder: Path, *names: str) -> list[str]:
    """Files of environments over which the evidence was recorded."""
    for name in names:
        shutil.copyfile(ENVIRONMENT, folder / f"{name}.toml")
    return [str(folder / f"{name}.toml") for name in names]


def comparable(path: Path) -> dict[str, Any]:
    """An executed notebook without times, paths and the ids that are drawn for each."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    content["metadata"] = {
        key: value for key, value in content["metadata"].items() if key in ("kernelspec", "language_info")
    }
    for cell in content["cells"]:
        del cell["id"]
        for name in ("papermill", "execution"):
            cell["metadata"].pop(name, None)
    return content


@pytest.mark.extended
def test_a_notebook_of_ours_is_executed_without_a_kernel_and_is_what_a_kernel_makes_of_it(
    workspace: Path, evidence: Path, tmp_path: Path
) -> None:
    [environment] = environments(tmp_path, "a")
    parameters = {"environment": environment, "case": CASE, "evidence": str(evidence)}
    ours = {name: path for name, path in paths.notebooks(ROOT).items() if not name.startswith("00-")}
    (tmp_path / "changed").mkdir()
    changed = {}
    for name, path in ours.items():
        # Any other byte makes it somebody else's, which gets a kernel.
        made = json.loads(path.read_text(encoding="utf-8"))
        changed[name] = tmp_path / "changed" / path.name
        changed[name].write_text(json.dumps(made), encoding="utf-8")
    with Executor() as executor:
        plain = executor.execute(changed, folder=tmp_path / "kernels", parameters=parameters)
        quick = executor.execute(ours, folder=tmp_path / "quick", parameters=parameters)
    assert [item.problem for item in (*plain, *quick)] == [""] * 2 * len(ours)
    for one, other in zip(plain, quick, strict=True):
        assert comparable(one.path) == comparable(other.path), one.name


# Prints, for each notebook, what a copy of the process that executes them loads for itself.
LOADS = """
import os, sys
from pathlib import Path
from proofbook.execution import dispatch, worker
environment, case, evidence, folder, *notebooks = sys.argv[1:]
worker.load(*worker.LOADED, worker.STATISTICS)
before = set(sys.modules)
given = {"environment": environment, "case": case, "evidence": evidence}
for source in notebooks:
    if os.fork() == 0:
        target = f"{folder}/{Path(source).name}"
        problem = worker._execute(dispatch.Work(source=source, target=target, parameters=given, variables={}, place=folder), provisioner="")
        print(Path(source).stem, problem or "-", *sorted(set(sys.modules) - before), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.mark.extended
def test_what_notebooks_of_ours_load_is_loaded_once_for_all(
    workspace: Path, evidence: Path, tmp_path: Path
) -> None:
    [environment] = environments(tmp_path, "a")
    ours = [str(path) for name, path in paths.notebooks(ROOT).items() if not name.startswith("00-")]
    done = subprocess.run([sys.executable, "-c", LOADS, environment, CASE, str(evidence), str(tmp_path), *ours], capture_output=True, text=True)  # fmt: skip
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == len(ours) and {problem for _, problem, *_ in lines} == {"-"}, (
        done.stdout + done.stderr
    )
    # Before charts and tables were drawn once beforehand, it was 22 to 47.
    assert {name: modules for name, _, *modules in lines if len(modules) > 6} == {}


def test_a_notebook_of_ours_that_fails_ends_there_and_says_so(workspace: Path, tmp_path: Path) -> None:
    [name, *_] = [name for name in paths.notebooks(ROOT) if not name.startswith("00-")]
    with Executor() as executor:
        [done] = executor.execute(
            {name: paths.notebooks(ROOT)[name]},
            folder=tmp_path / "out",
            parameters={"environment": "rehearsal", "case": "", "evidence": str(tmp_path / "none")},
        )
    assert "raised UsageError: expected a folder of evidence" in done.problem
    made = nbformat.read(done.path, as_version=4)  # type: ignore[no-untyped-call]
    counts = [cell.execution_count for cell in made.cells if cell.cell_type == "code"]
    assert counts[-1] is None and any(
        output.output_type == "error" for cell in made.cells for output in cell.get("outputs", [])
    )


@pytest.mark.long
def test_one_broken_environment_stops_no_other_and_the_worst_counts(
    workspace: Path, evidence: Path, tmp_path: Path
) -> None:
    good, broken, late = environments(tmp_path, "good", "broken", "late")
    Path(broken).write_text("[[service]]\nname = 1\n", encoding="utf-8")
    done = proofbook(
        "run",
        *(good, broken, late, good),
        *("--case", CASE, "--evidence", str(evidence), "--json"),
        cwd=tmp_path,
        workspace=workspace,
    )
    found = json.loads(done.stdout)
    assert [item["verdict"] for item in found] == ["pass", "error", "pass"]
    assert done.returncode == 2 and "broken.toml" in found[1]["sentence"]
    lines = done.stderr.splitlines()
    assert "good · begins (1 of 3 done)" in lines and "late · judging 36 checks with 6 notebooks" in lines
    for item in (found[0], found[2]):
        assert (Path(item["folder"]) / "report.html").is_file()


def test_a_run_that_takes_too_long_is_an_error_that_says_so_in_its_record(
    workspace: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "slow.toml"
    environment.write_text(
        '[pace]\nper_s = 0.5\nconcurrency = 1\n[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\n'
    )
    done = proofbook("run", str(environment), "--run-timeout", "3s", cwd=tmp_path, workspace=workspace)
    assert done.returncode == 4, done.stderr
    assert "the run was not done within 3 s (--run-timeout); go on with: proofbook run" in done.stderr
    [kept] = workspace.glob("outputs/slow/*/run.json")
    record = json.loads(kept.read_text(encoding="utf-8"))
    assert (record["verdict"], record["reason"]) == ("error", "time-out")
