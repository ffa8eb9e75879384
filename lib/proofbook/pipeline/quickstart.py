"""`proofbook try`: discovers a system, writes a short environment and case file for it, and says what they can decide.

The files are ordinary ones, to keep, edit and run again. What is not stated is not claimed.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from proofbook import paths as workspace
from proofbook import validation
from proofbook.collect import planning
from proofbook.config import duckdb_text
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.toml import toml_value
from proofbook.errors import CouldNotLook
from proofbook.evidence import store
from proofbook.files import replace_text
from proofbook.judge.findings import Finding, Verdict
from proofbook.pipeline import try_again
from proofbook.pipeline.try_discovery import Say, Settings, discover
from proofbook.pipeline.try_options import Options, command_of
from proofbook.report.finding_html import duration
from proofbook.stats import plans

TARGETS = (0.95, 0.99, 0.999)
MOST_EXAMPLES = 2
# While this still fits the text above it, nobody has edited the file, and asking again may write it again.
_SEAL = "# unedited: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The environment and case file that were written, and the SLO target of the case. passing: what goes with the run, of a service that was never seen."""

    environment: Path
    case: Path
    target: float
    passing: tuple[Path, ...] = ()


def prepare(options: Options, *, base: Path, say: Say) -> Files:
    """The two files, written from what was discovered; says what was found and what they can decide.

    Raises:
        UsageError, CouldNotLook: the options cannot be used, or the host does not resolve.
    """
    name = _free_name(options.url, base=base)
    environment, case = (workspace.kept(kind, base) / f"{name}.toml" for kind in ("environments", "cases"))
    if name != _name_of(options.url):
        say(
            f"note · {_name_of(options.url)} was edited and stays as it is (proofbook run {_name_of(options.url)}); this one is kept as {name}"
        )
    last = try_again.last_time(environment)
    began = time.monotonic()
    settings, is_seen = asyncio.run(_discover_in_time(options, base=base, say=say))
    held = _go_on(settings, last, options, file=environment, say=say)
    where = Environment.model_validate(settings).model_copy(update={"name": name})
    left_s = None if options.within_s is None else options.within_s - (time.monotonic() - began)
    fitting = choose_target(where, within_s=left_s)
    for line in can_decide(where, within_s=left_s):
        say(f"can decide · {line}")
    if options.log_patterns:
        say(
            "can decide · log patterns: as far as the log covers both sides of the deployment; the result says how sure"
        )
    command = command_of(options)
    # What was guessed of a service that was never seen is worth nothing to anybody, least of all behind a mistyped port.
    new = () if is_seen or last or options.logs else (environment, case, environment.parent, case.parent)
    passing = tuple(path for path in new if not path.exists())
    _save(environment, try_again.with_held(_environment_text(settings, name, command), held))
    _save(case, case_text(options, target=fitting, command=command))
    if passing:
        say("not saved · nothing listens there; check the address, or try again later")
    else:
        say(f"saved · {workspace.shown(environment)} and {workspace.shown(case)}: yours to edit")
    return Files(environment=environment, case=case, target=fitting, passing=passing)


def drop_passing(files: Files) -> None:
    """Takes away what was written of a service that was never seen, and the folders that were made for it."""
    for path in files.passing:
        if not path.is_dir():
            path.unlink(missing_ok=True)
        elif not any(path.iterdir()):
            path.rmdir()


async def _discover_in_time(options: Options, *, base: Path, say: Say) -> tuple[Settings, bool]:
    """What was found out within the time that the options give.

    Raises:
        CouldNotLook: nothing was.
    """
    try:
        async with asyncio.timeout(options.within_s) as limit:
            return await discover(options, base=base, say=say)
    except TimeoutError:
        if not limit.expired():
            raise
        raise CouldNotLook(
            f"{urlsplit(options.url).netloc} could not be looked at within {duration(options.within_s or 0)}; give it more time with --within"
        ) from None


def _go_on(
    settings: Settings, last: try_again.Last | None, options: Options, *, file: Path, say: Say
) -> frozenset[str]:
    """Begins from what the last time found, where it held; gives the checks that have passed by what is kept."""
    if last is None:
        return frozenset()
    (service,) = settings["service"]
    differs, held = try_again.go_on(service, last, asks_one_page=bool(options.page))
    for item in differs:
        say(f"differs · {item.sentence}")
    if any(item.is_kept for item in differs):
        say(f"differs · to start over, delete {workspace.shown(file)}")
    return held


def note_held(files: Files, findings: Iterable[Finding]) -> None:
    """Notes in the environment which checks have held by it, always or mostly, so that another time begins from there."""
    if _is_ours(files.environment):
        text = files.environment.read_text(encoding="utf-8").rpartition(_SEAL)[0]
        last = try_again.last_time(files.environment)
        held = {item.id for item in findings if item.verdict is Verdict.PASS or _mostly_held(item)}
        _save(files.environment, try_again.with_held(text, held | (last.held if last is not None else set())))


def _mostly_held(item: Finding) -> bool:
    """Whether a check that failed shows all the same what is usual, so that a service that is worse later is not taken for another."""
    shown = item.estimate.value if item.estimate is not None and not item.limits else None
    return item.verdict is Verdict.FAIL and shown is not None and shown > 0.5


def propose_examples(options: Options, files: Files, recorded: store.Evidence) -> None:
    """Puts lines that the patterns matched in the log into the case, as the examples by which they are proven."""
    if not options.log_patterns:
        return
    found = {pattern: _lines(recorded, pattern) for pattern in options.log_patterns}
    if any(found.values()):
        text = case_text(options, target=files.target, command=command_of(options), examples=found)
        _save(files.case, text)


def choose_target(where: Environment, *, within_s: float | None) -> float:
    """The highest success rate that can be shown in the time; the lowest where none can, or no time is given."""
    fitting = [
        target
        for target in TARGETS
        if within_s is not None and planning.shortest_s(where, _case(target)) <= within_s
    ]
    return max(fitting, default=TARGETS[0])


def can_decide(where: Environment, *, within_s: float | None) -> list[str]:
    """What can be shown in which time, and how sure, known before anything is sent.

    With a time limit every target is named, also those that do not fit.
    """
    lines = []
    for target in TARGETS if within_s is not None else TARGETS[:1]:
        seconds, plan = planning.shortest_s(where, _case(target)), plans.plan_for(target)
        needs = f"{plan.looks[0][0]:,} clean samples of each, {duration(seconds)}"
        if within_s is None or seconds <= within_s:
            lines.append(f"whether at least {_percent(target)} works: yes, with {needs}")
        else:
            lines.append(
                f"whether at least {_percent(target)} works: not in {duration(within_s)}, it takes {needs}"
            )
    count = plans.plan_for(choose_target(where, within_s=within_s)).looks[0][0]
    chances = "; ".join(
        f"{_percent(1 - (1 - 1 / every) ** count)} if it hits 1 of {every:,}" for every in (10, 100, 1000)
    )
    return [*lines, f"chance to see a fault of some connections: {chances}"]


def case_text(
    options: Options, *, target: float, command: str, examples: dict[str, list[str]] | None = None
) -> str:
    """The case as a TOML file."""
    title = f"{'Is' if len(options.gone) == 1 else 'Are'} {' and '.join(options.gone)} gone?"
    title = title if options.gone else "Is it well?"
    lines = [f"# Written by: {command}", f"title = {toml_value(title)}", "", "[targets]"]
    lines += [f"{name} = {target:g}" for name in ("health", "connection", "authentication", "delivery")]
    if not options.gone:
        return "\n".join(lines) + "\n"
    deployed = options.since.astimezone(dt.UTC).isoformat() if options.since else '"auto"'
    lines += [
        "",
        "[budgets]",
        f"absent_rate = {1 - target:g}",
        "",
        "[[fix]]",
        f"title = {toml_value(' and '.join(options.gone))}",
        f"deployed = {deployed}    # "
        + ('or "auto", found in the data' if options.since else "when the newest revision came; or a time"),
        'before = "auto"    # what was recorded before, else the old revision in the log; or the id of a run',
    ]
    for pattern in options.log_patterns:
        lines += ["", "[[fix.symptom]]", f"log = {toml_value(pattern)}"]
        known = (examples or {}).get(pattern)
        lines.append(
            f"examples = {toml_value(known)}"
            if known
            else '# examples = ["a line as the defect wrote it"]    # proves the pattern where nothing was recorded before'
        )
    for code in options.close_codes:
        lines += ["", "[[fix.symptom]]", f"close_code = {code}"]
    return "\n".join(lines) + "\n"


def _environment_text(settings: Settings, name: str, command: str) -> str:
    (service,) = settings["service"]
    lines = [
        f"# Written by: {command}",
        f"# Ask again: proofbook run {name}; see every default: proofbook explain {name}",
        f"title = {toml_value(settings['title'])}",
        f"case = {toml_value(name)}",
        "",
        "[pace]",
        *(f"{key} = {toml_value(value)}" for key, value in settings["pace"].items()),
        "",
        "[[service]]",
        *(f"{key} = {toml_value(value)}" for key, value in service.items()),
    ]
    return "\n".join(lines) + "\n"


def _case(target: float) -> Case:
    names = ("health", "connection", "authentication", "delivery")
    return Case.model_validate({"title": "try", "targets": dict.fromkeys(names, target)})


def _lines(recorded: store.Evidence, pattern: str) -> list[str]:
    """Lines that a pattern matched, the oldest of each kind."""
    for phase in ("before", "after"):
        rows = validation.with_patterns(recorded, [pattern])("log_matches", phase)
        if rows is not None and len(rows):
            rows = rows[rows["pattern"] == pattern]
            samples = [str(text).strip().rpartition("\n")[2][:300] for text in rows["sample"]]
            matching = [
                line for line, hit in zip(samples, duckdb_text.found_in(pattern, samples), strict=True) if hit
            ]
            if matching:
                return list(dict.fromkeys(matching))[:MOST_EXAMPLES]
    return []


def _free_name(url: str, *, base: Path) -> str:
    """A name under which nothing lies that a person wrote or edited."""
    stem, number = _name_of(url), 1
    name = stem
    while not all(
        _is_ours(workspace.kept(kind, base) / f"{name}.toml") for kind in ("environments", "cases")
    ):
        number += 1
        name = f"{stem}-{number}"
    return name


def _save(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path, f"{text}{_SEAL}{_digest(text)}\n")


def _is_ours(path: Path) -> bool:
    """Whether a file is not there, or still as it was written here."""
    if not path.exists():
        return True
    text, seal, digest = path.read_text(encoding="utf-8", errors="replace").rpartition(_SEAL)
    return bool(seal) and digest.strip() == _digest(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _name_of(url: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", urlsplit(url).netloc.lower()).strip("-")


def _percent(share: float) -> str:
    """A chance as people read it, never rounded up to certainty.

    >>> _percent(0.95), _percent(0.99978), _percent(0.0694)
    ('95 %', 'over 99.9 %', '6.9 %')
    """
    return (
        "over 99.9 %" if share > 0.999 else f"{100 * share:.3g} %" if share >= 0.1 else f"{100 * share:.2g} %"
    )
