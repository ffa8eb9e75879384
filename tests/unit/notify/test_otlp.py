"""Metrics by OTLP: read by the protocol's own definition, and a receiver that is down costs no run."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import made
import pytest
import receivers
import told
from conftest import with_notebooks
from prometheus_client.parser import text_string_to_metric_families

from proofbook.config import environment as environments
from proofbook.errors import ConfigurationError
from proofbook.judge.findings import Verdict
from proofbook.pipeline import afterwards
from proofbook.report import metrics
from proofbook.validation import Validation

NOW = told.START + dt.timedelta(hours=1)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = with_notebooks(tmp_path)
    monkeypatch.chdir(place)
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(place))
    found = [made.finding("a", "a"), made.finding("b", "b", Verdict.PASS)]
    told.add_run(place, "staging", told.START, "fail", found=found)
    told.add_run(place, "production", told.START)
    return place


@pytest.fixture
def collector() -> Iterator[receivers.Collector]:
    with receivers.collector() as found:
        yield found


def ended(base: Path, text: str) -> list[str]:
    """What is said after a run of staging, whose file states these metrics too."""
    told.state_environment(base, "staging", f'every = "1h"\n[metrics]\n{text}')
    said: list[str] = []
    with afterwards.followed(Validation.load("staging", base=base), base=base, say=said.append):
        pass
    return said


def test_a_receiver_gets_what_the_file_says_of_this_environment(
    base: Path, collector: receivers.Collector
) -> None:
    assert ended(base, f'otlp = "{collector.url}/"\n') == [] and collector.wrong == []
    text = metrics.text(base=base, now=NOW)
    written = [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    assert sorted(collector.points, key=str) == sorted((item for item in written if item[1]["environment"] == "staging"), key=str)  # fmt: skip
    assert ("proofbook_verdict", {"environment": "staging", "case": "c", "verdict": "fail"}, 1.0) in collector.points  # fmt: skip
    assert "proofbook_run_due_timestamp_seconds" in {name for name, _, _ in collector.points}
    [at] = collector.times_s
    assert abs(at - dt.datetime.now(dt.UTC).timestamp()) < 60
    assert "Authorization" not in collector.headers[0]


def test_a_token_is_sent_and_not_shown(
    base: Path, collector: receivers.Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTLP_TOKEN", "a-long-secret-token")
    collector.down = True
    text = f'otlp = "{collector.url}"\notlp_token = {{ env = "OTLP_TOKEN" }}\n'
    [said] = ended(base, text)
    assert collector.headers[0]["Authorization"] == "Bearer a-long-secret-token"
    assert said == "metrics: the OTLP receiver was not told: answered 503 Service Unavailable: come back later; the next run sends what is so then"  # fmt: skip
    monkeypatch.delenv("OTLP_TOKEN")
    [said] = ended(base, text)
    assert said.startswith("staging: metrics.otlp_token: ") and "OTLP_TOKEN" in said


def test_a_receiver_that_is_not_there_and_one_that_takes_a_part_are_told(
    base: Path, collector: receivers.Collector
) -> None:
    collector.refuses = 3
    assert ended(base, f'otlp = "{collector.url}"\n') == [
        "metrics: the OTLP receiver was not told: it refused 3 points: out of order; the next run sends what is so then"
    ]
    assert ended(base, 'otlp = "http://127.0.0.1:1"\n') == [
        "metrics: the OTLP receiver was not told: cannot be reached (Connection refused); the next run sends what is so then"
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "metrics: expected textfile or otlp, got neither"),
        ('textfile = "a.prom"\notlp_token = { env = "T" }\n', "metrics: expected otlp beside otlp_token, got the token alone"),
        ('otlp = "127.0.0.1:4318"\n', "expected a URL that starts with http:// or https://, got '127.0.0.1:4318'"),
    ],
)  # fmt: skip
def test_metrics_that_go_nowhere_are_refused(base: Path, text: str, sentence: str) -> None:
    told.state_environment(base, "staging", f"[metrics]\n{text}")
    with pytest.raises(ConfigurationError, match=re.escape(sentence)):
        environments.load("staging", base=base)
