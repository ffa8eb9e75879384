"""What is to be scheduled: which environments how often, by which program, in which folder, with which variables."""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from proofbook import paths
from proofbook.config import durations
from proofbook.config.environment import Environment
from proofbook.config.references import Reference
from proofbook.errors import UsageError

# Where runs are kept and which workspace is meant may be said by variables; a scheduler has none of them.
OURS = ("PROOFBOOK_OUTPUTS", "PROOFBOOK_OUTPUTS_MODE", "PROOFBOOK_SCRATCH", "PROOFBOOK_WORKSPACE")
# By which the clients of object stores are let in; those that are set now are wanted then.
OF_STORES = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_PROFILE",
    "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_CONNECTION_STRING",
)  # fmt: skip
MINUTE_S, DAY_S, WEEK_S = 60, 86400, 7 * 86400
HALF_AN_HOUR = 30
# At night, and in no time zone one of the hours that are left out or come twice when clocks are changed.
QUIET_HOUR = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A schedule, whoever keeps it.

    environments: as they are named where the workspace is a checkout; files: the same, with whole paths of this machine.
    program: the words by which Proofbook is started here. tells: whether every one of them names somebody to tell. secrets: names of variables that the environments read; their values
    stand nowhere. variables: others, with their values. store: the address of the object store that keeps the runs; empty where outputs does.
    """

    environments: tuple[str, ...]
    files: tuple[str, ...]
    every: str
    program: tuple[str, ...]
    folder: Path
    outputs: Path
    tells: bool
    secrets: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]
    user: str
    store: str = ""

    @property
    def every_s(self) -> int:
        return round(durations.seconds(self.every))

    @property
    def name(self) -> str:
        """A short name for it, of letters, digits and hyphens; another one for other environments, since files and locks are called by it."""
        named = re.sub(r"[^a-z0-9]+", "-", "-".join(self.environments).lower()).strip("-")
        if (named,) == self.environments and len(named) <= 30:
            return f"proofbook-{named}"
        digest = hashlib.sha256("\n".join(self.environments).encode()).hexdigest()[:6]
        return "-".join(filter(None, ("proofbook", named[:23].strip("-"), digest)))

    @property
    def title(self) -> str:
        return f"Proofbook: {', '.join(self.environments)}, every {durations.in_words(self.every_s)}"

    def run(self, *, here: bool) -> list[str]:
        """What is run each time, after the program; `here`: on this machine, where many reports lie beside one chart library."""
        shared = ["--assets", "shared"] if here and not self.store else []
        return ["run", *(self.files if here else self.environments), "--yes", *shared]

    def due(self, *, here: bool) -> list[str]:
        """What says that no run came, after the program."""
        named = self.files if here else self.environments
        return ["due", *named, "--every", self.every, *(["--notify"] if self.tells else [])]

    def command(self, words: Iterable[str]) -> str:
        """A command for a POSIX shell of this machine."""
        return shlex.join([*self.program, *words])


def of(environments: list[Environment], named: list[str], *, every: str, base: Path) -> Plan:
    """The plan for environments as they were named.

    Raises:
        UsageError: it is not known how often they run, or that is less than a minute; or a path does not fit into a line.
    """
    stated = {item.every for item in environments}
    if not every and (len(stated) != 1 or stated == {""}):
        raise UsageError(f"expected to know how often {', '.join(named)} run{'s' if len(named) == 1 else ''}; say it: --every 1h")  # fmt: skip
    chosen = every or stated.pop()
    try:
        length_s = durations.seconds(chosen)
    except ValueError as error:
        raise UsageError(f"--every: {error}") from None
    if length_s < MINUTE_S:
        raise UsageError(f"--every: expected at least 1m, got {chosen}; for shorter rounds: proofbook watch")
    folder, store = paths.home(base), paths.store()
    broken = next(
        (text for text in (*named, str(folder), str(paths.outputs(base))) if not text.isprintable()), None
    )
    if broken is not None:
        raise UsageError(f"expected paths that fit into one line of what a scheduler reads, got {broken!r}; rename the folder")  # fmt: skip
    named_secrets = {name for item in environments for name in _variables(item)}
    return Plan(
        environments=tuple(named),
        files=tuple(str(Path(name).resolve()) if name.endswith(".toml") else name for name in named),
        every=chosen,
        program=_program(),
        folder=folder,
        outputs=paths.outputs(base),
        tells=all(item.notify is not None and item.notify.receivers for item in environments),
        secrets=tuple(sorted(named_secrets | {name for name in OF_STORES if store and os.environ.get(name)})),
        variables=tuple((name, _absolute(name)) for name in OURS if os.environ.get(name)),
        user=_user(),
        store=store,
    )


def _absolute(name: str) -> str:
    value = os.environ[name]
    return value if name.endswith("_MODE") or "://" in value else str(Path(value).resolve())


def _program() -> tuple[str, ...]:
    """How this Proofbook is started, whatever the PATH of a scheduler."""
    beside = Path(sys.executable).with_name("proofbook")
    if beside.is_file() and os.access(beside, os.X_OK):
        return (str(beside),)
    return (sys.executable, "-m", "proofbook.cli")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A user that no file knows.
        return str(os.geteuid())


def _variables(value: object) -> Iterator[str]:
    """The variables that settings read, at any depth."""
    if isinstance(value, Reference):
        if value.env is not None:
            yield value.env
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _variables(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _variables(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _variables(item)


def cron_times(plan: Plan, *, later: bool = False) -> str:
    """When it runs, as cron says it; at a minute that follows from the name, so that not everything starts on the hour.

    Args:
        later: half an hour later, where it runs at one minute of an hour.

    Raises:
        UsageError: cron has no words for that.
    """
    draw = int(hashlib.sha256(plan.name.encode()).hexdigest(), 16)
    minutes, rest = divmod(plan.every_s, MINUTE_S)
    minute, hours = (draw + (HALF_AN_HOUR if later else 0)) % 60, minutes // 60
    if not rest and 60 % minutes == 0 and minutes < 60:
        return f"{draw % minutes}-59/{minutes} * * * *" if minutes > 1 else "* * * * *"
    if not rest and minutes % 60 == 0 and hours < 24 and 24 % hours == 0:
        return f"{minute} * * * *" if hours == 1 else f"{minute} {draw % hours}-23/{hours} * * *"
    if plan.every_s in (DAY_S, WEEK_S):
        return f"{minute} {QUIET_HOUR} * * {'*' if plan.every_s == DAY_S else '1'}"
    raise UsageError(
        f"--every: cron cannot say {plan.every}: expected minutes that divide an hour (5m, 10m, 15m, 20m, 30m), hours that divide a day (1h, 2h, 3h, 4h, 6h, 8h, 12h), 1d or 1w; --for systemd and --for airflow take any"
    )
