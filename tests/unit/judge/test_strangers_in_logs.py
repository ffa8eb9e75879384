"""A new kind of error that no user's request ties to the release is shown, and vetoes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from log_histories import HOUR, History, assessed, recorded

from proofbook.judge.findings import Finding

UNTIL = 4 * HOUR
NEW = "Invalid token for {}"


def users(*, named: bool = True) -> History:
    """Six clients before and after the deployment; a defect that is gone."""
    it = History()
    for n in range(6):
        client = f"198.51.100.{n}"
        it.traffic(0, UNTIL, per_min=0.6, faults=0.05, client=client, revision="r-1" if named else None)
        it.traffic(UNTIL, 2 * UNTIL, per_min=0.6, client=client, revision="r-2" if named else None)
    return it


def refused(it: History, *, client: str, url: str = "/api/chat", status: int = 400, said: str = NEW) -> History:  # fmt: skip
    """Requests since the deployment that end so, each with an error."""
    for n, at in enumerate(it.times(UNTIL + 1, 2 * UNTIL, 0.4)):
        trace = f"{n:032x}"
        it.ask(at, url, status=status, revision="r-2", trace=trace, client=client)
        it.say(at + 0.001, said.format(n), severity="ERROR", revision="r-2", trace=trace)
    return it


def scanners() -> History:
    return refused(users(), client="203.0.113.9", url="/wp-login.php", status=404)


def scanners_of_known_paths() -> History:
    return refused(users(), client="203.0.113.9")


def scanners_without_a_client() -> History:
    return refused(users(), client="", url="/.env", status=404)


def garbage_in_place_of_http() -> History:
    return users().messages(UNTIL, 2 * UNTIL, "SSL_do_handshake() failed (SSL: error:0A00009C:SSL routines::http request) {}", per_min=0.4, severity="ERROR", revision="r-2")  # fmt: skip


def names_that_are_not_its_own() -> History:
    return users().messages(UNTIL, 2 * UNTIL, "Invalid HTTP_HOST header: 'shop{}.example'. You may need to add it to ALLOWED_HOSTS.", per_min=0.4, severity="ERROR", revision="r-2")  # fmt: skip


def users_who_are_refused_now() -> History:
    return refused(users(), client="198.51.100.2", status=401)


def users_whose_requests_fail_now() -> History:
    return refused(users(), client="203.0.113.9", status=500)


def a_path_that_users_had_before() -> History:
    return refused(users(), client="", url="/api/chat", status=404)


def an_error_of_no_request() -> History:
    return users().messages(UNTIL, 2 * UNTIL, "queue {} is lost", per_min=0.4, severity="ERROR", revision="r-2")  # fmt: skip


def judged_by(history: History, folder: Path, name: str) -> Finding:
    recorded(history, folder)
    found = assessed(folder)
    return found.judge(found.checks[name])


STRANGE = (scanners, scanners_of_known_paths, scanners_without_a_client, garbage_in_place_of_http, names_that_are_not_its_own)  # fmt: skip
OF_USERS = (users_who_are_refused_now, users_whose_requests_fail_now, a_path_that_users_had_before, an_error_of_no_request)  # fmt: skip


@pytest.mark.usual_cases(2)
@pytest.mark.slow
@pytest.mark.parametrize("build", STRANGE)
def test_new_errors_of_strangers_are_shown_and_do_not_veto(build: Callable[[], History], tmp_path: Path) -> None:  # fmt: skip
    found = judged_by(build(), tmp_path, "log-new-errors")
    assert (found.verdict.value, found.reason) == ("inconclusive", "not-tied"), found.seen
    assert found.seen.startswith("1 new: ") and "as scanners do" in found.seen.replace("as of scanners", "as scanners do")  # fmt: skip
    assert found.needed is not None and "who sends such requests" in found.needed.what
    fix = next(item for item in assessed(tmp_path).judge_all() if item.kind == "fix")
    assert (fix.verdict.value, fix.reason) == ("pass", ""), fix.seen


@pytest.mark.slow
@pytest.mark.parametrize("build", OF_USERS)
def test_new_errors_that_users_meet_veto(build: Callable[[], History], tmp_path: Path) -> None:
    found = judged_by(build(), tmp_path, "log-new-errors")
    assert (found.verdict.value, found.reason) == ("fail", "new-error"), found.seen
