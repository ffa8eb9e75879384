"""Secrets of known shapes are found wherever they stand, by Python and by the engine that reads logs alike."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator

import duckdb
import pytest
from corpus import secrets
from hypothesis import given, strategies

from proofbook.collect.logs.sql import cleaned
from proofbook.redaction import scrubbing
from proofbook.redaction.scrubbing import Pseudonyms, Secret, forms, scrub

PLACES = {
    "alone": "{}",
    "log line": "2026-01-01T00:00:00Z ERROR login failed with {} for user_1",
    "exception": "ValueError: expected a token, got '{}'",
    "traceback": '  File "app.py", line 3, in check\n    raise Refused("{}")\napp.Refused: {}',
    "html": "{}",
    "json": '{{"message": "{}", "status": 401}}',
}


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    known, extra = set(scrubbing._KNOWN), dict(scrubbing._EXTRA)
    scrubbing._KNOWN.clear()
    scrubbing._EXTRA.clear()
    yield
    scrubbing._KNOWN |= known
    scrubbing._EXTRA.update(extra)
    scrubbing.use_pseudonyms(None)


def all_by_engine(texts: list[str]) -> list[str]:
    """The texts as the engine cleans them. To compile the rules takes it longer than to apply them, so all are asked at once."""
    rows = duckdb.execute(f"SELECT {cleaned('x', scrubbing.rules())} FROM (SELECT unnest($1) AS x)", [texts])
    return [str(found) for (found,) in rows.fetchall()]


def by_engine(text: str) -> str:
    (found,) = all_by_engine([text])
    return found


def test_the_corpus_is_large_enough() -> None:
    assert len(secrets()) >= 60


@pytest.mark.parametrize("name", secrets())
def test_a_secret_of_a_known_shape_is_scrubbed_wherever_it_stands(name: str) -> None:
    met, secret = secrets()[name]
    texts = [words.replace("{}", html.escape(met) if place == "html" else met) for place, words in PLACES.items()]  # fmt: skip
    for place, text, cleaned_text in zip(PLACES, texts, all_by_engine(texts), strict=True):
        assert secret not in scrub(text), place
        assert secret not in cleaned_text, place
        assert cleaned_text == scrub(text), place


@pytest.mark.parametrize("rule", scrubbing.RULES, ids=lambda rule: rule.pattern[:40])
@given(data=strategies.data())
def test_whatever_a_rule_masks_is_not_skipped_at_the_first_look(
    rule: scrubbing.Rule, data: strategies.DataObject
) -> None:
    text = data.draw(strategies.from_regex(rule.pattern, alphabet=strategies.characters(codec="ascii")))
    assert re.search(rule.hint, text)
    assert not rule.words or any(word in text.lower() for word in rule.words)


@pytest.mark.parametrize(
    "text",
    [
        "the token expired after 3 s, password reset sent, secret santa",
        "Invalid user id format: staging-e2e-user-001",
        "expected a Bearer token, got none; cookie missing: log in again",
        "GET /v1/items?key=42&page=3 200 in 41 ms",
        "usage: top -u root, ps --user=root, systemctl --user status, sudo -u app: no such user",
        "task-scheduler-with-a-long-name started disk-cleanup-of-temporary-files",
        'File "/srv/app/secrets/tokens.py", line 3, in refresh_token',
        "https://example.com/a/b?c=d#e, http://127.0.0.1:8080/health, mailto:a@example.com",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736, run 20261124T104128Z-1f3a",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrub(text) == text == by_engine(text)


def test_scrubbing_twice_changes_nothing_more() -> None:
    for met, _ in secrets().values():
        assert scrub(scrub(met)) == scrub(met)


def test_a_known_secret_is_found_in_every_form_in_which_it_may_be_written() -> None:
    value = 'pa/ss "wörd"+=&%'
    Secret(value)
    written = sorted(forms(value))
    texts = [f"before {form} after" for form in written]
    for form, text, cleaned_text in zip(written, texts, all_by_engine(texts), strict=True):
        assert form not in scrub(text) and form not in cleaned_text
    coded = [base64.b64encode(f"{before}{value}:x".encode()).decode() for before in ("", "u", "us", "user:")]
    for text, cleaned_text in zip(coded, all_by_engine(coded), strict=True):
        assert scrub(text) != text and cleaned_text == scrub(text)


def test_what_an_environment_wants_redacted_is() -> None:
    scrubbing.add_patterns([r"CUST-\d{4}"])
    assert scrub("order of CUST-1234") == "order of [redacted]" == by_engine("order of CUST-1234")


def test_pseudonyms_are_the_same_for_the_same_key_and_say_nothing() -> None:
    names = Pseudonyms(key="k" * 16, patterns=(r"user_[0-9]+",))
    scrubbing.use_pseudonyms(names)
    text = "user_1 from 203.0.113.7 and 2001:db8::1, a.b@example.com; user_1 again, user_2, 127.0.0.1, 1.2.3, 12:30:45"
    once = scrubbing.for_others(text)
    for shown in ("user_1", "user_2", "203.0.113.7", "2001:db8::1", "a.b@example.com"):
        assert shown not in once
    assert "127.0.0.1, 1.2.3, 12:30:45" in once
    first, _, second = once.partition(" again")[0].partition(" from ")
    assert second.endswith(first) and scrubbing.for_others(text) == once
    assert Pseudonyms(key="other", patterns=(r"user_[0-9]+",)).apply(text) != once
    assert "k" * 16 not in repr(names)


@pytest.mark.slow
def test_thousands_of_logins_neither_break_the_engine_nor_slow_it_down() -> None:
    tokens = [f"opaque-token-number-{number:06}-{number * 7919:012}" for number in range(3000)]
    for token in tokens:
        Secret(token, issued=True)
    text = f"login of user_1 with {tokens[0]} and {tokens[1500]}, then {tokens[-1]}"
    clean = ["login of user_1 with [redacted] and [redacted], then [redacted]", "nothing to see"]
    assert all_by_engine([text, "nothing to see"]) == clean
    assert [scrub(text), scrub("nothing to see")] == clean


def test_an_issued_token_that_its_shape_tells_is_not_remembered() -> None:
    jwt = secrets()["jwt"][0]
    Secret(jwt, issued=True)
    assert scrubbing.known_patterns() == [] and scrub(f"a {jwt} b") == "a [redacted] b"
    Secret(jwt)
    assert len(scrubbing.known_patterns()) == 1
