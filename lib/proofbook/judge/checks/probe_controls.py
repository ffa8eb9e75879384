"""Controls of what probes see: unmarked probes, unknown paths, known addresses."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from proofbook.evidence.schema import HEALTH, SHADOW
from proofbook.judge.checks.success_rate import MoreControls, Rows, rule_of
from proofbook.judge.findings import Control
from proofbook.judge.view import View
from proofbook.stats import plans

# How an address answers at which there is no page, or none for everybody: elsewhere, such as a login; refused; not found; not by this method.
NO_PAGE = (*range(300, 400), 401, 403, 404, 405, 407, 410)


def all_of(*controls: MoreControls) -> MoreControls:
    """The controls of several."""
    return lambda view: [item for each in controls for item in view.once(each)]


def shadow_control(endpoint: str, ok: Rows, *, target: float) -> MoreControls:
    """The comparability control of what probes see: probes that do not say what they are fare no worse.

    It does not hold where their failures would be seen in fewer than one of twenty services that keep the target.
    """

    def control(view: View) -> Sequence[Control]:
        rows = view.table(SHADOW)
        rows = None if rows is None else rows[rows["endpoint"] == endpoint]
        if rows is None or rows.empty:
            # Evidence from before the fix, and older evidence, hold none.
            return []
        good = pd.Series(ok(rows)).fillna(False).astype(bool)
        failures = int((~good).sum())
        return [
            Control(
                kind="comparability",
                name="probes without a mark and without headers that only tests send",
                guards=("pass",),
                expected="they fare no worse",
                got=f"{len(good) - failures} of {len(good)}",
                held=not plans.too_many(
                    failures=failures, count=len(good), target=target, alpha_fail=1 - view.confidence
                ),
            )
        ]

    return control


def health_path_known(service: str) -> MoreControls:
    """The positive control of "it is not healthy": something answered there once.

    Without it, who asks for a page that is not there, or not for everybody, may have the wrong address. What that does not
    explain (silence, 5xx, a page that says something else) needs no such control.
    """

    def control(view: View) -> Sequence[Control]:
        answers = set(_asked(view, service, kind="health")["status"])
        well_before = int(_asked(view, service, kind="health", phase="before")["ok"].sum())
        nowhere = bool(answers) and answers <= set(NO_PAGE)
        held = well_before > 0 or not nowhere
        return [
            Control(
                kind="positive",
                name="something at this address",
                guards=("fail",),
                expected="a page, or health before",
                got=f"{well_before:,} well before; now {'no page for us' if nowhere else 'an answer of its own'}",
                held=held,
                code="" if held else "no-endpoint",
            )
        ]

    return control


def _asked(view: View, service: str, *, kind: str, phase: str = "after") -> pd.DataFrame:
    rows = view.table(HEALTH, phase)
    if rows is None:
        return pd.DataFrame(columns=["status", "ok"])
    return rows[(rows["service"] == service) & (rows["kind"] == kind)]


def unknown_path_control(service: str) -> MoreControls:
    """The negative control of health: a path that is not there must not be 200."""

    def control(view: View) -> Sequence[Control]:
        rows = _asked(view, service, kind="unknown-path")
        statuses = sorted({"no answer" if pd.isna(status) else str(status) for status in rows["status"]})
        held = len(rows) > 0 and not rows["status"].isin(range(200, 400)).fillna(False).any()
        return [
            Control(
                kind="negative",
                name="a path that must not exist",
                guards=("pass",),
                expected="not 200",
                got=", ".join(statuses) or "not tried",
                held=bool(held),
            )
        ]

    return control


def normal_end_known(where: Rows, ok: Rows, ended: Rows, *, target: float) -> MoreControls:
    """The comparability control of connections that the server ends first, with a clean code that nobody called normal.

    Such an end is no failure and no success: a server may say goodbye, or its handler may return too early. It holds where
    the claim would pass also if each of them were a failure.
    """

    def control(view: View) -> Sequence[Control]:
        rows = view.need("websocket")
        rows = rows[where(rows)]
        early = pd.Series(ended(rows)).fillna(False).astype(bool)
        failures = int((early | ~pd.Series(ok(rows)).fillna(False).astype(bool)).sum())
        rule = rule_of(view, target=target, planned=True)
        return [
            Control(
                kind="comparability",
                name="connections that the server ended before the probe did, with 1000 or 1001",
                guards=("pass",),
                expected="none, or their codes in normal_close_codes of the environment",
                got=f"{int(early.sum()):,} of {len(rows):,}",
                held=(held := not early.any() or rule.passed(failures, len(rows))),
                code="" if held else "end-unstated",
            )
        ]

    return control


def whole_word(service: str) -> MoreControls:
    """The comparability control of health where no expectation is stated: the page does not call itself neither well nor ill."""

    def control(view: View) -> Sequence[Control]:
        rows = _asked(view, service, kind="health")
        if "says" not in rows:
            # Older evidence holds none.
            return []
        half = int(rows["says"].eq("half-well").fillna(False).sum())
        return [
            Control(
                kind="comparability",
                name="the health page's own word",
                guards=("pass",),
                expected="never one between well and ill, such as degraded",
                got=f"{half:,} of {len(rows):,}",
                held=half == 0,
                code="" if half == 0 else "half-well",
            )
        ]

    return control


def fresh_answers(service: str) -> MoreControls:
    """The comparability control of health: answers are the service's own, and no copies that a cache keeps of what it once said."""

    def control(view: View) -> Sequence[Control]:
        rows = _asked(view, service, kind="health")
        if "age_s" not in rows:
            # Older evidence holds none.
            return []
        copies = rows["age_s"].dropna()
        oldest = f", up to {copies.max():,.0f} s old" if len(copies) else ""
        return [
            Control(
                kind="comparability",
                name="answers that a cache gave in place of the service",
                guards=("pass",),
                expected="none",
                got=f"{len(copies):,} of {len(rows):,}{oldest}",
                held=copies.empty,
                code="" if copies.empty else "stale-copy",
            )
        ]

    return control
