"""Servers of logs that answer queries, page by page: Cloud Logging and Loki."""

from __future__ import annotations

import datetime as dt
import math
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from proofbook.collect.logs.sources import Entry, LogRequest, Query, QuotaExhausted
from proofbook.concurrency import subprocesses
from proofbook.concurrency.subprocesses import ProgramFailed
from proofbook.config.log_uri import NAME, LogPlace, LogSourceKind
from proofbook.errors import CouldNotLook
from proofbook.files import parse_json
from proofbook.redaction.scrubbing import scrub

_QUOTA = re.compile(r"RESOURCE_EXHAUSTED|[Qq]uota exceeded|[Rr]ate ?limit|Too Many Requests|\b429\b")


def _project_and_service(rest: str) -> dict[str, str]:
    project, slash, service = rest.partition("/")
    if not slash or not NAME.fullmatch(project) or not NAME.fullmatch(service):
        raise ValueError
    return {"project": project, "service": service}


class Gcloud:
    """Cloud Logging, through gcloud, which by itself reads one day, newest first."""

    page = 5_000
    largest = math.inf

    def __init__(self, place: LogPlace, request: LogRequest) -> None:
        self._project, self._service = place.parts["project"], place.parts["service"]
        self._base, self._timeout_s = request.base, request.timeout_s
        self.shown = f"gcp:{self._project}/{self._service}"

    def ask(self, query: Query) -> list[Entry]:
        words = [
            "gcloud", "logging", "read", self.filter(query), f"--project={self._project}", "--order=asc",
            f"--limit={query.most}", "--format=json", "--quiet",
        ]  # fmt: skip
        try:
            text = subprocesses.output(words, base=self._base, timeout_s=self._timeout_s)
        except ProgramFailed as error:
            if _QUOTA.search(error.said):
                raise QuotaExhausted from None
            raise
        try:
            found = parse_json(text or "[]")
            entries = [entry for entry in found if isinstance(entry, dict)]
        except (ValueError, TypeError):
            raise CouldNotLook(
                f"expected entries as JSON from gcloud for {self.shown}, got: {_first_line(text)}"
            ) from None
        return sorted(entries, key=self.when)

    def filter(self, query: Query) -> str:
        """The query in Cloud Logging's language."""
        named = " OR ".join(
            f"resource.labels.{label}={_quoted(self._service)}"
            for label in ("service_name", "container_name", "module_id")
        )
        parts = [
            f"({named})",
            f'timestamp>="{query.since.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%fZ}"',
            f'timestamp<="{query.until.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%fZ}"',
        ]
        if query.holding:
            fields = ("textPayload", "jsonPayload.message", "jsonPayload.msg", "jsonPayload.error")
            hits = " OR ".join(f"{name}=~{_quoted(pattern)}" for pattern in query.holding for name in fields)
            parts.append(f"({hits})")
        return " AND ".join(parts)

    def when(self, entry: Mapping[str, Any]) -> dt.datetime:
        return _moment(str(entry.get("timestamp", "")))


GCP = LogSourceKind(usage="gcp:PROJECT/SERVICE", parse=_project_and_service, server=Gcloud)


def _url_and_selector(rest: str) -> dict[str, str]:
    url, brace, selector = rest.partition("{")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not (brace and "}" in selector):
        raise ValueError
    if parts.username or parts.password:
        raise ValueError(
            "no password belongs in it; set LOKI_USERNAME and LOKI_PASSWORD, or LOKI_BEARER_TOKEN"
        )
    return {"url": url.rstrip("/"), "selector": brace + selector}


class Loki:
    """Grafana's Loki, by its query API. Credentials come from the variables that its own logcli reads."""

    page = 5_000

    def __init__(self, place: LogPlace, request: LogRequest) -> None:
        # Late, so that a short name is parsed without it.
        import httpx

        from proofbook.collect.session import is_loopback

        self.largest = math.inf
        self._url, self._selector = place.parts["url"], place.parts["selector"]
        self.shown = f"loki:{urlsplit(self._url).netloc}"
        headers, auth = {}, None
        if os.environ.get("LOKI_BEARER_TOKEN"):
            headers["Authorization"] = f"Bearer {os.environ['LOKI_BEARER_TOKEN']}"
        if os.environ.get("LOKI_ORG_ID"):
            headers["X-Scope-OrgID"] = os.environ["LOKI_ORG_ID"]
        if os.environ.get("LOKI_USERNAME"):
            auth = (os.environ["LOKI_USERNAME"], os.environ.get("LOKI_PASSWORD", ""))
        self._client = httpx.Client(
            headers=headers, auth=auth, timeout=request.timeout_s, trust_env=not is_loopback(self._url)
        )

    def ask(self, query: Query) -> list[Entry]:
        import httpx

        from proofbook.collect.connection_errors import describe, name_not_found
        from proofbook.collect.rate_limit import seconds_of

        selector = self._selector
        if query.holding:
            selector += f" |~ {_quoted('|'.join(f'(?:{pattern})' for pattern in query.holding))}"
        parameters = {
            "query": selector,
            "start": str(_nanoseconds(query.since)),
            # Loki leaves the end out.
            "end": str(_nanoseconds(query.until) + 1),
            "limit": str(int(min(query.most, self.largest))),
            "direction": "forward",
        }
        try:
            answer = self._client.get(f"{self._url}/loki/api/v1/query_range", params=parameters)
        except httpx.HTTPError as error:
            why = "its host does not resolve" if name_not_found(error) else describe(error)
            raise CouldNotLook(f"{self.shown} cannot be read: {why}") from None
        if answer.status_code == 429:
            raise QuotaExhausted(seconds_of(answer.headers.get("retry-after"), now=dt.datetime.now(dt.UTC)))
        allowed = re.search(r"max entries limit.*?\d+ > (\d+)", answer.text)
        if answer.status_code == 400 and allowed and int(allowed[1]) < min(query.most, self.largest):
            # Its administrator allows fewer at once than is usual.
            self.largest = int(allowed[1])
            return self.ask(query)
        try:
            streams = answer.json()["data"]["result"] if answer.status_code == 200 else None
        except (ValueError, KeyError, TypeError):
            streams = None
        if streams is None:
            raise CouldNotLook(f"{self.shown} answered {answer.status_code}: {_first_line(answer.text)}")
        found = [
            (int(at), _entry(int(at), line, stream.get("stream", {})))
            for stream in streams
            for at, line in stream["values"]
        ]
        return [entry for _, entry in sorted(found, key=lambda item: item[0])]

    def when(self, entry: Mapping[str, Any]) -> dt.datetime:
        return _moment(str(entry["time"]))


LOKI = LogSourceKind(usage="loki:URL{…}", parse=_url_and_selector, server=Loki)


def _entry(nanoseconds: int, line: str, labels: dict[str, str]) -> Entry:
    """A line of Loki as structured JSON, with its labels: a line that is such itself stays so, at Loki's time."""
    at = dt.datetime.fromtimestamp(nanoseconds // 1_000_000_000, dt.UTC)
    told: Entry = {"time": f"{at:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 1_000_000_000:09d}Z"}
    whose: Entry = {"labels": labels} if labels else {}
    level = labels.get("level") or labels.get("detected_level") or labels.get("severity")
    try:
        own = parse_json(line) if line.startswith("{") else None
    except ValueError:
        own = None
    if isinstance(own, dict):
        return {**whose, **own, **told}
    return {**whose, **told, "message": line, **({"level": level} if level and level != "unknown" else {})}


def _first_line(text: str) -> str:
    return scrub(next((line for line in text.splitlines() if line.strip()), "nothing"))[:200]


def _quoted(text: str) -> str:
    """A text between double quotes, as Cloud Logging and LogQL read it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _moment(text: str) -> dt.datetime:
    """A time of a log to the microsecond; nine digits are cut. The beginning of time where it is none."""
    try:
        return dt.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).astimezone(dt.UTC)
    except ValueError:
        return dt.datetime.fromtimestamp(0, dt.UTC)


def _nanoseconds(moment: dt.datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
