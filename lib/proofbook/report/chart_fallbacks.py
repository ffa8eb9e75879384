"""Text alternatives of a Plotly figure: a sentence, a table, and a picture for mail."""

from __future__ import annotations

import base64
import io
import itertools
import math
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from html import unescape
from typing import Any

import numpy as np

from proofbook.errors import UsageError
from proofbook.redaction.unseen import visible
from proofbook.report.finding_html import escape

MIME = "application/vnd.plotly.v1+json"
# JSON as Plotly writes it, or a part of that: its keys are too many to name.
Figure = Mapping[str, Any]
# A table is an alternative to a chart, not the data: more rows than this are thinned.
MOST_ROWS = 40
LONGEST_LABEL = 60
LONGEST_CELL = 1000
DASHES = {
    "dash": "--",
    "dot": ":",
    "dashdot": "-.",
    "longdash": (0, (8, 3)),
    "longdashdot": (0, (8, 3, 1, 3)),
}
MARKERS = {"x": "x", "square": "s", "circle": "o"}
COLOURS = ("#2563eb", "#b45309", "#1a7f4b", "#c0262d", "#7a3e9d", "#0e7490", "#6b7280")


def title(figure: Figure) -> str:
    """What a figure shows, from its title."""
    return _words(figure.get("layout", {}).get("title"))


def in_words(figure: Figure) -> str:
    """A figure in one sentence: what it shows, its series, and the range of each axis."""
    parts = []
    for trace in figure["data"]:
        x, y = _values(trace, "x"), _values(trace, "y")
        name = _plain(trace.get("name") or "")
        parts.append(
            f"{name + ': ' if name else ''}{len(x)} {'bar' if trace.get('type') == 'bar' else 'point'}{'' if len(x) == 1 else 's'}{_range(y, ', ')}"
        )
    axes = [_words(figure["layout"].get(axis, {}).get("title")) for axis in ("xaxis", "yaxis")]
    drawn = f" Axes: {' and '.join(axis for axis in axes if axis)}." if any(axes) else ""
    return f"{title(figure) or 'Chart'}.{drawn} {'; '.join(parts) if parts else 'Nothing to draw'}."


def table(figure: Figure) -> str:
    """The figure's data as an HTML table, thinned where it is long."""
    rows = []
    for trace in figure["data"]:
        name = _plain(trace.get("name") or "")
        rows += [(name, x, y) for x, y in itertools.zip_longest(_values(trace, "x"), _values(trace, "y"))]
    shown = (
        rows
        if len(rows) <= MOST_ROWS
        else [rows[round(n * (len(rows) - 1) / (MOST_ROWS - 1))] for n in range(MOST_ROWS)]
    )
    named = any(name for name, _, _ in rows)
    axes = [_words(figure["layout"].get(axis, {}).get("title")) or axis[0] for axis in ("xaxis", "yaxis")]
    head = "".join(
        f"<th scope='col'>{escape(word)}</th>" for word in ([*(["Series"] if named else []), *axes])
    )
    body = "".join(
        f"<tr>{f'<td>{escape(name)}</td>' if named else ''}<td>{escape(_cell(x))}</td><td>{escape(_cell(y))}</td></tr>"
        for name, x, y in shown
    )
    less = f"<p>{len(shown)} of {len(rows):,} points, evenly taken.</p>" if len(shown) < len(rows) else ""
    return f"<div class='pb-scroll'><table class='pb-table'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{less}"


def picture(figure: Figure, *, width_px: int = 560, height_px: int = 230) -> bytes:
    """The figure as a PNG of few colours: lines, dots and bars, as `proofbook.notebook.figures` draws them.

    Raises:
        UsageError: matplotlib is not installed. ValueError: the figure holds traces of another kind.
    """
    try:
        import matplotlib
        from matplotlib import dates
        from matplotlib.figure import Figure
        from PIL import Image
    except ImportError as error:
        raise UsageError(
            f"charts in a mail are drawn by matplotlib, but {error.name} is not installed; install it with: pip install 'proofbook[mail]', or leave them out: --no-charts"
        ) from None
    # Text from outside is neither mathematics nor a reason to warn of a letter that no font has.
    with matplotlib.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        canvas = _draw(
            figure, Figure(figsize=(width_px / 100, height_px / 100), dpi=100, layout="constrained"), dates
        )
        drawn = io.BytesIO()
        canvas.savefig(drawn, format="png")
    drawn.seek(0)
    small = io.BytesIO()
    # Few colours make a third of the bytes: a mail must stay small.
    Image.open(drawn).convert("RGB").quantize(colors=16).save(small, format="png", optimize=True)
    return small.getvalue()


def _draw(figure: Figure, canvas: Any, dates: Any) -> Any:
    layout = figure["layout"]
    axes = canvas.add_subplot()
    _bars(axes, [trace for trace in figure["data"] if trace.get("type") == "bar"], stacked=layout.get("barmode") == "stack")  # fmt: skip
    for number, trace in enumerate(figure["data"]):
        if trace.get("type") != "bar":
            _points(axes, trace, colour=_colour(trace, number))
    for shape in layout.get("shapes", []):
        _shape(axes, shape)
    if layout.get("yaxis", {}).get("autorange") == "reversed":
        axes.invert_yaxis()
    if axes.xaxis.get_converter() is not None and "Date" in type(axes.xaxis.get_converter()).__name__:
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(axes.xaxis.get_major_locator()))
    _dress(axes, layout, heading=title(figure))
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > 1:
        columns = max(1, min(4, 90 // max(map(len, labels))))
        canvas.legend(handles, labels, fontsize=7, frameon=False, ncols=columns, loc="outside lower center")
    return canvas


def _points(axes: Any, trace: Figure, *, colour: str) -> None:
    """A trace of points, lines or both, with its error bars."""
    if trace.get("type", "scatter") not in ("scatter", "scattergl"):
        raise ValueError(f"expected traces of scatter or bar, got {trace.get('type')}")
    x, y = _moments(_values(trace, "x")), _moments(_values(trace, "y"))
    mode, line, marker = trace.get("mode", "lines"), trace.get("line", {}), trace.get("marker", {})
    symbol = marker.get("symbol", "circle")
    axes.plot(
        x, y, label=_short(trace.get("name") or "") or None, color=colour,
        linestyle=DASHES.get(line.get("dash", ""), "-") if "lines" in mode else "",
        marker=MARKERS.get(symbol if isinstance(symbol, str) else "circle", "o") if "markers" in mode else "", markersize=3.5, linewidth=1.4,
    )  # fmt: skip
    spread = trace.get("error_x")
    if spread and spread.get("array") is not None:
        sides = [_numbers(spread.get("arrayminus", spread["array"])), _numbers(spread["array"])]
        axes.errorbar(x, y, xerr=sides, fmt="none", ecolor=colour, capsize=2)


def _dress(axes: Any, layout: Figure, *, heading: str) -> None:
    """The words and lines around a chart."""
    axes.set_title(_short(heading), fontsize=9, loc="left")
    axes.set_xlabel(_short(_words(layout.get("xaxis", {}).get("title"))), fontsize=8)
    axes.set_ylabel(_short(_words(layout.get("yaxis", {}).get("title"))), fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _bars(axes: Any, traces: Sequence[Figure], *, stacked: bool) -> None:
    """Bars over times or names: on top of each other where they are stacked, else side by side."""
    tops: dict[Any, float] = {}
    names = list(dict.fromkeys(_short(place) for trace in traces for place in _places(trace)))
    for number, trace in enumerate(traces):
        lying = trace.get("orientation") == "h"
        places, lengths = _moments(_places(trace)), _values(trace, "x" if lying else "y")
        told = {"color": _colour(trace, number), "label": _short(trace.get("name") or "") or None}
        base = [tops.get(place, 0.0) for place in places] if stacked else 0.0
        if stacked:
            tops |= {place: tops.get(place, 0.0) + (length or 0) for place, length in zip(places, lengths, strict=True)}  # fmt: skip
        if lying:
            axes.barh(places, lengths, left=base, **told)
        elif places and isinstance(places[0], np.datetime64):
            apart = (b - a for a, b in itertools.pairwise(sorted(places)))
            axes.bar(places, lengths, width=min(apart, default=np.timedelta64(1, "s")), bottom=base, **told)
        elif stacked:
            axes.bar(places, lengths, bottom=base, **told)
        else:
            width = 0.8 / len(traces)
            axes.bar([names.index(place) + width * (number - (len(traces) - 1) / 2) for place in map(_short, places)], lengths, width=width, **told)  # fmt: skip
            axes.set_xticks(range(len(names)), names)


def _places(trace: Figure) -> list[Any]:
    """Where the bars of a trace stand."""
    return _values(trace, "y" if trace.get("orientation") == "h" else "x")


def _shape(axes: Any, shape: Figure) -> None:
    x, y = _moments([shape.get("x0"), shape.get("x1")]), _moments([shape.get("y0"), shape.get("y1")])
    colour = shape.get("line", {}).get("color") or "#888888"
    if shape.get("type") == "rect":
        axes.axvspan(x[0], x[1], alpha=0.12, color="#888888", linewidth=0)
    elif str(shape.get("xref", "")).endswith(("domain", "paper")):
        axes.axhline(y[0], color=colour, linestyle="--", linewidth=1)
    else:
        axes.axvline(x[0], color=colour, linestyle="--", linewidth=1)


def _values(trace: Figure, axis: str) -> list[Any]:
    """A trace's values along an axis; one that states only the other is counted from 0."""
    values = trace.get(axis)
    if values is None:
        other = trace.get("y" if axis == "x" else "x")
        return list(range(len(_numbers(other)))) if other is not None else []
    return _numbers(values)


def _numbers(values: Any) -> list[Any]:
    """Values as Plotly stores them: a list, or base64 of an array of a stated type."""
    if isinstance(values, dict) and "bdata" in values:
        array = np.frombuffer(base64.b64decode(values["bdata"]), dtype=np.dtype(values["dtype"]))
        return list(array.tolist())
    return list(values) if isinstance(values, Iterable) and not isinstance(values, str) else [values]


def _moments(values: Sequence[Any]) -> list[Any]:
    """Times as times, everything else as it is."""
    texts = [value for value in values if isinstance(value, str)]
    if texts and all(re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:", text) for text in texts):
        return [
            np.datetime64(re.sub(r"(?:Z|[+-]\d\d:?\d\d)$", "", value))
            for value in values
            if value is not None
        ]
    return [_short(value) if isinstance(value, str) else value for value in values]


def _colour(trace: Figure, number: int) -> str:
    for place in ("line", "marker"):
        colour = trace.get(place, {}).get("color")
        if isinstance(colour, str) and colour.startswith("#"):
            return colour
    return COLOURS[number % len(COLOURS)]


def _range(values: Sequence[Any], before: str) -> str:
    numbers = [value for value in values if isinstance(value, int | float) and math.isfinite(value)]
    return f"{before}{_cell(min(numbers))} to {_cell(max(numbers))}" if numbers else ""


def _words(text: Any) -> str:
    return _plain(text.get("text", "") if isinstance(text, dict) else text or "")


def _plain(text: Any) -> str:
    """Plotly reads some HTML in what it writes; here it is only text."""
    return unescape(re.sub(r"<[^>]{0,200}>", "", str(text)))


def _short(text: Any) -> str:
    """Text that has room in a picture."""
    words = visible(_plain(text)).replace("\n", " ")
    return words if len(words) <= LONGEST_LABEL else f"{words[:LONGEST_LABEL]}…"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else ""
    return "" if value is None else _plain(value)[:LONGEST_CELL]
