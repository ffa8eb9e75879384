"""A test that fails while the machine stands still is run anew, and one that fails on a machine that does not is not."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow

# They stop themselves, as a machine that gives its processors to others does to all processes.
TESTS = """
import os, signal, subprocess, sys
import pytest

def stand_still():
    subprocess.Popen(["/bin/sh", "-c", f"sleep 0.6; kill -CONT {os.getpid()}"])
    os.kill(os.getpid(), signal.SIGSTOP)

turns, folders = dict.fromkeys(("late", "made", "wrong", "calm"), 0), []

def turn(name):
    turns[name] += 1
    return turns[name]

def test_late(tmp_path):
    folders.append(tmp_path)
    if turn("late") == 1:
        stand_still()
        assert False, "it came late"
    assert not list(tmp_path.iterdir()) and len(set(folders)) == 2

@pytest.fixture(scope="session")
def made():
    if turn("made") == 1:
        stand_still()
        raise OSError("nothing listens")

def test_made(made):
    pass

def test_wrong():
    number = turn("wrong")
    stand_still()
    assert False, f"wrong in turn {number}"

def test_calm():
    assert False, f"calm in turn {turn('calm')}"
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest prints of them with the hooks of our tests."""
    folder = tmp_path_factory.mktemp("anew")
    (folder / "test_it.py").write_text(TESTS)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PROOFBOOK_TESTS"))}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "conftest", "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={folder}", f"--basetemp={folder / 'temporary'}", str(folder / "test_it.py")],
        env=own | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT / "lib")])},
        cwd=folder,
        capture_output=True,
        text=True,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_one_that_failed_while_the_machine_stood_still_runs_anew_and_that_is_told(said: str) -> None:
    assert "2 failed, 2 passed" in said and "failed while the machine stood still, and ran anew" in said, said
    assert re.search(r"test_late: the machine stood still for [01]\.\d s; call failed: AssertionError: it came late", said), said  # fmt: skip


def test_a_fixture_that_could_not_be_made_meanwhile_is_made_again(said: str) -> None:
    assert re.search(r"test_made: the machine .*; setup failed: OSError: nothing listens", said), said


def test_one_that_fails_always_fails_and_on_a_calm_machine_at_once(said: str) -> None:
    assert "FAILED test_it.py::test_wrong - AssertionError: wrong in turn 3" in said, said
    # The machine under this test may be the one that stands still.
    told = re.search(r"FAILED test_it.py::test_calm - AssertionError: calm in turn (\d)", said)
    stood = [
        float(seconds) for seconds in re.findall(r"test_calm: the machine stood still for (\S+) s", said)
    ]
    assert told is not None and int(told[1]) == len(stood) + 1, said
    assert all(seconds > 0.2 for seconds in stood), said
