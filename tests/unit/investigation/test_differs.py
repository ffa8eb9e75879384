"""Suspects are named where there is one, and not where there is none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import proofbook as pb
from proofbook.errors import UsageError
from proofbook.investigation import differs, practice
from proofbook.investigation.answers import FOUND, NOTHING, UNSURE, Answer
from proofbook.investigation.differs import Question
from proofbook.investigation.look import Look
from proofbook.investigation.units import Field, Units

pytestmark = pytest.mark.slow

LENGTH_S = 600.0
QUIET = 24
CAUSE = "client = 2.3 and region = eu"


def drawn(seed: int, *, share: float = 0.0, **more: float) -> tuple[Units, np.ndarray]:
    incident = practice.Incident(begins_s=QUIET * LENGTH_S, share=share) if share else None
    hours = (QUIET + 1) * LENGTH_S / 3600
    made = practice.requests(seed, hours=hours, count=60_000, incident=incident, **more)
    fields = tuple(Field.of_texts(name, values) for name, values in made.given.items())
    return Units(at_s=made.at_s, fields=fields, word="requests"), made.status >= 500


def asked(units: Units, bad: np.ndarray, *, back: int = 0) -> Answer:
    begins = (QUIET - back) * LENGTH_S
    return differs.judge(
        Question(units=units, selected=bad, others=~bad, span_s=(begins, begins + LENGTH_S), in_words="bad")
    )


def called(answer: Answer) -> list[str]:
    return [] if answer.table.empty else answer.table[answer.table["called"]]["suspect"].tolist()


@pytest.mark.parametrize("seed", range(3))
def test_a_pair_of_values_is_named_and_not_its_parts(seed: int) -> None:
    answer = asked(*drawn(seed, share=0.3))
    assert answer.answer == FOUND
    assert called(answer)[0] == CAUSE
    assert not {"client = 2.3", "region = eu"} & set(called(answer))
    removed = answer.more["Redundant beside these"]
    assert {"client = 2.3", "region = eu"} <= set(removed["suspect"])


@pytest.mark.extended
def test_of_quiet_windows_hardly_any_names_a_suspect() -> None:
    answers = [asked(*drawn(seed)) for seed in range(100, 120)]
    assert sum(answer.answer == FOUND for answer in answers) <= 3
    assert sum(answer.answer == NOTHING for answer in answers) >= 15


def test_an_instance_that_storms_in_every_window_is_usual() -> None:
    units, bad = drawn(7, storms_an_hour=60.0)
    answer = asked(units, bad)
    instance = answer.table[answer.table["suspect"].str.startswith("instance")]
    assert len(instance) and not instance["called"].any()


def test_without_enough_quiet_windows_nothing_is_called_and_it_says_what_is_missing() -> None:
    answer = asked(*drawn(1, share=0.3), back=10)
    assert answer.answer == UNSURE and answer.reason == "too-little-history"
    assert not called(answer)
    assert answer.needed is not None and "50 more minutes of log" in answer.needed.what
    assert "14 quiet windows of this length and 19 needed" in answer.statement


def test_several_names_of_the_same_requests_are_one_suspect() -> None:
    units, bad = drawn(2)
    rng = np.random.default_rng(0)
    of_it = rng.random(len(units)) < 0.1
    bad |= of_it & (units.at_s >= QUIET * LENGTH_S) & (rng.random(len(units)) < 0.2)
    named = {"pod": np.where(of_it, "b", "a"), "zone": np.where(of_it, "y", "x")}
    more = tuple(Field.of_texts(name, values.astype(object)) for name, values in named.items())
    found = called(asked(dataclasses.replace(units, fields=(*units.fields, *more)), bad))
    assert found == ["pod = b (= zone = y)"] or found == ["zone = y (= pod = b)"]


def test_what_only_rides_along_with_a_suspect_is_none() -> None:
    units, bad = drawn(3)
    rng = np.random.default_rng(0)
    of_it = rng.random(len(units)) < 0.1
    bad |= of_it & (units.at_s >= QUIET * LENGTH_S) & (rng.random(len(units)) < 0.3)
    # Most of what is of it speaks so too, but that does nothing.
    accent = np.where(rng.random(len(units)) < np.where(of_it, 0.8, 0.1), "odd", "plain").astype(object)
    cause = Field.of_texts("tenant", np.where(of_it, "t1", "t0").astype(object))
    answer = asked(
        dataclasses.replace(units, fields=(*units.fields, cause, Field.of_texts("accent", accent))), bad
    )
    assert called(answer) == ["tenant = t1"]
    assert "accent = odd" in set(answer.more["Redundant beside these"]["suspect"])


def test_two_causes_are_two_suspects() -> None:
    units, bad = drawn(4)
    rng = np.random.default_rng(0)
    during = units.at_s >= QUIET * LENGTH_S
    fields = list(units.fields)
    for name in ("tenant", "flag"):
        of_it = rng.random(len(units)) < 0.1
        bad |= of_it & during & (rng.random(len(units)) < 0.3)
        fields.append(Field.of_texts(name, np.where(of_it, "b", "a").astype(object)))
    assert sorted(called(asked(dataclasses.replace(units, fields=tuple(fields)), bad))) == [
        "flag = b",
        "tenant = b",
    ]


def test_what_always_fails_so_is_no_suspect_however_much_of_it_there_is() -> None:
    units, bad = drawn(5)
    rng = np.random.default_rng(0)
    old = rng.random(len(units)) < 0.2
    during = units.at_s >= QUIET * LENGTH_S
    # The old app fails ten times as often as others, all the time; now everything fails three times as often.
    bad |= rng.random(len(units)) < np.where(old, 0.1, 0.01) * np.where(during, 3, 1)
    app = Field.of_texts("app", np.where(old, "old", "new").astype(object))
    assert "app = old" not in called(asked(dataclasses.replace(units, fields=(*units.fields, app)), bad))


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Look:
    return pb.look(practice.incident(tmp_path_factory.mktemp("log") / "incident.json"))


def test_a_log_is_asked_from_its_file_to_the_suspect(incident: Look) -> None:
    answer = incident.between("13:45", "14:00").where("status>=500").differs()
    assert answer.answer == FOUND and called(answer)[0] == CAUSE
    said = answer.more["What goes with it: outcomes and messages, which are no causes"]
    assert said["suspect"].str.contains("Decode failed: unexpected frame of client").any()
    assert "that a suspect is the cause" in " ".join(answer.not_established)


def test_what_was_selected_by_is_no_suspect(incident: Look) -> None:
    answer = incident.between("13:45", "14:00").where("status>=500").differs()
    told = " ".join([str(answer.notes[0]), *answer.table["suspect"]])
    assert "status" not in told and "severity" not in told


def test_a_span_is_compared_with_the_time_before(incident: Look) -> None:
    answer = incident.between("13:45", "14:00").differs()
    assert "others of the time before" in answer.statement


def test_too_few_to_compare_is_said(incident: Look) -> None:
    answer = incident.between("09:00", "09:01").where("status>=500").differs()
    assert answer.answer == UNSURE and answer.reason == "too-few-samples"


def test_another_log_is_no_base_to_compare_with(incident: Look, tmp_path: Path) -> None:
    other = pb.look(practice.incident(tmp_path / "other.json"))
    with pytest.raises(UsageError, match=r"give that as before= of pb\.look"):
        incident.where("wrong").differs(from_=other)


MISSING = "Missing among these: what the others have more often"


def with_a_step(seed: int, *, without_it: int) -> tuple[Units, np.ndarray]:
    """Requests of which three in five write that they were charged; in the last window so many that did not are bad beside the usual ones."""
    units, bad = drawn(seed)
    rng = np.random.default_rng(seed)
    charged = rng.random(len(units)) < 0.6
    step = Field.of_texts("template", np.where(charged, "charged order <*>", None).astype(object), is_outcome=True)  # fmt: skip
    rest = np.flatnonzero(~charged & (units.at_s >= QUIET * LENGTH_S))
    bad = bad.copy()
    bad[rng.choice(rest, without_it, replace=False)] = True
    return dataclasses.replace(units, fields=(*units.fields, step)), bad


def test_a_step_that_bad_requests_lack_is_missing_among_them() -> None:
    answer = asked(*with_a_step(3, without_it=60))
    first = answer.more[MISSING].iloc[0]
    assert first["missing"] == "template = charged order <*>" and first["called"]
    assert first["as strong when nothing is wrong"] == f"0 of {QUIET} quiet windows"


@pytest.mark.extended
def test_of_quiet_windows_hardly_any_lacks_something() -> None:
    answers = [asked(*with_a_step(seed, without_it=0)) for seed in range(100, 120)]
    # Where too few are bad there is no answer.
    tables = [answer.more[MISSING] for answer in answers if answer.answer in (FOUND, NOTHING)]
    shown = [table for table in tables if len(table)]
    assert len(shown) >= 10 and sum(bool(table["called"].any()) for table in shown) <= 3


def test_fewer_of_the_other_values_of_a_suspect_are_not_said_again() -> None:
    answer = asked(*drawn(1, share=0.3))
    assert called(answer)[0] == CAUSE
    found = answer.more[MISSING]
    names = found["missing"].str.split(" = ").str[0].tolist() if len(found) else []
    assert not {"client", "region"} & set(names)
