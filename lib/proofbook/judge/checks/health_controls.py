"""Controls of health: the page is of now, and unmarked probes are answered as others are."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from proofbook.config.services import Service
from proofbook.evidence.page_times import means_now
from proofbook.evidence.schema import HEALTH, LATENCY
from proofbook.judge import failure_summary
from proofbook.judge.checks.success_rate import MoreControls
from proofbook.judge.findings import Control
from proofbook.judge.view import View, stamp
from proofbook.protocol import UNMARKED_PAGE_KINDS
from proofbook.stats import plans

# After so many that are well nothing of the beginning is left.
_LEAST_SINCE, _NEARLY = 20, 0.9
# Of so many answers the first and the last quarter are compared.
_QUARTERS = 4
# Of paths that a page for health has, and how an answer ends that was not over.
_OF_HEALTH = re.compile(r"health|live|ready|alive|status|ping|heartbeat|check|^/?$", re.IGNORECASE)
_NOT_OVER = r"no answer within|not over within"


def no_long_answer(item: Service) -> MoreControls:
    """The positive control of "it is not healthy" of a page that begins to answer at best: it is none that waits for news by design.

    Long polls and streams look so. A page that is named as one of health is must answer, and so must one that once did.
    """

    def control(view: View) -> Sequence[Control]:
        rows = view.table(HEALTH)
        if rows is None or _OF_HEALTH.search(item.health):
            return []
        rows = rows[rows["service"] == item.name]
        page, others = rows[rows["kind"] == "health"], rows[rows["kind"] == "unknown-path"]
        waits = page["error"].astype(str).str.contains(_NOT_OVER).all() and len(page) > 0
        if not waits or not others["status"].notna().any() or _was_well(view, item.name):
            return []
        return [
            Control(
                kind="positive",
                name="that the page is one of health",
                guards=("fail",),
                expected="an answer of its own, now or before",
                got=f"none that was over in time, and {int(others['status'].notna().sum())} of {len(others)} at a path that must not exist",
                held=False,
                code="long-answer",
            )
        ]

    return control


def _was_well(view: View, service: str) -> bool:
    before = view.table(HEALTH, "before")
    return before is not None and bool(before.loc[before["service"] == service, "ok"].any())


def written_now(service: str, *, most_s: float) -> MoreControls:
    """The comparability control of health: by the time that it names as its own, the page was not written long ago.

    A time that goes on between answers is that of a clock, whatever it shows. One that stands still counts where its name says
    that it is the time of the page, or where it went on before.
    """

    def control(view: View) -> Sequence[Control]:
        rows = _dated(view, service)
        if rows.empty:
            return []
        named = rows["dated_in"].map(means_now).astype(bool)
        if not named.any() and not _goes_on(rows):
            return []
        told = rows[named] if named.any() else rows
        old = told[told["dated_age_s"] > most_s]
        held = old.empty or _goes_on(old)
        got = f"{len(rows):,} answers, none of them too old"
        if not held:
            worst = old.sort_values("dated_age_s").iloc[-1]
            got = f"{worst['dated_in']} is {stamp(worst['dated'].floor('s'))}, {worst['dated_age_s']:,.0f} s before the answer, in {len(old):,} of {len(rows):,}"
        return [
            Control(
                kind="comparability",
                name="the time that the health page names as its own",
                guards=("pass",),
                expected=f"at most {most_s:g} s before the answer, or going on",
                got=got,
                held=bool(held),
                code="" if held else "stale-page",
            )
        ]

    return control


def _dated(view: View, service: str) -> pd.DataFrame:
    """The answers that name a time as their own, in order; older evidence holds none."""
    rows = view.table(HEALTH)
    if rows is None or "dated_age_s" not in rows:
        return pd.DataFrame()
    rows = rows[(rows["service"] == service) & (rows["kind"] == "health") & rows["dated_age_s"].notna()]
    return rows.sort_values("timestamp", kind="stable")


def _goes_on(rows: pd.DataFrame) -> bool:
    """Whether the time went on from the first answers to the last; instances that each stand still take turns, and do not."""
    each = max(1, len(rows) // _QUARTERS)
    first, last = rows["dated"].iloc[:each], rows["dated"].iloc[-each:]
    never_back = first.min() <= last.min() and first.max() <= last.max()
    return bool(never_back and (first.min() < last.min() or first.max() < last.max()))


def unmarked_answered(item: Service, *, target: float) -> MoreControls:
    """The comparability controls of health: who does not say that it is a probe is answered as probes are, page by page.

    One does not hold where so many of a kind are refused as would be seen in fewer than one of twenty services that keep the target.
    """

    def control(view: View) -> Sequence[Control]:
        return [
            _unmarked_answered(view, item, path, kind, target=target, well=well)
            for path in (item.health, *item.timed)
            # Where nobody is answered, it is no matter of who asks.
            if (well := _statuses(view, item, path))
            for kind in UNMARKED_PAGE_KINDS
            if not _asked_by(view, item, path, kind).empty
        ]

    return control


def _unmarked_answered(
    view: View, item: Service, path: str, kind: str, *, target: float, well: set[int]
) -> Control:
    rows = _asked_by(view, item, path, kind)
    refused = rows[~_let_in(rows, well)]
    held = not plans.too_many(
        failures=len(refused), count=len(rows), target=target, alpha_fail=1 - view.confidence
    )
    # Firewalls refuse who names no agent; every browser names one.
    others = _asked_by(view, item, path, "as a browser")
    by_rule = (
        not held
        and kind == "as a user"
        and bool(_let_in(others, well).any())
        and bool(refused["status"].between(400, 499).fillna(False).all())
    )
    told = "refused for naming no agent" if by_rule else failure_summary.in_words(refused)
    return Control(
        kind="comparability",
        name=f"{path} {'with no header of ours' if kind == 'as a user' else kind}",
        guards=("pass",),
        expected="answered as probes are",
        got=f"{len(rows) - len(refused)} of {len(rows)}{f', {told}' if told else ''}",
        held=held or by_rule,
        code="" if held or by_rule else "stranger-refused",
    )


def probes_answered(item: Service) -> MoreControls:
    """The comparability control of "it is not healthy": what refuses the probes does not answer everybody else.

    A firewall that stops whatever calls itself a probe is no fault that a user meets.
    """

    def control(view: View) -> Sequence[Control]:
        own = _asked_by(view, item, item.health, "health")
        refused = own[~own["ok"].astype(bool)] if len(own) else own
        others = _asked_by(view, item, item.health, "as a browser")
        if refused.empty or others.empty:
            return []
        by_name = bool(refused["status"].between(400, 499).fillna(False).all()) and len(refused) == len(own)
        held = not (by_name and bool(others["ok"].all()))
        return [
            Control(
                kind="comparability",
                name="requests that do not say what they are",
                guards=("fail",),
                expected="they fare no better",
                got=f"as a browser, {int(others['ok'].sum())} of {len(others)} answered as healthy, and {len(refused)} of {len(own)} refused of those that do",
                held=held,
                code="" if held else "probes-refused",
            )
        ]

    return control


def had_started(item: Service) -> MoreControls:
    """The comparability control of "it is not healthy": it was not just starting, as its page said, and well from then on."""

    def control(view: View) -> Sequence[Control]:
        rows = _asked_by(view, item, item.health, "health")
        if "says" not in rows or rows.empty:
            return []
        rows = rows.sort_values("timestamp", kind="stable")
        ok = rows["ok"].astype(bool)
        failed = rows[~ok]
        well_since = int(ok[::-1].cummin().sum())
        if (
            failed.empty
            or not failed["says"].eq("half-well").all()
            or well_since < max(_LEAST_SINCE, len(ok) // 2)
        ):
            return []
        # What was under way together may be answered in another order.
        if int((~ok).sum()) + well_since < _NEARLY * len(ok):
            return []
        return [
            Control(
                kind="comparability",
                name="a page that said that the service was not ready yet",
                guards=("fail",),
                expected="none, or also after it was well",
                got=f"{len(failed):,} of {len(rows):,}, then {well_since:,} well, one after the other",
                held=False,
                code="was-starting",
            )
        ]

    return control


def not_challenged(item: Service) -> MoreControls:
    """The comparability control of health: nobody between answers with a page that wants to know whether a person asks.

    Where all that failed was answered so, it says nothing of the service.
    """

    def control(view: View) -> Sequence[Control]:
        rows = _asked_by(view, item, item.health, "health")
        if "says" not in rows:
            return []
        challenged = rows["says"].eq("challenge").fillna(False).astype(bool)
        if not challenged.any():
            return []
        explains = bool(challenged[~rows["ok"].astype(bool)].all())
        return [
            Control(
                kind="comparability",
                name="answers that want to know whether a person asks",
                guards=("pass", "fail") if explains else ("pass",),
                expected="none",
                got=f"{int(challenged.sum()):,} of {len(rows):,}",
                held=False,
                code="challenged",
            )
        ]

    return control


def _asked_by(view: View, item: Service, path: str, kind: str) -> pd.DataFrame:
    """The requests of a kind for a path; older evidence holds none of unmarked probes."""
    rows = view.table(HEALTH)
    if rows is None or "path" not in rows:
        return pd.DataFrame(columns=["status", "ok"])
    return rows[(rows["service"] == item.name) & (rows["kind"] == kind) & (rows["path"] == path)]


def _statuses(view: View, item: Service, path: str) -> set[int]:
    """With which statuses our own requests for a path were answered well."""
    rows = _asked_by(view, item, path, "health")
    if path != item.health:
        timed = view.table(LATENCY)
        if timed is None:
            return set()
        rows = timed[(timed["service"] == item.name) & (timed["path"] == path)]
    return {int(status) for status in rows.loc[rows["ok"].astype(bool), "status"].dropna().unique()}


def _let_in(rows: pd.DataFrame, well: set[int]) -> pd.Series:
    return rows["status"].isin(well | set(range(200, 400))).fillna(False).astype(bool)
