"""Controls of what probes see: unmarked probes, unknown paths, known addresses."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from proofbook.evidence.schema import HEALTH, SHADOW
from proofbook.judge.checks.success_rate import MoreControls, Rows
from proofbook.judge.findings import Control
from proofbook.judge.view import View
from proofbook.stats import plans

# How an address answers at which there is no page, or none for everybody: elsewhere, such as a login; refused; not found.
NO_PAGE = (*range(300, 400), 401, 403, 404, 410)


def all_of(*controls: MoreControls) -> MoreControls:
    """The controls of several."""
    return lambda view: [item for each in controls for item in each(view)]


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
        unknown = set(_asked(view, service, kind="unknown-path")["status"].dropna())
        well_before = int(_asked(view, service, kind="health", phase="before")["ok"].sum())
        nowhere = len(answers) == 1 and answers == unknown and answers <= set(NO_PAGE)
        held = well_before > 0 or not nowhere
        return [
            Control(
                kind="positive",
                name="something at this address",
                guards=("fail",),
                expected="another answer than at a path that must not exist, or health before",
                got=f"{well_before:,} well before; now {'the same answer' if nowhere else 'another answer'}",
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
