"""Values of requests are held as short as they can be, and are those of the log."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_odd_logs import entry, written

import proofbook as pb
from proofbook.investigation import columns, mapped
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


def test_a_log_counted_part_by_part_in_files_is_counted_the_same(units: Units, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # fmt: skip
    monkeypatch.setattr(mapped, "AT_ONCE", 70)
    monkeypatch.setattr(mapped, "SHORT_BYTES", 0)
    lines = [asked(number) for number in reversed(range(COUNT))]
    again = pb.look(written(tmp_path, *lines)).records.requests
    assert not again.at_s.flags.owndata and units.at_s.flags.owndata
    same(again, units)


def same(one: Units, other: Units) -> None:
    for name in ("at_s", "ids", "asked"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert [field.name for field in one.fields] == [field.name for field in other.fields]
    for a, b in zip(one.fields, other.fields, strict=True):
        assert (a.values, a.codes.dtype) == (b.values, b.codes.dtype)
        assert np.array_equal(a.units, b.units) and np.array_equal(a.codes, b.codes), a.name


def talks(number: int) -> list[dict[str, object]]:
    """The lines of a request, of which some say two things, in one order or the other, and some the same twice."""
    said = ["opened", "closed", "opened", "failed"][: 1 + number % 4]
    said = said if number % 3 else said[::-1]
    trace = f"{number % 40:032x}"
    return [entry(number, textPayload=text, severity=("INFO", "ERROR")[text == "failed"], trace=trace) for text in said]  # fmt: skip


def test_a_request_that_says_several_things_has_all_of_them_in_however_small_parts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = written(tmp_path, *(line for number in range(300) for line in talks(number)))
    whole = pb.look(file).records.requests
    (template,) = [field for field in whole.fields if field.name == "template"]
    # Each has all that its trace says in eight turns, once.
    assert len(template.units) > len(whole) == 40
    monkeypatch.setattr(mapped, "AT_ONCE", 7)
    monkeypatch.setattr(mapped, "SHORT_BYTES", 0)
    same(pb.look(file).records.requests, whole)


def test_values_are_counted_among_marked_units(units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = [field for field in units.fields if field.name == "path"]
    marks = np.arange(COUNT) % 6 == 0
    monkeypatch.setattr(mapped, "AT_ONCE", 11)
    found = dict(zip(path.values, path.counts(marks).tolist(), strict=True))
    assert found == {"/orders": 100, "/carts": 0, "/users": 0}
    assert path.counts_between(0, 60, marks, ~marks).sum() == 0
