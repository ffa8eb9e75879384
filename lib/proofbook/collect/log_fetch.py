"""Fetches a log by its short name, with the query that fits: bounds of time, oldest first, page by page, and patiently.

A source that cannot be read whole is read in two ways: everything that the patterns match, which the server looks for, and
a few entries of every slice of the window, which show that the log was alive throughout.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from proofbook.collect.session import describe, is_loopback, name_not_found, seconds_of
from proofbook.errors import CouldNotLook
from proofbook.log_places import LogPlace
from proofbook.redaction import scrub

TIMEOUT_S = 120.0
# Beyond so many entries a source is not read whole.
MOST_ENTRIES = 50_000
SLICES = 24
ENTRIES_A_SLICE = 20
LONGEST_PATIENCE_S = 90.0
_QUOTA = re.compile(r"RESOURCE_EXHAUSTED|[Qq]uota exceeded|[Rr]ate ?limit|Too Many Requests|\b429\b")

Entry = dict[str, Any]


class QuotaExhausted(Exception):
    """The server wants to be asked later; never leaves this module."""

    def __init__(self, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("quota exhausted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A log as a file. sampled_s: how long the slices are of which only some entries were read; None where all were. note: what went wrong."""

    path: Path
    shown: str
    sampled_s: float | None = None
    note: str = ""


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

    def quiet(self, entry: Entry) -> Entry:
        """An entry that tells only that the log was alive: not counted as a request, of which only some were read."""


def fetch(
    place: LogPlace,
    *,
    since: dt.datetime,
    until: dt.datetime,
    patterns: Sequence[str],
    base: Path,
    to: Path,
    timeout_s: float = TIMEOUT_S,
    most: int = MOST_ENTRIES,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Writes the entries of a window to the file `to`.

    Raises:
        CouldNotLook: the program is not installed, the source is not there, or it gave nothing.
    """
    if place.kind in ("gcp", "loki"):
        server: Server = (
            Gcloud(place, base=base, timeout_s=timeout_s)
            if place.kind == "gcp"
            else Loki(place, timeout_s=timeout_s)
        )
        return _by_pages(server, since=since, until=until, patterns=patterns, to=to, most=most, sleep=sleep)
    commands = {"k8s": _kubectl, "docker": _docker, "journald": _journalctl}[place.kind](place, since, until)
    with to.open("wb") as out:
        for command in commands:
            output = to.with_suffix(".part")
            run(
                command.words,
                base=base,
                to=output,
                timeout_s=timeout_s,
                both=command.both,
                may_fail=command.may_fail,
            )
            out.write(output.read_bytes())
            output.unlink()
    if to.stat().st_size == 0:
        raise CouldNotLook(
            f"{shown(commands[0].words)} printed nothing between {since:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M} UTC"
        )
    return Fetched(path=to, shown=Path(commands[0].words[0]).name)


# Pages --------------------------------------------------------------------------------------------------------------


def _by_pages(
    server: Server,
    *,
    since: dt.datetime,
    until: dt.datetime,
    patterns: Sequence[str],
    to: Path,
    most: int,
    sleep: Callable[[float], None],
) -> Fetched:
    patient = _Patient(server, sleep=sleep)
    sampled_s, note, count = None, "", 0
    with to.open("w", encoding="utf-8", errors="replace") as out:

        def write(entries: Sequence[Entry]) -> None:
            nonlocal count
            count += len(entries)
            out.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)

        try:
            for entries in _pages(patient, Query(since=since, until=until, most=server.page)):
                write(entries)
                if count >= most:
                    break
            else:
                return _given(server, to, count, since, until, note=patient.note)
            # Too much to read whole.
            out.seek(0)
            out.truncate()
            count, sampled_s = 0, (until - since).total_seconds() / SLICES
            if patterns:
                matching = Query(since=since, until=until, holding=tuple(patterns), most=server.page)
                for entries in _pages(patient, matching):
                    write(entries)
                    if count >= most:
                        note = f"{server.shown} holds more than {most:,} entries that match; those after {server.when(entries[-1]):%H:%M:%S} UTC were not read"
                        break
            for number in range(SLICES):
                start = since + number * dt.timedelta(seconds=sampled_s)
                end = min(until, start + dt.timedelta(seconds=sampled_s))
                alive = Query(since=start, until=end, most=ENTRIES_A_SLICE)
                write([server.quiet(entry) for entry in patient.ask(alive)])
        except QuotaExhausted:
            note = f"{server.shown} refused more after {count:,} entries: its quota is exhausted; wait a minute, or narrow the window"
    fetched = _given(server, to, count, since, until, note=note)
    return Fetched(path=to, shown=fetched.shown, sampled_s=sampled_s, note=note)


def _given(
    server: Server, to: Path, count: int, since: dt.datetime, until: dt.datetime, *, note: str = ""
) -> Fetched:
    if not count:
        raise CouldNotLook(
            note
            or f"{server.shown} holds no entries between {since:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M} UTC"
        )
    return Fetched(path=to, shown=server.shown, note=note)


class _Patient:
    """Asks again, later each time, where the server's quota is exhausted."""

    def __init__(self, server: Server, *, sleep: Callable[[float], None]) -> None:
        self.server, self._sleep, self._slept_s = server, sleep, 0.0
        self.note = ""

    def ask(self, query: Query) -> list[Entry]:
        wait = 2.0
        while True:
            try:
                return self.server.ask(query)
            except QuotaExhausted as error:
                asked = wait if error.retry_after_s is None else error.retry_after_s
                if self._slept_s + asked > LONGEST_PATIENCE_S:
                    raise
                self._sleep(asked)
                self._slept_s += asked
                wait *= 2


def _pages(patient: _Patient, query: Query) -> Iterator[list[Entry]]:
    """The entries of a query, page after page; what lies at the edge of two pages is given once."""
    server, since, most, at_edge = patient.server, query.since, query.most, set[str]()
    while True:
        found = patient.ask(Query(since=since, until=query.until, holding=query.holding, most=most))
        full = len(found) >= min(most, server.largest)
        fresh = [entry for entry in found if json.dumps(entry, sort_keys=True) not in at_edge]
        if fresh:
            yield fresh
        if not full:
            return
        last = server.when(found[-1])
        if fresh and last > since:
            since = last
        elif most < server.largest:
            # More entries at one moment than a page holds.
            most *= 2
        else:
            patient.note = f"{server.shown} holds more entries at {last:%H:%M:%S.%f} UTC than it gives at once; some were not read"
            since = last + dt.timedelta(microseconds=1)
        at_edge = {json.dumps(entry, sort_keys=True) for entry in found if server.when(entry) == last}


# Servers ------------------------------------------------------------------------------------------------------------


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
        text = output(words, base=self._base, timeout_s=self._timeout_s)
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

    def quiet(self, entry: Entry) -> Entry:
        return {key: value for key, value in entry.items() if key != "httpRequest"}


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

    def quiet(self, entry: Entry) -> Entry:
        return {key: entry[key] for key in ("time", "message", "level") if key in entry}


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


# Commands -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program that prints a log. both: what it writes to standard error is log too."""

    words: list[str] = field(default_factory=list)
    both: bool = False
    may_fail: bool = False


def _kubectl(place: LogPlace, since: dt.datetime, until: dt.datetime) -> list[Command]:
    words = [
        "kubectl", "logs", f"--namespace={place.first}", f"--selector={place.second}", "--all-containers",
        # With a selector it prints ten lines of each pod, and of five pods, by itself.
        "--tail=-1", "--max-log-requests=100", "--timestamps",
        f"--since-time={since:%Y-%m-%dT%H:%M:%SZ}",
    ]  # fmt: skip
    # What a container wrote that has been restarted since: often nobody has, which is no error.
    return [Command(words=words), Command(words=[*words, "--previous"], may_fail=True)]


def _docker(place: LogPlace, since: dt.datetime, until: dt.datetime) -> list[Command]:
    times = [f"--{name}={moment:%Y-%m-%dT%H:%M:%SZ}" for name, moment in (("since", since), ("until", until))]
    return [Command(words=["docker", "logs", "--timestamps", *times, place.first], both=True)]


def _journalctl(place: LogPlace, since: dt.datetime, until: dt.datetime) -> list[Command]:
    words = [
        "journalctl", f"--unit={place.first}", "--output=json", "--no-pager", "--quiet",
        f"--since=@{since.timestamp():.0f}", f"--until=@{until.timestamp():.0f}",
    ]  # fmt: skip
    return [Command(words=[*words, f"--directory={place.folder}"] if place.folder else words)]


def output(words: Sequence[str], *, base: Path, timeout_s: float) -> str:
    """What a program prints.

    Raises:
        QuotaExhausted, CouldNotLook: as `run`.
    """
    done = _done(words, base=base, timeout_s=timeout_s, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        _refused(words, done.returncode, done.stderr)
    text: str = done.stdout.decode("utf-8", "replace")
    return text


def run(
    words: Sequence[str],
    *,
    base: Path,
    to: Path,
    timeout_s: float,
    both: bool = False,
    may_fail: bool = False,
) -> None:
    """Writes what a program prints to a file. It can ask nobody for a password, and is ended with its children when its time is over.

    Raises:
        CouldNotLook: it is not installed, failed, or did not end.
    """
    with to.open("wb") as out:
        errors = subprocess.STDOUT if both else subprocess.PIPE
        done = _done(words, base=base, timeout_s=timeout_s, stdout=out, stderr=errors)
    if done.returncode != 0 and may_fail:
        to.write_bytes(b"")
    elif done.returncode != 0:
        try:
            _refused(words, done.returncode, to.read_bytes()[-2000:] if both else done.stderr)
        except QuotaExhausted:
            raise CouldNotLook(f"{shown(words)}: its quota is exhausted; wait a minute") from None


def shown(words: Sequence[str]) -> str:
    """A command as it stands in a message."""
    return f"the command {' '.join([Path(words[0]).name, *words[1:]])}"


def _done(words: Sequence[str], *, base: Path, timeout_s: float, stdout: Any, stderr: Any) -> Any:
    try:
        # A session of its own has no terminal to ask at, and can be ended as a whole.
        process = subprocess.Popen(
            list(words),
            cwd=base,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise CouldNotLook(f"the program {words[0]} is not installed; the log source needs it") from None
    except OSError as error:
        raise CouldNotLook(f"{shown(words)} cannot be started: {error.strerror}") from None
    try:
        out, errors = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise CouldNotLook(
            f"{shown(words)} did not end within {timeout_s:g} s; does it wait for a login?"
        ) from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return subprocess.CompletedProcess(words, process.returncode, out or b"", errors or b"")


def _refused(words: Sequence[str], code: int, said: bytes) -> None:
    text = said.decode("utf-8", "replace").strip()
    if _QUOTA.search(text):
        raise QuotaExhausted
    raise CouldNotLook(f"{shown(words)} ended with exit code {code}: {_last_line(text)}")


def _first_line(text: str) -> str:
    return scrub(next((line for line in text.splitlines() if line.strip()), "nothing"))[:200]


def _last_line(text: str) -> str:
    return scrub(next((line for line in reversed(text.splitlines()) if line.strip()), "nothing"))[:200]


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
