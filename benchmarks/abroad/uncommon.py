"""Kinds that are rarer: pages in other wrappings, servers with manners of their own, gRPC, and conversations that mix people up."""

from __future__ import annotations

from abroad.kinds import (
    FAIL,
    HTML,
    OPEN,
    PASS,
    Dice,
    Kind,
    Scene,
    Server,
    State,
    Words,
    catalogue,
    page,
)
from abroad.pages import says
from abroad.sockets import NODE, socket
from abroad.stated import answers
from abroad.tokens import guarded

UNCOMMON: list[Kind] = []
kind = catalogue(UNCOMMON)
BROKEN, WELL, UNASKED = State.BROKEN, State.WELL, State.UNASKED
# What stands before JSON so that no page can load it as a script.
GUARDS = (")]}',\n", ")]}'\n", "while(1);", "for(;;);")


def board(title: str, word: str) -> Words:
    """A page for people that shows how a system is."""
    return page(
        f"<html><head><title>{title} Status</title></head><body><h1>{word}</h1></body></html>", type=HTML
    )


# Broken ---------------------------------------------------------------------------------------------------------------


@kind("maintenance-flag", "200 and ok, with a flag that says: maintenance", BROKEN, OPEN, FAIL)
def _(dice: Dice) -> Scene:
    flag = dice.of(
        "maintenance", "maintenanceMode", "in_maintenance", "draining", "degraded", "shutting_down"
    )
    return says(dice, page(f'{{"status":"ok","{flag}":true}}'))


@kind("said-twice", "200, and JSON in a text of JSON says that it is down", BROKEN, FAIL, OPEN)
def _(dice: Dice) -> Scene:
    word = dice.of("DOWN", "error", "unhealthy", "fail")
    return says(dice, page(f'"{{\\"status\\":\\"{word}\\",\\"{dice.part()}\\":\\"{word}\\"}}"'), make="bare")


@kind("guarded-down", "200, DOWN behind what keeps JSON from being a script", BROKEN, FAIL, OPEN)
def _(dice: Dice) -> Scene:
    word = dice.of("DOWN", "unhealthy", "fail", "error")
    return says(dice, page(f'{dice.of(*GUARDS)}{{"status":"{word}"}}'), make="bare")


@kind("several-statuses", "207, and one of its parts is down", BROKEN, OPEN, FAIL)
def _(dice: Dice) -> Scene:
    return says(
        dice, page(f'{{"{dice.part()}":{{"status":"DOWN"}},"cpu":{{"status":"UP"}}}}', 207), make="bare"
    )


@kind("lines-of-json-down", "200, a line of JSON for each part, and one is down", BROKEN, OPEN, FAIL)
def _(dice: Dice) -> Scene:
    word = dice.of("DOWN", "unhealthy", "critical")
    lines = [f'{{"name":"{dice.part()}","status":"UP"}}', f'{{"name":"{dice.part()}-2","status":"{word}"}}']
    text = "\n".join(dice.random.sample(lines, 2)) + "\n"
    return says(dice, page(text, type="application/x-ndjson"), make="bare")


@kind("never-ends", "the health page begins and never ends", BROKEN, FAIL, OPEN)
def _(dice: Dice) -> Scene:
    return says(
        dice, page("", how="stream"), at=dice.of("/health", "/healthz"), make=dice.make("bare", "aiohttp")
    )


@kind(
    "board-outage", "the health page is one for people, and says that there is an outage", BROKEN, OPEN, FAIL
)
def _(dice: Dice) -> Scene:
    word = dice.of("Major System Outage", "Service Unavailable", "Partial outage", "Some systems are down")
    return says(dice, board(dice.word(), word))


@kind("longer-let-in", "a token with more behind it is let in", BROKEN)
def _(dice: Dice) -> Scene:
    return guarded(dice, "longer", make=dice.make(*NODE))


@kind("mixed-up-at-once", "where several are connected, replies go to another one", BROKEN)
def _(dice: Dice) -> Scene:
    return answers(dice, how="crossed")


@kind("characters-lost", "replies have a question mark for each character beyond ASCII", BROKEN)
def _(dice: Dice) -> Scene:
    return answers(dice, how="ascii")


@kind("long-swallowed", "messages over some kilobytes have no reply", BROKEN)
def _(dice: Dice) -> Scene:
    return answers(dice, how="short", most=dice.of(8192, 16384, 65536))


@kind("grpc-not-serving", "gRPC, and its health service says NOT_SERVING", BROKEN)
def _(dice: Dice) -> Scene:
    return Scene(server=Server(make="grpc", words={"BROKEN": "1"}))


# Well -------------------------------------------------------------------------------------------------------------------


@kind("early-hints", "103 comes before each answer", WELL)
def _(dice: Dice) -> Scene:
    return says(dice, {**dice.well(), "how": "early"}, make="bare")


@kind("offers-another-protocol", "each answer offers an upgrade to h2c", WELL)
def _(dice: Dice) -> Scene:
    offer = {"Upgrade": dice.of("h2,h2c", "h2c", "TLS/1.2, HTTP/1.1"), "Connection": "Upgrade"}
    return says(dice, {**dice.well(), "headers": offer}, make="bare")


@kind("http-1-0", "it answers by HTTP/1.0, without a length and without a word behind the status", WELL)
def _(dice: Dice) -> Scene:
    return says(dice, {**dice.well(), "how": "old"}, make="bare")


@kind("kept-for-seconds", "a cache in front keeps its page for a few seconds", WELL, PASS, OPEN)
def _(dice: Dice) -> Scene:
    copies = [page('{"status":"ok"}', headers={"Age": str(age)}) for age in range(1, dice.ms(3, 9))]
    return says(dice, page('{"status":"ok"}'), *copies, make="bare")


@kind("time-of-another-zone", "the page names its time in its own zone, and no zone", WELL)
def _(dice: Dice) -> Scene:
    key = dice.of("timestamp", "time", "now", "serverTime")
    return says(dice, page(f'{{"status":"ok","{key}":"$ELSEWHERE"}}'), make="bare")


@kind("built-long-ago", "the page names when it was built, started or released", WELL)
def _(dice: Dice) -> Scene:
    key = dice.of("buildTime", "built_at", "started_at", "releaseDate", "deployedAt", "bootTime")
    return says(dice, page(f'{{"status":"ok","{key}":"2026-0{dice.ms(1, 9)}-03T10:00:0{dice.ms(0, 9)}Z"}}'))


@kind("flags-off", "ok, with flags that are off, and counts of what once failed", WELL)
def _(dice: Dice) -> Scene:
    more = dice.of('"maintenance":false,"draining":false', '"errors":0,"failed_jobs":12', '"degraded":false,"readOnly":false', '"failures_total":3,"last_error":null')  # fmt: skip
    return says(dice, page(f'{{"status":"{dice.of("ok", "UP", "healthy")}",{more}}}'))


@kind("guarded-up", "UP behind what keeps JSON from being a script", WELL)
def _(dice: Dice) -> Scene:
    return says(dice, page(f'{dice.of(*GUARDS)}{{"status":"{dice.of("UP", "ok", "healthy")}"}}'), make="bare")


@kind("board-well", "the health page is one for people, and says that all is well", WELL)
def _(dice: Dice) -> Scene:
    return says(dice, board(dice.word(), dice.of("All Systems Operational", "All systems are operational", "No incidents reported today")))  # fmt: skip


@kind("named-by-build", "two instances answer in turn and name themselves as a build", WELL)
def _(dice: Dice) -> Scene:
    key = dice.of("build", "release", "version")
    return says(dice, *(page(f'{{"status":"ok","{key}":"{name}-{dice.ms(1, 99)}"}}') for name in ("blue", "green")))  # fmt: skip


@kind("wants-pongs", "it sends pings, and cuts who does not answer them", WELL)
def _(dice: Dice) -> Scene:
    return socket(dice, make="bare", pings={"every_ms": dice.ms(40, 120), "within_ms": dice.ms(800, 1500)})


@kind("tells-who-joins", "everybody is told who else connects and leaves", WELL)
def _(dice: Dice) -> Scene:
    return socket(dice, make=dice.make(*NODE), greets=dice.of(True, False), joins=True)


@kind("greets-late", "it greets after some seconds", WELL)
def _(dice: Dice) -> Scene:
    return socket(dice, greeting_ms=dice.ms(1300, 2500))


@kind("health-wants-the-token", "health wants the same token as the WebSocket", WELL)
def _(dice: Dice) -> Scene:
    scene = guarded(dice, make=dice.make(*NODE))
    ((path, (well,)),) = scene.server.words["pages"].items()
    door = {"header": "Authorization", "unlike": f"^Bearer {scene.asked.token}$", "status": dice.of(401, 403), "body": "who are you?"}  # fmt: skip
    words = {**scene.server.words, "pages": {path: [{**well, "doors": [door]}]}}
    return Scene(server=Server(make=scene.server.make, words=words), asked=scene.asked)


@kind("refuses-by-sending-away", "bad tokens are sent to a page where one logs in", WELL)
def _(dice: Dice) -> Scene:
    return guarded(dice, make=dice.make(*NODE), refusal={"status": 302, "location": "/login", "body": ""})


@kind("grpc", "gRPC, and its health service says SERVING", WELL)
def _(dice: Dice) -> Scene:
    return Scene(server=Server(make="grpc"))


# Well, and asked in a way that cannot show it -----------------------------------------------------------------------------


@kind("grpc-without-health", "gRPC without a health service", UNASKED)
def _(dice: Dice) -> Scene:
    return Scene(server=Server(make="grpc", words={"SILENT": "1"}))


@kind("head-alone", "the health page is there for HEAD alone, and nothing else is", UNASKED)
def _(dice: Dice) -> Scene:
    return says(dice, page("", only="HEAD"), at=dice.of("/health", "/healthz"), make="bare")


@kind("guest", "who shows a bad token is let in as a guest, and told so", UNASKED, OPEN, PASS)
def _(dice: Dice) -> Scene:
    told = dice.of('{"type":"hello","user":"guest"}', '{"type":"hello","guest":true}')
    greeting = [{"text": f'{{"type":"hello","user":"{dice.word()}"}}'}]
    return guarded(
        dice, make=dice.make(*NODE), refusal={"says": told, "stays": True}, greeting=greeting, greeting_ms=0
    )


@kind("another-alphabet", "it says in a language of its own that it is well", UNASKED, OPEN, PASS)
def _(dice: Dice) -> Scene:
    word = dice.of("Betriebsbereit", "正常", "работает", "en funcionamiento", "disponible")
    return says(dice, page(f'{{"status":"{word}"}}'), make="bare")
