"""Lines for a crontab."""

from __future__ import annotations

import shlex
from pathlib import Path

from proofbook.schedule.plan import Plan, cron_times


def text(plan: Plan) -> str:
    """The lines: one that runs, and one half an hour later that says when no run came.

    The lock keeps two from running at once, and ends with the process that holds it; 75 is the exit code of "locked".
    """
    folder = shlex.quote(str(plan.folder))
    outputs = shlex.quote(_inside(plan.outputs, plan.folder))
    lock, log = (f"{outputs}/.{plan.name}.{end}" for end in ("lock", "log"))
    settings = "".join(f"{name}={shlex.quote(value)} " for name, value in plan.variables)
    read = f"set -a; . ./{plan.name}.env; set +a; " if plan.secrets else ""
    running = f"cd {folder} && mkdir -p {outputs} && ( flock -n 9 || exit 75; {read}{settings}{plan.command(plan.run(here=True))} >{log} 2>&1 ) 9>{lock}"
    asking = f"{settings}{plan.command(plan.due(here=True))}"
    # Where nobody is told otherwise, cron mails what is printed.
    asked = f"{asking} >/dev/null" if plan.tells else f'out=$({asking}) || echo "$out"'
    secrets = [
        f"# {plan.folder / plan.name}.env, readable by you alone, has to set {', '.join(plan.secrets)}: lines of NAME='value'."
    ]
    return "\n".join(
        [
            f"# {plan.title}. To install: crontab -e",
            *(secrets if plan.secrets else []),
            "# Nothing is run again before its time, whatever the exit code: a check that is repeated until it passes proves nothing.",
            f"{cron_times(plan)} {_escaped(running)}",
            "# Says when no run came. Better on another machine, for when this one is down.",
            f"{cron_times(plan, later=True)} {_escaped(f'cd {folder} && {{ {read}{asked}; }}')}",
            "",
        ]
    )


def _inside(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _escaped(command: str) -> str:
    # cron takes a bare % for a new line.
    return command.replace("%", r"\%")
