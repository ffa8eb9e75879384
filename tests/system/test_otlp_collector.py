"""Metrics reach a collector that somebody else wrote, and come out of it as they went in."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import receivers
import told
from conftest import with_notebooks
from prometheus_client.parser import text_string_to_metric_families
from trying import free_port

from proofbook.pipeline import afterwards
from proofbook.report import metrics
from proofbook.validation import Validation

found = importlib.util.find_spec("rotel")
AGENT = Path(found.origin).parent / "rotel-agent" if found and found.origin else None
pytestmark = pytest.mark.skipif(
    AGENT is None, reason="the collector is not installed here: pip install rotel"
)


@contextlib.contextmanager
def rotel(folder: Path, *, passes_to: str) -> Iterator[str]:
    """The base URL of a real OpenTelemetry collector that passes on what it gets, as protobuf."""
    port = free_port()
    command = [
        str(AGENT), "start", "--otlp-http-endpoint", f"127.0.0.1:{port}", "--otlp-grpc-endpoint", f"127.0.0.1:{free_port()}",
        "--pid-file", str(folder / "pid"), "--log-file", str(folder / "log"), "--exporter", "otlp", "--otlp-exporter-protocol", "http",
        "--otlp-exporter-endpoint", passes_to,
    ]  # fmt: skip
    with (
        (folder / "rotel.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            receivers.wait_until(lambda: receivers.listens(port), within_s=60)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def test_a_foreign_collector_passes_on_what_the_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = with_notebooks(tmp_path)
    monkeypatch.chdir(base)
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(base))
    told.add_run(base, "staging", told.START, "fail")
    said: list[str] = []
    with receivers.collector() as behind, rotel(tmp_path, passes_to=behind.url) as url:
        told.state_environment(base, "staging", f'every = "1h"\n[metrics]\notlp = "{url}"\n')
        with afterwards.followed(Validation.load("staging", base=base), base=base, say=said.append):
            pass
        receivers.wait_until(lambda: behind.points or behind.wrong, within_s=60)
    assert said == [] and behind.wrong == []
    text = metrics.text(base=base, now=told.START)
    written = [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    assert written and sorted(behind.points, key=str) == sorted(written, key=str)


def test_a_foreign_collector_that_has_ended_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = with_notebooks(tmp_path)
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(base))
    told.add_run(base, "staging", told.START, "pass")
    with rotel(tmp_path, passes_to="http://127.0.0.1:1") as url:
        pass
    told.state_environment(base, "staging", f'[metrics]\notlp = "{url}"\n')
    said: list[str] = []
    with afterwards.followed(Validation.load("staging", base=base), base=base, say=said.append):
        pass
    assert said == ["metrics: the OTLP receiver was not told: cannot be reached (Connection refused); the next run sends what is so then"]  # fmt: skip
