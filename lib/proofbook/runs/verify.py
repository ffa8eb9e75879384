"""Whether a run, or a report that someone sent, is as it was written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from proofbook import paths
from proofbook.errors import ProofbookError, UsageError
from proofbook.evidence import store
from proofbook.execution import document
from proofbook.files import digest, parse_json, read_text
from proofbook.runs import digests, folders, record, retention
from proofbook.runs.json_reader import JsonObject
from proofbook.runs.record import RunRecord

# A page that tells of no run says so.
LOOK = '<meta name="proofbook-page" content="look">'
_ABOUT = re.compile(r'<script type="application/json" id="proofbook-run">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One thing that was checked, in words, and whether it held."""

    what: str
    held: bool


def run(folder: Path) -> list[Answer]:
    """A run's evidence, notebooks, findings and report against the digests that it recorded.

    Raises:
        CouldNotLook: the folder holds no finished run.
    """
    if folders.has_phase(folder, store.LOOK) and not (folder / "run.json").exists():
        return _of_look(folder)
    found = record.read(folder)
    since = retention.removed_since(folder)
    answers = (
        [
            Answer(
                what=f"evidence and notebooks were removed on {since} by [retention]: not looked at",
                held=True,
            )
        ]
        if since
        else [_of_evidence(folder, found), *_of_notebooks(folder, found), _of_findings(folder, found)]
    )
    path = folder / "report.html"
    answers += (
        report(path, known=found) if path.exists() else [Answer(what="there is no report.html", held=False)]
    )
    return answers


def report(path: Path, *, known: RunRecord | None = None) -> list[Answer]:
    """A report against the digest that it states of itself, and against its run where that is known.

    Raises:
        UsageError: the file is not a report.
    """
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError):
        text = ""
    about = _about(text)
    stated = digests.stated_digest(text)
    if not stated or (about is None and LOOK not in text):
        raise UsageError(
            f"expected a run's id or folder, or a report that Proofbook wrote, got {paths.shown(path)}"
        )
    answers = [_of_page(path.name, stated, whole=digests.page_digest(text) == stated)]
    if about is None:
        return answers
    if known is None:
        known = _find(about, path)
    if known is None:
        return answers
    differing = [name for name, value in digests.about(known).items() if about.get(name) != value]
    answers.append(
        Answer(
            what=f"it agrees with run {known.run_id}"
            if not differing
            else f"it differs from run {known.run_id} in {', '.join(differing)}",
            held=not differing,
        )
    )
    return answers


def _of_page(name: str, stated: str, *, whole: bool) -> Answer:
    if whole:
        return Answer(what=f"{name} agrees with its own digest (sha256 {stated[:12]}…)", held=True)
    return Answer(what=f"{name} was altered after it was written", held=False)


def _about(text: str) -> JsonObject | None:
    """What a report says of its run for programs; None where that is not there or broken."""
    found = _ABOUT.search(text)
    try:
        about = parse_json(found.group(1)) if found else None
    except ValueError:
        return None
    return about if isinstance(about, dict) else None


def _of_notebooks(folder: Path, found: RunRecord) -> list[Answer]:
    answers = []
    for item in found.notebooks:
        path = folder / "notebooks" / f"{item.name}.ipynb"
        if not path.is_file():
            answers.append(Answer(what=f"notebook {item.name} is gone", held=False))
        elif digest(path) != item.sha256:
            answers.append(Answer(what=f"notebook {item.name} was altered", held=False))
    return answers or [Answer(what=f"{len(found.notebooks)} notebooks are unaltered", held=True)]


def _of_findings(folder: Path, found: RunRecord) -> Answer:
    try:
        carried = document.findings_in(folder / "notebooks")
    except ProofbookError as error:
        return Answer(what=str(error), held=False)
    ids = {item.id for item in carried}
    # Findings about extensions that cannot be used are of the run alone.
    same = carried == [item for item in found.findings if item.id in ids or item.reason != "extension"]
    return Answer(
        what=f"{len(found.findings)} findings of run.json match the notebooks"
        if same
        else "the findings of run.json do not match the notebooks",
        held=same,
    )


def _of_look(folder: Path) -> list[Answer]:
    """Of logs that were kept when somebody looked at them, which is no run."""
    kept = store.read(folder / "evidence")
    altered = [Answer(what=sentence, held=False) for sentence in kept.altered()]
    return altered or [Answer(what=f"{len(kept.digests())} tables are unaltered since the logs were read", held=True)]  # fmt: skip


def _of_evidence(folder: Path, found: RunRecord) -> Answer:
    try:
        recorded = store.read(folder / "evidence")
        altered = recorded.altered()
    except ProofbookError as error:
        return Answer(what=str(error), held=False)
    now = {f"{phase}/{name}": table.sha256 for phase, item in recorded.manifest.phases.items() for name, table in item.tables.items()}  # fmt: skip
    then = {item.name: item.sha256 for item in found.evidence}
    if altered:
        return Answer(what="; ".join(altered), held=False)
    if now != then:
        names = ", ".join(
            sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
        )
        return Answer(what=f"the evidence is not that of the run: {names}", held=False)
    return Answer(what=f"{len(now)} tables of evidence are unaltered", held=True)


def _find(about: JsonObject, path: Path) -> RunRecord | None:
    """The run that a report tells of: beside it, or among the outputs of this workspace."""
    for folder in (path.parent, _among_outputs(about)):
        try:
            found = record.read(folder) if folder is not None else None
        except ProofbookError:
            continue
        if found is not None and found.run_id == about.get("run_id"):
            return found
    return None


def _among_outputs(about: JsonObject) -> Path | None:
    try:
        base = paths.root()
    except UsageError:
        return None
    names = (str(about.get("environment")), str(about.get("run_id")))
    return paths.outputs(base).joinpath(*names) if all(map(paths.is_name, names)) else None
