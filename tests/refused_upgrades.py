"""A made-up export of a platform's log: 2,001 entries of a quarter of an hour, newest first, in which a team's own tests are refused over and over, and under that noise something is wrong.

Three services write as platforms and frameworks do: request entries, text without a severity, and JSON. All upgrades of `/ws` are refused, for the
same address each time. From then on a call that checks tokens fails every two minutes.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

COUNT, REFUSED = 2001, 52
BEGINS = dt.datetime(2026, 1, 6, 9, 20, 45, tzinfo=dt.UTC)
LENGTH_S = 884.0
OWN_ADDRESS, OWN_TESTS, SCRIPT = "192.0.2.146", "shop-e2e-tests/1.0", "Python/3.12 websockets/15.0"
BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
INSTANCES = {"gate": "9c1e07", "api": "7fb272", "accounts": "e05d51"}
UNDER_THE_NOISE = "accounts cannot be asked and there is no other way to check a token"


def write(to: Path) -> Path:
    """Writes the export; gives its path back."""
    made = sorted(_entries(random.Random(7)), key=lambda entry: str(entry["timestamp"]), reverse=True)
    to.write_text(json.dumps(made, indent=1), encoding="utf-8")
    return to


def _entries(chance: random.Random) -> Iterator[dict[str, Any]]:
    made = [*_refused(chance), *_noise(chance), *_uptime(chance)]
    while len(made) < COUNT - 3:
        made += _asked(chance, chance.uniform(0, LENGTH_S), path="/health", agent="python-httpx/0.28", address=OWN_ADDRESS)  # fmt: skip
    while len(made) < COUNT:
        made.append(_text(chance.uniform(0, LENGTH_S), "api", "no settings were found, those of the package are used"))  # fmt: skip
    yield from made


def _refused(chance: random.Random) -> Iterator[dict[str, Any]]:
    """The upgrades: a burst of two minutes, and one long after it."""
    burst = [46.0, *sorted(chance.uniform(60, 170) for _ in range(REFUSED - 2)), 795.0]
    agents = [OWN_TESTS] * 37 + [SCRIPT] * 10 + [BROWSER] * 5
    for number, at_s in enumerate(burst):
        why = "no token" if agents[number] == SCRIPT else "the token is not valid"
        yield _request(chance, at_s, "api", path="/ws", status=403, agent=agents[number], address=OWN_ADDRESS)
        yield _json(at_s + 0.002, "api", "WARNING", f"upgrade refused: {why}")
        if why != "no token" and number % 8:
            yield _json(at_s + 0.001, "api", "ERROR", "signature of the token is not ours: do both services have the same key?")  # fmt: skip
        for text in (f'169.254.1.126:{30000 + number} - "WebSocket /ws" 403', "connection rejected (403 Forbidden)", "connection closed"):  # fmt: skip
            yield _text(at_s + 0.003, "api", f"[{_clock(at_s)} +0000] [15] [INFO] {text}")


def _noise(chance: random.Random) -> Iterator[dict[str, Any]]:
    """What the tests ask that is not there, and the call that fails every two minutes."""
    for at_s in sorted(chance.uniform(120, 160) for _ in range(40)):
        path, status = chance.choice([("/api/jobs", 404), ("/api/stats", 404), ("/api/threads", 403), ("/api/run", 422)])  # fmt: skip
        yield from _asked(chance, at_s, path=path, status=status, agent=OWN_TESTS, address=OWN_ADDRESS)
    for number in range(6):
        at_s = 194.0 + 120 * number
        yield _text(at_s, "api", f"{_clock(at_s)} - api.tokens - ERROR - {UNDER_THE_NOISE}")
        yield _request(chance, at_s + 0.1, "accounts", path="/validate", status=200, agent="python-httpx/0.28", address="192.0.2.116")  # fmt: skip


def _uptime(chance: random.Random) -> Iterator[dict[str, Any]]:
    for number in range(90):
        at_s, address = 9.8 * number + chance.random(), f"192.0.2.{1 + chance.randrange(40)}"
        for path, status in (("/chat/", 308), ("/chat", 200)):
            yield _request(chance, at_s, "gate", path=path, status=status, agent="uptime-checks/2", address=address)  # fmt: skip
    for number in range(24):
        yield _request(chance, 12.0 + 36 * number, "accounts", path="/blocked", status=200, agent="python-httpx/0.28", address="192.0.2.116")  # fmt: skip
    for number in range(100):
        yield from _asked(chance, 8.8 * number, path=chance.choice(["/api/servers", "/api/settings"]), agent=BROWSER, address=f"192.0.2.{60 + number % 3}")  # fmt: skip


def _asked(chance: random.Random, at_s: float, *, path: str, agent: str, address: str, status: int = 200) -> Iterator[dict[str, Any]]:  # fmt: skip
    """A request of the api with the two lines that it writes of each."""
    yield _request(chance, at_s, "api", path=path, status=status, agent=agent, address=address)
    yield _json(at_s + 0.001, "api", "INFO", f"Request: GET {path} | Status: {status} | Duration: {chance.uniform(1, 90):.2f}ms | Trace: {_uuid(chance)}")  # fmt: skip
    yield _text(at_s + 0.002, "api", f'169.254.1.126:{chance.randrange(1024, 65000)} - "GET {path} HTTP/1.1" {status}')  # fmt: skip


def _request(chance: random.Random, at_s: float, service: str, *, path: str, status: int, agent: str, address: str) -> dict[str, Any]:  # fmt: skip
    asked = {"requestMethod": "GET", "requestUrl": f"https://{service}.shop.example.com{path}", "status": status, "userAgent": agent, "remoteIp": address, "latency": f"{chance.uniform(0.002, 0.09):.6f}s", "protocol": "HTTP/1.1"}  # fmt: skip
    return _entry(at_s, service, httpRequest=asked, severity="WARNING" if status >= 400 else "INFO", trace=f"projects/shop/traces/{chance.getrandbits(128):032x}")  # fmt: skip


def _text(at_s: float, service: str, text: str) -> dict[str, Any]:
    return _entry(at_s, service, textPayload=text)


def _json(at_s: float, service: str, severity: str, message: str) -> dict[str, Any]:
    return _entry(at_s, service, severity=severity, jsonPayload={"message": message, "context": {"name": "api"}})  # fmt: skip


def _entry(at_s: float, service: str, **more: Any) -> dict[str, Any]:
    at = f"{BEGINS + dt.timedelta(seconds=at_s):%Y-%m-%dT%H:%M:%S.%fZ}"
    resource = {"type": "cloud_run_revision", "labels": {"service_name": service, "revision_name": f"{service}-00083"}}  # fmt: skip
    return {"timestamp": at, "receiveTimestamp": at, "resource": resource, "labels": {"instanceId": INSTANCES[service]}, **more}  # fmt: skip


def _clock(at_s: float) -> str:
    return f"{BEGINS + dt.timedelta(seconds=at_s):%Y-%m-%d %H:%M:%S}"


def _uuid(chance: random.Random) -> str:
    text = f"{chance.getrandbits(128):032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
