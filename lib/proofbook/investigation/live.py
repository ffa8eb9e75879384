"""The logs of an environment as they are now, read without a probe and kept as evidence."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pandas as pd

from proofbook import paths
from proofbook.collect.logs import recorder
from proofbook.collect.services import deployments
from proofbook.config import environment as environments
from proofbook.config.environment import Environment
from proofbook.errors import CouldNotLook, UsageError
from proofbook.evidence import store
from proofbook.evidence.schema import REVISIONS
from proofbook.runs import folders

# Beside the runs of an environment: what was only looked at is no run, and no run's before.
LOOKS = "looks"
# So many of the newest are kept, and all that are younger than this.
KEPT, KEPT_DAYS = 20, 7


def is_environment(text: str, *, base: Path) -> bool:
    """Whether a text names an environment, and nothing that lies here."""
    return not Path(text).exists() and text in paths.named("environments", base)


def read(name: str, *, base: Path) -> tuple[Path, str]:
    """The folder of evidence in which the logs of an environment, and its revisions, were kept as they are now; and a sentence where old looks were removed.

    Raises:
        ConfigurationError: the environment says something that cannot be. UsageError: it names no log, or none could be read.
    """
    environment = environments.load(name, base=base)
    environments.keep_private(environment, base=base)
    if not environment.logs:
        raise UsageError(
            f"expected an environment with a log to look at, and {name} names none; add [[log]] to it, or give a log file"
        )
    folder = folders.new_folder(f"{environment.name}/{LOOKS}", base=base) / "evidence"
    try:
        _record(environment, folder, base=base)
    except BaseException:
        shutil.rmtree(folder.parent, ignore_errors=True)
        raise
    removed = _remove_old(folder.parent.parent, now=dt.datetime.now(dt.UTC))
    return folder, _told(removed, paths.shown(folder.parent.parent)) if removed else ""


def _remove_old(looks: Path, *, now: dt.datetime) -> int:
    """Removes old looks; gives how many. Their names begin with their times."""
    limit = f"{now - dt.timedelta(days=KEPT_DAYS):%Y%m%dT%H%M%SZ}"
    found = sorted(path for path in looks.iterdir() if path.is_dir() and not path.name.startswith("."))
    old = [path for path in found[:-KEPT] if path.name < limit]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
    return sum(not path.exists() for path in old)


def _told(removed: int, where: str) -> str:
    looks = "look was" if removed == 1 else "looks were"
    return f"{removed:,} old {looks} removed: the newest {KEPT} in {where} are kept, and all of the last {KEPT_DAYS} days; copy what should stay longer"


def _record(environment: Environment, folder: Path, *, base: Path) -> None:
    home = paths.home(base)
    started = dt.datetime.now(dt.UTC)
    tables, problems = recorder.record(environment.logs, [], base=home, folder=folder / store.LOOK)
    about = tables["log_sources"]
    assert isinstance(about, pd.DataFrame)
    if not (about["kept"] > 0).any():
        raise UsageError(
            "; ".join(problems) or f"expected entries in the logs of {environment.name}, found none"
        )
    if environment.deployments is not None:
        try:
            tables[REVISIONS.name] = deployments.read_revisions(environment.deployments, base=home)
        except CouldNotLook as error:
            problems.append(str(error))
    recorded = store.Phase(started=started, ended=dt.datetime.now(dt.UTC), problems=problems)
    store.write_phase(
        folder, environment=environment.name, phase=store.LOOK, tables=tables, recorded=recorded
    )
