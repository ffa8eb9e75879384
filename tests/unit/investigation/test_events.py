"""What happened at one moment stands in one list, whoever tells of it."""

from __future__ import annotations

import json
from pathlib import Path

import builders
import pandas as pd
import pytest

import proofbook as pb
from proofbook.collect.logs.reader import read_logs
from proofbook.config.sources import LogSource
from proofbook.evidence import schema, store
from proofbook.evidence.store import STARTED, Phase
from proofbook.investigation.look import Look

NOON = pd.Timestamp("2026-01-05T12:00:00Z")


def at(seconds: float) -> pd.Timestamp:
    return NOON + pd.Timedelta(seconds=seconds)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Two minutes of a log, in which a revision began, a process was started anew and held sockets were closed."""
    monkeypatch.chdir(tmp_path)
    export = tmp_path / "export.json"
    export.write_text(
        "".join(
            json.dumps(builders.log_entry(at(second), revision="r-1" if second < 40 else "r-2")) + "\n"
            for second in range(120)
        )
    )
    logs = tmp_path / "logs.parquet"
    read_logs(LogSource(name="log", file=str(export)), base=Path(), to=logs)
    tables = {
        "logs": logs,
        "revisions": builders.table_of(schema.REVISIONS, {"revision": "r-2", "created": at(30)}),
        "metrics": builders.table_of(
            schema.METRICS, *({"service": name, "name": STARTED, "value": at(second).timestamp()} for name, second in (("s", 35), ("s", 35), ("s", 90), ("calm", 35))),
        ),
    }  # fmt: skip
    held = builders.connections(
        schema.HELD,
        *(
            {"timestamp": at(20), "dwell_s": dwell, "close_code": code, "closed_by": by}
            for dwell, code, by in ((21.0, 1012, "server"), (23.0, 1012, "server"), (60.0, 1000, "probe"))
        ),
    )
    for phase, recorded in (("rollout", {"held": held}), ("after", tables)):
        store.write_phase(
            tmp_path / "evidence", environment="e", phase=phase, tables=recorded,
            recorded=Phase(started=at(20).to_pydatetime(), ended=at(50).to_pydatetime()),
        )  # fmt: skip
    return pb.look(tmp_path / "evidence")


def told(look: Look) -> list[tuple[float, str, str]]:
    found = look.sql("SELECT timestamp, kind, what FROM events ORDER BY timestamp, kind, what")
    return [(round((when - NOON).total_seconds()), kind, what) for when, kind, what in found.itertuples(index=False)]  # fmt: skip


def test_revisions_starts_probing_and_closed_sockets_are_events(run: Look) -> None:
    found = told(run)
    assert (30, "created", "r-2 was made") in found
    # A process that goes on began once.
    assert [(when, what) for when, kind, what in found if kind == "start"] == [(35, "a process of s began"), (90, "a process of s began")]  # fmt: skip
    assert [(when, what) for when, kind, what in found if kind == "revision"] == [
        (40, "backend r-2 first wrote")
    ]
    assert (43, "closed", "2 of 3 held sockets of ws closed with 1012") in found
    assert {what for _, kind, what in found if kind == "probing"} == {
        f"our probes ({phase}) {word}" for phase in ("rollout", "after") for word in ("began", "ended")
    }


def test_an_event_outside_of_the_look_is_not_in_it(run: Look) -> None:
    assert {kind for _, kind, _ in told(run.between(at(60), at(120)))} == {"start"}


@pytest.mark.slow
def test_what_was_pinned_of_this_source_is_an_event_of_the_next_look(run: Look, tmp_path: Path) -> None:
    run.between(at(70), at(80)).pin("slow since here")
    assert (70, "pin", "pinned: slow since here") in told(run.where(severity="INFO"))
    (tmp_path / "observations.toml").write_text("[[note]]\nsaid = 'of others'\n")
    assert not any(kind == "pin" for _, kind, _ in told(run.where(severity="INFO")))
