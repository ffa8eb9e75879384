"""Kinds that an nginx before a server makes."""

from __future__ import annotations

from dataclasses import replace

from abroad.kinds import FAIL, OPEN, Dice, Kind, Scene, State, catalogue
from abroad.sockets import NODE, socket
from abroad.tokens import guarded

FRONTS: list[Kind] = []
kind = catalogue(FRONTS)
BROKEN, WELL, UNASKED, BEYOND = State.BROKEN, State.WELL, State.UNASKED, State.BEYOND
UPGRADES = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; proxy_set_header Host $http_host;'
THROUGH = f"location / {{ proxy_pass INNER; {UPGRADES} }}"


def behind(scene: Scene, front: str = THROUGH, *, limits: str = "", tls: str = "", upstreams: int = 1, dead: int = 0) -> Scene:  # fmt: skip
    """The scene with an nginx before it."""
    server = replace(scene.server, front=front, limits=limits, tls=tls, upstreams=upstreams, dead=dead)
    return replace(scene, server=server, asked=replace(scene.asked, scheme="https" if tls else ""))


def node(dice: Dice) -> Scene:
    return socket(dice, make=dice.make(*NODE))


# Broken ---------------------------------------------------------------------------------------------------------------------


@kind("upgrade-taken-away", "the proxy does not hand the upgrade on", BROKEN)
def _(dice: Dice) -> Scene:
    kept = dice.of("proxy_http_version 1.1;", "", 'proxy_http_version 1.1; proxy_set_header Connection "";')
    return behind(node(dice), f"location / {{ proxy_pass INNER; {kept} }}", tls=dice.of("", "own"))


@kind("backend-gone", "nothing is behind the proxy", BROKEN)
def _(dice: Dice) -> Scene:
    return behind(node(dice), dead=1)


@kind("one-of-some-gone", "one of four backends is gone, and the proxy still asks it", BROKEN)
def _(dice: Dice) -> Scene:
    count = dice.ms(4, 6)
    front = f"location / {{ proxy_pass INNER; proxy_next_upstream off; {UPGRADES} }}"
    return behind(socket(dice, make="bare"), front, upstreams=count, dead=1)


@kind("maintenance-by-the-proxy", "the proxy answers every path with one page and 200", BROKEN, OPEN, FAIL)
def _(dice: Dice) -> Scene:
    front = (
        "location / { default_type text/html; return 200 '<title>Maintenance</title>We will be right back'; }"
    )
    return behind(node(dice), front)


@kind("proxy-serves-the-page", "the proxy answers the health page itself, and nothing is behind it", BROKEN)
def _(dice: Dice) -> Scene:
    scene = node(dice)
    (path,) = scene.server.words["pages"]
    front = f"location = {path} {{ default_type application/json; return 200 '{{\"status\":\"ok\"}}'; }} {THROUGH}"  # fmt: skip
    return behind(scene, front, dead=1)


@kind("limits-everybody", "the proxy refuses most of what is asked with 503", BROKEN, FAIL, OPEN)
def _(dice: Dice) -> Scene:
    limits = f"limit_req_zone $host zone=slow:1m rate={dice.ms(3, 6)}r/s;"
    return behind(node(dice), f"limit_req zone=slow; {THROUGH}", limits=limits)


@kind("cuts-after-the-greeting", "the proxy cuts a connection that is silent for a second", BEYOND, "pass", FAIL, why="a try holds a connection for a moment")  # fmt: skip
def _(dice: Dice) -> Scene:
    front = f"location / {{ proxy_pass INNER; proxy_read_timeout {dice.ms(2, 5)}s; {UPGRADES} }}"
    return behind(node(dice), front)


# Well -----------------------------------------------------------------------------------------------------------------------


@kind("behind-nginx", "a proxy in front, with TLS or without", WELL)
def _(dice: Dice) -> Scene:
    return behind(node(dice), tls=dice.of("", "own"))


@kind("token-behind-nginx", "a proxy in front, and a token", WELL)
def _(dice: Dice) -> Scene:
    return behind(guarded(dice, make=dice.make(*NODE), refusal={"status": 401, "body": "bad token"}))


@kind("several-behind-nginx", "several instances behind a proxy", WELL)
def _(dice: Dice) -> Scene:
    return behind(node(dice), upstreams=dice.ms(2, 3))


@kind("two-services-behind-nginx", "health is one service, the WebSocket another, / a page", WELL)
def _(dice: Dice) -> Scene:
    scene = node(dice)
    (path,) = scene.server.words["pages"]
    own = f'location = {path} {{ default_type application/json; return 200 \'{{"status":"up"}}\'; }}'
    page = "location = / { default_type text/html; return 200 '<title>home</title>'; }"
    return behind(scene, f"{own} {page} {THROUGH}")


@kind("wants-tls-client-at-nginx", "the proxy wants a client certificate, which is given", WELL)
def _(dice: Dice) -> Scene:
    scene = behind(node(dice), tls="client")
    return replace(scene, asked=replace(scene.asked, has_certificate=True))


# Well, and asked in a way that cannot show it -----------------------------------------------------------------------------------


@kind("http-is-sent-to-https", "the proxy sends everybody from http to https", UNASKED)
def _(dice: Dice) -> Scene:
    scene = node(dice)
    return behind(scene, "location / { return 301 https://$host$request_uri; }")


@kind("addresses-are-refused", "the proxy lets only some addresses in", UNASKED)
def _(dice: Dice) -> Scene:
    return behind(node(dice), f"deny all; {THROUGH}")


@kind(
    "rate-limited",
    "the proxy takes a few requests a second of one address, and says 429",
    UNASKED,
    OPEN,
    "error",
)
def _(dice: Dice) -> Scene:
    limits = f"limit_req_zone $binary_remote_addr zone=slow:1m rate={dice.ms(3, 6)}r/s; limit_req_status 429;"
    return behind(node(dice), f"limit_req zone=slow; {THROUGH}", limits=limits)
