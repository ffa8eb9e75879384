"""Which earlier run counts as before: by its id, by a word for the newest of a verdict, or pinned."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import told

from proofbook.config import asked_alike
from proofbook.config.environment import Environment
from proofbook.errors import UsageError
from proofbook.evidence import baseline, store
from proofbook.runs import earlier, retention
from proofbook.runs.earlier import Earlier

OF_API = told.SERVICE


def recorded(folder: Path, *phases: str, environment: str = "eu", settings: str = OF_API) -> Path:
    """A run's folder with evidence of these phases."""
    for phase in phases:
        now = store.Phase(started=told.START, ended=told.START + dt.timedelta(minutes=1))
        looks = pd.DataFrame({"look": [1], "started": [told.START], "ended": [told.START], "planned": [1], "every_s": [1.0]})  # fmt: skip
        store.write_phase(folder / "evidence", environment=environment, phase=phase, tables={"looks": looks}, recorded=now)  # fmt: skip
    (folder / "inputs").mkdir()
    (folder / "inputs" / f"{environment}.toml").write_text(settings)
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """A run that passed, two that failed, one that broke and one that passed and recorded nothing of after."""
    found = []
    for hour, (verdict, phase) in enumerate([("pass", "after"), ("fail", "after"), ("fail", "after"), ("error", "after"), ("pass", "before")]):  # fmt: skip
        folder = told.add_run(tmp_path, "eu", told.START + dt.timedelta(hours=hour), verdict)
        found.append(recorded(folder, phase))
    return found


def asked(base: Path, *, before: str = "auto", environment: str = "eu", url: str = "http://127.0.0.1:9") -> Any:  # fmt: skip
    where = Environment.model_validate({"service": [{"name": "api", "url": url}]}).model_copy(update={"name": environment})  # fmt: skip
    return SimpleNamespace(base=base, environment=where, case=SimpleNamespace(before=before))


@pytest.mark.parametrize(("word", "number"), [("last", 2), ("last-failed", 2), ("last-passed", 0)])
def test_a_word_means_the_newest_run_of_that_verdict_as_it_found_the_system(
    word: str, number: int, runs: list[Path], tmp_path: Path
) -> None:
    right = Earlier(folder=runs[number].resolve(), phase="after")
    assert earlier.of(word, asked(tmp_path)) == right
    assert earlier.of("", asked(tmp_path, before=word)) == right


def test_the_run_that_goes_on_is_no_earlier_one_and_one_whose_evidence_is_gone_counts_for_nothing(
    runs: list[Path], tmp_path: Path
) -> None:
    found = earlier.of("last-failed", asked(tmp_path), without=runs[2].name)
    assert found is not None and found.folder == runs[1].resolve()
    (runs[2] / retention.REMOVED).write_text('{"at": "2026-01-05T10:00:00.000Z"}')
    assert earlier.of("last-failed", asked(tmp_path)) == found


def test_a_case_that_names_the_last_run_has_none_at_first_and_a_command_that_does_is_told_so(
    tmp_path: Path,
) -> None:
    assert earlier.of("", asked(tmp_path, before="last")) is None
    with pytest.raises(
        UsageError, match="expected a run of eu for --before last with evidence of after, found none"
    ):
        earlier.of("last", asked(tmp_path))


def test_a_word_that_is_none_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        earlier.of("last-pased", asked(tmp_path))
    assert str(raised.value) == "expected a run, or one of last, last-passed, last-failed, as before, got 'last-pased'"  # fmt: skip


def test_a_phase_may_be_named_behind_a_run(runs: list[Path], tmp_path: Path) -> None:
    found = earlier.of(f"{runs[0].name}/after", asked(tmp_path))
    assert found == Earlier(folder=runs[0].resolve(), phase="after")
    wrong = earlier.of(f"{runs[0].name}/before", asked(tmp_path))
    assert wrong is not None
    with pytest.raises(UsageError, match=r"expected a run that recorded before, but .* holds no evidence of before$"):  # fmt: skip
        wrong.take(asked(tmp_path).environment, into=tmp_path / "into")
    assert not (tmp_path / "into").exists()


def test_a_run_of_another_system_is_no_before_but_one_of_the_same_address_is(
    runs: list[Path], tmp_path: Path
) -> None:
    assert earlier.of(runs[0].name, asked(tmp_path, environment="of-a-first-try")) is not None
    with pytest.raises(UsageError, match=r"expected a run of us as before, got .* is of eu and asked other addresses"):  # fmt: skip
        earlier.of(runs[0].name, asked(tmp_path, environment="us", url="http://127.0.0.1:8"))


def test_what_is_taken_says_where_it_was_recorded_and_what_was_asked_otherwise(
    runs: list[Path], tmp_path: Path
) -> None:
    now = asked(tmp_path).environment
    found = earlier.of("last-passed", asked(tmp_path))
    assert found is not None
    second = runs[0].with_name("20260106T000000Z-0000")
    assert found.take(now, into=second / "evidence") == f"taken from after of run {runs[0].name}"
    (second / "inputs").mkdir()
    (second / "inputs" / "eu.toml").write_text(OF_API + 'health = "/ready"\n')
    into = tmp_path / "third"
    told_so = Earlier(folder=second).take(now, into=into)
    assert told_so == f"taken from after of run {runs[0].name}; asked otherwise now: service api: health"
    taken = store.read(into).manifest.phases["before"].taken
    assert taken == store.Taken(run=runs[0].name, phase="after", differs=("service api: health",))
    # Of a run that keeps no settings nobody knows.
    (second / "inputs" / "eu.toml").unlink()
    Earlier(folder=second).take(now, into=tmp_path / "fourth")
    unknown = store.read(tmp_path / "fourth").manifest.phases["before"].taken
    assert unknown is not None and unknown.differs is None


def test_a_pinned_run_is_taken_as_before(runs: list[Path], tmp_path: Path) -> None:
    baseline.pin(runs[0])
    assert earlier.of("", asked(tmp_path)) == Earlier(folder=runs[0].resolve())
    assert earlier.of("last-failed", asked(tmp_path)) == Earlier(folder=runs[2].resolve(), phase="after")


def test_only_settings_of_how_is_asked_make_a_difference() -> None:
    service = {"name": "api", "url": "http://127.0.0.1:9"}
    was = Environment.model_validate({"title": "a", "service": [{**service, "critical": True, "ws": "/ws"}]})
    now = Environment.model_validate({"title": "b", "every": "1h", "service": [{**service, "critical": False, "ws": "/wss", "url": "http://127.0.0.1:8"}]})  # fmt: skip
    assert asked_alike.differing(was, was) == ()
    differs = asked_alike.differing(was, now)
    assert differs == ("service api: url", "websocket ws: path")
    assert asked_alike.concerning(differs, "service") == ()
    assert asked_alike.concerning(differs, "service", address=True) == ("service api: url",)
