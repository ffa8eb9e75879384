"""The registry of report sections; other packages add theirs as entry points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from proofbook.errors import ExtensionError
from proofbook.registry import Registry
from proofbook.report import finding_html
from proofbook.report.result import Result

# Beside the HTML of an output stands what the page must know of it: see `OutputData`.
MIME = "application/vnd.proofbook.section+json"


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the report as HTML; empty where nothing is to be shown and nothing to be said. findings: ids of those whose cards are in it."""

    html: str
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """Why a section has nothing to show, in one sentence: the page names it in a line instead of showing it."""

    reason: str


Part = Section | Nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSection:
    """A kind of section: its heading, where it brings one of its own, and what it makes of a run."""

    title: str
    render: Callable[[Result], Part]

    def __call__(self, result: Result) -> Part:
        return self.render(result)


def section(title: str = "") -> Callable[[Callable[[Result], Part]], ReportSection]:
    """Makes a section of a function that takes the result of a run and gives a `Section` or `Nothing`.

    title: the heading of a section of another package; ours have theirs in the notebook.
    """
    return lambda render: ReportSection(title=title, render=render)


_OURS = (
    "verdict",
    "header",
    "impact",
    "fixes",
    "findings",
    "deployment",
    "contracts",
    "risks",
    "recommendations",
    "watch",
    "readiness",
    "uncertainty",
    "diffs",
    "conclusion",
)
SECTIONS: Registry[ReportSection] = Registry(
    "report section",
    group="proofbook.report_sections",
    own={name: f"proofbook.report.sections:{name}" for name in _OURS},
    wanted=ReportSection,
)


def rendered(name: str, result: Result) -> Part:
    """What a section makes of a run; of one of another package under its title, or a sentence where it cannot be shown.

    Raises:
        UnknownName: there is none of that name.
    """
    if name in SECTIONS and not SECTIONS.is_ours(name):
        return _of_extension(name, result)
    return SECTIONS.get(name).render(result)


def of_extensions(result: Result) -> Iterator[tuple[str, Part]]:
    """The sections of other packages by name, each under its title; a sentence in place of one that cannot be shown."""
    for name in SECTIONS.names():
        if not SECTIONS.is_ours(name):
            yield name, rendered(name, result)
    for error in SECTIONS.doubles():
        yield error.name, Section(finding_html.note(str(error)))


def _of_extension(name: str, result: Result) -> Part:
    try:
        found = SECTIONS.get(name)
    except ExtensionError as error:
        return Section(finding_html.note(str(error)))
    heading = f"<h2>{finding_html.sentence(found.title or name)}</h2>"
    try:
        part = found.render(result)
    # Whatever the code of somebody else raises: the other sections are still worth reading.
    except Exception as error:
        why = f"it raised {type(error).__name__}: {error}"
        return Section(heading + finding_html.note(str(SECTIONS.failed(name, why))))
    if isinstance(part, Nothing):
        return Section(heading + finding_html.nothing(part.reason))
    if not isinstance(part, Section):
        why = f"expected it to give a Section or Nothing, got {type(part).__name__}"
        return Section(heading + finding_html.note(str(SECTIONS.failed(name, why))))
    return Section(heading + part.html, part.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputData:
    """What an output of a notebook says of itself.

    section: the section of the report that it is, empty where it is none. nothing: why there is nothing to show, empty where
        there is. findings: the ids of findings whose cards are in it.
    """

    section: str = ""
    nothing: str = ""
    findings: tuple[str, ...] = ()


def as_output(part: Part, *, name: str = "") -> dict[str, object]:
    """A part as an output of a notebook: for people as HTML and text, for the page as data."""
    if isinstance(part, Nothing):
        html, text = finding_html.nothing(part.reason), part.reason
        said: dict[str, object] = {"section": name, "nothing": part.reason}
    else:
        html, text = part.html, f"report section {name}"
        said = {"section": name, "findings": list(part.findings)}
    return {"text/html": html, "text/plain": text, MIME: said}


def said_by(output: Mapping[str, object]) -> OutputData:
    """What an output says of itself; of one that says nothing, or something else, nothing."""
    data = output.get(MIME)
    if not isinstance(data, dict):
        return OutputData()
    findings = data.get("findings")
    return OutputData(
        section=str(data.get("section") or ""),
        nothing=str(data.get("nothing") or ""),
        findings=tuple(map(str, findings)) if isinstance(findings, list) else (),
    )
