"""Sends metrics to a receiver of OpenTelemetry's protocol, in its JSON form over HTTP: a collector, Prometheus and many others.

Written by hand: five gauges once a run need no SDK, which exports what a process measures for as long as it lives.

Source: OTLP 1.x, https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable

from prometheus_client.core import Metric

from proofbook import __version__
from proofbook.notify import webhook
from proofbook.notify.notice import NotDelivered
from proofbook.redaction.scrubbing import Secret, for_others
from proofbook.runs.json_reader import JsonObject

PATH = "/v1/metrics"
TIMEOUT_S = 10.0
LONGEST_ANSWER = 120


def send(metrics: Iterable[Metric], *, url: str, token: Secret | None, now: dt.datetime) -> None:
    """Posts metrics. url: what the path of the protocol is added to.

    Raises:
        NotDelivered: they were not taken, or not all of them.
    """
    headers = {"Authorization": f"Bearer {token.reveal()}"} if token is not None else {}
    try:
        answer = webhook.post(url.rstrip("/") + PATH, request(metrics, now=now), headers=headers, timeout_s=TIMEOUT_S)  # fmt: skip
        _check_all_taken(answer)
    except NotDelivered as error:
        raise NotDelivered(f"metrics: the OTLP receiver was not told: {error}; the next run sends what is so then") from None  # fmt: skip


def request(metrics: Iterable[Metric], *, now: dt.datetime) -> JsonObject:
    """The body of a request: gauges, each with a point for each of its labels."""
    made = [{"name": item.name, "description": item.documentation, "gauge": {"dataPoints": points}} for item in metrics if (points := _points(item, now=now))]  # fmt: skip
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": _attributes({"service.name": "proofbook"})},
                "scopeMetrics": [{"scope": {"name": "proofbook", "version": __version__}, "metrics": made}],
            }
        ]
    }


def _points(metric: Metric, *, now: dt.datetime) -> list[JsonObject]:
    # A 64-bit integer is text in JSON.
    at = str(int(now.timestamp()) * 10**9)
    return [
        {"attributes": _attributes(sample.labels), "timeUnixNano": at, "asDouble": float(sample.value)}
        for sample in metric.samples
    ]


def _attributes(labels: dict[str, str]) -> list[JsonObject]:
    return [{"key": name, "value": {"stringValue": value}} for name, value in labels.items()]


def _check_all_taken(answer: str) -> None:
    """Reads an answer of 200, which may still say that some were refused; one that is no JSON says nothing."""
    try:
        partly = json.loads(answer).get("partialSuccess") or {}
        refused, why = int(partly.get("rejectedDataPoints") or 0), str(partly.get("errorMessage") or "")
    except (ValueError, AttributeError, TypeError):
        return
    if refused:
        said = for_others(" ".join(why.split()))[:LONGEST_ANSWER]
        raise NotDelivered(f"it refused {refused} points{f': {said}' if said else ''}")
