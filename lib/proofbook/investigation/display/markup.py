"""A look as HTML that needs no script and no kernel: what rose, lanes over one time axis, facets, some entries; everything of the log is escaped."""

from __future__ import annotations

from proofbook.investigation import answers
from proofbook.investigation.display import overview, picture, plain
from proofbook.investigation.display.facets import Facet
from proofbook.investigation.display.lines import Line
from proofbook.investigation.display.overview import Overview
from proofbook.report import templating
from proofbook.report.finding_html import escape

# Whole values stand in code; what is shown of one is at most so long.
_VALUE = 60


def as_html(shown: Overview) -> str:
    """The overview for a notebook or a page, left alone by MathJax. Its styles stand with it: a notebook has no other place for them."""
    head = f"<p><b>{escape(shown.source)}</b>: {escape(shown.selection)}"
    facts = "".join(f"<br>{escape(text)}" for text in plain.facts(shown))
    kinds = f"<details open><summary>Errors by message</summary>{answers.as_html(shown.kinds)}</details>" if len(shown.kinds) else ""  # fmt: skip
    return (
        f"<div class='pb-look tex2jax_ignore mathjax_ignore' data-pb-look='1'><style>{templating.read('look.css')}</style>{head}{facts}</p>"
        f"{_said(shown)}<div class='pb-static'>{picture.as_svg(shown)}{_facets(shown)}{kinds}{_lines(shown)}</div></div>"
    )


def _said(shown: Overview) -> str:
    """What our own probes met, the strongest changes, and what answered wrong."""
    met = "".join(f"<li class='pb-marked'><b>■ {escape(plain.of_probes(item))}</b>{_code(plain.when(item, shown))}</li>" for item in shown.met)  # fmt: skip
    changes = "".join(
        f"<li class='pb-marked'><b>▲ {escape(change.statement)}</b><br>{escape(change.who)} <code>{escape(change.as_code)}</code></li>"
        for change in shown.changes
    )
    groups = "".join(f"<li>{escape(overview.in_words(group))}</li>" for group in shown.groups)
    said = f"<ul class='pb-changes'>{met}{changes}{groups}</ul>" if met or changes or groups else ""
    return said if changes or groups else f"{said}<p>{escape(plain.nothing(shown).capitalize())}.</p>"


def _code(text: str) -> str:
    return f" <code>{escape(text)}</code>" if text else ""


def _facets(shown: Overview) -> str:
    found = shown.facets
    if not found.facets:
        return ""
    columns = "".join(_facet(facet) for facet in found.facets)
    return f"<p>{found.count:,} {escape(found.word)}, {found.wrong:,} of them went wrong. By value, those that went wrong first:</p><div class='pb-facets'>{columns}</div>"


def _facet(facet: Facet) -> str:
    rows = "".join(
        f"<tr><td title='{escape(value.text[:300])}'>{escape(plain.cut(value.text, _VALUE))}</td><td>{value.count:,}</td><td>{f'{value.wrong:,} wrong' if value.wrong else ''}</td></tr>"
        for value in facet.values
    )
    more = facet.distinct - len(facet.values)
    rest = f"<tr><td>{more:,} more</td><td></td><td></td></tr>" if more > 0 else ""
    return f"<table><caption>{escape(facet.name)}</caption><tbody>{rows}{rest}</tbody></table>"


def _lines(shown: Overview) -> str:
    if not shown.lines:
        return ""
    which = "all" if len(shown.lines) == shown.entries else "what went wrong first"
    rows = "".join(_line(line) for line in shown.lines)
    return f"<details><summary>{len(shown.lines):,} of {shown.entries:,} entries ({which})</summary><div class='pb-scroll pb-lines'><table><tbody>{rows}</tbody></table></div></details>"


def _line(line: Line) -> str:
    mark = "<b>✘</b>" if line.wrong else ""
    return f"<tr><td>{mark}</td><td>{plain.clock(line.at)}</td><td>{escape(line.severity)}</td><td>{escape(line.what)}</td><td>{escape(line.of)}</td></tr>"
