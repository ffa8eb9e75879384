"""One validation from files to verdict: collect what is missing, execute the notebooks, write everything that is kept."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import importlib.metadata
import json
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from proofbook import baseline, evidence, gate, history, runfile, selection, workspace
from proofbook import book as books
from proofbook import case as cases
from proofbook import environment as environments
from proofbook import watch as watching
from proofbook.collect import phases
from proofbook.collect.session import Session
from proofbook.errors import CouldNotLook, SecretFound, UnknownName, UsageError
from proofbook.execute import Executed, Executor
from proofbook.judge import agreement, owed
from proofbook.redaction import for_others, in_value, scrub
from proofbook.report import files, markdown, opening, summary

Say = Callable[[str], None]
REPORT_NOTEBOOK = "00-validation-report"


def find(run: str, *, base: Path) -> Path:
    """The folder of a run, from its id or its path.

    Raises:
        UnknownName: there is none.
    """
    for path in (Path(run), *(folder / run for folder in _environment_folders(base))):
        if _is_run(path):
            return path.resolve()
    known = [path.name for folder in _environment_folders(base) for path in sorted(folder.iterdir()) if _is_run(path)]  # fmt: skip
    raise UnknownName("run", run, known[-5:], where=workspace.shown(workspace.outputs(base)))


def _is_run(path: Path) -> bool:
    return (path / "run.json").is_file() or (path / "evidence" / evidence.MANIFEST).is_file()


def new_folder(environment: str, *, base: Path) -> Path:
    """A folder for a new run.

    Raises:
        UsageError: it cannot be made.
    """
    folder = workspace.outputs(base) / environment / books.new_run_id()
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UsageError(
            f"expected to be able to write to {workspace.shown(folder.parent)}, but: {error.strerror}; set PROOFBOOK_OUTPUTS to another folder"
        ) from None
    return folder


def collect(
    environment: str, case: str, phase: str, *, folder: Path, base: Path, during: Any = None, say: Say = print
) -> None:
    """Records one phase into a run's folder, and keeps the files that it was asked with."""
    where, what = books.load(environment, case, base=base)
    owed.check_files(where, what)
    try:
        asyncio.run(
            phases.record(where, what, phase, folder=folder / "evidence", base=base, during=during, say=say)
        )
    except BaseException:
        with contextlib.suppress(OSError):
            folder.rmdir()  # only when nothing is in it: a run that has something keeps it
        raise
    keep_inputs(environment, case or where.case, folder=folder, base=base)


def judge(
    folder: Path,
    environment: str,
    case: str,
    *,
    base: Path,
    executor: Executor,
    notebooks: Sequence[str] = (),
    jobs: int = 2,
    timeout_s: float = 300.0,
    options: files.Options = files.STANDARD,
    say: Say = print,
) -> dict[str, Any]:
    """Executes the notebooks over a run's evidence and writes all that is kept of it; gives the content of run.json."""
    where, what = books.load(environment, case, base=base)
    declared = owed.declare(where, what)
    asked = selection.select(notebooks, base=base)
    chosen = asked if notebooks else selection.with_something_to_judge(asked, declared)
    started = dt.datetime.now(dt.UTC)
    left_out = (
        f"; nothing to judge for {', '.join(sorted(asked.keys() - chosen.keys()))}" if asked != chosen else ""
    )
    say(f"judging {len(declared)} declared checks with {len(chosen)} notebooks{left_out}")
    shutil.rmtree(
        folder / "notebooks", ignore_errors=True
    )  # findings of an earlier judging must not be taken for these
    parameters = {
        "environment": str(environments.find(environment, base=base)),
        "case": str(cases.find(case or where.case, base=base)) if case or where.case else "",
        "evidence": str(folder / "evidence"),
    }

    def execute(some: dict[str, Path]) -> list[Executed]:
        return executor.execute(
            some, folder=folder / "notebooks", parameters=parameters, jobs=jobs, timeout_s=timeout_s, say=say
        )

    executed = execute(chosen)
    if summary.findings_in(folder / "notebooks"):
        executed += execute({REPORT_NOTEBOOK: workspace.notebooks(base)[REPORT_NOTEBOOK]})
    result = summary.of_run(folder, where, what, base=base)
    content = _content(folder, result, executed, started, base=base)
    _give_out(folder, content, executed, options)
    history.refresh(base=base)
    markdown.add_to_job_summary((folder / "summary.md").read_text(encoding="utf-8"))
    return content


def render(folder: Path, *, options: files.Options, base: Path) -> dict[str, Any]:
    """Writes the files of a run again, from its notebooks and what it found, without judging; gives the content of run.json.

    Raises:
        CouldNotLook: there is no finished run.
    """
    content = runfile.read(folder)
    if not content["ended"]:
        raise CouldNotLook(f"run {folder.name} did not end: {content['sentence']}")
    kept = folder / "inputs" / f"{content['environment']}.toml"
    if kept.is_file():
        environments.keep_private(environments.load(str(kept), base=base), base=base)
    executed = [
        Executed(
            name=item["name"],
            path=folder / "notebooks" / f"{item['name']}.ipynb",
            seconds=item["seconds"],
            problem=item["problem"],
        )
        for item in content["notebooks"]
    ]
    _give_out(folder, content, [item for item in executed if item.path.exists()], options)
    return content


def _give_out(
    folder: Path, content: dict[str, Any], executed: Sequence[Executed], options: files.Options
) -> None:
    """Writes what others read, and run.json last; nothing of it stays when a secret stands in any file of the run."""
    files.write(folder, run=content, executed=executed, options=options)
    content["report"] = {"sha256": evidence.digest(folder / "report.html")}
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    aside = folder / ".run.json.new"
    evidence.replace_text(aside, text)
    try:
        gate.check(folder, rendered=(*files.NAMES, aside.name))
    except SecretFound as error:
        _write_unfinished(folder, content["environment"], content["case"], dt.datetime.fromisoformat(content["started"]), error.reason, str(error))  # fmt: skip
        raise
    aside.replace(folder / "run.json")


def validate(
    environment: str,
    case: str,
    *,
    base: Path,
    run: str | None = None,
    evidence_path: str | None = None,
    notebooks: Sequence[str] = (),
    jobs: int = 2,
    timeout_s: float = 300.0,
    options: files.Options = files.STANDARD,
    say: Say = print,
    before: str = "",
    once_recorded: Callable[[Path], None] = lambda _: None,
) -> tuple[Path, dict[str, Any]]:
    """One whole run: continue or start, collect what is missing, judge.

    before: a run whose evidence counts as before, unless this run has its own. once_recorded: told the run's folder when its evidence is there and no notebook has been executed yet.

    Raises:
        UsageError: known before anything is written. CouldNotLook: kept in run.json before it is raised.
    """
    where, what = books.load(environment, case, base=base)
    owed.check_files(where, what)
    agreement.check_deployed(what, now=dt.datetime.now(dt.UTC))
    environments.keep_private(where, base=base)
    selection.select(notebooks, base=base)
    source = _evidence_of(evidence_path, base=base) if evidence_path else None
    earlier = _earlier(before, what, where.name, base=base) if source is None else None
    if source is None and not (run and _has_phase(find(run, base=base), "after")):
        # What can be known without the network is known before a folder is made.
        Session(where, base=base)
    folder = find(run, base=base) if run else new_folder(where.name, base=base)
    started = dt.datetime.now(dt.UTC)

    def unfinished(reason: str, sentence: str) -> None:
        _write_unfinished(folder, where.name, what.name, started, reason, sentence)

    unfinished(
        "unfinished", f"the run did not end; go on with: proofbook run {environment} --run {folder.name}"
    )
    try:
        if source is not None and not (folder / "evidence").exists():
            shutil.copytree(source, folder / "evidence")
        if earlier is not None and earlier != folder and not _has_phase(folder, "before"):
            say(f"before · {baseline.take(earlier, into=folder / 'evidence')}")
        old = where.of_before()
        if old is not None and not _has_phase(folder, "before") and not _has_phase(folder, "after"):
            asyncio.run(
                phases.record(
                    old, what, "before", folder=folder / "evidence", base=base, say=say, alongside=True
                )
            )
        if not _has_phase(folder, "after"):
            asyncio.run(phases.record(where, what, "after", folder=folder / "evidence", base=base, say=say))
        with Executor() as executor:
            once_recorded(folder)
            keep_inputs(environment, case or where.case, folder=folder, base=base)
            content = judge(
                folder,
                environment,
                case,
                base=base,
                executor=executor,
                notebooks=notebooks,
                jobs=jobs,
                timeout_s=timeout_s,
                options=options,
                say=say,
            )
    except CouldNotLook as error:
        unfinished(error.reason, scrub(str(error)))
        raise
    except KeyboardInterrupt:
        unfinished("interrupted", "interrupted by the user")
        raise
    return folder, content


def watch(
    environment: str,
    case: str,
    *,
    every_s: float,
    for_s: float,
    run: str | None,
    jobs: int,
    timeout_s: float,
    base: Path,
    options: files.Options = files.STANDARD,
    say: Say = print,
    before: str = "",
) -> tuple[Path, dict[str, Any]]:
    """Looks again and again by a plan fixed beforehand, until decided or over; then judges all looks as one run.

    before: a run whose evidence counts as before, unless this run has its own.

    Raises:
        UsageError: known before anything is written. CouldNotLook: not one look could be taken.
    """
    where, what = books.load(environment, case, base=base)
    owed.check_files(where, what)
    agreement.check_deployed(what, now=dt.datetime.now(dt.UTC))
    environments.keep_private(where, base=base)
    Session(where, base=base)
    plan = watching.make_plan(environment, case, every_s=every_s, for_s=for_s, base=base)
    earlier = _earlier(before, what, where.name, base=base)
    folder = find(run, base=base) if run else new_folder(where.name, base=base)
    watching.check_can_begin(folder)
    if run and (folder / watching.STATE).exists():
        plan = watching.begin(folder, plan)
    again = f"proofbook watch {environment} --every {every_s:g}s --for {for_s:g}s --run {folder.name}"
    started = dt.datetime.fromisoformat(plan.started)
    _write_unfinished(folder, where.name, what.name, started, "unfinished", f"the watch is not over; go on with: {again}")  # fmt: skip
    if earlier is not None and not (folder / watching.STATE).exists() and not _has_phase(folder, "before"):
        say(f"before · {baseline.take(earlier, into=folder / 'evidence')}")
    watching.keep_earlier(folder)
    plan = watching.begin(folder, plan)
    keep_inputs(environment, case or where.case, folder=folder, base=base)
    for line in phases.describe_plan(where, what, phases.LOOK):
        say(f"plan · each look · {line}")
    say(f"plan · {plan.looks} looks, one every {plan.every_s:g} s, until {plan.due(plan.looks):%Y-%m-%d %H:%M} UTC or decided")  # fmt: skip
    problem = ""
    try:
        for number in _due(plan, first=watching.next_number(folder)):
            try:
                watching.take(
                    folder,
                    number,
                    lambda aside: asyncio.run(
                        phases.record(where, what, phases.LOOK, folder=aside, base=base, say=lambda _: None)
                    ),
                )
            except CouldNotLook as error:
                problem = str(error)
                say(f"look {number + 1} of {plan.looks}: could not look: {scrub(problem)}")
                continue
            found, verdict = watching.judge(watching.put_together(folder, plan), environment, case, base=base)
            told = watching.status(number, plan, found, verdict)
            later = (
                f"; earliest answer {told['earliest'][:16].replace('T', ' ')} UTC" if told["earliest"] else ""
            )
            say(f"look {told['look']} of {told['of']}: {told['verdict']}: {scrub(told['sentence'])}{later}")
            if watching.is_decided(verdict.verdict):
                say(f"decided at look {number + 1} of {plan.looks}")
                break
        if not watching.taken(folder):
            raise CouldNotLook(problem or "not one look was due in the time of this watch")
        watching.put_together(folder, plan)
        with Executor() as executor:
            content = judge(
                folder,
                environment,
                case,
                base=base,
                executor=executor,
                jobs=jobs,
                timeout_s=timeout_s,
                options=options,
                say=say,
            )
    except CouldNotLook as error:
        _write_unfinished(folder, where.name, what.name, started, error.reason, scrub(str(error)))
        raise
    except KeyboardInterrupt:
        _write_unfinished(folder, where.name, what.name, started, "interrupted", f"interrupted by the user; go on with: {again}")  # fmt: skip
        raise
    return folder, content


def _due(plan: watching.Plan, *, first: int) -> Iterator[int]:
    """The numbers of the looks still to take, each when it is due; those whose time went by during an interruption are left out."""
    for number in range(first, plan.looks):
        now = dt.datetime.now(dt.UTC)
        if number + 1 < plan.looks and plan.due(number + 1) <= now:
            continue
        if number + 1 == plan.looks and plan.due(plan.looks) <= now:
            return
        time.sleep(max(0.0, (plan.due(number) - now).total_seconds()))
        yield number


def _evidence_of(named: str, *, base: Path) -> Path:
    """The folder of evidence that a run's id, or a path, means."""
    try:
        return books.evidence_folder(str(find(named, base=base)), base=base)
    except UnknownName:
        return books.evidence_folder(named, base=base)


def _earlier(named: str, what: cases.Case, environment: str, *, base: Path) -> Path | None:
    """The run that counts as before: named now, by the case, or pinned; None without one.

    Raises:
        UnknownName: it is not there.
    """
    chosen = named or (what.before if what.before != cases.AUTO else "")
    chosen = chosen or baseline.pinned(workspace.outputs(base) / environment)
    return find(chosen, base=base) if chosen else None


def first_screen(folder: Path, environment: str, case: str, *, base: Path) -> opening.Opening:
    """The first screen of a run whose evidence is there, judged here and now: what the notebooks will say too."""
    where, what = books.load(environment, case, base=base)
    recorded = evidence.read(folder / "evidence")
    book = books.Book(environment=where, case=what, evidence=recorded)
    return opening.of(summary.summarise(where, what, recorded, book.judge_all(), folder=folder))


def keep_inputs(environment: str, case: str, *, folder: Path, base: Path) -> None:
    """Copies the environment, the case and the files that it names into the run, so that it can be replayed as it was asked."""
    source = environments.find(environment, base=base)
    inputs = folder / "inputs"
    (inputs / "case").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, inputs / source.name)
    if case:
        path = cases.find(case, base=base)
        shutil.copyfile(path, inputs / "case" / path.name)
        for _, name in cases.named_files(cases.load(case, base=base)):
            target = inputs / "case" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path.parent / name, target)


def _content(
    folder: Path,
    result: summary.Summary,
    executed: Sequence[Executed],
    started: dt.datetime,
    *,
    base: Path,
) -> dict[str, Any]:
    overall = result.overall
    manifest = result.evidence.manifest
    first = min((phase.started for phase in manifest.phases.values()), default=started)
    return {
        "schema_version": runfile.SCHEMA_VERSION,
        "run_id": folder.name,
        "environment": result.environment.name,
        "case": result.case.name,
        "started": _rfc3339(first),
        "ended": _rfc3339(dt.datetime.now(dt.UTC)),
        "verdict": overall.verdict.value,
        "reason": overall.reason,
        "sentence": for_others(overall.sentence),
        "next_review": _rfc3339(result.next_review),
        "opening": in_value(dataclasses.asdict(opening.of(result))),
        "findings": [item.to_json() for item in result.findings],
        "evidence": [
            {"name": f"{phase}/{name}", "rows": table.rows, "sha256": table.sha256}
            for phase, item in manifest.phases.items()
            for name, table in item.tables.items()
        ],
        "notebooks": [
            {
                "name": item.name,
                "sha256": evidence.digest(item.path),
                "seconds": round(item.seconds, 1),
                "problem": item.problem,
            }
            for item in executed
        ],
        "versions": {
            "proofbook": importlib.metadata.version("proofbook"),
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("pandas", "scipy", "papermill", "plotly")},
        },
        "source": _source(base),
    }


def _write_unfinished(
    folder: Path, environment: str, case: str, started: dt.datetime, reason: str, sentence: str
) -> None:
    content = {
        "schema_version": runfile.SCHEMA_VERSION,
        "run_id": folder.name,
        "environment": environment,
        "case": case,
        "started": _rfc3339(started),
        "ended": None,
        "verdict": "error",
        "reason": reason,
        "sentence": sentence,
        "findings": [],
        "evidence": [],
        "notebooks": [],
        "versions": {},
    }
    evidence.replace_text(folder / "run.json", json.dumps(content, indent=2) + "\n")


def _source(base: Path) -> dict[str, Any]:
    """The commit of the workspace, and whether anything in it differs from that; empty where it is no git repository."""

    def git(*arguments: str) -> str:
        try:
            done = subprocess.run(
                ["git", "-C", str(base), *arguments], capture_output=True, text=True, timeout=20
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    commit = git("rev-parse", "HEAD")
    return {
        "commit": commit,
        "dirty": bool(commit and git("status", "--porcelain", "--", "notebooks", "lib")),
    }


def _has_phase(folder: Path, phase: str) -> bool:
    path = folder / "evidence"
    return (path / evidence.MANIFEST).is_file() and phase in evidence.read(path).manifest.phases


def _environment_folders(base: Path) -> list[Path]:
    folder = workspace.outputs(base)
    return [path for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []


def _rfc3339(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
