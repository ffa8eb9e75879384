"""What follows a brush is what its code selects, holds no secret and no more than a page, and comes at once."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import proofbook as pb
from proofbook.investigation import practice
from proofbook.investigation.display import brush, lines
from proofbook.investigation.display.brush import Brush
from proofbook.investigation.look import Look

BODY = "<img src=x onerror=alert(1)> \\[x\\] token=ghp_abcdefghijklmnopqrstuvwxyz0123"


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Look:
    return pb.look(practice.incident(tmp_path_factory.mktemp("log") / "incident.json"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("buckets", "picks"),
    [
        ([], []),
        ([350, 360], []),
        ([355.4, 340.2], [("region", "eu")]),
        ([0, 100], [("status", "500"), ("path", "/api/a")]),
        ([], [("template", "Decode failed: unexpected frame of client <*>")]),
    ],
)
def test_the_code_that_is_shown_gives_the_same_numbers(
    buckets: list[float], picks: list[tuple[str, str]], look: Look
) -> None:
    of = Brush(look, look.overview)
    brushed = of.select(buckets, picks, name="it")
    told: dict[str, Any] = of.answer(brushed)
    pasted: Look = eval(brushed.as_code, {"it": look})
    assert told["problem"] == ""
    assert told["head"].startswith(f"{len(pasted):,} entries, {pasted.overview.facets.count:,} requests")
    assert [item["name"] for item in told["facets"]] == [item.name for item in pasted.overview.facets.facets]
    assert [value["n"] for item in told["facets"] for value in item["values"]] == [
        value.count for item in pasted.overview.facets.facets for value in item.values
    ]
    assert len(brushed.look) == len(pasted)


@pytest.mark.slow
def test_what_cannot_be_selected_is_said_and_changes_nothing(look: Look) -> None:
    brushed = Brush(look, look.overview).select([], [("region", "mars")], name="look")
    assert "no region 'mars' in this log" in brushed.problem
    assert brushed.look is look and brushed.as_code == "look"


@pytest.mark.parametrize("buckets", [[-50, 1e9], [400, 400], [3, 3], [1], [1, 2, 3]])
def test_any_numbers_that_a_browser_sends_are_a_window_or_none(buckets: list[float], look: Look) -> None:
    brushed = Brush(look, look.overview).select(buckets, [], name="look")
    assert brushed.problem == "" and 0 <= len(brushed.look) <= len(look)


@pytest.mark.slow
def test_what_goes_to_the_browser_holds_no_secret_and_at_most_a_page(tmp_path: Path) -> None:
    entries = [
        {"timestamp": f"2026-01-05T09:{second // 60:02}:{second % 60:02}Z", "severity": "ERROR", "textPayload": BODY + "x" * 5000, "labels": {"who": "v" * 400 + str(second % 3), "password": "hunter2-hunter2"}}
        for second in range(600)
    ]  # fmt: skip
    file = tmp_path / "log.json"
    file.write_text("\n".join(map(json.dumps, entries)))
    of = pb.look(file)
    told = Brush(of, of.overview).answer(Brush(of, of.overview).select([], [], name="look"))
    sent = json.dumps([told, brush.view(of.overview)])
    assert "ghp_" not in sent and "hunter2" not in sent
    assert len(told["lines"]) <= lines.MOST_LINES and len(sent) <= 200_000  # type: ignore[arg-type]
    assert not any(
        value["whole"] for item in told["facets"] if item["name"] == "who" for value in item["values"]
    )  # type: ignore[index,call-overload,union-attr]


@pytest.mark.extended
@pytest.mark.slow
def test_a_brush_of_two_hundred_thousand_requests_is_answered_at_once(tmp_path: Path) -> None:
    practice.write(practice.requests(5, hours=6, count=200_000, incident=practice.Incident(begins_s=5.75 * 3600, share=0.4)), tmp_path / "log.json")  # fmt: skip
    of = pb.look(tmp_path / "log.json")
    one, rng = Brush(of, of.overview), np.random.default_rng(1)
    one.answer(one.select([], [], name="look"))
    took = []
    for _ in range(50):
        window = sorted(rng.uniform(0, of.overview.axis.buckets, 2).tolist())
        began = time.process_time()
        one.answer(one.select(window, [], name="look"))
        took.append(time.process_time() - began)
    # Of this process, all threads together: how long it waits for others says nothing of it.
    assert float(np.quantile(took, 0.95)) <= 0.3


def test_the_widget_follows_what_the_browser_says(look: Look) -> None:
    pytest.importorskip("anywidget", reason="anywidget is not installed: pip install proofbook[lab]")
    from proofbook.investigation.display.widget import LookWidget

    widget = LookWidget(look, name=lambda: "mine")
    widget.set_state({"brush": [350, 360]})
    assert widget.below["code"] == 'mine.between("13:50:00", "14:00:00")'
    widget.set_state({"picks": [["region", "eu"], "nonsense", ["one"]]})
    assert widget.below["code"] == 'mine.between("13:50:00", "14:00:00").where(region="eu")'
    assert len(widget.brushed.look) < 1000
    assert widget.bundle()["text/plain"] == "(the same, to be brushed in JupyterLab)"
    widget.close()
