"""The report as a notebook shows it, section by section."""

from __future__ import annotations

from proofbook import paths, validation
from proofbook.config import json_schema
from proofbook.errors import UsageError
from proofbook.execution.document import findings_in
from proofbook.notebook.display import show_part

# What its methods show: loaded with this module, so that a notebook's process has it before it is needed.
from proofbook.report import sections  # noqa: F401  # loaded for others
from proofbook.report.result import Result, of_run
from proofbook.report.section_registry import of_extensions, rendered
from proofbook.runs import folders


class Report:
    """What `00-validation-report` shows, section by section. `result` is what they are made of."""

    def __init__(self, result: Result) -> None:
        self.result = result

    def verdict(self) -> None:
        """Shows the verdict in words, what carries it, how we could be wrong, what to do, what changed."""
        self.show("verdict")

    def header(self) -> None:
        """Shows who validated what, where and when."""
        self.show("header")

    def impact(self) -> None:
        """Shows each business statement: supported, refuted or unproven."""
        self.show("impact")

    def fixes(self) -> None:
        """Shows each fix: what was seen before and what after."""
        self.show("fixes")

    def findings(self) -> None:
        """Shows every finding as a card that opens, grouped by question."""
        self.show("findings")

    def deployment(self) -> None:
        """Shows the revisions, and what the platform says of each."""
        self.show("deployment")

    def contracts(self) -> None:
        """Shows breaking changes of APIs and messages."""
        self.show("contracts")

    def risks(self) -> None:
        """Shows the risk register."""
        self.show("risks")

    def recommendations(self) -> None:
        """Shows what to do, the most urgent first."""
        self.show("recommendations")

    def watch(self) -> None:
        """Shows how a watch went; nothing where nothing was watched."""
        self.show("watch")

    def readiness(self) -> None:
        """Shows whether this may go on to production."""
        self.show("readiness")

    def uncertainty(self) -> None:
        """Shows what is still needed, and what nobody established."""
        self.show("uncertainty")

    def diffs(self) -> None:
        """Shows what each fix changed, in words and as a diff."""
        self.show("diffs")

    def conclusion(self) -> None:
        """Shows only what the findings support."""
        self.show("conclusion")

    def show(self, name: str) -> None:
        """Shows a section by its name, also one of another package.

        Raises:
            UnknownName: there is none of that name.
        """
        show_part(rendered(name, self.result), name=name)

    def sections_of_extensions(self) -> None:
        """Shows every section that another package adds, under its title; nothing where none does."""
        for name, part in of_extensions(self.result):
            show_part(part, name=name)


def open_report(name: str, *, case: str = "", evidence: str = "") -> Report:
    """The report of a run, read from the executed notebooks that lie beside its evidence.

    Raises:
        UsageError: no evidence was named, or no executed notebook lies beside it.
    """
    json_schema.skip_iri_grammar()
    base = paths.root()
    asked = validation.Validation.load(name, case, base=base)
    if not evidence:
        raise UsageError(
            "the report judges nothing: give it a run's evidence, or let the runner call it: proofbook run ENV"
        )
    folder = folders.evidence(evidence, base=base)
    if not findings_in(folder.parent / "notebooks"):
        raise UsageError(
            f"expected executed notebooks beside {paths.shown(folder)}, found none; run them first: proofbook run"
        )
    return Report(of_run(folder.parent, asked))
