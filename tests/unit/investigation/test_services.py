"""The faulty service stands first, whatever its fault; where nothing is wrong nobody is called; hostile evidence does no harm."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterable
from pathlib import Path

import made_systems
import pandas as pd
import pytest
from made_systems import FAULTS, Fault, System

from proofbook.errors import UsageError
from proofbook.investigation.services import words
from proofbook.investigation.services.rank import LEAST_PLACEBOS, Recorded, rank
from proofbook.investigation.services.suspects import Measure, Ranking

pytestmark = pytest.mark.slow

WINDOW_S = 60.0
ENOUGH = 24


def looked(folder: Path, *, seed: int, kind: str, quiet_windows: int = ENOUGH) -> tuple[str, Ranking]:
    """A system of that seed looked at: which service is faulty, and the ranking."""
    system = made_systems.made(seed)
    made_systems.run(system, since_s=0, until_s=quiet_windows * WINDOW_S)
    quiet = made_systems.kept(system, folder / "quiet")
    guilty = random.Random(f"{seed} {kind}").choice(made_systems.reached(system))
    begun = (quiet_windows + 2) * WINDOW_S
    if kind:
        system.fault = Fault(kind=kind, service=guilty, at_s=begun + WINDOW_S / 6)
    made_systems.run(system, since_s=begun, until_s=begun + WINDOW_S)
    return guilty, rank(made_systems.kept(system, folder / "looked"), quiet=quiet)


@pytest.mark.usual_cases(1)
@pytest.mark.long
@pytest.mark.parametrize("kind", FAULTS)
def test_the_faulty_service_stands_first_and_is_called(tmp_path: Path, kind: str) -> None:
    # In the eighth the faulty service has two operations, each asked by another caller.
    for seed in (FAULTS.index(kind) % 3, 8):
        guilty, ranking = looked(tmp_path / str(seed), seed=seed, kind=kind)
        first = ranking.suspects[0]
        assert first.service == guilty, (seed, words.of_suspect(first))
        assert first.called
        assert first.chance == pytest.approx(1 / (1 + ranking.placebos))


@pytest.mark.extended
@pytest.mark.long
def test_nobody_is_called_where_nothing_is_wrong(tmp_path: Path) -> None:
    for seed in range(10, 14):
        _, ranking = looked(tmp_path / str(seed), seed=seed, kind="")
        assert ranking.placebos >= LEAST_PLACEBOS
        assert not [suspect for suspect in ranking.suspects if suspect.called]
        assert words.of_chance(ranking).startswith("Nobody is called: the same search in")


def test_with_little_history_there_is_a_ranking_and_nobody_is_called(tmp_path: Path) -> None:
    guilty, ranking = looked(tmp_path, seed=1, kind="early return", quiet_windows=4)
    assert ranking.suspects[0].service == guilty
    assert ranking.suspects[0].measure is Measure.STEPS
    assert not ranking.suspects[0].called and ranking.suspects[0].chance is None
    assert ranking.missing_s == pytest.approx((19 - ranking.placebos) * ranking.window_s)
    assert "too little history" in words.of_chance(ranking)


@pytest.fixture
def quiet_and_looked(tmp_path: Path) -> Callable[..., Ranking]:
    """Looks at a small system whose tables are changed first."""

    def look(
        change: Callable[[str, pd.DataFrame, str], pd.DataFrame], *, kind: str = "", seconds: float = 60.0
    ) -> Ranking:
        system = made_systems.made(5)
        recorded = {}
        for part, since, until in (("quiet", 0.0, 4 * seconds), ("looked", 5 * seconds, 6 * seconds)):
            if part == "looked" and kind:
                system.fault = Fault(kind=kind, service=made_systems.reached(system)[0], at_s=since)
            made_systems.run(system, since_s=since, until_s=until)
            recorded[part] = kept_as(system, tmp_path / part, change, part)
        return rank(recorded["looked"], quiet=recorded["quiet"])

    return look


def kept_as(
    system: System, folder: Path, change: Callable[[str, pd.DataFrame, str], pd.DataFrame], part: str
) -> Recorded:
    frames = {name: change(name, made_systems.frame(system, name), part) for name in made_systems.TABLES}
    recorded = made_systems.kept(system, folder)
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet")
    return recorded


def of_spans(change: Callable[[pd.DataFrame, str], pd.DataFrame]) -> Callable[[str, pd.DataFrame, str], pd.DataFrame]:  # fmt: skip
    return lambda name, frame, part: change(frame, part) if name == "spans" else frame


def orphaned(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    return frame.assign(parent_id=pd.Series([None] * len(frame), dtype="str"))


def circular(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    """Each span's parent is its own first child, or itself."""
    child = frame.dropna(subset="parent_id").drop_duplicates(["trace_id", "parent_id"])
    of = dict(zip(zip(child["trace_id"], child["parent_id"], strict=True), child["span_id"], strict=True))
    parents = [of.get((trace, span), span) for trace, span in zip(frame["trace_id"], frame["span_id"], strict=True)]  # fmt: skip
    return frame.assign(parent_id=pd.Series(parents, index=frame.index, dtype="str"))


def unfounded(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    """Parents that were never recorded."""
    return frame.assign(parent_id=frame["parent_id"].where(frame["parent_id"].isna(), "nobody"))


def twice(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    return pd.concat([frame, frame], ignore_index=True)


def strangely_named(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    return frame.assign(operation="'); DROP TABLE spans; --\n{x} %s <script>" + frame["operation"])


def in_one_trace(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    """Thousands of children of one span."""
    ids = pd.Series([f"{part}{number}" for number in range(len(frame))], dtype="str")
    return frame.assign(trace_id=f"only-{part}", span_id=ids, parent_id=ids.iloc[0]).assign(parent_id=lambda all_: all_["parent_id"].where(ids != ids.iloc[0]))  # fmt: skip


HOSTILE = {
    "spans that are all in one trace": in_one_trace,
    "spans without parents": orphaned,
    "spans in a circle": circular,
    "parents that are not there": unfounded,
    "spans that stand there twice": twice,
    "names that are code": strangely_named,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_spans_end_in_a_ranking_and_call_nobody(quiet_and_looked: Callable[..., Ranking], what: str) -> None:  # fmt: skip
    ranking = quiet_and_looked(of_spans(HOSTILE[what]))
    assert ranking.traces > 0 and ranking.quiet_traces > 0
    assert not [suspect for suspect in ranking.suspects if suspect.called]
    for suspect in ranking.suspects:
        assert "\n" not in words.of_suspect(suspect)


def names(ranking: Ranking) -> list[str]:
    return [suspect.service for suspect in ranking.suspects]


def test_clocks_that_disagree_change_no_times(quiet_and_looked: Callable[..., Ranking]) -> None:
    def skewed(frame: pd.DataFrame, part: str) -> pd.DataFrame:
        ahead = {name: pd.Timedelta(seconds=(hash_of(name) % 7) * 13 - 40) for name in set(frame["service"]) - {"front"}}  # fmt: skip
        return frame.assign(started=frame["started"] + frame["service"].map(ahead).fillna(pd.Timedelta(0)))

    true, wrong = (quiet_and_looked(of_spans(change), kind="slow network") for change in (same, skewed))
    assert names(wrong)[0] == names(true)[0]
    assert wrong.suspects[0].measure is true.suspects[0].measure is Measure.CALL_TIME
    assert wrong.suspects[0].after == pytest.approx(true.suspects[0].after, rel=0.3)


def hash_of(name: str) -> int:
    return sum(name.encode())


def same(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    return frame


def test_a_service_that_vanishes_stands_first(quiet_and_looked: Callable[..., Ranking]) -> None:
    system = made_systems.made(5)
    gone = next(name for name in made_systems.reached(system) if not any(op.calls for op in system.operations[name]))  # fmt: skip

    def without(frame: pd.DataFrame, part: str) -> pd.DataFrame:
        return frame[frame["service"] != gone].reset_index(drop=True) if part == "looked" else frame

    ranking = quiet_and_looked(of_spans(without))
    assert names(ranking)[0] == gone
    assert ranking.suspects[0].signs[0].kind == "answer"
    assert f"gets no answer from {gone}" in words.of_suspect(ranking.suspects[0])


def test_a_new_service_is_no_suspect_and_does_no_harm(quiet_and_looked: Callable[..., Ranking]) -> None:
    def with_one(frame: pd.DataFrame, part: str) -> pd.DataFrame:
        if part == "quiet":
            return frame
        roots = frame[frame["parent_id"].isna()]
        new = roots.assign(parent_id=roots["span_id"], span_id="f" + roots["span_id"], service="newcomer", instance="newcomer-0", took_s=0.001)  # fmt: skip
        return pd.concat([frame, new], ignore_index=True)

    ranking = quiet_and_looked(of_spans(with_one))
    assert "newcomer" not in names(ranking)
    assert names(ranking)[0] == "front"
    assert "calls" in words.of_suspect(ranking.suspects[0])


def test_since_parts_quiet_time_from_what_is_looked_at(tmp_path: Path) -> None:
    system = made_systems.made(3)
    guilty = made_systems.reached(system)[0]
    system.fault = Fault(kind="slow own time", service=guilty, at_s=300)
    made_systems.run(system, since_s=0, until_s=360)
    since = made_systems.BEGUN + dt.timedelta(seconds=300)
    ranking = rank(made_systems.kept(system, tmp_path), since=since)
    assert names(ranking)[0] == guilty
    assert ranking.since == since and ranking.since_is_stated
    assert ranking.suspects[0].measure is Measure.OWN_TIME
    assert ranking.suspects[0].after > 2 * ranking.suspects[0].before


def test_where_it_began_is_found(tmp_path: Path) -> None:
    system = made_systems.made(3)
    system.fault = Fault(kind="early return", service=made_systems.reached(system)[-1], at_s=420)
    made_systems.run(system, since_s=0, until_s=240)
    quiet = made_systems.kept(system, tmp_path / "quiet")
    made_systems.run(system, since_s=300, until_s=540)
    ranking = rank(made_systems.kept(system, tmp_path / "looked"), quiet=quiet)
    assert abs((ranking.since - made_systems.BEGUN).total_seconds() - 420) <= 40
    assert not ranking.since_is_stated


@pytest.mark.parametrize("missing", [("entries",), ("measurements",), ("entries", "measurements")])
def test_spans_alone_will_do(tmp_path: Path, missing: Iterable[str]) -> None:
    system = made_systems.made(3)
    guilty = made_systems.reached(system)[0]
    tables = [name for name in made_systems.TABLES if name not in missing]
    made_systems.run(system, since_s=0, until_s=240)
    quiet = made_systems.kept(system, tmp_path / "quiet", tables=tables)
    system.fault = Fault(kind="slow own time", service=guilty, at_s=300)
    made_systems.run(system, since_s=300, until_s=360)
    ranking = rank(made_systems.kept(system, tmp_path / "looked", tables=tables), quiet=quiet)
    assert names(ranking)[0] == guilty


def test_lines_without_a_trace_count_by_time(tmp_path: Path) -> None:
    system = made_systems.made(3)
    guilty = made_systems.reached(system)[0]

    def untraced(name: str, frame: pd.DataFrame, part: str) -> pd.DataFrame:
        if name != "entries":
            return frame
        none = pd.Series([None] * len(frame), dtype="str")
        lines = frame.assign(trace_id=none, span_id=none)
        if part == "looked":
            more = lines[lines["service_name"] == guilty].assign(body="the queue of the disk is full", severity_number=17)  # fmt: skip
            lines = pd.concat([lines, more], ignore_index=True)
        return lines

    made_systems.run(system, since_s=0, until_s=600)
    quiet = kept_as(system, tmp_path / "quiet", untraced, "quiet")
    made_systems.run(system, since_s=700, until_s=820)
    ranking = rank(kept_as(system, tmp_path / "looked", untraced, "looked"), quiet=quiet)
    assert names(ranking)[0] == guilty
    assert "the queue of the disk is full" in words.of_suspect(ranking.suspects[0])


def test_a_window_of_one_trace_is_ranked_and_calls_nobody(tmp_path: Path) -> None:
    system = made_systems.made(3)
    made_systems.run(system, since_s=0, until_s=120)
    quiet = made_systems.kept(system, tmp_path / "quiet")
    made_systems.run(system, since_s=200, until_s=260)
    first = system.spans[0][0]
    system.spans = [row for row in system.spans if row[0] == first]
    system.entries = [row for row in system.entries if row[4] == first]
    ranking = rank(made_systems.kept(system, tmp_path / "looked"), quiet=quiet)
    assert ranking.traces == 1
    assert not [suspect for suspect in ranking.suspects if suspect.called]


def test_a_step_that_is_missing_alone_differs_from_one_that_is_missing_with_the_rest(tmp_path: Path) -> None:
    def written(folder: Path, *, begun: int, count: int, alone: bool) -> Recorded:
        """Requests of one service, of which every third ends early; alone: those that go on leave out their last line too."""
        system = made_systems.made(3)
        for number in range(begun, begun + count):
            at, trace = made_systems.BEGUN + dt.timedelta(seconds=number), f"t{number}"
            system.spans.append((trace, "a", None, "shop", "shop-0", "buy", at, 0.1, None))
            system.spans.append((trace, "b", "a", "till", "till-0", "pay", at, 0.05, None))
            said = ["begins"] if number % 3 == 0 else ["begins", "takes the order"] if alone else ["begins", "takes the order", "sends it"]  # fmt: skip
            for line in said:
                system.entries.append((at, 9, "shop", "shop-0", trace, "a", "", line))
        return made_systems.kept(system, folder)

    quiet = written(tmp_path / "quiet", begun=0, count=90, alone=False)
    as_ever = rank(written(tmp_path / "as ever", begun=200, count=30, alone=False), quiet=quiet)
    assert as_ever.suspects == () or as_ever.suspects[0].score < 2
    ranking = rank(written(tmp_path / "looked", begun=200, count=30, alone=True), quiet=quiet)
    assert names(ranking)[0] == "shop"
    said = [words.of_sign(sign) for sign in ranking.suspects[0].signs]
    assert any("with takes the order, no longer writes sends it: 60 of 60 → 0 of" in line for line in said)


def test_nothing_before_since_is_said(tmp_path: Path) -> None:
    system = made_systems.made(3)
    made_systems.run(system, since_s=0, until_s=60)
    recorded = made_systems.kept(system, tmp_path)
    for seconds, said in ((-60, "expected traces from before 2026-03-01 11:59:00 to compare with, got none"), (600, "expected traces from 2026-03-01 12:10:00 on, got none")):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            rank(recorded, since=made_systems.BEGUN + dt.timedelta(seconds=seconds))


def test_without_quiet_time_there_is_a_ranking_from_where_most_differs(tmp_path: Path) -> None:
    system = made_systems.made(3)
    guilty = made_systems.reached(system)[0]
    system.fault = Fault(kind="slow own time", service=guilty, at_s=300)
    made_systems.run(system, since_s=0, until_s=480)
    ranking = rank(made_systems.kept(system, tmp_path))
    assert names(ranking)[0] == guilty
    assert ranking.placebos == 0 and ranking.quiet_traces == 0
    assert not [suspect for suspect in ranking.suspects if suspect.called]
