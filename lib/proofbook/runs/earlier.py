"""The earlier run that is the evidence from before: named on the command line, by the case, or pinned for an environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from proofbook import paths
from proofbook.config import asked_alike
from proofbook.config import environment as environments
from proofbook.config.environment import Environment
from proofbook.config.fixes import AUTO
from proofbook.errors import UnknownName, UsageError
from proofbook.evidence import baseline, store
from proofbook.runs import history, retention
from proofbook.runs.folders import LAST, find, has_phase
from proofbook.validation import Validation

# In the place of a run's id: the newest one of the environment with one of these verdicts, as it found the system.
BY_VERDICT = {LAST: ("pass", "fail", "inconclusive"), "last-passed": ("pass",), "last-failed": ("fail",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A run that counts as before. phase: which of its phases; empty for its own before, else what it found."""

    folder: Path
    phase: str = ""

    def take(self, environment: Environment, *, into: Path) -> str:
        """Copies its evidence as before into that of a run; gives where it came from and what was asked otherwise, in words."""
        was = environments.kept_in(self.folder)
        differs = None if was is None else asked_alike.differing(was, environment)
        origin = baseline.take(self.folder, into=into, phase=self.phase, differs=differs)
        return f"{origin}; asked otherwise now: {', '.join(differs)}" if differs else origin


def of(named: str, asked: Validation, *, without: str = "") -> Earlier | None:
    """The run that counts as before: named now, by the case, or pinned; None without one.

    Args:
        without: id of the run that goes on, which is no earlier one.
    Raises:
        UnknownName, UsageError: it is not there, or is of another system.
    """
    stated = asked.case.before if asked.case.before != AUTO else ""
    chosen = named or stated
    if chosen in BY_VERDICT:
        found = _newest(chosen, asked, without=without)
        if found is None and named:
            raise UsageError(
                f"expected a run of {asked.environment.name} for --before {named} with evidence of after, found none; make one: proofbook run {asked.environment.name}"
            )
        # A case is there from the first run on, which has none before it.
        return found
    if chosen.startswith(LAST):
        raise UsageError(f"expected a run, or one of {', '.join(BY_VERDICT)}, as before, got {chosen!r}")
    if chosen:
        return _named(chosen, asked)
    pinned = baseline.pinned(paths.outputs(asked.base) / asked.environment.name)
    try:
        return Earlier(folder=find(pinned, base=asked.base)) if pinned else None
    except UnknownName:
        raise UsageError(
            f"run {pinned}, which is pinned as the baseline of {asked.environment.name}, is gone; pin another one (proofbook baseline RUN) or name any run of {asked.environment.name} to unpin it: proofbook baseline RUN --end"
        ) from None


def _newest(word: str, asked: Validation, *, without: str) -> Earlier | None:
    name = asked.environment.name
    for entry in reversed(history.entries(base=asked.base, environment=name)):
        if entry.verdict not in BY_VERDICT[word] or entry.run_id == without:
            continue
        folder = find(str(paths.outputs(asked.base) / name / entry.run_id), base=asked.base)
        if not retention.removed_since(folder) and has_phase(folder, "after"):
            return Earlier(folder=folder, phase="after")
    return None


def _named(text: str, asked: Validation) -> Earlier:
    """A run by its id or folder, with `/before` or `/after` behind it where one of its phases is meant."""
    run, _, phase = text.rpartition("/")
    if phase not in baseline.PHASES:
        run, phase = text, ""
    folder = find(run, base=asked.base)
    if (folder / "evidence" / store.MANIFEST).is_file():
        _check_same_system(folder, asked.environment)
    return Earlier(folder=folder, phase=phase)


def _check_same_system(run: Path, environment: Environment) -> None:
    """
    Raises:
        UsageError: the run is of another environment, and of other addresses too.
    """
    recorded = store.read(run / "evidence").manifest.environment
    if recorded == environment.name:
        return
    was = environments.kept_in(run)
    if was is None or not asked_alike.addresses(was) & asked_alike.addresses(environment):
        raise UsageError(
            f"expected a run of {environment.name} as before, got {run.name}, which is of {recorded} and asked other addresses; name a run of {environment.name}: proofbook history {environment.name}"
        )
