"""Where a request came to and from: its endpoint and its client, and whether it only checks health."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import ibis

from proofbook.evidence.store import MASK

KINDS = ("endpoint", "client")
# Places at which a pattern was met most; what is met at more of them is met everywhere.
MOST = 10
# Places that are counted whatever was met there, in buckets of this width.
BUSIEST, WIDE_S = 100, 600
# A part of a path that holds a digit, or is long, is a value: an id, a number, a digest.
_VALUE = r"/[^/]*[0-9][^/]*|/[^/]{32,}"
# Versions are parts of names: /v1/chat.
_VERSION = r"/(v[0-9])(/|$)"
# What is replaced in an address by what: until its path is left, and until that holds no value.
TO_PATH = ((r"^[a-zA-Z]+://[^/]*", ""), (r"[?#].*$", ""))
TO_ENDPOINT = (*TO_PATH, (_VERSION, r"/\1·\2"), (_VALUE, f"/{MASK}"), ("·", ""))
_HEALTH_PATH = r"^(?:[a-z]+://[^/]+)?/(?:.*/)?_?(?:healthz?|health[_-]?checks?|livez?|liveness|readyz?|readiness|ping|status/health|up)/?(?:[?#].*)?$"
_HEALTH_AGENT = r"(?i)^(?:kube-probe|GoogleHC|ELB-HealthChecker|Amazon-Route53-Health|Consul Health|UptimeRobot|Pingdom|Prometheus|Blackbox|StatusCake|Better Uptime|proofbook-probe)"


def checks_health(entries: Any) -> Any:
    """Whether a request is one of what checks health: no user asked."""
    by_path = entries.http_url.fill_null("").re_search(_HEALTH_PATH)
    return by_path | entries.http_user_agent.fill_null("").re_search(_HEALTH_AGENT)


def value_of(entries: Any, place: str) -> Any:
    """Which endpoint or client a request had; null where it is not told."""
    if place == "client":
        return entries.http_remote_ip.nullif("")
    return ibis.ifelse(
        entries.http_url.isnull(), ibis.null("string"), _replaced(entries.http_url, TO_ENDPOINT)
    )


def path_of(entries: Any) -> Any:
    """The path that was asked for, without host and query."""
    return _replaced(entries.http_url, TO_PATH)


def _replaced(text: Any, pairs: Iterable[tuple[str, str]]) -> Any:
    return functools.reduce(lambda found, pair: found.re_replace(*pair), pairs, text)


def answered(entries: Any) -> Any:
    """Requests by status, method and endpoint, the most frequent first."""
    asked = entries.filter(entries.http_status.notnull())
    asked = asked.mutate(endpoint=value_of(asked, "endpoint"))
    found = asked.group_by(status="http_status", method="http_method", endpoint="endpoint").aggregate(
        requests=asked.count(), first=asked.timestamp.min(), last=asked.timestamp.max()
    )
    return found.order_by([ibis.desc("requests"), "status", "method", "endpoint"])
