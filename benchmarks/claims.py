"""What judging all claims about a long log costs, once it was read: processor time and memory of one process.

    python benchmarks/claims.py [--entries 10000003] [--days 3] [--keep FOLDER]

The entries are made in DuckDB in the form in which a reading keeps them, with two revisions, five endpoints, a hundred clients, forty
kinds of message, errors and a symptom that is gone; summarised as a reading summarises them; and then judged by a new process, as often
as is said. What is measured is that process, the time to load modules left out.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from proofbook.collect.logs import recorder
from proofbook.collect.logs.entries import connect
from proofbook.config.case import Case
from proofbook.config.duckdb_text import quoted
from proofbook.config.environment import Environment
from proofbook.evidence import log_tables, store
from proofbook.evidence.table import TIME
from proofbook.validation import Assessment

PATTERNS = ("RecursionError", "PoolTimeout")
START = "2026-11-01 00:00:00+00"
# Of five entries two are requests; the other three are messages of the first of them.
MADE = """
WITH made AS (SELECT i, i % 5 AS part, i // 5 AS n, TIMESTAMPTZ {start} + to_microseconds((i * {step_us})::BIGINT) AS timestamp,
              i > {count} / 2 AS late, hash(i // 5) % 1000 AS luck FROM range({count}) r(i))
SELECT timestamp, 'api' AS service_name, CASE WHEN late THEN 'r-2' ELSE 'r-1' END AS service_version, 'log' AS source,
  format('{{:032x}}', n + 1) AS trace_id,
  CASE WHEN part < 2 THEN 'INFO' WHEN part = 2 AND luck < 4 THEN 'ERROR' ELSE 'INFO' END AS severity_text,
  (CASE WHEN part = 2 AND luck < 4 THEN 17 ELSE 9 END)::INTEGER AS severity_number,
  CASE WHEN part < 2 THEN NULL WHEN part = 2 AND luck < 2 AND NOT late THEN 'RecursionError: too deep'
       WHEN part = 2 AND luck < 4 THEN 'PoolTimeout: none free after ' || luck || ' s'
       ELSE 'step ' || chr((97 + n % 20)::INTEGER) || CASE WHEN part = 3 THEN ' began' ELSE ' ended after ' || (n % 977) || ' ms' END END AS body,
  CASE WHEN part < 2 THEN 'GET' END AS http_method, CASE WHEN part < 2 THEN '/api/' || chr((97 + n % 5)::INTEGER) END AS http_url,
  (CASE WHEN part = 0 AND luck < 4 THEN 500 WHEN part < 2 THEN 200 END)::INTEGER AS http_status,
  CASE WHEN part < 2 THEN '198.51.100.' || n % 100 END AS http_remote_ip, CASE WHEN part < 2 THEN 'Mozilla/5.0' END AS http_user_agent
FROM made
"""


def make(folder: Path, *, count: int, days: float) -> float:
    """Evidence of so many entries; gives the seconds that summarising took."""
    whole = folder / "entries.parquet"
    sql = MADE.format(start=quoted(START), step_us=days * 86400e6 / count, count=count)
    types = {"str": "VARCHAR", "float64": "DOUBLE", "Int32": "INTEGER", "Int64": "BIGINT", "UInt64": "UBIGINT", "map": "MAP(VARCHAR, VARCHAR)", TIME: "TIMESTAMPTZ"}  # fmt: skip
    with connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        have = [row[0] for row in engine.execute(f"DESCRIBE {sql}").fetchall()]
        more = "".join(f", CAST(NULL AS {types[str(column.dtype)]}) AS {column.name}" for column in log_tables.LOGS.columns if column.name not in have)  # fmt: skip
        engine.execute(f"COPY (SELECT *{more} FROM ({sql})) TO {quoted(str(whole))} (FORMAT parquet)")
    began = time.process_time()
    small = recorder.summarise(whole, PATTERNS)
    seconds = time.process_time() - began
    about = {"source": "log", "shape": "made", "lines": count, "read": count, "kept": count, "problem": ""}
    sources = log_tables.LOG_SOURCES.typed(log_tables.LOG_SOURCES.frame([tuple(about.get(column.name, _nothing(str(column.dtype))) for column in log_tables.LOG_SOURCES.columns)]))  # fmt: skip
    now = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    small["log_canaries"] = recorder.canaries_of(small["log_canaries"], [], ["log"])
    tables = {**small, "log_sources": sources, "log_unread": log_tables.LOG_UNREAD.frame([])}
    store.write_phase(folder / "evidence", environment="e", phase="after", tables=dict(tables), recorded=store.Phase(started=now, ended=now))  # fmt: skip
    whole.unlink()
    return seconds


def _nothing(dtype: str) -> object:
    return {"str": "", "bool": False, "int64": 0}.get(dtype)


def judge(evidence: Path) -> None:
    """Judges everything, and prints the seconds of processor time, the memory held before and the most that was, in MB, and the verdicts."""
    environment = Environment.model_validate({"name": "e", "log": [{"name": "log", "file": "log.json"}]})
    symptoms = [{"id": name.lower(), "log": name, "examples": [f"{name}: x"]} for name in PATTERNS]
    case = Case.model_validate({"fix": [{"title": "all", "symptom": symptoms}]})
    import scipy.stats  # noqa: F401  loaded by the first test; not the cost of judging

    held, began = _megabytes(), time.process_time()
    found = Assessment.of(environment, case, store.read(evidence), base=evidence).judge_all()
    seconds = time.process_time() - began
    verdicts = {item.id: [item.verdict.value, item.reason] for item in found}
    print(json.dumps({"seconds": seconds, "held": held, "most": _megabytes(), "verdicts": verdicts}))


def _megabytes() -> float:
    # Not ru_maxrss: that begins with what the process held that started this one.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024  # type: ignore[index]  # always there on Linux


def main(arguments: Iterable[str] | None = None) -> None:
    """Prints a row: entries, rows of evidence, seconds and memory of judging."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--entries", type=int, default=10_000_003)
    parser.add_argument("--days", type=float, default=3.0)
    parser.add_argument("--keep", type=Path, help="where the evidence stays, or lies already")
    parser.add_argument("--judge", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(None if arguments is None else list(arguments))
    if given.judge is not None:
        judge(given.judge)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = given.keep or Path(made)
        if not (folder / "evidence" / store.MANIFEST).is_file():
            print(
                f"summarised in {make(folder, count=given.entries, days=given.days):.1f} s of processor time"
            )
        phase = store.read(folder / "evidence").manifest.phases["after"]
        rows = sum(table.rows for table in phase.tables.values())
        command = [sys.executable, __file__, "--judge", str(folder / "evidence")]
        runs = [json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(3)]  # fmt: skip
        best = min(runs, key=lambda run: float(run["seconds"]))
        print("| entries | rows of evidence | processor time | memory |\n|---|---|---|---|")
        print(f"| {given.entries:,} | {rows:,} | {best['seconds']:.1f} s | {max(run['most'] for run in runs):,.0f} MB, {best['held']:,.0f} before |")  # fmt: skip
        print(best["verdicts"])


if __name__ == "__main__":
    main()
