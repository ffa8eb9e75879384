"""Controls of what probes see: unmarked probes, unknown paths, known addresses."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from proofbook.evidence.schema import HEALTH, SHADOW
from proofbook.judge.checks.access import refused_by_name
from proofbook.judge.checks.success_rate import MoreControls, Rows, rule_of
from proofbook.judge.findings import Control
from proofbook.judge.view import View
from proofbook.stats import plans

# How an address answers at which there is no page, or none for everybody: elsewhere, such as a login; refused; not found; not by this method.
# Try again later, RFC 6455's registry of close codes.
TRY_LATER = 1013
BY_CHANCE = 0.001
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


def probes_let_in(endpoint: str, ok: Rows) -> MoreControls:
    """The comparability control of "it fails": what refuses the probes does not let everybody else in.

    A firewall that stops whatever calls itself a probe is no fault that a user meets.
    """

    def control(view: View) -> Sequence[Control]:
        rows, others = view.need("websocket"), view.table(SHADOW)
        if others is None:
            return []
        rows, others = (found[found["endpoint"] == endpoint] for found in (rows, others))
        if others.empty or rows.empty:
            return []
        good, well = (pd.Series(ok(found)).fillna(False).astype(bool) for found in (rows, others))
        failed = rows[~good]
        if failed.empty:
            return []
        refused = failed["http_status"].between(400, 499).fillna(False) | refused_by_name(failed)
        # As many as that come in by chance once in a thousand runs where everybody fares as the probes do.
        by_chance = good.mean() ** len(well) if well.all() else 1.0
        held = not refused.all() or by_chance > BY_CHANCE
        return [
            Control(
                kind="comparability",
                name="probes that do not say what they are",
                guards=("fail",),
                expected="they fare no better",
                got=f"{int(well.sum())} of {len(well)} let in, and {len(failed)} of {len(rows)} refused of those that do",
                held=bool(held),
                code="" if held else "probes-refused",
            )
        ]

    return control


def room_for_all(where: Rows, ok: Rows, *, at_once: int) -> MoreControls:
    """The comparability control of "it fails": it is not that our own connections beside each other are more than it allows.

    Where each that failed was told so (1013), and others came in, a user who connects once need not meet it.
    """

    def control(view: View) -> Sequence[Control]:
        rows = view.need("websocket")
        rows = rows[where(rows)]
        good = pd.Series(ok(rows)).fillna(False).astype(bool)
        full = rows.loc[~good, "close_code"].eq(TRY_LATER).fillna(False).astype(bool)
        if not full.any():
            return []
        held = at_once == 1 or not full.all() or not good.any()
        return [
            Control(
                kind="comparability",
                name="connections that were turned away as too many (1013)",
                guards=("fail",),
                expected="not all that failed, or none beside another",
                got=f"{int(full.sum())} of {len(full)} that failed, up to {at_once} at once",
                held=bool(held),
                code="" if held else "too-many-at-once",
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
