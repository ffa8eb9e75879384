"""The steps of a run: collect, judge, render, and what each keeps."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import importlib.metadata
import json
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from proofbook import paths, validation
from proofbook.collect import phases
from proofbook.config import case as cases
from proofbook.config import environment as environments
from proofbook.errors import CouldNotLook, ProofbookError, SecretFound, UnknownName
from proofbook.evidence import baseline, store
from proofbook.execution import document, selection
from proofbook.execution.executor import Executed, Executor
from proofbook.files import digest, replace_text
from proofbook.judge import catalogue
from proofbook.notebook import book as books
from proofbook.notebook import sync
from proofbook.redaction.scrubbing import for_others, in_value, scrub
from proofbook.report import diffs, markdown, summary, writer
from proofbook.report import first_screen as opening
from proofbook.runs import history, leak_scan, record, unexpected
from proofbook.runs.folders import find
from proofbook.runs.provenance import rfc3339, source_of
from proofbook.runs.record import Opening, unfinished, write_unfinished

Say = Callable[[str], None]
REPORT_NOTEBOOK = "00-validation-report"


def collect(
    environment: str, case: str, phase: str, *, folder: Path, base: Path, during: Any = None, say: Say = print
) -> None:
    """Records one phase into a run's folder, and keeps the files that it was asked with."""
    where, what = validation.load(environment, case, base=base)
    catalogue.check_files(where, what)
    finished = (folder / "run.json").is_file()
    started = dt.datetime.now(dt.UTC)
    try:
        sync.run(
            phases.record(where, what, phase, folder=folder / "evidence", base=base, during=during, say=say)
        )
        keep_inputs(environment, case or where.case, folder=folder, base=base)
    except BaseException as error:
        with contextlib.suppress(OSError):
            folder.rmdir()  # only when nothing is in it: a run that has something keeps it
        if not isinstance(error, Exception) or isinstance(error, ProofbookError):
            raise
        broken = unexpected.keep(error, folder=folder, base=base)
        if folder.is_dir() and not finished:
            write_ended(folder, where.name, what.name, started, broken.reason, str(broken))
        raise broken from error


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
    options: writer.Options = writer.STANDARD,
    say: Say = print,
) -> dict[str, Any]:
    """Executes the notebooks over a run's evidence and writes all that is kept of it; gives the content of run.json."""
    where, what = validation.load(environment, case, base=base)
    declared = catalogue.declare(where, what)
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
    if document.findings_in(folder / "notebooks"):
        executed += execute({REPORT_NOTEBOOK: paths.notebooks(base)[REPORT_NOTEBOOK]})
    result = summary.of_run(folder, where, what, base=base)
    content = _content(folder, result, executed, started, base=base)
    _give_out(folder, content, executed, options)
    tell_others(folder, base=base, say=say)
    return content


def tell_others(folder: Path, *, base: Path, say: Say) -> None:
    """The index of all runs and the job's summary: what goes wrong there changes nothing about this run, which has ended."""
    for tell in (
        lambda: history.refresh(base=base),
        lambda: markdown.add_to_job_summary((folder / "summary.md").read_text(encoding="utf-8")),
    ):
        try:
            tell()
        except Exception as error:
            say(str(unexpected.keep(error, base=base)))


def render(folder: Path, *, options: writer.Options, base: Path) -> dict[str, Any]:
    """Writes the files of a run again, from its notebooks and what it found, without judging; gives the content of run.json.

    Raises:
        CouldNotLook: there is no finished run.
    """
    content = record.read(folder)
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
    folder: Path, content: dict[str, Any], executed: Sequence[Executed], options: writer.Options
) -> None:
    """Writes what others read, and run.json last; nothing of it stays when a secret stands in any file of the run."""
    writer.write(folder, run=content, executed=executed, options=options)
    content["report"] = {"sha256": digest(folder / "report.html")}
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    aside = folder / ".run.json.new"
    replace_text(aside, text)
    try:
        leak_scan.check(folder, rendered=(*writer.NAMES, aside.name))
    except SecretFound as error:
        write_unfinished(folder, content["environment"], content["case"], dt.datetime.fromisoformat(content["started"]), error.reason, str(error))  # fmt: skip
        raise
    aside.replace(folder / "run.json")


@contextlib.contextmanager
def recorded(
    folder: Path, environment: str, case: str, started: dt.datetime, *, again: str, base: Path
) -> Iterator[None]:
    """Whatever ends the work inside stands in run.json, as `error` with its reason.

    Raises:
        InternalError: instead of an exception that nobody foresaw, whose traceback is kept in the run.
    """
    (folder / unexpected.FILE).unlink(missing_ok=True)
    try:
        write_unfinished(folder, environment, case, started, "unfinished", f"the run did not end; go on with: {again}")  # fmt: skip
        yield
    except ProofbookError as error:
        write_ended(folder, environment, case, started, error.reason, scrub(str(error)))
        raise
    except KeyboardInterrupt:
        write_ended(folder, environment, case, started, "interrupted", f"interrupted by the user; go on with: {again}")  # fmt: skip
        raise
    except Exception as error:
        broken = unexpected.keep(error, folder=folder, base=base)
        write_ended(folder, environment, case, started, broken.reason, str(broken))
        raise broken from error


def evidence_of(named: str, *, base: Path) -> Path:
    """The folder of evidence that a run's id, or a path, means."""
    try:
        return validation.evidence_folder(str(find(named, base=base)), base=base)
    except UnknownName:
        return validation.evidence_folder(named, base=base)


def earlier_run(named: str, what: cases.Case, environment: str, *, base: Path) -> Path | None:
    """The run that counts as before: named now, by the case, or pinned; None without one.

    Raises:
        UnknownName: it is not there.
    """
    chosen = named or (what.before if what.before != cases.AUTO else "")
    chosen = chosen or baseline.pinned(paths.outputs(base) / environment)
    return find(chosen, base=base) if chosen else None


def first_screen(folder: Path, environment: str, case: str, *, base: Path) -> Opening:
    """The first screen of a run whose evidence is there, judged here and now: what the notebooks will say too."""
    where, what = validation.load(environment, case, base=base)
    recorded = store.read(folder / "evidence")
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
        what = cases.load(case, base=base)
        diffs.record(what, inputs=inputs)
        for _, name in cases.named_files(what):
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
        "schema_version": record.SCHEMA_VERSION,
        "run_id": folder.name,
        "environment": result.environment.name,
        "case": result.case.name,
        "started": rfc3339(first),
        "ended": rfc3339(dt.datetime.now(dt.UTC)),
        "verdict": overall.verdict.value,
        "reason": overall.reason,
        "sentence": for_others(overall.sentence),
        "next_review": rfc3339(result.next_review),
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
                "sha256": digest(item.path),
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
        "source": source_of(base),
    }


def write_ended(
    folder: Path, environment: str, case: str, started: dt.datetime, reason: str, sentence: str
) -> None:
    """What ended the run before its time, also on a disk that is full; where not even that can be written, the caller tells."""
    with contextlib.suppress(OSError):
        for left in folder.glob(".*.new"):
            left.unlink()
        try:
            write_unfinished(folder, environment, case, started, reason, sentence)
        except OSError:
            # No room for a second file: these few lines fit where those are that were written when the run began.
            with (folder / "run.json").open("r+", encoding="utf-8") as file:
                file.write(unfinished(folder, environment, case, started, reason, sentence))
                file.truncate()
