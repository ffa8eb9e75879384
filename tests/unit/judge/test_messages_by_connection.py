"""Messages are held against their schema; how sure that is, is a matter of connections: those of one connection hang together."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from builders import START, table_of

from proofbook.evidence.schema import MESSAGES
from proofbook.judge.check import Check
from proofbook.judge.checks import messages
from proofbook.judge.findings import Finding
from proofbook.judge.settle import settle
from proofbook.judge.view import View
from proofbook.judge.window import Windows
from proofbook.stats import proportions, severity

SCHEMA = {"type": "object", "required": ["type", "n"], "properties": {"n": {"type": "integer"}}}


def judged(*rows: tuple[int, str], older: bool = False) -> Finding:
    """The finding over messages, each with the number of the connection on which it came."""
    table = table_of(MESSAGES, *({"body": body, "connected": START + pd.Timedelta(seconds=number)} for number, body in rows))  # fmt: skip
    tables = {"messages": table.drop(columns=["connected"]) if older else table}
    recipe = messages.messages_valid(SCHEMA, when={"type": "reply"}, endpoint=None, what="reply")
    check = Check(id="contract-message-reply", kind="guard", claim="they fit", recipe=recipe)
    return settle(check, View(tables=lambda name, phase: tables.get(name), windows=Windows(before=None, after=None)))  # fmt: skip


def reply(n: Any) -> str:
    return f'{{"type": "reply", "n": {n}}}'


@pytest.mark.parametrize(
    ("rows", "different", "count"),
    [
        ([(number, reply(1)) for number in range(72)], 1, 72),
        ([(0, reply(n)) for n in range(730)], 730, 1),
        ([(number, reply(10 * number + n)) for number in range(36) for n in range(2)], 72, 36),
    ],
    ids=["one greeting on every connection", "many messages on one connection", "two on each"],
)
def test_the_bound_and_the_severity_are_of_connections(
    rows: list[tuple[int, str]], different: int, count: int
) -> None:
    found = judged(*rows)
    assert found.verdict.value == "pass" and f"{different:,} of {different:,} different reply messages, received on {count} connection" in found.statement  # fmt: skip
    assert found.exposure is not None and (found.exposure.n, found.exposure.unit) == (count, "connections")
    assert found.estimate is not None and found.estimate.low == proportions.proportion(count, count).low
    assert found.severity == severity.of_tries(count, rate=0.05) and found.sensitivity == 1.0


def test_one_message_that_does_not_fit_is_one_connection_of_all() -> None:
    found = judged(*((number, reply(1)) for number in range(9)), (9, reply(1)), (9, reply('"one"')))
    assert (found.verdict.value, found.reason, found.severity) == ("fail", "schema", None)
    assert found.estimate is not None and found.estimate.value == pytest.approx(0.9)


def test_older_evidence_which_does_not_say_on_which_connection_has_no_bound_and_no_severity() -> None:
    found = judged(*((0, reply(n)) for n in range(730)), older=True)
    assert found.verdict.value == "pass" and found.severity is None and found.sensitivity == 1.0
    assert found.estimate is not None and (found.estimate.low, found.estimate.high) == (None, None)
    assert "no bound is known" in found.not_established[0]
