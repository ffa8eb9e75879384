"""What a deployment changed in the log, without anyone having named it: messages and exceptions that are new, gone, more or less."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from proofbook.evidence.log_tables import ERROR_LINE, LOG_KIND_TIMES, LOG_KINDS
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks import log_changes
from proofbook.judge.checks.log_changes import ERROR, Counted, title
from proofbook.judge.checks.log_controls import comparable_load
from proofbook.judge.checks.log_coverage import coverage_of
from proofbook.judge.checks.log_rows import (
    on_new_revision,
    others_in,
    others_of_new,
    rows_in,
    served,
    without_probes,
)
from proofbook.judge.checks.log_strangers import why_strange
from proofbook.judge.checks.log_unread import Unread, lines_in
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Needed, Verdict
from proofbook.judge.log_text import templates, tracebacks
from proofbook.judge.view import InsufficientEvidence, View

# What takes the place of something is about as frequent.
ALIKE = (0.2, 5.0)
OF_USERS = "a look at who sends such requests; if they are users, a log that names the trace and the client of each request"


def changes(view: View, *, source: str | None = None) -> pd.DataFrame:
    """Every kind of message and exception, what became of it, the most telling first.

    Returns:
        change (new, gone, more, less, same, unsure), kind, severity, what (a template, or an exception with its place),
        before, after (entries), ratio (of rates per request, else per second in which anything was written), p (Holm), first, last, revisions, sample.
    Raises:
        InsufficientEvidence: no log was recorded.
    """
    return view.once(_changes, source)


def _changes(view: View, source: str | None) -> pd.DataFrame:
    keys = view.once(_keys)
    counted = {which: _count(view, which, source) for which in ("before", "after")}
    about = keys.drop_duplicates("key").set_index("key")[["kind", "what", "sample"]]
    about["severity_number"] = keys.groupby("key")["severity_number"].max()
    return log_changes.compare(counted["before"], counted["after"], about, alpha=1 - view.confidence)


def kinds(view: View) -> pd.DataFrame:
    """What stands in the log after, exceptions and errors first: kind, severity, what, entries, first, last, sample."""
    keys = view.once(_keys)
    counted = _count(view, "after", None).table
    about = keys.drop_duplicates("key").set_index("key")
    number = keys.groupby("key")["severity_number"].max()
    rows = counted.join(about[["kind", "what", "sample"]]).join(number)
    rows["severity"] = [title(value) for value in rows["severity_number"]]
    weight = np.where(rows["kind"] == "exception", 0, np.where(rows["severity_number"] >= ERROR, 1, 2))
    ranked = (
        rows.assign(_weight=weight)
        .reset_index()
        .sort_values(["_weight", "entries", "key"], ascending=[True, False, True])
    )
    return ranked[["kind", "severity", "what", "entries", "first", "last", "sample"]].reset_index(drop=True)


def times(view: View) -> pd.DataFrame:
    """When each kind was written, in both windows: rows of `log_kind_times` with the `key` of `changes`."""
    return pd.concat([view.once(_times, which, None) for which in ("before", "after")], ignore_index=True)


def no_new_errors(source: str | None) -> Recipe:
    """A recipe for "no kind of error or exception is new since the deployment", found without being named."""
    it = _NoNewErrors(source=source)
    return Recipe(
        judge=it.judge,
        mutants=(Mutant(name="a new exception every second", change=_raised),),
        compares=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _NoNewErrors:
    """Kinds of error in one log that were not there before."""

    source: str | None

    def judge(self, view: View) -> Judgement:
        table = changes(view, source=self.source)
        errors = table[(table["before"] == 0) & (table["after"] > 0) & is_error(table)]
        certain = errors[errors["p"] < view.alpha_fail]
        why = strange(view, certain)
        tied = certain[why == ""]
        controls, unread = self._controls(view)
        verdict = Verdict.FAIL if len(tied) else Verdict.INCONCLUSIVE if len(errors) else Verdict.PASS
        loose = verdict is Verdict.INCONCLUSIVE and len(certain) > 0
        worst = (tied if len(tied) else certain if loose else errors).head(1)
        unsure = f", but {why.iloc[0]}" if loose else ", too seldom to be sure that it is new"
        kinds = len(table[table["after"] > 0])
        if kinds == 0:
            raise InsufficientEvidence(
                "no-evidence",
                "the log after holds no message at all",
                repair="a log with messages, not requests alone",
            )
        statement = (
            f"{len(errors)} new: {worst['what'].iloc[0]} ({int(worst['after'].iloc[0]):,} times after, never before)"
            if len(errors)
            else f"none among {kinds:,} kinds of message written after"
        )
        return Judgement(
            verdict=verdict,
            reason="not-tied" if loose else {Verdict.FAIL: "new-error", Verdict.INCONCLUSIVE: "too-early"}.get(verdict, ""),
            statement=statement + (unsure if verdict is Verdict.INCONCLUSIVE else "") + unread.aside,
            estimate=Estimate(value=float(len(errors)), unit="new kinds of error"),
            method=Method(
                name="exact conditional test on each kind's rate, bursts of one second counted by their mean size, Holm over all kinds",
                side="two-sided",
                null_hypothesis="its rate is what it was before",
                source="Przyborowski and Wilenski 1940; Holm 1979",
            ),
            threshold="none",
            limits=True,
            exposure=Exposure(n=int(table["after"].sum()), unit="entries"),
            controls=tuple(controls),
            not_established=("errors that are logged below ERROR and raise nothing",),
            needed=Needed(what=OF_USERS if loose else "a longer log of both, before and after") if verdict is Verdict.INCONCLUSIVE else None,
        )  # fmt: skip

    def _controls(self, view: View) -> tuple[list[Control], Unread]:
        """What the log before and after must be like, and the lines of after that were not read."""
        covers = [(which, coverage_of(view, self.source, which)) for which in ("before", "after")]
        controls = [cover.control(f"the log {which}", guards=("pass", "fail") if which == "before" else ("pass",)) for which, cover in covers]  # fmt: skip
        before, after = others_in(view, "before", source=self.source), others_of_new(view, source=self.source)
        requests = served(before), served(after)
        controls.append(comparable_load(requests, (covers[0][1], covers[1][1])))
        unread, odd = covers[1][1].unread, lines_in(view, "after", ERROR_LINE, source=self.source)
        controls += unread.control(harmless=odd is not None and odd.empty)
        return controls, unread


def exceptions(view: View, *, source: str | None = None) -> pd.DataFrame:
    """Groups of exceptions by fingerprint: type, message, where, cycle, causes, language, before, after, first, last, revisions, sample."""
    table = changes(view, source=source)
    rows = []
    for row in table[table["kind"] == "exception"].itertuples():
        found = tracebacks.parse(str(row.sample))
        if found is None:
            continue
        raised = found.raised
        rows.append(
            {
                "type": raised.type,
                "message": raised.message[:200],
                "where": str(raised.where or ""),
                "recursion": " → ".join(map(str, raised.cycle)),
                "caused by": " ← ".join(item.type for item in reversed(found.chain[:-1])),
                "language": found.language,
                "before": row.before,
                "after": row.after,
                "change": row.change,
                "first": row.first,
                "last": row.last,
                "revisions": row.revisions,
                "fingerprint": found.fingerprint,
                "sample": row.sample,
            }
        )
    return pd.DataFrame(rows)


def is_error(table: pd.DataFrame) -> pd.Series:
    """Rows of `changes` that are exceptions or messages of at least ERROR."""
    return (table["kind"] == "exception") | (table["severity"].isin(["ERROR", "CRITICAL"]))


def strange(view: View, table: pd.DataFrame) -> pd.Series:
    """For each row of `changes` why no user's request ties it to what was deployed, in words; empty where one may."""
    keys = view.once(_keys)
    return pd.Series(why_strange(view, table, keys[keys["phase"] == "after"]), index=table.index, dtype="str")


def shares_traced(view: View, table: pd.DataFrame) -> pd.Series:
    """For each row of `changes` the share of its entries that name a trace; missing where the evidence does not tell."""
    keys = view.once(_keys)
    if "traced" not in keys:
        return pd.Series(float("nan"), index=table.index)
    # What one of two phases does not tell is not told.
    told = keys.assign(traced=keys["traced"].astype("float64"))
    sums = told.groupby("key")[["traced", "entries"]].sum(min_count=1)
    untold = told["traced"].isna().groupby(told["key"]).any()
    return (
        (sums["traced"] / sums["entries"])
        .mask(untold)
        .reindex(table["key"])
        .set_axis(table.index)
        .astype("float64")
    )


def new_and_about(table: pd.DataFrame, *, expected: float) -> str:
    """The row of `changes` that is new, a warning at least, and about as frequent as `expected`, in words; empty where there is none."""
    loud = is_error(table) | (table["severity"] == "WARNING")
    most = max(ALIKE[1] * expected, 1)
    new = table[loud & (table["change"] == "new") & table["after"].between(ALIKE[0] * expected, most)]
    if new.empty:
        return ""
    row = new.sort_values(["after", "what"], ascending=[False, True]).iloc[0]
    return f"{row['severity'] or 'message'} “{str(row['what'])[:120]}”, {int(row['after']):,} times after and never before"


def _keys(view: View) -> pd.DataFrame:
    """Every kind of both phases with its key: a fingerprint, or a template that both phases share."""
    recorded = {phase: view.table(LOG_KINDS, phase) for phase in ("before", "after")}
    tables = [table.assign(phase=phase) for phase, table in recorded.items() if table is not None]
    if not tables:
        raise InsufficientEvidence(
            "no-evidence", "no log was recorded", repair="record it: proofbook collect ENV --phase after"
        )
    kinds = pd.concat(tables, ignore_index=True)
    held = kinds["kind"] == "exception"
    found = {text: tracebacks.parse(text) for text in kinds.loc[held, "sample"].unique()}
    # What only looked like a traceback from afar is a message.
    is_message = [
        not looked or (found[sample] is None and not tracebacks.is_cut(sample))
        for looked, sample in zip(held, kinds["sample"], strict=True)
    ]
    kinds["kind"] = ["message" if said else "exception" for said in is_message]
    shared = templates.merge(kinds.loc[is_message, "text"].unique())

    def key(kind: str, text: str, sample: str, severity: float) -> tuple[str, str]:
        if kind == "message":
            template = shared[text]
            # An error that was a remark before is new.
            return f"message {title(severity)} {template}", template
        parsed = found[sample]
        if parsed is None:
            return f"exception {text}", str(sample)[:160]
        return f"exception {parsed.fingerprint}", parsed.raised.told

    pairs = [
        key(*row)
        for row in zip(kinds["kind"], kinds["text"], kinds["sample"], kinds["severity_number"], strict=True)
    ]
    return kinds.assign(key=[pair[0] for pair in pairs], what=[pair[1] for pair in pairs])


def _count(view: View, which: str, source: str | None) -> Counted:
    """Entries per key in a window, our own probes and other revisions left out, with its requests and the buckets in which anything was written."""
    rhythm = others_of_new(view, source=source) if which == "after" else others_in(view, which, source=source)
    rows = view.once(_times, which, source)
    bursts = rows.groupby(["key", "bucket"])["entries"].sum().pow(2).groupby("key").sum()
    table = rows.groupby("key").agg(entries=("entries", "sum"), first=("first", "min"), last=("last", "max"))
    table["squares"] = bursts
    named = (
        rows[["key", "service_version"]]
        .drop_duplicates()
        .dropna()
        .astype("str")
        .sort_values(["key", "service_version"])
    )
    table["revisions"] = (
        named[named["service_version"] != ""].groupby("key")["service_version"].agg(", ".join)
    )
    table["revisions"] = table["revisions"].astype("object").fillna("")
    return Counted(
        table=table, requests=int(rhythm["requests"].sum()), buckets=int(rhythm["bucket"].nunique())
    )


def _times(view: View, which: str, source: str | None) -> pd.DataFrame:
    keys = view.once(_keys)
    rows = without_probes(rows_in(view, "log_kind_times", which, source=source))
    if which == "after":
        rows = on_new_revision(view, rows, others_in(view, which, source=source))
    recorded_before = view.recorded("log_kinds", "before") is not None
    phase = "before" if (which == "before" or view.before_as_after) and recorded_before else "after"
    return rows.merge(keys.loc[keys["phase"] == phase, ["kind_id", "key"]], on="kind_id")


_MUTANT = 'Traceback (most recent call last):\n  File "/app/mutant.py", line 1, in added\nMutantError: not seen before'


def _raised(view: View) -> View | None:
    """One new exception in every second of after."""
    kinds, times = view.table(LOG_KINDS), view.table(LOG_KIND_TIMES)
    rhythm = others_of_new(view)
    if kinds is None or times is None or rhythm.empty:
        return None
    number = int(kinds["kind_id"].max()) + 1 if len(kinds) else 0
    row = {"kind_id": number, "kind": "exception", "text": _MUTANT, "entries": len(rhythm), "severity_number": ERROR, "sample": _MUTANT}  # fmt: skip
    added = rhythm.drop_duplicates("bucket")[
        ["source", "bucket", "service_name", "service_version", "own", "first", "last"]
    ]
    more = pd.concat([times, added.assign(kind_id=number, entries=1)[list(times.columns)]], ignore_index=True)
    return view.exchange(LOG_KINDS, pd.concat([kinds, pd.DataFrame([row])], ignore_index=True)).exchange(LOG_KIND_TIMES, more)  # fmt: skip
