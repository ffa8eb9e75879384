"""Histories in which a symptom is gone, is not, or cannot be told to be: what should be said of each, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from log_histories import DAY, HOUR, SYMPTOM, WEEK, History, by_day, on_weekdays

FIXED, NOT_KNOWN, NOT_FIXED = "pass", "inconclusive", "fail"
UNTIL = 4 * HOUR


@dataclass(frozen=True, kw_only=True)
class Case:
    """A history with the verdict that it should get. deployed: minutes, where the case states a time."""

    kind: str
    name: str
    build: Callable[[], History]
    should: str
    reasons: tuple[str, ...] = ("",)
    says: str = ""
    deployed: float | None = None


CASES: list[Case] = []


def case(kind: str, should: str, *reasons: str, says: str = "", deployed: float | None = None) -> Callable[[Callable[[], History]], Callable[[], History]]:  # fmt: skip
    """Adds the history that a function makes, under its name."""

    def add(build: Callable[[], History]) -> Callable[[], History]:
        CASES.append(Case(kind=kind, name=build.__name__.replace("_", "-"), build=build, should=should, reasons=reasons or ("",), says=says, deployed=deployed))  # fmt: skip
        return build

    return add


def faulty(*, end: float = UNTIL, **more: Any) -> History:
    """Four hours of the old revision, of which 5 % of requests meet the fault."""
    return History().traffic(0, end, faults=0.05, **more)


# Which code serves --------------------------------------------------------------------------------------------------


@case("A", NOT_KNOWN, "old-serves", says="r-1")
def rolled_back() -> History:
    it = faulty().traffic(UNTIL, UNTIL + 40, revision="r-2")
    return it.traffic(UNTIL + 40, 2 * UNTIL, revision="r-1", faults=0.05)


@case("A", NOT_KNOWN, "old-serves", says="r-1")
def rolled_back_late() -> History:
    it = faulty().traffic(UNTIL, 2 * UNTIL, revision="r-2")
    return it.traffic(2 * UNTIL, 2 * UNTIL + 20, revision="r-1", faults=0.05)


@case("A", NOT_KNOWN, "old-serves", says="r-1")
def rolled_back_and_quiet() -> History:
    return faulty().traffic(UNTIL, 2 * UNTIL, revision="r-2").traffic(2 * UNTIL, 2.5 * UNTIL, revision="r-1")


@case("A", NOT_KNOWN, "old-serves", says="r-1")
def half_on_old() -> History:
    it = faulty().traffic(UNTIL, 2 * UNTIL, per_min=3, revision="r-2")
    return it.traffic(UNTIL, 2 * UNTIL, per_min=3, revision="r-1", faults=0.05)


@case("A", NOT_KNOWN, "old-serves", says="r-1")
def a_tenth_on_old() -> History:
    it = faulty().traffic(UNTIL, 2 * UNTIL, per_min=3.6, revision="r-2")
    return it.traffic(UNTIL, 2 * UNTIL, per_min=0.4, revision="r-1")


@case("A", NOT_KNOWN, "old-serves", "too-early")
def a_canary() -> History:
    it = faulty().traffic(UNTIL, 3 * UNTIL, per_min=0.4, revision="r-2")
    return it.traffic(UNTIL, 3 * UNTIL, per_min=3.6, revision="r-1", faults=0.05)


@case("A", NOT_KNOWN, "old-serves", says="r-1")
def an_old_job_runner() -> History:
    """Requests go to the new revision; the messages of jobs still come from the old one, with the fault."""
    it = faulty().traffic(UNTIL, 2 * UNTIL, revision="r-2")
    return it.bursts([UNTIL + 50, UNTIL + 110, UNTIL + 170, UNTIL + 230], revision="r-1")


@case("A", FIXED)
def fixed() -> History:
    return faulty().traffic(UNTIL, 2 * UNTIL, revision="r-2")


@case("A", FIXED)
def a_straggler() -> History:
    it = faulty().traffic(UNTIL, 2 * UNTIL, revision="r-2")
    return it.traffic(UNTIL, UNTIL + 2, revision="r-1", faults=0.2)


@case("A", FIXED)
def deployed_twice() -> History:
    it = faulty().traffic(UNTIL, UNTIL + 60, revision="r-2", faults=0.05)
    return it.traffic(UNTIL + 60, 2.4 * UNTIL, revision="r-3")


# Instances that are called revisions --------------------------------------------------------------------------------


@case("Q", NOT_KNOWN, "old-serves")
def a_third_instance() -> History:
    it = History()
    for name in ("web-a", "web-b"):
        it.traffic(0, 2 * UNTIL, per_min=2, revision=name, faults=lambda at: 0.05 if at < UNTIL else 0.0)
    return it.traffic(UNTIL, 2 * UNTIL, per_min=2, revision="web-c")


@case("Q", NOT_KNOWN, "old-serves")
def ten_instances_and_one_more() -> History:
    it = History()
    for n in range(10):
        it.traffic(0, 2 * UNTIL, per_min=0.5, revision=f"web-{n}", faults=0.05)
    return it.traffic(UNTIL, 2 * UNTIL, per_min=0.5, revision="web-x")


@case("Q", FIXED)
def instances_replaced() -> History:
    """Names of instances are as good as revisions where all of them are new."""
    it = History()
    for n in range(3):
        it.traffic(0, UNTIL, per_min=1.5, revision=f"web-{n}", faults=0.05)
    return it.traffic(UNTIL, 2 * UNTIL, per_min=4, revision="web-x")


# Who met it ---------------------------------------------------------------------------------------------------------


@case("D", NOT_KNOWN, "little-met", "too-early", deployed=UNTIL)
def a_night_of_an_application() -> History:
    it = History().messages(0, UNTIL, "step {} done", per_min=15).messages(0, UNTIL, SYMPTOM, per_min=1, severity="ERROR")  # fmt: skip
    return it.messages(UNTIL, 1.5 * UNTIL, "step {} done", per_min=1)


@case("D", NOT_KNOWN, "not-met", says="/api/report")
def an_endpoint_unused() -> History:
    it = History().traffic(0, UNTIL, per_min=3).traffic(0, UNTIL, per_min=1, url="/api/report", faults=0.2)
    return it.traffic(UNTIL, 2 * UNTIL, revision="r-2")


@case("D", NOT_KNOWN, "not-met", says="/api/report")
def an_endpoint_hardly_used() -> History:
    it = History().traffic(0, UNTIL, per_min=3).traffic(0, UNTIL, per_min=1, url="/api/report", faults=0.2)
    return it.traffic(UNTIL, 2 * UNTIL, revision="r-2").traffic(UNTIL, 2 * UNTIL, per_min=0.03, url="/api/report?x=1", revision="r-2")  # fmt: skip


@case("D", NOT_KNOWN, "not-met", says="192.0.2.7")
def one_client_left() -> History:
    it = History()
    for n in range(3):
        it.traffic(0, UNTIL, per_min=1, client=f"198.51.100.{n}")
        it.traffic(UNTIL, 2 * UNTIL, per_min=1, client=f"198.51.100.{n}", revision="r-2")
    return it.traffic(0, UNTIL, per_min=1, client="192.0.2.7", faults=0.3)


@case("D", NOT_KNOWN, "not-met", "too-early")
def only_health_checks_after() -> History:
    it = faulty().health_checks(0, UNTIL, revision="r-1")
    return it.health_checks(UNTIL, 2 * UNTIL, revision="r-2")


@case("D", NOT_KNOWN, "little-met", "too-early")
def an_idle_night() -> History:
    it = faulty(per_min=8).traffic(UNTIL, 3 * UNTIL, per_min=0.1, revision="r-2")
    it.say(UNTIL, "listening", revision="r-2")
    return it


@case("D", FIXED)
def busier() -> History:
    return faulty(per_min=2).traffic(UNTIL, 2 * UNTIL, per_min=12, revision="r-2")


@case("D", FIXED)
def quieter_for_longer() -> History:
    return faulty().traffic(UNTIL, 3 * UNTIL, per_min=2.5, revision="r-2")


@case("D", FIXED)
def two_endpoints_used_alike() -> History:
    it = History().traffic(0, UNTIL, per_min=3).traffic(0, UNTIL, per_min=1, url="/api/report/17", faults=0.2)
    return it.traffic(UNTIL, 2 * UNTIL, per_min=3, revision="r-2").traffic(UNTIL, 2 * UNTIL, per_min=1, url="/api/report/99?a=b", revision="r-2")  # fmt: skip


@case("D", FIXED)
def many_clients() -> History:
    it = History()
    for n in range(12):
        it.traffic(0, UNTIL, per_min=0.4, client=f"198.51.100.{n}", faults=0.08)
        it.traffic(UNTIL, 2 * UNTIL, per_min=0.4, client=f"203.0.113.{n}", revision="r-2")
    return it


# Whether it could still be told -------------------------------------------------------------------------------------


def warned(*, end: float = UNTIL) -> History:
    return History().traffic(0, end, faults=0.05, severity="WARNING", symptom=SYMPTOM, status=200)


@case("E", NOT_KNOWN, "level-silent", says="WARNING")
def a_level_raised() -> History:
    it = warned().messages(0, 2 * UNTIL, "disk slow {}", per_min=0.3, severity="ERROR")
    return it.traffic(UNTIL, 2 * UNTIL, revision="r-2", says=0.0)


@case("E", NOT_KNOWN, "level-silent", "log-no-messages")
def messages_dropped() -> History:
    return warned().traffic(UNTIL, 2 * UNTIL, revision="r-2", says=0.0)


@case("E", NOT_KNOWN, "log-thinned", "errors-remain")
def lines_sampled() -> History:
    return faulty().traffic(UNTIL, 2 * UNTIL, revision="r-2", says=0.05, faults=0.05, symptom=None)


@case("E", NOT_KNOWN, "log-thinned")
def another_stream_with_200() -> History:
    return warned().traffic(UNTIL, 2 * UNTIL, revision="r-2", says=0.05)


@case("E", NOT_KNOWN, "replaced", says="could not finish")
def renamed_to_a_warning() -> History:
    it = warned()
    return it.traffic(UNTIL, 2 * UNTIL, revision="r-2", faults=0.05, symptom="could not finish chat turn, giving up", severity="WARNING", status=200)  # fmt: skip


@case("E", FIXED)
def warnings_of_a_cache_that_no_request_wrote() -> History:
    it = faulty().traffic(UNTIL, 3 * UNTIL, revision="r-2")
    return it.messages(UNTIL, 3 * UNTIL, "cache shard {} was evicted", per_min=1.0, severity="WARNING", revision="r-2")  # fmt: skip


@case("E", NOT_KNOWN, "replaced", says="could not finish")
def renamed_beside_warnings_of_a_cache() -> History:
    it = faulty().traffic(UNTIL, 3 * UNTIL, revision="r-2", faults=0.06, symptom="could not finish", severity="WARNING", status=200)  # fmt: skip
    return it.messages(UNTIL, 3 * UNTIL, "cache shard {} was evicted", per_min=1.0, severity="WARNING", revision="r-2")  # fmt: skip


@case("E", NOT_KNOWN, "replaced", says="was evicted")
def warnings_that_may_be_it_where_nothing_names_a_request() -> History:
    it = (
        History().traffic(0, UNTIL).messages(0, UNTIL, SYMPTOM, per_min=1.0, severity="ERROR", revision="r-1")
    )
    it.traffic(UNTIL, 3 * UNTIL, revision="r-2")
    return it.messages(UNTIL, 3 * UNTIL, "cache shard {} was evicted", per_min=1.0, severity="WARNING", revision="r-2")  # fmt: skip


@case("E", NOT_KNOWN, "replaced")
def renamed_to_an_error() -> History:
    return faulty().traffic(UNTIL, 2 * UNTIL, revision="r-2", faults=0.05, symptom="depth was exceeded")


@case("E", NOT_KNOWN, "errors-remain", says="500")
def only_silent() -> History:
    return faulty().traffic(UNTIL, 2 * UNTIL, revision="r-2", faults=0.05, symptom=None)


@case("E", FIXED)
def a_noisy_line_removed() -> History:
    it = faulty().messages(0, UNTIL, "cache miss {}", per_min=10, revision="r-1").messages(0, 2 * UNTIL, "tick {}", per_min=1, revision=None)  # fmt: skip
    return it.traffic(UNTIL, 2 * UNTIL, revision="r-2")


@case("E", FIXED)
def a_new_remark() -> History:
    it = faulty().traffic(UNTIL, 2 * UNTIL, revision="r-2")
    return it.messages(UNTIL, 2 * UNTIL, "pool holds {} now", per_min=0.3, revision="r-2")


@case("E", FIXED)
def other_errors_as_before() -> History:
    it = faulty().traffic(0, UNTIL, per_min=1, faults=0.02, url="/api/feed", symptom="feed is away")
    return it.traffic(UNTIL, 2 * UNTIL, revision="r-2").traffic(UNTIL, 2 * UNTIL, per_min=1, faults=0.02, url="/api/feed", symptom="feed is away", revision="r-2")  # fmt: skip


# When ---------------------------------------------------------------------------------------------------------------


@case("F", NOT_KNOWN, "quiet-phase", "shorter-silence", deployed=20 * DAY + 3 * HOUR)
def a_daily_job() -> History:
    it = History().messages(0, 20 * DAY + 25.9 * HOUR, "minute {}", per_min=0.1)
    return it.bursts([day * DAY + 2 * HOUR for day in range(21)])


@case("F", NOT_KNOWN, "quiet-phase", "shorter-silence", deployed=24 * HOUR + 1)
def an_hourly_job() -> History:
    it = History().messages(0, 24 * HOUR + 59, "minute {}", per_min=2)
    return it.bursts([hour * HOUR for hour in range(1, 25)], size=4)


@case("F", NOT_KNOWN, "quiet-phase", "shorter-silence", "too-early", deployed=4 * WEEK + 1 * DAY)
def a_weekly_job() -> History:
    it = History().messages(0, 4 * WEEK + 6 * DAY, "minute {}", per_min=0.05)
    return it.bursts([week * WEEK for week in range(5)])


@case("F", NOT_KNOWN, "quiet-phase", "shorter-silence", "too-early", deployed=5 * DAY + 18 * HOUR)
def a_night_after_days_of_office_hours() -> History:
    it = History().messages(0, 6 * DAY + 7 * HOUR, "minute {}", per_min=0.5)
    return it.messages(0, 5 * DAY + 18 * HOUR, SYMPTOM, per_min=by_day(0.05, 0.0), severity="ERROR")


@case("F", NOT_KNOWN, "quiet-phase", "shorter-silence", "too-early", deployed=16 * DAY)
def a_weekend() -> History:
    it = History().messages(0, 18 * DAY, "minute {}", per_min=0.2)
    return it.messages(0, 16 * DAY, SYMPTOM, per_min=on_weekdays(0.02, 0.0), severity="ERROR")


@case("F", NOT_KNOWN, "vanishing", "shorter-silence", "too-early")
def vanishing_already() -> History:
    it = History().traffic(0, UNTIL, faults=lambda at: 0.3 if at < 0.2 * UNTIL else 0.03 if at < 0.5 * UNTIL else 0.002)  # fmt: skip
    return it.traffic(UNTIL, 2 * UNTIL, revision="r-2")


@case("F", NOT_KNOWN, "too-early")
def two_blocks_only() -> History:
    return faulty().traffic(UNTIL, 1.45 * UNTIL, revision="r-2")


@case("F", NOT_KNOWN, "too-early", "shorter-silence")
def rare_bursts() -> History:
    it = History().traffic(0, 10 * HOUR).bursts([40, 100, 190, 420, 500], size=20, revision="r-1")
    return it.traffic(10 * HOUR, 12 * HOUR, revision="r-2")


@case("F", FIXED, deployed=24 * HOUR + 1)
def an_hourly_job_mended() -> History:
    it = History().messages(0, 44 * HOUR, "minute {}", per_min=1)
    return it.bursts([hour * HOUR for hour in range(1, 25)], size=4)


@case("F", FIXED, deployed=8 * DAY)
def mended_over_days() -> History:
    it = History().messages(0, 14 * DAY, "minute {}", per_min=0.3)
    return it.messages(0, 8 * DAY, SYMPTOM, per_min=by_day(0.05, 0.002), severity="ERROR")


@case("F", FIXED, deployed=10 * DAY + 12 * HOUR)
def an_afternoon_after_days() -> History:
    it = History().messages(0, 10 * DAY + 17 * HOUR, "minute {}", per_min=0.3)
    return it.messages(0, 10 * DAY + 12 * HOUR, SYMPTOM, per_min=0.05, severity="ERROR")


# One line -----------------------------------------------------------------------------------------------------------


def unnamed() -> History:
    """A log that names no revision: fixed after four hours."""
    return History().traffic(0, UNTIL, faults=0.05, revision=None).traffic(UNTIL, 2 * UNTIL, revision=None)


@case("R", NOT_KNOWN, "not-tied", says="drain", deployed=UNTIL)
def draining() -> History:
    it = unnamed()
    it.say(UNTIL + 0.06, SYMPTOM, severity="ERROR")
    it.say(UNTIL + 0.28, SYMPTOM, severity="ERROR")
    return it


@case("R", NOT_KNOWN, "not-tied", says="fixes RecursionError")
def a_change_list() -> History:
    it = faulty().traffic(UNTIL, 2 * UNTIL, revision="r-2")
    it.say(UNTIL + 1, "r-2: fixes RecursionError (#812)", revision="r-2")
    return it


@case("R", NOT_KNOWN, "not-tied", says="replaying job")
def a_replay() -> History:
    it = faulty().traffic(UNTIL, 2 * UNTIL, revision="r-2")
    for n in range(3):
        it.say(UNTIL + 5 + n, f"replaying job {n} which failed with RecursionError", revision="r-2")
    return it


@case("R", NOT_FIXED, "still-there")
def one_real_recurrence() -> History:
    it = faulty().traffic(UNTIL, 2 * UNTIL, revision="r-2")
    it.say(UNTIL + 30, SYMPTOM, severity="ERROR", revision="r-2")
    return it


@case("R", NOT_FIXED, "still-there")
def a_recurrence_in_other_words() -> History:
    it = faulty().traffic(UNTIL, 2 * UNTIL, revision="r-2")
    it.say(UNTIL + 30, "chat: RecursionError again", severity="ERROR", revision="r-2")
    return it


@case("R", NOT_FIXED, "still-there", deployed=UNTIL)
def a_recurrence_after_draining() -> History:
    it = unnamed()
    it.say(UNTIL + 0.1, SYMPTOM, severity="ERROR")
    it.say(UNTIL + 90, SYMPTOM, severity="ERROR")
    return it


@case("R", NOT_FIXED, "still-there")
def not_fixed() -> History:
    return faulty().traffic(UNTIL, 2 * UNTIL, revision="r-2", faults=0.05)
