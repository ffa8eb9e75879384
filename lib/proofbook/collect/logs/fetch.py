"""Fetches a log by its short name, with the query that fits: bounds of time, oldest first, page by page, and patiently.

A source that cannot be read whole is read in two ways: everything that the patterns match, which the server looks for, and
a few entries of every slice of the window, which show that the log was alive throughout.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from proofbook.collect.logs.servers import Entry, Gcloud, Loki, Query, QuotaExhausted, Server
from proofbook.concurrency import subprocesses, sync
from proofbook.config.log_uri import LogPlace
from proofbook.errors import CouldNotLook

# Beyond so many entries a source is not read whole.
MOST_ENTRIES = 50_000
SLICES = 24
ENTRIES_A_SLICE = 20
LONGEST_PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A log as a file. sampled_s: how long the slices are of which only some entries were read; None where all were. note: what went wrong."""

    path: Path
    shown: str
    sampled_s: float | None = None
    note: str = ""


def fetch(
    place: LogPlace,
    *,
    since: dt.datetime,
    until: dt.datetime,
    patterns: Sequence[str],
    base: Path,
    to: Path,
    timeout_s: float = subprocesses.TIMEOUT_S,
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
            subprocesses.run(
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
            f"{subprocesses.shown(commands[0].words)} printed nothing between {since:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M} UTC"
        )
    return Fetched(path=to, shown=Path(commands[0].words[0]).name)


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
                write(patient.ask(alive))
        except QuotaExhausted:
            note = f"{server.shown} refused more after {count:,} entries: its quota is exhausted; wait a minute, or narrow the window"
    return _given(server, to, count, since, until, note=note or patient.note, sampled_s=sampled_s)


def _given(
    server: Server,
    to: Path,
    count: int,
    since: dt.datetime,
    until: dt.datetime,
    *,
    note: str,
    sampled_s: float | None = None,
) -> Fetched:
    if not count:
        raise CouldNotLook(
            note
            or f"{server.shown} holds no entries between {since:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M} UTC"
        )
    return Fetched(path=to, shown=server.shown, sampled_s=sampled_s, note=note)


class _Patient:
    """Asks again, later each time, where the server's quota is exhausted."""

    def __init__(self, server: Server, *, sleep: Callable[[float], None]) -> None:
        self.server, self._sleep, self._slept_s = server, sleep, 0.0
        self.note = ""

    def ask(self, query: Query) -> list[Entry]:
        wait = 2.0
        while True:
            sync.raise_if_stopped()
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
