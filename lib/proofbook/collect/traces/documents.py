"""Spans from JSON: OpenTelemetry (OTLP), Jaeger and Zipkin, as documents or one a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

FORMS = "OTLP JSON, Jaeger JSON, Zipkin JSON"


class Row(NamedTuple):
    """A span as the table `spans` has it; started and took_s in seconds."""

    trace_id: str
    span_id: str
    parent_id: str | None
    service: str | None
    instance: str | None
    operation: str
    started: float
    took_s: float
    status: str | None


def rows(text: str) -> tuple[str, list[Row]] | None:
    """The form of a JSON text, and its spans; None: it holds no spans in a form that is known.

    >>> rows('[{"traceId": "t", "id": "a", "name": "get", "timestamp": 1700000000000000, "duration": 5000}]')[0]
    'Zipkin JSON'
    """
    form, found = "", []
    for document in _documents(text):
        read = _of_document(document)
        if read is None:
            continue
        form = read[0]
        found += read[1]
    return (form, found) if form else None


def _documents(text: str) -> Iterator[Any]:
    """A document that is the whole text, else one for each line; lines that are none are left out."""
    try:
        yield json.loads(text)
    except ValueError:
        for line in text.splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _of_document(document: Any) -> tuple[str, list[Row]] | None:
    if isinstance(document, Mapping):
        if isinstance(groups := document.get("resourceSpans", document.get("batches")), list):
            return "OTLP JSON", list(_otlp(groups))
        if isinstance(traces := document.get("data"), list):
            return "Jaeger JSON", [row for trace in traces if isinstance(trace, Mapping) for row in _jaeger(trace)]  # fmt: skip
        if "spans" in document and "processes" in document:
            return "Jaeger JSON", list(_jaeger(document))
        document = [document]
    if not isinstance(document, list):
        return None
    # Zipkin's API answers with a list of spans, or with a list of lists for several traces.
    spans = [span for part in document for span in (part if isinstance(part, list) else [part])]
    zipkin = [span for span in spans if isinstance(span, Mapping) and "traceId" in span and "id" in span]
    return ("Zipkin JSON", list(_zipkin(zipkin))) if zipkin else None


# OpenTelemetry ------------------------------------------------------------------------------------------------------


def _otlp(groups: Sequence[Any]) -> Iterator[Row]:
    for group in _objects(groups):
        about = _attributes(_object(group.get("resource")).get("attributes"))
        parts = group.get("scopeSpans") or group.get("instrumentationLibrarySpans") or ()
        for part in _objects(parts):
            for span in _objects(part.get("spans")):
                started, ended = _number(span.get("startTimeUnixNano")), _number(span.get("endTimeUnixNano"))
                if started is None or ended is None:
                    continue
                code = str(_object(span.get("status")).get("code", ""))
                yield Row(
                    trace_id=str(span.get("traceId", "")),
                    span_id=str(span.get("spanId", "")),
                    parent_id=_id(span.get("parentSpanId")),
                    service=about.get("service.name"),
                    instance=_instance(about),
                    operation=str(span.get("name", "")),
                    started=started / 1e9,
                    took_s=(ended - started) / 1e9,
                    status="error" if code in ("2", "STATUS_CODE_ERROR") else "ok" if code in ("1", "STATUS_CODE_OK") else None,
                )  # fmt: skip


def _attributes(found: Any) -> dict[str, str]:
    """A list of keys with values, as OpenTelemetry and Jaeger write it, by key."""
    held = {}
    for item in _objects(found):
        value = item.get("value")
        if isinstance(value, Mapping):
            value = next(iter(value.values()), None)
        held[str(item.get("key"))] = str(value)
    return held


def _instance(about: Mapping[str, str]) -> str | None:
    names = ("k8s.pod.name", "service.instance.id", "host.name", "hostname", "ip")
    return next((about[name] for name in names if name in about), None)


# Jaeger -------------------------------------------------------------------------------------------------------------


def _jaeger(trace: Mapping[str, Any]) -> Iterator[Row]:
    processes = _object(trace.get("processes"))
    for span in _objects(trace.get("spans")):
        started, took = _number(span.get("startTime")), _number(span.get("duration"))
        if started is None or took is None:
            continue
        process = _object(processes.get(str(span.get("processID")))) or _object(span.get("process"))
        tags = _attributes(span.get("tags"))
        parents = [item for item in _objects(span.get("references")) if item.get("refType") == "CHILD_OF"]
        yield Row(
            trace_id=str(span.get("traceID", "")),
            span_id=str(span.get("spanID", "")),
            parent_id=_id(parents[0].get("spanID")) if parents else _id(span.get("parentSpanID")),
            service=process.get("serviceName"),
            instance=_instance(_attributes(process.get("tags"))),
            operation=str(span.get("operationName", "")),
            started=started / 1e6,
            took_s=took / 1e6,
            status=_status_of(tags),
        )


def _status_of(tags: Mapping[str, str]) -> str | None:
    if tags.get("error", "").lower() not in ("", "false") or tags.get("otel.status_code") == "ERROR":
        return "error"
    return "ok" if tags.get("otel.status_code") == "OK" else None


# Zipkin -------------------------------------------------------------------------------------------------------------


def _zipkin(spans: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    # A server may go on with the id of its caller's span: it becomes a span of its own below that one.
    shared = {
        (str(span["traceId"]), str(span["id"])): _object(span.get("localEndpoint")).get("serviceName")
        for span in spans
        if span.get("shared")
    }
    for span in spans:
        started, took = _number(span.get("timestamp")), _number(span.get("duration"))
        if started is None:
            continue
        trace, own, parent = str(span["traceId"]), str(span["id"]), _id(span.get("parentId"))
        service = _object(span.get("localEndpoint")).get("serviceName")
        if span.get("shared"):
            own, parent = f"{own}/server", own
        elif parent and shared.get((trace, parent)) == service is not None:
            parent = f"{parent}/server"
        tags = span.get("tags")
        yield Row(
            trace_id=trace,
            span_id=own,
            parent_id=parent,
            service=service,
            instance=None,
            operation=str(span.get("name", "")),
            started=started / 1e6,
            took_s=(took or 0.0) / 1e6,
            status="error" if isinstance(tags, Mapping) and "error" in tags else None,
        )


# What all have ------------------------------------------------------------------------------------------------------


def _objects(found: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(found, list):
        yield from (item for item in found if isinstance(item, Mapping))


def _object(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _id(found: Any) -> str | None:
    return str(found) if found else None


def _number(found: Any) -> float | None:
    try:
        return float(found)
    except (TypeError, ValueError):
        return None
