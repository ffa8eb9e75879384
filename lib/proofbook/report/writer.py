"""Writes the report, JUnit XML, Markdown and mail of a run; all of them can be written again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from proofbook.files import replace_text
from proofbook.report import junit, markdown, page
from proofbook.report.junit import InconclusiveAs
from proofbook.runs.record import RunRecord

if TYPE_CHECKING:
    from proofbook.execution.executor import Executed

NAMES = ("report.html", "junit.xml", "summary.md", "mail.html", "mail.eml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How they are written. shares_assets: the charts' library lies once beside all reports."""

    shares_assets: bool = False
    inconclusive_as: InconclusiveAs = "failure"


STANDARD = Options()


@lru_cache(maxsize=1)
def load() -> None:
    """Does once, for every report that copies of this process will write, what each would do first."""
    page.load()


def write(folder: Path, *, run: RunRecord, executed: Sequence[Executed], options: Options) -> None:
    """Writes report, JUnit XML and summary of a run."""
    page.write(folder / "report.html", run=run, executed=executed, shares_assets=options.shares_assets)
    replace_text(
        folder / "junit.xml", junit.render(run, run.findings, inconclusive_as=options.inconclusive_as)
    )
    replace_text(folder / "summary.md", markdown.render(run))
