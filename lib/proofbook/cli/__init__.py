"""The command line."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

from proofbook.cli import streams
from proofbook.errors import EXIT_CODES, EXIT_INTERRUPTED, EXIT_USAGE, ProofbookError

__all__ = ["main"]
# As in `execution.elsewhere`, which any other command does without.
ENDS_WITH = "PROOFBOOK_ENDS_WITH"


def main() -> None:
    """Runs a command and ends this process with its exit code; an exception gives one sentence, never a traceback or the code of `fail`."""
    if ENDS_WITH in os.environ:
        # Begun by a worker of a cluster.
        from proofbook.execution import elsewhere

        elsewhere.end_with_parent()
    # Being ended by a scheduler is an interruption like any other: children are ended, the run is marked.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    streams.prepare()
    _have_a_home()
    try:
        code = _told()
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except Exception as error:
        # Even the sentence takes more than there is, as where memory ran out; Python itself would end with 1.
        with contextlib.suppress(OSError):
            os.write(2, f"internal error: {type(error).__name__}, and no more could be said of it\n".encode())
        code = EXIT_CODES["error"]
    if code == EXIT_INTERRUPTED:
        # `python -m` ends by SIGINT where one came while text was executed, as loading dataclasses does, unless other text was since.
        exec("")
    sys.exit(code)


def _told() -> int:
    """The exit code of the command, after printing a sentence where it ended early."""
    try:
        return _command()
    except ProofbookError as error:
        return _ended(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _ended("interrupted", EXIT_INTERRUPTED)
    except Exception as error:
        return _explained(error)


def _have_a_home() -> None:
    """A user that no file knows, as in a container, has no home either; libraries that look for their settings there want a path."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = "/nonexistent"


def _command() -> int:
    """The exit code of the command that was typed."""
    # Late, so that a command that cannot be loaded is told like anything else that breaks.
    from proofbook.cli.commands import app

    try:
        code = app(standalone_mode=False)
    except SystemExit as error:
        # Typer ends with 1 by any pipe that is closed, such as that of a process of ours.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise
    if code == EXIT_INTERRUPTED:
        # Typer's own way to hand on Ctrl-C.
        return _ended("interrupted", EXIT_INTERRUPTED)
    # Now, while it can still be told: a disk may be full.
    sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _explained(error: Exception) -> int:
    """The exit code of an exception that is no ProofbookError; prints a sentence."""
    if type(error).__name__ == "Abort":
        # A question that was answered with Ctrl-C.
        return _ended("interrupted", EXIT_INTERRUPTED)
    show = getattr(error, "show", None)
    if show is not None:
        error.message = _in_our_words(error)  # type: ignore[attr-defined]  # those of Typer and Click have a message
        show()
        return EXIT_USAGE
    from proofbook.runs import unexpected

    broken = unexpected.keep(error)
    return _ended(str(broken), broken.exit_code)


def _in_our_words(error: Exception) -> str:
    """The message of a usage error of the command line itself, in which pydantic may have put words of its own."""
    message = str(getattr(error, "message", ""))
    if message.startswith("Value error, "):
        return message.removeprefix("Value error, ")
    problems = getattr(error.__cause__, "errors", None)
    if problems is None:
        return message
    from proofbook.config.wanted import wanted

    return wanted(problems()[0])


def _ended(sentence: str, code: int) -> int:
    """The code, after printing the sentence; output for which there is no room is dropped."""
    from proofbook.redaction import log_lines

    with contextlib.suppress(OSError):
        log_lines.say(sentence)
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
