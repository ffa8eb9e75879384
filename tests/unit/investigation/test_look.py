"""A look selects, shows and refuses what is typed wrong."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import proofbook as pb
from proofbook.errors import ProofbookError, UnknownName, UsageError
from proofbook.investigation import mapped
from proofbook.investigation.look import Look


def line(at: str, *, status: int | None = None, path: str = "/ws", **more: object) -> str:
    entry: dict[str, object] = {"timestamp": f"2026-01-05T{at}Z", "insertId": f"{at}{path}{status}{more}"}
    if status is not None:
        entry["httpRequest"] = {"requestMethod": "GET", "requestUrl": f"https://api.example.com{path}", "status": status, "userAgent": "chrome"}  # fmt: skip
    return json.dumps(entry | more)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Look:
    file = tmp_path_factory.mktemp("log") / "export.json"
    file.write_text(
        "\n".join(
            [
                line("09:00:00", status=200, labels={"client": "2.2"}),
                line("09:00:10", status=403, labels={"client": "2.3"}),
                line("09:00:20", status=403, path="/cart", labels={"client": "2.3"}),
                line("09:01:00", status=500, path="/cart", labels={"client": "2.2"}),
                line("09:01:01", textPayload="mail to ann 12 bounced", severity="ERROR"),
                line("09:01:02", textPayload=r"^\[INFO\] <b>$x$ & co", severity="INFO"),
                line("09:02:00", status=200, trace="projects/p/traces/70726f6f66aaaaaaaaaaaaaaaaaaaaaa"),
            ]
        )
    )
    return pb.look(file)


def test_a_look_is_narrowed_and_stays_what_it_was(seen: Look) -> None:
    assert len(seen) == 7
    assert len(seen.where(status=403)) == 2
    assert len(seen.where(status=403, path="/ws")) == 1
    assert len(seen.where("status>=400 and path=/cart")) == 2
    assert len(seen.where(fields={"client": "2.3"})) == len(seen.where(client="2.3")) == 2
    assert len(seen.but(status=403)) == 5
    assert len(seen.between("09:01", "09:01:02")) == 2
    assert len(seen.at("09:00:10", "10s")) == 2
    assert len(seen.where(status=[403, 500])) == 3
    assert len(seen.where(template="mail to *")) == 1
    assert len(seen) == 7


def test_who_lets_go_of_a_look_gives_back_what_it_holds_at_once(
    seen: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "SHORT_BYTES", 0)
    seen.table().to_json(tmp_path / "log.json", orient="records", lines=True, date_format="iso")
    gc.disable()  # a cycle would be found sooner or later, and hundreds of megabytes be held until then
    try:
        look = pb.look(tmp_path / "log.json")
        look._repr_html_()
        look.where(status=403).differs()
        held = weakref.ref(look.records)
        del look
        assert held() is None
    finally:
        gc.enable()


def test_what_went_wrong_is_5xx_refused_upgrades_and_errors_of_no_request(seen: Look) -> None:
    wrong = seen.where("wrong").table()
    assert sorted(wrong["http_status"].dropna()) == [403, 500]
    assert (wrong["path"] == "/ws").sum() == 1
    assert (wrong["severity_text"] == "ERROR").any()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (lambda look: look.where(statsu=500), "there is no field 'statsu' in this log; did you mean 'status'?"),
        (lambda look: look.where("statsu>=500"), "there is no field 'statsu' in this log; did you mean 'status'?"),
        (lambda look: look.where(path="/wss"), "there is no path '/wss' in this log; did you mean '/ws'?"),
        (lambda look: look.where(fields={"clent": "2.3"}), "there is no field 'clent' in this log; did you mean 'client'?"),
        (lambda look: look.sql("select * from request"), "did you mean 'requests'?"),
    ],
)  # fmt: skip
def test_a_name_that_is_typed_wrong_is_named_with_the_nearest(
    seen: Look, asked: Callable[[Look], object], says: str
) -> None:
    with pytest.raises(UnknownName) as raised:
        asked(seen)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (lambda look: look.where("latency_s>much"), "expected a number for latency_s, got 'much'"),
        (lambda look: look.where("path ~ ["), "expected a regular expression"),
        (lambda look: look.where("?"), "expected 'wrong' or a comparison"),
        (lambda look: look.where(), "expected a condition"),
        (lambda look: look.between("10:00", "09:00"), "expected a time before the second"),
        (lambda look: look.between("soon", "09:00"), "not a time: "),
        (lambda look: look.at("09:00", "2 parsecs"), "expected a duration, a number and a unit such as 90s, 5m, 24h or 7d, got '2 parsecs'"),
        (lambda look: look.sql("select nothing from entries"), "the query cannot be answered"),
        (lambda look: pb.look("nowhere.json"), "there is no such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_in_one_sentence(
    seen: Look, asked: Callable[[Look], object], says: str
) -> None:
    with pytest.raises(ProofbookError) as raised:
        asked(seen)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_views_mean_what_is_selected(seen: Look) -> None:
    counted = seen.where(path="/cart").sql("SELECT count(*) AS n FROM requests")
    assert counted["n"].tolist() == [2]
    assert seen.sql("SELECT count(*) AS n FROM requests WHERE own")["n"].tolist() == [1]


def test_kinds_come_errors_first_with_their_values_left_out(seen: Look) -> None:
    kinds = seen.kinds()
    assert kinds["what"].iloc[0] == "mail to ann <*> bounced"
    assert kinds["severity"].tolist() == ["ERROR", "INFO"]


def test_examples_are_whole_entries_one_of_each_kind(seen: Look) -> None:
    shown = seen.examples(2)
    assert shown["severity_text"].iloc[0] == "ERROR"
    assert len(shown) == 2


def test_the_text_of_a_log_is_not_taken_for_mathematics(seen: Look) -> None:
    assert pd.get_option("display.html.use_mathjax") is False


def test_a_file_that_is_no_log_of_ours_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(file)
    with pytest.raises(UsageError, match="expected entries with the columns"):
        pb.look(file)
