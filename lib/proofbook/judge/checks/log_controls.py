"""Controls that checks of log patterns share, and what lines without a readable time say."""

from __future__ import annotations

import pandas as pd

from proofbook.config import duckdb_text
from proofbook.config.fixes import LogPattern
from proofbook.judge.checks.log_coverage import Coverage
from proofbook.judge.checks.log_unread import certainly_after
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Verdict
from proofbook.judge.view import View, stamp


def near_miss_control(signature: LogPattern) -> tuple[Control, ...]:
    """Negative: lines that look alike must not match; tried again here, not only when the case was loaded."""
    if not signature.near_misses:
        return ()
    hits = duckdb_text.found_in(signature.log or "", signature.near_misses)
    matched = [line for line, hit in zip(signature.near_misses, hits, strict=True) if hit]
    return (
        Control(
            kind="negative",
            name="near-misses do not match the pattern",
            guards=("pass", "fail"),
            expected="no match",
            got=f"{len(matched)} of {len(signature.near_misses)} matched",
            held=not matched,
        ),
    )


def after_fix_control(view: View, hits: pd.DataFrame) -> Control:
    """Comparability: without probes and without a deployment, a log is of no known side of the fix; nor are lines of anyone while the old revision still answers."""
    windows = view.windows
    of_anyone = windows.alongside and bool(hits["service_version"].isna().all())
    if of_anyone:
        got = "lines that name no revision, while the old one still answers elsewhere"
    elif windows.settled_at is not None:
        got = f"since {stamp(windows.settled_at)}"
    else:
        got = windows.new_revision or "neither"
    return Control(
        kind="comparability",
        name="the log is from after the fix",
        guards=("fail",),
        expected="lines that name a revision, or a time from which on only the new one wrote",
        got=got,
        held=not of_anyone and got != "neither",
        code="" if of_anyone else "no-deployment",
    )


def comparable_load(requests: tuple[int, int], covers: tuple[Coverage, Coverage]) -> Control:
    """Comparability: a tenth of the requests would show a tenth of the errors. `requests` and `covers` of before and after."""
    rates = [number / max(cover.window_s, 1e-9) for number, cover in zip(requests, covers, strict=True)]
    ratio = rates[1] / rates[0] if min(requests) > 0 else 1.0
    return Control(
        kind="comparability",
        name="comparable load",
        guards=("pass",),
        expected="at least 0.2 times the requests per second of before",
        got=f"{ratio:.2f} times" if min(requests) > 0 else "the log holds no requests of both",
        # More of them without an error is stronger evidence.
        held=ratio >= 0.2,
    )


def judge_unread_lines(
    view: View, found: pd.DataFrame, cover: Coverage, controls: tuple[Control, ...], *, refutes: bool = True
) -> Judgement:
    """The pattern stands in lines without a readable time: that refutes “gone” only where something says that they are from after."""
    placed = found[certainly_after(view, found)] if refutes else found.iloc[0:0]
    rows = found if placed.empty else placed
    number = int(rows["lines"].sum())
    sample = rows.sort_values("sample").iloc[0]["sample"].strip().rpartition("\n")[2][:160]
    holds = f"{number:,} line{'s hold' if number != 1 else ' holds'} it without a readable time, such as “{sample}”"
    if placed.empty:
        unsure = ", and nothing says whether they are from after the fix" if refutes else ""
        return Judgement(
            verdict=Verdict.INCONCLUSIVE,
            reason="log-unread",
            statement=f"{holds}{unsure}{cover.unread.aside}",
            controls=controls,
        )
    nobody = rows.assign(service_version=None)
    return Judgement(
        verdict=Verdict.FAIL,
        reason="still-there",
        statement=f"{holds}, after an entry of {stamp(placed['first'].min())}{cover.unread.aside}",
        estimate=Estimate(value=float(number), unit="lines"),
        method=Method(name="one occurrence on the fixed revision refutes “gone”; a line was written after the entry before it"),
        threshold="none",
        limits=True,
        exposure=Exposure(n=cover.unread.lines, unit="lines that were not read"),
        controls=(*controls, after_fix_control(view, nobody)),
    )  # fmt: skip
