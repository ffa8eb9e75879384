"""The command line."""

from __future__ import annotations

import signal
import sys

from proofbook.cli import file_commands, logs, rehearsal, run_commands, run_readers
from proofbook.cli.app import app
from proofbook.errors import EXIT_INTERRUPTED, EXIT_USAGE, ProofbookError

__all__ = ["app", "file_commands", "logs", "main", "rehearsal", "run_commands", "run_readers"]

# As one meets them: validate, read what came of it, then the rest.
ORDER = (
    "try_url", "check", "explain", "run", "collect", "watch", "replay", "show", "report", "verify", "compare", "history", "baseline", "accept", "prune",
    "logs", "demo", "rehearse", "faults", "schema",
)  # fmt: skip
app.registered_commands.sort(key=lambda command: ORDER.index(getattr(command.callback, "__name__", "")))


def main() -> None:
    """Runs a command; a user's mistake gives one sentence, never a traceback."""
    # Being ended by a scheduler is an interruption like any other: children are ended, the run is marked.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = app(standalone_mode=False)
    except ProofbookError as error:
        print(str(error), file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        show = getattr(error, "show", None)
        if show is None:
            raise
        # A usage error of the command line itself.
        show()
        sys.exit(EXIT_USAGE)
    sys.exit(code if isinstance(code, int) else 0)
