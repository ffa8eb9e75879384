"""How long a look at a large log takes, and how much memory: python benchmarks/look.py [--requests 500000]; `--notebook` times the incident notebook.

`--export 6` writes the log as an export of Cloud Logging, six times over one after the other (0.56 GB each), and looks at that; `--first` ends with the first display.

Every request writes two entries, as the practice log does with a line more: so a million entries are half a million requests. Each figure is of
a process of its own that opens the log as a notebook does; the memory is the most that it ever held.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from proofbook.evidence.log_tables import LOGS
from proofbook.investigation import practice

FOLLOWED, BRUSHES = 20, 50
INCIDENT = Path(__file__).parent.parent / "notebooks" / "10-incident.ipynb"


def write(to: Path, *, requests: int, hours: float = 6.0) -> None:
    """Writes a log of `requests` requests with an incident at its end, as the table `logs`."""
    made = practice.requests(
        5, hours=hours, count=requests, incident=practice.Incident(begins_s=hours * 3600 - 900, share=0.4)
    )
    rng = np.random.default_rng(requests)
    given, at = made.given, practice.BEGINS + pd.to_timedelta(made.at_s, unit="s")
    trace = [f"{number:032x}" for number in rng.integers(1, 2**62, requests).tolist()]
    fields = [
        [("labels.client", client), ("labels.region", region), ("labels.user_id", user)]
        for client, region, user in zip(given["client"], given["region"], given["user"], strict=True)
    ]
    common = {
        "service_name": "api",
        "service_version": given["revision"],
        "service_instance_id": given["instance"],
        "trace_id": trace,
        "source": "log",
        "fields": fields,
    }
    failed = made.status >= 500
    asked = pd.DataFrame({
        "timestamp": at, "severity_text": np.where(failed, "ERROR", "INFO"), "severity_number": np.where(failed, 17, 9), "http_method": "GET",
        "http_url": "https://api.example.com" + given["path"], "http_status": made.status, "http_latency_s": rng.lognormal(-3, 0.6, requests),
        "http_user_agent": given["agent"], "http_remote_ip": given["address"], **common,
    })  # fmt: skip
    said = np.where(failed, made.said + " " + given["user"], "served " + given["user"])
    lines = pd.DataFrame(
        {
            "timestamp": at + pd.Timedelta(milliseconds=10),
            "severity_text": np.where(failed, "ERROR", "INFO"),
            "severity_number": np.where(failed, 17, 9),
            "body": said,
            **common,
        }
    )
    whole = pd.concat([asked, lines]).sort_values("timestamp", kind="stable", ignore_index=True)
    columns = {column.name: whole.get(column.name) for column in LOGS.columns}
    table = LOGS.cast(pd.DataFrame(columns, index=whole.index))
    kinds = [
        (
            name,
            pa.map_(pa.string(), pa.string())
            if name == "fields"
            else pa.Schema.from_pandas(table[[name]]).field(name).type,
        )
        for name in table.columns
        if name != "fields"
    ]
    schema = pa.schema([*kinds, ("fields", pa.map_(pa.string(), pa.string()))])
    pq.write_table(
        pa.Table.from_pandas(
            table[[name for name, _ in kinds] + ["fields"]], schema=schema, preserve_index=False
        ),
        to,
        # As evidence is written.
        row_group_size=122_880,
    )


# An entry of the log as Cloud Logging exports it, `copy` times six hours later.
_ENTRY = """
SELECT hash(row, {copy})::VARCHAR AS "insertId", 'projects/demo/logs/run.googleapis.com' AS "logName", severity_text AS severity,
    strftime(timestamp + to_hours({later}), '%Y-%m-%dT%H:%M:%S.%fZ') AS timestamp, 'projects/demo/traces/' || md5(trace_id || '{copy}') AS trace,
    {{'client': fields['labels.client'], 'region': fields['labels.region'], 'user_id': fields['labels.user_id'], 'instanceId': service_instance_id}} AS labels,
    {{'type': 'cloud_run_revision', 'labels': {{'service_name': service_name, 'revision_name': service_version, 'location': 'europe-west1'}}}} AS resource,
    CASE WHEN http_status IS NOT NULL THEN {{'requestMethod': http_method, 'requestUrl': http_url, 'status': http_status, 'latency': round(http_latency_s, 6) || 's',
        'userAgent': http_user_agent, 'remoteIp': http_remote_ip, 'protocol': 'HTTP/1.1', 'responseSize': '512'}} END AS "httpRequest", body AS "textPayload"
FROM (SELECT *, file_row_number AS row FROM read_parquet('{log}', file_row_number = true))"""


def export(log: Path, to: Path, *, copies: int, hours: int = 6) -> None:
    """Writes a log of so many hours as JSON lines, so many times over."""
    import duckdb

    part = to.with_suffix(".part")
    with to.open("wb") as out, duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        for copy in range(copies):
            entry = _ENTRY.format(copy=copy, later=copy * hours, log=log)
            engine.execute(f"COPY ({entry}) TO '{part}' (FORMAT json)")
            with part.open("rb") as written:
                shutil.copyfileobj(written, out, 1 << 24)
    part.unlink()


def measure(file: str, *, first: bool = False) -> dict[str, tuple[float, float, float]]:
    """Of each question to a log: seconds, seconds of the processor, and the most memory of the process so far in MB."""
    import proofbook as pb
    from proofbook.investigation import look as _  # noqa: F401  What is imported once is no part of a question.

    found: dict[str, tuple[float, float, float]] = {}

    def timed(name: str, work: Callable[[], Any], *, times: int = 1) -> Any:
        began, processor = time.perf_counter(), time.process_time()
        got = work()
        took = time.perf_counter() - began, time.process_time() - processor
        found[name] = (took[0] / times, took[1] / times, _memory_mb())
        return got

    look = timed("open", lambda: pb.look(file))
    timed("first display", lambda: look._repr_html_())
    if first:
        return found
    bad = look.where("wrong")
    timed("started, which counts the requests", bad.started)
    timed("differs", bad.differs)
    timed("changes", look.changes)
    timed("who", bad.who)
    rows = bad.examples(FOLLOWED)
    timed("follow the first, which measures the rules", lambda: look.follow(rows.iloc[0]))
    timed(
        "follow another",
        lambda: [look.follow(rows.iloc[place]) for place in range(1, len(rows))],
        times=len(rows) - 1,
    )
    timed("like", lambda: look.like(rows.iloc[0]))
    found[f"a brush to its values and entries, 95th percentile of {BRUSHES}"] = (
        *_brushed(look),
        _memory_mb(),
    )
    return found


def _brushed(look: Any) -> tuple[float, float]:
    """The 95th percentile of seconds, and of those of the processor, of brushes of all widths."""
    from proofbook.investigation.display.brush import Brush

    shown, rng = look.overview, np.random.default_rng(BRUSHES)
    brush = Brush(look, shown)
    brush.answer(brush.select([], [], name="look"))
    took = []
    for first, last in rng.uniform(0, shown.axis.buckets, (BRUSHES, 2)).tolist():
        began, processor = time.perf_counter(), time.process_time()
        brush.answer(brush.select([first, last], [], name="look"))
        took.append((time.perf_counter() - began, time.process_time() - processor))
    return float(np.quantile([one for one, _ in took], 0.95)), float(np.quantile([one for _, one in took], 0.95))  # fmt: skip


def notebook() -> None:
    """Runs the incident notebook with nothing given in a kernel of its own, and prints when its first picture was there."""
    import nbformat
    from jupyter_client.manager import start_new_kernel

    cells = [cell.source for cell in nbformat.read(INCIDENT, as_version=4).cells if cell.cell_type == "code"]
    began = time.perf_counter()
    manager, client = start_new_kernel()
    pid: int = manager.provisioner.pid  # type: ignore[union-attr]  # of a local kernel, which has one
    first: list[tuple[float, float]] = []

    def heard(message: dict[str, Any]) -> None:
        if message["msg_type"] == "display_data" and not first:
            first.append((time.perf_counter() - began, _processor_s(pid)))

    try:
        for source in cells:
            reply = client.execute_interactive(source, output_hook=heard, timeout=600)
            assert reply["content"]["status"] == "ok", reply["content"]
        print(f"first picture {first[0][0]:.1f} s after the kernel was asked for ({first[0][1]:.1f} s of the processor)")  # fmt: skip
        print(
            f"all of it     {time.perf_counter() - began:.1f} s ({_processor_s(pid):.1f} s of the processor)"
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.context.destroy(linger=0)


def _processor_s(pid: int) -> float:
    """What a process used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mb() -> float:
    """The most memory that this process held: not its parent, as `getrusage` counts."""
    held = Path("/proc/self/status").read_text(encoding="ascii")
    return int(held.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500_000)
    parser.add_argument("--file", help="measure this log in this process, and print JSON")
    parser.add_argument(
        "--export", type=int, default=0, metavar="COPIES", help="look at an export of so many times as much"
    )
    parser.add_argument("--first", action="store_true", help="end with the first display")
    parser.add_argument("--times", type=int, default=1, help="processes; shown is the least of each figure")
    parser.add_argument("--notebook", action="store_true", help="time the incident notebook instead")
    asked = parser.parse_args()
    if asked.notebook:
        notebook()
        return
    if asked.file:
        print(json.dumps(measure(asked.file, first=asked.first)))
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log.parquet"
        write(file, requests=asked.requests)
        if asked.export:
            log, file = file, file.with_suffix(".json")
            export(log, file, copies=asked.export)
        print(f"{2 * asked.requests * max(1, asked.export):,} entries, {file.stat().st_size / 1e6:,.0f} MB")
        command = [sys.executable, __file__, "--file", str(file), *(["--first"] if asked.first else [])]
        runs = [
            json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for _ in range(asked.times)
        ]
    print(f"{'':<58}{'seconds':>9}{'processor':>11}{'most MB':>9}")
    for name in runs[0]:
        least = [min(run[name][place] for run in runs) for place in range(3)]
        print(f"{name:<58}{least[0]:>9.2f}{least[1]:>11.2f}{least[2]:>9.0f}")


if __name__ == "__main__":
    main()
