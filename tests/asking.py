"""The command line called in this process: what it said and its exit code."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

from proofbook import cli


@dataclass(frozen=True, slots=True)
class Told:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line that it said, on standard error where there is one."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[-1] if lines else ""


def ask(*arguments: str) -> Told:
    """What the command says; for commands that execute no notebooks."""
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["proofbook", *arguments]
    code = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            cli.main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.argv = before
    return Told(code, out.getvalue(), err.getvalue())
