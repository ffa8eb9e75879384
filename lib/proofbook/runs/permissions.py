"""Who may read runs: their owner alone, unless said otherwise."""

from __future__ import annotations

import os

from proofbook.errors import UsageError

MODE_VARIABLE = "PROOFBOOK_OUTPUTS_MODE"


def mode() -> int:
    """The permissions of a run's folder: its owner's alone unless PROOFBOOK_OUTPUTS_MODE says otherwise.

    Raises:
        UsageError: it says nothing usable.
    """
    said = os.environ.get(MODE_VARIABLE, "")
    if not said:
        return 0o700
    try:
        found = int(said, 8)
    except ValueError:
        found = -1
    if not 0o700 <= found <= 0o777:
        raise UsageError(
            f"{MODE_VARIABLE}: expected the permissions of a folder that its owner may use, such as 750, got {said!r}"
        )
    return found


def file_mode() -> int:
    """The permissions of a file beside the runs, as of their folders."""
    return mode() & 0o666
