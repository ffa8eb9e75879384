"""Quiet windows as long as the stretch that is looked at, cut from the times at which traces began."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence

import numpy as np

from proofbook.investigation.services.tables import Array, Window

# A pause this much longer than the stretch looked at parts one quiet stretch from the next, as another day does.
PAUSE = 0.5
LEAST_PAUSE_S = 60.0
# A rest shorter than this part of a window is added to the window before it.
LEAST_REST = 0.5


def looked_at(begun: Array, *, since: dt.datetime | None) -> Window:
    """The stretch in question: from `since`, else from the first trace, to the last."""
    start = _moment(float(begun.min())) if since is None else since
    return Window(start=start, end=_after(float(begun.max())), is_quiet=False)


def quiet(begun: Array, *, looked: Window) -> list[Window]:
    """Windows of about the length of the one looked at, over all stretches of quiet traces outside it."""
    times = np.sort(begun[(begun < looked.start.timestamp()) | (begun >= looked.end.timestamp())])
    if not len(times):
        return []
    length = max(1.0, looked.length_s)
    crosses = (times[:-1] < looked.start.timestamp()) & (times[1:] >= looked.end.timestamp())
    pauses = np.flatnonzero((np.diff(times) > max(LEAST_PAUSE_S, PAUSE * length)) | crosses)
    found = []
    for stretch in np.split(times, pauses + 1):
        found += _cut(float(stretch[0]), _after(float(stretch[-1])).timestamp(), length)
    return found


def measured(begun: Array, *, looked: Window, taken: Sequence[Window]) -> list[Window]:
    """Windows before the one looked at in which measurements were made and no spans recorded."""
    end = min([looked.start, *(window.start for window in taken if window.end <= looked.start and window.end.timestamp() > begun.min(initial=np.inf))]).timestamp()  # fmt: skip
    times = begun[begun < end]
    if not len(times):
        return []
    return [
        Window(start=window.start, end=window.end, is_quiet=True, has_spans=False)
        for window in _cut(float(times.min()), end, max(1.0, looked.length_s))
    ]


def _cut(start: float, end: float, length: float) -> list[Window]:
    count = max(1, int((end - start) / length + 1 - LEAST_REST))
    edges = [start + number * length for number in range(count)] + [end]
    return [
        Window(start=_moment(a), end=_moment(b), is_quiet=True) for a, b in itertools.pairwise(edges) if b > a
    ]


def _moment(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _after(seconds: float) -> dt.datetime:
    """A moment just after: a window ends before its end."""
    return _moment(seconds) + dt.timedelta(milliseconds=1)
