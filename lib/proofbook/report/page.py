"""Joins the executed notebooks into one HTML file that opens offline: readable without scripts, charts with Plotly embedded once."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from proofbook import paths
from proofbook.files import replace, replace_text
from proofbook.judge.findings import MARKS
from proofbook.redaction import unseen
from proofbook.report import notebook_part, sections, summary, templating
from proofbook.report.notebook_part import OWN, in_script
from proofbook.report.sanitise import clean
from proofbook.runs.digests import BLANK, DIGEST, about, page_digest
from proofbook.runs.record import RunRecord

if TYPE_CHECKING:
    from proofbook.execution.executor import Executed


# Where reports that share the library look for it, from their own folder `outputs/<environment>/<run>/`.
ASSETS = "../../assets"


def load() -> None:
    """Loads the charts' library and the templates, which the first page would do and no other needs again."""
    _packed_plotly()
    notebook_part.load()


def write(path: Path, *, run: RunRecord, executed: Sequence[Executed], shares_assets: bool = False) -> None:
    """Writes the report of a run in one step.

    Args:
        shares_assets: the charts' library is kept once for all reports, in `outputs/assets`, instead of in the page.
    """
    told: set[str] = set()
    first = summary.of_run(run)
    # Where no fix is claimed, the report's own question would ask for one.
    question = "" if any(item.kind == "fix" for item in run.findings) else first.case
    parts = [
        notebook_part.convert(item, told, question=question if item.name.startswith(OWN) else "")
        for item in sorted(executed, key=lambda item: item.name)
    ]
    drawn = any(part.figures for part in parts)
    library = _keep_library(path.parent / ASSETS) if drawn and shares_assets else ""
    text = templating.render(
        "page.html.j2",
        script="page.js",
        run=run,
        mark=MARKS[run.verdict],
        first=first,
        title=unseen.visible(f"{first.words} · {first.environment} · {first.case}"),
        # Where the report's own notebook did not get as far, the page says it itself.
        summary="" if any(part.opens for part in parts) else clean(sections.summary_html(first)),
        sections=parts,
        plotly=_packed_plotly() if drawn and not shares_assets else "",
        library=f"{ASSETS}/{library}" if library else "",
        about=in_script(about(run)),
        blank=BLANK,
    )
    replace_text(path, stamped(without_paths(text)))


def stamped(text: str) -> str:
    """A page with its digest in its place."""
    return DIGEST.sub(rf"\g<1>{page_digest(text)}\g<3>", text, count=1)


def without_paths(text: str) -> str:
    """Without the folders of the machine that made the report: they help nobody who reads it."""
    for folder, shown in ((str(paths.home(paths.root())), "."), (str(Path.home()), "~")):
        if len(folder) > 1:
            shorter = partial(_shorter, folder=folder, shown=shown)
            text = re.sub(rf"{re.escape(folder)}(/[\w./+@%~-]*)", shorter, text)
    return text


def _shorter(found: re.Match[str], *, folder: str, shown: str) -> str:
    """A path of this machine without its folder; what only looks like one stands in text from elsewhere, and stays."""
    return shown + found[1] if Path(folder + found[1].rstrip(".")).exists() else found[0]


def _keep_library(folder: Path) -> str:
    """Puts the charts' library beside all reports; gives its file's name, which changes with its content."""
    from plotly.offline import get_plotlyjs

    content = get_plotlyjs().encode()
    name = f"plotly-{hashlib.sha256(content).hexdigest()[:12]}.js"
    path = folder.resolve() / name
    # One that was cut, as by a machine that lost its power, would show no chart of any report for ever.
    if not path.is_file() or path.stat().st_size != len(content):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, content)
    return name


@lru_cache(maxsize=1)
def _packed_plotly() -> str:
    from plotly.offline import get_plotlyjs

    # mtime 0: the same library gives the same bytes.
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()
