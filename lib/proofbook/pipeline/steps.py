"""The steps of a run: collect, judge, render, and what each keeps."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import importlib.metadata
import logging
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofbook import paths, validation
from proofbook.collect import phases
from proofbook.concurrency import locks, sync
from proofbook.config import environment as environments
from proofbook.config.case import named_files
from proofbook.errors import (
    CouldNotLook,
    Locked,
    ProofbookError,
    SecretFound,
    TimeIsOver,
    UnknownName,
)
from proofbook.evidence import store
from proofbook.execution import document, selection
from proofbook.execution.executor import Executed, Orders
from proofbook.files import digest, replace_text
from proofbook.judge.findings import Finding
from proofbook.redaction import log_lines
from proofbook.redaction.scrubbing import for_others, in_value, scrub
from proofbook.report import diffs, index, markdown, result, summary, writer
from proofbook.runs import leak_scan, record, retention, unexpected
from proofbook.runs.folders import find
from proofbook.runs.provenance import rfc3339, source_of
from proofbook.runs.record import Notebook, Recorded, RunRecord, Summary, unfinished, write_unfinished
from proofbook.validation import Validation

Say = Callable[[str], None]
logger = logging.getLogger("proofbook.pipeline")
REPORT_NOTEBOOK = "00-validation-report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a run is judged and written.

    notebooks: only these; all where none is named. jobs: notebooks executed at once; 0 for one a core. timeout_s: the longest time of one.
    until: when probing ends at the latest, by `time.monotonic`. to_job: whether its result is added to that of a CI job.
    """

    notebooks: Sequence[str] = ()
    jobs: int = 0
    timeout_s: float = 300.0
    until: float | None = None
    files: writer.Options = writer.STANDARD
    to_job: bool = True
    say: Say = print


STANDARD = Options()


def collect(asked: Validation, phase: str, *, folder: Path, during: Any = None, say: Say = print) -> None:
    """Records one phase into a run's folder, with copies of the environment and case files."""
    finished = (folder / "run.json").is_file()
    started = dt.datetime.now(dt.UTC)
    logger.info("run %s: recording phase %s of %s", folder.name, phase, asked.environment.name)
    try:
        of_run = log_lines.bound(run=folder.name, environment=asked.environment.name, phase=phase)
        with locks.held(folder), of_run:
            sync.run(
                phases.record(
                    asked.environment,
                    asked.case,
                    phase,
                    folder=folder / "evidence",
                    base=asked.base,
                    during=during,
                    say=say,
                )
            )
            keep_inputs(asked, folder=folder)
        show_among_others(folder, base=asked.base)
    except BaseException as error:
        with contextlib.suppress(OSError):
            folder.rmdir()  # only when nothing is in it: a run that has something keeps it
        if not isinstance(error, Exception) or isinstance(error, ProofbookError):
            raise
        broken = unexpected.keep(error, folder=folder, base=asked.base)
        if folder.is_dir() and not finished:
            write_ended(folder, asked, started, broken.reason, str(broken))
        raise broken from error


def judge(folder: Path, asked: Validation, *, executor: Orders, options: Options) -> RunRecord:
    """The record of a run, after executing the notebooks over its evidence and writing the report."""
    known = selection.select(options.notebooks, base=asked.base)
    chosen = known if options.notebooks else selection.with_something_to_judge(known, asked.checks)
    left_out = ", ".join(sorted(known.keys() - chosen.keys()))
    started = dt.datetime.now(dt.UTC)
    options.say(
        f"judging {len(asked.checks)} check{'' if len(asked.checks) == 1 else 's'} with {len(chosen)} notebook{'' if len(chosen) == 1 else 's'}"
        + (f"; skipped, without checks: {left_out}" if left_out else "")
    )
    # Findings of an earlier judging must not be taken for these.
    shutil.rmtree(folder / "notebooks", ignore_errors=True)

    def execute(some: dict[str, Path]) -> list[Executed]:
        return executor.execute(
            some,
            folder=folder / "notebooks",
            parameters=asked.parameters(folder / "evidence"),
            jobs=options.jobs,
            timeout_s=options.timeout_s,
            say=options.say,
            meanwhile=writer.load,
        )

    executed = execute(chosen)
    if document.findings_in(folder / "notebooks"):
        executed += execute({REPORT_NOTEBOOK: paths.notebooks(asked.base)[REPORT_NOTEBOOK]})
    with executor.place():
        found = _record(folder, result.of_run(folder, asked), executed, started)
        found = _give_out(folder, found, executed, options.files)
    tell_others(folder, base=asked.base, to_job=options.to_job, say=options.say)
    return found


def tell_others(folder: Path, *, base: Path, say: Say, to_job: bool = True) -> None:
    """Updates the index of all runs and, with `to_job`, the job result; a problem there is printed and does not change this run."""
    for tell in (
        lambda: index.add(folder, base=base),
        lambda: to_job and markdown.add_to_job_summary((folder / "summary.md").read_text(encoding="utf-8")),
    ):
        try:
            tell()
        except Exception as error:
            say(str(unexpected.keep(error, base=base)))


def render(folder: Path, *, options: writer.Options, base: Path) -> RunRecord:
    """The record of a run, after writing its report again from notebooks and findings, without judging.

    Raises:
        CouldNotLook: there is no finished run.
    """
    found = record.read(folder)
    if not found.ended:
        raise CouldNotLook(f"run {folder.name} did not end: {found.sentence}")
    retention.check_whole(folder)
    kept = folder / "inputs" / f"{found.environment}.toml"
    if kept.is_file():
        environments.keep_private(environments.load(str(kept), base=base), base=base)
    executed = [
        Executed(
            name=item.name,
            path=folder / "notebooks" / f"{item.name}.ipynb",
            seconds=item.seconds,
            problem=item.problem,
        )
        for item in found.notebooks
    ]
    return _give_out(folder, found, [item for item in executed if item.path.exists()], options)


def _give_out(
    folder: Path, found: RunRecord, executed: Sequence[Executed], options: writer.Options
) -> RunRecord:
    """Writes the report files, and run.json last; deletes them when the leak scan finds a secret."""
    writer.write(folder, run=found, executed=executed, options=options)
    found = dataclasses.replace(found, report_sha256=digest(folder / "report.html"))
    aside = folder / ".run.json.new"
    replace_text(aside, found.to_text())
    try:
        leak_scan.check(folder, rendered=(*writer.NAMES, aside.name))
    except SecretFound as error:
        write_unfinished(folder, found.environment, found.case, dt.datetime.fromisoformat(found.started), error.reason, str(error))  # fmt: skip
        raise
    aside.replace(folder / "run.json")
    logger.info("run %s: wrote the report and run.json", folder.name)
    return found


@contextlib.contextmanager
def recorded(
    folder: Path,
    asked: Validation,
    started: dt.datetime,
    *,
    again: str,
    over: Callable[[], str] = lambda: "",
) -> Iterator[None]:
    """Records in run.json, as `error` with its reason, whatever ends the work inside.

    over: why an interrupt is none of the user's but the end of a time limit; empty where it is one.

    Raises:
        TimeIsOver: that.
        Locked: another process writes this run; nothing in it is touched.
        InternalError: instead of an unexpected exception, whose traceback is kept in the run.
    """
    with locks.held(folder), log_lines.bound(run=folder.name, environment=asked.environment.name):
        yield from _recorded(folder, asked, started, again=again, over=over)


def _recorded(
    folder: Path, asked: Validation, started: dt.datetime, *, again: str, over: Callable[[], str]
) -> Iterator[None]:
    (folder / unexpected.FILE).unlink(missing_ok=True)
    try:
        sentence = f"the run did not end; go on with: {again}"
        write_unfinished(folder, asked.environment.name, asked.case.name, started, "unfinished", sentence)
        show_among_others(folder, base=asked.base)
        yield
    except ProofbookError as error:
        write_ended(folder, asked, started, error.reason, scrub(str(error)))
        raise
    except KeyboardInterrupt:
        if why := over():
            ended = TimeIsOver(f"{why}; go on with: {again}")
            write_ended(folder, asked, started, ended.reason, str(ended))
            raise ended from None
        write_ended(folder, asked, started, "interrupted", f"interrupted by the user; go on with: {again}")
        raise
    except Exception as error:
        broken = unexpected.keep(error, folder=folder, base=asked.base)
        write_ended(folder, asked, started, broken.reason, str(broken))
        raise broken from error


def evidence_of(named: str, *, base: Path) -> Path:
    """The evidence folder of a run's id or of a path."""
    try:
        return validation.evidence_folder(str(find(named, base=base)), base=base)
    except UnknownName:
        return validation.evidence_folder(named, base=base)


def first_findings(folder: Path, asked: Validation) -> tuple[Sequence[Finding], Summary]:
    """The findings of a run with evidence, judged in this process, and its summary; the notebooks will give the same."""
    assessment = asked.over(store.read(folder / "evidence"))
    found = assessment.judge_all()
    return found, summary.of(result.of_findings(assessment, found, folder=folder))


def keep_inputs(asked: Validation, *, folder: Path) -> None:
    """Copies the environment, the case and the files that the case names into the run, for replays."""
    inputs = folder / "inputs"
    (inputs / "case").mkdir(parents=True, exist_ok=True)
    if asked.environment_file is not None:
        kept = inputs / asked.environment_file.name
        if (text := environments.kept_text(asked.environment_file)) is not None:
            replace_text(kept, text)
        else:
            shutil.copyfile(asked.environment_file, kept)
    if asked.case_file is not None:
        shutil.copyfile(asked.case_file, inputs / "case" / asked.case_file.name)
        diffs.record(asked.case, inputs=inputs)
        for _, name in named_files(asked.case):
            target = inputs / "case" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(asked.case_file.parent / name, target)


def _record(
    folder: Path, result: result.Result, executed: Sequence[Executed], started: dt.datetime
) -> RunRecord:
    overall = result.overall
    manifest = result.evidence.manifest
    first = min((phase.started for phase in manifest.phases.values()), default=started)
    return RunRecord(
        run_id=folder.name,
        environment=result.environment.name,
        case=result.case.name,
        started=rfc3339(first),
        ended=rfc3339(dt.datetime.now(dt.UTC)),
        verdict=overall.verdict,
        reason=overall.reason,
        sentence=for_others(overall.sentence),
        next_review=rfc3339(result.next_review),
        summary=Summary.from_json(in_value(dataclasses.asdict(summary.of(result)))),
        findings_json=tuple(item.to_json() for item in result.findings),
        evidence=tuple(
            Recorded(name=f"{phase}/{name}", rows=table.rows, sha256=table.sha256)
            for phase, item in manifest.phases.items()
            for name, table in item.tables.items()
        ),
        notebooks=tuple(
            Notebook(
                name=item.name, sha256=digest(item.path), seconds=round(item.seconds, 1), problem=item.problem
            )
            for item in executed
        ),
        versions={
            "proofbook": importlib.metadata.version("proofbook"),
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("pandas", "scipy", "papermill", "plotly")},
        },
        source=source_of(result.assessment.validation.base),
    )


def write_ended(
    folder: Path, asked: Validation, started: dt.datetime, reason: str, sentence: str
) -> RunRecord:
    """Writes into run.json what ended the run early, also on a full disk; where even that fails, the caller reports it."""
    environment, case = asked.environment.name, asked.case.name
    found = unfinished(folder, environment, case, started, reason, sentence)
    with contextlib.suppress(OSError):
        for left in folder.glob(".*.new"):
            left.unlink()
        try:
            replace_text(folder / "run.json", found.to_text())
        except OSError:
            # No room for a second file: these few lines fit where those are that were written when the run began.
            with (folder / "run.json").open("r+", encoding="utf-8") as file:
                file.write(found.to_text())
                file.truncate()
    show_among_others(folder, base=asked.base)
    return found


def show_among_others(folder: Path, *, base: Path) -> None:
    """Shows a run that has begun, ended early or only recorded something on the page of all runs; where that cannot be written, `history` will."""
    with contextlib.suppress(Locked, OSError):
        index.add(folder, base=base)
