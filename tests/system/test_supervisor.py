"""Work of several environments in processes of their own: what ends how, in which time, and what else goes on meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest
from test_broken_notebooks import notebook

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux alone")

# All in one process, since each would load for seconds what the others have loaded.
SCRIPT = """
import json, os, signal, subprocess, sys, time
from pathlib import Path
from proofbook.execution import supervisor
from proofbook.execution.supervisor import Limits, Task

here = Path(sys.argv[1])
supervisor.GRACE_S = 1.0

def tell(tasks, **limits):
    found = []
    for event in supervisor.run([Task(name=name, work=work) for name, work in tasks.items()], limits=Limits(**limits)):
        found.append([event.task.name, event.what, event.text, event.result])
    return found

def ends_when_told(client):
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        return {"over": client.over}

def ends_never(client):
    signal.signal(supervisor.OVER, signal.SIG_IGN)
    time.sleep(600)

def in_a_place(client):
    client.say("waits")
    with client.place():
        began = time.monotonic()
        time.sleep(0.5)
        return {"began": began, "ended": time.monotonic()}

def orders(cell, timeout_s):
    def work(client):
        done = client.execute({"09-mine": here / f"{cell}.ipynb"}, folder=here / cell, timeout_s=timeout_s,
            parameters={"environment": "rehearsal", "case": "", "evidence": ""}, say=client.say)
        return {"problems": [item.problem for item in done]}
    return work

other = subprocess.Popen(["sleep", "600"])
found = {
    "how": tell({"whole": lambda client: {"a": 1}, "exits": lambda client: os._exit(3), "killed": lambda client: os.kill(os.getpid(), signal.SIGKILL), "late": lambda client: {"b": 2}}, jobs=1),
    "run": tell({"told": ends_when_told, "never": ends_never, "quick": lambda client: {}}, jobs=2, run_s=1),
    "command": tell({name: ends_when_told for name in "abcde"}, jobs=1, command_s=2),
    "places": tell({name: in_a_place for name in "abc"}, jobs=1),
    "notebooks": tell({"hangs": orders("hangs", 6), "dies": orders("dies", 300), "whole": orders("whole", 300)}, jobs=3),
}
def interrupts_itself():
    os.kill(os.getpid(), signal.SIGINT)
    found["step"] = "went on to its end"

usual, supervisor.worker.load = supervisor.worker.load, interrupts_itself
try:
    tell({"never": lambda client: {}})
except KeyboardInterrupt:
    found["interrupted"] = "afterwards"
supervisor.worker.load = usual
found["other"] = other.poll()
other.kill()
other.wait()
found["children"] = supervisor.endings.children()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    here = tmp_path_factory.mktemp("supervisor")
    for name, cell in (
        ("hangs", "import time; time.sleep(600)"),
        ("dies", "import os; os._exit(7)"),
        ("whole", "1 + 1"),
    ):
        notebook(here, cell).rename(here / f"{name}.ipynb")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(here)], capture_output=True, text=True, timeout=600, cwd=here
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def outcome(events: list[list[Any]]) -> dict[str, tuple[str, str]]:
    """How each task ended, by name."""
    return {name: (what, text) for name, what, text, _ in events if what in ("done", "lost")}


def test_a_process_that_ends_early_costs_no_other_and_says_how_it_ended(found: dict[str, Any]) -> None:
    assert outcome(found["how"]) == {
        "whole": ("done", ""),
        "exits": ("lost", "the process of the run ended with exit code 3"),
        "killed": ("lost", "the process of the run was killed by SIGKILL (out of memory?)"),
        "late": ("done", ""),
    }


def test_a_run_over_its_time_may_write_that_down_and_is_killed_where_it_does_not_end(
    found: dict[str, Any],
) -> None:
    sentence = "the run was not done within 1 s (--run-timeout)"
    assert outcome(found["run"]) == {"told": ("done", ""), "never": ("lost", sentence), "quick": ("done", "")}
    assert ["told", "done", "", {"over": sentence}] in found["run"]


def test_what_is_not_begun_when_the_commands_time_is_over_is_not_begun(found: dict[str, Any]) -> None:
    sentence = "the command was not done within 2 s (--total-timeout)"
    begun = [name for name, what, _, _ in found["command"] if what == "began"]
    assert begun == ["a", "b", "c"]
    assert [item[3]["over"] for item in found["command"] if item[1] == "done"] == [sentence] * 3
    assert [outcome(found["command"])[name] for name in "de"] == [("lost", f"not started: {sentence}")] * 2


def test_work_that_needs_a_core_waits_for_its_place(found: dict[str, Any]) -> None:
    times = sorted((item[3]["began"], item[3]["ended"]) for item in found["places"] if item[1] == "done")
    assert len(times) == 3
    assert all(ended <= begins for (_, ended), (begins, _) in pairwise(times))


def test_a_notebook_that_hangs_or_dies_costs_no_other_environment(found: dict[str, Any]) -> None:
    problems = {name: result["problems"] for name, what, _, result in found["notebooks"] if what == "done"}
    assert problems == {"hangs": ["did not end within 6 s"], "dies": ["the kernel died"], "whole": [""]}


def test_nothing_is_left_and_what_was_there_before_is_not_ended(found: dict[str, Any]) -> None:
    assert found["other"] is None
    assert found["children"] == []


def test_an_interrupt_waits_until_what_is_being_loaded_is_loaded(found: dict[str, Any]) -> None:
    # A compiled module that is interrupted fails with an ImportError, which would be told as an error of ours.
    assert found["step"] == "went on to its end"
    assert found["interrupted"] == "afterwards"
