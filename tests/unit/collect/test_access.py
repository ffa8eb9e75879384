"""Earlier runs say who was let in and how was asked; a mistake of ours is told from an endpoint that is gone, and a token from both."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from builders import FEW
from conftest import on_a_disk
from talks import Talk, talks

from proofbook.collect import phases
from proofbook.collect.fingerprints import FILE, Fingerprints
from proofbook.config import environment as environments
from proofbook.config.case import Case
from proofbook.evidence import store
from proofbook.evidence.access import ACCESS
from proofbook.judge.findings import Finding, Verdict, from_json
from proofbook.pipeline import steps
from proofbook.runs.earlier import Earlier
from proofbook.validation import Validation

pytestmark = pytest.mark.waits

TARGETS = dict.fromkeys(("health", "connection", "authentication", "delivery"), 0.8)
CASE = Case.model_validate({"title": "t", "targets": TARGETS})
TOKEN = "a-token-of-somebody"
CONNECTION, HEALTH = "websocket-connection", "health-talk"


class Runs:
    """Runs of one environment, one after the other, as `proofbook run` leaves them but for reports."""

    def __init__(self, base: Path, service: Talk) -> None:
        self.base, self.service, self.number = base, service, 0

    def run(self, *, path: str = "/ws", token: str = "", before: Path | None = None) -> dict[str, Finding]:  # fmt: skip
        self.number += 1
        folder = self.base / "outputs" / "eu" / f"20260101T00000{self.number}Z-0000"
        folder.mkdir(parents=True)
        (self.base / "token").write_text(token)
        file = self.base / "eu.toml"
        named = '\ntoken = { file = "token" }' if token else ""
        file.write_text(
            f'[pace]\nper_s = 1000\n[[service]]\nname = "talk"\nurl = "{self.service.url}"\nhealth = "/health"{named}\n'
            f'ws = {{ path = "{path}", greeting = {{ regex = "hello" }}, dwell_s = 0.05 }}\n'
        )
        where = environments.load(str(file), base=self.base)
        asked = Validation(environment=where, case=CASE, base=self.base, environment_file=file)
        asyncio.run(
            phases.record(where, CASE, "after", folder=folder / "evidence", base=self.base, say=lambda _: None, sizes=FEW)
        )  # fmt: skip
        if before is not None:
            Earlier(folder=before).take(where, into=folder / "evidence")
        steps.keep_inputs(asked, folder=folder)
        self.folder = folder
        found = asked.over(store.read(folder / "evidence")).judge_all()
        return {item.id: item for item in found}


@pytest.fixture
def service() -> Any:
    with talks() as it:
        yield it


@pytest.fixture
def runs(tmp_path: Path, service: Talk) -> Runs:
    return Runs(tmp_path, service)


def said(found: Finding) -> tuple[Verdict, str]:
    return found.verdict, found.reason


def jwt(ends_in_s: float) -> str:
    def part(content: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    return (
        f"{part({'alg': 'HS256'})}.{part({'exp': int(time.time() + ends_in_s)})}.c2lnbmF0dXJlLW9mLXNvbWVib2R5"
    )


@pytest.mark.slow
def test_an_endpoint_that_is_gone_is_a_fault_where_an_earlier_run_was_let_in_by_the_very_same(
    runs: Runs, service: Talk
) -> None:
    assert runs.run()[CONNECTION].verdict is Verdict.PASS
    first = runs.folder.name
    service.paths = {"/moved"}
    found = runs.run()[CONNECTION]
    assert said(found) == (Verdict.FAIL, "below-target"), found.statement
    control = next(item for item in found.controls if item.earlier_run)
    assert control.held and f"were let in in run {first}, " in control.got
    assert control.got.endswith("asked in the very same way")
    assert control.earlier_run is not None and control.earlier_run.differs == ()
    assert 0 < control.earlier_run.age_s < 600
    assert from_json(found.to_json()).to_json() == found.to_json()
    assert found.to_json()["controls"][found.controls.index(control)]["earlier_run"]["run_id"] == first
    # And so an hour later, by what the run between carries on.
    found = runs.run()[CONNECTION]
    assert said(found) == (Verdict.FAIL, "below-target")
    assert f"in run {first}, " in next(item for item in found.controls if item.earlier_run).got


@pytest.mark.slow
def test_what_was_never_there_stays_unknown(runs: Runs) -> None:
    for _ in range(2):
        found = runs.run(path="/wrong")[CONNECTION]
        assert said(found) == (Verdict.INCONCLUSIVE, "no-endpoint"), found.statement


@pytest.mark.slow
def test_a_path_that_is_stated_otherwise_since_is_our_slip_and_named(runs: Runs) -> None:
    runs.run()
    found = runs.run(path="/wss")[CONNECTION]
    assert said(found) == (Verdict.INCONCLUSIVE, "settings-changed"), found.statement
    assert "asked otherwise: websocket ws: path" in found.statement
    assert found.needed is not None and "as it was in that run" in found.needed.what


@pytest.mark.slow
def test_who_was_let_in_before_at_another_path_proves_nothing_of_this_one(runs: Runs, service: Talk) -> None:
    runs.run()
    first = runs.folder
    found = runs.run(path="/wss", before=first)[CONNECTION]
    assert said(found) == (Verdict.INCONCLUSIVE, "settings-changed"), found.statement
    control = next(item for item in found.controls if item.earlier_run)
    assert control.earlier_run is not None and control.earlier_run.differs == ("websocket ws: path",)
    assert found.before_run is None, "it rests on nothing of that"
    # At the same one it does, whatever else is known.
    service.paths = set()
    (runs.base / "outputs" / "eu" / FILE).unlink()
    found = runs.run(before=first)[CONNECTION]
    assert said(found) == (Verdict.FAIL, "below-target"), found.statement
    assert found.before_run is not None and found.before_run.differs == ()


@pytest.mark.slow
def test_an_ingress_that_lost_everything_is_a_fault_if_it_was_asked_from_the_same_place(
    runs: Runs, service: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.run()
    service.paths, service.health = set(), 404
    found = runs.run()
    assert said(found[CONNECTION]) == (Verdict.FAIL, "below-target"), found[CONNECTION].statement
    assert said(found[HEALTH]) == (Verdict.FAIL, "below-target"), found[HEALTH].statement
    # As of another machine, or of this one in another network.
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    found = runs.run()
    assert said(found[CONNECTION]) == (Verdict.INCONCLUSIVE, "no-endpoint")
    assert "nothing shows that it was asked from the same place" in found[CONNECTION].statement
    assert said(found[HEALTH]) == (Verdict.INCONCLUSIVE, "no-endpoint")
    # Whoever reaches the service at all is in the right place.
    service.paths = {"/ws"}
    assert said(runs.run()[HEALTH]) == (Verdict.FAIL, "below-target")


@pytest.mark.slow
@pytest.mark.parametrize("answer", [302, 403, 405])
def test_an_answer_that_may_be_meant_for_us_alone_stays_unknown(
    answer: int, runs: Runs, service: Talk
) -> None:
    runs.run()
    service.health = answer
    found = runs.run()[HEALTH]
    assert said(found) == (Verdict.INCONCLUSIVE, "no-endpoint"), found.statement
    assert "may be meant for who asks" in found.statement and "were well in run" in found.statement


@pytest.mark.slow
def test_a_token_that_worked_and_is_refused_is_told_from_another_and_neither_is_a_fault(
    runs: Runs, service: Talk
) -> None:
    service.tokens = {TOKEN}
    assert runs.run(token=TOKEN)[CONNECTION].verdict is Verdict.PASS
    service.tokens = {"another-that-is-good"}
    found = runs.run(token=TOKEN)[CONNECTION]
    assert said(found) == (Verdict.INCONCLUSIVE, "token-worked"), found.statement
    assert "with this very token" in found.statement
    found = runs.run(token="a-token-with-a-slip")[CONNECTION]
    assert said(found) == (Verdict.INCONCLUSIVE, "token-changed"), found.statement
    assert "with another token" in found.statement


@pytest.mark.slow
def test_a_token_that_says_that_its_time_is_over_is_believed(runs: Runs, service: Talk) -> None:
    service.tokens = {"another-that-is-good"}
    found = runs.run(token=jwt(-3600))[CONNECTION]
    assert said(found) == (Verdict.INCONCLUSIVE, "token-expired"), found.statement
    found = runs.run(token=jwt(3600))[CONNECTION]
    assert said(found) == (Verdict.INCONCLUSIVE, "token-unproven"), found.statement


@pytest.mark.slow
@pytest.mark.parametrize(
    ("refuses", "verdict", "reason"),
    [(401, Verdict.FAIL, "below-target"), (404, Verdict.INCONCLUSIVE, "no-endpoint")],
)
def test_not_found_may_mean_a_token_that_ended_only_where_bad_ones_were_answered_so(
    refuses: int, verdict: Verdict, reason: str, runs: Runs, service: Talk
) -> None:
    service.tokens, service.refuses = {TOKEN}, refuses
    assert runs.run(token=TOKEN)[CONNECTION].verdict is Verdict.PASS
    service.paths = set()
    found = runs.run(token=TOKEN)[CONNECTION]
    assert said(found) == (verdict, reason), found.statement


@pytest.mark.slow
def test_without_a_key_nothing_is_the_same(runs: Runs, service: Talk) -> None:
    runs.run()
    (runs.base / "outputs" / "eu" / FILE).unlink()
    service.paths = set()
    found = runs.run()[CONNECTION]
    # By another key all is another.
    assert said(found) == (Verdict.INCONCLUSIVE, "settings-changed"), found.statement


@pytest.mark.slow
def test_no_evidence_holds_a_token_or_what_one_could_be_guessed_by(runs: Runs, service: Talk) -> None:
    service.tokens = {TOKEN}
    runs.run(token=TOKEN)
    key = runs.base / "outputs" / "eu" / FILE
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and len(key.read_bytes()) == 32
    files = [path.read_bytes() for path in runs.folder.rglob("*") if path.is_file()]
    assert not any(key.read_bytes() in content or TOKEN.encode() in content for content in files)
    table = store.read(runs.folder / "evidence").table(ACCESS.name)
    assert table is not None
    told = set(table.loc[table["kind"] == "websocket", "token"])
    # Another workspace, with another key, gives the same token another one.
    assert told == {Fingerprints(key=key.read_bytes())("token", TOKEN)}
    assert told != {Fingerprints(key=bytes(32))("token", TOKEN)} and Fingerprints()("token", TOKEN) == ""


@pytest.mark.parametrize("left", [b"", b"short"])
def test_a_key_that_was_cut_is_made_anew_and_said_to_be(
    left: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_bytes(left)
    made = Fingerprints.of(tmp_path)
    assert len(made.key) == 32 and Fingerprints.of(tmp_path) == made
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0 and len(list(tmp_path.iterdir())) == 1
    [said] = caplog.messages
    assert said.startswith(f"{tmp_path / FILE} was cut short and is made anew")


def test_a_key_for_which_there_is_no_room_is_none_and_leaves_nothing(tmp_path: Path) -> None:
    with on_a_disk(tmp_path / "full", size_kb=4) as folder:
        (folder / "filled").write_bytes(bytes(os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize))
        assert Fingerprints.of(folder) == Fingerprints()
        assert [item.name for item in folder.iterdir()] == ["filled"]


def test_a_key_that_leads_elsewhere_is_none(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(bytes(32))
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    assert Fingerprints.of(tmp_path) == Fingerprints()
    assert Fingerprints.of(tmp_path / "nowhere") == Fingerprints()


@pytest.mark.slow
def test_a_damaged_run_costs_only_what_it_said(runs: Runs, service: Talk) -> None:
    runs.run()
    first = runs.folder.name
    runs.run()
    (runs.folder / "evidence" / "after" / "access.parquet").write_bytes(b"PAR1")
    service.paths = {"/moved"}
    found = runs.run()[CONNECTION]
    assert found.verdict is Verdict.FAIL and f"in run {first}, " in str(found.controls)
