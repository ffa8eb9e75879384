"""What follows a run: upload to the object store, notices, metrics, retention. Nothing here ends a run or changes its verdict."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from proofbook import paths
from proofbook.config import durations
from proofbook.config import environment as environments
from proofbook.config.unattended import Metrics, Retention
from proofbook.errors import CouldNotLook, ProofbookError
from proofbook.evidence import baseline
from proofbook.notify import deliver, ended, otlp
from proofbook.report import index, metrics
from proofbook.runs import due, history, object_store, retention, unexpected
from proofbook.runs.due import Due
from proofbook.validation import Validation

Say = Callable[[str], None]


@dataclass(slots=True)
class After:
    """What became of a run. not_stored: why it is not in the object store that keeps the runs, in a sentence; empty where it is."""

    not_stored: str = ""


@contextlib.contextmanager
def followed(
    asked: Validation, *, base: Path, say: Say, is_news: bool = True, metrics_file: str = ""
) -> Iterator[After]:
    """Does what follows the run inside, also where that could not look; not where it was interrupted, since that says nothing.

    Args:
        is_news: whether the run is of the system as it is now, and whole; else nobody is told. metrics_file: where metrics are
            written, beside the file that the environment names.

    Raises:
        CouldNotLook: before the run begins, an object store keeps the runs, and cannot be read.
    """
    object_store.refresh(base=base, environment=asked.environment.name, past=bool(asked.environment.logs))
    after, folder = After(), paths.outputs(base) / asked.environment.name
    before = _written(folder)

    def follow(error: Exception | None = None) -> None:
        # Before anybody is told: a message may link to the report, and what others told meanwhile is not told again.
        # Which run that was is asked first: what is brought from the store is written later.
        # By what is there now and was not: a clock that was set back makes what is new look old.
        written = _written(folder)
        new = {name: at for name, at in written.items() if before.get(name) != at}
        run_id = max(new or written, key=written.__getitem__, default="")
        # A command that is wrong ends before a run begins, which is no news.
        about = error if isinstance(error, CouldNotLook) and not new else run_id
        after.not_stored = _send(asked, base=base, anew=True)
        _follow(asked, about if is_news else "", latest=run_id, base=base, say=say, metrics_file=metrics_file)
        after.not_stored = after.not_stored or _send(asked, base=base)
        if after.not_stored:
            say(after.not_stored)

    try:
        yield after
    except Exception as error:
        follow(error)
        raise
    follow()


def _send(asked: Validation, *, base: Path, anew: bool = False) -> str:
    """Why not all of an environment is in the object store, after sending it; empty where it is. anew: after bringing what others sent, too."""
    try:
        object_store.send(base=base, environment=asked.environment.name, anew=anew)
    except Exception as error:
        return str(error if isinstance(error, ProofbookError) else unexpected.keep(error, base=base))
    return ""


def tell_of_due(found: Due, *, base: Path, say: Say) -> None:
    """Tells that no run came, where somebody is to be told."""
    with _told_if_broken(base, say):
        environment = environments.load(found.environment, base=base)
        environments.keep_private(environment, base=base)
        at = deliver.desk(environment, base=base, say=say)
        if at is not None:
            deliver.of_due(at, found)


def _follow(
    asked: Validation, run: str | CouldNotLook, *, latest: str, base: Path, say: Say, metrics_file: str
) -> None:
    """Does what follows a run. run: the one of which people are told, or why there is none; empty where it is no news. latest: the last that was written."""
    environment = asked.environment
    now = dt.datetime.now(dt.UTC)
    with _told_if_broken(base, say):
        if environment.every:
            every_s = durations.seconds(environment.every)
            due.note([due.of(environment.name, every_s=every_s, grace_s=None, now=now, base=base)], base=base)
    with _told_if_broken(base, say):
        at = deliver.desk(environment, base=base, say=say)
        if at is not None and run:
            if isinstance(run, str):
                deliver.of_run(at, run, now=now)
            else:
                deliver.of_lost(at, ended.lost(environment.name, asked.case.name, run, now=now), now=now)
    wanted = environment.metrics
    stated = wanted.textfile if wanted else None
    for file in dict.fromkeys(filter(None, [stated, metrics_file])):
        with _told_if_broken(base, say):
            _write_metrics(paths.home(base) / file, base=base, now=now, is_stated=file == stated)
    with _told_if_broken(base, say):
        if wanted is not None and wanted.otlp is not None:
            _send_metrics(environment.name, wanted, base=base, now=now)
    with _told_if_broken(base, say):
        if environment.retention is not None:
            _remove_old(asked, environment.retention, latest=latest, base=base, say=say, now=now)


def _remove_old(
    asked: Validation, policy: Retention, *, latest: str, base: Path, say: Say, now: dt.datetime
) -> None:
    name = asked.environment.name
    folder = paths.outputs(base) / name
    # The run that has just ended is the oldest by its id where the clock was set back.
    pinned = {baseline.pinned(folder), asked.case.before.partition("/")[0], latest}
    entries = [item for item in history.entries(base=base, environment=name) if item.case == asked.case.name]
    old = retention.old(entries, policy, pinned=pinned, now=now)
    done = retention.remove(old, base=base, now=now)
    object_store.remove(base=base, runs=[f"{name}/{item.run_id}" for item in old.runs], evidence=[f"{name}/{item.run_id}" for item in old.evidence])  # fmt: skip
    for problem in done.problems:
        say(f"retention: not removed: {problem}")
    if done.runs:
        index.refresh(base=base)
    if done.runs or done.evidence:
        say(
            f"retention: removed {done.runs} runs and the evidence of {done.evidence} more, {done.freed_bytes / 1e6:,.1f} MB"
        )


def _write_metrics(file: Path, *, base: Path, now: dt.datetime, is_stated: bool) -> None:
    """Writes metrics: of who names that file, or of all into a file that the command names."""
    try:
        only = metrics.sharing(file, base=base) if is_stated else None
        metrics.write(file, base=base, now=now, only=only)
    except OSError as error:
        raise CouldNotLook(f"metrics: {paths.shown(file)} cannot be written ({error.strerror})") from None


def _send_metrics(environment: str, wanted: Metrics, *, base: Path, now: dt.datetime) -> None:
    assert wanted.otlp is not None
    home, where = paths.home(base), f"{environment}: metrics"
    url = wanted.otlp.read(base=home, where=f"{where}.otlp")
    secret = wanted.otlp_token
    token = secret.read_secret(base=home, where=f"{where}.otlp_token") if secret else None
    otlp.send(metrics.of(environment, base=base, now=now), url=url, token=token, now=now)


@contextlib.contextmanager
def _told_if_broken(base: Path, say: Say) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        say(str(error if isinstance(error, ProofbookError) else unexpected.keep(error, base=base)))


def _written(folder: Path) -> dict[str, int]:
    """When the run.json of each run of an environment was written last, by the run's id."""
    found = {}
    for path in folder.glob("*/run.json"):
        # Somebody may remove it meanwhile.
        with contextlib.suppress(FileNotFoundError):
            found[path.parent.name] = path.stat().st_mtime_ns
    return found
