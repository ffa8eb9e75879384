"""What breaks in the rehearsal as in real incidents breaks by itself: a query, a queue, a connection, none of them pretended."""

from __future__ import annotations

import asyncio

import pytest

from proofbook.rehearsal import defects, incidents
from proofbook.rehearsal.incidents import Trouble


def met(count: int) -> list[Trouble | None]:
    async def ask() -> list[Trouble | None]:
        return [await incidents.met() for _ in range(count)]

    return asyncio.run(ask())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "said", "status"),
    [
        ("dependency-times-out", "did not answer within 150 ms", 504),
        ("flag-turned-on", "NotImplementedError: previews", 500),
        ("column-missing", "OperationalError: no such column: archived_at", 500),
        ("database-locked", "table is locked", 503),
        ("limit-too-tight", "is exceeded", 503),
        ("queue-full", "QueueFull", None),
        ("cache-refuses", "ConnectionRefusedError", None),
        ("slow-query", "Slow query", None),
    ],
)
def test_a_request_meets_what_is_broken(
    fault: str, said: str, status: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(defects, "FAULTS", frozenset({fault}))
    monkeypatch.setattr(defects, "RATES", {})
    # A queue takes some first, and a limit lets some through.
    last = met(incidents.QUEUE_SIZE + 1)[-1]
    assert last is not None and said in last.said and last.status == status


def test_a_share_of_requests_meets_what_breaks_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defects, "FAULTS", frozenset({"flag-turned-on"}))
    share = sum(found is not None for found in met(2000)) / 2000
    assert abs(share - defects.RATES["flag-turned-on"]) < 0.05


def test_a_sound_build_meets_nothing() -> None:
    assert met(3) == [None, None, None]
