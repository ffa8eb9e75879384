"""Files as small as they may be say of the rehearsal what its full case says."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import SHORT_CASE, Rehearsal

from proofbook.collect import phases
from proofbook.evidence import store
from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.verdict import Overall, overall
from proofbook.rehearsal.faults import FAULTS
from proofbook.selfcheck.trial import SMALL, SMALL_TARGETS
from proofbook.validation import Assessment, Validation

ENVIRONMENT = """
writes = true
# Long enough for a verdict about the log, also where before took longer on a busy machine.
observe_s = 16
[pace]
per_s = 80
concurrency = 24
timeout_s = 3

[[service]]
name = "backend"
url = { file = "outputs/rehearsal/up/backend.url" }
health_expect = { json = { status = "healthy" } }
token = { file = "outputs/rehearsal/up/token" }
revision_path = "revision"

[service.ws]
path = "/ws"
greeting = { json = { "type" = "system_message" } }
send_json = { type = "chat_message", id = "{id}", text = "{text}" }
expect = { json = { "reply_to" = "{id}", "text" = "{text}" } }

[[log]]
name = "backend"
command = ["{python}", "-m", "proofbook.rehearsal.export", "outputs/rehearsal/up"]
"""


@pytest.fixture(scope="module")
def short(rehearsal: Rehearsal) -> tuple[str, str]:
    """The names of the short environment and case."""
    (rehearsal.base / "notebooks" / "environments" / "short.toml").write_text(ENVIRONMENT)
    (rehearsal.base / "notebooks" / "cases" / "short-case.toml").write_text(SHORT_CASE)
    return "short", "short-case"


@pytest.mark.extended
@pytest.mark.parametrize("fault", ["", "fix-not-deployed", "auth-bypass", "log-truncated"])
def test_short_files_give_the_verdict_of_the_full_case(
    rehearsal: Rehearsal, short: tuple[str, str], tmp_path: Path, fault: str
) -> None:
    asked = Validation.load(*short, base=rehearsal.base)
    where, what = asked.environment, asked.case
    # These show in every request, so few are enough.
    small = fault in ("fix-not-deployed", "auth-bypass")
    if small:
        what = what.model_copy(update={"targets": SMALL_TARGETS})

    wanted = FAULTS[fault].verdict if fault else "pass"

    def ask(folder: Path, _: float) -> tuple[Overall, list[Finding]]:
        before = store.read(rehearsal.trial.shared)
        store.copy_phase(
            before.folder / "before",
            folder,
            environment="rehearsal",
            phase="before",
            recorded=before.manifest.phases["before"],
        )
        rehearsal.deploy(*([fault] if fault else []))
        rehearsal.wait(
            phases.record(
                where,
                what,
                "after",
                folder=folder,
                base=rehearsal.base,
                say=lambda _: None,
                sizes=SMALL if small else None,
            )
        )
        found = Assessment.of(where, what, store.read(folder)).judge_all()
        return overall(found), found

    verdict, found = rehearsal.asked_again(
        ask,
        is_open=lambda told: told[0].verdict is Verdict.INCONCLUSIVE and wanted != "inconclusive",
        to=tmp_path,
    )
    assert verdict.verdict.value == wanted, [
        (item.id, item.statement) for item in found if item.verdict.value != "pass"
    ]
