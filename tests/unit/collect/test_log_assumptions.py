"""What a reader assumes of a log because no line says it is named: where the log is read, in its evidence and in the finding about it."""

import json
from pathlib import Path

import pytest
from builders import read_log
from conftest import proofbook

from proofbook.collect.logs.entries import Reading
from proofbook.collect.logs.recorder import record
from proofbook.config.sources import LogSource
from proofbook.evidence.assumptions import Assumption, of_text

UTC = {"utc_offset": "+00:00"}
APRIL = {"03/04/2026 10:00:00": "2026-04-03"}
BOTH = {
    "text": "03/04/2026 10:00:00 INFO a started\n03/04/2026 10:00:02 ERROR b failed\n",
    "text after a level": "INFO 03/04/2026 10:00:00 a started\nERROR 03/04/2026 10:00:02 b failed\n",
    "objects": '{"time":"03/04/2026 10:00:00","msg":"a"}\n{"time":"03/04/2026 10:00:02","msg":"b"}\n',
    "columns": "When,Level,Message\n03/04/2026 10:00:00,INFO,a\n03/04/2026 10:00:02,ERROR,b\n",
    "date and time in two columns": "Date,Time,Message\n03/04/2026,10:00:00,a\n03/04/2026,10:00:02,b\n",
}


def days(reading: Reading) -> set[str]:
    return set(reading.entries["timestamp"].dt.strftime("%Y-%m-%d"))


@pytest.mark.parametrize("text", BOTH.values(), ids=BOTH)
def test_which_number_was_taken_for_the_day_is_named_where_no_line_shows_it(
    tmp_path: Path, text: str
) -> None:
    reading = read_log(tmp_path, text, **UTC)
    assert reading.assumed_dates == APRIL and days(reading) == {"2026-04-03"}


@pytest.mark.parametrize("text", BOTH.values(), ids=BOTH)
def test_nothing_is_assumed_where_one_line_shows_the_day(tmp_path: Path, text: str) -> None:
    first, rest = text.split("03/04", 1)
    day_first = read_log(tmp_path / "de", f"{first}13/04{rest}", **UTC)
    month_first = read_log(tmp_path / "us", f"{first}03/13{rest}", **UTC)
    assert (day_first.assumed_dates, month_first.assumed_dates) == ({}, {})
    assert (days(day_first), days(month_first)) == ({"2026-04-13", "2026-04-03"}, {"2026-03-13", "2026-03-04"})  # fmt: skip


def test_nothing_is_assumed_where_day_and_month_are_the_same_or_a_form_is_stated(tmp_path: Path) -> None:
    text = "03/03/2026 10:00:00 INFO a started\n03/03/2026 10:00:02 ERROR b failed\n"
    assert read_log(tmp_path / "same", text, **UTC).assumed == ()
    stated = read_log(tmp_path / "stated", BOTH["text"], time_form="%m/%d/%Y %H:%M:%S", **UTC)
    assert stated.assumed == () and days(stated) == {"2026-03-04"}


@pytest.mark.slow
def test_the_evidence_of_a_log_holds_what_was_assumed(tmp_path: Path) -> None:
    (tmp_path / "us.log").write_text(BOTH["text"])
    (tmp_path / "iso.log").write_text("2026-04-03 10:00:00 INFO a started\n")
    (tmp_path / "numbers.log").write_text(
        "".join(f'{{"time":"2026-04-03T10:00:0{n}Z","level":{n % 2},"msg":"a"}}\n' for n in range(6))
    )
    sources = [LogSource(name=name, file=f"{name}.log", **UTC) for name in ("us", "iso", "numbers")]
    tables, _ = record(sources, [], base=tmp_path, folder=tmp_path)
    about = tables["log_sources"].set_index("source")["assumed"]
    assert about["iso"] == ""
    assert of_text(about["us"]) == (
        Assumption(about="date", written="03/04/2026 10:00:00", taken="2026-04-03"),
    )
    assert {item.about for item in of_text(about["numbers"])} == {"level"}


@pytest.mark.slow
def test_the_command_names_what_was_assumed(tmp_path: Path) -> None:
    (tmp_path / "us.log").write_text(BOTH["text"])
    words = "assumed    03/04/2026 10:00:00 is 2026-04-03, since no line shows the order of day and month"
    assert (
        words
        in proofbook("logs", "us.log", "--utc-offset", "+00:00", cwd=tmp_path, workspace=tmp_path).stdout
    )
    done = proofbook("logs", "us.log", "--utc-offset", "+00:00", "--json", cwd=tmp_path, workspace=tmp_path)
    assert json.loads(done.stdout)["assumed_dates"] == APRIL
