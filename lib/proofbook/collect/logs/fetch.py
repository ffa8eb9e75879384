"""Fetches a log by its short name, with the query that fits: bounds of time, oldest first, page by page, and patiently.

A source that cannot be read whole is read in two ways: everything that the patterns match, which the server looks for, and
a few entries of every slice of the window, which show that the log was alive throughout.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from proofbook.collect.logs.sources import Command, Entry, LogRequest, Query, QuotaExhausted, Server
from proofbook.concurrency import subprocesses, sync
from proofbook.config.log_uri import LOG_SOURCES, LogPlace
from proofbook.errors import CouldNotLook, ProofbookError
from proofbook.redaction.scrubbing import scrub

# Beyond so many entries a source is not read whole.
MAX_ENTRIES = 50_000
SLICES = 24
ENTRIES_A_SLICE = 20
MAX_PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A log as a file. sampled_s: how long the slices are of which only some entries were read; None where all were. note: what went wrong."""

    path: Path
    shown: str
    sampled_s: float | None = None
    note: str = ""


def fetch(
    place: LogPlace, request: LogRequest, *, to: Path, sleep: Callable[[float], None] = time.sleep
) -> Fetched:
    """Writes the entries of a window to the file `to`.

    Raises:
        CouldNotLook: the program is not installed, the source is not there, or it gave nothing.
        ExtensionError: the code of another package did what it must not.
    """
    with blame(place.scheme):
        way, read = LOG_SOURCES.get(place.scheme).way()
        given = read(place, request)
    if way == "server":
        return _by_pages(given, place=place, request=request, to=to, sleep=sleep)
    if way == "commands":
        commands = _checked_commands(given, scheme=place.scheme)
        return _by_commands(commands, request=request, to=to)
    return _by_entries(given, place=place, request=request, to=to)


@contextlib.contextmanager
def blame(scheme: str) -> Iterator[None]:
    """Lets whatever the code of another package raises name the log source and the package."""
    try:
        yield
    except (ProofbookError, QuotaExhausted):
        raise
    except Exception as error:
        if LOG_SOURCES.is_ours(scheme):
            raise
        said = scrub(next(iter(str(error).splitlines()), ""))[:200]
        raise LOG_SOURCES.failed(
            scheme, f"it cannot be read ({type(error).__name__}{said and ': '}{said})"
        ) from error


def _checked_commands(given: object, *, scheme: str) -> Sequence[Command]:
    if isinstance(given, list) and given and all(isinstance(item, Command) for item in given):
        return given
    wrong = given[0] if isinstance(given, list) and given else given
    raise LOG_SOURCES.failed(scheme, f"expected commands, got {type(wrong).__name__}")


def _by_commands(commands: Sequence[Command], *, request: LogRequest, to: Path) -> Fetched:
    with to.open("wb") as out:
        for command in commands:
            output = to.with_suffix(".part")
            subprocesses.run(
                command.words,
                base=request.base,
                to=output,
                timeout_s=request.timeout_s,
                both=command.both,
                may_fail=command.may_fail,
            )
            out.write(output.read_bytes())
            output.unlink()
    if to.stat().st_size == 0:
        raise CouldNotLook(
            f"{subprocesses.shown(commands[0].words)} printed nothing between {_span(request)}"
        )
    return Fetched(path=to, shown=Path(commands[0].words[0]).name)


def _by_entries(given: Iterable[object], *, place: LogPlace, request: LogRequest, to: Path) -> Fetched:
    """Entries as they come, up to as many as are wanted; a line of text is an entry too, or the next line of one."""
    shown, note, count = f"{place.scheme}:", "", 0
    with to.open("w", encoding="utf-8", errors="replace") as out, blame(place.scheme):
        for entry in given:
            if count == request.most:
                note = f"{shown} holds more than {count:,} entries; the others were not read"
                break
            out.write(_line_of(entry, scheme=place.scheme) + "\n")
            count += 1
    if not count:
        raise CouldNotLook(f"{shown} holds no entries between {_span(request)}")
    return Fetched(path=to, shown=shown, note=note)


def _line_of(entry: object, *, scheme: str) -> str:
    if isinstance(entry, str):
        return entry.rstrip("\r\n")
    if isinstance(entry, Mapping):
        return json.dumps(entry, ensure_ascii=False, default=str)
    raise LOG_SOURCES.failed(
        scheme, f"expected entries as JSON objects or as lines of text, got {type(entry).__name__}"
    )


def _span(request: LogRequest) -> str:
    return f"{request.since:%Y-%m-%d %H:%M} and {request.until:%Y-%m-%d %H:%M} UTC"


def _by_pages(
    server: Server, *, place: LogPlace, request: LogRequest, to: Path, sleep: Callable[[float], None]
) -> Fetched:
    patient = _Patient(server, scheme=place.scheme, sleep=sleep)
    since, until, most = request.since, request.until, request.most
    sampled_s, note, count = None, "", 0
    with to.open("w", encoding="utf-8", errors="replace") as out:

        def write(entries: Sequence[Entry]) -> None:
            nonlocal count
            count += len(entries)
            out.writelines(json.dumps(entry, ensure_ascii=False, default=str) + "\n" for entry in entries)

        try:
            for entries in _pages(patient, Query(since=since, until=until, most=server.page)):
                write(entries)
                if count >= most:
                    break
            else:
                return _given(server, to, count, request, note=patient.note)
            # Too much to read whole.
            out.seek(0)
            out.truncate()
            count, sampled_s = 0, (until - since).total_seconds() / SLICES
            if request.patterns:
                matching = Query(since=since, until=until, holding=request.patterns, most=server.page)
                for entries in _pages(patient, matching):
                    write(entries)
                    if count >= most:
                        note = f"{server.shown} holds more than {most:,} entries that match; those after {patient.when(entries[-1]):%H:%M:%S} UTC were not read"
                        break
            for number in range(SLICES):
                start = since + number * dt.timedelta(seconds=sampled_s)
                end = min(until, start + dt.timedelta(seconds=sampled_s))
                alive = Query(since=start, until=end, most=ENTRIES_A_SLICE)
                write(patient.ask(alive))
        except QuotaExhausted:
            note = f"{server.shown} refused more after {count:,} entries: its quota is exhausted; wait a minute, or narrow the window"
    return _given(server, to, count, request, note=note or patient.note, sampled_s=sampled_s)


def _given(
    server: Server, to: Path, count: int, request: LogRequest, *, note: str, sampled_s: float | None = None
) -> Fetched:
    if not count:
        raise CouldNotLook(note or f"{server.shown} holds no entries between {_span(request)}")
    return Fetched(path=to, shown=server.shown, sampled_s=sampled_s, note=note)


class _Patient:
    """Asks again, later each time, where the server's quota is exhausted."""

    def __init__(self, server: Server, *, scheme: str, sleep: Callable[[float], None]) -> None:
        self.server, self.scheme, self._sleep, self._slept_s = server, scheme, sleep, 0.0
        self.note = ""

    def ask(self, query: Query) -> list[Entry]:
        wait = 2.0
        while True:
            sync.raise_if_stopped()
            try:
                with blame(self.scheme):
                    return _checked(self.server.ask(query), scheme=self.scheme)
            except QuotaExhausted as error:
                asked = wait if error.retry_after_s is None else error.retry_after_s
                if self._slept_s + asked > MAX_PATIENCE_S:
                    raise
                self._sleep(asked)
                self._slept_s += asked
                wait *= 2

    def when(self, entry: Entry) -> dt.datetime:
        """The time of an entry."""
        with blame(self.scheme):
            return self.server.when(entry).astimezone(dt.UTC)


def _checked(found: list[Entry], *, scheme: str) -> list[Entry]:
    if isinstance(found, list) and all(isinstance(entry, dict) for entry in found):
        return found
    given = (
        next((item for item in found if not isinstance(item, dict)), None)
        if isinstance(found, list)
        else found
    )
    raise LOG_SOURCES.failed(
        scheme, f"expected a list of entries as JSON objects, got {type(given).__name__}"
    )


def _pages(patient: _Patient, query: Query) -> Iterator[list[Entry]]:
    """The entries of a query, page after page; what lies at the edge of two pages is given once."""
    server, since, most, at_edge = patient.server, query.since, query.most, set[str]()
    while True:
        found = patient.ask(Query(since=since, until=query.until, holding=query.holding, most=most))
        full = len(found) >= min(most, server.largest)
        fresh = [entry for entry in found if json.dumps(entry, sort_keys=True, default=str) not in at_edge]
        if fresh:
            yield fresh
        if not full:
            return
        last = patient.when(found[-1])
        if fresh and last > since:
            since = last
        elif most < server.largest:
            # More entries at one moment than a page holds.
            most *= 2
        else:
            patient.note = f"{server.shown} holds more entries at {last:%H:%M:%S.%f} UTC than it gives at once; some were not read"
            since = last + dt.timedelta(microseconds=1)
        at_edge = {
            json.dumps(entry, sort_keys=True, default=str) for entry in found if patient.when(entry) == last
        }
