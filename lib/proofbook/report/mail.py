"""A run as the body of a mail: no script, charts as pictures, small; mail gateways refuse attachments with scripts."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from email.message import EmailMessage
from pathlib import Path

from proofbook.execution import document
from proofbook.files import replace_text
from proofbook.judge import findings
from proofbook.judge.findings import Finding, Verdict
from proofbook.redaction import unseen
from proofbook.report import chart_fallbacks, finding_html, sections, summary
from proofbook.runs.record import RunRecord, Summary

# With its pictures; base64 makes four characters of three bytes.
MOST_BYTES = 100_000
MOST_ROWS = 100
LONGEST_CELL = 400
_STYLE = "font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif;color:#1f2328;background:#ffffff;max-width:40rem;margin:0 auto;padding:1rem"


def write(folder: Path, *, run: RunRecord, with_charts: bool = True) -> tuple[Path, list[str]]:
    """Writes `mail.html`, and `mail.eml` which any mail program opens and any mailer sends.

    Returns:
        the path of mail.html, and the titles of charts that did not fit.
    Raises:
        UsageError: charts are wanted and matplotlib is not installed.
    """
    first = summary.of_run(run)
    found = list(run.findings)
    left = MOST_BYTES - len(_body(first, found, [], []).encode()) - 2000
    pictures, without = _pictures(_figures(folder / "notebooks") if with_charts else (), most_bytes=left)
    inside = [
        (words, f"data:image/png;base64,{base64.b64encode(drawn).decode()}") for words, drawn in pictures
    ]
    path = folder / "mail.html"
    replace_text(path, _body(first, found, inside, without))
    attached = [(words, f"cid:chart-{number}@proofbook") for number, (words, _) in enumerate(pictures)]
    body = _body(first, found, attached, without)
    message = _message(first, run, body, [drawn for _, drawn in pictures])
    (folder / "mail.eml").write_bytes(message.as_bytes())
    return path, without


def _pictures(
    figures: Iterable[chart_fallbacks.Figure], *, most_bytes: int
) -> tuple[list[tuple[str, bytes]], list[str]]:
    """The charts that fit, each with its words, and the titles of those that do not or cannot be drawn."""
    pictures, without = [], []
    for figure in figures:
        try:
            drawn = chart_fallbacks.picture(figure)
        except ValueError:
            without.append(chart_fallbacks.title(figure))
            continue
        words = chart_fallbacks.in_words(figure)
        cost = len(drawn) * 4 // 3 + 2 * len(words) + 300
        if cost > most_bytes:
            without.append(chart_fallbacks.title(figure))
            continue
        most_bytes -= cost
        pictures.append((words, drawn))
    return pictures, without


def _message(first: Summary, run: RunRecord, html: str, pictures: Sequence[bytes]) -> EmailMessage:
    """The mail: the summary as text, and the page with its pictures attached."""
    message = EmailMessage()
    message["Subject"] = unseen.visible(
        f"{findings.MARKS[Verdict(first.verdict)]} {first.words} · {first.environment} · {first.case}"
    ).replace("\n", " ")
    message["X-Proofbook-Run"] = run.run_id
    message.set_content("\n".join(map(unseen.visible, first.lines())) + f"\n\nRun {run.run_id}\n")
    message.add_alternative(html, subtype="html")
    body = message.get_body(("html",))
    assert body is not None
    for number, drawn in enumerate(pictures):
        body.add_related(drawn, "image", "png", cid=f"<chart-{number}@proofbook>")
    return message


def _body(first: Summary, found: list[Finding], pictures: list[tuple[str, str]], without: list[str]) -> str:
    ordered = sorted(found, key=lambda item: item.verdict is Verdict.PASS)
    rows = "".join(
        f'<tr><td style="padding:.3em .8em .3em 0;vertical-align:top;white-space:nowrap;font-weight:600;color:{finding_html.COLOURS[item.verdict]}">{findings.MARKS[item.verdict]} {item.verdict.value}</td>'
        f'<td style="padding:.3em 0;border-bottom:1px solid #d1d9e0"><b>{finding_html.sentence(item.claim)}</b><br>{finding_html.escape(_short(item.statement))}</td></tr>'
        for item in ordered[:MOST_ROWS]
    )
    more = (
        f"<p>And {len(found) - MOST_ROWS} more findings, in the report.</p>" if len(found) > MOST_ROWS else ""
    )
    drawn = "".join(
        f'<p><img src="{address}" alt="{finding_html.escape(words)}" width="560" style="max-width:100%;height:auto"></p>'
        for words, address in pictures
    )
    left_out = (
        f"<p>In the report, not here: the charts {finding_html.escape(', '.join(without))}.</p>"
        if without
        else ""
    )
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{finding_html.escape(first.words)}</title></head><body style="{_STYLE}">{sections.summary_html(first, links=False)}'
        f'<h2 style="font-size:1.1em">Findings</h2><table role="presentation" style="border-collapse:collapse;font-size:.93em">{rows}</table>{more}{drawn}{left_out}</body></html>\n'
    )
    # Mail programs know no variables: colours are written out.
    return re.sub(r"var\(--[a-z-]+, (#[0-9a-f]{6})\)", r"\1", page)


def _figures(folder: Path) -> Iterator[chart_fallbacks.Figure]:
    for notebook in document.read_all(folder).values():
        yield from (figure for figure in notebook.outputs(chart_fallbacks.MIME) if figure.get("data"))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}…"
