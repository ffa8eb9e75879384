"""What a look at a run says of its own probes: sentences about what failed, and silence where nothing did."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from recorded import evidence_of

from proofbook.evidence import store
from proofbook.evidence.store import Evidence
from proofbook.investigation import met, probed, probes

# What the fix was for is answered otherwise than before, in every run of that case.
OF_THE_FIX = "user ids that are let in, and were refused before: staging-e2e-user-001, staging-e2e-user-42"


def said(evidence: Evidence) -> list[str]:
    return [met.in_words(fact) for fact in probed.facts(evidence)]


def evidence(name: str, folder: Path) -> Evidence:
    return store.read(evidence_of(name, to=folder))


@pytest.mark.parametrize("name", ["healthy", "log-truncated"])
def test_nothing_is_said_of_probes_that_went_well(name: str, tmp_path: Path) -> None:
    assert said(evidence(name, tmp_path)) == [OF_THE_FIX]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("auth-bypass", "20 of 25 tries with bad tokens at chat were let in (5 expired, 5 tampered, 5 tampered with X-E2E-Test, 5 wrong-audience)"),
        ("fix-not-deployed", "60 of 60 conversations over chat failed (after), 23:35:17.0 to 23:35:18.5: 60 ended with close 1011 (internal error); before: 60 of 60 (no sure difference)"),
        ("memory-leak", "process_resident_memory_bytes of backend grew all the while, from 99 million to 122 million in 12 s"),
        ("message-schema-changed", "messages of chat no longer have data.user_id, and have data.uid, which they had not"),
    ],
)  # fmt: skip
def test_the_first_sentence_names_what_the_probes_met(name: str, sentence: str, tmp_path: Path) -> None:
    assert said(evidence(name, tmp_path))[0] == sentence


def altered(folder: Path, phase: str, table: str, change: dict[str, object], *, first: int) -> Evidence:
    """Healthy evidence with other values in the first rows of a table."""
    found = evidence("healthy", folder)
    rows = found.table(table, phase)
    assert rows is not None
    for column, value in change.items():
        rows.loc[rows.index[:first], column] = value
    return found


@pytest.mark.parametrize(
    ("phase", "table", "change", "first", "sentence"),
    [
        ("rollout", "held", {"close_code": 1006, "closed_by": "server"}, 60, "60 of 60 held connections of chat failed (rollout), 23:34:16.1 to 23:34:17.1: 60 ended with close 1006"),
        ("rollout", "rollout", {"ok": False, "status": pd.NA, "error": "ConnectError", "service": "backend"}, 20, "ended with ConnectError"),
        ("after", "certificates", {"days": 4.9}, 1, "the certificate of frontend expires in 4.9 days"),
        ("after", "certificates", {"verified": False, "problem": "it has expired"}, 1, "clients that check the certificate of frontend refuse it: it has expired"),
        ("after", "health", {"ok": False, "kind": "health", "service": "auth", "status": 503}, 3, "requests for health of auth failed (after)"),
    ],
)  # fmt: skip
def test_each_table_of_probes_has_its_sentence(
    phase: str, table: str, change: dict[str, object], first: int, sentence: str, tmp_path: Path
) -> None:
    assert sentence in said(altered(tmp_path, phase, table, change, first=first))[0]


def test_a_definition_that_takes_something_from_its_clients_is_said_first(tmp_path: Path) -> None:
    found = evidence("healthy", tmp_path)
    rows = found.table("openapi", "after")
    assert rows is not None
    rows["document"] = rows["document"].str.replace('"integer"', '"string"')
    assert said(found)[0].startswith("the API definition of backend breaks its clients: GET /api/threads")


def test_of_a_window_only_what_was_tried_in_it_is_said(tmp_path: Path) -> None:
    found = evidence("fix-not-deployed", tmp_path)
    (one,) = probed.facts(found, (pd.Timestamp("2026-11-27T23:35:22Z"), pd.Timestamp("2026-11-27T23:35:24Z")))
    assert met.in_words(one).startswith("20 of 20 conversations without a mark")


def test_probes_of_which_only_a_case_knows_what_should_be_are_neither_well_nor_not(tmp_path: Path) -> None:
    whole = probes.whole(evidence("healthy", tmp_path))
    of_users = whole["what"] == "identities"
    assert whole["ok"][of_users].isna().all()
    after = whole[~of_users & (whole["phase"] != "before")]
    assert len(after) > 1000 and after["ok"].all() and not after["ok"].isna().any()
    # Before the fix every conversation was lost.
    assert not whole["ok"][(whole["what"] == "websocket") & (whole["phase"] == "before")].any()
