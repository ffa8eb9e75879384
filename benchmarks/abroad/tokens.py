"""Kinds that tokens show: how good ones are taken, bad ones are refused, and what lets them in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from abroad.kinds import OPEN, Dice, Kind, Scene, State, Words, catalogue
from abroad.sockets import NODE, socket

TOKENS: list[Kind] = []
kind = catalogue(TOKENS)
BROKEN, WELL, UNASKED = State.BROKEN, State.WELL, State.UNASKED
BY_STATUS = {"status": 401, "body": "bad token"}


def guarded(dice: Dice, rule: str = "exact", *, shows: str = "", refusal: Words | None = None, place: str = "header:Authorization", make: str = "", options: Words | None = None, leak: float = 0.0, **said: Any) -> Scene:  # fmt: skip
    """A WebSocket that wants a token."""
    good = dice.secret()
    refused = refusal or dice.of(BY_STATUS, {"status": 403, "body": ""}, {"code": 1008, "reason": dice.of("", "unauthorized")}, {"code": 4401, "reason": "invalid token"})  # fmt: skip
    words = {"rule": rule, "good": good, "place": "bearer" if place == "header:Authorization" else place, "refusal": refused, "leak": leak}  # fmt: skip
    return socket(dice, make=make, token=shows or good, options=options, rule=words, **said)


def jwt(dice: Dice, key: str) -> str:
    """A token of a user that is good for an hour."""

    def packed(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    head = packed(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    claims = {"sub": dice.word(), "aud": "api", "exp": int(time.time()) + 3600}
    text = f"{head}.{packed(json.dumps(claims).encode())}"
    return f"{text}.{packed(hmac.digest(key.encode(), text.encode(), hashlib.sha256))}"


def signed(dice: Dice, rule: str) -> Scene:
    """A WebSocket that wants a signed token."""
    key = "secret" if rule == "jwt-known-key" else dice.secret()
    token = jwt(dice, key)
    words = {"rule": rule, "good": token, "key": key, "place": "bearer", "refusal": BY_STATUS}
    return socket(dice, make=dice.make(*NODE), token=token, rule=words)


# Broken ------------------------------------------------------------------------------------------------------------------------


@kind("any-token", "any token is let in, none is not", BROKEN)
def _(dice: Dice) -> Scene:
    return guarded(dice, "any")


@kind("everybody", "whoever comes is let in, with a token or without", BROKEN)
def _(dice: Dice) -> Scene:
    return guarded(dice, "everybody")


@kind("none-is-a-guest", "bad tokens are refused, no token is let in as the user", BROKEN)
def _(dice: Dice) -> Scene:
    return guarded(dice, "none-is-guest")


@kind("beginning-alone", "only the beginning of a token is looked at", BROKEN)
def _(dice: Dice) -> Scene:
    return guarded(dice, "prefix")


@kind("signature-unverified", "the signature of a JWT is not looked at", BROKEN)
def _(dice: Dice) -> Scene:
    return signed(dice, "jwt-unverified")


@kind("unsigned-believed", "a JWT that says alg: none is believed", BROKEN)
def _(dice: Dice) -> Scene:
    return signed(dice, "jwt-none")


@kind("empty-key", "a JWT signed with no key is believed", BROKEN)
def _(dice: Dice) -> Scene:
    return signed(dice, "jwt-empty-key")


@kind("key-of-examples", "the key is one that examples have", BROKEN)
def _(dice: Dice) -> Scene:
    return signed(dice, "jwt-known-key")


@kind("one-instance-lets-in", "one instance of ten lets any token in", BROKEN)
def _(dice: Dice) -> Scene:
    return guarded(dice, leak=0.1)


@kind("nobody-let-in", "good tokens are refused at times", BROKEN)
def _(dice: Dice) -> Scene:
    return guarded(dice, doors=[{"share": 0.2, "status": dice.of(500, 503), "body": ""}])


@kind("dies-with-a-token", "with a good token every connection ends with 1011 after its greeting", BROKEN)
def _(dice: Dice) -> Scene:
    return guarded(dice, ends={"after_ms": dice.ms(10, 100), "code": 1011})


# Well --------------------------------------------------------------------------------------------------------------------------


@kind("refuses-by-status", "bad tokens are refused with a status", WELL)
def _(dice: Dice) -> Scene:
    return guarded(dice, refusal=dice.of(BY_STATUS, {"status": 403, "body": ""}))


@kind("refuses-by-close", "bad tokens are closed by name", WELL)
def _(dice: Dice) -> Scene:
    return guarded(dice, refusal={"code": dice.of(1008, 3000, 3003, 4401, 4403), "reason": dice.of("unauthorized", "")})  # fmt: skip


@kind("refuses-late", "bad tokens are closed by name after a second", WELL)
def _(dice: Dice) -> Scene:
    return guarded(dice, refusal={"code": 1008, "after_ms": dice.ms(600, 1300), "greets": dice.of(True, False)})  # fmt: skip


@kind("greets-before-it-looks", "everybody is told that he is not known yet; bad tokens are closed", WELL)
def _(dice: Dice) -> Scene:
    says = '{"type":"hello","authenticated":false}'
    return guarded(dice, refusal={"code": 1008, "after_ms": dice.ms(100, 700), "says": says}, greeting=[{"text": '{"type":"hello","authenticated":true}'}])  # fmt: skip


@kind("token-as-subprotocol", "the token goes as a subprotocol", WELL)
def _(dice: Dice) -> Scene:
    return guarded(dice, place="subprotocol", make=dice.make(*NODE), refusal=BY_STATUS)


@kind("verifies-all", "a JWT is looked at as a whole", WELL)
def _(dice: Dice) -> Scene:
    return signed(dice, "jwt")


@kind("slow-to-look", "it takes a while to look at a token", WELL)
def _(dice: Dice) -> Scene:
    return guarded(dice, upgrade_ms=dice.ms(100, 250), refusal=BY_STATUS)


# Well, and asked in a way that cannot show it ---------------------------------------------------------------------------------------


@kind("wrong-token", "the token that was given is none of its", UNASKED)
def _(dice: Dice) -> Scene:
    return guarded(dice, shows=dice.secret())


@kind("token-not-given", "it wants a token, which was not given", UNASKED)
def _(dice: Dice) -> Scene:
    scene = guarded(dice)
    return Scene(server=scene.server, asked=type(scene.asked)(ws=scene.asked.ws))


@kind("token-elsewhere", "it wants the token in its query, and nobody said so", UNASKED)
def _(dice: Dice) -> Scene:
    return guarded(dice, place=f"query:{dice.of('token', 'access_token', 'key')}", refusal=BY_STATUS)


@kind(
    "token-in-a-message", "it takes the token in a first message of its own, and says nothing before", UNASKED
)
def _(dice: Dice) -> Scene:
    good = dice.secret()
    language = {"field": dice.of("key", "auth", "jwt"), "good": good}
    return socket(dice, make=dice.make(*NODE), greets=False, token=good, speaks="first", language=language)


@kind("cookie-of-a-login", "it wants the cookie that a login gives, and sends everybody else there", UNASKED)
def _(dice: Dice) -> Scene:
    door = {"header": "Cookie", "unlike": f"session={dice.secret()}", "status": dice.of(302, 303), "location": "/login", "body": ""}  # fmt: skip
    return socket(dice, make=dice.make(*NODE), doors=[door])


@kind("refuses-with-400", "bad tokens are refused with 400", UNASKED, OPEN, "pass")
def _(dice: Dice) -> Scene:
    return guarded(dice, refusal={"status": 400, "body": "bad token"})
