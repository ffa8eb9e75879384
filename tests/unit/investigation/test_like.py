"""Requests are alike by the kinds of their entries in order; the commonest way that differs by one step is named."""

from __future__ import annotations

import pytest
from test_follow import numbered, request, said

import proofbook as pb
from proofbook.errors import UsageError
from proofbook.investigation.look import Look


def goes(number: int, *steps: str, status: int = 200, own: bool = False) -> list[str]:
    """The lines of one request."""
    trace = f"70726f6f66{number:022x}" if own else numbered(number)
    lines = [request(number, status=status, path="/orders/7", trace=trace)]
    return [*lines, *(said(number + 0.001 * (place + 1), step, trace=trace) for place, step in enumerate(steps))]  # fmt: skip


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Look:
    lines = [said(0.5, "a tick of the clock")]
    for number in range(10, 40):
        lines += goes(number, f"took order {number}", f"charged order {number}", f"charged order {number}")
    for number in range(40, 52):
        lines += goes(number, f"took order {number}", status=200)
    for number in range(60, 64):
        lines += goes(number, f"took order {number}", f"card of order {number} declined", status=200)
    lines += goes(70, "took order 70", "charged order 70", own=True)
    file = tmp_path_factory.mktemp("log") / "export.json"
    file.write_text("\n".join(lines))
    return pb.look(file)


def test_all_that_went_the_same_way_are_found_and_the_commonest_other_way(orders: Look) -> None:
    declined = orders.where(template="card of order *").entries().iloc[0]
    found = orders.like(declined)
    assert found.steps[1:] == ("took order <*>", "card of order <*> declined")
    assert "4 of 46 requests went this way" in found.statement
    # Thirty were charged, twelve more than ended without that: it is the commonest.
    assert "“charged order <*>” in place of “card of order <*> declined”: 30" in found.statement
    assert len(found.same) == 12 and found.other is not None
    assert found.other.sql("SELECT count(*) AS n FROM requests")["n"].iloc[0] == 30


def test_what_repeats_at_once_counts_once_and_our_own_probes_are_not_counted(orders: Look) -> None:
    found = orders.like(orders.where(template="charged order *").entries().iloc[0])
    assert "30 of 46 requests went this way" in found.statement
    assert "without “charged order <*>”: 12" in found.statement


def test_the_requests_that_are_alike_can_be_asked_like_any_others(orders: Look) -> None:
    found = orders.like(orders.where(template="card of order *").examples(1))
    assert set(found.same.table()["http_status"].dropna()) == {200}
    assert "4 of 46 requests" in found.same.who().statement
    # As code, for whoever keeps it.
    assert found.same.steps[-1].endswith(").same")


def test_a_line_of_no_request_is_refused(orders: Look) -> None:
    with pytest.raises(UsageError, match="got one that belongs to none"):
        orders.like(0)
