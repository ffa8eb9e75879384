"""What a notebook starts ends with it, its kernel opens no port and gets few variables, and nothing of it stays in the temporary folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from other_process import held_by_another
from test_broken_notebooks import execute, gone, notebook, pid_in

from proofbook.errors import CouldNotLook
from proofbook.execution import places
from proofbook.execution.executor import Executor
from proofbook.execution.worker import MOST_OUTPUT_CHARS

ENVIRONMENT = """
pass_env = ["PASSED_*"]
[[service]]
name = "a"
url = "http://127.0.0.1:1"
[[websocket]]
name = "a"
service = "a"
path = "/ws"
[login]
token = { env = "NAMED_TOKEN" }
"""
# Ways to leave the process group, and the session, of the notebook.
LEAVING = {
    "a session of its own": "subprocess.Popen(['sleep', '600'], start_new_session=True).pid",
    "a program of a program": "subprocess.Popen(['sh', '-c', f'setsid sleep 600 & echo $! > {pid}; exit'], start_new_session=True) and None",
    "a fork": "os.fork() or (os.setsid(), time.sleep(600))",
    "a daemon": "None if os.fork() else (os.setsid(), os.fork() and os._exit(0), write(os.getpid()), time.sleep(600))",
}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files of this test alone, of a path that is short enough."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(name)


@pytest.fixture
def environment(workspace: Path, tmp_path: Path) -> str:
    path = tmp_path / "a.toml"
    path.write_text(ENVIRONMENT)
    return str(path)


@pytest.mark.usual_cases(2)
@pytest.mark.parametrize(
    ("how", "end"), [*((how, "reaches its end") for how in LEAVING), ("a daemon", "hangs")]
)
def test_whatever_a_notebook_starts_ends_with_it(
    how: str, end: str, environment: str, temporary: Path, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    source = notebook(
        tmp_path,
        f"import os, pathlib, subprocess, time\npid = {str(pid)!r}",
        "def write(number): pathlib.Path(pid).write_text(str(number))",
        f"found = {LEAVING[how]}\nif found: write(found)",
        f"while not os.path.exists(pid) or not open(pid).read(): time.sleep(0.05)\n{'time.sleep(600)' if end == 'hangs' else ''}",
    )
    for timeout_s in (10, 60) if end == "hangs" else (300,):
        executed = execute(source, folder=tmp_path / "out", timeout_s=timeout_s, environment=environment)
        if pid.exists():  # on a machine that is busy a kernel may need all of that to begin
            break
    assert executed.problem == (f"did not end within {timeout_s} s" if end == "hangs" else "")
    assert gone(pid_in(pid), within_s=0)
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are copied on Linux alone")
def test_a_kernel_opens_no_port_and_prints_what_its_forks_print(
    environment: str, temporary: Path, tmp_path: Path
) -> None:
    source = notebook(
        tmp_path,
        "import os, pathlib",
        "listening = [line.split()[9] for file in ('tcp', 'tcp6') for line in pathlib.Path(f'/proc/self/net/{file}').read_text().splitlines()[1:] if line.split()[3] == '0A']",
        "mine = {os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd') if os.path.islink(f'/proc/self/fd/{fd}')}",
        "print('ports', [inode for inode in listening if f'socket:[{inode}]' in mine])",
        "child = os.fork()\nif child == 0:\n    print('said by a fork', flush=True)\n    os._exit(0)\nos.waitpid(child, 0)\nimport time; time.sleep(0.5)",
    )
    assert execute(source, folder=tmp_path / "out", environment=environment).problem == ""
    text = (tmp_path / "out" / "09-mine.ipynb").read_text()
    assert "ports []" in text and text.count("said by a fork") >= 2


@pytest.mark.parametrize("warm", [True, False])
def test_a_kernel_gets_the_variables_that_it_needs_and_those_that_are_listed(
    warm: bool, environment: str, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "NAMED_TOKEN": "eyJzb21lIjoidG9rZW4ifQ-named",
        "OTHER_KEY": "other-key",
        "PASSED_ON": "yes",
        "LC_TIME": "C",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    source = notebook(
        tmp_path,
        "import json, os, pathlib",
        "began = [item.partition('=')[0] for item in pathlib.Path('/proc/self/environ').read_text().split('\\0')]",
        f"pathlib.Path({str(tmp_path / 'seen')!r}).write_text(json.dumps([sorted(os.environ), began]))",
        # Known to the redaction although the kernel does not have it.
        f"print({given['NAMED_TOKEN']!r})",
    )
    assert execute(source, folder=tmp_path / "out", warm=warm, environment=environment).problem == ""
    now, began = json.loads((tmp_path / "seen").read_text())
    for seen in (now, began) if warm else (now,):
        assert not {"NAMED_TOKEN", "OTHER_KEY"} & set(seen)
    assert {"PATH", "PASSED_ON", "LC_TIME"} <= set(now)
    written = json.loads((tmp_path / "out" / "09-mine.ipynb").read_text())
    assert given["NAMED_TOKEN"] not in json.dumps([cell.get("outputs") for cell in written["cells"]])


@pytest.mark.extended
def test_output_without_end_is_cut_and_the_notebook_goes_on(
    environment: str, temporary: Path, tmp_path: Path
) -> None:
    source = notebook(
        tmp_path,
        "for _ in range(400): print('flood ' * 20_000)",
        "from IPython.display import HTML, display\nfor _ in range(3): display(HTML('<b>picture</b>' * 800_000))",
        "print('the end')",
    )
    assert execute(source, folder=tmp_path / "out", environment=environment).problem == ""
    written = tmp_path / "out" / "09-mine.ipynb"
    assert written.stat().st_size < 2.2 * MOST_OUTPUT_CHARS
    text = written.read_text()
    assert text.count("the output of this cell is cut here") == 2 and '"the end' in text


def test_a_long_folder_for_temporary_files_is_no_obstacle(
    environment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 30)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr(tempfile, "tempdir", None)
    source = notebook(tmp_path, "import os; print(os.environ['TMPDIR'])")
    executed = execute(source, folder=tmp_path / "out", environment=environment)
    assert executed.problem == ""
    assert str(long) in (tmp_path / "out" / "09-mine.ipynb").read_text()
    assert list(long.iterdir()) == []


def test_where_no_path_is_short_enough_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "LONGEST", 3)
    with (
        pytest.raises(CouldNotLook, match=r"at most 3 bytes, got .* set TMPDIR to a shorter one"),
        Executor(),
    ):
        pytest.fail("an executor without sockets was made")


@pytest.mark.extended
@pytest.mark.parametrize("killed", ["everything", "the executor"])
def test_what_killed_processes_leave_is_deleted_by_who_is_left_or_comes_next(
    killed: str, environment: str, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    source = notebook(
        tmp_path,
        f"import os, pathlib, time; pathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\ntime.sleep(600)",
    )
    code = f"""
from pathlib import Path
from proofbook.execution.executor import Executor
from proofbook.execution.worker import MOST_OUTPUT_CHARS
with Executor() as executor:
    executor.execute({{"09-mine": Path({str(source)!r})}}, folder=Path({str(tmp_path / "out")!r}), parameters={{"environment": {environment!r}, "case": "", "evidence": ""}})
"""
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    kernel = pid_in(pid)
    [place] = temporary.glob(f"{places.PREFIX}*")
    if killed == "everything":
        # Also the process that has loaded everything: the parent of the kernel's parent.
        server = int(Path(f"/proc/{_parent(kernel)}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(server, signal.SIGKILL)
        process.kill()
    else:
        process.kill()
    process.wait()
    assert gone(kernel)
    if killed == "the executor":
        deadline = time.monotonic() + 60
        while place.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    else:
        assert place.exists()
        used = places.PREFIX + "inuse"
        (temporary / used).mkdir()
        with held_by_another(temporary / used):
            for path in temporary.iterdir():
                os.utime(path, (1, 1))
            with places.place():
                pass
            assert [path.name for path in temporary.iterdir()] == [used]
        (temporary / used).rmdir()
    assert list(temporary.iterdir()) == []


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are copied on Linux alone")
def test_a_kernel_has_loaded_no_debugger_and_may_load_one(environment: str, tmp_path: Path) -> None:
    source = notebook(
        tmp_path,
        "import sys\nloaded = 'debugpy' in sys.modules",
        "import importlib.util\nprint('loaded', loaded, 'there', importlib.util.find_spec('debugpy') is not None)",
    )
    assert execute(source, folder=tmp_path / "out", environment=environment).problem == ""
    assert "loaded False there True" in (tmp_path / "out" / "09-mine.ipynb").read_text()
