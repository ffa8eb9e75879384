"""A system made up for practice: requests over hours with load that wanders, storms of one instance, and an incident whose cause is known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Texts = NDArray[np.object_]
Numbers = NDArray[np.float64]
BEGINS = pd.Timestamp("2026-01-05T08:00:00Z")
# A new revision takes over this long before the incident begins: later is not because.
REVISION_BEFORE_S = 1200.0
STORM_S, STORM_SHARE = 20.0, 0.5
SAID_BY_STORM, SAID_BY_INCIDENT = "upstream reset before headers", "Decode failed: unexpected frame of client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Requests of one client version in one region that fail.

    begins_s: since the beginning. share: of them that fail.
    """

    begins_s: float
    share: float
    client: str = "2.3"
    region: str = "eu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """The requests in the order of time. at_s: since the beginning. given: what is known of each when it comes in, by name. said: its error, else empty."""

    at_s: Numbers
    status: NDArray[np.int64]
    given: dict[str, Texts]
    said: Texts


def requests(
    seed: int,
    *,
    hours: float,
    count: int,
    storms_an_hour: float = 4.0,
    background: float = 0.004,
    incident: Incident | None = None,
) -> Practice:
    """The requests of a system; the same for the same arguments."""
    rng = np.random.default_rng(seed)
    length_s = hours * 3600
    at_s = _arrivals(rng, count, length_s)
    given = _given(rng, at_s, length_s if incident is None else incident.begins_s)
    bad = rng.random(count) < background
    for begins in rng.uniform(0, length_s, rng.poisson(storms_an_hour * hours)):
        during = (at_s >= begins) & (at_s < begins + STORM_S)
        if during.any():
            struck = rng.choice(np.unique(given["instance"][during].astype(str)))
            bad |= during & (given["instance"] == struck) & (rng.random(count) < STORM_SHARE)
    hit = np.zeros(count, dtype=bool)
    if incident is not None:
        meant = (given["client"] == incident.client) & (given["region"] == incident.region)
        hit = meant & (at_s >= incident.begins_s) & (rng.random(count) < incident.share)
    said = np.where(hit, SAID_BY_INCIDENT, np.where(bad, SAID_BY_STORM, "")).astype(object)
    return Practice(at_s=at_s, status=np.where(bad | hit, 500, 200), given=given, said=said)


def _arrivals(rng: np.random.Generator, count: int, length_s: float) -> Numbers:
    """Moments of arrival at a rate that wanders: a wave, and noise that remembers."""
    steps = int(length_s // 10)
    noise, level = np.empty(steps), 0.0
    for step, push in enumerate(rng.normal(0, 0.08, steps)):
        level = 0.98 * level + push
        noise[step] = level
    rate = np.exp(0.3 * np.sin(np.linspace(0, 3, steps)) + noise)
    chosen = rng.choice(steps, count, p=rate / rate.sum())
    return np.sort(chosen * 10 + rng.random(count) * 10)


def _given(rng: np.random.Generator, at_s: Numbers, incident_s: float) -> dict[str, Texts]:
    count = len(at_s)

    def some(names: list[str], weights: Numbers) -> Texts:
        return np.array(names, dtype=object)[rng.choice(len(names), count, p=weights / weights.sum())]

    def falling(number: int) -> Numbers:
        return np.asarray(1 / np.arange(1, number + 1) ** 1.1)

    revision = np.where(at_s < incident_s - REVISION_BEFORE_S, "api-00041", "api-00042").astype(object)
    number = rng.integers(0, 6, count).astype(str).astype(object)
    return {
        "path": some(
            [f"/api/{name}" for name in "abcdefghijklmnopqrstuvwxyz"] + ["/ws", "/cart"], falling(28)
        ),
        "user": some([f"user_{number}" for number in range(2000)], falling(2000)),
        "address": some([f"192.0.2.{number}" for number in range(1, 201)], falling(200)),
        "region": some(["us", "eu", "ap"], np.array([0.6, 0.3, 0.1])),
        "client": some(["2.1", "2.2", "2.3"], np.array([0.3, 0.5, 0.2])),
        "agent": some(
            ["chrome", "firefox", "safari", "okhttp", "curl"], np.array([0.5, 0.2, 0.15, 0.1, 0.05])
        ),
        "revision": revision,
        "instance": revision + "-" + number,
    }


def write(made: Practice, to: Path) -> None:
    """Writes the requests as Cloud Logging entries, one JSON object a line, each error with a line of its own."""
    rng = np.random.default_rng(len(made.at_s))
    latencies = rng.lognormal(-3, 0.6, len(made.at_s))
    given = made.given
    with to.open("w", encoding="utf-8") as file:
        for row, at_s in enumerate(made.at_s.tolist()):
            trace = f"{rng.integers(1, 2**62):032x}"
            common = {
                "resource": {
                    "type": "cloud_run_revision",
                    "labels": {"service_name": "api", "revision_name": given["revision"][row]},
                },
                "trace": f"projects/practice/traces/{trace}",
            }
            labels = {"instanceId": given["instance"][row], "region": given["region"][row], "client": given["client"][row], "user_id": given["user"][row]}  # fmt: skip
            status = int(made.status[row])
            request = {
                "requestMethod": "GET", "requestUrl": f"https://api.example.com{given['path'][row]}", "status": status,
                "latency": f"{latencies[row]:.6f}s", "userAgent": given["agent"][row], "remoteIp": given["address"][row], "protocol": "HTTP/1.1",
            }  # fmt: skip
            entry = {"timestamp": _stamp(at_s), "severity": "ERROR" if status >= 500 else "INFO", "httpRequest": request, "labels": labels, "insertId": f"r{row}", **common}  # fmt: skip
            file.write(json.dumps(entry) + "\n")
            if made.said[row]:
                said = {"timestamp": _stamp(at_s + 0.01), "severity": "ERROR", "textPayload": f"{made.said[row]} {labels['user_id']}", "labels": {"instanceId": labels["instanceId"]}, "insertId": f"e{row}", **common}  # fmt: skip
                file.write(json.dumps(said) + "\n")


def _stamp(at_s: float) -> str:
    return (BEGINS + pd.Timedelta(seconds=at_s)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def incident(to: Path) -> Path:
    """Writes the log of the incident that an incident notebook opens with when nothing is given; gives its path back."""
    made = requests(5, hours=6, count=24_000, incident=Incident(begins_s=5.75 * 3600, share=0.4))
    write(made, to)
    return to
