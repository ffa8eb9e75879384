"""Bad tokens of every kind against servers that are careless in one way each, and how often one is tried for what is claimed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from first_tries import attempt, described, page, serving, talk, with_socket

from proofbook.collect import forged_tokens
from proofbook.collect.websocket import probes
from proofbook.judge.findings import Finding, Verdict
from proofbook.protocol import TokenKind

pytestmark = [pytest.mark.waits, pytest.mark.slow]

KEY = b"the key of the server"
Believes = Callable[[str], bool]


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def issued(key: bytes = KEY, algorithm: str = "HS256", **claims: Any) -> str:
    said = {"sub": "ann", "aud": "chat", "exp": int(time.time()) + 3600, **claims}
    signed = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": algorithm, "typ": "JWT"}, said))
    return f"{signed}.{encoded(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"


def is_signed(token: str, key: bytes = KEY) -> bool:
    signed, _, signature = token.rpartition(".")
    return hmac.compare_digest(encoded(hmac.new(key, signed.encode(), hashlib.sha256).digest()), signature)


def algorithm_of(token: str) -> str:
    return str(decoded(token.split(".")[0])["alg"])


def careful(token: str) -> bool:
    if token.count(".") != 2 or algorithm_of(token) != "HS256" or not is_signed(token):
        return False
    claims = decoded(token.split(".")[1])
    return claims["exp"] > time.time() and claims["aud"] == "chat" and claims["sub"] != "bob"


def refusals(
    believes: Believes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, token: str = ""
) -> Finding:
    """What a first try says of a server that believes such tokens."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return await talk(request) if shown and believes(shown) else page("bad token", 401)

    good = token or issued()
    monkeypatch.setenv("CHAT_TOKEN", good)
    with serving(with_socket(guarded)) as url:
        tried = attempt(url, base=tmp_path, token=good, ws="/ws", token_env="CHAT_TOKEN")
    return tried.findings["websocket-refuses-bad-tokens"]


def unsigned_too(token: str, *names: str) -> bool:
    return careful(token) or (token.count(".") == 2 and algorithm_of(token) in names)


@pytest.mark.usual_cases(2)
@pytest.mark.parametrize(
    ("believes", "kinds"),
    [
        (lambda token: unsigned_too(token, "none"), "unsigned"),
        # A server that looks for the lower-case word alone.
        (lambda token: unsigned_too(token, "None"), "unsigned"),
        (lambda token: careful(token) or is_signed(token, b""), "signed with another key"),
        (lambda token: careful(token) or is_signed(token, b"secret"), "signed with another key"),
        (lambda token: decoded(token.split(".")[1])["sub"] == "ann", "signed with another key, tampered, unsigned"),
    ],
    ids=["none", "None", "no key", "a key of examples", "no look at the signature"],
)  # fmt: skip
def test_a_server_that_believes_a_forged_token_is_broken(
    believes: Believes, kinds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = refusals(believes, tmp_path, monkeypatch)
    assert (found.verdict, found.reason) == (Verdict.FAIL, "bad-token-accepted"), found.statement
    assert found.statement.endswith(f"bad tokens were let in ({kinds})")


def test_a_careful_server_refuses_them_all_and_the_claim_is_worth_its_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = refusals(careful, tmp_path, monkeypatch)
    assert found.verdict is Verdict.PASS, found.statement
    assert found.statement == "all 60 tries with bad tokens were refused by name (missing, signed with another key, tampered, unsigned)"  # fmt: skip
    # A door of one kind is met by the fifteen tries of that kind alone.
    assert (
        found.severity == pytest.approx(1 - 0.95**15)
        and found.severity_at == "1 of 20 tries with one kind of them is let in"
    )


def test_one_instance_of_ten_that_looks_at_no_token_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = itertools.count()

    def tenth(token: str) -> bool:
        return careful(token) or next(number) % 10 == 9

    found = refusals(tenth, tmp_path, monkeypatch)
    assert found.verdict is Verdict.FAIL, found.statement


def test_a_token_that_is_no_jwt_is_forged_in_no_way_and_tried_as_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = refusals(lambda token: token == "opaque-token-of-ann", tmp_path, monkeypatch, token="opaque-token-of-ann")  # fmt: skip
    assert found.statement == "all 60 tries with bad tokens were refused by name (missing, tampered)"


@pytest.mark.usual_cases(3)
@pytest.mark.parametrize(
    ("key", "kind", "careless"),
    [
        ("expired", TokenKind.EXPIRED, {"exp": 1}),
        ("wrong_audience", TokenKind.WRONG_AUDIENCE, {"aud": "billing"}),
        ("without_right", TokenKind.WITHOUT_RIGHT, {"sub": "bob"}),
    ],
)
@pytest.mark.parametrize("refused", [True, False], ids=["refused", "let in"])
def test_a_stated_token_that_must_be_refused_is_tried(
    key: str, kind: TokenKind, careless: dict[str, Any], refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setenv("CHAT_TOKEN", issued())
    monkeypatch.setenv("BAD_TOKEN", issued(**careless))

    async def guarded(request: web.Request) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        good = careful(shown) if refused else shown.count(".") == 2 and algorithm_of(shown) == "HS256" and is_signed(shown)  # fmt: skip
        return await talk(request) if good else page("no", 401)

    with serving(with_socket(guarded)) as url:
        stated = f'[login]\ntoken = {{ env = "CHAT_TOKEN" }}\n{key} = {{ env = "BAD_TOKEN" }}\n[[service]]\nname = "a"\nurl = "{url}"\n[[websocket]]\nservice = "a"\npath = "/ws"\ngreeting = {{ json = {{ type = "hello" }} }}\n'
        found = described(stated, base=tmp_path).findings["websocket-refuses-bad-tokens"]
    assert found.verdict is (Verdict.PASS if refused else Verdict.FAIL), found.statement
    assert str(kind) in found.statement


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "e30.e30.x", "..", "eyJhbGciOiJIUzI1NiJ9.W10.x"])
def test_what_is_no_jwt_cannot_be_forged(token: str) -> None:
    assert forged_tokens.unsigned(token) == forged_tokens.signed_by_another(token) == []


def test_a_token_of_a_pair_of_keys_is_signed_with_one_that_a_careless_server_believes() -> None:
    forged = forged_tokens.signed_by_another(issued(algorithm="RS256"))
    assert {algorithm_of(one) for one in forged} == {"HS256"} and any(is_signed(one, b"") for one in forged)


def test_bad_tokens_share_the_tries_and_none_has_fewer_than_a_good_one() -> None:
    assert probes.tries_of(["good", "missing", "tampered"]) == {"good": 5, "missing": 30, "tampered": 30}
    beside = {"good": 5, "tampered": 60, "tampered with X-Test": 60}
    assert probes.tries_of(list(beside)) == beside
    assert set(probes.tries_of(["good", *(f"kind {number}" for number in range(20))]).values()) == {5}
    assert set(probes.tries_of(["good", "missing"], bad=1).values()) == {1}
