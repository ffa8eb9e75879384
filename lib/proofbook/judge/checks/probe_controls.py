"""Controls of what probes see: unmarked probes, unknown paths, known addresses."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from proofbook.evidence import stand_ins
from proofbook.evidence.schema import HEALTH, SHADOW
from proofbook.judge import failure_summary
from proofbook.judge.checks.access import refused_by_name
from proofbook.judge.checks.success_rate import MoreControls, Rows, rule_of
from proofbook.judge.findings import Control
from proofbook.judge.view import View
from proofbook.protocol import TokenKind
from proofbook.stats import plans

# How an address answers at which there is no page, or none for everybody: elsewhere, such as a login; refused; not found; not by this method.
# Try again later, RFC 6455's registry of close codes.
TRY_LATER = 1013
BY_CHANCE = 0.001
MOST_QUOTED = 80
# A request that lacks something, or is meant for another host or protocol.
ASKED_WRONGLY = (400, 421, 426, 431, 505)
# 451 may be for those who ask from here alone; 511 is said by what stands between.
NO_PAGE = (*range(300, 400), 401, 403, 404, 405, 407, 410, 451, 511)


def all_of(*controls: MoreControls) -> MoreControls:
    """The controls of several."""
    return lambda view: [item for each in controls for item in view.once(each)]


_UNMARKED = {
    TokenKind.AS_A_USER: "probes without a mark and without headers that only tests send",
    TokenKind.AS_A_BROWSER: "as a browser, with its agent, its Origin and a cookie",
    TokenKind.UNCOMPRESSED: "as a client that offers no compression",
}


def shadow_control(endpoint: str, ok: Rows, *, target: float) -> MoreControls:
    """The comparability controls of what probes see: unmarked probes fare no worse, kind by kind.

    One does not hold where the failures of its kind would be seen in fewer than one of twenty services that keep the target.
    """

    def control(view: View) -> Sequence[Control]:
        rows = _unmarked(view, endpoint)
        # Evidence from before the fix, and older evidence, hold none.
        kinds = [kind for kind in _UNMARKED if rows["token_kind"].eq(kind).any()]
        well = {kind: _good(rows[rows["token_kind"] == kind], ok) for kind in kinds}
        found = []
        for kind, good in well.items():
            failures = int((~good).sum())
            held = not plans.too_many(
                failures=failures, count=len(good), target=target, alpha_fail=1 - view.confidence
            )
            others_come_in = any(good.any() for other, good in well.items() if other is not kind)
            agentless = kind is TokenKind.AS_A_USER and others_come_in and not held
            # Firewalls refuse who names no agent; every browser names one.
            by_rule = (
                agentless and rows[rows["token_kind"] == kind]["http_status"].isin(range(400, 500)).all()
            )
            told = f"{len(good) - failures} of {len(good)}"
            found.append(
                Control(
                    kind="comparability",
                    name=_UNMARKED[kind],
                    guards=("pass",),
                    expected="they fare no worse",
                    got=f"{told}, refused for naming no agent"
                    if by_rule
                    else f"{told}{_refusal(rows, kind, held)}",
                    held=held or bool(by_rule),
                    code="stranger-refused" if not held and kind is not TokenKind.AS_A_USER else "",
                )
            )
        return found

    return control


def _unmarked(view: View, endpoint: str) -> pd.DataFrame:
    rows = view.table(SHADOW)
    if rows is None:
        return pd.DataFrame(columns=["token_kind", "http_status"])
    return rows[rows["endpoint"] == endpoint]


def _good(rows: pd.DataFrame, ok: Rows) -> pd.Series:
    return pd.Series(ok(rows)).fillna(False).astype(bool)


def _refusal(rows: pd.DataFrame, kind: TokenKind, held: bool) -> str:
    """How those of a kind ended, where too many failed."""
    if held or kind is TokenKind.AS_A_USER:
        return ""
    return f", {failure_summary.in_words(rows[rows['token_kind'] == kind])}"


def probes_let_in(endpoint: str, ok: Rows) -> MoreControls:
    """The comparability control of "it fails": what refuses the probes does not let everybody else in.

    A firewall that stops whatever calls itself a probe is no fault that a user meets.
    """

    def control(view: View) -> Sequence[Control]:
        rows, others = view.need("websocket"), view.table(SHADOW)
        if others is None:
            return []
        rows, others = (found[found["endpoint"] == endpoint] for found in (rows, others))
        good, well = (pd.Series(ok(found)).fillna(False).astype(bool) for found in (rows, others))
        failed = rows[~good]
        if others.empty or failed.empty:
            return []
        refused = failed["http_status"].between(400, 499).fillna(False) | refused_by_name(failed)
        # The kind of unmarked probe of which most come in: a server may want what only a browser sends.
        kind, let_in = max(
            ((kind, well[others["token_kind"] == kind]) for kind in others["token_kind"].unique()),
            key=lambda item: (item[1].all(), len(item[1])),
        )
        # As many as that come in by chance once in a thousand runs where everybody fares as the probes do.
        by_chance = good.mean() ** len(let_in) if let_in.all() else 1.0
        # However it ends: where none of ours comes in and all of theirs do, it is for what we send.
        held = (good.any() and not refused.all()) or by_chance > BY_CHANCE
        who = "as a browser, " if kind == TokenKind.AS_A_BROWSER and not well.all() else ""
        how = "refused" if held or refused.all() else "not"
        return [
            Control(
                kind="comparability",
                name="probes that do not say what they are",
                guards=("fail",),
                expected="they fare no better",
                got=f"{who}{int(let_in.sum())} of {len(let_in)} let in, and {len(failed)} of {len(rows)} {how} of those that do",
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


def asked_for(view: View, service: str, *, kind: str, phase: str = "after") -> pd.DataFrame:
    """The requests of a kind to a service."""
    rows = view.table(HEALTH, phase)
    if rows is None:
        return pd.DataFrame(columns=["status", "ok"])
    return rows[(rows["service"] == service) & (rows["kind"] == kind)]


def unknown_path_control(service: str) -> MoreControls:
    """The negative control of health: a path that is not there must not be 200, or else not say what is expected of health."""

    def control(view: View) -> Sequence[Control]:
        rows = asked_for(view, service, kind="unknown-path")
        statuses = sorted({"no answer" if pd.isna(status) else str(status) for status in rows["status"]})
        other = rows["body_ok"].eq(False).fillna(False)
        passes = rows["status"].isin(range(200, 400)).fillna(False) & ~other
        held = len(rows) > 0 and not passes.any()
        said = ", with another content" if held and other.any() else ""
        return [
            Control(
                kind="negative",
                name="a path that must not exist",
                guards=("pass",),
                expected="not 200, or another content than is expected" if said else "not 200",
                got=f"{', '.join(statuses)}{said}" if statuses else "not tried",
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


# What explains that nothing answers, in words.
_TRANSPORT = {
    "untrusted": "an authority that is not known here has signed its certificate",
    "other-name": "its certificate is for another name",
    "client-certificate": "it asks for a certificate of the client",
    "http/2": "it speaks HTTP/2 only",
    "no-http": "what it says is no HTTP",
    "tls": "its port speaks TLS",
    "no-tls": "its port does not speak TLS",
}


def _about_transport(cause: str) -> str:
    """The reason that says what to do about it."""
    if cause == "untrusted":
        return "no-trust"
    if cause == "other-name":
        return "other-name"
    return "client-certificate" if cause == "client-certificate" else "other-protocol"


def transport_known(service: str) -> MoreControls:
    """The positive control of "it does not answer": it is not that we speak to it in another way than its users do.

    Left out where the evidence shows none of these; and where it was well before, another way than before is a fault.
    """

    def control(view: View) -> Sequence[Control]:
        rows = asked_for(view, service, kind="health")
        causes = set(rows["cause"]) & set(_TRANSPORT) if "cause" in rows else set()
        if not causes:
            return []
        was_well = bool(asked_for(view, service, kind="health", phase="before")["ok"].any())
        cause = min(causes)
        return [
            Control(
                kind="positive",
                name="how the service is spoken to",
                guards=("fail",),
                expected="as its users speak to it",
                got=_TRANSPORT[cause],
                held=was_well,
                code="" if was_well else _about_transport(cause),
            )
        ]

    return control


def whole_word(service: str) -> MoreControls:
    """The comparability controls of health where no expectation is stated: the page calls itself nothing but well.

    A word between well and ill is one; so is one of which nobody here knows whether it means that it is well.
    """

    def control(view: View) -> Sequence[Control]:
        rows = asked_for(view, service, kind="health")
        if "says" not in rows:
            # Older evidence holds none.
            return []
        half = _word_control(
            rows[rows["says"].eq("half-well").fillna(False)],
            count=len(rows),
            code="half-well",
            name="the health page's own word",
            expected="never one between well and ill, such as degraded",
        )
        unknown = _word_control(
            rows[rows["says"].eq("unknown").fillna(False)],
            count=len(rows),
            code="unknown-word",
            name="what the health page's own word means",
            expected="known",
        )
        # The first was always asked; of the second there is nothing to say where it holds.
        return [half] if unknown.held else [half, unknown]

    return control


def _word_control(such: pd.DataFrame, *, count: int, code: str, name: str, expected: str) -> Control:
    """Whether no page says a word of that sort; the first that does is quoted."""
    body = str(such["body"].iloc[0]) if len(such) else ""
    body = stand_ins.metrics_in(body) or " ".join(body.split())[:MOST_QUOTED]
    quoted = f": {body}" if body and not body.startswith("<") else ""
    return Control(
        kind="comparability",
        name=name,
        guards=("pass",),
        expected=expected,
        got=f"{len(such):,} of {count:,}{quoted}",
        held=such.empty,
        code="" if such.empty else code,
    )


def fresh_answers(service: str) -> MoreControls:
    """The comparability control of health: answers are the service's own and of now, neither copies that a cache keeps nor pages made long before."""

    def control(view: View) -> Sequence[Control]:
        rows = asked_for(view, service, kind="health")
        if "age_s" not in rows:
            # Older evidence holds none.
            return []
        ages = rows["age_s"].dropna()
        named = (
            rows.loc[rows["stored"].fillna("").ne(""), "stored"] if "stored" in rows else rows["age_s"][:0]
        )
        copies = rows.loc[ages.index.union(named.index)]
        oldest = f", up to {ages.max():,.0f} s old" if len(ages) else ""
        oldest += f", by {named.iloc[0]}" if len(named) else ""
        return [
            Control(
                kind="comparability",
                name="answers of another time: kept by a cache, or dated by the page itself",
                guards=("pass",),
                expected="none",
                got=f"{len(copies):,} of {len(rows):,}{oldest}",
                held=copies.empty,
                code="" if copies.empty else "stale-copy",
            )
        ]

    return control
