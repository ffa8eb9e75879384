"""Since when, and who."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import proofbook as pb
from proofbook.investigation import practice
from proofbook.investigation.answers import FOUND, NOTHING, UNSURE
from proofbook.investigation.look import Look


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Look:
    return pb.look(practice.incident(tmp_path_factory.mktemp("log") / "incident.json"))


@pytest.mark.slow
def test_the_start_of_an_incident_lies_inside_what_is_said(incident: Look) -> None:
    answer = incident.where("status>=500").started()
    assert answer.answer == FOUND
    row = answer.table.iloc[0]
    began = practice.BEGINS + pd.Timedelta(hours=5.75)
    assert row["not before"] <= began <= row["not after"]
    assert "of 199 reshuffled orders" in answer.statement


@pytest.mark.slow
def test_what_never_rose_has_no_start(incident: Look) -> None:
    answer = incident.where(path="/api/a").started()
    assert answer.answer == NOTHING and answer.table.empty
    assert "no start" in answer.statement or "never rises" in answer.statement


@pytest.mark.slow
def test_a_rise_in_the_last_minutes_is_too_early_to_tell(incident: Look) -> None:
    answer = incident.between("08:00", "13:50").where(template="Decode failed*").started()
    assert answer.answer == UNSURE and answer.reason == "too-early"


@pytest.mark.slow
def test_a_few_are_too_few(incident: Look) -> None:
    few = incident.between("08:00", "08:10").where("status>=500").started()
    assert few.answer == UNSURE and few.reason == "too-few-samples"


def test_who_is_affected_is_counted_of_those_that_were_there(incident: Look) -> None:
    answer = incident.between("13:45", "14:00").where("status>=500").who()
    rows = answer.table
    top = rows[rows["who"] == "instance"].iloc[0]
    assert top["affected"] <= top["of"]
    assert "23 of 725 requests (status>=500)" in answer.statement
    assert "all come from one" not in answer.statement


def test_all_from_one_address_is_said_in_a_sentence(tmp_path: Path) -> None:
    lines = []
    for second in range(60):
        refused = second % 3 == 0
        request = {"requestMethod": "GET", "requestUrl": "https://api.example.com/ws", "status": 403 if refused else 101, "remoteIp": "192.0.2.7" if refused else f"198.51.100.{second}", "userAgent": "tests/1.0" if second < 40 else "browser"}  # fmt: skip
        lines.append(json.dumps({"timestamp": f"2026-01-05T09:00:{second:02}Z", "httpRequest": request}))
    file = tmp_path / "log.json"
    file.write_text("\n".join(lines))
    answer = pb.look(file).where("wrong").who()
    assert "20 of 60 requests (wrong)" in answer.statement
    assert "all come from one address, 192.0.2.7" in answer.statement
    assert "14 of 20 from one agent, tests/1.0" in answer.statement


@pytest.mark.slow
def test_who_is_asked_of_the_window_that_differs_proposes(incident: Look) -> None:
    bad = incident.where("status>=500")
    who, differs = bad.who(), bad.differs()
    window = differs.statement.split(", a window")[0]
    assert who.statement.startswith(f"{window}, a window that was proposed since the rate rose then: ")
    first, last = window.split(" to ")
    stated = incident.between(first, last).where("status>=500").who()
    assert who.table["affected"].tolist() == stated.table["affected"].tolist()


def test_our_own_probes_are_apart(tmp_path: Path) -> None:
    lines = [
        json.dumps({"timestamp": f"2026-01-05T09:00:{second:02}Z", "httpRequest": {"requestMethod": "GET", "requestUrl": "https://api.example.com/a", "status": 500, "userAgent": "proofbook-probe" if second % 2 else "browser"}})
        for second in range(40)
    ]  # fmt: skip
    file = tmp_path / "log.json"
    file.write_text("\n".join(lines))
    answer = pb.look(file).where("wrong").who()
    assert "20 of 20 requests" in answer.statement
    assert "20 requests of theirs are not counted" in " ".join(answer.notes)
