"""Servers of logs that answer queries, page by page: Cloud Logging and Loki."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from proofbook.collect.session import describe, is_loopback, name_not_found, seconds_of
from proofbook.concurrency import subprocesses
from proofbook.concurrency.subprocesses import ProgramFailed
from proofbook.config.log_uri import LogPlace
from proofbook.errors import CouldNotLook
from proofbook.redaction.scrubbing import scrub

_QUOTA = re.compile(r"RESOURCE_EXHAUSTED|[Qq]uota exceeded|[Rr]ate ?limit|Too Many Requests|\b429\b")

Entry = dict[str, Any]


class QuotaExhausted(Exception):
    """The server wants to be asked later."""

    def __init__(self, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("quota exhausted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Entries from one time to another, oldest first; `holding`: only those that one of these patterns matches."""

    since: dt.datetime
    until: dt.datetime
    holding: tuple[str, ...] = ()
    most: int


class Server(Protocol):
    """A log that answers queries, page by page. largest: how many entries it gives at once at most."""

    shown: str
    page: int
    largest: float

    def ask(self, query: Query) -> list[Entry]:
        """At most `query.most` entries, oldest first."""

    def when(self, entry: Entry) -> dt.datetime:
        """The time of an entry."""


class Gcloud:
    """Cloud Logging, through gcloud, which by itself reads one day, newest first."""

    page = 5_000
    largest = math.inf

    def __init__(self, place: LogPlace, *, base: Path, timeout_s: float) -> None:
        self._project, self._service = place.first, place.second
        self._base, self._timeout_s = base, timeout_s
        self.shown = f"gcp:{place.first}/{place.second}"

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
            found = json.loads(text or "[]")
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

    def when(self, entry: Entry) -> dt.datetime:
        return _moment(str(entry.get("timestamp", "")))


class Loki:
    """Grafana's Loki, by its query API. Credentials come from the variables that its own logcli reads."""

    page = 5_000

    def __init__(self, place: LogPlace, *, timeout_s: float) -> None:
        self.largest = math.inf
        self._url, self._selector = place.first, place.second
        self.shown = f"loki:{urlsplit(place.first).netloc}"
        headers, auth = {}, None
        if os.environ.get("LOKI_BEARER_TOKEN"):
            headers["Authorization"] = f"Bearer {os.environ['LOKI_BEARER_TOKEN']}"
        if os.environ.get("LOKI_ORG_ID"):
            headers["X-Scope-OrgID"] = os.environ["LOKI_ORG_ID"]
        if os.environ.get("LOKI_USERNAME"):
            auth = (os.environ["LOKI_USERNAME"], os.environ.get("LOKI_PASSWORD", ""))
        self._client = httpx.Client(
            headers=headers, auth=auth, timeout=timeout_s, trust_env=not is_loopback(place.first)
        )

    def ask(self, query: Query) -> list[Entry]:
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

    def when(self, entry: Entry) -> dt.datetime:
        return _moment(str(entry["time"]))


def _entry(nanoseconds: int, line: str, labels: dict[str, str]) -> Entry:
    """A line of Loki as structured JSON: a line that is such itself stays so, with Loki's time where it has none."""
    at = dt.datetime.fromtimestamp(nanoseconds // 1_000_000_000, dt.UTC)
    told: Entry = {"time": f"{at:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 1_000_000_000:09d}Z"}
    level = labels.get("level") or labels.get("detected_level") or labels.get("severity")
    try:
        own = json.loads(line) if line.startswith("{") else None
    except ValueError:
        own = None
    if isinstance(own, dict):
        return {**own, **told}
    return {**told, "message": line, **({"level": level} if level and level != "unknown" else {})}


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
