"""Metrics that Prometheus itself accepts, of the newest run of each environment."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import http.server
import json
import shutil
import stat
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import made
import pytest
import receivers
import told
from conftest import with_notebooks
from trying import free_port

from proofbook.judge.findings import Verdict
from proofbook.pipeline import afterwards
from proofbook.report import metrics
from proofbook.runs import due
from proofbook.validation import Validation

PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")
NOW = told.START + dt.timedelta(hours=1)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Outputs in which staging failed and is expected each hour, and production could not look after it had passed."""
    place = with_notebooks(tmp_path)
    monkeypatch.chdir(place)
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(place))
    found = [made.finding("a", "a"), made.finding("b", "b"), made.finding("c", "c", Verdict.PASS)]
    told.add_run(place, "staging", told.START, "fail", found=found)
    told.add_run(place, "production", told.START)
    told.add_run(place, "production", NOW, "error", ended=None, reason="could-not-look", found=[])
    due.note([due.of("staging", every_s=3600, grace_s=0, now=NOW, base=place)], base=place)
    return place


def lines(base: Path, name: str, environment: str) -> list[str]:
    text = metrics.text(base=base, now=NOW)
    return [
        line
        for line in text.splitlines()
        if line.startswith(f"proofbook_{name}{{") and f'environment="{environment}"' in line
    ]


def test_the_newest_run_of_each_environment_is_told(base: Path) -> None:
    labels = 'case="c",environment="staging"'
    assert lines(base, "verdict", "staging") == [
        f'proofbook_verdict{{{labels},verdict="{verdict}"}} {value}'
        for verdict, value in (("pass", "0.0"), ("inconclusive", "0.0"), ("error", "0.0"), ("fail", "1.0"))
    ]
    assert f'proofbook_findings{{{labels},verdict="fail"}} 2.0' in lines(base, "findings", "staging")
    started = told.START.timestamp()
    assert float(lines(base, "run_ended_timestamp_seconds", "staging")[0].split()[-1]) == started
    assert lines(base, "run_duration_seconds", "staging")[0].endswith(" 120.0")
    assert float(lines(base, "run_due_timestamp_seconds", "staging")[0].split()[-1]) == started + 3600


def test_a_run_that_could_not_look_is_the_verdict_and_no_finished_run(base: Path) -> None:
    assert lines(base, "verdict", "production")[2].endswith('verdict="error"} 1.0')
    assert (
        float(lines(base, "run_ended_timestamp_seconds", "production")[0].split()[-1])
        == told.START.timestamp()
    )
    assert lines(base, "run_due_timestamp_seconds", "production") == []


def test_the_file_is_whole_and_readable_for_whoever_collects_it(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told.state_environment(base, "staging", '[metrics]\ntextfile = "kept/proofbook.prom"\n')
    said: list[str] = []

    def end() -> None:
        with afterwards.followed(
            Validation.load("staging", base=base),
            base=base,
            say=said.append,
            metrics_file=str(base / "other.prom"),
        ):
            pass

    end()
    assert said == ["metrics: kept/proofbook.prom cannot be written (No such file or directory)"]
    (base / "kept").mkdir()
    end()
    assert len(said) == 1
    assert (base / "kept" / "proofbook.prom").read_text() == (base / "other.prom").read_text()
    assert stat.S_IMODE((base / "other.prom").stat().st_mode) == 0o644
    assert [path.name for path in (base / "kept").iterdir()] == ["proofbook.prom"]


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: sudo apt-get install prometheus")
def test_promtool_finds_nothing_to_mend(base: Path) -> None:
    done = subprocess.run(
        [str(PROMTOOL), "check", "metrics"],
        input=metrics.text(base=base, now=NOW),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@contextlib.contextmanager
def served(folder: Path) -> Iterator[int]:
    """A server of files, as node_exporter gives out its text files."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        extensions_map = {".prom": "text/plain; version=0.0.4"}  # noqa: RUF012

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.slow
@pytest.mark.skipif(PROMETHEUS is None, reason="Prometheus is not installed: sudo apt-get install prometheus")
def test_a_prometheus_that_scrapes_them_answers_which_environments_fail_and_which_are_overdue(
    base: Path, tmp_path: Path
) -> None:
    metrics.write(tmp_path / "x.prom", base=base, now=NOW)
    port = free_port()
    with served(tmp_path) as source:
        (tmp_path / "prometheus.yml").write_text(
            f"scrape_configs:\n  - job_name: x\n    scrape_interval: 1s\n    metrics_path: /x.prom\n    static_configs:\n      - targets: ['127.0.0.1:{source}']\n"
        )
        command = [
            str(PROMETHEUS),
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]

        def asked(query: str) -> list[Any]:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(
                    f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}", timeout=5
                ) as answer,
            ):
                return [item["metric"]["environment"] for item in json.load(answer)["data"]["result"]]
            return []

        with (
            (tmp_path / "log").open("wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log) as process,
        ):
            try:
                receivers.wait_until(lambda: asked("proofbook_verdict"), within_s=60)
                assert asked('proofbook_verdict{verdict="fail"} == 1') == ["staging"]
                assert asked('proofbook_verdict{verdict="pass"} == 1') == []
                assert asked("time() > proofbook_run_due_timestamp_seconds") == ["staging"]
            finally:
                process.kill()


def test_no_series_is_in_two_files_of_one_folder_and_odd_names_are_read(base: Path, tmp_path: Path) -> None:
    files = {"staging": "a.prom", "production": "b.prom", "eu west": "b.prom", "münchen+1": "c.prom"}
    for number, (name, file) in enumerate(files.items()):
        told.state_environment(base, name, f'[metrics]\ntextfile = "{tmp_path / file}"\n')
        told.add_run(base, name, told.START + dt.timedelta(minutes=number + 1))
    told.add_run(base, "of-no-file-any-more", told.START)
    for name in files:
        with afterwards.followed(Validation.load(name, base=base), base=base, say=pytest.fail):
            pass
    kept = {
        path.name: [
            line.rpartition(" ")[0] for line in path.read_text().splitlines() if not line.startswith("#")
        ]
        for path in sorted(tmp_path.glob("*.prom"))
    }
    every = [series for found in kept.values() for series in found]
    assert len(kept) == 3 and len(every) == len(set(every)) > 0
    named = {
        file: {name for name in files if f'environment="{name}"' in "".join(found)}
        for file, found in kept.items()
    }
    assert named == {"a.prom": {"staging"}, "b.prom": {"production", "eu west"}, "c.prom": {"münchen+1"}}
