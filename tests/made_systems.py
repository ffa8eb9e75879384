"""Small systems of services that are made up: who calls whom, how long it takes, what is written, and one fault.

Each seed is another system. Some services are noisy: they are slow or fail for a while though nothing is wrong.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from proofbook.investigation.services.rank import Recorded

BEGUN = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
FAULTS = ("exception", "early return", "slow own time", "slow network", "cpu starved")
NAMES = (
    "front",
    "basket",
    "orders",
    "billing",
    "stock",
    "search",
    "users",
    "mail",
    "prices",
    "routes",
    "seats",
    "audit",
)
TABLES = ("spans", "entries", "measurements")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a service does when it is asked: so much by itself, and these calls in this order."""

    service: str
    name: str
    typical_s: float
    calls: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong at one operation of a service, from which moment on (seconds)."""

    kind: str
    service: str
    at_s: float


@dataclass(slots=True, kw_only=True)
class System:
    """Services with their operations, and the rows that were recorded of them so far."""

    seed: int
    operations: dict[str, list[Operation]]
    noise: dict[str, float]
    fault: Fault | None = None
    spans: list[tuple[object, ...]] = field(default_factory=list)
    entries: list[tuple[object, ...]] = field(default_factory=list)
    measurements: list[tuple[object, ...]] = field(default_factory=list)
    number: int = 0


def made(seed: int, *, services: int = 8) -> System:
    """A system of so many services in layers; the first is asked by users."""
    chance = random.Random(seed)
    names = NAMES[:services]
    operations: dict[str, list[Operation]] = {}
    for place in range(services - 1, -1, -1):
        below = names[max(place + 1, min(place + 1, services)) : place + 5]
        count = 4 if place == 0 else chance.choice([1, 2])
        operations[names[place]] = []
        for number in range(count):
            asked = chance.sample(below, min(len(below), chance.choice([1, 2, 2, 3]))) if below else []
            if place == 0 and below and below[number % len(below)] not in asked:
                asked.append(below[number % len(below)])
            calls = tuple((name, chance.randrange(len(operations[name]))) for name in asked)
            operations[names[place]].append(
                Operation(service=names[place], name=f"do-{names[place]}-{'abcd'[number]}", typical_s=chance.uniform(0.003, 0.03), calls=calls)
            )  # fmt: skip
    noisy = chance.sample(names[1:], 2)
    return System(
        seed=seed, operations=operations, noise={name: 0.3 if name in noisy else 0.0 for name in names}
    )


def reached(system: System) -> list[str]:
    """The services that users reach, without the first."""
    seen: list[str] = []
    ahead = [(operation.service, place) for place, operation in enumerate(system.operations["front"])]
    while ahead:
        service, place = ahead.pop()
        seen.append(service)
        ahead += system.operations[service][place].calls
    return sorted(set(seen) - {"front"})


def run(system: System, *, since_s: float, until_s: float, per_s: float = 1.0) -> None:
    """Records the requests of a stretch of time, and a measurement of each service every 15 seconds."""
    chance = random.Random(f"{system.seed} {since_s}")
    at = since_s
    bad_until = dict.fromkeys(system.operations, -1.0)
    while True:
        at += chance.expovariate(per_s)
        if at >= until_s:
            break
        for name, noise in system.noise.items():
            if noise and chance.random() < 0.01:
                bad_until[name] = at + chance.uniform(5, 20)
        _Request(system, chance, at, bad_until).begin()
    for place in range(int(since_s // 15), int(until_s // 15)):
        for name in system.operations:
            used = chance.lognormvariate(0, 0.3) * 5
            if _wrong(system, name, place * 15.0) == "cpu starved":
                used *= 40
            system.measurements.append((name, f"{name}-0", _time(place * 15.0), "cpu_usage_millicores", used))


def _wrong(system: System, service: str, at: float) -> str:
    fault = system.fault
    return fault.kind if fault and fault.service == service and at >= fault.at_s else ""


def _time(seconds: float) -> dt.datetime:
    return BEGUN + dt.timedelta(seconds=seconds)


class _Request:
    """One request on its way through the services."""

    def __init__(self, system: System, chance: random.Random, at: float, bad_until: dict[str, float]) -> None:
        self.system, self.chance, self.at, self.bad_until = system, chance, at, bad_until
        system.number += 1
        self.trace = f"{system.seed:04x}{system.number:028x}"
        self.spans = 0

    def begin(self) -> None:
        place = self.chance.randrange(len(self.system.operations["front"]))
        self._serve(self.system.operations["front"][place], None, self.at)

    def _span(self) -> str:
        self.spans += 1
        return f"{self.spans:016x}"

    def _took(self, typical_s: float) -> float:
        return typical_s * self.chance.lognormvariate(0, 0.35)

    def _serve(self, operation: Operation, parent: str | None, at: float) -> tuple[float, bool]:
        """When the answer is there, and whether it is an error."""
        service, span = operation.service, self._span()
        wrong = _wrong(self.system, service, self.at)
        is_bad = self.bad_until[service] > self.at
        typical = operation.typical_s * (
            8 if wrong == "slow own time" else 3 if wrong == "cpu starved" or is_bad else 1
        )
        now, failed = at + self._took(typical) / 2, False
        self._say(service, span, now, 9, f"{operation.name} begins for user {self.chance.randrange(10**6)}")
        if wrong == "exception" or (is_bad and self.chance.random() < 0.1):
            failed = True
            self._say(
                service,
                span,
                now,
                17,
                f"{operation.name} failed: no such item {self.chance.randrange(10**6)}",
            )
        elif wrong != "early return":
            for name, place in operation.calls:
                now, failed = self._call(service, span, self.system.operations[name][place], now)
                if failed:
                    self._say(
                        service, span, now, 17, f"{operation.name} gives up, {name} answered with an error"
                    )
                    break
                self._say(service, span, now, 9, f"{operation.name} has what {name} says")
            else:
                self._say(service, span, now, 9, f"{operation.name} is done")
        now += self._took(typical) / 2
        self._add(span, parent, service, operation.name, at, now, failed)
        return now, failed

    def _call(self, caller: str, parent: str, asked: Operation, at: float) -> tuple[float, bool]:
        span = self._span()
        way = self._took(0.002) + (
            0.4 if _wrong(self.system, asked.service, self.at) == "slow network" else 0
        )
        answered, failed = self._serve(asked, span, at + way / 2)
        self._add(span, parent, caller, "HTTP GET", at, answered + way / 2, failed)
        return answered + way / 2, failed

    def _add(
        self, span: str, parent: str | None, service: str, name: str, at: float, until: float, failed: bool
    ) -> None:
        self.system.spans.append(
            (self.trace, span, parent, service, f"{service}-0", name, _time(at), until - at, "error" if failed else None)
        )  # fmt: skip

    def _say(self, service: str, span: str, at: float, severity: int, body: str) -> None:
        self.system.entries.append((_time(at), severity, service, f"{service}-0", self.trace, span, "", body))


# Recorded -----------------------------------------------------------------------------------------------------------

_COLUMNS = {
    "spans": ["trace_id", "span_id", "parent_id", "service", "instance", "operation", "started", "took_s", "status"],
    "entries": [
        "timestamp", "severity_number", "service_name", "service_instance_id", "trace_id", "span_id", "header", "body",
    ],
    "measurements": ["service", "instance", "timestamp", "name", "value"],
}  # fmt: skip
_TEXTS = ("trace_id", "span_id", "parent_id", "service", "instance", "operation", "status")


def frame(system: System, table: str) -> pd.DataFrame:
    """The rows of one of TABLES."""
    found = pd.DataFrame(getattr(system, table), columns=_COLUMNS[table])
    return found.astype({name: "str" for name in _TEXTS if name in found})


def kept(system: System, folder: Path, *, tables: Sequence[str] = TABLES) -> Recorded:
    """What was recorded, as Parquet files in a folder; the system forgets it."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name in TABLES:
        if name in tables and getattr(system, name):
            frame(system, name).to_parquet(folder / f"{name}.parquet")
            paths[name] = (folder / f"{name}.parquet",)
        getattr(system, name).clear()
    return Recorded(**paths)


def exported(system: System, folder: Path) -> Iterator[Path]:
    """What was recorded as others export it: spans as CSV, the log as JSON lines, measurements as CSV; the system forgets it."""
    folder.mkdir(parents=True, exist_ok=True)
    spans = frame(system, "spans")
    out = pd.DataFrame({
        "TraceID": spans["trace_id"], "SpanID": spans["span_id"], "ParentID": spans["parent_id"].fillna("root"), "ServiceName": spans["service"],
        "OperationName": spans["operation"], "StartTimeUnixNano": (spans["started"].astype("int64") // 1000) * 1_000_000,
        "DurationUs": (spans["took_s"] * 1e6).round().astype("int64"), "Status": spans["status"].fillna(""),
    })  # fmt: skip
    out["StartTimeUnixNano"] = [int(value.timestamp() * 1_000_000) * 1000 for value in spans["started"]]
    out.to_csv(folder / "spans.csv", index=False)
    levels = {9: "INFO", 17: "ERROR"}
    with (folder / "app.log").open("w", encoding="utf-8") as file:
        for at, severity, service, instance, trace, span, _, body in system.entries:
            entry = {"time": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", "level": levels[severity], "service": service, "instance": instance, "trace_id": trace, "span_id": span, "message": body}  # fmt: skip
            file.write(json.dumps(entry) + "\n")
    frame(system, "measurements").drop(columns="instance").to_csv(folder / "metrics.csv", index=False)
    for name in TABLES:
        getattr(system, name).clear()
    yield from (folder / name for name in ("spans.csv", "app.log", "metrics.csv"))
