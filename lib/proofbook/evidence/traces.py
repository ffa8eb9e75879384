"""The tables of what a system says of itself beside its log: spans of its requests, and measurements of its instances."""

from __future__ import annotations

from proofbook.evidence.table import TIME, Column, Table

SPANS = Table(
    "spans",
    row="one span of a trace: an operation of a service, from its start to its end",
    columns=(
        Column("trace_id", "str", "trace that it belongs to"),
        Column("span_id", "str", "its id in the trace"),
        Column("parent_id", "str", "span that began it; missing: it is the first of its trace"),
        Column("service", "str", "service that ran it"),
        Column("instance", "str", "instance of the service, such as a pod; missing: not stated"),
        Column("operation", "str", "what was done"),
        Column("started", TIME, "when it began, by the clock of its instance"),
        Column("took_s", "float64", "from its start to its end", "s"),
        Column("status", "str", "`error`, `ok`, or missing: not stated"),
    ),
)
MEASUREMENTS = Table(
    "measurements",
    row="one value of one metric of an instance, as a monitoring system recorded it",
    columns=(
        Column("service", "str", "service of the instance"),
        Column("instance", "str", "instance, such as a pod; missing: not stated"),
        Column("timestamp", TIME, "when it was measured"),
        Column("name", "str", "name of the metric"),
        Column("value", "float64", "its value", "of the metric"),
    ),
)
TRACES = (SPANS, MEASUREMENTS)
