"""Messages that are the same but for their values have one template; what says something else keeps its own."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pandas as pd
import pytest
from builders import json_lines, log_entry

from proofbook.collect.logs import aggregates, recorder
from proofbook.config.sources import LogSource
from proofbook.judge.log_text.templates import ANYWHERE, AT_THE_BEGINNING, OF_AN_OBJECT, merge
from proofbook.judge.log_text.values import without_values

START = pd.Timestamp("2026-01-01T12:00:00Z")
# How values were masked where the entries lay, as evidence of before still has it.
MASK_BEFORE = r"""[^\s=:,;()\[\]{}"'|<>/]*[0-9][^\s=:,;()\[\]{}"'|<>/]*"""
NAMES = tuple(
    re.findall(
        r"\w+",
        "amber birch cedar daisy elder fern gorse hazel iris jasmine kale laurel maple nettle olive poppy quince rose sorrel thyme umber "
        "violet willow yarrow zinnia aster bryony clover dahlia erica",
    )
)


def masked(message: str, mask: str = aggregates.VALUE) -> str:
    return re.sub(mask, "<*>", message)


def templates_of(*messages: str) -> list[str]:
    texts = [masked(message) for message in messages]
    merged = merge(texts)
    return [merged[text] for text in texts]


SAME = {
    "users behind a key": ("login ok user=ann", "login ok user=bob"),
    "users after a preposition": ("session opened for user ann by (uid=0)", "session opened for user bob by (uid=4)"),
    "users who do something": ("user fred logged in from 10.0.0.1", "user ahmed logged in from 10.0.0.2"),
    "users who are not known": ("try of invalid user ann [early]", "try of invalid user bob [early]"),
    "whose password it was": ("Accepted password for ann from 10.0.0.1 port 2", "Accepted password for eve from 10.0.0.1 port 3"),
    "mail addresses": ("mail to ann@example.org bounced", "mail to bob.x@example.com bounced"),
    "owners at hosts": ("peer alice@db gone", "peer bob@web gone"),
    "hosts": ("lookup of db.example.org failed", "lookup of cache.internal.example.net failed"),
    "hosts with a port": ("cannot reach db-primary:5432", "cannot reach 10.0.0.7:5432"),
    "hosts behind a key": ("host: alpha is back", "host: beta is back"),
    "ranges of hosts": ("hosts web-[1-4] silent", "hosts web-7 silent"),
    "files": ("cannot open /etc/app/a.conf", "cannot open /var/lib/b.conf", "cannot open ~/c", "cannot open ../d/e"),
    "relative files": ("file app/main.py changed", "file lib/util/x.py changed"),
    "files on a drive": (r"copy C:\Users\ann\x.txt locked", r"copy D:\data\y.txt locked"),
    "addresses of pages": ("GET https://a.example.org/x?z=k failed", "GET http://b.example.org/q failed"),
    "queries of paths": ("path=/a/b?x=y&z=w done", "path=/c done"),
    "dotted names of things": ("worker com.acme.jobs.Mailer started", "worker com.acme.jobs.Cleaner started"),
    "hexadecimal ids of letters": ("checksum deadbeef of part 3", "checksum cafebabe of part 3"),
    "hardware addresses": ("mac 00:11:22:aa:bb:cc seen", "mac aa:bb:cc:dd:ee:ff seen", "mac aa:b1:cc:dd:ee:ff seen"),
    "IPv6 addresses": ("addr fe80::1 seen", "addr fe80::dead:beef:1 seen"),
    "months": ("backup of March 5 done", "backup of October 12 done"),
    "days and zones": ("at Sat, 05 Nov 2005 10:00:00 GMT", "at Mon, 15 Dec 2005 11:00:00 UTC"),
    "units of time": ("took 5 ms", "took 2 s"),
    "units of size": ("read 12 bytes", "read 3 KB", "read 1.5 MiB"),
    "what is said once more in brackets": ("sent 12 bytes, got 5 bytes", "sent 12 KB (12288 bytes), got 5 bytes"),
    "an empty bracket": ("from 10.0.0.1 () at 5", "from 10.0.0.1 (h1.example.org) at 5"),
    "an amount that is a bound": ("lifetime <1 sec", "lifetime 00:17"),
    "lists of numbers": ("failed nodes: n1, n2, n3", "failed nodes: n1", "failed nodes: n1 n2 n3 n4 n5 n6"),
    "lists of names": ("sent to [alpha, beta]", "sent to [gamma, alpha, delta]"),
    "lists of pairs": ("disks sda1 <ok> sdb1 <ok> mounted", "disks sda1 <ok> sdb1 <ok> sdc1 <ok> mounted"),
    "lists of keys": ("disk=sda1, disk=sdb1 mounted", "disk=sda1 mounted"),
    "words in quotes": ("unknown column 'email' in query", "unknown column 'phone' in query"),
    "names in quotes": ('the "Print Spooler" went away', 'the "Mail Queue" went away'),
    "a quoted value of a key": ('tag="View Lock", n=5', 'tag="launch", n=6'),
    "tags in braces": ("task {alpha} handed over", "task {beta} handed over"),
    "a tag where others have a number": ("source [Cluster_A8] silent", "source [LOCAL] silent"),
    "keys without a value": ("uid=0 ruser= rhost=10.0.0.1", "uid=0 ruser=ann rhost=10.0.0.1"),
    "keys with none": ("lock=5 source=null", "lock=6 source=Store{7}"),
    "keys apart from their values": ("name = blue, size = 5", "name = green, size = 6"),
    "JSON": ('{"user": "ann", "msg": "logged in"}', '{"user": "bob", "msg": "logged in"}'),
    "JSON without spaces": ('{"user":"ann","n":5}', '{"user":"eve","n":6}'),
    "a header that was not found": ("httpd - listening on 10.0.0.1", "listening on 10.0.0.1", "- listening on 10.0.0.2"),
    "a full stop behind a value": ("retry in 5 minutes.", "retry in 5 minutes"),
}  # fmt: skip
APART = {
    "what became of a connection": ("connection refused", "connection reset", "connection closed", "connection lost"),
    "errors of a connection": ("ERROR connection to db-1 refused", "ERROR connection to db-1 reset"),
    "outcomes": ("httpd startup succeeded", "httpd startup failed"),
    "commands": ("boot (command 12)", "halt (command 13)", "wait (command 3)", "reboot (command 3)", "resume (command 5)", "suspend (command 3)"),
    "opened and closed": ("session opened for user ann", "session closed for user ann"),
    "states behind a key": ("state=open id=5", "state=closed id=6", "state=half-open id=7"),
    "states in other keys": ("breaker=open id=5", "breaker=closed id=6"),
    "levels": ("level=error msg=x1", "level=warn msg=x1"),
    "reasons": ("reason: disk full", "reason: disk quota"),
    "reasons in a list": ("reasons [quota, policy] for 5", "reasons [limit, billing] for 5"),
    "errors behind a key": ('error="connection refused" host=a', 'error="connection reset" host=a'),
    "codes of errors": ("error_code=E_QUOTA user=ann", "error_code=E_AUTH user=ann"),
    "symbols of errors": ("open failed ECONNREFUSED", "open failed ECONNRESET", "open failed EPIPE", "open failed ENOENT", "open failed EACCES"),
    "exceptions": ("java.net.ConnectException: no route", "java.net.SocketTimeoutException: no route"),
    "exceptions in a sentence": ("caught java.io.IOException in 5 ms", "caught java.io.EOFException in 5 ms"),
    "errors in quotes": ('got "Bad Gateway" from 10.0.0.1', 'got "Service Unavailable" from 10.0.0.1'),
    "many things that fail": ("failed: quota", "failed: policy", "failed: billing", "failed: limit", "failed: auth", "failed: region", "failed: 12"),
    "what a user did not manage": ("user login failed", "user logout failed", "user signup failed", "user lookup failed", "user deletion failed"),
    "what became of a user": ("user ann deleted", "user ann created"),
    "what of a user expired": ("user session expired", "user password expired", "user token expired"),
    "what became of an order": ("order 5 paid", "order 5 refunded", "order 5 cancelled", "order 7 shipped", "order 8 returned", "order 9 lost"),
    "states behind a preposition": ("switched to active", "switched to standby", "switched to maintenance", "switched to observer", "switched to learner"),
    "a number and a word": ("retry 5", "retry exhausted"),
    "methods": ("GET failed", "POST failed", "PUT failed", "DELETE failed", "PATCH failed"),
    "reading and writing": ("cannot read file /a/b", "cannot write file /a/b"),
    "what a disk is": ("disk /dev/sda is full", "disk /dev/sda is failing", "disk /dev/sda is readonly"),
    "events of JSON": ('{"event":"login","user":"ann"}', '{"event":"logout","user":"ann"}'),
    "states of JSON": ('{"status": "failed", "id": 5}', '{"status": "ok", "id": 5}'),
    "texts of JSON": ('{"user":"ann","msg":"disk full"}', '{"user":"ann","msg":"quota reached"}'),
    "truth": ("enabled=true for tenant 5", "enabled=false for tenant 5"),
    "signals": ("received SIGTERM", "received SIGKILL", "received SIGINT"),
    "what was waited for": ("timeout after 5 ms waiting for lock", "timeout after 5 ms waiting for connection"),
    "dotted names of errors": ("db.connection.refused seen 5 times", "db.connection.timeout seen 5 times"),
    "who is known": ("check pass; user unknown", "check pass; user root"),
    "hits and misses": ("cache hit for 5", "cache miss for 5"),
    "calls": ("app.store.Cart.add() is slow", "app.store.Cart.drop() is slow"),
    "words with a slash": ("read/write lock held", "and/or lock held"),
}  # fmt: skip


@pytest.mark.parametrize("messages", SAME.values(), ids=SAME)
def test_a_message_with_other_values_is_the_same_message(messages: tuple[str, ...]) -> None:
    assert len(set(templates_of(*messages))) == 1, sorted(set(templates_of(*messages)))


@pytest.mark.parametrize("messages", APART.values(), ids=APART)
def test_a_message_that_says_something_else_is_another_message(messages: tuple[str, ...]) -> None:
    assert len(set(templates_of(*messages))) == len(messages), sorted(set(templates_of(*messages)))


@pytest.mark.parametrize(
    ("said", "least"),
    [
        ("mail to {} bounced", OF_AN_OBJECT),
        ("the {} pump runs", ANYWHERE),
        ("{} startup succeeded", AT_THE_BEGINNING),
    ],
)
def test_names_in_one_place_are_values_where_there_are_enough_of_them(said: str, least: int) -> None:
    several = [said.format(name) for name in NAMES[: least - 1]]
    assert len(set(templates_of(*several))) == least - 1
    enough = [said.format(name) for name in NAMES[:least]]
    assert set(templates_of(*enough)) == {said.format("<*>")}
    # A state beside them is none of them.
    assert len(set(templates_of(*enough, said.format("failed")))) == 2


def test_words_that_stand_where_others_have_a_number_are_values_only_if_they_name_something() -> None:
    assert len(set(templates_of("reply from 17 lost", "reply from amber lost"))) == 1
    assert (
        len(set(templates_of("reply from 17 lost", "reply from nowhere lost", "reply from failed lost"))) == 2
    )
    assert len(set(templates_of("query failed: 1205", "query failed: deadlock"))) == 2


def test_templates_depend_on_the_messages_and_not_on_their_order() -> None:
    said = [f"user {name} opened {thing}" for name in NAMES[:6] for thing in ("chat", "mail")]
    said += [
        "cache <*> warm",
        "cache <*> cold",
        "a",
        "user amber left",
        "",
        " ",
        "<*>",
        "=",
        "'",
        "[",
        "mail to <*>",
    ]
    said += [f"mail to {name}" for name in NAMES] + [
        masked(text) for texts in SAME.values() for text in texts
    ]
    merged = merge(said)
    for seed in range(5):
        shuffled = random.Random(seed).sample(said, len(said))
        assert merge(shuffled) == merged
    assert merged["user amber opened chat"] == "user <*> opened chat"
    assert merged["user amber opened mail"] == "user <*> opened mail"
    assert merged["cache <*> warm"] == "cache <*> warm"


@pytest.mark.parametrize("messages", [*SAME.values(), *APART.values()], ids=[*SAME, *APART])
def test_evidence_of_before_has_the_templates_of_today(messages: tuple[str, ...]) -> None:
    for message in messages:
        assert without_values(masked(message, MASK_BEFORE)) == without_values(masked(message))


@pytest.mark.parametrize("message", [text for texts in (*SAME.values(), *APART.values()) for text in texts])
def test_a_template_has_no_values_left(message: str) -> None:
    once = without_values(masked(message))
    assert without_values(once) == once


def test_mail_addresses_are_masked_where_the_entries_lie(tmp_path: Path) -> None:
    users = ("ann", "bob", "cid", "dora.e", "fay")
    said = [log_entry(START + pd.Timedelta(seconds=n), f"mail to {user}@example.org bounced") for n, user in enumerate(users)]  # fmt: skip
    (tmp_path / "log").write_text(json_lines(*said))
    tables, problems = recorder.record(
        [LogSource(name="log", file="log")], [], base=tmp_path, folder=tmp_path
    )
    assert not problems
    [kind] = tables["log_kinds"].to_dict("records")
    assert (kind["text"], kind["entries"]) == ("mail to <*> bounced", len(users))


@pytest.mark.parametrize(
    "text",
    ["<*> " * 250, "<*> a " * 160, "' " * 500, "a." * 500, "[" * 1000, "user=" * 200, "a" * 900 + "://x = y user b", '"' * 999, "(<*>)" * 200],
)  # fmt: skip
def test_no_message_takes_long(text: str) -> None:
    # A rule that tried every way to read a text would not end within the time of the test.
    assert merge([text + tail for tail in ("", "x", "y")])
