"""`outputs/index.html`: the runs of each environment and case, newest first, with how their verdicts went."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from proofbook import paths
from proofbook.concurrency import locks
from proofbook.errors import Locked
from proofbook.files import replace_text
from proofbook.judge import findings
from proofbook.judge.findings import Verdict
from proofbook.report import finding_html, templating
from proofbook.runs import history
from proofbook.runs.folders import file_mode
from proofbook.runs.history import Entry

logger = logging.getLogger(__name__)
# A row of marks and a line: as many runs as fit a phone.
RECENT = 30


PAGE = "index.html"


# How long the end of a run waits for another process that writes the index.
PATIENCE_S = 60.0


def refresh(*, base: Path) -> list[Entry]:
    """Every run, oldest first; writes the index of runs and the page that shows it.

    Raises:
        Locked: another process has been writing the index for long. OSError: it cannot be written.
    """
    outputs = paths.outputs(base)
    if not outputs.is_dir():
        return []
    # Read again while nobody else writes: whoever came last has seen all.
    with locks.held(outputs, patience_s=PATIENCE_S):
        entries = history.entries(base=base)
        history.write_index(entries, base=base)
        replace_text(outputs / PAGE, render(entries), mode=file_mode())
    return entries


def read(*, base: Path) -> list[Entry]:
    """Every run, oldest first; writes index and page where that can be: who may only read sees the runs all the same."""
    try:
        return refresh(base=base)
    except (OSError, Locked) as error:
        logger.warning("the index of runs was not written: %s", error)
        return history.entries(base=base)


def render(entries: Sequence[Entry]) -> str:
    """The page, from entries oldest first."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.environment, entry.case), []).append(entry)
    return templating.render(
        "index.html.j2",
        script="index.js",
        groups=[_group(name, group) for name, group in sorted(groups.items())],
        count=len(entries),
        verdicts=[
            (verdict.value, findings.MARKS[verdict])
            for verdict in (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)
        ],
    )


def _group(name: tuple[str, str], entries: Sequence[Entry]) -> dict[str, object]:
    recent = entries[-RECENT:]
    return {
        "environment": name[0],
        "case": name[1] or "no case",
        "marks": [
            {"verdict": entry.verdict, "sign": _sign(entry), "what": f"{entry.run_id}: {entry.verdict}: {entry.sentence}", "address": _address(entry)}
            for entry in recent
        ],
        "line": _line([_share(entry) for entry in recent]),
        "runs": [
            {
                "entry": entry,
                "sign": _sign(entry),
                "address": _address(entry),
                "sentence": finding_html.visible(entry.sentence),
                "time": finding_html.time(entry.started) if entry.started else "",
                "passing": f"{entry.counts.get('pass', 0)} of {sum(entry.counts.values())}" if entry.counts else "",
            }
            for entry in reversed(entries)
        ],
    }  # fmt: skip


def _sign(entry: Entry) -> str:
    return findings.MARKS[Verdict(entry.verdict)]


def _address(entry: Entry) -> str:
    return f"{quote(entry.environment)}/{quote(entry.run_id)}/report.html" if entry.has_report else ""


def _share(entry: Entry) -> float | None:
    """The share of findings that pass."""
    count = sum(entry.counts.values())
    return entry.counts.get("pass", 0) / count if count else None


def _line(shares: Sequence[float | None]) -> dict[str, str] | None:
    """A line of shares over runs, as points of an SVG of 120 by 24."""
    known = [(n, share) for n, share in enumerate(shares) if share is not None]
    if len(known) < 2:
        return None
    step = 116 / max(1, len(shares) - 1)
    return {
        "points": " ".join(f"{2 + n * step:.1f},{22 - 20 * share:.1f}" for n, share in known),
        "words": f"Share of findings that pass, {len(known)} runs: {known[0][1]:.0%} to {known[-1][1]:.0%}",
    }
