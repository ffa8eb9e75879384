"""What `proofbook try` finds out about a system with a few requests, as the settings of an environment file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from proofbook.collect import discovery
from proofbook.collect.session import Session, is_loopback, origin_of
from proofbook.collect.websocket import first_words, look
from proofbook.collect.websocket.questions import ASKED, Questions
from proofbook.config import known_dialects
from proofbook.config.environment import Environment
from proofbook.config.services import WebSocket
from proofbook.pipeline.try_options import Options

Say = Callable[[str], None]
# A table of a TOML file.
Settings: TypeAlias = dict[str, Any]
# A stranger's service is asked no faster than a person would; this machine's own may be.
PACE = {"per_s": 5.0, "concurrency": 5, "timeout_s": 5.0}
LOOPBACK_PACE = {"per_s": 50.0, "concurrency": 10, "timeout_s": 5.0}


async def discover(options: Options, *, base: Path, say: Say) -> tuple[Settings, bool]:
    """The settings of an environment file for this system, found with a few requests at its rate limit, and whether anything listens there."""
    parts = urlsplit(options.url)
    service: Settings = {"name": "service", "url": f"{parts.scheme}://{parts.netloc}"}
    service |= options.tls
    if options.headers or options.origin:
        service["headers"] = options.sent_headers
    if options.ws:
        service["ws"] = options.socket
    if options.token_env:
        service["token"] = {"env": options.token_env}
    if options.logs:
        service["logs"] = options.logs
    pace = LOOPBACK_PACE if is_loopback(options.url) else PACE
    settings: Settings = {"title": parts.netloc, "pace": dict(pace), "service": [service]}
    session = Session(_environment(settings), base=base)
    paths = [options.page] if options.page else discovery.HEALTH_PATHS
    say(f"plan · first look · {discovery.plan(paths, has_token=bool(options.token_env))}")
    is_met = False
    found = await discovery.find_health(session.environment.services[0], paths, session=session)
    service |= {"health": found.path, **found.settings}
    if not (found.no_http and options.ws):
        say(f"found · {_health_in_words(found)}")
    if options.ws:
        say(f"plan · first look · {_plan_of_look(options)}")
        met, told = await _discover_websocket(options, settings, session)
        is_met = met.upgraded or met.refused
        say(f"found · {told}")
        if found.no_http and met.upgraded:
            # It serves a WebSocket and no page: what it does not have is not held against it, and not claimed.
            service["health"] = ""
            say(f"found · no health page, so health is not measured: {'; '.join(found.remarks)}")
        elif found.no_http:
            say(f"found · {_health_in_words(found)}")
    return settings, is_met or found.listens


def _health_in_words(health: discovery.Health) -> str:
    revision = health.settings.get("revision_path")
    told = f"health at {health.path}" + (f", revision in {revision!r}" if revision else "")
    return "; ".join([told, *health.remarks])


def _plan_of_look(options: Options) -> str:
    if options.dialect:
        elsewhere = ", and one to a path that must not exist" if options.token_env else ""
        return f"up to {2 * look.TIMES} connections to {options.ws}{elsewhere}"
    more = f"up to {look.TIMES} connections to {options.ws}, and up to {look.MOST_TIMES} more to try an Origin, a dialect that it shows, or another place for the token, or if only some are greeted"
    asks = f"; if it says nothing by itself, {len(ASKED)} more at once, each with a question of a dialect ({', '.join(ASKED)}), again alone if one is turned away"
    knocks = (
        f"; if it lets a wrong token in, 2 more that say {first_words.WORD}; one to a path that must not exist"
        if options.token_env
        else ""
    )
    return more + asks + knocks


async def _discover_websocket(
    options: Options, settings: Settings, session: Session
) -> tuple[look.EndpointFacts, str]:
    """What was found of the WebSocket, in words; the settings are completed by it."""
    (service,) = settings["service"]
    search = _Search(options=options, settings=settings, service=service, base=session.base)
    met = await search.looked_and_asked(service["ws"])
    if not met.upgraded and not options.origin:
        origin = origin_of(session.socket_urls[session.environment.websockets[0].name])
        met = await search.from_page(met, origin)
    name = "" if options.dialect else await search.dialect(met)
    if name:
        met = await search.in_dialect(name)
    if met.refused and options.token_env:
        met = await search.with_token_elsewhere(met)
    if met.greeting is not None:
        service["ws"]["greeting"] = met.greeting
        search.remarks.append(f"it greets with {_shown(met.greeting)}")
    if met.let_in:
        search.remarks.append("it says that we are let in")
    elif met.upgraded and not met.refused:
        await search.refusal()
    if options.token_env and await search.ignores_paths(met):
        service["ws"]["any_path"] = True
        search.remarks.append(
            "it says the same at a path that must not exist, so it does not look at the path"
        )
    return met, f"WebSocket at {options.ws}: {'; '.join([*search.remarks, *met.remarks])}"


@dataclass(slots=True, kw_only=True)
class _Search:
    """A search for how a WebSocket wants to be spoken to. service: its part of the settings, completed by what is found; remarks: that in words."""

    options: Options
    settings: Settings
    service: Settings
    base: Path
    remarks: list[str] = field(default_factory=list)
    # For its dialect, some of which the last look asked; None where that is stated.
    questions: Questions | None = None

    def at(self, stated: Settings) -> tuple[WebSocket, Session]:
        there = _environment({**self.settings, "service": [{**self.service, "ws": stated}]})
        return there.websockets[0], Session(there, base=self.base)

    async def looked(self, stated: Settings, **how: Any) -> look.EndpointFacts:
        endpoint, there = self.at(stated)
        return await look.look(endpoint, session=there, **how)

    async def looked_and_asked(self, stated: Settings) -> look.EndpointFacts:
        """Looked at, and asked for its dialect where it is silent and no dialect is named."""
        endpoint, there = self.at(stated)
        if not (self.options.dialect or self.options.subprotocols):
            self.questions = Questions(
                endpoint=endpoint,
                session=there,
                in_dialect=lambda name: self.at({**stated, "dialect": name})[0],
            )
        return await look.look(endpoint, session=there, questions=self.questions)

    async def dialect(self, met: look.EndpointFacts) -> str:
        """The dialect that the endpoint shows by itself, by the subprotocol that it chooses, or by how it answers; empty where it shows none."""
        if met.shows or not met.asks or self.questions is None:
            return met.shows
        return await self.questions.dialect(upgraded=met.upgraded)

    async def from_page(self, met: look.EndpointFacts, origin: str) -> look.EndpointFacts:
        """As from a page of the service itself, from where most connections come."""
        headers = {**self.options.sent_headers, "Origin": origin}
        stated = {**self.service["ws"], "headers": headers}
        if not (await self.looked(stated, times=1)).upgraded:
            return met
        self.service["ws"] = stated
        met = await self.looked_and_asked(stated)
        self.remarks.append(f"it wants the Origin {origin}")
        return met

    async def in_dialect(self, name: str) -> look.EndpointFacts:
        """Spoken to in a dialect that it shows; in none where it does not go on like such a server."""
        spoken = {**self.service["ws"], "dialect": name}
        again = await self.looked(spoken, times=1)
        named = known_dialects.STATED[name].get("subprotocols")
        is_silent = look.is_only_a_path(name, self.options.ws or "") and not again.let_in
        is_none = (
            is_silent
            or again.speaks_otherwise
            or (named and again.upgraded and again.subprotocol not in named and name not in ASKED)
        )
        if is_none and not again.refused:
            return await self.looked(self.service["ws"], knows_dialects=False)
        self.service["ws"] = spoken
        is_sure = again.let_in or name in ASKED
        self.remarks.append(f"it {'speaks' if is_sure else 'seems to speak'} {name}")
        return again

    async def with_token_elsewhere(self, met: look.EndpointFacts) -> look.EndpointFacts:
        """With the token in the other usual place. Never the address: servers write addresses into their logs."""
        other = {**self.service["ws"], "token": {"in": _other_place(self.service["ws"])}}
        again = await self.looked(other)
        if not again.upgraded or again.refused:
            return met
        self.service["ws"] = other
        self.remarks.append(f"the token goes as a {other['token']['in']}")
        return again

    async def refusal(self) -> None:
        """How it refuses a wrong token after it connected it, where it does."""
        learnt = await _refusal(self.options, *self.at(self.service["ws"]))
        if not learnt:
            return
        self.service["ws"]["refusal"] = learnt
        self.remarks.append(
            "it connects a wrong token, and refuses it at its first message"
            if "send" in learnt
            else f"it refuses a wrong token by {_in_words(learnt)}"
        )

    async def ignores_paths(self, met: look.EndpointFacts) -> bool:
        """Whether an endpoint that says something to those whom it lets in says it wherever they come; one that is silent shows nothing."""
        endpoint, there = self.at(self.service["ws"])
        if not (met.let_in or met.greeting is not None) or endpoint.any_path:
            return False
        nowhere = there.environment.services[0].unknown_path
        elsewhere, session = self.at({**self.service["ws"], "path": nowhere})
        return await look.says_the_same(elsewhere, session=session)


def _in_words(refusal: Settings) -> str:
    """By what a server refuses, in words.

    >>> _in_words({"http_status": [404]}), _in_words({"close_codes": [4400]})
    ('HTTP 404', 'close 4400')
    """
    if "http_status" in refusal:
        return f"HTTP {refusal['http_status'][0]}"
    if "close_codes" in refusal:
        return f"close {refusal['close_codes'][0]}"
    return (
        "a message of its own"
        if "message" in refusal
        else f"a close that takes up to {refusal['within_s']:g} s"
    )


def _other_place(ws: Settings) -> str:
    """Where else than its dialect says an endpoint may want the token."""
    return "header" if known_dialects.token_place(ws.get("dialect")) else "subprotocol"


async def _refusal(options: Options, endpoint: WebSocket, session: Session) -> Settings | None:
    """How an endpoint refuses a wrong token at its first message; None where it does not, or a message goes with each token anyway."""
    if not options.token_env or options.dialect or session.environment.delivers(endpoint):
        return None
    return await first_words.learn_refusal(endpoint, session=session)


def _environment(settings: Settings) -> Environment:
    return Environment.model_validate(settings).model_copy(update={"name": "try"})


def _shown(greeting: Settings) -> str:
    if "json" in greeting:
        return ", ".join(f"{path} = {json.dumps(value)}" for path, value in greeting["json"].items())
    return "some message" if greeting["regex"] == "(?s)." else "always the same text"
