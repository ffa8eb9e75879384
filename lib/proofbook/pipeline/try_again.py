"""How `proofbook try` uses the files of the last try: what held then is still expected, and differences are printed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from proofbook.collect.services.health_page import is_well
from proofbook.config.toml import toml_value

Settings: TypeAlias = dict[str, Any]
HEALTH, SOCKET = "health-service", "websocket-connection"
# The keys of a service that say where its health is asked and what is expected there.
_OF_HEALTH = (
    "health",
    "health_method",
    "health_status",
    "health_expect",
    "sends_token",
    "unknown_path",
    "revision_path",
)
# A key of the file's own top, so it stands before the first table.
_HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The service as the last time described it, and the checks that have passed by that description."""

    service: Settings
    held: frozenset[str]


def last_time(file: Path) -> Last | None:
    """What the file of the last time says; None where there is none, or none that can be read."""
    try:
        text = file.read_text(encoding="utf-8")
        stated = tomllib.loads(text)
        (service,) = stated["service"]
        return Last(service=service, held=frozenset(stated.get(_HELD, [])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def with_held(text: str, held: Iterable[str]) -> str:
    """The text of a file as `try` writes it, with the checks that have passed by it."""
    names = sorted(set(held) & {HEALTH, SOCKET})
    lines = [line for line in text.splitlines() if not line.startswith(f"{_HELD} = ")]
    first_key = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    stated = [f"{_HELD} = {toml_value(names)}"] if names else []
    return "\n".join([*lines[:first_key], *stated, *lines[first_key:]]) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Differs:
    """Something that differs from the last time, in a sentence; is_kept: whether it is judged by the last time all the same."""

    sentence: str
    is_kept: bool


def go_on(found: Settings, last: Last, *, asks_one_page: bool) -> tuple[Sequence[Differs], frozenset[str]]:
    """Puts what held last time into what was found now; gives what differs, and which checks have held by what is kept.

    asks_one_page: whether the address of the health page is given, so that no other one counts.
    """
    differs: list[Differs | None] = []
    held: set[str] = set()
    if HEALTH in last.held and (not asks_one_page or found.get("health") == last.service.get("health")):
        differs.append(_health_goes_on(found, last.service))
        held.add(HEALTH)
    now, then = found.get("ws"), last.service.get("ws")
    if SOCKET in last.held and now is not None and then is not None and _is_same_endpoint(now, then):
        differs.append(_socket_goes_on(found, then))
        held.add(SOCKET)
    return [item for item in differs if item is not None], frozenset(held)


def _health_goes_on(found: Settings, then: Settings) -> Differs | None:
    """What is expected of health goes on, unless the same page says in other words that it is well."""
    now = {key: found[key] for key in _OF_HEALTH if key in found}
    before = {key: then[key] for key in _OF_HEALTH if key in then}
    if now == before:
        return None
    sentence = f"health: last time {_told(before)}, now {_told(now)}"
    if now.get("health") == before.get("health") and _in_other_words(now, before):
        return Differs(sentence=f"{sentence}; both mean healthy", is_kept=False)
    for key in _OF_HEALTH:
        found.pop(key, None)
    found |= before
    return Differs(sentence=f"{sentence}; judged as last time", is_kept=True)


def _in_other_words(now: Settings, before: Settings) -> bool:
    """Whether a page says what it said, in other words or for the first time; a page of another product does not."""
    said, expected = (item.get("health_expect", {}).get("json", {}) for item in (now, before))
    words = [value for value in said.values() if is_well(value)]
    others = {key: value for key, value in expected.items() if not is_well(value)}
    same_status = now.get("health_status") == before.get("health_status")
    return bool(words) and same_status and all(said.get(key) == value for key, value in others.items())


def _is_same_endpoint(now: Settings, then: Settings) -> bool:
    """Whether the options ask about the endpoint of the last time; what was found out about it may differ."""
    return all(now.get(key) == then.get(key) for key in ("path", "url", "query", "subprotocols"))


def _socket_goes_on(found: Settings, then: Settings) -> Differs | None:
    now = found["ws"]
    if now == then:
        return None
    found["ws"] = then
    keys = [key for key in (*then, *(key for key in now if key not in then)) if now.get(key) != then.get(key)]
    told = "; ".join(f"{key} was {_value(then.get(key))}, is {_value(now.get(key))}" for key in keys)
    return Differs(sentence=f"WebSocket: {told}; judged as last time", is_kept=True)


def _told(health: Settings) -> str:
    expected = health.get("health_expect", {}).get("json", {})
    says = f" saying {', '.join(f'{key} = {_value(value)}' for key, value in expected.items())}" if expected else ""  # fmt: skip
    status = health.get("health_status")
    return f"{health.get('health')}{says}" + (f" with {', '.join(map(str, status))}" if status else "")


def _value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict) and len(value) == 1:
        # What is expected, without how it is looked for.
        (value,) = value.values()
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
