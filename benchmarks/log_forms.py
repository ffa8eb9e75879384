"""Logs in other forms than Cloud Logging's, for `benchmarks/logs.py`: text with tracebacks, access lines, CRI and CSV around JSON."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

Line = Callable[[random.Random, dt.datetime, str], str]
HEADER = {"CSV around JSON": "Timestamp,Pod,Container,Log\n"}
BEGUN = dt.datetime(2026, 11, 1)


def _message(chance: random.Random) -> str:
    number = chance.randrange(10**6)
    return chance.choice(
        [
            f"user user_{number % 1000} placed order {number} for 12.50 EUR",
            f"request GET /api/x/{number} took {number / 1e5:.2f}ms",
            "Message delivered",
            f"pool size {number % 50} of 50",
        ]
    )


def _text(chance: random.Random, at: dt.datetime, traceback: str) -> str:
    begun = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d}"
    if chance.random() < 0.03:
        return f"{begun} ERROR backend.app: failed\n{traceback}ValueError: no such thread {chance.randrange(10**5)}\n"
    return f"{begun} {chance.choice(['INFO', 'DEBUG', 'WARNING'])} backend.app: {_message(chance)}\n"


def _access(chance: random.Random, at: dt.datetime, traceback: str) -> str:
    asked = f'"GET /api/x/{chance.randrange(10**6)} HTTP/1.1" {chance.choice([200] * 30 + [500])} {chance.randrange(5000)}'
    return f'192.0.2.{chance.randrange(250)} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] {asked} "https://shop.example/" "Mozilla/5.0 (X11; Linux x86_64)"\n'


def _object(chance: random.Random, at: dt.datetime, traceback: str) -> str:
    entry = {
        "time": f"{at.isoformat()}Z",
        "level": chance.choice(["info", "warn"]),
        "msg": _message(chance),
        "logger": "backend.app",
        "trace_id": f"{chance.getrandbits(128):032x}",
        "user_id": f"user_{chance.randrange(1000)}",
    }
    if chance.random() < 0.02:
        entry |= {"level": "error", "exception": f"{traceback}ValueError: no such thread"}
    return json.dumps(entry)


def _cri(chance: random.Random, at: dt.datetime, traceback: str) -> str:
    return f"{at.isoformat()}000Z stdout F {_object(chance, at, traceback)}\n"


def _csv(chance: random.Random, at: dt.datetime, traceback: str) -> str:
    out = io.StringIO()
    row = [f"{at.isoformat()}Z", f"shop-{chance.randrange(5)}", "server", _object(chance, at, traceback)]
    csv.writer(out, lineterminator="\n").writerow(row)
    return out.getvalue()


FORMS: dict[str, Line] = {
    "Python text with tracebacks": _text,
    "nginx access": _access,
    "CRI around JSON": _cri,
    "CSV around JSON": _csv,
}


def write(folder: Path, *, megabytes: float, traceback: str) -> Iterator[tuple[str, Path]]:
    """Each form's name and a file of it, which is gone when the next one is asked for."""
    for name, line in FORMS.items():
        chance, at, written = random.Random(3), BEGUN, 0
        path = folder / "form.log"
        with path.open("w", encoding="utf-8") as out:
            out.write(HEADER.get(name, ""))
            while written < megabytes * 1e6:
                at += dt.timedelta(seconds=chance.expovariate(100))
                text = line(chance, at, traceback)
                written += len(text)
                out.write(text)
        yield name, path
        path.unlink()
