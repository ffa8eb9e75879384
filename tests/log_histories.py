"""Logs with the rhythms of real ones: days, weeks, bursts, jobs, deployments, revisions, levels, endpoints and clients; and how they are judged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from builders import json_lines

from proofbook import paths
from proofbook.collect.logs import past
from proofbook.collect.logs.recorder import record
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.sources import LogSource
from proofbook.evidence import store
from proofbook.judge.findings import Finding
from proofbook.validation import Assessment

# A Thursday, at midnight.
START = pd.Timestamp("2026-01-01T00:00:00Z")
HOUR, DAY, WEEK = 60.0, 1440.0, 7 * 1440.0
SYMPTOM = "RecursionError: too deep"

# A number per minute, or one of the minute.
Rate = float | Callable[[float], float]


@dataclass(kw_only=True)
class History:
    """A log as it grows; times are minutes since START."""

    seed: int = 1
    entries: list[dict[str, Any]] = field(default_factory=list)
    _made: int = 0

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def say(self, at: float, body: str, *, severity: str | None = "INFO", revision: str | None = None, trace: str = "", **more: Any) -> None:  # fmt: skip
        """One message."""
        self._add(
            at, revision, trace, {"textPayload": body, **({"severity": severity} if severity else {}), **more}
        )

    def ask(self, at: float, url: str = "/api/chat", *, status: int = 200, revision: str | None = None, trace: str = "", client: str = "", agent: str = "Mozilla/5.0") -> None:  # fmt: skip
        """One request."""
        asked = {"status": status, "requestMethod": "GET", "requestUrl": url, "userAgent": agent}
        self._add(at, revision, trace, {"httpRequest": asked | ({"remoteIp": client} if client else {}), "severity": "ERROR" if status >= 500 else "INFO"})  # fmt: skip

    def traffic(
        self,
        start: float,
        end: float,
        *,
        per_min: Rate = 4.0,
        revision: str | None = "r-1",
        faults: Rate = 0.0,
        url: str = "/api/chat",
        symptom: str | None = SYMPTOM,
        severity: str = "ERROR",
        status: int = 500,
        says: float = 1.0,
        client: str = "",
        said: str = "answered in {} ms",
        agent: str = "Mozilla/5.0",
    ) -> History:
        """Requests at random, each with a message (`says`: the share of these that are written), a share of which meets the fault.

        symptom: what is written of a fault; None: nothing.
        """
        for at in self.times(start, end, per_min):
            trace = self._trace()
            hit = self.random.random() < (faults(at) if callable(faults) else faults)
            self.ask(at, url, status=status if hit else 200, revision=revision, trace=trace, client=client, agent=agent)  # fmt: skip
            if self.random.random() < says:
                self.say(at + 0.001, said.format(int(self.random.integers(10, 99))), revision=revision, trace=trace)  # fmt: skip
            if hit and symptom is not None:
                self.say(at + 0.002, symptom, severity=severity, revision=revision, trace=trace)
        return self

    def messages(self, start: float, end: float, body: str, *, per_min: Rate, severity: str | None = "INFO", revision: str | None = None) -> History:  # fmt: skip
        """Messages of no request, at random."""
        for at in self.times(start, end, per_min):
            self.say(at, body.format(int(self.random.integers(10, 99))), severity=severity, revision=revision)
        return self

    def health_checks(self, start: float, end: float, *, every: float = 0.2, revision: str | None = None) -> History:  # fmt: skip
        """Requests of a health checker."""
        for at in np.arange(start, end, every):
            self.ask(float(at), "/healthz", revision=revision, trace=self._trace(), agent="kube-probe/1.29")
        return self

    def bursts(self, at: Iterable[float], *, size: int = 10, body: str = SYMPTOM, severity: str = "ERROR", revision: str | None = None) -> History:  # fmt: skip
        """Messages of a job that fails, `size` of them within a minute from each time."""
        for begun in at:
            for n in range(size):
                self.say(begun + n / (2 * size), body, severity=severity, revision=revision)
        return self

    def times(self, start: float, end: float, per_min: Rate) -> list[float]:
        """Times of a Poisson process, in order."""
        most = max(per_min(at) for at in np.arange(start, end, 5.0)) if callable(per_min) else per_min
        count = self.random.poisson(most * (end - start)) if most > 0 else 0
        drawn = np.sort(self.random.uniform(start, end, count))
        if not callable(per_min):
            return [float(at) for at in drawn]
        return [float(at) for at in drawn if self.random.random() < per_min(float(at)) / most]

    def _trace(self) -> str:
        self._made += 1
        return f"{self.seed:08x}{self._made:024x}"

    def _add(self, at: float, revision: str | None, trace: str, said: dict[str, Any]) -> None:
        self._made += 1
        entry = {
            "timestamp": (START + pd.Timedelta(minutes=at)).isoformat(),
            "insertId": f"{self._made}",
            "resource": {"labels": {"service_name": "backend"} | ({"revision_name": revision} if revision else {})},
        }  # fmt: skip
        self.entries.append(entry | ({"trace": f"projects/p/traces/{trace}"} if trace else {}) | said)


def by_day(day: float, night: float) -> Callable[[float], float]:
    """A rate of office hours: `day` from 08:00 to 18:00, else `night`."""
    return lambda at: day if 8 <= (at % DAY) / HOUR < 18 else night


def on_weekdays(busy: float, quiet: float) -> Callable[[float], float]:
    """A rate of working days: `busy` from Monday to Friday, else `quiet`; the first day is a Thursday."""
    return lambda at: quiet if int(at // DAY) % 7 in (2, 3) else busy


def minute(at: float) -> dt.datetime:
    """That minute as a time."""
    return (START + pd.Timedelta(minutes=at)).to_pydatetime()


def recorded(history: History, folder: Path, *, pattern: str = "RecursionError", base: Path | None = None) -> None:  # fmt: skip
    """The history written to a file and read as a run reads it, kept as evidence in the folder. base: a workspace with earlier runs."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = sorted(history.entries, key=lambda entry: str(entry["timestamp"]))
    (folder / "log.json").write_text(json_lines(*entries))
    tables, problems = record([LogSource(name="log", file="log.json")], [pattern], base=folder, folder=folder)
    assert not problems, problems
    if base is not None and (earlier := past.read("e", tables, base=base, without=folder)) is not None:
        tables["log_past"] = earlier
    ended = dt.datetime.fromisoformat(str(entries[-1]["timestamp"])) + dt.timedelta(seconds=1)
    phase = store.Phase(started=ended, ended=ended + dt.timedelta(seconds=1))
    store.write_phase(folder, environment="e", phase="after", tables=tables, recorded=phase)


def between(history: History, start: float, end: float) -> History:
    """What was written from one minute to another."""
    begin, over = (START + pd.Timedelta(minutes=at) for at in (start, end))
    found = History(seed=history.seed)
    found.entries = [entry for entry in history.entries if begin <= pd.Timestamp(entry["timestamp"]) < over]
    return found


def earlier_runs(history: History, base: Path, spans: Iterable[tuple[float, float]], *, pattern: str = "RecursionError", environment: str = "e") -> None:  # fmt: skip
    """A run of the workspace for each span of minutes, which read what was written then; the history is read once for all."""
    whole = base / "whole"
    recorded(history, whole, pattern=pattern)
    tables = {
        name: store.read(whole).table(name) for name in store.read(whole).manifest.phases["after"].tables
    }
    for start, end in spans:
        begin, over = (START + pd.Timedelta(minutes=at) for at in (start, end))
        mine = {
            name: table[(table["first"] >= begin) & (table["first"] < over)] if "bucket" in table else table
            for name, table in tables.items()
            if table is not None and name != "logs"
        }
        folder = paths.outputs(base) / environment / f"{over:%Y%m%dT%H%M%SZ}-{len(mine):04x}" / "evidence"
        phase = store.Phase(started=over.to_pydatetime(), ended=over.to_pydatetime())
        store.write_phase(folder, environment=environment, phase="after", tables=dict(mine), recorded=phase)


def assessed(folder: Path, *, deployed: float | None = None, revision: str | None = None, pattern: str = "RecursionError") -> Assessment:  # fmt: skip
    """What `recorded` kept, with a case that says that the symptom is gone."""
    stated = {"time": None if deployed is None else minute(deployed), "revision": revision}
    deployment = {key: value for key, value in stated.items() if value is not None}
    case = Case.model_validate({
        "fix": [{"title": "Depth", "symptom": [{"log": pattern}]}],
        **({"deployment": deployment} if deployment else {}),
    })  # fmt: skip
    environment = Environment.model_validate({"name": "e", "log": [{"name": "log", "file": "log.json"}]})
    return Assessment.of(environment, case, store.read(folder), base=folder)


def judged(history: History, folder: Path, *, base: Path | None = None, **more: Any) -> Finding:
    """What is said of "the symptom is gone" from that history alone, and from earlier runs of the workspace where one is given."""
    recorded(history, folder, base=base)
    found = assessed(folder, **more)
    [check] = [item for item in found.checks.values() if item.kind == "fix"]
    return found.judge(check)
