"""Logs by their short names: the right query, every page, patience with quotas, and one sentence where it cannot be."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
from standins import put_on_path

from proofbook.collect.logs import fetch, servers
from proofbook.collect.logs.entries import Reading
from proofbook.collect.logs.reader import read_logs
from proofbook.collect.logs.recorder import record, summarise
from proofbook.collect.logs.sources import LogRequest
from proofbook.config import log_uri
from proofbook.config.sources import LogSource
from proofbook.judge.checks.log_coverage import cover

NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
JOURNAL_REMOTE = Path("/lib/systemd/systemd-journal-remote")


def entry(minutes_ago: float, text: str, number: int = 0) -> dict[str, Any]:
    at = NOW - dt.timedelta(minutes=minutes_ago)
    return {
        "insertId": f"{number}",
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "severity": "ERROR" if "Error" in text else "INFO",
        "textPayload": text,
        "resource": {"labels": {"service_name": "api", "revision_name": "api-00002"}},
    }


def two_days() -> list[dict[str, Any]]:
    """An entry a minute; errors only before the last day, which is all that gcloud reads by itself."""
    minutes = range(2 * 24 * 60)
    return [
        entry(ago, "RecursionError: maximum recursion depth exceeded" if ago > 1500 and ago % 10 == 0 else "served", ago)
        for ago in reversed(minutes)
    ]  # fmt: skip


def read(source: str, folder: Path, *, patterns: tuple[str, ...] = (), **more: Any) -> Reading:
    log = LogSource.model_validate({"name": "log", "source": source, **more})
    return read_logs(log, base=folder, to=folder / "read.parquet", now=NOW, patterns=patterns)


def request(folder: Path, *, patterns: tuple[str, ...] = (), most: int = fetch.MAX_ENTRIES) -> LogRequest:
    """Two days of a log."""
    return LogRequest(
        since=NOW - dt.timedelta(days=2), until=NOW, patterns=patterns, base=folder, timeout_s=30, most=most
    )


@pytest.mark.slow
def test_gcloud_is_asked_for_the_whole_window_and_not_for_its_one_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = put_on_path(tmp_path, two_days(), monkeypatch)
    monkeypatch.setattr(servers.Gcloud, "page", 1000)
    reading = read("gcp:example/api", tmp_path, covers_s=2 * 86400)
    assert (reading.kept, reading.duplicates, reading.problem) == (2880, 0, "")
    assert reading.entries["body"].str.contains("RecursionError").sum() == 137
    # Two full pages and the rest; each begins where the one before ended.
    asked = [json.loads(line) for line in calls.read_text().splitlines()]
    assert len(asked) == 3 and all("--order=asc" in words and "--limit=1000" in words for words in asked)
    assert len({found for words in asked for found in re.findall(r'timestamp>="([^"]+)"', words[3])}) == 3


def test_more_entries_at_one_moment_than_a_page_holds_are_all_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    burst = [entry(60, f"line {number}", number) for number in range(250)]
    put_on_path(tmp_path, [entry(61, "first", 1000), *burst, entry(59, "last", 1001)], monkeypatch)
    monkeypatch.setattr(servers.Gcloud, "page", 100)
    assert read("gcp:example/api", tmp_path).kept == 252


@pytest.mark.extended
@pytest.mark.slow
def test_what_is_too_much_to_read_whole_is_searched_by_the_server_and_sampled_for_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = put_on_path(tmp_path, two_days(), monkeypatch)
    monkeypatch.setattr(servers.Gcloud, "page", 100)
    pattern = r'RecursionError: maximum "?recursion\b'
    log = LogSource.model_validate(
        {"name": "log", "source": "gcp:example/api", "covers_s": 2 * 86400, "limit": 500}
    )
    fetched = fetch.fetch(
        log_uri.parse("gcp:example/api"),
        request(tmp_path, patterns=(pattern,), most=500),
        to=tmp_path / "fetched",
    )
    lines = [json.loads(line) for line in fetched.path.read_text().splitlines()]
    # Every match over both days, although only a part of the rest was read.
    assert sum("RecursionError" in line["textPayload"] for line in lines) >= 137
    assert fetched.sampled_s == 7200 and len(lines) < 800
    asked = [json.loads(line)[3] for line in calls.read_text().splitlines()]
    assert any(r'textPayload=~"RecursionError: maximum \"?recursion\\b"' in query for query in asked)
    reading = read_logs(log, base=tmp_path, to=tmp_path / "read.parquet", now=NOW, patterns=[pattern])
    assert reading.sampled_s == 7200
    # Between two sampled moments nothing was read, which is no silence; a slice without any entry is one.
    rhythm = summarise(tmp_path / "read.parquet", [])["log_rhythm"]
    window = (pd.Timestamp(NOW) - pd.Timedelta(days=2), pd.Timestamp(NOW))
    assert cover(rhythm, window, sampled_s=7200).held
    silent = rhythm[
        (rhythm["first"] < window[0] + pd.Timedelta(hours=20))
        | (rhythm["first"] > window[0] + pd.Timedelta(hours=26))
    ]
    assert [code for code, _ in cover(silent, window, sampled_s=7200).reasons] == ["log-gap"]
    # A few hours after a deployment are too short for samples of every two hours.
    late = (window[1] - pd.Timedelta(hours=6), window[1])
    assert "log-cut" in [code for code, _ in cover(rhythm, late, sampled_s=7200).reasons]


@pytest.mark.extended
@pytest.mark.slow
def test_requests_of_which_only_some_were_read_are_no_share_of_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = [{**item, "httpRequest": {"status": 500, "requestUrl": "/"}} for item in two_days()]
    put_on_path(tmp_path, failing, monkeypatch)
    monkeypatch.setattr(servers.Gcloud, "page", 100)
    monkeypatch.setattr(fetch, "SLICES", 4)
    for limit, counted in ((500, 0), (5000, 2880)):
        log = LogSource.model_validate(
            {"name": "log", "source": "gcp:example/api", "covers_s": 2 * 86400, "limit": limit}
        )
        # `record` reads up to now, and so does the recording.
        shift = dt.datetime.now(dt.UTC) - NOW
        moved = [{**item, "timestamp": f"{dt.datetime.fromisoformat(item['timestamp']) + shift:%Y-%m-%dT%H:%M:%S.%fZ}"} for item in failing]  # fmt: skip
        (tmp_path / "recorded.jsonl").write_text("".join(json.dumps(item) + "\n" for item in moved))
        tables, problems = record([log], ["RecursionError"], base=tmp_path, folder=tmp_path / f"out-{limit}")
        rhythm = tables["log_rhythm"]
        assert isinstance(rhythm, pd.DataFrame) and problems == []
        assert abs(int(rhythm["requests"].sum()) - counted) <= 1 and rhythm["entries"].sum() > 200


def test_standard_input_is_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(json.dumps(entry(ago, "served", ago)) + "\n" for ago in (3, 2, 1))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert read("-", tmp_path).kept == 3


@pytest.mark.slow
def test_a_quota_is_waited_for_and_what_was_read_until_it_ran_out_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(tmp_path, two_days(), monkeypatch, QUOTA="2")
    monkeypatch.setattr(servers.Gcloud, "page", 1000)
    slept: list[float] = []
    fetched = fetch.fetch(
        log_uri.parse("gcp:example/api"),
        request(tmp_path),
        to=tmp_path / "fetched",
        sleep=slept.append,
    )
    assert slept == [2, 4, 8, 16, 32] and len(fetched.path.read_text().splitlines()) == 1999
    assert "refused more after 1,999 entries: its quota is exhausted" in fetched.note


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"HANGS": "1"}, "did not end within 1 s; does it wait for a login?"),
        ({"SAYS": "Updates are available for some Google Cloud CLI components."}, "expected entries as JSON from gcloud for gcp:example/api, got: Updates are available"),
        ({"LOGIN": "1"}, "ended with exit code 1: ERROR: (gcloud.logging.read) There was a problem refreshing"),
    ],
)  # fmt: skip
def test_a_program_that_cannot_answer_gets_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: dict[str, str], sentence: str
) -> None:
    put_on_path(tmp_path, [], monkeypatch, **told)
    began = time.monotonic()
    reading = read("gcp:example/api", tmp_path, timeout_s=1 if "HANGS" in told else 20)
    assert sentence in reading.problem and "\n" not in reading.problem and time.monotonic() - began < 60


def test_a_program_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "the program gcloud is not installed" in read("gcp:example/api", tmp_path).problem


@pytest.mark.slow
def test_kubectl_is_asked_for_every_line_and_for_those_before_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashed = [
        {**entry(90 - number, f"Error {number}", number), "container": "previous"} for number in range(5)
    ]
    served = [entry(60 - number, f"served {number}", number) for number in range(50)]
    put_on_path(tmp_path, [*crashed, *served], monkeypatch)
    assert read("k8s:staging/app=api,tier!=db", tmp_path).kept == 50
    monkeypatch.setenv("RESTARTED", "1")
    reading = read("k8s:staging/app=api", tmp_path)
    assert reading.kept == 55 and set(reading.entries["service_instance_id"]) == {"api-5d4f-x1"}


def test_both_streams_of_a_container_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_path(tmp_path, [entry(3, "served"), entry(2, "ValueError: no"), entry(1, "served")], monkeypatch)
    reading = read("docker:api", tmp_path)
    assert reading.kept == 3 and reading.entries["body"].str.contains("ValueError").sum() == 1
    assert "No such container: other" in read("docker:other", tmp_path).problem


@pytest.mark.skipif(
    not (JOURNAL_REMOTE.exists() and shutil.which("journalctl")),
    reason="systemd-journal-remote is not installed and could not be: sudo apt-get install systemd-journal-remote",
)
def test_a_real_journal_is_read_by_unit_and_window(tmp_path: Path) -> None:
    export = "".join(
        "\n".join(
            (
                f"__REALTIME_TIMESTAMP={int((NOW - dt.timedelta(minutes=ago)).timestamp() * 1_000_000)}",
                f"__MONOTONIC_TIMESTAMP={(1000 - ago) * 1_000_000}",
                "_BOOT_ID=0123456789abcdef0123456789abcdef",
                "_MACHINE_ID=0123456789abcdef0123456789abcdef",
                f"_SYSTEMD_UNIT={unit}.service",
                "PRIORITY=3",
                f"MESSAGE=ValueError: {unit} {ago}",
                "",
                "",
            )
        )
        for ago in (300, 50, 40, 30)
        for unit in ("api", "other")
    )
    (tmp_path / "export").write_text(export)
    journal = tmp_path / "journal"
    journal.mkdir()
    subprocess.run(
        [JOURNAL_REMOTE, f"--output={journal}/proof.journal", tmp_path / "export"],
        check=True,
        capture_output=True,
    )
    reading = read(f"journald:api.service?directory={journal}", tmp_path, covers_s=3600)
    assert reading.problem == "" and reading.kept == 3 and "journald" in reading.shape
    assert reading.entries["body"].tolist() == [f"ValueError: api {ago}" for ago in (50, 40, 30)]
    assert set(reading.entries["severity_text"]) == {"ERROR"}


class LokiApi:
    """Loki's query API over recorded lines, with the limits of its default configuration made small."""

    def __init__(self, lines: list[tuple[int, str]], *, most: int = 300, busy: int = 0) -> None:
        self.lines, self.most, self.busy, self.asked = lines, most, busy, list[dict[str, str]]()

    def answer(self, path: str) -> tuple[int, str]:
        query = {key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}
        self.asked.append(query)
        if self.busy:
            self.busy -= 1
            return 429, "too many outstanding requests"
        if int(query["limit"]) > self.most:
            return (
                400,
                f"max entries limit per query exceeded, limit > max_entries_limit ({query['limit']} > {self.most})",
            )
        found = re.fullmatch(r'\{app="api"\}(?: \|~ "((?:[^"\\]|\\.)*)")?', query["query"])
        assert found is not None, query["query"]
        pattern = (found[1] or "").replace("\\\\", "\\").replace('\\"', '"')
        rows = [
            [str(at), line]
            for at, line in self.lines
            if int(query["start"]) <= at < int(query["end"]) and re.search(pattern, line)
        ]
        rows.sort(key=lambda row: int(row[0]), reverse=query.get("direction", "backward") == "backward")
        streams = [
            {
                "stream": {"app": "api", "level": "error", "pod": "api-1"},
                "values": rows[: int(query["limit"])],
            }
        ]
        return 200, json.dumps({"status": "success", "data": {"resultType": "streams", "result": streams}})


@pytest.fixture
def loki() -> Iterator[tuple[LokiApi, str]]:
    """A server on loopback that speaks Loki's API; its lines are set by the test."""
    api = LokiApi([])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = api.answer(self.path)
            self.send_response(status)
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield api, f'loki:http://127.0.0.1:{server.server_port}{{app="api"}}'
    server.shutdown()
    thread.join()
    server.server_close()


def nanoseconds(minutes_ago: float, extra: int = 0) -> int:
    return int((NOW - dt.timedelta(minutes=minutes_ago)).timestamp()) * 1_000_000_000 + extra


def test_loki_is_read_forwards_in_pages_of_the_size_that_it_allows(
    loki: tuple[LokiApi, str], tmp_path: Path
) -> None:
    api, source = loki
    api.lines = [(nanoseconds(ago, ago), "served" if ago % 2 else '{"msg": "RecursionError", "level": "error"}') for ago in range(1000, 0, -1)]  # fmt: skip
    api.busy = 1
    reading = read(source, tmp_path)
    assert (reading.kept, reading.problem, reading.note) == (1000, "", "")
    assert reading.entries["body"].tolist()[:2] == ["RecursionError", "served"]
    assert set(reading.entries["service_instance_id"]) == {"api-1"}
    assert {fields["labels.app"] for fields in reading.entries["fields"]} == {"api"}
    assert {query["direction"] for query in api.asked} == {"forward"}


def test_loki_searches_for_the_patterns_where_there_is_too_much(
    loki: tuple[LokiApi, str], tmp_path: Path
) -> None:
    api, source = loki
    api.lines = [(nanoseconds(ago), "a b" if ago == 700 else "served") for ago in range(1000, 0, -1)]
    reading = read(source, tmp_path, limit=500, patterns=(r"a\sb",))
    assert reading.sampled_s == 3600 and (reading.entries["body"] == "a b").sum() == 1
    assert any(r'|~ "(?:a\\sb)"' in query["query"] for query in api.asked)


def test_a_loki_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    problem = read('loki:http://127.0.0.1:9{app="api"}', tmp_path).problem
    assert problem.startswith("loki:127.0.0.1:9 cannot be read: ") and "\n" not in problem
