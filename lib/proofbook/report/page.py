"""Joins the executed notebooks into one HTML file that opens offline: text without scripts, charts with Plotly embedded once."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from proofbook import quick
from proofbook.evidence import replace_text
from proofbook.judge.findings import Verdict
from proofbook.redaction import scrub
from proofbook.report import cards

if TYPE_CHECKING:
    from proofbook.execute import Executed
    from proofbook.report.summary import Summary

PLOTLY = "application/vnd.plotly.v1+json"
TEMPLATES = Path(__file__).parent / "templates"


def write(path: Path, *, run: dict[str, Any], executed: Sequence[Executed], summary: Summary) -> None:
    """Writes the report of a run in one step."""
    ordered = sorted(executed, key=lambda item: item.name)
    sections = [_section(item) for item in ordered]
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    text = (
        _environment()
        .get_template("page.html.j2")
        .render(
            run=run,
            title=f"{run['verdict']}: {summary.environment.title or summary.environment.name}",
            mark=cards.MARKS[_verdict(run)],
            colour=cards.COLOURS[_verdict(run)],
            sections=sections,
            style=(TEMPLATES / "page.css").read_text(encoding="utf-8"),
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            plotly=_plotly() if any(section["figures"] for section in sections) else "",
        )
    )
    replace_text(path, text)


def _section(item: Executed) -> dict[str, Any]:
    quick.skip_iri_grammar()
    import nbformat
    from nbconvert import HTMLExporter

    notebook = nbformat.read(item.path, as_version=4)
    figures = 0
    title = item.name
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            title = cell.source.splitlines()[0].removeprefix("# ")
        for output in cell.get("outputs", []):
            if PLOTLY in output.get("data", {}):
                figures += 1
                output["data"] = {"text/html": _figure(output["data"][PLOTLY])}
    exporter = HTMLExporter(template_name="proofbook", extra_template_basedirs=[str(TEMPLATES)])
    body, _ = exporter.from_notebook_node(notebook)
    return {
        "name": item.name,
        "title": title,
        "body": body,
        "problem": scrub(item.problem),
        "figures": figures,
    }


def _figure(figure: dict[str, Any]) -> str:
    """A place for a chart: its data as JSON, its title as text for those without scripts."""
    title = figure.get("layout", {}).get("title", {})
    words = title.get("text", "") if isinstance(title, dict) else str(title)
    data = json.dumps({"data": figure["data"], "layout": figure["layout"]}, ensure_ascii=True).replace(
        "<", "\\u003c"
    )
    return f'<figure class="pb-figure" role="img" aria-label="Chart: {escape(words)}"><div class="pb-plot"></div><script type="application/json">{data}</script><figcaption>{escape(words)}</figcaption></figure>'


@lru_cache(maxsize=1)
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    # mtime 0: the same library gives the same bytes.
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _verdict(run: dict[str, Any]) -> Verdict:
    return Verdict(run["verdict"])
