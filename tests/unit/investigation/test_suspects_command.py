"""The command `suspects`: from files of others to a ranking, and sentences where something is missing."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import made_systems
import pytest
from conftest import ROOT, proofbook
from made_systems import Fault

REAL = os.environ.get("PROOFBOOK_REAL_LOGS")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with exports of a quiet and of a faulty stretch; the faulty service."""
    folder = tmp_path_factory.mktemp("exported")
    system = made_systems.made(3)
    made_systems.run(system, since_s=0, until_s=240)
    list(made_systems.exported(system, folder / "quiet"))
    guilty = made_systems.reached(system)[0]
    system.fault = Fault(kind="exception", service=guilty, at_s=300)
    made_systems.run(system, since_s=300, until_s=360)
    list(made_systems.exported(system, folder / "now"))
    return folder, guilty


@pytest.fixture
def exports(exported: tuple[Path, str], tmp_path: Path) -> str:
    """Those exports in the folder of the test; the faulty service."""
    folder, guilty = exported
    for part in ("quiet", "now"):
        (tmp_path / part).symlink_to(folder / part)
    return guilty


ALL = ("--spans", "now/spans.csv", "--logs", "now/app.log", "--metrics", "now/metrics.csv", "--before", "quiet/spans.csv", "--before-logs", "quiet/app.log", "--before-metrics", "quiet/metrics.csv")  # fmt: skip


@pytest.mark.extended
@pytest.mark.slow
def test_files_of_others_end_in_a_ranking(exports: str, tmp_path: Path) -> None:
    done = proofbook("suspects", *ALL, cwd=tmp_path, workspace=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[1][:2] == ["1", exports]
    assert "Nobody is called: too little history." in done.stdout
    told = json.loads(proofbook("suspects", *ALL, "--json", cwd=tmp_path, workspace=tmp_path).stdout)
    assert told["suspects"][0]["service"] == exports
    assert told["suspects"][0]["called"] is False and told["suspects"][0]["chance"] is None


@pytest.mark.slow
def test_a_duration_counts_back_from_the_last_trace(exports: str, tmp_path: Path) -> None:
    asked = ("suspects", "--spans", "now/spans.csv", "--json", "--since")
    told = [json.loads(proofbook(*asked, since, cwd=tmp_path, workspace=tmp_path).stdout) for since in ("20s", "40s")]  # fmt: skip
    later, earlier = (dt.datetime.fromisoformat(ranking["since"]) for ranking in told)
    assert later - earlier == dt.timedelta(seconds=20)
    assert all(ranking["since_is_stated"] for ranking in told)
    assert told[0]["traces"] < told[1]["traces"]


MISTAKES = {
    ("--spans", "nothing.csv"): "expected a file of spans at nothing.csv, there is none; give its path or a pattern such as 'export/*.json'",
    ("--spans", "now/metrics.csv"): "expected spans in now/metrics.csv with a column for each of trace_id, span_id, got the columns service, timestamp, name, value; rename those that hold them",
    ("--spans", "now/spans.csv", "--before-logs", "quiet/app.log"): "expected --before with --before-logs and --before-metrics, got none; name the spans of quiet time",
    ("--spans", "now/spans.csv", "--since", "2027-01-01T00:00:00Z"): "expected traces from 2027-01-01 00:00:00 on, got none; give another --since",
    ("--spans", "now/spans.csv", "--since", "soon"): "--since: not a time: 'soon'; use 2026-11-24T09:40:00Z, 09:40, or a duration before the end of the log such as 3h",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("arguments", MISTAKES)
def test_what_is_missing_is_said_in_one_sentence(exports: str, tmp_path: Path, arguments: tuple[str, ...]) -> None:  # fmt: skip
    done = proofbook("suspects", *arguments, cwd=tmp_path, workspace=tmp_path)
    assert done.returncode == 2
    assert MISTAKES[arguments] in done.stderr
    assert "Traceback" not in done.stderr


# Two of each kind, of other services; `benchmarks/incidents.py` ranks them all.
SOME = ("02", "08", "14", "22", "26", "38", "34", "42")


@pytest.mark.extended
@pytest.mark.long(90)
@pytest.mark.slow
@pytest.mark.skipif(
    not REAL or not (Path(REAL) / "train-ticket").is_dir(),
    reason="PROOFBOOK_REAL_LOGS does not name a folder with train-ticket, the recorded incidents",
)
def test_the_faulty_service_of_recorded_incidents_is_named_first() -> None:
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "benchmarks" / "incidents.py",
            Path(str(REAL)) / "train-ticket",
            "--only",
            *(f"incident-{number}" for number in SOME),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines() if line.startswith(("named first", "among three", "called")))  # fmt: skip
    assert share(said["named first"]) >= 0.9
    assert share(said["among three"]) >= 0.98
    assert said["called"].startswith("0;")
    assert done.stdout.count("cut in two: 0 called") == 2


def share(text: str) -> float:
    count, _, total, *_ = text.split()
    return int(count) / int(total)
