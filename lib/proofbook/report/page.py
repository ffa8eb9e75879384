"""Joins the executed notebooks into one HTML file that opens offline: readable without scripts, charts with Plotly embedded once."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofbook import paths
from proofbook.config import json_schema
from proofbook.files import replace_text
from proofbook.judge.findings import MARKS, MIME, Verdict, from_json
from proofbook.redaction.scrubbing import in_value
from proofbook.report import chart_fallbacks, finding_html, first_screen, templating
from proofbook.report import sections as parts
from proofbook.report.sanitise import clean
from proofbook.runs.digests import BLANK, DIGEST, about, page_digest

if TYPE_CHECKING:
    from proofbook.execution.executor import Executed


# The report's own notebook begins so.
OWN = "00-"
# Where reports that share the library look for it, from their own folder `outputs/<environment>/<run>/`.
ASSETS = "../../assets"
_NOTHING = re.compile(re.escape(finding_html.nothing("…")).replace("…", "([^<]*)"))


def write(
    path: Path, *, run: dict[str, Any], executed: Sequence[Executed], shares_assets: bool = False
) -> None:
    """Writes the report of a run in one step.

    Args:
        shares_assets: the charts' library is kept once for all reports, in `outputs/assets`, instead of in the page.
    """
    ordered = sorted(executed, key=lambda item: item.name)
    told: set[str] = set()
    first = first_screen.of_run(run)
    # Where no fix is claimed, the report's own question would ask for one.
    question = "" if any(item["kind"] == "fix" for item in run["findings"]) else first.case
    sections = [
        _section(item, told, question=question if item.name.startswith(OWN) else "") for item in ordered
    ]
    drawn = any(section["figures"] for section in sections)
    library = _keep_library(path.parent / ASSETS) if drawn and shares_assets else ""
    text = templating.render(
        "page.html.j2",
        script="page.js",
        run=run,
        mark=MARKS[Verdict(run["verdict"])],
        first=first,
        title=finding_html.visible(f"{first.words} · {first.environment} · {first.case}"),
        # Where the report's own notebook did not get as far, the page says it itself.
        first_screen="" if any(map(_opens, sections)) else clean(parts.first_screen(first)),
        sections=sections,
        plotly=_packed_plotly() if drawn and not shares_assets else "",
        library=f"{ASSETS}/{library}" if library else "",
        about=_in_script(about(run)),
        blank=BLANK,
    )
    text = _without_paths(text)
    replace_text(path, DIGEST.sub(rf"\g<1>{page_digest(text)}\g<3>", text, count=1))


def _opens(section: dict[str, Any]) -> bool:
    """Whether a section is the report's own and shows the first screen; text that looks like it is escaped."""
    return section["name"].startswith(OWN) and '<section class="pb-verdict"' in section["body"]


def _section(item: Executed, told: set[str], *, question: str = "") -> dict[str, Any]:
    """A notebook as a part of the page.

    Args:
        told: findings whose cards are on the page already; those of this notebook are added.
        question: its title, instead of the one that it has.
    """
    json_schema.skip_iri_grammar()
    import nbformat
    from nbconvert import HTMLExporter

    # A lone half of a letter, as a cut log line leaves it, cannot be written at all.
    content = in_value(json.loads(item.path.read_text(encoding="utf-8")), finding_html.encodable)
    notebook = nbformat.reads(json.dumps(content), as_version=4)
    left_out = _leave_out(notebook)
    if question:
        _ask(notebook, question)
    # Outputs are put in after the notebook is converted, each made harmless by itself: the converter parses all that it is
    # given several times.
    parts_of_page: list[str] = []
    figures = 0
    title = item.name
    shown: set[str] = set()
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            title = question or cell.source.splitlines()[0].removeprefix("# ")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if chart_fallbacks.MIME in data:
                figures += 1
                part = _figure(data[chart_fallbacks.MIME])
            elif MIME in data and data[MIME].get("id") in told:
                part = clean(finding_html.line(from_json(data[MIME])))
            elif "text/html" in data:
                part = clean("".join(data["text/html"]))
                shown |= set(re.findall(r'<details class="pb-finding" id="finding-([^"]+)"', part))
            else:
                continue
            parts_of_page.append(part)
            output["data"] = {"text/html": f'<figure data-part="{len(parts_of_page) - 1}"></figure>'}
    told |= shown
    exporter = HTMLExporter(template_name="proofbook", extra_template_basedirs=[str(templating.FOLDER)])
    body = clean(exporter.from_notebook_node(notebook)[0])
    body = re.sub(
        r'<figure data-part="(\d+)"></figure>',
        lambda found: parts_of_page[int(found.group(1))] if int(found.group(1)) < len(parts_of_page) else "",
        body,
    )
    # A heading of nothing, as pandas writes above an index, tells a screen reader nothing.
    body = re.sub(r"<th([^>]*)></th>", r"<td\1></td>", body)
    headings: list[tuple[str, str]] = []

    def with_id(found: re.Match[str]) -> str:
        words = re.sub(r"<a[^>]*class=\"anchor-link\".*?</a>|<[^>]+>", "", found.group(2)).strip()
        name = f"{item.name}--{re.sub(r'[^a-z0-9]+', '-', words.lower()).strip('-')}"
        headings.append((name, words))
        return f'<h2 id="{name}">{words}</h2>'

    body = re.sub(r"<h2([^>]*)>(.*?)</h2>", with_id, body, flags=re.DOTALL)
    return {
        "name": item.name,
        "title": finding_html.visible(title),
        "headings": headings,
        "body": body,
        "left_out": left_out,
        "problem": finding_html.visible(item.problem),
        "figures": figures,
    }


def _leave_out(notebook: Any) -> list[tuple[str, str]]:
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
        shown = [
            "".join(output.get("data", {}).get("text/html", ""))
            for cell in cells
            for output in cell.get("outputs", [])
        ]
        said = [_NOTHING.fullmatch(html) for html in shown]
        if shown and all(said):
            heading = cells[0].source.splitlines()[0].removeprefix("## ")
            sentences = dict.fromkeys(match[1] for match in said if match)
            found.append((finding_html.visible(heading), clean(" ".join(sentences))))
            empty.update(range(start, end))
    notebook.cells = [cell for number, cell in enumerate(notebook.cells) if number not in empty]
    return found


def _ask(notebook: Any, question: str) -> None:
    """Gives the notebook's first heading other words."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            words = re.sub(
                r"([\\`*_{}\[\]<>&#$])", r"\\\1", finding_html.encodable(" ".join(question.split()))
            )
            cell.source = "\n".join([f"# {words}", *cell.source.splitlines()[1:]])
            return


def _figure(figure: dict[str, Any]) -> str:
    """A place for a chart: its data as JSON, and its words and table for those who do not see it drawn."""
    words = finding_html.escape(chart_fallbacks.in_words(figure))
    data = _in_script(in_value({"data": figure["data"], "layout": figure["layout"]}, finding_html.visible))
    return (
        f'<figure class="pb-figure" aria-label="{words}"><div class="pb-plot"></div><script type="application/json">{data}</script>'
        f'<figcaption>{words}</figcaption><details class="pb-data"><summary>The data of this chart as a table</summary>{chart_fallbacks.table(figure)}</details></figure>'
    )


def _in_script(value: Any) -> str:
    """JSON that may stand in a script element: nothing in it ends the element or begins a comment."""
    return json.dumps(value, ensure_ascii=True).replace("<", "\\u003c").replace(">", "\\u003e")


def _without_paths(text: str) -> str:
    """Without the folders of the machine that made the report: they help nobody who reads it."""
    for folder, shown in ((str(paths.home(paths.root())), "."), (str(Path.home()), "~")):
        if len(folder) > 1:
            text = text.replace(f"{folder}/", f"{shown}/")
    return text


def _keep_library(folder: Path) -> str:
    """Puts the charts' library beside all reports; gives its file's name, which changes with its content."""
    from plotly.offline import get_plotlyjs

    text = get_plotlyjs()
    name = f"plotly-{hashlib.sha256(text.encode()).hexdigest()[:12]}.js"
    if not (folder / name).exists():
        folder.resolve().mkdir(parents=True, exist_ok=True)
        replace_text(folder.resolve() / name, text)
    return name


@lru_cache(maxsize=1)
def _packed_plotly() -> str:
    from plotly.offline import get_plotlyjs

    # mtime 0: the same library gives the same bytes.
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()
