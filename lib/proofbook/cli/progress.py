"""Progress on standard error: a line for each change, and on a terminal one more for what is running."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from proofbook.redaction import log_lines
from proofbook.redaction.unseen import visible


class Progress:
    """The progress of a command over environments. names: theirs; a line names its environment where there are several."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = [Path(name).stem if name.endswith(".toml") else name for name in names]
        self._finished = 0
        self._under_way: dict[int, str] = {}
        self._shows_line = len(names) > 1 and sys.stderr.isatty()

    def say(self, number: int, line: str, *, separator: str = " · ") -> None:
        """Something that an environment says."""
        self.clear()
        place = f"{self.names[number]}{separator}" if len(self.names) > 1 else ""
        with log_lines.bound(environment=self.names[number]):
            log_lines.say(line, prefix=place)
        self._draw()

    def tell(self, number: int, what: str, text: str) -> None:
        """What the supervisor tells of an environment."""
        match what:
            case "said":
                self.say(number, text)
            case "notebook":
                self.notebook(number, text)
            case "began":
                self.began(number)

    def began(self, number: int) -> None:
        """An environment begins."""
        self._under_way[number] = ""
        if len(self.names) > 1:
            self.say(number, f"begins ({self._finished} of {len(self.names)} done)")

    def notebook(self, number: int, name: str) -> None:
        """A notebook of an environment begins: shown on a terminal alone, since its end is a line of its own."""
        self._under_way[number] = name
        self._draw()

    def done(self, number: int) -> None:
        """An environment is done."""
        self._under_way.pop(number, None)
        self._finished += 1
        self._draw()

    def clear(self) -> None:
        """Makes room for something else."""
        if self._shows_line:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Nothing is under way any more."""
        self.clear()
        self._shows_line = False

    def _draw(self) -> None:
        if not self._shows_line:
            return
        running = [f"{self.names[number]} {name}".strip() for number, name in self._under_way.items()]
        line = visible(f"{self._finished} of {len(self.names)} done · {', '.join(running)}")
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\x1b[K{line[:width]}", end="", file=sys.stderr, flush=True)
