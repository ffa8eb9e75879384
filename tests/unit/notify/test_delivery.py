"""Notices reach real receivers, each of them once, whatever is down, killed or started twice."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Any

import asking
import made
import pytest
import receivers
import told
from conftest import with_notebooks
from other_process import held_by_another

from proofbook.config import environment as environments
from proofbook.config.environment import Environment
from proofbook.errors import Locked
from proofbook.notify import deliver, state
from proofbook.notify.alertmanager import alerts_of
from proofbook.notify.notice import Notice
from proofbook.pipeline import afterwards
from proofbook.runs import due
from proofbook.validation import Validation

HOUR = dt.timedelta(hours=1)
TO_WEBHOOK = '[[notify.webhook]]\nurl = { env = "PROOFBOOK_TEST_WEBHOOK" }\ntimeout_s = 5\n'


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = with_notebooks(tmp_path)
    monkeypatch.chdir(place)
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(place))
    monkeypatch.delenv("PROOFBOOK_TEST_WEBHOOK", raising=False)
    for path in (place / "notebooks" / "environments").glob("*.toml"):
        path.unlink()
    return place


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    with receivers.webhook() as found:
        monkeypatch.setenv("PROOFBOOK_TEST_WEBHOOK", found.url)
        yield found


class Place:
    """An environment whose runs end one after the other, an hour apart, and what was said of telling people."""

    def __init__(self, base: Path, text: str, name: str = "staging") -> None:
        told.state_environment(base, name, text)
        self.base, self.name, self.at = base, name, told.START
        self.said: list[str] = []

    @property
    def environment(self) -> Environment:
        return environments.load(self.name, base=self.base)

    @cached_property
    def desk(self) -> deliver.Desk:
        found = deliver.desk(self.environment, base=self.base, say=self.said.append)
        assert found is not None
        return found

    def run(self, verdict: str, **more: Any) -> str:
        self.at += HOUR
        return told.add_run(self.base, self.name, self.at, verdict, **more).name

    def end(self, verdict: str, **more: Any) -> None:
        deliver.of_run(self.desk, self.run(verdict, **more), now=self.at)


# Each receiver ------------------------------------------------------------------------------------------------------


def test_a_webhook_is_told_a_change_and_a_recovery_and_nothing_else(
    base: Path, hook: receivers.Webhook
) -> None:
    place = Place(base, TO_WEBHOOK)
    for verdict in ("pass", "pass", "fail", "fail", "pass", "pass"):
        place.end(verdict)
    assert place.said == []
    assert [text.splitlines()[0] for text in hook.texts] == [
        "✘ staging · c: pass → fail",
        "✔ staging · c: recovered: fail → pass",
    ]
    assert hook.posted[0].keys() == {"text"}
    assert hook.texts[0].splitlines()[1:] == [
        "Since 5 Jan 2026 13:00 UTC.",
        "it is fail: it is fail",
        f"Report: {base}/outputs/staging/20260105T130000Z-0000",
    ]
    assert (
        hook.texts[1].splitlines()[1]
        == "Since 5 Jan 2026 15:00 UTC. It had been fail since 5 Jan 2026 13:00 UTC."
    )


def test_what_a_service_says_calls_nobody_in_a_chat(base: Path, hook: receivers.Webhook) -> None:
    place = Place(base, TO_WEBHOOK)
    place.end("fail", found=[made.finding("x", "<!channel> & \x1b[31m<https://evil.example|here>\nnext")])
    assert "<" not in hook.texts[0] and "\x1b" not in hook.texts[0]
    assert "&lt;!channel&gt; &amp; " in hook.texts[0]
    assert len(hook.texts[0].splitlines()) == 4


def test_mail_says_the_same_and_is_the_same_mail_should_it_come_twice(base: Path) -> None:
    with receivers.mailbox() as box:
        place = Place(
            base,
            f'[[notify.mail]]\nhost = "127.0.0.1"\nport = {box.port}\nsecurity = "none"\nfrom = "proofbook@example.com"\nto = ["a@example.com", "b@example.com"]\n',
        )
        place.end("fail")
        box.refused = {"b@example.com"}
        place.end("pass")
        place.end("pass")
    assert [mail["Subject"] for mail in box.mails] == [
        "✘ staging · c: no earlier verdict → fail",
        "✔ staging · c: recovered: fail → pass",
    ]
    first = box.mails[0]
    assert (first["From"], first["To"], first["Auto-Submitted"]) == (
        "proofbook@example.com",
        "a@example.com, b@example.com",
        "auto-generated",
    )
    assert first["Message-ID"].endswith("@proofbook>") and first["Message-ID"] != box.mails[1]["Message-ID"]
    assert "Since 5 Jan 2026 11:00 UTC." in first.get_content()
    assert box.receivers == [["a@example.com", "b@example.com"], ["a@example.com"]]
    assert place.said == ["notify: mail: the server refused b@example.com; the other addresses were told"]


def test_mail_is_sent_over_a_checked_connection_by_who_may_log_in(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = (tmp_path / "cert.pem", tmp_path / "key.pem")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        str(pair[1]),
        "-out",
        str(pair[0]),
    ]
    subprocess.run(command, check=True, capture_output=True)
    monkeypatch.setenv("PROOFBOOK_TEST_PASSWORD", "correct-horse-battery")
    with receivers.mailbox(certificate=pair, password="correct-horse-battery") as box:
        text = f'[[notify.mail]]\nhost = "localhost"\nport = {box.port}\nuser = "proofbook"\npassword = {{ env = "PROOFBOOK_TEST_PASSWORD" }}\nfrom = "p@example.com"\nto = ["a@example.com"]\n'
        place = Place(base, f'{text}ca_file = "{pair[0]}"\n')
        place.end("fail")
        assert (place.said, box.users, len(box.mails)) == ([], ["proofbook"], 1)
        monkeypatch.setenv("PROOFBOOK_TEST_PASSWORD", "wrong-horse-battery")
        place.end("pass")
        assert len(box.mails) == 1 and "mail was not told: the server answered 535" in place.said[0]
        assert "wrong-horse" not in place.said[0]
        unchecked = Place(base, text, "unchecked")
        unchecked.end("fail")
        assert "mail was not told: no secure connection (CERTIFICATE_VERIFY_FAILED)" in unchecked.said[0]


def test_a_program_gets_the_notice_as_json(base: Path, tmp_path: Path) -> None:
    script = tmp_path / "told.py"
    script.write_text(
        "import sys; from pathlib import Path; p = Path(sys.argv[1]); p.write_text((p.read_text() if p.exists() else '') + sys.stdin.read() + '\\n'); sys.exit(int(sys.argv[2]))"
    )
    told_file = tmp_path / "told.jsonl"
    place = Place(
        base,
        f'[[notify.command]]\nrun = ["{{python}}", "{script}", "{told_file}", "0"]\n[[notify.command]]\nname = "broken"\nrun = ["{{python}}", "{script}", "{tmp_path / "other"}", "7"]\n',
    )
    place.end("pass")
    place.end("error")
    found = [json.loads(line) for line in told_file.read_text().splitlines()]
    assert [(item["was"], item["now"], item["environment"], item["case"]) for item in found] == [
        ("pass", "error", "staging", "c")
    ]
    assert found[0]["subject"] == "! staging · c: pass → error" and found[0]["text"].startswith(
        found[0]["subject"]
    )
    assert place.said == [
        "notify: broken was not told: python ended with exit code 7; it is tried again with the next run, or now: proofbook notify staging --retry"
    ]


@pytest.mark.slow
def test_a_program_that_hangs_is_ended_with_its_children(base: Path, tmp_path: Path) -> None:
    child = tmp_path / "child"
    place = Place(
        base,
        f'[[notify.command]]\nrun = ["/bin/sh", "-c", "sleep 600 & echo $! > {child}; wait"]\ntimeout_s = 0.5\n',
    )
    place.end("fail")
    assert place.said[0].startswith("notify: command was not told: sh did not end within 0.5 s;")
    receivers.wait_until(lambda: not Path(f"/proc/{child.read_text().strip()}").exists(), within_s=5)


ALERT = {"type": "object", "required": ["labels"], "additionalProperties": False, "properties": {
    "labels": {"type": "object", "additionalProperties": {"type": "string"}, "required": ["alertname"]},
    "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    "startsAt": {"type": "string", "format": "date-time"}, "endsAt": {"type": "string", "format": "date-time"}, "generatorURL": {"type": "string", "format": "uri"},
}}  # fmt: skip


def test_alerts_are_as_the_api_of_an_alertmanager_documents_them() -> None:
    import jsonschema

    found = Notice(
        kind="changed",
        environment="eu",
        case="c",
        was="error",
        now="fail",
        since="2026-01-05T12:00:00.000Z",
        was_since="2026-01-05T11:00:00.000Z",
        at="2026-01-05T12:00:00.000Z",
        report="https://r/x",
    )
    alerts = alerts_of(found, {"severity": "page"}, lasts_s=3600, now=told.START + 2 * HOUR)
    jsonschema.validate(alerts, {"type": "array", "items": ALERT}, format_checker=jsonschema.FormatChecker())
    assert [(item["labels"], item["endsAt"]) for item in alerts] == [
        (
            {
                "severity": "page",
                "alertname": "ProofbookVerdict",
                "environment": "eu",
                "case": "c",
                "verdict": "error",
            },
            "2026-01-05T12:00:00.000Z",
        ),
        (
            {
                "severity": "page",
                "alertname": "ProofbookVerdict",
                "environment": "eu",
                "case": "c",
                "verdict": "fail",
            },
            "2026-01-05T13:00:00.000Z",
        ),
    ]


@pytest.mark.slow
@pytest.mark.skipif(
    receivers.ALERTMANAGER is None,
    reason="no Alertmanager is installed: sudo apt-get install prometheus-alertmanager",
)
def test_an_alertmanager_tells_people_once_that_it_fires_and_once_that_it_is_over(
    base: Path, tmp_path: Path
) -> None:
    def heard() -> list[tuple[str, str, str]]:
        return [
            (item["status"], alert["labels"]["alertname"], alert["labels"].get("verdict", ""))
            for item in hook.posted
            for alert in item["alerts"]
        ]

    with receivers.webhook() as hook, receivers.alertmanager(tmp_path, tells=hook.url) as url:
        place = Place(
            base, f'every = "1h"\n[[notify.alertmanager]]\nurl = "{url}"\nlabels = {{ severity = "page" }}\n'
        )
        # An Alertmanager goes by the clock on the wall.
        place.at = dt.datetime.now(dt.UTC) - 7 * HOUR
        for verdict in ("pass", "fail", "fail", "fail"):
            place.end(verdict)
        receivers.wait_until(heard, within_s=20)
        place.end("error")
        receivers.wait_until(lambda: len(heard()) >= 3, within_s=20)
        late = due.of("staging", every_s=60, grace_s=0, now=dt.datetime.now(dt.UTC), base=base)
        deliver.of_due(place.desk, late)
        deliver.of_due(place.desk, late)
        receivers.wait_until(lambda: len(heard()) >= 4, within_s=20)
        place.end("pass")
        receivers.wait_until(lambda: len(heard()) >= 6, within_s=20)
    assert place.said == []
    assert Counter(heard()) == Counter(
        [
            ("firing", "ProofbookVerdict", "fail"), ("resolved", "ProofbookVerdict", "fail"),
            ("firing", "ProofbookVerdict", "error"), ("resolved", "ProofbookVerdict", "error"),
            ("firing", "ProofbookOverdue", ""), ("resolved", "ProofbookOverdue", ""),
        ]
    )  # fmt: skip


# Down, killed, twice ------------------------------------------------------------------------------------------------


def test_a_receiver_that_is_down_is_told_later_in_order_and_keeps_no_other_one_waiting(
    base: Path, hook: receivers.Webhook, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        place = Place(
            base,
            TO_WEBHOOK + f'[[notify.webhook]]\nname = "other"\nurl = {{ file = "{tmp_path / "url"}" }}\n',
        )
        (tmp_path / "url").write_text(f"http://127.0.0.1:{port}/services/very-secret-path")
        place.end("fail")
        place.end("pass")
    assert len(hook.posted) == 2
    assert place.said == [
        "notify: other was not told: cannot be reached (Connection refused); it is tried again with the next run, or now: proofbook notify staging --retry",
        "notify: other was not told: cannot be reached (Connection refused) (2 notices wait); it is tried again with the next run, or now: proofbook notify staging --retry",
    ]
    answer = asking.ask("notify", "staging", "--retry")
    assert (answer.code, answer.out.splitlines()) == (
        4,
        ["staging: told: c: pass", "  other: 2 notices wait"],
    )
    assert "very-secret" not in answer.out + answer.err
    with receivers.webhook(port) as other:
        answer = asking.ask("notify", "staging", "--retry")
        assert (answer.code, answer.out) == (0, "staging: told: c: pass\n")
        assert other.texts == hook.texts
    assert len(hook.posted) == 2


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (lambda hook, env: hook.answers.extend([503]), "answered 503 Service Unavailable: no, "),
        (lambda hook, env: env.delenv("PROOFBOOK_TEST_WEBHOOK"), "staging: notify.webhook: cannot read the secret from environment variable PROOFBOOK_TEST_WEBHOOK: it is not set"),
        (lambda hook, env: env.setenv("PROOFBOOK_TEST_WEBHOOK", "ftp://very-secret-path/"), "the URL cannot be used"),
        (lambda hook, env: env.setenv("PROOFBOOK_TEST_WEBHOOK", "very-secret-path"), "the URL cannot be used"),
        (lambda hook, env: env.setenv("PROOFBOOK_TEST_WEBHOOK", "http://very-secret-path.invalid/x"), "cannot be reached ("),
    ],
)  # fmt: skip
def test_why_a_receiver_was_not_told_is_said_without_its_address(
    base: Path, hook: receivers.Webhook, monkeypatch: pytest.MonkeyPatch, prepare: Any, why: str
) -> None:
    place = Place(base, TO_WEBHOOK)
    prepare(hook, monkeypatch)
    place.end("fail")
    assert len(place.said) == 1 and f"notify: webhook was not told: {why}" in place.said[0]
    assert "very-secret-path" not in place.said[0] + (base / "outputs" / "staging" / state.FILE).read_text()


def test_a_receiver_that_never_answers_costs_the_run_its_time_limit_and_nothing_else(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setenv("PROOFBOOK_TEST_WEBHOOK", f"http://127.0.0.1:{deaf.getsockname()[1]}/x")
        place = Place(base, TO_WEBHOOK.replace("timeout_s = 5", "timeout_s = 0.3"))
        place.end("fail")
    assert "webhook was not told: no answer within 0.3 s" in place.said[0]


# A process of its own, which the receiver kills once it has taken what was sent and before that is noted.
FOLLOW = """
import sys
from pathlib import Path
from proofbook.pipeline import afterwards
from proofbook.validation import Validation
base = Path(sys.argv[1])
with afterwards.followed(Validation.load(sys.argv[2], base=base), base=base, say=lambda line: print(line, flush=True)):
    pass
"""


def follow(base: Path, name: str = "staging") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", FOLLOW, str(base), name], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_who_is_killed_before_it_is_noted_tells_again_under_the_same_id(
    base: Path, hook: receivers.Webhook
) -> None:
    place = Place(base, TO_WEBHOOK)
    place.run("fail")
    process = follow(base)
    hook.once_taken = lambda: os.kill(process.pid, signal.SIGKILL)
    assert process.communicate()[0] == "" and process.returncode == -signal.SIGKILL
    hook.once_taken = lambda: None
    assert follow(base).communicate()[0] == "", "the lock ended with who held it"
    # Noted before it was sent: the run is not looked at again, the notice is still sent with what comes next.
    place.end("fail")
    place.end("fail")
    assert len(hook.texts) == 2 and len(set(hook.ids)) == 1 and hook.texts[0] == hook.texts[1]


def test_a_run_of_which_nobody_told_because_that_was_killed_is_made_up_for(
    base: Path, hook: receivers.Webhook
) -> None:
    place = Place(base, TO_WEBHOOK)
    place.end("pass")
    for verdict in ("fail", "pass"):
        place.run(verdict)
    place.end("pass")
    assert [text.splitlines()[0] for text in hook.texts] == [
        "✘ staging · c: pass → fail",
        "✔ staging · c: recovered: fail → pass",
    ]


@pytest.mark.extended
@pytest.mark.slow
def test_two_schedulers_that_start_the_same_tell_it_once(base: Path, hook: receivers.Webhook) -> None:
    place = Place(base, TO_WEBHOOK)
    place.end("pass")
    place.run("fail")
    processes = [follow(base) for _ in range(4)]
    assert [process.communicate()[0] for process in processes] == [""] * 4
    assert len(hook.posted) == 1


@pytest.mark.extended
@pytest.mark.long(110)
@pytest.mark.slow
def test_of_five_hundred_runs_over_forty_environments_every_change_is_told_once(
    base: Path, hook: receivers.Webhook
) -> None:
    """With receivers that refuse, processes that are killed, and others that are started twice among them."""
    draw = random.Random(20260105)
    places = [
        Place(base, "[notify]\ninconclusive_after = 1\n" + TO_WEBHOOK, f"eu-{number}") for number in range(40)
    ]
    expected: dict[str, list[str]] = {place.name: [] for place in places}
    last: dict[str, str] = {}
    killed = 0
    for number in range(500):
        place = places[number % 40]
        verdict = draw.choices(["pass", "fail", "error", "inconclusive"], [6, 2, 1, 1])[0]
        changes = verdict != last.get(place.name) and (verdict != "pass" or place.name in last)
        if changes:
            expected[place.name].append(f"{last.get(place.name) or 'no earlier verdict'} → {verdict}")
        last[place.name] = verdict
        fault = draw.random()
        if fault < 0.02 and changes:
            place.run(verdict)
            process = follow(base, place.name)
            hook.once_taken = lambda process=process: os.kill(process.pid, signal.SIGKILL)  # type: ignore[misc]
            process.communicate()
            hook.once_taken = lambda: None
            killed += process.returncode < 0
        elif fault < 0.015:
            place.run(verdict)
            for process in [follow(base, place.name) for _ in range(2)]:
                process.communicate()
        elif fault < 0.06:
            hook.answers.append(503)
            place.end(verdict)
        else:
            place.end(verdict)
    hook.answers.clear()
    for place in places:
        assert deliver.retry(place.desk, now=place.at) == 0
    assert killed and hook.refused
    assert len(hook.ids) - len(set(hook.ids)) <= killed, (
        "only who was killed in between tells twice, under the same id"
    )
    first = dict(reversed(list(zip(hook.ids, hook.texts, strict=True))))
    heard: dict[str, list[str]] = {place.name: [] for place in places}
    for notice in dict.fromkeys(hook.ids):
        subject = first[notice].splitlines()[0]
        heard[subject.split()[1]].append(subject.partition(": ")[2].removeprefix("recovered: "))
    assert heard == expected
    assert sum(map(len, expected.values())) > 200


def test_who_cannot_get_the_lock_says_so_and_the_run_is_told_of_later(
    base: Path, hook: receivers.Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "PATIENCE_S", 0.2)
    place = Place(base, TO_WEBHOOK)
    place.end("pass")
    run_id = place.run("fail")
    with held_by_another(base / "outputs" / "staging"), pytest.raises(Locked):
        deliver.of_run(place.desk, run_id, now=place.at)
    assert hook.posted == []
    place.end("fail")
    assert len(hook.posted) == 1


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 2}', '{"cases": {"c": {"handled": 7}}}'])
def test_a_damaged_state_is_said_and_begun_anew(base: Path, hook: receivers.Webhook, text: str) -> None:
    place = Place(base, TO_WEBHOOK)
    place.end("fail")
    (base / "outputs" / "staging" / state.FILE).write_text(text)
    place.end("fail")
    assert place.said[0].startswith("notify: outputs/staging/notify.json cannot be used (it ")
    assert len(hook.posted) == 2
    place.end("fail")
    assert (len(hook.posted), len(place.said)) == (2, 1)


def test_a_clock_that_jumped_ahead_and_back_keeps_nothing_quiet(base: Path, hook: receivers.Webhook) -> None:
    place = Place(base, TO_WEBHOOK)
    place.end("pass")
    place.at += 1000 * HOUR
    place.end("pass")
    place.at -= 999 * HOUR
    place.end("fail")
    place.end("fail")
    place.end("pass")
    assert [text.splitlines()[0] for text in hook.texts] == [
        "✘ staging · c: pass → fail",
        "✔ staging · c: recovered: fail → pass",
    ]


def test_a_clock_that_jumped_back_and_ahead_tells_nothing_twice(base: Path, hook: receivers.Webhook) -> None:
    place = Place(base, TO_WEBHOOK)
    for verdict in ("pass", "fail", "pass", "pass"):
        place.end(verdict)
    told = ["✘ staging · c: pass → fail", "✔ staging · c: recovered: fail → pass"]
    place.at -= 6 * HOUR
    place.end("pass")
    place.at += 2.5 * HOUR
    place.end("pass")
    place.at += 6 * HOUR
    place.end("pass")
    assert [text.splitlines()[0] for text in hook.texts] == told
    place.end("fail")
    assert [text.splitlines()[0] for text in hook.texts] == [*told, told[0]]
    assert state.read(base / "outputs" / "staging")[0].of("c").later == (), "nothing of it stays"


def test_a_run_is_told_of_though_the_clock_that_was_set_back_makes_it_the_oldest_file(
    base: Path, hook: receivers.Webhook
) -> None:
    place, now = Place(base, TO_WEBHOOK), dt.datetime.now(dt.UTC)
    place.at = now + 3 * HOUR
    place.end("pass")
    with afterwards.followed(Validation.load("staging", base=base), base=base, say=pytest.fail):
        folder = told.add_run(base, "staging", now, "fail")
        written = (folder / "run.json").stat().st_mtime - 7200
        os.utime(folder / "run.json", (written, written))
    assert [text.splitlines()[0] for text in hook.texts] == ["✘ staging · c: pass → fail"]


@pytest.mark.slow
def test_a_receiver_that_is_gone_for_good_fills_no_disk(base: Path) -> None:
    place = Place(base, TO_WEBHOOK)
    for _ in range(state.MOST_PENDING):
        place.end("fail")
        place.end("pass")
    waiting = state.read(base / "outputs" / "staging")[0].pending["webhook"]
    assert len(waiting) == state.MOST_PENDING and waiting[-1].kind == "recovered"


def test_each_case_of_an_environment_has_its_own_verdict(base: Path, hook: receivers.Webhook) -> None:
    place = Place(base, TO_WEBHOOK)
    for case, verdict in (("a", "pass"), ("b", "fail"), ("a", "pass"), ("b", "fail"), ("a", "fail")):
        place.end(verdict, case=case)
    assert [text.splitlines()[0] for text in hook.texts] == [
        "✘ staging · b: no earlier verdict → fail",
        "✘ staging · a: pass → fail",
    ]


# The commands --------------------------------------------------------------------------------------------------------


def test_silence_is_told_by_due_and_its_end_by_the_next_run(base: Path, hook: receivers.Webhook) -> None:
    place = Place(base, 'every = "1h"\n' + TO_WEBHOOK)
    place.end("pass")
    for _ in range(2):
        answer = asking.ask("due", "--notify")
        assert (answer.code, answer.err) == (5, "")
    place.at = dt.datetime.now(dt.UTC) - HOUR
    place.end("pass")
    assert asking.ask("due", "--notify").code == 0
    assert [text.splitlines()[0] for text in hook.texts] == [
        "! staging: no finished run in time",
        "✔ staging · c: runs again: pass",
    ]
    assert hook.texts[0].splitlines()[1] == "Since 5 Jan 2026 12:30 UTC."


def test_an_environment_that_never_ran_is_told_of_too(base: Path, hook: receivers.Webhook) -> None:
    Place(base, 'every = "1h"\n' + TO_WEBHOOK)
    assert asking.ask("due", "--notify").code == 5
    assert asking.ask("due", "--notify").code == 5
    assert [text.splitlines()[2] for text in hook.texts] == [
        "staging: overdue: no run has ever finished; one every 1 h is expected"
    ]


def test_receivers_can_be_tried(base: Path, hook: receivers.Webhook) -> None:
    Place(base, TO_WEBHOOK + '[[notify.command]]\nrun = ["/nonexistent"]\n')
    answer = asking.ask("notify", "staging", "--test")
    assert (answer.code, answer.out.splitlines()) == (
        4,
        [
            "staging: told: nothing yet",
            "  webhook: told",
            "  command: nonexistent cannot be started (No such file or directory)",
        ],
    )
    assert hook.texts == ["· staging: a test message; nothing happened"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[[notify.webhook]]\nurl = "https://hooks.example/very-secret"\n', 'notify.webhook[0].url: secrets must be references: { env = "NAME" } or { file = "path" }; the written value is not used, and not shown'),
        (TO_WEBHOOK + TO_WEBHOOK, "notify: expected different names of receivers, got 'webhook' twice; give them names"),
        ('[notify]\nremind_every = "daily"\n' + TO_WEBHOOK, "notify.remind_every: expected a duration, a number and a unit such as 90s, 5m, 24h or 7d, got 'daily'"),
        ('[[notify.mail]]\nhost = "h"\nfrom = "a@b"\nto = ["c"]\n', "notify.mail[0]: expected mail addresses in to, got 'c'"),
        ('[[notify.mail]]\nhost = "h"\nfrom = "a@b"\nto = ["c@d"]\nuser = "u"\n', "notify.mail[0]: expected user and password together, got user alone"),
        ('[notify]\nafter = 0\n' + TO_WEBHOOK, "notify.after: expected greater than or equal to 1, got 0"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_one_sentence_without_the_secret(
    base: Path, text: str, problem: str
) -> None:
    told.state_environment(base, "staging", text)
    answer = asking.ask("notify", "staging")
    assert (answer.code, answer.last) == (2, f"notebooks/environments/staging.toml: {problem}")


def test_who_names_nobody_is_told_so(base: Path) -> None:
    told.state_environment(base, "staging")
    assert (
        asking.ask("notify", "staging").last
        == "environment staging names nobody to tell; add [notify] with a receiver to its file"
    )
    assert (
        asking.ask("notify").last
        == "expected an environment that names somebody to tell, found none; add [notify] with a receiver to a file"
    )
