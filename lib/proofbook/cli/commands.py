"""All commands, in the order of `--help`. Apart from `main`, which reports what breaks while they are loaded."""

from __future__ import annotations

from proofbook.cli import (
    file_commands,
    logs,
    look,
    rehearsal,
    run_commands,
    run_readers,
    suspects,
    unattended,
    verbosity,
)
from proofbook.cli.app import app

__all__ = [
    "app",
    "file_commands",
    "in_order",
    "logs",
    "look",
    "rehearsal",
    "run_commands",
    "run_readers",
    "suspects",
    "unattended",
    "verbosity",
]

# By use, as `--help` groups them.
GROUPS = {
    "Validate": ("try_url", "check", "explain", "run", "collect", "watch"),
    "Read and keep runs": ("show", "report", "verify", "compare", "replay", "history", "baseline", "accept", "prune", "push"),
    "Investigate": ("look", "logs", "suspects"),
    "Run unattended": ("schedule", "due", "notify"),
    "Practise": ("demo", "rehearse", "faults"),
    "Look up": ("schema",),
}  # fmt: skip
ORDER = tuple(name for names in GROUPS.values() for name in names)


def in_order(names: list[str]) -> list[str]:
    """Names of functions in the order of `--help`; unlisted ones come last.

    >>> in_order(["added", "run", "try_url"])
    ['try_url', 'run', 'added']
    """
    return sorted(names, key=_place)


def _place(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


app.registered_commands.sort(key=lambda command: _place(getattr(command.callback, "__name__", "")))
for command in app.registered_commands:
    name = getattr(command.callback, "__name__", "")
    command.rich_help_panel = next((group for group, names in GROUPS.items() if name in names), "Added")
