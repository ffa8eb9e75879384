"""Old runs go by themselves: evidence before findings, and failures and what began them last."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import asking
import pytest
import told
from conftest import SHORT_CASE, with_notebooks
from other_process import held_by_another

from proofbook.config.unattended import Retention
from proofbook.errors import CouldNotLook
from proofbook.evidence import baseline
from proofbook.pipeline import afterwards, replay
from proofbook.runs import history, retention, stored, verify
from proofbook.validation import Validation

HOUR = dt.timedelta(hours=1)
WORDS = {"p": "pass", "f": "fail", "i": "inconclusive", "e": "error"}


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = with_notebooks(tmp_path)
    monkeypatch.chdir(place)
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(place))
    (place / "notebooks" / "cases" / "c.toml").write_text(SHORT_CASE)
    return place


def made(
    base: Path,
    verdicts: str,
    *,
    case: str = "c",
    environment: str = "staging",
    start: dt.datetime = told.START,
) -> list[Path]:
    """Hourly runs with evidence, whose verdicts begin with these letters."""
    found = []
    for number, letter in enumerate(verdicts):
        folder = told.add_run(base, environment, start + number * HOUR, WORDS[letter], case=case)
        for name in retention.LARGE:
            (folder / name).mkdir()
            (folder / name / "x").write_bytes(b"x" * 1000)
        found.append(folder)
    return found


def left(folders: list[Path]) -> str:
    """Of each run: `W` whole, `r` without evidence, `.` gone."""
    return "".join(
        "." if not path.exists() else "W" if (path / "evidence").exists() else "r" for path in folders
    )


def removed(
    base: Path, folders: list[Path], *, pinned: tuple[str, ...] = (), **policy: Any
) -> retention.Done:
    entries = history.entries(base=base, environment=folders[0].parent.name)
    what = retention.old(
        entries, Retention.model_validate(policy), pinned=pinned, now=told.START + 1000 * HOUR
    )
    return retention.remove(what, base=base, now=told.START)


@pytest.mark.parametrize(
    ("runs", "policy", "expected"),
    [
        ("pppppppp", {"keep": 3}, ".....WWW"),
        ("pppppppp", {"keep": 5, "evidence": 2}, "...rrrWW"),
        # The newest that passed and the newest that failed stay whole.
        ("pfpiiiii", {"keep": 4, "evidence": 2, "failures": 1, "first_failures": 1}, "WWW.rrWW"),
        # Failures stay longer than what passed, and the first of a row longer still.
        ("pfffpppp", {"keep": 2, "failures": 2, "first_failures": 1}, "WWWW..WW"),
        ("pffffppp", {"keep": 2, "failures": 1, "first_failures": 1}, "WW..W.WW"),
        ("fpfpfppp", {"keep": 1, "failures": 1, "first_failures": 2}, ".WWWW..W"),
        ("pppp", {"keep": 4}, "WWWW"),
    ],
)  # fmt: skip
def test_evidence_goes_before_findings_and_failures_last(
    base: Path, runs: str, policy: dict[str, Any], expected: str
) -> None:
    folders = made(base, runs)
    removed(base, folders, **policy)
    assert left(folders) == expected
    removed(base, folders, **policy)
    assert left(folders) == expected, "a second time changes nothing"


def test_how_failures_began_is_known_whatever_went_between(base: Path) -> None:
    folders: list[Path] = []
    for number, letter in enumerate("pppffppppfppppfffppppp"):
        folders += made(base, letter, start=told.START + number * HOUR)
        removed(base, folders, keep=2, failures=1, first_failures=3)
    assert left(folders) == "..WW....WW...WW.W...WW"


def test_what_is_pinned_or_written_stays_whole(base: Path) -> None:
    folders = made(base, "pppppp")
    with held_by_another(folders[1]):
        done = removed(base, folders, pinned=(folders[0].name,), keep=1)
    assert left(folders) == "WW...W"
    assert len(done.problems) == 1 and "is being written by process" in done.problems[0]
    assert done.runs == 3 and done.freed_bytes > 6000


def test_a_run_ends_and_what_is_old_of_its_case_goes(base: Path) -> None:
    others = [*made(base, "ppp", case="d"), *made(base, "ppp", environment="production")]
    folders = made(base, "ppppppp", start=told.START + 100 * HOUR)
    (folders[1] / "evidence").rename(folders[1] / "kept")
    baseline_file = folders[0].parent / baseline.FILE
    baseline_file.write_text(f'{{"run": "{folders[0].name}"}}')
    (base / "notebooks" / "cases" / "c.toml").write_text(
        SHORT_CASE.replace('before = "auto"', f'before = "{folders[2].name}"')
    )
    told.state_environment(
        base,
        "staging",
        'case = "c"\n[[websocket]]\nname = "ws"\nservice = "api"\npath = "/ws"\ntoken = { in = "none" }\n[[log]]\nname = "api"\nsource = "app.log"\n[retention]\nkeep = 2\nevidence = 1\n',
    )
    said: list[str] = []
    with afterwards.followed(Validation.load("staging", base=base), base=base, say=said.append):
        pass
    assert left(folders) == "W.W..rW"
    assert left(others) == "WWWWWW"
    assert said == ["retention: removed 3 runs and the evidence of 1 more, 0.0 MB"]
    index = (base / "outputs" / history.INDEX).read_text()
    assert folders[1].name not in index and folders[5].name in index


@pytest.mark.parametrize("of_case", ["", "/after"], ids=["whole", "a-phase-of-it"])
def test_neither_the_run_that_just_ended_nor_the_one_that_the_case_names_goes_whatever_the_clock_says(
    base: Path, of_case: str
) -> None:
    folders = made(base, "ppppp")
    [just_ended] = made(base, "p", start=told.START - 1000 * HOUR)
    (base / "notebooks" / "cases" / "c.toml").write_text(
        SHORT_CASE.replace('before = "auto"', f'before = "{folders[1].name}{of_case}"')
    )
    told.state_environment(
        base,
        "staging",
        'case = "c"\n[[websocket]]\nname = "ws"\nservice = "api"\npath = "/ws"\ntoken = { in = "none" }\n[[log]]\nname = "api"\nsource = "app.log"\n[retention]\nkeep = 2\n',
    )
    with afterwards.followed(Validation.load("staging", base=base), base=base, say=print):
        pass
    assert left([*folders, just_ended]) == ".W.WWW"


def test_a_run_without_its_evidence_says_so_and_is_not_altered(base: Path) -> None:
    folders = made(base, "pp")
    removed(base, folders, keep=2, evidence=1)
    told_so = "were removed on 5 Jan 2026 10:00 UTC by [retention]"
    answers = verify.run(folders[0])
    assert told_so in answers[0].what and answers[0].held
    with pytest.raises(
        CouldNotLook,
        match=r"were removed on 5 Jan 2026 10:00 UTC by \[retention\]; its findings and its report are there",
    ):
        replay.replay(folders[0], base=base)
    assert told_so in asking.ask("report", folders[0].name).last
    assert asking.ask("show", folders[0].name).code == 0


def test_who_was_killed_meanwhile_leaves_nothing_that_stays(base: Path) -> None:
    folders = made(base, "pp")
    half = folders[0] / f".evidence.00ff{stored.DELETED}"
    (folders[0] / "evidence").rename(half)
    removed(base, folders, keep=2, evidence=1)
    assert not half.exists() and left(folders) == "rW"


def test_no_more_evidence_is_kept_than_runs(base: Path) -> None:
    told.state_environment(base, "staging", "[retention]\nkeep = 2\nevidence = 3\n")
    assert asking.ask("check", "staging").last.endswith(
        "retention: expected evidence to be at most keep (2), got 3"
    )
