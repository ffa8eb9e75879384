"""Which column of a CSV file holds what, by its name and by its values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# By field: what its column is called in the exports of tracing and monitoring systems, letters and digits alone, the surest first.
SPAN_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "trace_id": ("traceid", "trace", "tracecontexttraceid"),
    "span_id": ("spanid", "span", "id"),
    "parent_id": ("parentspanid", "parentid", "parentspan", "parent", "referencespanid"),
    "service": (
        "servicename", "service", "resourceservicename", "resourceattributesservicename", "localendpointservicename", "processservicename",
        "application", "app",
    ),
    "instance": (
        "serviceinstanceid", "podname", "pod", "k8spodname", "instance", "instanceid", "cmdbid", "containername", "container",
        "hostname", "host", "node",
    ),
    "operation": ("operationname", "operation", "spanname", "name", "resource", "method", "url"),
    "started": (
        "starttimeunixnano", "starttime", "startedat", "started", "start", "starttimestamp", "starttimemillis", "timestamp", "time",
    ),
    "ended": ("endtimeunixnano", "endtime", "endedat", "ended", "end", "endtimestamp"),
    "took": ("duration", "durationnano", "durationns", "durationus", "durationms", "durations", "elapsedtime", "elapsed", "took", "latency", "tooks"),
    "status": ("statuscode", "status", "error", "iserror", "otelstatuscode", "success", "httpstatuscode"),
}  # fmt: skip
MEASUREMENT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "timestamp": ("timestamp", "time", "timeunixnano", "date", "datetime", "ts"),
    "service": ("servicename", "service", "application", "app", "job"),
    "instance": ("podname", "pod", "k8spodname", "serviceinstanceid", "instance", "cmdbid", "containername", "container", "hostname", "host"),
    "name": ("metric", "metricname", "name", "kpiname", "kpi", "series"),
    "value": ("value", "metricvalue", "val"),
}  # fmt: skip
# A number of seconds since 1970 lies between 2001 and 2286; other units are so many times larger.
_UNITS_S = ((1e9, 1e10, 1.0), (1e12, 1e13, 1e-3), (1e15, 1e16, 1e-6), (1e18, 1e19, 1e-9))
_UNIT_NAMES = (("nano", 1e-9), ("ns", 1e-9), ("micro", 1e-6), ("us", 1e-6), ("µs", 1e-6), ("milli", 1e-3), ("ms", 1e-3), ("seconds", 1.0), ("_s", 1.0))  # fmt: skip


def recognise(header: Sequence[str], known: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """By field, the column of a header that holds it; a column serves one field, and fields without one are left out.

    >>> recognise(["TraceID", "SpanID", "ParentID", "PodName"], SPAN_COLUMNS)
    {'trace_id': 'TraceID', 'span_id': 'SpanID', 'parent_id': 'ParentID', 'instance': 'PodName'}
    """
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(header)}
    found: dict[str, str] = {}
    for field, names in known.items():
        free = [plain[name] for name in names if name in plain and plain[name] not in found.values()]
        if free:
            found[field] = free[0]
    return found


def unit_of_moments_s(typical: float) -> float | None:
    """What one of the numbers that stand for moments is in seconds, by their size; None: they are no moments since 1970.

    >>> unit_of_moments_s(1.7e18), unit_of_moments_s(1.7e9), unit_of_moments_s(12.0)
    (1e-09, 1.0, None)
    """
    return next((unit for least, most, unit in _UNITS_S if least <= typical < most), None)


def unit_of_lengths_s(name: str) -> float | None:
    """What one of the numbers of a column is in seconds, by the column's name; None: it does not say.

    >>> unit_of_lengths_s("durationMs"), unit_of_lengths_s("Duration (µs)"), unit_of_lengths_s("Duration")
    (0.001, 1e-06, None)
    """
    low = name.lower().replace(" ", "")
    return next((unit for word, unit in _UNIT_NAMES if word in low), None)
