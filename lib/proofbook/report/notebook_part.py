"""An executed notebook as a part of the page: readable without scripts, and nothing in it that could do harm."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from proofbook.config import json_schema
from proofbook.execution import document
from proofbook.judge import findings
from proofbook.redaction import unseen
from proofbook.redaction.scrubbing import in_value
from proofbook.report import chart_fallbacks, finding_html, templating
from proofbook.report.sanitise import clean
from proofbook.report.section_registry import said_by

if TYPE_CHECKING:
    from nbconvert import HTMLExporter
    from nbformat import NotebookNode

    from proofbook.execution.executor import Executed

# The report's own notebook begins so.
OWN = "00-"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotebookPart:
    """A notebook as the page shows it.

    headings: ids and words. left_out: heading and sentence of each part in which there was nothing. opens: whether it is the
        report's own and shows the summary.
    """

    name: str
    title: str
    headings: tuple[tuple[str, str], ...]
    body: str
    left_out: tuple[tuple[str, str], ...]
    problem: str
    figures: int
    opens: bool


def convert(item: Executed, told: set[str], *, question: str = "", title: bool = True) -> NotebookPart:
    """A notebook as a part of the page.

    Args:
        told: findings whose cards are on the page already; those of this notebook are added.
        question: its title, instead of the one that it has. title: whether it is shown with one.
    """
    json_schema.skip_iri_grammar()
    # A lone half of a letter, as a cut log line leaves it, cannot be written at all.
    notebook = document.to_convert(item.path, change=lambda content: in_value(content, unseen.encodable))
    left_out = _leave_out(notebook)
    if question:
        _ask(notebook, question)
    if not title:
        _untitle(notebook)
    _join_code(notebook)
    outputs = _Outputs(told=frozenset(told))
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            outputs.take(output)
    told |= outputs.shown
    body, headings = _with_ids(outputs.put_back(_as_html(notebook)), name=item.name)
    return NotebookPart(
        name=item.name,
        title=unseen.visible(question or _title(notebook) or item.name),
        headings=headings,
        body=body,
        left_out=left_out,
        problem=unseen.visible(item.problem),
        figures=outputs.figures,
        opens=item.name.startswith(OWN) and "verdict" in outputs.sections,
    )


def load() -> None:
    """Compiles the converter's templates, by converting a notebook with one cell of each kind."""
    import nbformat

    made = nbformat.v4
    cells = [made.new_markdown_cell("# a"), made.new_code_cell("a")]  # type: ignore[no-untyped-call]  # nbformat has no types
    _as_html(made.new_notebook(cells=cells))  # type: ignore[no-untyped-call]  # as above


def in_script(value: object) -> str:
    """JSON that may stand in a script element: nothing in it ends the element or begins a comment."""
    return json.dumps(value, ensure_ascii=True).replace("<", "\\u003c").replace(">", "\\u003e")


@dataclass(slots=True, kw_only=True)
class _Outputs:
    """The outputs of a notebook, each made harmless by itself and put in after it is converted.

    The converter parses all that it is given several times, so it is given a place for each.
    """

    told: Collection[str]
    parts: list[str] = field(default_factory=list)
    figures: int = 0
    shown: set[str] = field(default_factory=set)
    sections: set[str] = field(default_factory=set)

    def take(self, output: NotebookNode) -> None:
        """Takes what an output shows, and leaves its place."""
        part = self._part(output.get("data", {}))
        if part is not None:
            self.parts.append(part)
            output["data"] = {"text/html": f'<figure data-part="{len(self.parts) - 1}"></figure>'}

    def put_back(self, body: str) -> str:
        """The converted notebook with every output in its place."""

        def part(found: re.Match[str]) -> str:
            number = int(found.group(1))
            return self.parts[number] if number < len(self.parts) else ""

        return re.sub(r'<figure data-part="(\d+)"></figure>', part, body)

    def _part(self, data: Mapping[str, object]) -> str | None:
        figure, finding = data.get(chart_fallbacks.MIME), data.get(findings.MIME)
        if isinstance(figure, dict):
            self.figures += 1
            return _figure(figure)
        if isinstance(finding, dict) and finding.get("id") in self.told:
            return clean(finding_html.line(findings.from_json(finding)))
        if "text/html" not in data:
            return None
        said = said_by(data)
        self.sections.add(said.section)
        self.shown.update(said.findings)
        if isinstance(finding, dict):
            self.shown.add(str(finding.get("id")))
        return clean(document.joined(data["text/html"]))


def _as_html(notebook: NotebookNode) -> str:
    return clean(_exporter().from_notebook_node(notebook)[0])


@lru_cache(maxsize=1)
def _exporter() -> HTMLExporter:
    """The converter, kept for all notebooks: it compiles some ten templates before the first."""
    from nbconvert import HTMLExporter

    return HTMLExporter(  # type: ignore[no-untyped-call]  # nbconvert has no types
        template_name="proofbook",
        extra_template_basedirs=[str(templating.FOLDER)],
        # The notebook is valid as it comes; once more at the end, and not after each of a dozen steps.
        optimistic_validation=True,
    )


def _with_ids(body: str, *, name: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The body with an id for every heading, which begins with the notebook's name; and the ids with their words."""
    # A heading of nothing, as pandas writes above an index, tells a screen reader nothing.
    body = re.sub(r"<th([^>]*)></th>", r"<td\1></td>", body)
    headings: list[tuple[str, str]] = []

    def with_id(found: re.Match[str]) -> str:
        words = re.sub(r"<a[^>]*class=\"anchor-link\".*?</a>|<[^>]+>", "", found.group(2)).strip()
        own = f"{name}--{re.sub(r'[^a-z0-9]+', '-', words.lower()).strip('-')}"
        headings.append((own, words))
        return f'<h2 id="{own}">{words}</h2>'

    body = re.sub(r"<h2([^>]*)>(.*?)</h2>", with_id, body, flags=re.DOTALL)
    return body, tuple(headings)


def _title(notebook: NotebookNode) -> str:
    """The words of its last first heading; empty without one."""
    titles = [
        cell.source.splitlines()[0].removeprefix("# ")
        for cell in notebook.cells
        if cell.cell_type == "markdown" and cell.source.startswith("# ")
    ]
    return titles[-1] if titles else ""


def _leave_out(notebook: NotebookNode) -> tuple[tuple[str, str], ...]:
    """Takes out the parts, each from one heading to the next, whose cells only say that there is nothing; gives heading and sentence."""
    starts = [
        number
        for number, cell in enumerate(notebook.cells)
        if cell.cell_type == "markdown" and cell.source.startswith("## ")
    ]
    found = []
    empty: set[int] = set()
    for start, end in pairwise([*starts, len(notebook.cells)]):
        cells = notebook.cells[start:end]
        reasons = [
            said_by(output.get("data", {})).nothing for cell in cells for output in cell.get("outputs", [])
        ]
        if reasons and all(reasons):
            heading = cells[0].source.splitlines()[0].removeprefix("## ")
            sentences = " ".join(dict.fromkeys(reasons))
            found.append((unseen.visible(heading), unseen.visible(sentences)))
            empty.update(range(start, end))
    notebook.cells = [cell for number, cell in enumerate(notebook.cells) if number not in empty]
    return tuple(found)


def _join_code(notebook: NotebookNode) -> None:
    """Puts code that shows nothing behind the fold of the code before it, or of the code after it where it comes first."""
    joined: list[NotebookNode] = []
    for cell in notebook.cells:
        above = joined[-1] if joined else None
        if (
            above is None
            or not (_is_shown_code(above) and _is_shown_code(cell))
            or (above.outputs and cell.outputs)
        ):
            joined.append(cell)
            continue
        above.source = f"{above.source}\n\n{cell.source}"
        above.outputs = above.outputs or cell.outputs
    notebook.cells = joined


def _is_shown_code(cell: NotebookNode) -> bool:
    """Whether a cell's code is on the page; that of the stored defaults is not."""
    return cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", [])


def _ask(notebook: NotebookNode, question: str) -> None:
    """Gives the notebook's first heading other words."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            words = re.sub(r"([\\`*_{}\[\]<>&#$])", r"\\\1", unseen.encodable(" ".join(question.split())))
            cell.source = "\n".join([f"# {words}", *cell.source.splitlines()[1:]])
            return


def _untitle(notebook: NotebookNode) -> None:
    """Takes the notebook's first heading: the page has one."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            cell.source = "\n".join(cell.source.splitlines()[1:])
            return


def _figure(figure: chart_fallbacks.Figure) -> str:
    """A place for a chart: its data as JSON, and its words and table for those who do not see it drawn."""
    words = finding_html.escape(chart_fallbacks.in_words(figure))
    data = in_script(in_value({"data": figure["data"], "layout": figure["layout"]}, unseen.visible))
    return (
        f'<figure class="pb-figure" aria-label="{words}"><div class="pb-plot"></div><script type="application/json">{data}</script>'
        f'<figcaption>{words}</figcaption><details class="pb-data"><summary>The data of this chart as a table</summary>{chart_fallbacks.table(figure)}</details></figure>'
    )
