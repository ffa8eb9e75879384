"""Logs that lie in an engine give the findings that the same entries give from a file. Spark runs as a real cluster."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from proofbook.collect.logs import engines, recorder
from proofbook.collect.logs.aggregates import in_engine, summarise
from proofbook.collect.logs.entries import connect, entries_of
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.config.sources import LogSource
from proofbook.errors import CouldNotLook
from proofbook.evidence.store import read
from proofbook.judge import catalogue
from proofbook.judge.settle import settle
from proofbook.judge.view import view_of
from proofbook.validation import Validation

COLUMNS = {
    "timestamp": "ts",
    "severity_text": "level",
    "body": "message",
    "service_name": "service",
    "service_version": "version",
    "trace_id": "trace",
    "http_status": "status",
    "http_url": "url",
    "http_remote_ip": "client",
    "http_user_agent": "agent",
}


def as_source(engine: str, table: str) -> LogSource:
    return LogSource.model_validate({"name": "backend", "engine": engine, "table": table, "columns": COLUMNS})


@pytest.fixture(scope="module")
def exported(healthy_evidence: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The entries of both phases as an engine's table would hold them: other names, nothing derived."""
    folder = tmp_path_factory.mktemp("exported")
    files = {}
    for phase in ("before", "after"):
        files[phase] = folder / f"{phase}.parquet"
        with connect() as engine:
            renamed = ", ".join(f"{ours} AS {theirs}" for ours, theirs in COLUMNS.items())
            entries = entries_of(healthy_evidence / phase / "logs.parquet")
            engine.execute(f"COPY (SELECT {renamed} FROM {entries}) TO '{files[phase]}' (FORMAT parquet)")
    return files


def findings_by(
    engine: str, exported: dict[str, Path], workspace: Path, evidence: Path
) -> list[dict[str, object]]:
    """Every finding about logs, judged from small tables that this engine drew."""
    asked = Validation.load("rehearsal", "", base=workspace)
    where, what = asked.environment, asked.case
    small: dict[tuple[str, str], pd.DataFrame] = {}
    for phase, file in exported.items():
        recorded = read(evidence).table("log_canaries", phase)
        assert recorded is not None
        canaries = recorded.sort_values("sent", ascending=False)["canary"].tolist()
        entries = engines.entries(as_source(engine, str(file)), base=Path("/"))
        tables = summarise(in_engine(entries), what.log_patterns(), canaries=canaries)
        tables["log_canaries"] = recorder.canaries_of(tables["log_canaries"], canaries, ["backend"])
        small |= {(phase, name): table for name, table in tables.items()}
    return judged(small, where, what, evidence)


def judged(
    small: dict[tuple[str, str], pd.DataFrame], where: Environment, what: Case, evidence: Path
) -> list[dict[str, object]]:
    recorded = read(evidence)
    phases = {phase: recorded.window(phase) for phase in ("before", "after")}
    view = view_of(
        lambda name, phase: small.get((phase, name), recorded.table(name, phase)),
        phases={phase: span for phase, span in phases.items() if span},
        deployment=what.deployment,
    )
    checks = [check for check in catalogue.declare(where, what).values() if check.group == "logs"]
    assert len(checks) >= 6
    return [settle(check, view).to_json() for check in checks]


def from_files(evidence: Path, workspace: Path) -> list[dict[str, object]]:
    asked = Validation.load("rehearsal", "", base=workspace)
    where, what = asked.environment, asked.case
    return judged({}, where, what, evidence)


@pytest.mark.extended
def test_duckdb_by_url_gives_the_findings_of_the_file(
    exported: dict[str, Path], healthy_evidence: Path, workspace: Path
) -> None:
    found = findings_by("duckdb://", exported, workspace, healthy_evidence)
    assert found == from_files(healthy_evidence, workspace)
    assert {item["verdict"] for item in found} == {"pass"}


@pytest.fixture(scope="module")
def spark_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A standalone Spark cluster: a master and two workers, processes on loopback. Gives its URL."""
    pyspark = pytest.importorskip(
        "pyspark", reason="pyspark is not installed; install it with: pip install 'proofbook[spark]'"
    )
    if shutil.which("java") is None:
        pytest.skip(
            "Java is not installed, which Spark needs; install it with: sudo apt-get install default-jre-headless"
        )
    home = Path(pyspark.__file__).parent
    folder = tmp_path_factory.mktemp("spark")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_NO_DAEMONIZE": "1",
        "PYSPARK_PYTHON": sys.executable,
        # Of every Java here: none lives long enough for code that is compiled well to pay.
        "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }

    def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
        log = folder / f"{name.rpartition('.')[2]}-{len(started)}.log"
        with log.open("wb") as out:
            return subprocess.Popen(
                [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}", *arguments],
                env=variables,
                cwd=folder,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    started: list[subprocess.Popen[bytes]] = []
    url = f"spark://127.0.0.1:{port}"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SPARK_HOME", "SPARK_LOCAL_IP", "PYSPARK_PYTHON", "JAVA_TOOL_OPTIONS"):
            patch.setenv(name, variables[name])
        try:
            started.append(
                start("master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0")
            )
            until(folder / "Master-0.log", "New state: ALIVE", of=started[0])
            for _ in range(2):
                started.append(
                    start(
                        "worker.Worker",
                        "--cores",
                        "1",
                        "--memory",
                        "1g",
                        "--webui-port",
                        "0",
                        "--work-dir",
                        str(folder / "work"),
                        url,
                    )
                )
            for number in (1, 2):
                until(
                    folder / f"Worker-{number}.log", "Successfully registered with master", of=started[number]
                )
            yield url
        finally:
            from pyspark.sql import SparkSession

            session = SparkSession.getActiveSession()
            if session is not None:
                session.stop()
            for process in reversed(started):
                process.terminate()
            for process in started:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(20)


def until(log: Path, words: str, *, of: subprocess.Popen[bytes], timeout_s: float = 300) -> None:
    """Waits as long as the process lives that writes them; the limit is for one that hangs, and no busy machine reaches it."""
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends and of.poll() is None:
        if log.exists() and words in log.read_text(encoding="utf-8", errors="replace"):
            return
        time.sleep(0.2)
    raise AssertionError(f"{log.name} never said {words!r}:\n{log.read_text()[-2000:]}")


@pytest.mark.extended
@pytest.mark.long(220)
def test_spark_gives_the_findings_of_the_file(
    spark_cluster: str,
    exported: dict[str, Path],
    healthy_evidence: Path,
    workspace: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    found = findings_by(spark_cluster, exported, workspace, healthy_evidence)
    assert found == from_files(healthy_evidence, workspace)
    # What Spark says of a query that it cannot compile, and then answers many times slower.
    assert "Code grows beyond 64 KB" not in capfd.readouterr().err


def test_an_engine_that_cannot_be_read_is_named_without_its_secrets(tmp_path: Path) -> None:
    for engine, table, wanted in (
        ("duckdb://", "nowhere", "table nowhere of duckdb:// cannot be read"),
        ("postgres://app:s3cr3t-s3cr3t@127.0.0.1:1/x", "entries", "log 'backend'"),
        ("no-such-engine://", "entries", "log 'backend'"),
    ):
        with pytest.raises(CouldNotLook, match=re.escape(wanted)) as raised:
            engines.entries(as_source(engine, table), base=tmp_path)
        assert "s3cr3t" not in str(raised.value)


def test_a_column_that_is_not_there_is_named(exported: dict[str, Path]) -> None:
    source = as_source("duckdb://", str(exported["after"])).model_copy(
        update={"columns": COLUMNS | {"body": "text"}}
    )
    with pytest.raises(CouldNotLook, match="expected the columns text in table"):
        engines.entries(source, base=Path("/"))


def test_files_and_engines_are_read_side_by_side(exported: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text('{"timestamp": "2026-01-01T00:00:00Z", "message": "hello 1"}\n')
    sources = [
        LogSource(name="own", file="own.jsonl"),
        as_source("duckdb://", str(exported["after"])),
        as_source("duckdb://", "nowhere").model_copy(update={"name": "absent"}),
    ]
    tables, problems = recorder.record(sources, ["hello"], base=tmp_path, folder=tmp_path)
    about = tables["log_sources"]
    assert isinstance(about, pd.DataFrame)
    assert about["source"].tolist() == ["own", "backend", "absent"]
    assert (
        about["read"].tolist()[0] == 1 and about["read"].tolist()[1] > 500 and about["read"].tolist()[2] == 0
    )
    assert len(problems) == 1 and "nowhere" in problems[0]
    kinds, times = tables["log_kinds"], tables["log_kind_times"]
    assert isinstance(kinds, pd.DataFrame) and isinstance(times, pd.DataFrame)
    hello = kinds.loc[kinds["text"] == "hello <*>", "kind_id"].item()
    assert times.loc[times["kind_id"] == hello, "source"].tolist() == ["own"]
    assert kinds["kind_id"].is_unique and set(times["kind_id"]) == set(kinds["kind_id"])
