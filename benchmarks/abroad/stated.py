"""Kinds that show only in what a file states: replies to messages, and the memory of a process."""

from __future__ import annotations

from typing import Any

from abroad.kinds import Asked, Dice, Kind, Scene, Server, State, catalogue, page
from abroad.sockets import NODE, socket

STATED: list[Kind] = []
kind = catalogue(STATED)
BROKEN, WELL = State.BROKEN, State.WELL
MB = 1_000_000

PACE = "[pace]\nper_s = 50\nconcurrency = 10\ntimeout_s = 5\n"
ANSWERED = f"""writes = true
{PACE}
[[service]]
name = "service"
url = "URL"
health = "HEALTH"
[service.ws]
path = "PATH"
send = '{{"ID": "{{id}}", "TEXT": "{{text}}"}}'
expect = {{ json = {{ ID = "{{id}}", TEXT = "{{text}}", type = "reply" }} }}
"""
WATCHED = f"""observe_s = 25
{PACE}
[[service]]
name = "service"
url = "URL"
health = "/health"
metrics = "/metrics"
memory_metric = "METRIC"
"""


def answers(dice: Dice, **language: Any) -> Scene:
    """A WebSocket that answers messages, and a file that says how; fields have names of their own."""
    names = {"id": dice.of("id", "msg", "request_id"), "text": dice.of("text", "body", "content")}
    scene = socket(dice, make=dice.make(*NODE), speaks="replies", language={**names, **language})
    (health,) = scene.server.words["pages"]
    told = {"ID": names["id"], "TEXT": names["text"], "PATH": scene.asked.ws, "HEALTH": health}
    text = ANSWERED
    for name, value in told.items():
        text = text.replace(name, value)
    return Scene(server=scene.server, asked=Asked(environment=text))


def watched(dice: Dice, *grow_mb_s: int) -> Scene:
    """A page of metrics with a series of memory for each of these growths."""
    metric = dice.of("process_resident_memory_bytes", "jvm_memory_used_bytes", "nodejs_heap_size_used_bytes")
    lines = [f"# TYPE {metric} gauge"]
    for number, grows in enumerate(grow_mb_s):
        label = f'{{pool="{number}"}}' if len(grow_mb_s) > 1 else ""
        lines.append(f"{metric}{label} $GROWS({dice.ms(50, 400) * MB},{grows * MB})")
    text = "\n".join([*lines, "# EOF", ""])
    pages = {"/health": [dice.well()], "/metrics": [page(text, type="text/plain; version=0.0.4")]}
    environment = WATCHED.replace("METRIC", metric)
    return Scene(server=Server(make="bare", words={"pages": pages}), asked=Asked(environment=environment))


# Broken -----------------------------------------------------------------------------------------------------------------------


@kind(
    "reply-lost-altered-twice",
    "some replies are lost, altered, sent twice, or the connection ends instead",
    BROKEN,
)
def _(dice: Dice) -> Scene:
    return answers(dice, how=dice.of("lost", "altered", "twice", "breaks"), share=dice.of(0.2, 0.4, 1))


@kind("memory-leaks", "its memory grows by several megabytes a second", BROKEN)
def _(dice: Dice) -> Scene:
    return watched(dice, dice.ms(2, 6))


@kind("one-pool-leaks", "one pool of several grows", BROKEN)
def _(dice: Dice) -> Scene:
    return watched(dice, 0, 0, dice.ms(2, 6), 0, 0)


# Well -------------------------------------------------------------------------------------------------------------------------


@kind("replies", "every message has its reply, some after others", WELL)
def _(dice: Dice) -> Scene:
    return answers(dice, wait_ms=dice.of(0, 40))


@kind("progress-before-reply", "messages about the progress bear the id of the request too", WELL)
def _(dice: Dice) -> Scene:
    return answers(dice, progress=True)


@kind("memory-stays", "its memory stays as it is, in one series or in several", WELL)
def _(dice: Dice) -> Scene:
    return watched(dice, *([0] * dice.of(1, 5, 8)))
