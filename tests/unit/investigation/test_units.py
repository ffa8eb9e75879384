"""Values of requests are held as short as they can be, and are those of the log."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_odd_logs import entry, written

import proofbook as pb
from proofbook.investigation import columns
from proofbook.investigation.units import Units

COUNT, AGENTS = 600, 300
PATHS = ("/orders", "/carts", "/users")


def asked(number: int) -> dict[str, object]:
    request = {"requestMethod": "GET", "requestUrl": f"https://a{PATHS[number % 3]}", "status": 200, "userAgent": f"agent {number % AGENTS:03}"}  # fmt: skip
    # Every other one has a label.
    labels = {"client": f"c{number % 5}"} if number % 2 else {}
    return entry(number, httpRequest=request, labels=labels, trace=f"{number:032x}")


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Units:
    # The last comes first: places are those of time, not of rows.
    lines = [asked(number) for number in reversed(range(COUNT))]
    return pb.look(written(tmp_path_factory.mktemp("log"), *lines)).records.requests


def values_of(units: Units, name: str) -> list[str | None]:
    (field,) = [item for item in units.fields if item.name == name]
    found: list[str | None] = [None] * len(units)
    for unit, code in zip(field.units.tolist(), field.codes.tolist(), strict=True):
        found[unit] = field.values[code]
    return found


def test_each_request_has_the_values_that_it_had_in_the_log(units: Units) -> None:
    assert values_of(units, "path") == [PATHS[number % 3] for number in range(COUNT)]
    assert values_of(units, "agent") == [f"agent {number % AGENTS:03}" for number in range(COUNT)]
    assert values_of(units, "client") == [f"c{number % 5}" if number % 2 else None for number in range(COUNT)]


def test_a_byte_holds_few_values_and_two_hold_many(units: Units) -> None:
    widths = {field.name: field.codes.dtype.itemsize for field in units.fields}
    assert (widths["path"], widths["client"], widths["agent"]) == (1, 1, 2)


def test_fields_that_every_request_has_share_their_places(units: Units) -> None:
    places = {field.name: field.units for field in units.fields}
    assert places["path"] is places["agent"] and places["path"] is places["method"]
    assert places["client"].dtype == np.int32 and len(places["client"]) == COUNT // 2


def test_keys_read_one_at_a_time_are_those_read_together(units: Units, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # fmt: skip
    monkeypatch.setattr(columns, "HELD_AT_ONCE", 1)
    lines = [asked(number) for number in reversed(range(COUNT))]
    again = pb.look(written(tmp_path, *lines)).records.requests
    assert [field.name for field in again.fields] == [field.name for field in units.fields]
    assert values_of(again, "client") == values_of(units, "client")
