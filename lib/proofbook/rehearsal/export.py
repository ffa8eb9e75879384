"""Prints the rehearsal's log as a platform's export would: `python -m proofbook.rehearsal.export UP_FOLDER`.

An export can mislead in many ways while the service is well; those faults are made here.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from proofbook.probe_marks import PROBE_TRACE

LIMIT = 1000
KEPT_MIN = 10
DELAY_S = 10
CLOCK_OFF_H = 7

Entries = list[dict[str, Any]]


def main() -> None:
    up = Path(sys.argv[1])
    state = json.loads((up / "state.json").read_text(encoding="utf-8"))
    lines = (up / "logs" / "backend.jsonl").read_text(encoding="utf-8").splitlines()
    entries = newest(lines, since=dt.datetime.now(dt.UTC) - dt.timedelta(minutes=KEPT_MIN))
    for fault in state["faults"]:
        if fault in EXPORTS:
            entries = EXPORTS[fault](entries)
    sys.stdout.write("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries))


def newest(lines: list[str], *, since: dt.datetime) -> Entries:
    """The entries written since then, oldest first: what is older was deleted, as platforms do sooner or later."""
    found: Entries = []
    for line in reversed(lines):
        entry = json.loads(line)
        if _time(entry) < since:
            break
        found.append(entry)
    return found[::-1]


def truncated(entries: Entries) -> Entries:
    """An export with a limit stops there, newest first."""
    return entries[::-1][:LIMIT]


def delayed(entries: Entries) -> Entries:
    """What was written last has not arrived yet."""
    now = dt.datetime.now(dt.UTC)
    return [entry for entry in entries if now - _time(entry) > dt.timedelta(seconds=DELAY_S)]


def of_another_environment(entries: Entries) -> Entries:
    """The same service, revision and rhythm, but nothing of what our probes did, and no errors: production instead of staging."""
    return [
        entry
        for entry in entries
        if PROBE_TRACE not in entry.get("trace", "")
        and "proofbook-probe" not in json.dumps(entry)
        and "proofbook-no-such-path" not in json.dumps(entry)
        and entry.get("severity") != "ERROR"
        and "ERROR" not in str(entry.get("textPayload"))
    ]


def without_bodies(entries: Entries) -> Entries:
    """Payloads lost on the way; requests are whole."""
    return [
        {**entry, **{key: type(entry[key])() for key in ("textPayload", "jsonPayload") if key in entry}}
        for entry in entries
    ]


def twice(entries: Entries) -> Entries:
    """Pages that overlap give every entry again."""
    return [entry for one in entries for entry in (one, one)]


def without_severity(entries: Entries) -> Entries:
    """Severities lost on the way, in the text too."""
    return [
        {
            **{key: value for key, value in entry.items() if key != "severity"},
            **(
                {"textPayload": entry["textPayload"].partition("] ")[2] or entry["textPayload"]}
                if "textPayload" in entry
                else {}
            ),
        }
        for entry in entries
    ]


def with_clock_off(entries: Entries) -> Entries:
    """Local time that calls itself UTC."""
    ahead = dt.timedelta(hours=CLOCK_OFF_H)
    return [
        {**entry, **{key: _stamp(_time(entry) + ahead) for key in ("timestamp", "receiveTimestamp")}}
        for entry in entries
    ]


EXPORTS: dict[str, Callable[[Entries], Entries]] = {
    "log-truncated": truncated,
    "log-delayed": delayed,
    "log-of-another-environment": of_another_environment,
    "log-empty-bodies": without_bodies,
    "log-duplicated": twice,
    "log-severity-stripped": without_severity,
    "log-clock-off": with_clock_off,
}


def _time(entry: dict[str, Any]) -> dt.datetime:
    return dt.datetime.fromisoformat(entry["timestamp"])


def _stamp(time: dt.datetime) -> str:
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    main()
