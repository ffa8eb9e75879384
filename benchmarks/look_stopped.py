"""Whether Stop stops a look at a large log: python benchmarks/look_stopped.py [LOG] [--requests 500000] [--stops 6].

A kernel of its own opens the log and displays it, and is interrupted in the middle of each, at so many moments that are spread over the time that it takes.
They are told by the processor time of the kernel. Each time the prompt must be back within `WITHIN_S`, nothing may be left among temporary files, no thread may go on, and no file that was
deleted may be held open. At the end the same kernel opens the log and displays what it did at first. Without a log one is made, as `benchmarks/look.py` does.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any

import numpy as np
from jupyter_client.manager import start_new_kernel

# As claim 16 of docs/explanation/looks-measured.md has it.
WITHIN_S = 2.0
# What a kernel that does nothing may compute in a second.
IDLE_S = 0.3
OPEN = "look = pb.look({file!r})"
DISPLAY = "look"
DIGEST = "import hashlib; print(hashlib.sha256(look._repr_html_().encode()).hexdigest())"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """How a cell ended that was interrupted. after_s: when, in seconds of the processor. back_s: how long until the prompt was back, without what was waited for a processor; at least what one of its threads computed until then. left: temporary files that were not there before. busy_s: what the kernel computed in the second after. held_mb: deleted files that it holds open."""

    after_s: float
    ended: str
    back_s: float
    left: tuple[str, ...]
    busy_s: float
    held_mb: float

    @property
    def is_late(self) -> bool:
        """Whether the cell had come to its end before."""
        return self.ended == "ok"

    @property
    def problem(self) -> str:
        """What is wrong with it; empty where nothing is."""
        if self.is_late:
            return ""
        wrong = {
            f"it ended as {self.ended}": self.ended != "KeyboardInterrupt",
            f"the prompt was back after {self.back_s:.2f} s": self.back_s > WITHIN_S,
            f"left behind: {', '.join(self.left)}": bool(self.left),
            f"it went on to compute, {self.busy_s:.2f} s in a second": self.busy_s > IDLE_S,
            f"{self.held_mb:.1f} MB of deleted files are held": self.held_mb > 0,
        }
        return "; ".join(text for text, holds in wrong.items() if holds)


class Kernel:
    """A kernel with a folder of its own for temporary files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Its own sockets lie elsewhere.
        self._manager, self._client = start_new_kernel(env={**os.environ, "TMPDIR": str(folder)})
        self._pid: int = self._manager.provisioner.pid  # type: ignore[union-attr]  # of a local kernel, which has one
        self.run("import proofbook as pb; from proofbook.investigation import look as _")

    def run(self, source: str, *, timeout_s: float = 3600) -> tuple[float, str]:
        """Runs a cell to its end: the seconds of the processor that it took, and what it printed."""
        printed: list[str] = []

        def heard(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
                printed.append(message["content"]["text"])

        began = self._computed_s()
        while True:
            reply = self._client.execute_interactive(source, output_hook=heard, timeout=timeout_s)["content"]
            # What comes close behind an interrupt is aborted, and sent again.
            if reply["status"] != "aborted":
                assert reply["status"] == "ok", reply
                return self._computed_s() - began, "".join(printed)

    def stop(self, source: str, *, after_s: float) -> Stopped:
        """Interrupts a cell when it took so many seconds of the processor."""
        self.run("1")
        before, began, asked = self._files(), self._computed_s(), self._client.execute(source)
        while self._computed_s() - began < after_s:
            # One that takes less than the time before ends without it, and an idle kernel computes next to nothing.
            if (early := self._reply(asked, within_s=0.01)) is not None:
                return Stopped(after_s=after_s, ended=early.get("ename", early["status"]), back_s=0.0, left=(), busy_s=0.0, held_mb=0.0)  # fmt: skip
        pressed, threads = time.monotonic(), self._threads()
        self._manager.interrupt_kernel()
        reply = self._reply(asked, within_s=600)
        assert reply is not None, "no answer within 600 s"
        back = time.monotonic() - pressed
        passed = [now - threads[thread] for thread, now in self._threads().items() if thread in threads]
        ran, waited = np.array(passed).T
        back = max(back - waited.sum(), ran.max())
        computed = self._computed_s()
        time.sleep(1)  # nothing can be waited for: this is about what does not come
        return Stopped(
            after_s=after_s, ended=reply.get("ename", reply["status"]), back_s=back, left=tuple(sorted(self._files() - before)),
            busy_s=self._computed_s() - computed, held_mb=self._held_mb(),
        )  # fmt: skip

    def end(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.context.destroy(linger=0)

    def _reply(self, asked: str, *, within_s: float) -> dict[str, Any] | None:
        """What the kernel answers to a cell; None where it does not in time."""
        over = time.monotonic() + within_s
        while (left := over - time.monotonic()) > 0:
            try:
                message = self._client.get_shell_msg(timeout=left)
            except Empty:
                break
            if message["parent_header"]["msg_id"] == asked:
                content: dict[str, Any] = message["content"]
                return content
        return None

    def _files(self) -> set[str]:
        return {str(path.relative_to(self._folder)) for path in self._folder.rglob("*")}

    def _computed_s(self) -> float:
        fields = Path(f"/proc/{self._pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _threads(self) -> dict[str, Any]:
        """Of each thread how long it computed, and how long it stood ready and was not let run: they wait for each other."""
        found = {}
        for thread in Path(f"/proc/{self._pid}/task").iterdir():
            # A thread may end meanwhile.
            with suppress(OSError):
                found[thread.name] = np.array((thread / "schedstat").read_text(encoding="ascii").split()[:2], dtype=np.float64) / 1e9  # fmt: skip
        return found

    def _held_mb(self) -> float:
        held = 0
        for link in Path(f"/proc/{self._pid}/fd").iterdir():
            if str(self._folder) in (name := str(link.readlink())) and name.endswith("(deleted)"):
                held += link.stat().st_size
        return held / 1e6


def try_stops(file: Path, *, stops: int, folder: Path) -> Iterator[tuple[str, Stopped]]:
    """What is interrupted, and how it ended; each moment of both once. At the end the log is displayed as it was at first."""
    kernel = Kernel(folder)
    opening = OPEN.format(file=str(file))
    try:
        # What is done once in a process is done.
        for _ in range(2):
            open_s, _printed = kernel.run(opening)
            display_s, shown = kernel.run(DIGEST)
        kernel.run("look = None")
        for number in range(stops):
            yield "opening", kernel.stop(opening, after_s=open_s * (number + 0.5) / stops)
            kernel.run("look = None")
        for number in range(stops):
            # What was counted is kept with the log: it is opened anew.
            kernel.run(opening)
            yield "displaying", kernel.stop(DISPLAY, after_s=display_s * (number + 0.5) / stops)
        kernel.run(DISPLAY)
        _, again = kernel.run(DIGEST)
        assert again == shown, "another display than at first"
        kernel.run("del look; import gc; gc.collect()")
    finally:
        kernel.end()


@contextmanager
def _log(asked: argparse.Namespace, folder: Path) -> Iterator[Path]:
    if asked.log:
        yield asked.log.resolve()
        return
    import look

    file = folder / "log.parquet"
    look.write(file, requests=asked.requests)
    yield file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path, nargs="?")
    parser.add_argument("--requests", type=int, default=500_000)
    parser.add_argument("--stops", type=int, default=6, help="moments, of opening and of displaying")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, _log(asked, Path(name)) as file:
        (place := Path(name) / "temporary").mkdir()
        bad = 0
        print(f"{'stopped while':<14}{'after':>9}{'prompt back':>13}{'then busy':>11}")
        for what, one in try_stops(file, stops=asked.stops, folder=place):
            print(f"{what:<14}{one.after_s:>7.1f} s{one.back_s:>11.2f} s{one.busy_s:>9.2f} s  {one.problem or ('had ended' if one.is_late else 'ok')}", flush=True)  # fmt: skip
            bad += bool(one.problem)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
