"""What is left of a run of the tests after Ctrl-C in the middle of it: `python tests/interrupted.py [FILE_OR_FOLDER ...]`.

Runs pytest with eight workers as `make test` does, in a session of its own as a terminal does, interrupts it once it has the tests
and programs of all workers under way, and says when the last of its processes ended. Exit code 1: one lived for longer than 5 s.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import guard

MARK = "PROOFBOOK_TEST_OF_CTRL_C"
WORKERS = 8
# Of each worker two tests on average, and beside pytest, its workers and the guard so many programs that tests started.
PASSED, PROGRAMS = 2 * WORKERS, 6
WITHIN_S, LONGEST_S = 5.0, 60.0
ROOT = Path(__file__).parent.parent
# Whole runs, servers of others, kernels, engines, and what waits.
USUAL = ("tests/system", "tests/unit/collect", "tests/unit/notify")


def main(paths: list[str]) -> int:
    mark = uuid.uuid4().hex
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-n", str(WORKERS), "-p", "no:cacheprovider", *paths],
            cwd=ROOT,
            env={**os.environ, MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # What runs in the background of a script does not hear Ctrl-C; what a terminal starts does.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            alive = in_the_middle(process, mark, Path(f"/proc/self/fd/{said.fileno()}"))
            print(f"in the middle {len(alive)} processes")
            os.killpg(process.pid, signal.SIGINT)
            began = time.monotonic()
            while (left := guard.marked(mark, variable=MARK)) and time.monotonic() < began + LONGEST_S:
                time.sleep(0.05)
                process.poll()  # one that has ended is no longer there once somebody has asked for its exit code
            took_s = time.monotonic() - began
        finally:
            for pid in guard.marked(mark, variable=MARK):
                os.kill(pid, signal.SIGKILL)
            process.wait(30)
    print(f"{len(left)} processes {took_s:.1f} s after Ctrl-C")
    for pid, command in left.items():
        print(f"  {pid} {command[:150]}")
    return int(bool(left) or took_s > WITHIN_S)


def in_the_middle(process: subprocess.Popen[bytes], mark: str, said: Path) -> dict[int, str]:
    """The processes of the run, once enough tests have passed and enough programs of tests are there."""
    while process.poll() is None:
        alive = guard.marked(mark, variable=MARK)
        if said.read_text().count(".") >= PASSED and len(alive) >= WORKERS + 2 + PROGRAMS:
            return alive
        time.sleep(0.2)
    sys.exit(f"it ended before it was in the middle:\n{said.read_text()[-2000:]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [*USUAL]))
