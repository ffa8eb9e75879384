"""Reads random mixtures of forms of logs, and prints how many lines were lost, how many patterns missed, and what crashed.

    python benchmarks/mixtures.py --count 10000 --seed 1

A mixture is one to four forms in one file: one after the other, line by line, or cut at its beginning or end. Every line must
be in an entry, a duplicate, or counted as unread; and a mark that one line holds must be found by its pattern, in an entry or
among the lines that were not read. What is wrong is printed with the seed of its mixture.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import datetime as dt
import io
import json
import random
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from proofbook.collect.logs.entries import connect, rows_of
from proofbook.collect.logs.reader import read_logs
from proofbook.config.sources import LogSource

MARK = "mark-of-this-line"
NOW = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
WORDS = (
    "order",
    "placed",
    "failed",
    "user ann",
    "took 12 ms",
    "a, b",
    '"quoted"',
    "ключ",
    "{x}",
    "x=1",
    "|",
    "\\n",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """What makes lines: a source of chance, and the time that goes on with each line."""

    chance: random.Random
    at: list[dt.datetime]

    def time(self) -> dt.datetime:
        self.at[0] += dt.timedelta(seconds=self.chance.choice([0, 0.2, 1, 30]))
        return self.at[0]

    def said(self) -> str:
        return " ".join(self.chance.choices(WORDS, k=self.chance.randint(1, 5)))

    def level(self) -> str:
        return self.chance.choice(["INFO", "ERROR", "warn", "debug", "FATAL"])


def _of_text(form: str) -> Callable[[Source, str], str]:
    return lambda source, said: source.time().strftime(form).replace("@", source.level()) + said


def _object(**named: str) -> Callable[[Source, str], str]:
    def line(source: Source, said: str) -> str:
        at, level = source.time(), source.level()
        values = {
            "time": at.isoformat() + "Z",
            "epoch": int(at.timestamp() * 1000),
            "level": level,
            "said": said,
        }
        return json.dumps(
            {key: values[value] for key, value in named.items()} | {"n": source.chance.randint(0, 9)}
        )

    return line


def _container(source: Source, said: str) -> str:
    piece = source.chance.choice("FFFP")
    return f"{source.time().isoformat()}Z stdout {piece} {said}"


def _docker(source: Source, said: str) -> str:
    return json.dumps({"log": said + "\n", "stream": "stdout", "time": source.time().isoformat() + "Z"})


def _access(source: Source, said: str) -> str:
    said = said.replace('"', "")
    return f'10.0.0.9 - - [{source.time():%d/%b/%Y:%H:%M:%S} +0000] "GET /{said.replace(" ", "-")} HTTP/1.1" 200 12 "-" "{said}"'


def _trace(source: Source, said: str) -> str:
    return f'Traceback (most recent call last):\n  File "/app/a.py", line 3, in f\nValueError: {said}'


def _junk(source: Source, said: str) -> str:
    return source.chance.choice(["", "~~~~", "  indented ", "=== ", "\t", "{", "}", "[1, 2"]) + said


FORMS: dict[str, Callable[[Source, str], str]] = {
    "python": _of_text("%Y-%m-%d %H:%M:%S,123 @ shop: "),
    "iso": _of_text("%Y-%m-%dT%H:%M:%SZ @ "),
    "syslog": _of_text("%b %e %H:%M:%S host app[7]: @ "),
    "german": _of_text("%d.%m.%Y %H:%M:%S [@] "),
    "klog": _of_text("I%m%d %H:%M:%S.000123       1 main.go:3] "),
    "slashes": _of_text("%Y/%m/%d %H:%M:%S [error] 7#7: "),
    "apache": _of_text("[%a %b %d %H:%M:%S.123456 %Y] [core:error] [pid 7] "),
    "logfmt": _of_text("time=%Y-%m-%dT%H:%M:%SZ level=info msg="),
    "json": _object(timestamp="time", level="level", message="said"),
    "pino": _object(level="level", time="epoch", msg="said"),
    "odd keys": _object(Timestamp="time", Level="level", Message="said"),
    "container": _container,
    "docker": _docker,
    "access": _access,
    "traceback": _trace,
    "junk": _junk,
}  # fmt: skip


def mixture(seed: int) -> bytes:
    """The bytes of a mixture; one of its lines holds MARK."""
    chance = random.Random(seed)
    source = Source(chance, [dt.datetime(2026, 3, 1, 10)])
    names = chance.sample(list(FORMS), chance.randint(1, 4))
    count = chance.choice([1, 3, 12, 60])
    marked = chance.randrange(count)
    said = [source.said() + (f" {MARK}" if place == marked else "") for place in range(count)]
    if chance.random() < 0.15:
        text = _in_columns(source, said)
    elif chance.random() < 0.5:
        text = "\n".join(
            FORMS[names[place * len(names) // count]](source, item) for place, item in enumerate(said)
        )
    else:
        text = "\n".join(FORMS[chance.choice(names)](source, item) for item in said)
    data = text.encode() + b"\n" * chance.randint(0, 2)
    if chance.random() < 0.1:
        data = b"\xff\x80" + data
    if chance.random() < 0.1:
        data = data.replace(b"\n", b"\r\n")
    if chance.random() < 0.1:
        # In the middle of a line, and perhaps of a character.
        mark = data.find(MARK.encode())
        data = data[chance.randint(0, max(0, min(mark, 40))) :]
    return data


def _in_columns(source: Source, said: list[str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=source.chance.choice(",;\t"), lineterminator="\n")
    writer.writerow(["time", "level", "pod", "message"])
    writer.writerows([source.time().isoformat() + "Z", source.level(), "p", item] for item in said)
    if source.chance.random() < 0.3:
        out.write("no row at all\n")
    return out.getvalue()


def wrong(seed: int) -> str:
    """What is wrong with how a mixture is read; empty where nothing is."""
    data = mixture(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "log").write_bytes(data)
        try:
            where = LogSource(name="log", file="log", utc_offset="+00:00")
            reading = read_logs(where, base=folder, to=folder / "read.parquet", now=NOW)
            if reading.path is None:
                return (
                    ""
                    if reading.problem and not data.strip(b"\r\n\xff\x80 ")
                    else f"refused: {reading.problem}"
                )
            lines = int(reading.entries["lines"].sum()) if reading.kept else 0
            if lines + reading.duplicates + reading.unparsed != reading.lines:
                return f"{reading.lines} lines, {lines} in entries, {reading.unparsed} unread"
            marked = _marked(reading.path)
        except Exception as error:
            return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return "" if marked else "the mark was not found"


def _marked(path: Path) -> bool:
    """Whether what patterns are looked for in, of entries and of unread lines, holds the mark."""
    text = "coalesce(header, '') || coalesce(body, '')"
    with connect() as engine:
        found = engine.execute(
            f"SELECT count(*) FROM {rows_of(path)} WHERE contains({text}, '{MARK}')"
        ).fetchall()
    return bool(found[0][0])


def main() -> int:
    """1 where anything is wrong."""
    parser = argparse.ArgumentParser(description="Read random mixtures of forms of logs.")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    seeds = range(asked.seed, asked.seed + asked.count)
    with ProcessPoolExecutor(asked.jobs) as pool:
        told = [
            (seed, why) for seed, why in zip(seeds, pool.map(wrong, seeds, chunksize=20), strict=True) if why
        ]
    for seed, why in told:
        print(f"{seed}: {why}")
    print(f"{asked.count:,} mixtures of {len(FORMS)} forms and of columns: {len(told)} wrong")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
