"""An executed notebook that asks as one HTML file that opens offline and needs no script: the answers first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import proofbook
from proofbook.files import replace_text
from proofbook.redaction import unseen
from proofbook.redaction.scrubbing import for_others
from proofbook.report import notebook_part, page, templating
from proofbook.runs.digests import BLANK

if TYPE_CHECKING:
    from proofbook.execution.executor import Executed


# What may be wider than the page is reached by the keyboard too.
_SCROLLING = re.compile(r'<div (class="(?:output_html|pb-scroll)\b)')

# Papermill makes one up for the cell that it puts in.
_CELL_ID = re.compile(r' id="cell-id=[^"]*"')


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedAnswer:
    """An answer as it stands at the top of the page, with its mark."""

    mark: str
    claim: str
    statement: str


def write(path: Path, *, executed: Executed, source: str, said: Sequence[MarkedAnswer], command: str) -> None:
    """Writes the page in one step.

    Args:
        source: what was looked at. command: what makes the same page again.
    """
    part = notebook_part.convert(executed, set(), title=False)
    text = templating.render(
        "look.html.j2",
        look_style=templating.read("look.css"),
        title=unseen.visible(f"What went wrong in {source}"),
        source=unseen.visible(source),
        section=part,
        body=_CELL_ID.sub("", _SCROLLING.sub(r'<div tabindex="0" \1', part.body)),
        said=[MarkedAnswer(mark=item.mark, claim=_plain(item.claim), statement=_plain(item.statement)) for item in said],
        command=_plain(command),
        version=proofbook.__version__,
        file=path.name,
        blank=BLANK,
    )  # fmt: skip
    replace_text(path, page.stamped(page.without_paths(text)))


def _plain(text: str) -> str:
    return unseen.visible(for_others(text))
