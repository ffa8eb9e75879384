"""Logs that lack nearly everything, and fields that mean harm, are answered in sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import proofbook as pb
from proofbook.investigation.answers import FOUND, Answer
from proofbook.investigation.look import Look


def written(folder: Path, *entries: dict[str, object]) -> Path:
    file = folder / "log.json"
    file.write_text("\n".join(json.dumps(entry) for entry in entries))
    return file


def entry(second: int, **more: object) -> dict[str, object]:
    return {"timestamp": f"2026-01-05T09:{second // 60:02}:{second % 60:02}Z", **more}


def changed_in_the_middle(look: Look) -> Answer:
    """What changed halfway; a log of one moment has no half."""
    first, last = look.records.own_span
    return look.changes(first + (last - first) / 2) if first < last else look.changes()


def followed(look: Look) -> Answer:
    """The first entry of all, whatever is selected."""
    return look.follow(0)


ASKED: list[Callable[[Look], Answer]] = [Look.started, Look.differs, Look.who, Look.changes, changed_in_the_middle]  # fmt: skip


@pytest.mark.usual_cases(4)
@pytest.mark.parametrize("ask", [*ASKED, followed])
@pytest.mark.parametrize(
    "entries",
    [
        [entry(0, textPayload="one entry alone", severity="ERROR")],
        [entry(second, textPayload=f"beat {second}", severity="INFO") for second in range(90)],
        [entry(0, textPayload="all at once", severity="ERROR")] * 40,
        [entry(second, severity="ERROR", textPayload="down") for second in range(600)],
        [
            entry(
                second,
                httpRequest={
                    "requestMethod": "GET",
                    "requestUrl": "https://a/x",
                    "status": 500 if second % 7 == 0 else 200,
                },
            )
            for second in range(90)
        ],
    ],
    ids=["one entry", "nothing wrong", "one moment", "nothing but errors", "nothing but requests"],
)
def test_what_cannot_be_answered_is_said(
    ask: Callable[[Look], Answer], entries: list[dict[str, object]], tmp_path: Path
) -> None:
    look = pb.look(written(tmp_path, *entries))
    assert repr(look) and look._repr_html_()
    for selected in (look.where("wrong"), look, look.but("wrong")):
        answer = ask(selected)
        assert answer.statement and "nan" not in answer.statement
        assert repr(answer) and answer._repr_html_()
        if ask not in (Look.who, followed):
            assert answer.answer != FOUND


def test_entries_of_no_request_are_counted_where_there_are_no_requests(tmp_path: Path) -> None:
    entries = [
        entry(second, severity="ERROR" if second % 10 == 0 else "INFO", textPayload="tick", labels={"host": "b" if second % 10 == 0 else "a"})
        for second in range(300)
    ]  # fmt: skip
    answer = pb.look(written(tmp_path, *entries)).where("wrong").differs()
    assert "30 entries (wrong) against 270 others" in answer.statement
    assert "host = b" in answer.table["suspect"].iloc[0]


HOSTILE = "a'b\"c.d]e\\f<i>$x$"


def test_field_names_and_values_that_mean_harm_are_text(tmp_path: Path) -> None:
    entries = [
        entry(second, severity="ERROR" if second % 10 == 0 else "INFO", textPayload="tick", jsonPayload={HOSTILE: "'); DROP TABLE x; --" if second % 10 == 0 else "<script>"})
        for second in range(300)
    ]  # fmt: skip
    look = pb.look(written(tmp_path, *entries))
    answer = look.where("wrong").differs()
    assert "DROP TABLE" in answer.table["suspect"].iloc[0]
    assert "<script" not in answer._repr_html_() and "<i>" not in answer._repr_html_()
    [name] = [name for name in look.names() if "<i>" in name]
    assert len(look.where(fields={name: "<script>"})) == 270


def test_a_log_says_the_same_whatever_the_order_of_its_lines(tmp_path: Path) -> None:
    lines = [
        entry(
            second,
            trace=f"t{second // 3}",
            textPayload=f"part {second % 3} done",
            labels={"k": str(second % 4)},
        )
        for second in range(90)
    ]
    looks = []
    for name, ordered in (("forth", lines), ("back", lines[::-1])):
        (tmp_path / name).mkdir()
        looks.append(pb.look(written(tmp_path / name, *ordered)))
    forth, back = (look.records.requests for look in looks)
    assert len(forth) == 30 and forth.at_s.tolist() == back.at_s.tolist() and forth.ids is not None
    assert back.ids is not None and forth.ids.tolist() == back.ids.tolist() == list(range(0, 90, 3))
    counted = [
        {
            (field.name, value): field.having(code, len(units)).tolist()
            for field in units.fields
            for code, value in enumerate(field.values)
        }
        for units in (forth, back)
    ]
    assert counted[0] == counted[1]
    # Each request has three messages, and of a key one value.
    assert sum(map(sum, (marks for (name, _), marks in counted[0].items() if name == "template"))) >= 30
    assert sum(map(sum, (marks for (name, _), marks in counted[0].items() if name == "k"))) == 30


PYTHON = """Traceback (most recent call last):
  File "/srv/app/threads.py", line 12, in read
    return cache[key]
KeyError: 'expires'"""
JAVA = """java.lang.IllegalStateException: no session
\tat com.example.Sessions.of(Sessions.java:41)
\tat com.example.Api.get(Api.java:12)"""
NODE = """TypeError: Cannot read properties of undefined (reading 'id')
    at read (/srv/app/threads.js:12:3)
    at processTicksAndRejections (node:internal/process/task_queues:95:5)"""
GO = """panic: assignment to entry in nil map

goroutine 7 [running]:
main.read(0x1)
\t/srv/app/threads.go:12 +0x1d"""


@pytest.mark.parametrize("trace", [PYTHON, JAVA, NODE, GO], ids=["python", "java", "node", "go"])
def test_an_exception_without_a_severity_is_wrong_and_one_that_says_it_is_a_remark_is_not(
    trace: str, tmp_path: Path
) -> None:
    quiet = [entry(second, textPayload=f"beat {second}") for second in range(60)]
    thrown = [entry(60 + second, textPayload=trace) for second in range(4)]
    noted = [entry(70 + second, textPayload=trace, severity="INFO") for second in range(3)]
    wrong = pb.look(written(tmp_path, *quiet, *thrown, *noted)).where("wrong")
    assert wrong.sql("SELECT count(*) AS n FROM entries")["n"].tolist() == [4]
