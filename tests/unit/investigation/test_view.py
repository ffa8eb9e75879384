"""What a look shows first: as text, as HTML without a script, of a log and of a run."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from pathlib import Path

import pytest
from recorded import evidence_of

import proofbook as pb
from proofbook.collect.logs.reader import read_logs
from proofbook.config.sources import LogSource
from proofbook.errors import UnknownName, UsageError
from proofbook.evidence import store
from proofbook.evidence.store import Phase
from proofbook.investigation import practice
from proofbook.investigation.look import Look
from proofbook.report import templating

pytestmark = pytest.mark.slow

HOSTILE = r"<script>alert(1)</script> \[x\] $y$ <img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return practice.incident(tmp_path_factory.mktemp("log") / "incident.json")


def refused(second: int, *, own: bool = False) -> str:
    request = {"requestMethod": "GET", "requestUrl": "https://api.example.com/ws", "status": 403, "remoteIp": "192.0.2.7", "userAgent": "proofbook-probe" if own else "tests/1.0" if second < 40 else "browser"}  # fmt: skip
    return json.dumps(
        {"timestamp": f"2026-01-05T09:00:{second:02}Z", "severity": "WARNING", "httpRequest": request}
    )


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Look:
    lines = [refused(second) for second in range(0, 60, 2)] + [refused(59, own=True)]
    lines += [
        json.dumps(
            {"timestamp": f"2026-01-05T09:00:{second:02}Z", "severity": "ERROR", "textPayload": HOSTILE}
        )
        for second in range(5)
    ]
    file = tmp_path_factory.mktemp("log") / "hostile.json"
    file.write_text("\n".join(lines))
    return pb.look(file)


def test_the_first_display_says_what_was_refused_when_and_by_whom(hostile: Look) -> None:
    said = repr(hostile)
    assert (
        "30 of 30 upgrades of /ws refused with 403, 09:00:00 to 09:00:58: all from one address (192.0.2.7), 20 of them by one agent (tests/1.0)"
        in said
    )
    assert "1 more requests are of our own probes" in said


def test_html_holds_no_script_and_nothing_of_the_log_unescaped(hostile: Look) -> None:
    shown = hostile._repr_html_() + hostile.where("wrong").who()._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<script" not in shown and "<img" not in shown
    assert "<svg role='img'" in shown and "<script" not in shown


def test_html_is_left_alone_by_mathjax(hostile: Look) -> None:
    for shown in (hostile, hostile.where("wrong").who(), hostile.where("wrong").differs()):
        html = shown._repr_html_()
        assert html.count("tex2jax_ignore mathjax_ignore") == 1
        assert html.index("mathjax_ignore") < html.index(">")


def test_text_takes_the_colour_of_the_page(hostile: Look) -> None:
    shown = hostile._repr_html_()
    # Words stand outside of the drawings, and nothing gives them or the paper a colour of ours.
    assert "<text" not in shown
    colours = re.findall(r"[^-](?:color|background)[^:;{}]*:([^;}]+)", templating.read("look.css"))
    assert {colour.strip() for colour in colours} <= {"var(--jp-ui-font-color0, inherit)", "inherit", "none"}


def test_the_same_log_is_shown_the_same(incident: Path) -> None:
    assert pb.look(incident)._repr_html_() == pb.look(incident)._repr_html_()


@pytest.fixture(scope="module")
def run(incident: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("outputs")
    health = store.read(evidence_of("healthy", to=workspace / "golden")).table("health")
    assert health is not None
    folder = workspace / "kept" / "practice" / "20260105T140000Z-abcd" / "evidence"
    for phase, hours in (("before", (0, 3)), ("after", (2, 6))):
        logs = workspace / f"{phase}.parquet"
        begins = practice.BEGINS.to_pydatetime()
        since, until = (begins + dt.timedelta(hours=hour) for hour in hours)
        read_logs(LogSource(name="log", file=str(incident)), base=Path(), to=logs, since=since.isoformat(), until=until.isoformat())  # fmt: skip
        store.write_phase(
            folder, environment="practice", phase=phase, tables={"logs": logs, "health": health},
            recorded=Phase(started=since, ended=until),
        )  # fmt: skip
    return folder.parent


def test_a_run_is_asked_like_its_log_and_counts_nothing_twice(run: Path, incident: Path) -> None:
    assert pb.look(run).sql("SELECT count(*) AS n FROM requests")["n"].iloc[0] > 10_000
    whole = pb.look(run).records
    assert whole.ask(f"SELECT count(*) AS n FROM {whole.relation}")["n"].iloc[0] == len(pb.look(incident))


def test_a_run_shows_its_probes_and_when_they_were(run: Path) -> None:
    look = pb.look(run)
    probes = look.sql("SELECT what, phase, count(*) AS n FROM probes GROUP BY ALL ORDER BY ALL")
    assert set(probes["what"]) == {"health"} and set(probes["phase"]) == {"before", "after"}
    assert "our probes (before) ended" in set(look.sql("SELECT what FROM events")["what"])


@pytest.mark.parametrize("name", ["20260105T140000Z-abcd", "20260105", "last"])
def test_a_run_is_named_by_its_id_its_beginning_or_as_the_last(
    run: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROOFBOOK_OUTPUTS", str(run.parent.parent))
    assert len(pb.look(name)) > 0


def test_a_run_that_is_not_there_is_named_with_those_that_are(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROOFBOOK_OUTPUTS", str(run.parent.parent))
    with pytest.raises(UnknownName, match="20260105T140000Z-abcd"):
        pb.look("20260105T140000Z-abce")


def test_a_log_from_before_is_history(incident: Path, tmp_path: Path) -> None:
    lines = incident.read_text().splitlines()
    cut = next(number for number, line in enumerate(lines) if '"2026-01-05T13:40' in line)
    (tmp_path / "before.json").write_text("\n".join(lines[:cut]))
    (tmp_path / "now.json").write_text("\n".join(lines[cut:]))
    alone = pb.look(tmp_path / "now.json").where("status>=500").differs()
    assert alone.reason == "too-little-history"
    known = pb.look(tmp_path / "now.json", before=tmp_path / "before.json").between("13:45", "14:00")
    answer = known.where("status>=500").differs()
    assert (
        answer.table["suspect"].iloc[0] == "client = 2.3 and region = eu" and answer.table["called"].iloc[0]
    )


def test_evidence_without_a_log_is_said(tmp_path: Path) -> None:
    store.write_phase(
        tmp_path / "evidence",
        environment="e",
        phase="after",
        tables={},
        recorded=Phase(started=dt.datetime.now(dt.UTC), ended=dt.datetime.now(dt.UTC)),
    )
    with pytest.raises(UsageError, match="expected a log in the evidence"):
        pb.look(tmp_path / "evidence")


REAL = os.environ.get("PROOFBOOK_REAL_LOGS", "")


@pytest.mark.skipif(
    not REAL, reason="needs the exports of a real system: PROOFBOOK_REAL_LOGS names their folder"
)
def test_of_a_real_export_the_first_display_says_what_when_and_that_it_is_one_address() -> None:
    look = pb.look(Path(REAL) / "netra-staging" / "cloud-logging-2025-09-07.json")
    said = repr(look)
    assert "52 of 52 upgrades of /ws refused with 403, 13:21:31 to 13:34:00: all from one address" in said
    assert "37 of them by one agent" in said
