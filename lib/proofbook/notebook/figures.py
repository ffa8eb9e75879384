"""Charts for notebooks: each takes tables and gives a Plotly figure with a title that says what it shows."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from proofbook.evidence.store import STARTED
from proofbook.judge.checks import log_novelty
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.judge.window import Windows
from proofbook.notebook.display import show
from proofbook.report import chart_fallbacks
from proofbook.stats.proportions import proportion

__all__ = [
    "changes",
    "close_ledger",
    "coverage",
    "evidence_path",
    "health",
    "latencies",
    "log_timeline",
    "memory",
    "pattern_timeline",
    "phases",
    "rollout",
    "success",
]
SEVERITIES = {
    "ERROR": "#c0262d",
    "CRITICAL": "#7f1d1d",
    "WARNING": "#d97706",
    "NOTICE": "#0e7490",
    "INFO": "#8aa4c8",
    "DEBUG": "#c4cad1",
    "none": "#9ca3af",
    "own probes": "#b7a5cf",
}
OWN = "own probes"
# What is new or more is bad news only where it is an error.
CHANGES = {"new error": "#c0262d", "more errors": "#d97706", "new": "#2563eb", "more": "#7aa2f7", "gone": "#1a7f4b", "less": "#6bbf8f"}  # fmt: skip
LONGEST_LABEL = 48
INK = {
    "before": "#b45309",
    "after": "#2563eb",
    "rollout": "#6b7280",
    "pass": "#1a7f4b",
    "fail": "#c0262d",
    "inconclusive": "#9a6700",
    "error": "#7a3e9d",
}


class Chart(go.Figure):  # type: ignore[misc]  # plotly has no types
    """A figure that says in words what it shows, for viewers that draw none, such as GitHub or a notebook made to Markdown."""

    def _ipython_display_(self) -> None:
        bundle = self._repr_mimebundle_()
        if set(bundle) == {chart_fallbacks.MIME}:
            show({**bundle, "text/plain": chart_fallbacks.in_words(bundle[chart_fallbacks.MIME])})
        else:  # a renderer that somebody chose
            super()._ipython_display_()


def latencies(before: pd.DataFrame, after: pd.DataFrame) -> Any:
    """Distribution of request times before and after, in milliseconds."""
    figure = _figure("Request time", "Time (ms)", "Share of requests")
    for name, table in (("before", before), ("after", after)):
        if len(table):
            values = np.sort(table["total_s"].to_numpy() * 1000)
            figure.add_trace(
                go.Scatter(
                    x=_thin(values),
                    y=_thin(np.arange(1, len(values) + 1) / len(values)),
                    name=f"{name} (n = {len(values)})",
                    mode="lines",
                    line={"color": INK[name]},
                )
            )
    return figure


def close_ledger(before: pd.DataFrame, after: pd.DataFrame) -> Any:
    """How connections ended, before and after: close code and who closed first, as shares."""
    figure = _figure("How connections ended", "", "Share of connections")
    for name, table in (("before", before), ("after", after)):
        if len(table):
            shares = _endings(table).value_counts(normalize=True).sort_index()
            figure.add_trace(
                go.Bar(
                    x=list(shares.index),
                    y=shares.to_numpy(),
                    name=f"{name} (n = {len(table)})",
                    marker_color=INK[name],
                )
            )
    return figure


def phases(after: pd.DataFrame) -> Any:
    """Where the time of a WebSocket journey goes: medians of each phase, in milliseconds."""
    names = {
        "resolve_s": "resolve",
        "tcp_s": "TCP",
        "tls_s": "TLS",
        "upgrade_s": "upgrade",
        "greeting_s": "greeting",
        "reply_s": "first reply",
    }
    figure = _figure("Phases of a WebSocket journey (median)", "", "Time (ms)")
    medians = {
        label: 1000 * after[column].median()
        for column, label in names.items()
        if column in after and after[column].notna().any()
    }
    figure.add_trace(
        go.Bar(x=list(medians), y=list(medians.values()), marker_color=INK["after"], showlegend=False)
    )
    return figure


def health(table: pd.DataFrame) -> Any:
    """Health of each service as a success rate with its interval."""
    asked = table[table["kind"] == "health"] if len(table) else pd.DataFrame({"service": []})
    return success({str(name): part["ok"] for name, part in asked.groupby("service")})


def success(tables: dict[str, pd.Series]) -> Any:
    """Success rates with their 95 % intervals, one row a name."""
    figure = _figure("Success rate with 95 % bounds", "Share", "")
    for name, ok in tables.items():
        if len(ok):
            bounds = proportion(int(ok.sum()), len(ok), confidence=0.975)
            figure.add_trace(
                go.Scatter(
                    x=[bounds.value],
                    y=[f"{name} (n = {len(ok)})"],
                    error_x={
                        "type": "data",
                        "symmetric": False,
                        "array": [bounds.high - bounds.value],
                        "arrayminus": [bounds.value - bounds.low],
                    },
                    mode="markers",
                    marker={"color": INK["after"], "size": 9},
                    showlegend=False,
                )
            )
    return figure


def log_timeline(rhythm: pd.DataFrame, *, deployed_at: pd.Timestamp | None = None) -> Any:
    """Entries by severity over time, from rows of `log_rhythm`, those of our own probes apart, the deployment marked."""
    figure = _figure("Log entries by severity", "Time (UTC)", "Entries")
    if rhythm.empty:
        return figure
    step = _step(rhythm)
    # What our own probes cause, such as refused tokens, is no error of the system.
    severities = rhythm["severity_text"].fillna("none").mask(rhythm["own"].astype(bool), OWN)
    for name in sorted(severities.unique()):
        counts = rhythm[severities == name].set_index("first").resample(step)["entries"].sum()
        figure.add_trace(
            go.Bar(
                x=[stamp.isoformat() for stamp in counts.index],
                y=counts.to_numpy(),
                name=str(name),
                marker_color=SEVERITIES.get(str(name)),
            )
        )
    figure.update_layout(barmode="stack")
    _mark(figure, deployed_at)
    return figure


def pattern_timeline(
    matches: pd.DataFrame, patterns: dict[str, str], *, deployed_at: pd.Timestamp | None = None
) -> Any:
    """Requests that named patterns hit over time, from rows of `log_matches`, the deployment marked."""
    figure = _figure("Patterns over time", "Time (UTC)", "Requests")
    if matches.empty:
        return figure
    step = _step(matches)
    for name, pattern in patterns.items():
        hits = matches[matches["pattern"] == pattern]
        counts = hits.set_index("first").resample(step)["affected"].sum()
        figure.add_trace(
            go.Scatter(
                x=[stamp.isoformat() for stamp in counts.index],
                y=counts.to_numpy(),
                name=f"{name} ({int(hits['affected'].sum())})",
                mode="lines+markers",
            )
        )
    _mark(figure, deployed_at)
    return figure


def changes(view: View, *, most: int = 12) -> Any:
    """The kinds of message and exception that changed most, each a line of dots over time, the deployment marked."""
    figure = _figure("What changed (times in UTC)", "", "")
    try:
        table = log_novelty.changes(view)
    except InsufficientEvidence:
        return figure
    table = table[~table["change"].isin(["same", "unsure"])].head(most)
    times = log_novelty.times(view)
    if table.empty or times.empty:
        return figure
    step, wrong = _step(times), log_novelty.is_error(table)
    names = table["change"].where(
        ~wrong, table["change"].replace({"new": "new error", "more": "more errors"})
    )
    # Log text is hostile, and Plotly reads some HTML in what it writes.
    labels = [html.escape(_short(what), quote=False) for what in table["what"]]
    table = table.assign(what=labels)
    for change, part in table.groupby(names, sort=False):
        figure.add_trace(_dots(part, times, step=step, change=str(change)))
    # Above its dots and not beside them, so that a phone's width is left to time.
    for label in table["what"]:
        figure.add_annotation(
            text=label, xref="paper", x=0, xanchor="left", y=label, yshift=14, showarrow=False
        )
    figure.update_layout(height=180 + 44 * len(table))
    figure.update_yaxes(autorange="reversed", showticklabels=False)
    figure.update_xaxes(nticks=4, tickangle=0)
    _mark(figure, view.windows.deployed_at)
    return figure


def _dots(kinds: pd.DataFrame, times: pd.DataFrame, *, step: str, change: str) -> go.Scatter:
    """A dot for each step in which kinds of message came, larger where there were more."""
    rows = times[times["key"].isin(kinds["key"])].merge(kinds[["key", "what"]], on="key")
    counts = rows.set_index("first").groupby("what").resample(step)["entries"].sum().reset_index()
    counts = counts[counts["entries"] > 0]
    entries = counts["entries"].to_numpy()
    return go.Scatter(
        x=[stamp.isoformat() for stamp in counts["first"]],
        y=counts["what"],
        name=change,
        mode="markers",
        marker={"size": np.clip(4 + 3 * np.log2(entries + 1), 5, 22), "color": CHANGES.get(change)},
        customdata=entries,
        hovertemplate="%{y}<br>%{x}: %{customdata}<extra></extra>",
    )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_LABEL else f"{text[:LONGEST_LABEL]}…"


def coverage(rhythm: pd.DataFrame, windows: Windows) -> Any:
    """A strip per source: when anything was written, by revision; before and after as shaded spans."""
    figure = _figure("Where the log covers the windows", "Time (UTC)", "")
    if rhythm.empty:
        return figure
    for revision, part in rhythm.assign(revision=rhythm["service_version"].fillna("no revision")).groupby(
        "revision"
    ):
        counts = (
            part.set_index("first").groupby("source").resample(_step(rhythm))["entries"].sum().reset_index()
        )
        counts = counts[counts["entries"] > 0]
        figure.add_trace(
            go.Scatter(
                x=[stamp.isoformat() for stamp in counts["first"]],
                y=counts["source"],
                name=str(revision),
                mode="markers",
                marker={"symbol": "square", "size": 9},
            )
        )
    for name, span in (("before", windows.before), ("after", windows.after)):
        if span is not None:
            figure.add_vrect(
                x0=span[0].isoformat(), x1=span[1].isoformat(), opacity=0.12, line_width=0, fillcolor="#888888",
                annotation_text=name, annotation_position="top left",
            )  # fmt: skip
    figure.update_layout(height=220 + 40 * rhythm["source"].nunique())
    _mark(figure, windows.deployed_at)
    return figure


def _step(rows: pd.DataFrame) -> str:
    """The width of a bar, so that about sixty fill the time."""
    span = (rows["last"].max() - rows["first"].min()).total_seconds()
    return f"{max(1, round(span / 60))}s"


def memory(metrics: pd.DataFrame) -> Any:
    """Memory of each instance over time, in megabytes."""
    figure = _figure("Memory", "Time (UTC)", "Resident memory (MB)")
    # Start times travel in the same table.
    metrics = metrics[metrics["name"] != STARTED] if len(metrics) else metrics
    if metrics.empty:
        return figure
    for (service, instance), part in metrics.groupby(["service", "instance"]):
        figure.add_trace(
            go.Scatter(
                x=[stamp.isoformat() for stamp in part["timestamp"]],
                y=part["value"].to_numpy() / 1e6,
                name=f"{service}, {instance}",
                mode="lines",
            )
        )
    figure.update_yaxes(rangemode="tozero")
    return figure


def rollout(table: pd.DataFrame) -> Any:
    """Probes through the rollout: time of each answer, failed ones marked, coloured by revision."""
    figure = _figure("Probes through the rollout", "Seconds since watching began", "Time (ms)")
    if table.empty:
        return figure
    # A service that names no revision answers all the same.
    unnamed = np.where(table["status"].isna(), "no answer", "answered, names no revision")
    for revision, part in table.assign(
        revision=table["revision"].fillna(pd.Series(unnamed, index=table.index))
    ).groupby("revision"):
        good = part["ok"].astype(bool)
        figure.add_trace(
            go.Scatter(
                x=part["at_s"].to_numpy(),
                y=1000 * part["total_s"].to_numpy(),
                name=str(revision),
                mode="markers",
                marker={"symbol": ["circle" if ok else "x" for ok in good]},
            )
        )
    return figure


def evidence_path(result: Any) -> Any:
    """What each success rate had for and against it after every look of a watch, with the boundaries that decide; None without a watch."""
    table = result.path
    if table.empty:
        return None
    figure = _figure(
        "Evidence while watching", "Time (UTC)", "Evidence for a healthy service (log-likelihood ratio)"
    )
    dashes = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
    for number, (claim, part) in enumerate(table.groupby("claim", sort=False)):
        figure.add_trace(
            go.Scatter(
                x=[stamp.isoformat() for stamp in part["at"]],
                y=part["evidence"].round(4).tolist(),
                name=_plain(str(claim)),
                mode="lines+markers",
                line={"dash": dashes[number % len(dashes)]},
                customdata=part[["failures", "count"]].to_numpy().tolist(),
                hovertemplate="%{customdata[0]} of %{customdata[1]} failed<br>evidence %{y:.2f}",
            )
        )
    for level, verdict in ((table["pass_above"].max(), "pass"), (table["fail_below"].min(), "fail")):
        figure.add_hline(
            y=float(level),
            line={"color": INK[verdict], "dash": "dash"},
            annotation_text=verdict,
            annotation_position="top left",
        )
    # What went far beyond a boundary must not press the rest together.
    low, high = float(table["fail_below"].min()), float(table["pass_above"].max())
    seen = table["evidence"].clip(3 * low, 5 * high)
    figure.update_yaxes(
        range=[min(1.2 * low, 1.05 * float(seen.min())), max(1.3 * high, 1.05 * float(seen.max()))]
    )
    return figure


def _plain(text: str) -> str:
    return html.escape(text[:1].upper() + text[1:], quote=False)


def _endings(table: pd.DataFrame) -> pd.Series:
    codes = table["close_code"].astype("string").fillna("")
    closed = codes + " by " + table["closed_by"].fillna("").replace("", "nobody")
    return closed.where(table["upgraded"], "not made: " + table["error"].fillna(""))


def _figure(title: str, x: str, y: str) -> Any:
    figure = Chart()
    figure.update_layout(
        title=title,
        xaxis_title=x,
        yaxis_title=y,
        height=340,
        margin={"l": 60, "r": 20, "t": 50, "b": 50},
        template="none",
        font={"family": "system-ui, sans-serif", "size": 13},
        title_font_size=15,
        # At the bottom of the picture and not of the plot: on a phone it would cover the title of the axis.
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
    )
    # Half transparent, so that it suits light and dark paper.
    figure.update_xaxes(gridcolor="rgba(128,128,128,.25)", linecolor="rgba(128,128,128,.6)", automargin=True)
    figure.update_yaxes(gridcolor="rgba(128,128,128,.25)", linecolor="rgba(128,128,128,.6)", automargin=True)
    return figure


def _mark(figure: Any, deployed_at: pd.Timestamp | None) -> None:
    if deployed_at is not None:
        when = deployed_at.isoformat()
        figure.add_shape(
            type="line",
            x0=when,
            x1=when,
            y0=0,
            y1=1,
            yref="paper",
            line={"dash": "dot", "color": INK["rollout"]},
        )
        figure.add_annotation(x=when, y=1, yref="paper", text="deployed", showarrow=False, yanchor="bottom")


def _thin(values: Any, most: int = 300) -> Any:
    """At most 300 points: the eye sees no more, and the report stays small."""
    return values if len(values) <= most else values[np.linspace(0, len(values) - 1, most).astype(int)]


def __dir__() -> list[str]:
    return __all__
