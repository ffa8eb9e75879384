"""What a look shows by itself: what rose, since when and whose; lanes, facets and entries, each of a size that stays small."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

import proofbook as pb
from proofbook.errors import UsageError
from proofbook.investigation import practice
from proofbook.investigation.display import axis, facets, gesture, lanes, lines, markup
from proofbook.investigation.look import Look

BEGINS = practice.BEGINS


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Look:
    return pb.look(practice.incident(tmp_path_factory.mktemp("log") / "incident.json"))


def log(folder: Path, *entries: dict[str, object]) -> Look:
    file = folder / "log.json"
    file.write_text("\n".join(json.dumps(entry) for entry in entries))
    return pb.look(file)


def entry(second: float, text: str = "", **more: object) -> dict[str, object]:
    at = (BEGINS + pd.Timedelta(seconds=second)).isoformat()
    return {
        "timestamp": at,
        "severity": "ERROR" if text else "INFO",
        **({"textPayload": text} if text else {}),
        **more,
    }


def test_the_first_change_says_what_since_when_and_whose_it_is(look: Look) -> None:
    first = look.overview.changes[0]
    assert first.statement.startswith(
        "Decode failed: unexpected frame of client <*>: 2026-01-05 13:45:00 UTC"
    )
    assert "all 20 have client = 2.3, of the others 141 of 778" in first.who
    assert "all 20 have region = eu" in first.who


def test_the_code_of_a_change_selects_what_it_says(look: Look) -> None:
    code = look.overview.changes[0].as_code
    assert eval(code, {"look": look}).started().statement.endswith("as strong in 0 of 199 reshuffled orders")


@pytest.mark.slow
def test_of_two_values_that_the_same_requests_have_the_one_with_a_name_of_its_own_is_told(
    tmp_path: Path,
) -> None:
    lines = [
        {
            "time": f"2026-01-05T08:{second // 60:02d}:{second % 60:02d}Z",
            "message": (said := "session not found" if second > 700 and second % 4 == 2 else "served"),
            "level": "error" if said != "served" else "info",
            "status": 500 if said != "served" else 200,
            "method": "GET",
            "path": "/cart",
            "pod": f"shop-{second % 4}",
            "file": f"/var/log/shop-{second % 4}.log",
        }
        for second in range(1200)
    ]
    (first, *_) = log(tmp_path, *lines).overview.changes
    assert "have instance = shop-2" in first.who and "/var/log" not in first.who


def test_requests_of_a_log_that_writes_traces_alone_are_counted(tmp_path: Path) -> None:
    traced = [
        entry(second, "down" if second % 3 == 0 else "", trace=f"t{second // 2}") for second in range(0, 60)
    ]
    said = repr(log(tmp_path, *[one | {"textPayload": one.get("textPayload", "served")} for one in traced]))
    assert "60 entries, 30 requests that are known by their traces alone" in said


def test_a_long_text_is_cut_in_a_table_of_text_and_whole_in_its_data(tmp_path: Path) -> None:
    look = log(tmp_path, *(entry(second, "down " + "word " * 60) for second in range(30)))
    assert max(map(len, repr(look).split("Errors by message")[1].splitlines())) < 220
    assert len(look.kinds()["what"].iloc[0]) > 250


@pytest.mark.slow
def test_a_system_in_which_nothing_rose_has_no_change(tmp_path: Path) -> None:
    practice.write(practice.requests(3, hours=2, count=6000), tmp_path / "quiet.json")
    assert pb.look(tmp_path / "quiet.json").overview.changes == ()


@pytest.mark.slow
def test_the_display_of_a_hostile_log_stays_small(tmp_path: Path) -> None:
    words = ["<b>", "\\[x\\]", "'\"", "🙂"]
    entries = [
        entry(
            second,
            f"{words[second % 4]} number {'abcdefghij'[second % 10]} {'long ' * 4000}",
            labels={f"k{n}": "v" * 900 + str(second) for n in range(30)},
        )
        for second in range(0, 1200)
    ]
    shown = log(tmp_path, *entries)
    assert len(shown._repr_html_()) <= 200_000
    assert len(shown.overview.lanes) <= lanes.MOST_LANES and len(shown.overview.lines) <= lines.MOST_LINES
    assert all(len(lane.values) <= axis.MOST_BUCKETS for lane in shown.overview.lanes)
    assert "<b> number" not in shown._repr_html_()


@pytest.mark.parametrize("length_s", [0.0, 0.4, 59.0, 3600.0, 86_400.0, 30 * 86_400.0, 4000 * 86_400.0])
def test_an_axis_of_any_length_has_few_buckets_and_holds_both_ends(length_s: float) -> None:
    ends = BEGINS + pd.Timedelta(seconds=length_s)
    over = axis.over((BEGINS, ends))
    assert 1 <= over.buckets <= axis.MOST_BUCKETS
    assert over.place(BEGINS) >= 0 and over.place(ends) < over.buckets


def test_facets_count_what_the_same_code_selects(look: Look) -> None:
    a, b = "13:46:00", "13:58:00"
    part = look.between(a, b)
    shown = facets.tally(look).facets_of(part)
    by_hand = look.between(a, b).sql("SELECT count(*) AS n, count(*) FILTER (WHERE status >= 500) AS bad FROM requests").iloc[0]  # fmt: skip
    assert (shown.count, shown.wrong) == (by_hand["n"], by_hand["bad"])
    region = next(facet for facet in shown.facets if facet.name == "region")
    assert region.values[0].text == "eu" and region.values[0].count == len(part.where(region="eu").sql("FROM requests"))  # fmt: skip


def test_entries_begin_with_what_went_wrong_and_secrets_are_not_among_them(tmp_path: Path) -> None:
    quiet = [entry(second / 10, httpRequest={"status": 200, "requestUrl": "https://a.example/x"}) for second in range(600)]  # fmt: skip
    shown = log(tmp_path, *quiet, entry(59, "login with password=hunter2hunter2 failed")).overview
    assert len(shown.lines) == lines.MOST_LINES and sum(line.wrong for line in shown.lines) == 1
    assert "hunter2" not in markup.as_html(shown) and "[redacted]" in markup.as_html(shown)


def test_where_nothing_was_written_is_marked_on_the_axis(tmp_path: Path) -> None:
    seconds = [*range(0, 300), *range(900, 1200)]
    shown = log(tmp_path, *(entry(second, "beat") for second in seconds)).overview
    ((began, ended),) = shown.unknown
    assert shown.axis.at(began) == BEGINS + pd.Timedelta(seconds=299)
    assert shown.axis.at(ended) == BEGINS + pd.Timedelta(seconds=900)
    assert "grey: nothing was written, so nothing is known (08:04:59 to 08:15:00)" in markup.as_html(shown)


def test_a_pause_that_comes_again_and_again_is_no_gap_and_a_longer_one_is(tmp_path: Path) -> None:
    bursts = [
        60 * burst + part / 20 for burst in range(40) for part in range(60) if burst not in (20, 21, 22)
    ]
    shown = log(tmp_path, *(entry(second, "beat") for second in bursts)).overview
    ((began, ended),) = shown.unknown
    assert shown.axis.at(ended) - shown.axis.at(began) == pd.Timedelta(seconds=237.05)


def test_a_selection_is_not_unknown_where_others_wrote(tmp_path: Path) -> None:
    entries = [entry(second, "beat" if 300 < second < 900 else "other") for second in range(1200)]
    assert log(tmp_path, *entries).where("template=other").overview.unknown == ()


@pytest.mark.parametrize("value", ["eu", "a'b", 'a"b', "a'\"b\\", "two\nlines", "*", "{x}", "‮hidden", ""])
@pytest.mark.parametrize("name", ["region", "labels.x-y", "class", 'a"b'])
def test_the_code_of_a_value_is_one_line_that_means_it(name: str, value: str) -> None:
    code = gesture.where(name, value)
    called: list[object] = []

    class Spy:
        def where(self, *texts: str, fields: dict[str, str] | None = None, **values: str) -> None:
            called.append({**(fields or {}), **values})

    eval(f"look{code}", {"look": Spy()})
    assert called == [{name: value}] and "\n" not in code


def test_every_lane_says_its_numbers_to_a_screen_reader(look: Look) -> None:
    html = look._repr_html_()
    labels = re.findall(r"<svg role='img' aria-label='([^']+)'", html)
    assert len(labels) == len(look.overview.lanes)
    assert "answers of 5xx: 147, most 6" in labels


def test_a_log_of_one_entry_and_an_empty_selection_are_shown(tmp_path: Path) -> None:
    one = log(tmp_path, entry(1, "alone"))
    assert "1 of 1 entries (all)" in one._repr_html_()
    none = one.where("status>=500")
    assert "0 entries" in none._repr_html_() and "No requests among these." in none._repr_html_()
    with pytest.raises(UsageError):
        one.between("08:00:01", "08:00:01")


def test_errors_that_stand_in_no_answer_are_not_passed_over_in_silence(tmp_path: Path) -> None:
    fine = [entry(second, httpRequest={"status": 200, "requestUrl": "https://a.example/x"}, trace=f"t/{second}") for second in range(60)]  # fmt: skip
    broken = [entry(second + 0.1, "it broke", trace=f"t/{second}") for second in range(7)]
    said = "no answer among these that went wrong; 7 requests went wrong by what was written of them"
    assert said in repr(log(tmp_path, *fine, *broken))
