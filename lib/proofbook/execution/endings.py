"""How a process ended, in words."""

from __future__ import annotations

import signal


def how_it_ended(code: int) -> str:
    """The end of a process by its exit code, which is negative for a signal, as a predicate.

    >>> how_it_ended(3), how_it_ended(-15)
    ('ended with exit code 3', 'was killed by SIGTERM')
    >>> how_it_ended(-9)
    'was killed by SIGKILL (out of memory?)'
    """
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
