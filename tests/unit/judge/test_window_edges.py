"""Windows end where the evidence ends: what lies outside of them is not counted, and what matches is not lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from builders import START, table_of
from hypothesis import given
from hypothesis import strategies as st

from proofbook.evidence.log_tables import LOG_MATCHES, LOG_PATTERNS, LOG_RHYTHM
from proofbook.judge.checks.log_rows import cut_to, matching, others_in, silence_of
from proofbook.judge.checks.log_silence import hits_per_block
from proofbook.judge.view import View
from proofbook.judge.window import Windows

US = pd.Timedelta(microseconds=1)


def at(seconds: float) -> pd.Timestamp:
    return START + pd.Timedelta(seconds=seconds)


def rhythm(times: np.ndarray, *, width_s: int = 1) -> pd.DataFrame:
    """The rows of requests at these seconds."""
    rows = []
    for bucket in np.unique(times // width_s):
        own = np.sort(times[times // width_s == bucket])
        rows.append({"bucket": int(bucket * width_s), "entries": len(own), "requests": len(own), "first": at(own[0]), "last": at(own[-1])})  # fmt: skip
    return table_of(LOG_RHYTHM, *rows)


@pytest.mark.slow
@given(
    seed=st.integers(0, 10_000),
    per_s=st.integers(1, 40),
    width_s=st.sampled_from([1, 10]),
    begin=st.floats(0.5, 25),
    long=st.floats(0.0, 30),
)
def test_as_many_count_as_lie_in_the_window_give_or_take_what_an_even_spread_does(
    seed: int, per_s: int, width_s: int, begin: float, long: float
) -> None:
    times = np.sort(np.random.default_rng(seed).uniform(0, 60, 60 * per_s))
    window = (at(begin), at(begin + long))
    found = cut_to(rhythm(times, width_s=width_s), window)
    inside = int(((times >= begin) & (times <= begin + long)).sum())
    # Whole buckets are exact; of the two at the edges the spread is that of chance.
    allowed = 2 + 4 * np.sqrt(2 * per_s * width_s)
    assert abs(int(found["requests"].sum()) - inside) <= allowed
    assert (found["requests"] == found["entries"]).all() and (found["entries"] > 0).all()
    assert found.empty or (found["first"].min() >= window[0] - US and found["last"].max() <= window[1] + US)


@pytest.mark.parametrize(("end", "counted"), [(3.25, 14), (3.0, 13), (2.999, 12), (10.0, 40)])
def test_one_entry_in_each_quarter_of_a_second_is_counted_exactly(end: float, counted: int) -> None:
    times = np.arange(0, 10, 0.25)
    assert int(cut_to(rhythm(times), (at(0), at(end)))["entries"].sum()) == counted


def view(windows: Windows, **tables: pd.DataFrame) -> View:
    return View(tables=lambda name, phase: tables.get(name) if phase == "after" else None, windows=windows)


def test_a_window_counts_no_request_of_the_second_that_it_shares_and_loses_no_match_in_it() -> None:
    entries = rhythm(np.arange(0, 20, 0.1))
    hits = table_of(LOG_MATCHES, {"pattern": "x", "bucket": 10, "affected": 1, "first": at(10.9), "last": at(10.9), "sample": "x"})  # fmt: skip
    windows = Windows(before=(at(0), at(10.5)), after=(at(10.5), at(19.9)), deployed_at=at(10.5))
    seen = view(windows, log_rhythm=entries, log_matches=hits, log_patterns=table_of(LOG_PATTERNS, {"pattern": "x"}))  # fmt: skip
    before, after = (int(others_in(seen, which)["requests"].sum()) for which in ("before", "after"))
    assert before + after <= len(np.arange(0, 20, 0.1)) + 2
    assert (before, after) == pytest.approx((105, 95), abs=1)
    assert len(matching(seen, "after", "x", source=None)) == 1


def test_what_is_written_in_the_moment_of_the_deployment_is_of_after() -> None:
    entries = rhythm(np.array([0.0, 1.0, 2.0, 3.0]))
    windows = Windows(before=(at(0), at(2)), after=(at(2), at(3)), deployed_at=at(2))
    seen = view(windows, log_rhythm=entries)
    assert [int(others_in(seen, which)["entries"].sum()) for which in ("before", "after")] == [2, 2]


def test_silent_blocks_are_counted_from_when_the_old_revision_was_gone() -> None:
    windows = Windows(before=(at(0), at(15)), after=(at(20), at(44)), deployed_at=at(20), settled_at=at(23))
    assert windows.settled == (at(23), at(44))
    hits = table_of(LOG_MATCHES, {"first": at(1), "last": at(1), "affected": 1})
    blocks, settled = (
        hits_per_block(hits, windows.before, span) for span in (windows.after, windows.settled)
    )
    assert blocks is not None and settled is not None
    assert (len(blocks[1]), len(settled[1])) == (8, 7)


def written(*spans: tuple[float, float, str | None]) -> pd.DataFrame:
    return table_of(LOG_RHYTHM, *({"entries": 9, "requests": 9, "first": at(first), "last": at(last), "service_version": name} for first, last, name in spans))  # fmt: skip


@pytest.mark.parametrize(
    ("spans", "begins"),
    [
        ([(20, 44, "r-2")], 20),
        ([(20, 22.5, "r-1"), (20, 44, "r-2")], 22.5),
        ([(20, 40, "r-1"), (20, 44, "r-2")], 36),
        ([(20, 44, None)], 36),
        ([(20, 44, "api-7")], 36),
    ],
    ids=["alone at once", "the old one ends", "the old one goes on", "no names", "other names than health's"],
)
def test_silence_begins_when_the_old_revision_wrote_its_last_where_the_log_names_revisions(
    spans: list[tuple[float, float, str | None]], begins: float
) -> None:
    windows = Windows(before=(at(0), at(20)), after=(at(20), at(44)), deployed_at=at(20), settled_at=at(36), new_revision="r-2")  # fmt: skip
    assert silence_of(view(windows, log_rhythm=written(*spans)), source=None) == (at(begins), at(44))


@pytest.mark.parametrize("settled_at", [None, at(10), at(99)])
def test_a_window_is_never_longer_than_its_evidence(settled_at: pd.Timestamp | None) -> None:
    windows = Windows(before=None, after=(at(20), at(44)))
    span = replace(windows, settled_at=settled_at).settled
    assert span is not None and at(20) <= span[0] <= span[1] == at(44)
