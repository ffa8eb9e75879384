"""`proofbook look` says in text what the notebook shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from asking import ask

from proofbook.investigation import practice


@pytest.mark.slow
def test_look_names_the_cause_of_an_incident(tmp_path: Path) -> None:
    file = practice.incident(tmp_path / "incident.json")
    done = ask("look", str(file))
    assert done.code == 0, done.err
    assert "answers of 5xx" in done.out
    assert "found: since when: wrong: 2026-01-05 13:46:00 UTC" in done.out
    assert "client = 2.3 and region = eu, 19 of 22 of these" in done.out
    assert "who is affected" in done.out


@pytest.mark.slow
def test_look_gives_the_same_as_json(tmp_path: Path) -> None:
    file = practice.incident(tmp_path / "incident.json")
    done = ask("look", str(file), "--since", "15m", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert list(told) == ["look", "started", "changes", "differs", "who"]
    assert told["look"]["entries"] > 500 and told["look"]["groups"][0]["status"] == 500
    first = told["changes"]["table"][0]
    assert (first["change"], first["before"], first["called"]) == ("new", 0, True)
    assert told["differs"]["table"][0]["suspect"] == "client = 2.3 and region = eu"
    assert told["differs"]["controls"][0]["held"] is True
    assert told["started"]["table"][0]["started"].startswith("2026-01-05T13:46:00.")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--where", "statsu>=500"], "there is no field 'statsu' in this log; did you mean 'status'?"),
        (["--since", "soon"], "not a time: "),
        (["--before", "nowhere.json"], "there is no such file"),
    ],
)
def test_what_is_typed_wrong_gets_one_sentence(options: list[str], sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "log.json"
    file.write_text(json.dumps({"timestamp": "2026-01-05T09:00:00Z", "textPayload": "\x1b[31mred"}))
    done = ask("look", str(file), *options)
    assert done.code == 2
    assert sentence in done.err and done.err.count("\n") == 1


def test_nothing_of_a_log_steers_the_terminal(tmp_path: Path) -> None:
    file = tmp_path / "log.json"
    file.write_text(
        json.dumps(
            {"timestamp": "2026-01-05T09:00:00Z", "severity": "ERROR", "textPayload": "\x1b[31mred\x07"}
        )
    )
    done = ask("look", str(file))
    assert done.code == 0 and "\x1b" not in done.out and "\x07" not in done.out
