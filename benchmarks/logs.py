"""How fast logs are read, counted and compared, beside what else one would use. Prints the table of docs/explanation/measured.md.

    python benchmarks/logs.py            # 400 MB, a million messages: about three minutes
    python benchmarks/logs.py --large    # also 0.1, 1 and 10 GB: time and memory; needs 12 GB of disk
    python benchmarks/logs.py --forms    # only the other forms, 400 MB of each: text, access lines, CRI and CSV around JSON
    python benchmarks/logs.py --counts   # only patterns counted beside a bare scan, in CPU seconds, which others on the machine do not change

Everything is measured in one run on one machine, the least of three; the figures that matter are the ratios. What is not
installed (jq, orjson, Drain3) is left out with a word: `--with-peers` makes an environment of its own for the last two.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

import log_forms

from proofbook.collect.logs import recorder
from proofbook.collect.logs.entries import connect

PATTERNS = ["RecursionError", "Invalid user id", "ModuleNotFoundError", "WebSocket authenticated"]
TRACEBACK = "Traceback (most recent call last):\n" + "".join(
    f'  File "/app/backend/module_{n}.py", line {10 + n}, in function_{n}\n    return step_{n}(value)\n'
    for n in range(8)
)


def write_log(path: Path, *, megabytes: float) -> int:
    """Cloud Logging entries, one a line: two fifths requests, the rest text and JSON payloads, some tracebacks."""
    chance, now, written, count = random.Random(7), dt.datetime(2026, 11, 1, tzinfo=dt.UTC), 0, 0
    wanted = int(megabytes * 1e6)
    with path.open("w", encoding="utf-8", buffering=1 << 20) as out:
        while written < wanted:
            count += 1
            now += dt.timedelta(seconds=chance.expovariate(100))
            line = json.dumps(_entry(chance, now, new=written > wanted / 2)) + "\n"
            written += len(line)
            out.write(line)
    return count


def write_copies(base: Path, path: Path, *, megabytes: float) -> None:
    """A longer log: copies of a shorter one, each with insert ids and days of its own."""
    text = base.read_bytes()
    with path.open("wb") as out:
        for number in range(max(1, round(megabytes * 1e6 / len(text)))):
            day = (dt.date(2026, 1, 1) + dt.timedelta(days=number)).isoformat().encode()
            out.write(
                text.replace(b'"insertId": "', f'"insertId": "{number}-'.encode()).replace(
                    b"2026-11-01T", day + b"T"
                )
            )


def _entry(chance: random.Random, now: dt.datetime, *, new: bool) -> dict[str, object]:
    stamp = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    trace = f"{chance.getrandbits(128):032x}"
    entry: dict[str, object] = {
        "insertId": f"{chance.getrandbits(96):024x}",
        "labels": {"instanceId": f"{chance.getrandbits(3):016x}"},
        "logName": "projects/example-staging/logs/run.googleapis.com%2Fstderr",
        "receiveTimestamp": stamp,
        "resource": {
            "labels": {
                "configuration_name": "backend",
                "location": "europe-west1",
                "project_id": "example-staging",
                "revision_name": "backend-00002-abc" if new else "backend-00001-xyz",
                "service_name": "backend",
            },
            "type": "cloud_run_revision",
        },
        "timestamp": stamp,
    }
    kind = chance.random()
    if kind < 0.4:
        entry |= {
            "severity": "INFO",
            "trace": f"projects/example-staging/traces/{trace}",
            "spanId": trace[:16],
        }
        entry["httpRequest"] = {
            "latency": f"{chance.random() / 10:.9f}s",
            "protocol": "HTTP/1.1",
            "remoteIp": "192.0.2.1",
            "requestMethod": "GET",
            "requestSize": "400",
            "requestUrl": "https://staging.example.com"
            + chance.choice(["/api/threads", "/api/agents", "/health"]),
            "responseSize": "441",
            "serverIp": "192.0.2.2",
            "status": chance.choice([200] * 30 + [500]),
            "userAgent": "example/1.0",
        }
    elif kind < 0.7:
        entry["textPayload"] = chance.choice(
            [
                f"[INFO] WebSocket authenticated user=user_{chance.randrange(1000)}",
                f"[ERROR] Invalid user id format: staging-e2e-user-{chance.randrange(100):03d}",
                f"2026-11-01 12:00:00 - backend.db - WARNING - pool size {chance.randrange(50)} of 50",
            ]
        )
    elif kind < 0.97:
        entry |= {
            "severity": "INFO",
            "trace": f"projects/example-staging/traces/{trace}",
            "spanId": trace[:16],
        }
        entry["jsonPayload"] = {
            "message": chance.choice(
                [
                    "Message delivered",
                    f"Request: GET /api/x/{chance.randrange(10**6)} | Status: 200 | Duration: {chance.random() * 10:.2f}ms",
                    f"Handler cleanup complete. Remaining handlers: {chance.randrange(9)}",
                ]
            ),
            "logger": "backend.app",
            "user_id": f"user_{chance.randrange(1000)}",
        }
    else:
        entry |= {"severity": "ERROR", "trace": f"projects/example-staging/traces/{trace}"}
        entry["textPayload"] = TRACEBACK + chance.choice(
            [
                "RecursionError: maximum recursion depth exceeded",
                f"ValueError: no such thread {chance.randrange(10**5)}",
                "ModuleNotFoundError: No module named 'backend.monitoring'",
            ]
        )
    return entry


def least(work: Callable[[], object], *, times: int = 3) -> float:
    """The least wall time of some runs: what others do on the machine only adds."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def bare_scan(path: Path, *, field: bool) -> Callable[[], object]:
    """DuckDB alone over the same file, one pattern: over raw lines, or over one field of each JSON object."""
    import duckdb

    lines = f"read_csv('{path}', columns={{text: 'VARCHAR'}}, delim='\x02', quote='', escape='', header=false, auto_detect=false)"
    objects = f"read_json('{path}', format='nd', columns={{textPayload: 'VARCHAR'}})"
    query = (
        f"SELECT count(*) FROM {objects} WHERE regexp_matches(textPayload, 'RecursionError')"
        if field
        else f"SELECT count(*) FROM {lines} WHERE regexp_matches(text, 'RecursionError')"
    )
    engine = duckdb.connect()
    return lambda: engine.execute(query).fetchall()


def in_python(python: str, code: str, *arguments: str) -> float:
    """The seconds that a script of its own process says it took, loading left out."""
    done = subprocess.run([python, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


ORJSON = """
import sys, time, re, collections, orjson
patterns = [re.compile(p.encode()) for p in sys.argv[2:]]
began = time.perf_counter()
counts = collections.Counter()
for line in open(sys.argv[1], 'rb'):
    hits = [n for n, p in enumerate(patterns) if p.search(line)]
    if hits:
        minute = orjson.loads(line)['timestamp'][:16]
        for n in hits: counts[(minute, n)] += 1
print(time.perf_counter() - began)
"""
ORJSON_ALL = ORJSON.replace("    hits = [n for n, p in enumerate(patterns) if p.search(line)]\n", "    entry = orjson.loads(line)\n    body = (entry.get('textPayload') or (entry.get('jsonPayload') or {}).get('message') or '').encode()\n    hits = [n for n, p in enumerate(patterns) if p.search(body)]\n").replace("orjson.loads(line)['timestamp']", "entry['timestamp']")  # fmt: skip
PANDAS = """
import sys, time, pandas
began = time.perf_counter()
table = pandas.read_json(sys.argv[1], lines=True)
body = table['textPayload'].fillna('')
minutes = pandas.to_datetime(table['timestamp']).dt.floor('min')
for pattern in sys.argv[2:]:
    body.str.contains(pattern).groupby(minutes).sum()
print(time.perf_counter() - began)
"""
DRAIN = """
import sys, time
from drain3 import TemplateMiner
from drain3.template_miner_config import TemplateMinerConfig
messages = open(sys.argv[1], encoding='utf-8').read().splitlines()
miner = TemplateMiner(config=TemplateMinerConfig())
began = time.perf_counter()
for message in messages: miner.add_log_message(message)
print(len(miner.drain.clusters), time.perf_counter() - began)
"""
CONVERT = """
import resource, sys, time
from pathlib import Path
from proofbook.collect.logs import reader, recorder
from proofbook.config.sources import LogSource
began, cpu_began = time.perf_counter(), time.process_time()
to = Path(sys.argv[2])
reading = reader.read_logs(LogSource(name='log', file=sys.argv[1], utc_offset='+00:00'), base=Path('/'), to=to)
read_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
read_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
if sys.argv[3:]:
    recorder.summarise(to, sys.argv[3:])
whole_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(reading.read, read_mb, whole_mb, read_s, cpu_s, time.perf_counter() - began)
"""
# What DuckDB alone takes to read the lines, to find the time in each, and to take apart the object that it holds.
BARE = '''
import sys, time, duckdb
engine = duckdb.connect()
lines = f"read_csv('{sys.argv[1]}', columns={{text: 'VARCHAR'}}, delim='\x02', quote='', escape='', header=false, auto_detect=false)"
inside = "substr(text, strpos(text, '{'))" if sys.argv[2] == "JSON" else "NULL"
if sys.argv[2] == "CSV": lines, inside = f"(SELECT Timestamp AS text, Log AS log FROM read_csv('{sys.argv[1]}', all_varchar=true, header=true))", "log"
began, cpu_began = time.perf_counter(), time.process_time()
engine.execute(f"""SELECT count(regexp_extract(text, '\\d{{4}}-\\d\\d-\\d\\d[T ][\\d:.,]+|\\d\\d/[A-Z][a-z]{{2}}/[\\d:]+')),
    count(try(json_extract_string({inside}, ['$.time', '$.level', '$.msg', '$.exception', '$.trace_id']))) FROM {lines}""").fetchall()
print(time.perf_counter() - began, time.process_time() - cpu_began)
'''


def write_messages(path: Path, count: int) -> None:
    chance = random.Random(11)
    forms: list[Callable[[], str]] = [
        lambda: f"WebSocket authenticated user=user_{chance.randrange(1000)}",
        lambda: (
            f"Request: GET /api/x/{chance.randrange(10**6)} | Status: 200 | Duration: {chance.random() * 10:.2f}ms"
        ),
        lambda: f"Handler cleanup complete. Remaining handlers: {chance.randrange(9)}",
        lambda: f"pool size {chance.randrange(50)} of 50",
        lambda: "Message delivered",
        lambda: (
            f"Connection from 192.0.2.{chance.randrange(255)}:{chance.randrange(60000)} closed after {chance.randrange(7000)} bytes"
        ),
        lambda: f"Worker {chance.choice('abcdefghij')} took job {chance.getrandbits(64):016x} from queue",
    ]
    with path.open("w", encoding="utf-8") as out:
        for _ in range(count):
            out.write(chance.choice(forms)() + "\n")


def mine(engine: object, path: Path) -> Callable[[], int]:
    """Our templates of a file of messages: values masked and counted in the engine, words merged after."""
    import ibis

    from proofbook.collect.logs.aggregates import masked
    from proofbook.judge.log_text import templates

    connection = ibis.duckdb.from_connection(engine)
    lines = f"SELECT body FROM read_csv('{path}', columns={{body: 'VARCHAR'}}, delim='\x02', quote='', escape='', header=false, auto_detect=false)"
    connection.raw_sql(f"CREATE TEMP TABLE messages AS {lines}")
    table = connection.table("messages")

    def work() -> int:
        text = masked(table.body)
        counts = table.group_by(text=text).aggregate(entries=table.count()).to_pyarrow()
        return len(set(templates.merge(counts["text"].to_pylist()).values()))

    return work


def peers(folder: Path) -> str:
    """An environment with Drain3 and orjson: Drain3 pins libraries that are older than ours."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "drain3", "orjson"], check=True)
    return python


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What a process of its own took to read a log, and to draw the small tables where patterns are given: seconds, and most memory."""

    entries: int
    read_mb: int
    whole_mb: int
    read_s: float
    cpu_s: float
    whole_s: float


def _converted(path: Path, to: Path, patterns: Sequence[str] = ()) -> Converted:
    command = [sys.executable, "-c", CONVERT, str(path), str(to), *patterns]
    entries, read_mb, whole_mb, *seconds = subprocess.run(
        command, capture_output=True, text=True, check=True
    ).stdout.split()
    read_s, cpu_s, whole_s = map(float, seconds)
    return Converted(
        entries=int(entries),
        read_mb=int(read_mb),
        whole_mb=int(whole_mb),
        read_s=read_s,
        cpu_s=cpu_s,
        whole_s=whole_s,
    )


def print_forms(folder: Path, *, megabytes: float) -> None:
    """The table of the other forms. CPU seconds are those that others on the machine do not change."""
    print(
        "\n| form | MB | entries | read to evidence | MB/s | CPU | MB/s of one core | most memory | CPU of DuckDB alone |\n|---|---|---|---|---|---|---|---|---|"
    )
    for form, written in log_forms.write(folder, megabytes=megabytes, traceback=TRACEBACK):
        done = _converted(written, folder / "form.parquet")
        size = written.stat().st_size / 1e6
        bare_s = in_python(
            sys.executable,
            BARE,
            str(written),
            "CSV" if form.startswith("CSV") else "JSON" if "JSON" in form else "",
        )
        print(
            f"| {form} | {size:,.0f} | {done.entries:,} | {done.read_s:.1f} s | {size / done.read_s:,.0f} | {done.cpu_s:.1f} s | {size / done.cpu_s:,.0f} | {done.read_mb:,} MB | {bare_s:.2f} s |",
            flush=True,
        )


def print_counts(folder: Path, *, megabytes: float, rounds: int = 7) -> None:
    """CPU seconds of four patterns counted beside a bare scan of one field: medians of rounds in turns."""
    from proofbook.collect.logs import counts as log_counts
    from proofbook.config.sources import LogSource

    path = folder / "log.jsonl"
    write_log(path, megabytes=megabytes)
    source = LogSource(name="log", file=str(path))
    work: tuple[Callable[[], object], ...] = (
        bare_scan(path, field=True),
        lambda: log_counts.per_minute(source, PATTERNS, base=Path("/")),
    )
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for one, seconds in zip(work, taken, strict=True):
            began = time.process_time()
            one()
            seconds.append(time.process_time() - began)
    bare, ours = map(statistics.median, taken)
    print(
        f"{megabytes:,.0f} MB: one field scanned {bare:.2f} s of CPU, four patterns counted {ours:.2f} s, {ours / bare:.1f}×"
    )


def main() -> None:
    wanted = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    wanted.add_argument("--megabytes", type=float, default=400)
    wanted.add_argument("--large", action="store_true")
    wanted.add_argument("--with-peers", action="store_true")
    wanted.add_argument("--forms", action="store_true")
    wanted.add_argument("--counts", action="store_true")
    chosen = wanted.parse_args()
    if chosen.counts:
        with tempfile.TemporaryDirectory(prefix="bench-logs-") as name:
            print_counts(Path(name), megabytes=chosen.megabytes)
        return
    if chosen.forms:
        with tempfile.TemporaryDirectory(prefix="bench-logs-") as name:
            print_forms(Path(name), megabytes=chosen.megabytes)
        return
    from proofbook.collect.logs import counts as log_counts
    from proofbook.collect.logs import reader
    from proofbook.config.sources import LogSource

    with tempfile.TemporaryDirectory(prefix="bench-logs-") as name:
        folder = Path(name)
        path = folder / "log.jsonl"
        entries = write_log(path, megabytes=chosen.megabytes)
        size = path.stat().st_size / 1e6
        print(f"{size:,.0f} MB of Cloud Logging JSON lines, {entries:,} entries; {os.cpu_count()} cores\n")
        source = LogSource(name="log", file=str(path))
        rows: list[tuple[str, float]] = []
        bare = least(bare_scan(path, field=False))
        rows.append(("bare DuckDB scan of the lines, one pattern", bare))
        rows.append(("bare DuckDB scan of one JSON field, one pattern", least(bare_scan(path, field=True))))
        ours = least(lambda: log_counts.per_minute(source, PATTERNS, base=Path("/")))
        rows.append(("**four patterns counted per minute**", ours))
        to = folder / "log.parquet"
        read = least(lambda: reader.read_logs(source, base=Path("/"), to=to))
        rows.append((f"**every entry to Parquet** ({size / read:,.0f} MB/s)", read))
        rows.append(("**the small tables drawn from it**", least(lambda: recorder.summarise(to, PATTERNS))))
        python = peers(folder / "peers") if chosen.with_peers else ""
        if python:
            rows.append(
                (
                    "Python loop, orjson only where a line matches, four patterns",
                    least(lambda: in_python(python, ORJSON, str(path), *PATTERNS)),
                )
            )
            rows.append(
                (
                    "Python loop, orjson on every line, four patterns",
                    least(lambda: in_python(python, ORJSON_ALL, str(path), *PATTERNS), times=1),
                )
            )
        if shutil.which("jq"):
            program = 'select((.textPayload // .jsonPayload.message // "") | test("RecursionError|Invalid user id|ModuleNotFoundError|WebSocket authenticated")) | .timestamp[0:16]'
            rows.append(
                (
                    "jq, four patterns",
                    least(
                        lambda: subprocess.run(
                            ["jq", "-r", program, str(path)], stdout=subprocess.DEVNULL, check=True
                        ),
                        times=1,
                    ),
                )
            )
        rows.append(
            (
                "pandas.read_json(lines=True), four patterns",
                least(lambda: in_python(sys.executable, PANDAS, str(path), *PATTERNS), times=1),
            )
        )
        print("| | seconds | against four patterns counted |\n|---|---|---|")
        for what, seconds in rows:
            print(f"| {what} | {seconds:.2f} | {seconds / ours:.1f}× |")
        messages = folder / "messages.txt"
        write_messages(messages, 1_000_000)
        with connect() as engine:
            work = mine(engine, messages)
            print(
                f"\ntemplates: {work()} from 1,000,000 messages in {(mined := least(work)):.2f} s ({1 / mined:.2f} million a second)"
            )
        if python:
            seconds = in_python(python, DRAIN, str(messages))
            print(f"Drain3 on the same messages: {seconds:.1f} s, {seconds / mined:.0f} times as long")
        print_forms(folder, megabytes=chosen.megabytes / 4)
        if chosen.large:
            print(
                "\n| input | entries | read | per GB | with small tables | most memory |\n|---|---|---|---|---|---|"
            )
            short = folder / "short.jsonl"
            write_log(short, megabytes=100)
            for gigabytes in (0.1, 1, 10):
                write_copies(short, path, megabytes=gigabytes * 1000)
                done = _converted(path, to, PATTERNS)
                print(
                    f"| {gigabytes:g} GB | {done.entries:,} | {done.read_s:.1f} s | {done.read_s / gigabytes:.1f} s | {done.whole_s:.1f} s | {done.whole_mb:,} MB |",
                    flush=True,
                )
    print(f"\nthis process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024:,} MB at most")


if __name__ == "__main__":
    main()
